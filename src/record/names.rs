//! The names that FORMAT.md gives files, parsed before they are used.
//!
//! A [`Place`] is where a file of the record is; it is the only way to a path beneath the record.
//! A name from a medium is read as a place or not at all, and a name that says what the content
//! is (a digest) is compared with the content.

use super::manifest::{self, FileName};
use super::rules;
use crate::ceremony::people::KeyName;
use crate::ceremony::transcript::CeremonyId;
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use std::fmt;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Where a file of the record is. Ordered by kind, then number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// `trust.json`
    Trust,
    /// `limits/<n>.<sha>.toml`
    Limits(u64, Digest),
    /// `keys/<name>/<sha>.json`
    Key(KeyName, Digest),
    /// `statements/<sha>.json`
    Statement(Digest),
    /// `changes/<sha>/change.json`
    Change(Digest),
    /// `changes/<sha>/runbook.toml`
    Runbook(Digest),
    /// `changes/<sha>/<n>.payload.json`
    Payload(Digest, usize),
    /// `changes/<sha>/<payload sha>.<sha>.sig.json`
    Signature(Digest, Digest, Digest),
    /// `metadata/<role>/<version>.<sha>.json`
    Metadata(RoleName, u64, Digest),
    /// `transcripts/<ceremony>/<seq>.<sha>.json`
    Outcome(CeremonyId, u64, Digest),
    /// `uploads/<sha>/<file>`
    Upload(Digest, FileName),
    /// `receipts/<sha>.json`
    Receipt(Digest),
    /// `rehearsals/<trust id>/` and a place of that trust: `trust.json`, its changes, transcripts
    Rehearsal(TrustId, Box<Place>),
    /// `backups/<sha>.wrap`
    Backup(Digest),
}

impl Place {
    /// Reads a path of the record, given as its components.
    ///
    /// # Errors
    ///
    /// `RECORD-NAME` if FORMAT.md knows no such path.
    pub fn parse(path: &[&str]) -> Result<Self> {
        let refuse = || misnamed(&path.join("/"));
        let place = match path {
            ["trust.json"] => Self::Trust,
            ["limits", file] => {
                let (n, sha) = numbered(file, ".toml").ok_or_else(refuse)?;
                Self::Limits(n, sha)
            }
            ["keys", name, file] => {
                Self::Key(name.parse().map_err(|_| refuse())?, sha(file).ok_or_else(refuse)?)
            }
            ["statements", file] => Self::Statement(sha(file).ok_or_else(refuse)?),
            ["changes", change, file] => {
                let change = change.parse().map_err(|_| refuse())?;
                match *file {
                    "change.json" => Self::Change(change),
                    "runbook.toml" => Self::Runbook(change),
                    file => in_change(change, file).ok_or_else(refuse)?,
                }
            }
            ["metadata", role, file] => {
                let (version, sha) = numbered(file, ".json").ok_or_else(refuse)?;
                Self::Metadata(RoleName::from_file_name(role).map_err(|_| refuse())?, version, sha)
            }
            ["transcripts", ceremony, file] => {
                let (seq, sha) = file
                    .strip_suffix(".json")
                    .and_then(|stem| stem.split_once('.'))
                    .and_then(|(seq, sha)| Some((seq.parse().ok()?, sha.parse().ok()?)))
                    .ok_or_else(refuse)?;
                Self::Outcome(ceremony.parse().map_err(|_| refuse())?, seq, sha)
            }
            ["uploads", manifest, file] => {
                Self::Upload(manifest.parse().map_err(|_| refuse())?, FileName::parse(file)?)
            }
            ["receipts", file] => Self::Receipt(sha(file).ok_or_else(refuse)?),
            ["backups", file] => {
                let digest = file.strip_suffix(".wrap").and_then(|stem| stem.parse().ok());
                Self::Backup(digest.ok_or_else(refuse)?)
            }
            ["rehearsals", trust, rest @ ..] => {
                let inner = Self::parse(rest).map_err(|_| refuse())?;
                if !matches!(inner.folder(), None | Some("changes" | "transcripts")) {
                    return Err(refuse());
                }
                Self::Rehearsal(trust.parse().map_err(|_| refuse())?, Box::new(inner))
            }
            _ => return Err(refuse()),
        };
        // One spelling: no leading zeros, no other case.
        if place.path().iter().map(String::as_str).eq(path.iter().copied()) {
            Ok(place)
        } else {
            Err(refuse())
        }
    }

