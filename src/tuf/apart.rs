//! JSON with one long array left as text: a targets document can have thousands of delegations, of
//! which a change touches some, and each is read and let go before the next.
//!
//! The array's items come one by one through the same parser as everything else ([`Json`]); their
//! canonical forms go back to their place in a [`Frame`] of all that is around them.
//!
//! Never: an item that is kept as text without having been read.

use super::json::{Json, Members, Named, Seed, Sink, write_members};
use super::rule::Result;
use super::wire;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The delegations of a targets document's `signed` part.
pub(super) const ROLES: [&str; 2] = ["delegations", "roles"];

/// The same within its file.
pub(super) const IN_FILE: [&str; 3] = ["signed", "delegations", "roles"];

/// The items of an array that was left as text.
pub(super) struct Items<'a> {
    whole: &'a [u8],
    depth: usize,
    texts: Vec<&'a str>,
}

/// Reads a value that stands `depth` deep; the array at `place`, if there is one, is empty in it and
/// comes beside it.
///
/// # Errors
///
/// As [`Json::parse`], but for what is wrong within the items.
pub(super) fn parse<'a>(bytes: &'a [u8], depth: usize, place: &[&str]) -> Result<(Json, Option<Items<'a>>)> {
    let quick = (bytes.len() >= LARGE && !place.is_empty()).then(|| at_once(bytes, depth, place));
    quick.flatten().map_or_else(|| one_by_one(bytes, depth, place), Ok)
}

/// Bytes of a document that may have hundreds of delegations.
const LARGE: usize = 64 * 1024;

fn one_by_one<'a>(bytes: &'a [u8], depth: usize, place: &[&str]) -> Result<(Json, Option<Items<'a>>)> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = if place.is_empty() {
        Seed { depth }.deserialize(&mut reader)
    } else {
        Around { depth, place, found: &mut found }.deserialize(&mut reader)
    };
    let value = value.and_then(|value| reader.end().map(|()| value)).map_err(|e| Json::refuse(&e))?;
    Ok((value, found.map(|(depth, texts)| Items { whole: bytes, depth, texts })))
}

/// The same of delegations whose texts are found without a parser of JSON, since all of them are in the
/// one form that [`wire::listed`] knows: what is around them is read with another item in their place.
/// None says nothing.
fn at_once<'a>(bytes: &'a [u8], depth: usize, place: &[&str]) -> Option<(Json, Option<Items<'a>>)> {
    let (before, texts, after) = wire::listed(std::str::from_utf8(bytes).ok()?)?;
    let around = [before, "0", after].concat();
    let (value, items) = one_by_one(around.as_bytes(), depth, place).ok()?;
    let Items { depth, texts: instead, .. } = items?;
    // Nothing else stands there, nor is it another array of delegations that was read apart.
    let at = instead.first()?.as_ptr().addr().checked_sub(around.as_ptr().addr());
    let there = instead == ["0"] && at == Some(before.len());
    there.then_some((value, Some(Items { whole: bytes, depth, texts })))
}

/// What [`parse`] makes of the payload of a targets document, whose delegations are known to stand at
/// `places` in it, one after the other; none if they don't. Only what is around them is read.
///
/// # Errors
///
/// As [`parse`].
pub(super) fn around<'a>(bytes: &'a [u8], places: &[Range<usize>]) -> Result<Option<(Json, Items<'a>)>> {
    let ends = places.first().zip(places.last()).map(|(first, last)| (first.start, last.end));
    let parts = ends.and_then(|(start, end)| Some((bytes.get(..start)?, bytes.get(end..)?)));
    let text = |place: &Range<usize>| std::str::from_utf8(bytes.get(place.clone())?).ok();
    let texts: Option<Vec<_>> = places.iter().map(text).collect();
    let (Some((before, after)), Some(texts)) = (parts, texts) else { return Ok(None) };
    let frame = [before, after].concat();
    let frame = wire::escaped(&frame);
    let (value, empty) = parse(&frame, 1, &ROLES)?;
    let depth = empty.map(|empty| empty.depth);
    let items = depth.map(|depth| Items { whole: bytes, depth, texts });
    Ok(items.map(|items| (value, items)))
}

