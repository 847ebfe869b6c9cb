//! Members of an object, taken out one by one; what is left over is unknown.

use super::Quirk;
use crate::tuf::json::{Json, Members};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use std::collections::BTreeSet;

/// Quirks met so far.
pub(in crate::tuf) type Quirks = BTreeSet<Quirk>;

/// An object whose members are taken out one by one.
pub(super) struct Fields(Members);

impl Fields {
    /// The members of `value`.
    pub(super) fn of(value: Json) -> Result<Self> {
        match value {
            Json::Object(members) => Ok(Self(members)),
            _ => Err(form("no object", "an object")),
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        self.0.remove(name)
    }

    pub(super) fn required(&mut self, name: &str) -> Result<Json> {
        self.take(name).ok_or_else(|| form(&format!("no \"{name}\""), "every member of the specification"))
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Members> {
        match self.required(name)? {
            Json::Object(members) => Ok(members),
            _ => Err(form(&format!("\"{name}\" that is no object"), "an object")),
        }
    }

    pub(super) fn array(&mut self, name: &str) -> Result<Vec<Json>> {
        match self.required(name)? {
            Json::Array(items) => Ok(items),
            _ => Err(form(&format!("\"{name}\" that is no array"), "an array")),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        match self.required(name)? {
            Json::Str(text) => Ok(text),
            _ => Err(form(&format!("\"{name}\" that is no text"), "a text")),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        self.array(name)?
            .into_iter()
            .map(|item| match item {
                Json::Str(text) => Ok(text),
                _ => Err(form(&format!("\"{name}\" with an item that is no text"), "texts")),
            })
            .collect()
    }

    /// None for a missing member, and for null, which Go writes for a list without items.
    pub(super) fn optional_texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Json::Null) => {
                self.take(name);
                Ok(None)
            }
            Some(_) => self.texts(name).map(Some),
        }
    }

    pub(super) fn whole<T: TryFrom<i64>>(&mut self, name: &str) -> Result<T> {
        let value = self.required(name)?;
        let found = || match &value {
            Json::Int(n) => format!("\"{name}\" of {n}"),
            _ => format!("\"{name}\" that is no integer"),
        };
        value
            .as_int()
            .and_then(|n| T::try_from(n).ok())
            .ok_or_else(|| form(&found(), "an integer in the member's range"))
    }

    /// Whether there is such a member still.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Notes what is left over.
    pub(super) fn finish(self, quirks: &mut Quirks) {
        if !self.0.is_empty() {
            quirks.insert(Quirk::MemberUnknown);
        }
    }
}

pub(super) fn form(found: &str, expected: &str) -> Refusal {
    Refusal::new(&rules::DOCUMENT_FORM, found, expected)
}