    /// The path's components, the file's name last.
    pub fn path(&self) -> Vec<String> {
        let own = |parts: &[&str]| parts.iter().map(|p| (*p).to_owned()).collect();
        match self {
            Self::Trust => own(&["trust.json"]),
            Self::Limits(n, sha) => own(&["limits", &format!("{n}.{sha}.toml")]),
            Self::Key(name, sha) => own(&["keys", name.as_str(), &format!("{sha}.json")]),
            Self::Statement(sha) => own(&["statements", &format!("{sha}.json")]),
            Self::Change(change) => own(&["changes", &change.hex(), "change.json"]),
            Self::Runbook(change) => own(&["changes", &change.hex(), "runbook.toml"]),
            Self::Payload(change, n) => own(&["changes", &change.hex(), &format!("{n}.payload.json")]),
            Self::Signature(change, payload, sha) => {
                own(&["changes", &change.hex(), &format!("{payload}.{sha}.sig.json")])
            }
            Self::Metadata(role, version, sha) => {
                own(&["metadata", &role.file_name(), &format!("{version}.{sha}.json")])
            }
            Self::Outcome(ceremony, seq, sha) => {
                own(&["transcripts", &ceremony.to_string(), &format!("{seq:06}.{sha}.json")])
            }
            Self::Receipt(sha) => own(&["receipts", &format!("{sha}.json")]),
            Self::Backup(sha) => own(&["backups", &format!("{sha}.wrap")]),
            Self::Rehearsal(trust, inner) => {
                let mut path = own(&["rehearsals", &trust.to_string()]);
                path.extend(inner.path());
                path
            }
            Self::Upload(manifest, file) => own(&["uploads", &manifest.hex(), file.as_str()]),
        }
    }