impl<'a> Items<'a> {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.texts.len()
    }

    /// The text of one.
    pub(super) fn text(&self, at: usize) -> &'a str {
        self.texts.get(at).copied().unwrap_or_default()
    }

    /// One, read.
    ///
    /// # Errors
    ///
    /// As [`Json::parse`] of the whole.
    pub(super) fn read(&self, at: usize) -> Result<Json> {
        let mut reader = serde_json::Deserializer::from_str(self.text(at));
        // Positions are told in the file that people have.
        let whole = |e| Json::parse(self.whole).err().unwrap_or_else(|| Json::refuse(&e));
        Seed { depth: self.depth }.deserialize(&mut reader).map_err(whole)
    }

    /// The canonical form of one that was read.
    pub(super) fn canonical(&self, at: usize, value: &Json) -> Cow<'a, [u8]> {
        let text = self.text(at).as_bytes();
        if value.is_canonically(text) { Cow::Borrowed(text) } else { Cow::Owned(value.canonical()) }
    }
}

/// The canonical form of a value, but for the items of one array.
#[derive(Default)]
pub(super) struct Frame {
    before: Vec<u8>,
    after: Vec<u8>,
    past: bool,
}

impl Frame {
    /// Around the array at `place`; without one there, all of it is before.
    pub(super) fn of(value: &Json, place: &[&str]) -> Self {
        let mut frame = Self::default();
        frame.write(value, place);
        frame
    }

    /// With the items in their place.
    pub(super) fn filled<T: AsRef<[u8]>>(&self, items: &[T]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.filled_len(items));
        self.parts(items).for_each(|part| out.extend_from_slice(part));
        out
    }

    /// How long that is.
    pub(super) fn filled_len<T: AsRef<[u8]>>(&self, items: &[T]) -> usize {
        self.parts(items).map(<[u8]>::len).sum()
    }

    /// Whether that is `bytes`.
    pub(super) fn filled_is<T: AsRef<[u8]>>(&self, items: &[T], bytes: &[u8]) -> bool {
        let left = self.parts(items).try_fold(bytes, |left, part| left.strip_prefix(part));
        left.is_some_and(<[u8]>::is_empty)
    }

    /// Where the items stand in that.
    pub(super) fn places<T: AsRef<[u8]>>(&self, items: &[T]) -> impl Iterator<Item = Range<usize>> {
        let mut next = self.before.len();
        items.iter().map(move |item| {
            let end = next.saturating_add(item.as_ref().len());
            let place = next..end;
            next = end.saturating_add(1);
            place
        })
    }

    fn parts<'f, T: AsRef<[u8]>>(&'f self, items: &'f [T]) -> impl Iterator<Item = &'f [u8]> {
        let comma = |at: usize| if at == 0 { &b""[..] } else { b"," };
        let items = items.iter().enumerate().flat_map(move |(at, item)| [comma(at), item.as_ref()]);
        [&*self.before].into_iter().chain(items).chain([&*self.after])
    }

    fn write(&mut self, value: &Json, place: &[&str]) {
        match (value, place) {
            (Json::Object(members), [next, below @ ..]) => {
                write_members(members, self, |name, value, out| {
                    if name == *next { out.write(value, below) } else { value.write(out) }
                });
            }
            (Json::Array(items), []) if items.is_empty() => {
                self.put(b"[");
                self.past = true;
                self.put(b"]");
            }
            (value, _) => value.write(self),
        }
    }
}

impl Sink for Frame {
    fn put(&mut self, bytes: &[u8]) {
        if self.past { self.after.put(bytes) } else { self.before.put(bytes) }
    }
}

/// As [`Seed`], but that the array at `place` is left as text.
struct Around<'p, 'de> {
    depth: usize,
    place: &'p [&'p str],
    found: &'p mut Option<(usize, Vec<&'de str>)>,
}

impl<'de> DeserializeSeed<'de> for Around<'_, 'de> {
    type Value = Json;

