//! What JSON is refused, and that what is written is canonical.

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
        assert_eq!(String::from_utf8(Json::parse(text.as_bytes()).unwrap().canonical()).unwrap(), canonical);
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