    /// The folder that it is in, if it is in one.
    pub fn folder(&self) -> Option<&'static str> {
        Some(match self {
            Self::Trust => return None,
            Self::Limits(..) => "limits",
            Self::Key(..) => "keys",
            Self::Statement(_) => "statements",
            Self::Change(_) | Self::Runbook(_) | Self::Payload(..) | Self::Signature(..) => "changes",
            Self::Metadata(..) => "metadata",
            Self::Outcome(..) => "transcripts",
            Self::Upload(..) => "uploads",
            Self::Receipt(_) => "receipts",
            Self::Rehearsal(..) => "rehearsals",
            Self::Backup(_) => "backups",
        })
    }

    /// The most bytes that such a file may have (FORMAT.md).
    pub fn cap(&self) -> u64 {
        match self {
            Self::Trust | Self::Key(..) | Self::Statement(_) | Self::Signature(..) | Self::Receipt(_) => {
                64 * KIB
            }
            Self::Limits(..) | Self::Runbook(_) => 256 * KIB,
            Self::Change(_) => 4 * MIB,
            Self::Outcome(..) => MIB,
            Self::Upload(_, file) if file.as_str() == manifest::NAME => 4 * MIB,
            Self::Payload(..) | Self::Metadata(..) | Self::Upload(..) | Self::Backup(_) => 64 * MIB,
            Self::Rehearsal(_, inner) => inner.cap(),
        }
    }

    /// The digest that the name says of the content, if it says one.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Limits(_, sha)
            | Self::Key(_, sha)
            | Self::Statement(sha)
            | Self::Change(sha)
            | Self::Signature(_, _, sha)
            | Self::Metadata(_, _, sha)
            | Self::Outcome(_, _, sha)
            | Self::Receipt(sha)
            | Self::Backup(sha) => Some(*sha),
            Self::Rehearsal(_, inner) => inner.digest(),
            Self::Upload(sha, file) if file.as_str() == manifest::NAME => Some(*sha),
            Self::Trust | Self::Runbook(_) | Self::Payload(..) | Self::Upload(..) => None,
        }
    }

    /// Compares the content with the digest in the name.
    ///
    /// # Errors
    ///
    /// `RECORD-TORN`.
    pub fn check(&self, content: &[u8]) -> Result<()> {
        match self.digest() {
            Some(named) if Digest::of(content) != named => Err(Refusal::new(
                &rules::RECORD_TORN,
                format!("content whose SHA-256 is {}", Digest::of(content)),
                format!("{named}, as the name says"),
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path().join("/"))
    }
}

fn sha(file: &str) -> Option<Digest> {
    file.strip_suffix(".json")?.parse().ok()
}

fn numbered(file: &str, suffix: &str) -> Option<(u64, Digest)> {
    let (n, sha) = file.strip_suffix(suffix)?.split_once('.')?;
    let n: u64 = n.parse().ok()?;
    // 2^63 and over are no version of ours, and 0 is none at all.
    (n > 0 && i64::try_from(n).is_ok()).then_some((n, sha.parse().ok()?))
}

fn in_change(change: Digest, file: &str) -> Option<Place> {
    if let Some(n) = file.strip_suffix(".payload.json") {
        return Some(Place::Payload(change, n.parse().ok()?));
    }
    let (payload, sha) = file.strip_suffix(".sig.json")?.split_once('.')?;
    Some(Place::Signature(change, payload.parse().ok()?, sha.parse().ok()?))
}

fn misnamed(found: &str) -> Refusal {
    Refusal::new(
        &rules::RECORD_NAME,
        format!("the name \"{}\"", visible(found)),
        "a name that FORMAT.md lists",
    )
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;

    const SHA: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn good() -> Vec<String> {
        let id = &SHA[..32];
        vec![
            "trust.json".to_owned(),
            format!("limits/1.{SHA}.toml"),
            format!("keys/root-a/{SHA}.json"),
            format!("statements/{SHA}.json"),
            format!("changes/{SHA}/change.json"),
            format!("changes/{SHA}/runbook.toml"),
            format!("changes/{SHA}/0.payload.json"),
            format!("changes/{SHA}/12.payload.json"),
            format!("changes/{SHA}/{SHA}.{SHA}.sig.json"),
            format!("metadata/root/1.{SHA}.json"),
            format!("metadata/targets%2Fcamera-station/9223372036854775807.{SHA}.json"),
            format!("metadata/%C3%A4%2E%2E%2F/3.{SHA}.json"),
            format!("transcripts/{id}/000000.{SHA}.json"),
            format!("transcripts/{id}/1234567.{SHA}.json"),
            format!("uploads/{SHA}/MANIFEST"),
            format!("uploads/{SHA}/README.txt"),
            format!("uploads/{SHA}/1.root.json"),
            format!("receipts/{SHA}.json"),
            format!("backups/{SHA}.wrap"),
            format!("rehearsals/{id}/trust.json"),
            format!("rehearsals/{id}/changes/{SHA}/0.payload.json"),
            format!("rehearsals/{id}/transcripts/{id}/000001.{SHA}.json"),
        ]
    }

    #[test]
    fn names_read_back() {
        for path in good() {
            let parts: Vec<_> = path.split('/').collect();
            assert_eq!(Place::parse(&parts).unwrap().to_string(), path);
        }
    }

    /// Threats T15: sixty names that no file of a record has.
    #[test]
    #[allow(clippy::too_many_lines, reason = "one table")]
    fn other_names_are_refused() {
        let id = &SHA[..32];
        let upper = SHA.to_uppercase();
        let long = "a".repeat(300);
        let bad = [
            "",
            ".",
            "..",
            "/",
            "trust.json/",
            "TRUST.JSON",
            "trust.json ",
            "trust.json.",
            "Trust.json",
            "trust.jso",
            "../trust.json",
            "./trust.json",
            "/etc/passwd",
            "private/lock",
            "con",
            "C:trust.json",
            "..\\trust.json",
            "\\\\host\\share",
            "trust.json\0",
            "trust\u{202e}.json",
            "trust.json\n",
            "limits/SHA.toml",
            "limits/0.SHA.toml",
            "limits/01.SHA.toml",
            "limits/+1.SHA.toml",
            "limits/-1.SHA.toml",
            "limits/1.UPPER.toml",
            "limits/1.SHA.json",
            "limits/1.SHA.toml.toml",
            "limits/../1.SHA.toml",
            "limits/9223372036854775808.SHA.toml",
            "limits/1.SHA",
            "limits/ 1.SHA.toml",
            "keys/SHA.json",
            "keys/../SHA.json",
            "keys/Root/SHA.json",
            "keys/-a/SHA.json",
            "keys/con/SHA.json",
            "keys/root-a/SHA.toml",
            "keys/LONG/SHA.json",
            "keys/root-a/a/SHA.json",
            "keys/root a/SHA.json",
            "statements/SHA",
            "statements/UPPER.json",
            "statements/a/SHA.json",
            "statements/.SHA.json",
            "changes/SHA",
            "changes/SHA/change.JSON",
            "changes/UPPER/change.json",
            "changes/SHA/payload.json",
            "changes/SHA/-1.payload.json",
            "changes/SHA/00.payload.json",
            "changes/SHA/SHA.sig.json",
            "changes/SHA/SHA.SHA.SHA.sig.json",
            "changes/SHA/../change.json",
            "metadata/root/0.SHA.json",
            "metadata/targets/app/1.SHA.json",
            "metadata/Root/1.SHA.json",
            "metadata/%2f/1.SHA.json",
            "metadata/%61/1.SHA.json",
            "metadata/%/1.SHA.json",
            "metadata/%FF/1.SHA.json",
            "metadata/../1.SHA.json",
            "metadata/root/1.SHA.JSON",
            "metadata//1.SHA.json",
            "transcripts/ID/0.SHA.json",
            "transcripts/ID/0000000.SHA.json",
            "transcripts/SHA/000000.SHA.json",
            "transcripts/ID/00000a.SHA.json",
            "transcripts/../000000.SHA.json",
            "uploads/SHA/../MANIFEST",
            "uploads/SHA/.hidden",
            "uploads/SHA/-rf",
            "uploads/SHA/nul.json",
            "uploads/SHA/a b",
            "uploads/SHA/a\\b",
            "uploads/SHA/a:b",
            "uploads/SHA/",
            "uploads/SHA/LONG",
            "receipts/SHA",
            "backups/SHA.json",
            "rehearsals/ID",
            "rehearsals/ID/keys/a/SHA.json",
            "rehearsals/ID/rehearsals/ID/trust.json",
            "rehearsals/SHA/trust.json",
            "rehearsals/../trust.json",
            "uploads/SHA/COM1",
            "uploads/a/MANIFEST",
        ];
        for name in bad {
            let name =
                name.replace("UPPER", &upper).replace("SHA", SHA).replace("LONG", &long).replace("ID", id);
            let parts: Vec<_> = name.split('/').collect();
            let refusal = Place::parse(&parts).expect_err(&name);
            assert!(matches!(refusal.rule().name, "RECORD-NAME" | "MANIFEST-PATH"), "{name}: {refusal}");
            assert!(refusal.to_string().bytes().all(|b| (b' '..=b'~').contains(&b)), "{refusal}");
        }
    }

    #[test]
    fn content_must_be_what_the_name_says() {
        let place = Place::Statement(Digest::of(b"a"));
        place.check(b"a").unwrap();
        assert_eq!(place.check(b"b").unwrap_err().rule(), &rules::RECORD_TORN);
    }
}
