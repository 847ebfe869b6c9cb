//! Large files of our own, read back: one member goes from text to canonical text, and no value of it
//! is made.

use super::{Json, Members, Named, Seed, write_string};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::text::visible;
use serde::de::{self, DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Of an object whose members are all sorted: the member `name` in canonical form, and the others.
/// For a large file of our own that is read back: nothing is made of that member but its bytes.
///
/// # Errors
///
/// `JSON`, also for members of it that are not sorted, and where there is no such member.
pub(in crate::tuf) fn canonical_member(bytes: &[u8], name: &str) -> Result<(Vec<u8>, Json)> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let rest = reader.deserialize_map(Apart { name, out: &mut out });
    let rest = rest.and_then(|rest| reader.end().map(|()| rest));
    let rest = rest.and_then(|rest| {
        if out.is_empty() { Err(de::Error::custom(format!("no member \"{name}\""))) } else { Ok(rest) }
    });
    let rest =
        rest.map_err(|e| Refusal::new(&rules::JSON, visible(&e.to_string()), "one JSON object, sorted"))?;
    Ok((out, Json::Object(rest)))
}

struct Apart<'o> {
    name: &'o str,
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for Apart<'_> {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Named)? {
            if name == self.name && self.out.is_empty() {
                map.next_value_seed(Rewrite { depth: 1, out: &mut *self.out })?;
            } else {
                members.push((name, map.next_value_seed(Seed { depth: 1 })?));
            }
        }
        Members::each_once(members).map_err(|name| de::Error::custom(format!("the member \"{name}\" twice")))
    }
}

/// Writes a value in canonical form as it is read.
struct Rewrite<'o> {
    depth: usize,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Rewrite<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, d: D) -> std::result::Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rewrite<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without floats")
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<(), E> {
        Json::Null.write(self.out);
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> std::result::Result<(), E> {
        Json::Bool(b).write(self.out);
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> std::result::Result<(), E> {
        Json::Int(n).write(self.out);
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> std::result::Result<(), E> {
        i64::try_from(n).map(|n| Json::Int(n).write(self.out)).map_err(|_| E::custom("an integer over 2^63"))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> std::result::Result<(), E> {
        Err(E::custom("a number that is no integer, or too large"))
    }

    fn visit_str<E: de::Error>(self, s: &str) -> std::result::Result<(), E> {
        write_string(s, self.out);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        let depth = Seed { depth: self.depth }.deeper()?;
        self.out.push(b'[');
        let mut first = true;
        loop {
            let end = self.out.len();
            if !first {
                self.out.push(b',');
            }
            first = false;
            if seq.next_element_seed(Rewrite { depth, out: &mut *self.out })?.is_none() {
                self.out.truncate(end);
                self.out.push(b']');
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let depth = Seed { depth: self.depth }.deeper()?;
        self.out.push(b'{');
        let mut before: Option<Cow<'de, str>> = None;
        while let Some(Borrowed(name)) = map.next_key()? {
            if before.is_some() {
                self.out.push(b',');
            }
            if before.is_some_and(|before| before >= name) {
                return Err(de::Error::custom(format!("the member \"{name}\" out of order")));
            }
            write_string(&name, self.out);
            self.out.push(b':');
            map.next_value_seed(Rewrite { depth, out: &mut *self.out })?;
            before = Some(name);
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// A member's name, from the text itself where it has no escapes.
#[derive(serde::Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
