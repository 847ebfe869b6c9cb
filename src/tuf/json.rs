//! JSON, read strictly and written canonically.
//!
//! Own code, because the field's parsers keep the last of two equal members, turn large integers
//! into floats, or normalise Unicode where others don't (threats T14). What others signed is
//! verified over the members as received; nothing here changes a string.
//!
//! Never: floats, duplicate members at any depth, trailing bytes, a byte order mark, depth over 32.

pub use super::members::Members;

use super::members::{self, Name};
use super::rule::{Refusal, Result};
use super::rules;
use super::text::visible;
use serde::de::{self, DeserializeSeed, Deserializer as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
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
    let escapes = text.bytes().fold(false, |found, byte| found | matches!(byte, b'"' | b'\\'));
    if escapes {
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

/// Of an object whose members are all sorted: the member `name` in canonical form, and the others.
/// For a large file of our own that is read back: nothing is made of that member but its bytes.
///
/// # Errors
///
/// `JSON`, also for members of it that are not sorted, and where there is no such member.
pub(super) fn canonical_member(bytes: &[u8], name: &str) -> Result<(Vec<u8>, Json)> {
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_names_every_defect() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let table = [
            ("equal members", r#"{"a":1,"a":1}"#.to_owned(), false),
            ("equal members, one escaped", r#"{"a":1,"\u0061":1}"#.to_owned(), false),
            ("equal members below", r#"{"x":[{"a":1,"b":2,"a":3}]}"#.to_owned(), false),
            ("names in NFC and NFD differ", "{\"\u{e9}\":1,\"e\u{301}\":1}".to_owned(), true),
            ("a fraction", "1.5".to_owned(), false),
            ("a whole number as a fraction", "2.0".to_owned(), false),
            ("an exponent", "1e3".to_owned(), false),
            ("minus nothing", "-0".to_owned(), false),
            ("the largest", "9223372036854775807".to_owned(), true),
            ("above it", "9223372036854775808".to_owned(), false),
            ("the smallest", "-9223372036854775808".to_owned(), true),
            ("thirty digits", "1".repeat(30), false),
            ("a leading zero", "01".to_owned(), false),
            ("trailing bytes", "{} x".to_owned(), false),
            ("a second value", "{}{}".to_owned(), false),
            ("white space after it", "{} \r\n\t".to_owned(), true),
            ("a byte order mark", "\u{feff}{}".to_owned(), false),
            ("nothing", String::new(), false),
            ("a comma too many", "[1,]".to_owned(), false),
            ("a comment", "[1] // one".to_owned(), false),
            ("NaN", "NaN".to_owned(), false),
            ("half a surrogate pair", r#""\ud800""#.to_owned(), false),
            ("a raw line break", "\"\n\"".to_owned(), false),
            ("32 deep", nested(32), true),
            ("33 deep", nested(33), false),
            ("33 deep in objects", format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33)), false),
            ("100,000 deep", nested(100_000), false),
        ];
        for (name, text, accepted) in table {
            match Json::parse(text.as_bytes()) {
                Ok(_) => assert!(accepted, "{name}"),
                Err(e) => assert!(!accepted && e.rule().name == "JSON", "{name}: {e}"),
            }
        }
        assert_eq!(Json::parse(b"\"\xff\"").unwrap_err().rule().name, "JSON");
    }

    #[test]
    fn canonical_form_of_known_answers() {
        let table = [
            (r#" { "b" : 1 , "a" : [ true , null ] } "#, r#"{"a":[true,null],"b":1}"#),
            // By bytes, not by UTF-16 units, nor by letters.
            (
                "{\"\u{10000}\":1,\"\u{ffff}\":2,\"Z\":3,\"a\":4}",
                "{\"Z\":3,\"a\":4,\"\u{ffff}\":2,\"\u{10000}\":1}",
            ),
            (r#""\u003c\u0026\u2028\/""#, "\"<&\u{2028}/\""),
            (r#""\"\\""#, r#""\"\\""#),
            // Not normalised: what others signed stays (crates 0.4).
            ("\"e\u{301}\"", "\"e\u{301}\""),
            ("-7", "-7"),
        ];
        for (text, canonical) in table {
            assert_eq!(
                String::from_utf8(Json::parse(text.as_bytes()).unwrap().canonical()).unwrap(),
                canonical
            );
        }
        // Control characters stay raw: the canonical form of others' text need not be JSON.
        assert_eq!(Json::parse(br#""\n""#).unwrap().canonical(), b"\"\n\"");
    }

    #[test]
    fn a_member_is_rewritten_as_it_stands_or_refused() {
        let table = [
            (r#"{"signed":{"a":[1,-2,null,true],"b":{}},"x":[]}"#, Some(r#"{"a":[1,-2,null,true],"b":{}}"#)),
            (r#" { "x" : [] , "signed" : "\u0041\n" } "#, Some("\"A\n\"")),
            (r#"{"signed":[],"x":[]}"#, Some("[]")),
            (r#"{"signed":{"b":1,"a":1},"x":[]}"#, None),
            (r#"{"signed":{"a":1,"a":1},"x":[]}"#, None),
            (r#"{"signed":[{"b":1,"\u0061":1}],"x":[]}"#, None),
            (r#"{"signed":1,"signed":1,"x":[]}"#, Some("1")),
            (r#"{"signed":1.5,"x":[]}"#, None),
            (r#"{"signed":1,"x":[],"x":[]}"#, None),
            (r#"{"signed":1,"x":[]} 1"#, None),
            (r#"{"x":[]}"#, None),
            ("[]", None),
        ];
        for (text, expected) in table {
            let found = canonical_member(text.as_bytes(), "signed");
            let bytes = found.as_ref().ok().map(|(bytes, _)| String::from_utf8(bytes.clone()).unwrap());
            assert_eq!(bytes.as_deref(), expected, "{text}: {found:?}");
            // The second of two stays among the others, where the caller finds what it doesn't know.
            let more = found.is_ok_and(|(_, rest)| rest.as_object().unwrap().len() > 1);
            assert_eq!(more, text.matches("signed").count() > 1, "{text}");
        }
        let deep = |n: usize| format!("{{\"signed\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(canonical_member(deep(31).as_bytes(), "signed").is_ok());
        assert!(canonical_member(deep(32).as_bytes(), "signed").is_err());
    }

    #[test]
    fn parser_words_are_made_visible() {
        let refused = Json::parse("{\"\u{202e}a\":1,\"\u{202e}a\":1}".as_bytes()).unwrap_err();
        assert!(refused.found().contains("\\u{202e}a"), "{refused}");
    }

    fn values() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::Int),
            "\\PC*".prop_map(Json::Str),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
                prop::collection::btree_map("\\PC{0,8}", inner, 0..6)
                    .prop_map(|all| Json::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let bytes = value.canonical();
            let read = Json::parse(&bytes).unwrap();
            prop_assert_eq!(&read, &value);
            prop_assert_eq!(read.canonical(), bytes.clone());
            // Canonical JSON is JSON for other readers only where no string has control characters.
            let mut file = object([("value", value), ("beside", Json::Int(1))]).canonical();
            let (again, rest) = canonical_member(&file, "value").unwrap();
            prop_assert_eq!((again, rest), (bytes, object([("beside", Json::Int(1))])));
            file.pop();
            prop_assert!(canonical_member(&file, "value").is_err());
        }

        /// The same value by another writer, spaced out and escaped, has the same canonical form.
        #[test]
        fn the_writer_does_not_matter(value in values()) {
            fn plain(value: &Json) -> serde_json::Value {
                match value {
                    Json::Null => serde_json::Value::Null,
                    Json::Bool(b) => (*b).into(),
                    Json::Int(n) => (*n).into(),
                    Json::Str(s) => s.as_str().into(),
                    Json::Array(items) => items.iter().map(plain).collect(),
                    Json::Object(members) => members.iter().map(|(k, v)| (k.to_owned(), plain(v))).collect(),
                }
            }
            let other = serde_json::to_vec_pretty(&plain(&value)).unwrap();
            prop_assert_eq!(Json::parse(&other).unwrap().canonical(), value.canonical());
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Json::parse(&bytes);
        }
    }
}