    fn deserialize<D: de::Deserializer<'de>>(self, d: D) -> std::result::Result<Json, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Around<'_, 'de> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Seed { depth: self.depth }.expecting(f)
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Json, E> {
        Seed { depth: self.depth }.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> std::result::Result<Json, E> {
        Seed { depth: self.depth }.visit_bool(b)
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> std::result::Result<Json, E> {
        Seed { depth: self.depth }.visit_i64(n)
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> std::result::Result<Json, E> {
        Seed { depth: self.depth }.visit_u64(n)
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> std::result::Result<Json, E> {
        Seed { depth: self.depth }.visit_f64(n)
    }

    fn visit_str<E: de::Error>(self, s: &str) -> std::result::Result<Json, E> {
        Seed { depth: self.depth }.visit_str(s)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Json, A::Error> {
        let seed = Seed { depth: self.depth };
        if !self.place.is_empty() {
            return seed.visit_seq(seq);
        }
        let depth = seed.deeper()?;
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element::<&RawValue>()? {
            texts.push(text.get());
        }
        *self.found = Some((depth, texts));
        Ok(Json::Array(Vec::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Json, A::Error> {
        let Some((next, below)) = self.place.split_first() else {
            return Seed { depth: self.depth }.visit_map(map);
        };
        let depth = Seed { depth: self.depth }.deeper()?;
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Named)? {
            let value = if name == *next {
                map.next_value_seed(Around { depth, place: below, found: &mut *self.found })?
            } else {
                map.next_value_seed(Seed { depth })?
            };
            members.push((name, value));
        }
        Members::each_once(members)
            .map(Json::Object)
            .map_err(|name| de::Error::custom(format!("the member \"{name}\" twice")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    /// Read apart and put together again: the canonical form, or the refusal, of the whole.
    fn together(text: &str, place: &[&str]) -> std::result::Result<Vec<u8>, String> {
        let (value, items) = parse(text.as_bytes(), 0, place).map_err(|e| e.to_string())?;
        let frame = Frame::of(&value, place);
        let mut canonical = Vec::new();
        for at in 0..items.as_ref().map_or(0, Items::len) {
            let items = items.as_ref().unwrap();
            let item = items.read(at).map_err(|e| e.to_string())?;
            canonical.push(items.canonical(at, &item));
        }
        let whole = frame.filled(&canonical);
        assert!(frame.filled_is(&canonical, &whole), "{text}");
        assert!(!frame.filled_is(&canonical, &[&whole[..], b" "].concat()), "{text}");
        assert!(!frame.filled_is(&canonical, whole.split_last().unwrap().1), "{text}");
        Ok(whole)
    }

    #[test]
    fn apart_is_as_the_whole() {
        let deep = |n: usize| format!("{{\"a\":{{\"b\":{}{}}}}}", "[".repeat(n), "]".repeat(n));
        let table = [
            r#"{"a":{"b":[{"y":1,"x":2},3,"\u0041\n"],"c":[4]},"z":{"b":[1]}}"#,
            r#" { "a" : { "b" : [ ] } } "#,
            r#"{"a":{"b":null}}"#,
            r#"{"a":{"b":{"b":[1]}}}"#,
            r#"{"a":[{"b":[1]}]}"#,
            r#"{"a":{}}"#,
            r#"[1,{"a":{"b":[1]}}]"#,
            "\"a\"",
            "-3",
            // What is wrong, in the items and around them.
            r#"{"a":{"b":[1],"b":[1]}}"#,
            r#"{"a":{"b":[1]},"a":{"b":[1]}}"#,
            r#"{"a":{"b":[{"x":1,"x":1}]}}"#,
            r#"{"a":{"b":[1.5]}}"#,
            r#"{"a":{"b":[9223372036854775808]}}"#,
            r#"{"a":{"b":[1,]}}"#,
            r#"{"a":{"b":[nul]}}"#,
            r#"{"a":{"b":["\ud800"]}}"#,
            r#"{"a":{"b":[1]}} 1"#,
            r#"{"a":{"b":[1]}"#,
            &deep(30),
            &deep(31),
            &deep(30).replace("\"b\"", "\"c\""),
            &deep(31).replace("\"b\"", "\"c\""),
            "",
        ];
        for text in table {
            let whole = Json::parse(text.as_bytes()).map(|value| value.canonical());
            assert_eq!(together(text, &["a", "b"]), whole.map_err(|e| e.to_string()), "{text}");
        }
    }

    /// Whether the delegations of a text are found at once; then as one by one.
    fn found_at_once(text: &str) -> bool {
        let place = ["a", "roles"];
        let Some((value, items)) = at_once(text.as_bytes(), 0, &place) else { return false };
        let (same, others) = one_by_one(text.as_bytes(), 0, &place).unwrap();
        let (items, others) = (items.unwrap(), others.unwrap());
        assert_eq!((value, items.depth, items.texts), (same, others.depth, others.texts), "{text}");
        assert_eq!(items.whole, others.whole);
        true
    }

    #[test]
    fn delegations_in_one_form_are_found_at_once() {
        let item = r#"{"keyids":["k"],"name":"n","paths":["a/*","]}"],"terminating":false,"threshold":2}"#;
        let text = format!("{{\"a\":{{\"roles\":[{item},{item}]}},\"z\":1}}");
        let table = [
            ("", "", true),
            ("false", "true", true),
            ("\"n\"", "\"caf\u{e9}\"", true),
            ("{\"a\"", " { \"a\"", true),
            ("\"z\"", "\"\\u0061\\n\"", true),
            // Of another form, or no JSON.
            ("]},\"z\"", "]],\"z\"", false),
            ("},{", "} ,{", false),
            ("},{", "}{", false),
            ("},{", "},,{", false),
            ("},{", "},1,{", false),
            ("\"n\"", "\"\\u0061\"", false),
            (":2}]", ":2},]", false),
            (":2}]", ":2,\"x\":1}]", false),
            (":1}", ":1}}", false),
            (":1}", ":1", false),
            (":1}", ":1,\"z\":1}", false),
            (":1}", ":1,\"a\":{\"roles\":[]}}", false),
            // Not where delegations are looked for.
            ("\"a\":", "\"b\":", false),
            ("{\"a\":", &format!("{{\"0\":{{\"roles\":[{item}]}},\"a\":"), false),
            ("\"roles\":[", "\"roles\":[0],\"more\":[", false),
            ("\"roles\":[", &format!("\"more\":{{\"roles\":[{item}]}},\"roles\":["), false),
        ];
        for (from, to, expected) in table {
            let text = text.replacen(from, to, 1);
            assert_eq!(found_at_once(&text), expected, "{text}");
        }
        assert!(!found_at_once("{\"a\":{\"roles\":[]}}"));
        assert!(!found_at_once(&format!("{{\"0\":{{\"roles\":[{item}]}},\"a\":{{\"roles\":[0]}}}}")));
        assert!(at_once(b"{\"a\":{\"roles\":[{\"keyids\":[\"\xff\"]}]}}", 0, &["a", "roles"]).is_none());
        let many = format!("{{\"a\":{{\"roles\":[{item}{}]}}}}", format!(",{item}").repeat(LARGE / 50));
        assert!(found_at_once(&many));
        assert_eq!(parse(many.as_bytes(), 0, &["a", "roles"]).unwrap().1.unwrap().len(), 1 + LARGE / 50);
    }

    proptest! {
        #[test]
        fn apart_is_as_the_whole_whatever_comes(items in "[\\[\\]{}:,\"abc10 \\\\]{0,40}") {
            let text = format!("{{\"a\":{{\"b\":[{items}]}}}}");
            let whole = Json::parse(text.as_bytes()).map(|value| value.canonical());
            match (together(&text, &["a", "b"]), whole) {
                (Ok(ours), Ok(whole)) => prop_assert_eq!(ours, whole),
                (Err(_), Err(_)) => {}
                (ours, whole) => prop_assert!(false, "{:?} {:?}", ours, whole),
            }
        }

        #[test]
        fn what_is_found_at_once_is_found_one_by_one(
            items in "(\\{\"keyids\":\\[\\],\"name\":\"[a\\]}]?\",\"paths\":\\[\\](,\"terminating\":(true|false))?,\"threshold\":1\\}[,\\]}]{1,2}){1,3}",
            after in "[\\]}, ]{0,4}",
        ) {
            found_at_once(&format!("{{\"a\":{{\"roles\":[{items}{after}"));
        }
    }
}
