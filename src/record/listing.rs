//! The whole record as one list, to compare two copies of it; and what of it is private.
//!
//! Every file but those of `private/` and `backups/`, by path, with its SHA-256, in the form that
//! `sha256sum` writes. Two copies with one list are the same record: a redacted copy, which lacks
//! `private/`, is so provably equal to the full one.

use super::contents::Contents;
use super::names::Place;
use super::store::Record;
use crate::ceremony::rules::SIDECAR;
use crate::ceremony::transcript::{Transcript, open_sidecar};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use std::fmt::Write as _;

/// How the private answers of a record stand in this copy.
#[derive(Debug, Default)]
pub struct PrivateAnswers {
    /// Those whose sidecar opens to what the transcript commits to.
    pub opened: usize,
    /// Those whose sidecar is in another copy.
    pub elsewhere: usize,
    /// Sidecars that do not fit: where, and `SIDECAR`.
    pub wrong: Vec<(String, Refusal)>,
}

impl Record {
    /// The list: `<sha256>  <path>` and LF for each file, sorted by the bytes of the paths. Files
    /// that are torn are no part of the record, and not in it.
    ///
    /// # Errors
    ///
    /// `MEDIA-READ`, `MEDIA-SIZE` if the directory itself can't be listed.
    pub fn listing(&self) -> Result<String> {
        let files = self.files()?;
        let places = files.places().into_iter().filter(|place| !matches!(place, Place::Backup(_)));
        let mut lines: Vec<(String, Digest)> = places
            .filter_map(|place| {
                let bytes = files.bytes(&place).ok()?;
                Some((place.to_string(), place.digest().unwrap_or_else(|| Digest::of(&bytes))))
            })
            .collect();
        lines.sort();
        let mut list = String::new();
        for (path, sha) in lines {
            let _ = writeln!(list, "{sha}  {path}");
        }
        Ok(list)
    }

    /// Opens every private answer of the record's transcripts that this copy has the sidecar of.
    pub fn private_answers(&self, contents: &Contents) -> PrivateAnswers {
        let mut answers = PrivateAnswers::default();
        let entries = contents.transcripts.values().flat_map(Transcript::entries);
        for (entry, _) in entries.filter(|(entry, _)| !entry.private.is_empty()) {
            let sidecar = self.sidecar(entry.ceremony, entry.seq);
            match sidecar.and_then(|bytes| bytes.map(|b| open_sidecar(entry, &b)).transpose()) {
                Ok(Some(values)) => answers.opened = answers.opened.saturating_add(values.len()),
                Ok(None) => answers.elsewhere = answers.elsewhere.saturating_add(entry.private.len()),
                Err(refusal) => {
                    let place = format!("private/{}/{:06}.json", entry.ceremony, entry.seq);
                    let refusal = Refusal::new(&SIDECAR, refusal.to_string(), refusal.expected());
                    answers.wrong.push((place, refusal));
                }
            }
        }
        answers
    }
}
