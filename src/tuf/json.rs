//! JSON, read strictly and written canonically.
//!
//! Own code, because the field's parsers keep the last of two equal members, turn large integers
//! into floats, or normalise Unicode where others don't (threats T14). What others signed is
//! verified over the members as received; nothing here changes a string.
//!
//! Never: floats, duplicate members at any depth, trailing bytes, a byte order mark, depth over 32.

mod rewrite;

pub use super::members::Members;
pub(super) use rewrite::canonical_member;

use super::bytes;
use super::members::{self, Name};
use super::rule::{Refusal, Result};
use super::rules;
use super::text::visible;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A JSON value without floats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer; TUF has no other numbers.
    Int(i64),
    /// A string, exactly as received.
    Str(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Members),
}

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 32;

impl Json {
    /// Reads one JSON value and nothing after it but white space.
    ///
    /// # Errors
    ///
    /// `JSON` with the parser's words and position.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value = Seed { depth: 0 }.deserialize(&mut reader).and_then(|v| reader.end().map(|()| v));
        value.map_err(|e| Self::refuse(&e))
    }

    /// The refusal of what the parser doesn't take.
    pub(super) fn refuse(error: &serde_json::Error) -> Refusal {
        Refusal::new(
            &rules::JSON,
            visible(&error.to_string()),
            "one JSON value: no equal members, floats, trailing bytes, byte order mark, depth at most 32",
        )
    }

    /// The canonical form: members sorted bytewise, no white space, only `\` and `"` escaped.
    ///
    /// The same for OLPC canonical JSON (securesystemslib) and docker/go canonical JSON.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Whether these bytes are its canonical form.
    pub(super) fn is_canonically(&self, bytes: &[u8]) -> bool {
        let mut same = Same(Some(bytes));
        self.write(&mut same);
        same.0.is_some_and(<[u8]>::is_empty)
    }

    pub(super) fn write(&self, out: &mut impl Sink) {
        match self {
            Self::Null => out.put(b"null"),
            Self::Bool(true) => out.put(b"true"),
            Self::Bool(false) => out.put(b"false"),
            Self::Int(n) => out.put(n.to_string().as_bytes()),
            Self::Str(s) => write_string(s, out),
            Self::Array(items) => {
                out.put(b"[");
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.put(b",");
                    }
                    item.write(out);
                }
                out.put(b"]");
            }
            Self::Object(members) => write_members(members, out, |_, value, out| value.write(out)),
        }
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Members> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The number, if this is an integer.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The member `name`, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.as_object()?.get(name)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for Json {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<bool> for Json {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Self::Array(items)
    }
}

impl From<Members> for Json {
    fn from(members: Members) -> Self {
        Self::Object(members)
    }
}

/// An object of the given members; a later one of the same name replaces an earlier one.
pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

/// Where canonical JSON goes.
pub(super) trait Sink {
    /// Takes what comes next.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// What is left of bytes that have been the same so far; none once they differ.
struct Same<'a>(Option<&'a [u8]>);

impl Sink for Same<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.and_then(|left| left.strip_prefix(bytes));
    }
}

/// An object's members, each value as `write` does it.
pub(super) fn write_members<S: Sink>(
    members: &Members,
    out: &mut S,
    mut write: impl FnMut(&str, &Json, &mut S),
) {
    out.put(b"{");
    for (i, (name, value)) in members.iter().enumerate() {
        if i > 0 {
            out.put(b",");
        }
        write_string(name, out);
        out.put(b":");
        write(name, value, out);
    }
    out.put(b"}");
}

fn write_string(text: &str, out: &mut impl Sink) {
    out.put(b"\"");
    // Hardly any text has a byte to be escaped, and looking for one is quicker than copying each.
    if bytes::has(text.as_bytes(), b'"') || bytes::has(text.as_bytes(), b'\\') {
        for byte in text.bytes() {
            if byte == b'"' || byte == b'\\' {
                out.put(b"\\");
            }
            out.put(&[byte]);
        }
    } else {
        out.put(text.as_bytes());
    }
    out.put(b"\"");
}

/// Reads a value at that depth.
pub(super) struct Seed {
    pub depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Json;

    fn deserialize<D: de::Deserializer<'de>>(self, d: D) -> std::result::Result<Json, D::Error> {
        d.deserialize_any(self)
    }
}

impl Seed {
    pub(super) fn deeper<E: de::Error>(&self) -> std::result::Result<usize, E> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH { Err(E::custom("nested deeper than 32")) } else { Ok(depth) }
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without floats")
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> std::result::Result<Json, E> {
        Ok(Json::Bool(b))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> std::result::Result<Json, E> {
        Ok(Json::Int(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> std::result::Result<Json, E> {
        i64::try_from(n).map(Json::Int).map_err(|_| E::custom("an integer over 2^63"))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> std::result::Result<Json, E> {
        Err(E::custom("a number that is no integer, or too large"))
    }

    fn visit_str<E: de::Error>(self, s: &str) -> std::result::Result<Json, E> {
        Ok(Json::Str(s.to_owned()))
    }

    fn visit_string<E: de::Error>(self, s: String) -> std::result::Result<Json, E> {
        Ok(Json::Str(s))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Json, A::Error> {
        let depth = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Seed { depth })? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Json, A::Error> {
        let depth = self.deeper()?;
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Named)? {
            if members.is_empty() {
                // As many as a delegation has, of which a document may have thousands.
                members.reserve(5);
            }
            members.push((name, map.next_value_seed(Seed { depth })?));
        }
        Members::each_once(members)
            .map(Json::Object)
            .map_err(|name| de::Error::custom(format!("the member \"{name}\" twice")))
    }
}

/// A member's name, as it is kept.
pub(super) struct Named;

impl<'de> DeserializeSeed<'de> for Named {
    type Value = Name;

    fn deserialize<D: de::Deserializer<'de>>(self, d: D) -> std::result::Result<Name, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for Named {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Name, E> {
        Ok(members::name(text))
    }
}

#[cfg(test)]
mod tests;
