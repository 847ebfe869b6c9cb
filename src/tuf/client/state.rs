//! What a client keeps from one update to the next: the newest file of each role, as received.
//!
//! The files are judged again when they are loaded, so a state that someone has changed on disk is
//! at worst an older state that was once true.

use crate::tuf::json::{Json, Members, object};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use base64ct::{Base64, Encoding as _};
use std::collections::BTreeMap;

/// The files that a client trusts, by role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    files: BTreeMap<RoleName, Vec<u8>>,
}

/// One step of writing a state to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This role's file is now this.
    Put(RoleName, Vec<u8>),
    /// This role has no file any more.
    Drop(RoleName),
}

impl State {
    /// A state of a first root alone, which the caller trusts for a reason of its own.
    pub fn first(root: Vec<u8>) -> Self {
        Self { files: BTreeMap::from([(RoleName::Root, root)]) }
    }

    /// A state of files that a caller keeps one by one.
    pub const fn from_files(files: BTreeMap<RoleName, Vec<u8>>) -> Self {
        Self { files }
    }

    /// The files.
    pub const fn files(&self) -> &BTreeMap<RoleName, Vec<u8>> {
        &self.files
    }

    /// The files, given away.
    pub fn into_files(self) -> BTreeMap<RoleName, Vec<u8>> {
        self.files
    }

    /// The whole state as one file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let file = |(role, bytes): (&RoleName, &Vec<u8>)| {
            (role.as_str().to_owned(), Json::Str(Base64::encode_string(bytes)))
        };
        let files: Members = self.files.iter().map(file).collect();
        object([("files", files.into()), ("format", 1.into())]).canonical()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// `CLIENT-STATE` if it is anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refuse = |found: &str| Refusal::new(&rules::CLIENT_STATE, found, "a client's state, format 1");
        let json = Json::parse(bytes)?;
        if json.get("format").and_then(Json::as_int) != Some(1) {
            return Err(refuse("another format"));
        }
        let files = json.get("files").and_then(Json::as_object).ok_or_else(|| refuse("no files"))?;
        let file = |(name, value): (&str, &Json)| {
            let bytes = value.as_str().and_then(|text| Base64::decode_vec(text).ok());
            bytes.map(|b| (RoleName::from_name(name), b)).ok_or_else(|| refuse("a file that is no base64"))
        };
        Ok(Self { files: files.iter().map(file).collect::<Result<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_state_reads_back() {
        let app = RoleName::from_name("targets/camera-station");
        let files = BTreeMap::from([(RoleName::Root, b"root".to_vec()), (app, vec![0, 255])]);
        let state = State::from_files(files);
        assert_eq!(State::from_bytes(&state.to_bytes()).unwrap(), state);
    }

    #[test]
    fn client_state_for_anything_else() {
        for text in
            ["{}", r#"{"files":{},"format":2}"#, r#"{"format":1}"#, r#"{"files":{"root":"?"},"format":1}"#]
        {
            assert_eq!(State::from_bytes(text.as_bytes()).unwrap_err().rule().name, "CLIENT-STATE", "{text}");
        }
    }
}
