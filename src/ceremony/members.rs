//! Strict JSON members: each is read once, none is left over.
//!
//! Every file of the record that has a fixed set of members is read through here, so that a member
//! more, a member less or another type is refused by one rule, wherever it stands.

use super::rules;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, Members};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use base64ct::{Base64, Encoding};
use std::collections::BTreeMap;
use std::str::FromStr;

/// The members of one object, while they are read.
#[derive(Debug)]
pub struct Reader<'a> {
    what: String,
    left: BTreeMap<&'a str, &'a Json>,
}

impl<'a> Reader<'a> {
    /// Starts reading an object. `what` names it in refusals: `change.json`.
    ///
    /// # Errors
    ///
    /// `RECORD-MEMBER` if it is no object.
    pub fn new(what: impl Into<String>, json: &'a Json) -> Result<Self> {
        let what = what.into();
        let Some(members) = json.as_object() else {
            return Err(refuse(format!("{what} is no object"), "an object"));
        };
        let left = members.iter().collect();
        Ok(Self { what, left })
    }

    /// Starts reading a file of the record: an object whose `format` is 1.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT` if it is another, `RECORD-MEMBER` if there is none.
    pub fn file(what: impl Into<String>, json: &'a Json) -> Result<Self> {
        let mut reader = Self::new(what, json)?;
        let format = reader.number("format")?;
        super::strict::format_one(format, &reader.what)?;
        Ok(reader)
    }

    /// The member `name`.
    ///
    /// # Errors
    ///
    /// `RECORD-MEMBER` if there is none, or if it has been taken.
    pub fn take(&mut self, name: &str) -> Result<&'a Json> {
        self.left.remove(name).ok_or_else(|| self.lacks(name, "the member"))
    }

    /// A text.
    ///
    /// # Errors
    ///
    /// `RECORD-MEMBER`, and so on for every other type.
    pub fn text(&mut self, name: &str) -> Result<&'a str> {
        self.take(name)?.as_str().ok_or_else(|| self.lacks(name, "a text"))
    }

    /// A text or null.
    pub fn text_or_null(&mut self, name: &str) -> Result<Option<&'a str>> {
        match self.take(name)? {
            Json::Null => Ok(None),
            Json::Str(text) => Ok(Some(text)),
            _ => Err(self.lacks(name, "a text or null")),
        }
    }

    /// A text that a type of ours reads.
    ///
    /// # Errors
    ///
    /// As the type's `FromStr`, with the place.
    pub fn parsed<T: FromStr<Err = Refusal>>(&mut self, name: &str) -> Result<T> {
        let text = self.text(name)?;
        text.parse().map_err(|e: Refusal| self.place(e, name))
    }

    /// As [`Self::parsed`], or null.
    pub fn parsed_or_null<T: FromStr<Err = Refusal>>(&mut self, name: &str) -> Result<Option<T>> {
        let text = self.text_or_null(name)?;
        text.map(str::parse).transpose().map_err(|e: Refusal| self.place(e, name))
    }

    /// As [`Self::parsed`], of a member that may be missing: one that came with a later version, and
    /// that files without it go on without.
    pub fn parsed_if_there<T: FromStr<Err = Refusal>>(&mut self, name: &str) -> Result<Option<T>> {
        if self.left.contains_key(name) { self.parsed(name).map(Some) } else { Ok(None) }
    }

    /// A number from 0.
    pub fn number(&mut self, name: &str) -> Result<u64> {
        let number = self.take(name)?.as_int().and_then(|n| u64::try_from(n).ok());
        number.ok_or_else(|| self.lacks(name, "a number from 0"))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Result<bool> {
        self.take(name)?.as_bool().ok_or_else(|| self.lacks(name, "true or false"))
    }

    /// An array.
    pub fn array(&mut self, name: &str) -> Result<&'a [Json]> {
        self.take(name)?.as_array().ok_or_else(|| self.lacks(name, "an array"))
    }

    /// An array of texts that a type of ours reads.
    pub fn all_parsed<T: FromStr<Err = Refusal>>(&mut self, name: &str) -> Result<Vec<T>> {
        let texts = self.texts(name)?;
        texts.into_iter().map(|t| t.parse().map_err(|e: Refusal| self.place(e, name))).collect()
    }

    /// An array of texts.
    pub fn texts(&mut self, name: &str) -> Result<Vec<&'a str>> {
        let array = self.array(name)?;
        array.iter().map(|item| item.as_str().ok_or_else(|| self.lacks(name, "texts"))).collect()
    }

    /// An object with members of any names.
    pub fn object(&mut self, name: &str) -> Result<&'a Members> {
        self.take(name)?.as_object().ok_or_else(|| self.lacks(name, "an object"))
    }

    /// An object with a fixed set of members.
    pub fn reader(&mut self, name: &str) -> Result<Reader<'a>> {
        let json = self.take(name)?;
        Reader::new(format!("{} {name}", self.what), json)
    }

    /// As [`Self::reader`], or null.
    pub fn reader_or_null(&mut self, name: &str) -> Result<Option<Reader<'a>>> {
        match self.take(name)? {
            Json::Null => Ok(None),
            json => Reader::new(format!("{} {name}", self.what), json).map(Some),
        }
    }

    /// Bytes in base64.
    pub fn base64(&mut self, name: &str) -> Result<Vec<u8>> {
        let text = self.text(name)?;
        Base64::decode_vec(text).map_err(|_| self.lacks(name, "base64"))
    }

    /// A text in base64, or null: for what has line ends, which canonical JSON can't hold.
    pub fn base64_text_or_null(&mut self, name: &str) -> Result<Option<String>> {
        let Some(text) = self.text_or_null(name)? else { return Ok(None) };
        let bytes = Base64::decode_vec(text).map_err(|_| self.lacks(name, "base64"))?;
        String::from_utf8(bytes).map(Some).map_err(|_| self.lacks(name, "a text in base64"))
    }

    /// Bytes as exactly `N` pairs of lower-case hexadecimal digits.
    pub fn hex<const N: usize>(&mut self, name: &str) -> Result<[u8; N]> {
        let text = self.text(name)?;
        let mut bytes = [0; N];
        match base16ct::lower::decode(text.as_bytes(), &mut bytes) {
            Ok(read) if read.len() == N => Ok(bytes),
            _ => Err(self.lacks(name, &format!("{N} bytes in lower-case hexadecimal"))),
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    ///
    /// `RECORD-MEMBER` for a member that nobody asked for.
    pub fn done(self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(refuse(
                format!("the member \"{}\" in {}", visible(name), self.what),
                "the members that FORMAT.md lists, and no others",
            )),
        }
    }

    fn lacks(&self, name: &str, expected: &str) -> Refusal {
        refuse(format!("{} without \"{name}\" as it should be", self.what), expected)
    }

    fn place(&self, refusal: Refusal, name: &str) -> Refusal {
        refusal.at(format!("{} \"{name}\"", self.what))
    }
}

/// Refuses bytes that are not the very ones that `made` writes of what they say.
///
/// # Errors
///
/// `RECORD-MEMBER`.
pub fn same_bytes(what: &str, read: &[u8], made: &[u8]) -> Result<()> {
    if read == made {
        Ok(())
    } else {
        Err(refuse(
            format!("{what} in another form than keyrite writes"),
            "canonical JSON, sorted and without white space",
        ))
    }
}

fn refuse(found: impl Into<String>, expected: &str) -> Refusal {
    Refusal::new(&rules::RECORD_MEMBER, found, expected)
}

/// A number in JSON; what keyrite counts never comes near the end of it.
pub(crate) fn number(n: u64) -> Json {
    Json::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// A digest in JSON.
pub(crate) fn digest(digest: &Digest) -> Json {
    Json::Str(digest.hex())
}

/// Bytes in JSON.
pub(crate) fn base64(bytes: &[u8]) -> Json {
    Json::Str(Base64::encode_string(bytes))
}

/// A text or null in JSON.
pub(crate) fn or_null<T: ToString>(value: Option<&T>) -> Json {
    value.map_or(Json::Null, |v| Json::Str(v.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )]

    use super::*;

    #[test]
    fn members_are_read_once_and_none_is_left() {
        // what is read of {"a":"x","format":1,"n":2,"z":null}; the rule, or none.
        type Read = fn(&mut Reader<'_>) -> Result<()>;
        let table: &[(&str, Read, Option<&str>)] = &[
            (
                "all of it",
                |r| {
                    r.text("a")?;
                    r.number("n")?;
                    r.text_or_null("z").map(|_| ())
                },
                None,
            ),
            ("one left over", |r| r.text("a").map(|_| ()), Some("RECORD-MEMBER")),
            ("one that is not there", |r| r.text("b").map(|_| ()), Some("RECORD-MEMBER")),
            ("one of another type", |r| r.text("n").map(|_| ()), Some("RECORD-MEMBER")),
            (
                "one twice",
                |r| {
                    r.text("a")?;
                    r.text("a").map(|_| ())
                },
                Some("RECORD-MEMBER"),
            ),
        ];
        let json = Json::parse(br#"{"a":"x","format":1,"n":2,"z":null}"#).unwrap();
        for (what, read, rule) in table {
            let mut reader = Reader::file("it", &json).unwrap();
            let result = read(&mut reader).and_then(|()| reader.done());
            assert_eq!(result.err().map(|e| e.rule().name), *rule, "{what}");
        }
    }

    #[test]
    fn another_format_is_refused_by_name() {
        for (text, rule) in
            [("{\"format\":2}", "RECORD-FORMAT"), ("{}", "RECORD-MEMBER"), ("[]", "RECORD-MEMBER")]
        {
            let json = Json::parse(text.as_bytes()).unwrap();
            assert_eq!(Reader::file("it", &json).unwrap_err().rule().name, rule, "{text}");
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        assert_eq!(same_bytes("it", b"{}", b"{ }").unwrap_err().rule().name, "RECORD-MEMBER");
    }
}
