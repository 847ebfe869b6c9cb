//! Adding to the record: one function for each kind of file.
//!
//! Each reads back what it is about to write before it writes it, refuses another trust's, and
//! refuses what would stand beside another file for the same name or number. Files that others rest
//! on come first: payloads before `change.json`, an upload's files before MANIFEST, a sidecar
//! before its entry.

use super::create::{Access, Existing};
use super::dir::Dir;
use super::hand_out::last_things_last;
use super::manifest::{self, FileName};
use super::names::Place;
use super::receipt::Receipt;
use super::signed::{SignedStatement, signature_file};
use super::store::{PRIVATE, read_limits};
use super::upload::Upload;
use super::{KeyFile, Record, rules};
use crate::ceremony::change::Change;
use crate::ceremony::transcript::{Appended, CeremonyId, Entry, Transcript};
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::verify::Signature;
use std::collections::{BTreeMap, BTreeSet};

impl Record {
    /// Adds a key file.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `RECORD-CONFLICT` if another key has the name;
    /// `RECORD-MEMBER`, `TEXT` if it would not read back.
    pub fn add_key(&self, key: &KeyFile) -> Result<Digest> {
        let bytes = key.to_json();
        KeyFile::from_json(&bytes)?;
        self.ours(key.trust, "key file")?;
        for (place, there) in self.beside(&["keys", key.name.as_str()])? {
            if KeyFile::from_json(&there).is_ok_and(|other| other.public != key.public) {
                return Err(conflict(&place, "another key"));
            }
        }
        let sha = Digest::of(&bytes);
        self.put(&Place::Key(key.name.clone(), sha), &bytes)?;
        Ok(sha)
    }

    /// Adds a signed statement.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `RECORD-WRITE`.
    pub fn add_statement(&self, signed: &SignedStatement) -> Result<Digest> {
        self.ours(signed.statement().trust(), "statement")?;
        let bytes = signed.to_json()?;
        let sha = Digest::of(&bytes);
        self.put(&Place::Statement(sha), &bytes)?;
        Ok(sha)
    }

    /// Adds a change with its runbook's bytes and its payloads; `change.json` is written last.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `CHANGE-RUNBOOK`; `RECORD-WRITE`.
    pub fn add_change(&self, change: &Change, runbook: &[u8]) -> Result<Digest> {
        self.ours(change.trust, "change")?;
        let bytes = change.to_json();
        let sha = Digest::of(&bytes);
        let payloads = change.items.iter().enumerate();
        let payloads = payloads.filter_map(|(n, item)| Some((n, item.payload_bytes()?.to_vec()))).collect();
        Change::from_json(&bytes, runbook, &payloads, self.trust().profile)?;
        for (n, payload) in &payloads {
            self.put(&Place::Payload(sha, *n), payload)?;
        }
        self.put(&Place::Runbook(sha), runbook)?;
        self.put(&Place::Change(sha), &bytes)?;
        Ok(sha)
    }

    /// Adds a signature over one of the change's payloads.
    ///
    /// # Errors
    ///
    /// `RECORD-REST` if it is over none of them, or by a key that the change doesn't ask.
    pub fn add_signature(&self, change: &Change, signature: &Signature) -> Result<Digest> {
        let bytes = signature_file(change, self.trust().profile, signature)?;
        let sha = Digest::of(&bytes);
        self.put(&Place::Signature(change.digest(), signature.payload(), sha), &bytes)?;
        Ok(sha)
    }

    /// Adds one entry of a transcript, its sidecar first.
    ///
    /// # Errors
    ///
    /// `RECORD-CONFLICT` if another entry has its number.
    pub fn add_outcome(&self, ceremony: CeremonyId, appended: &Appended) -> Result<Digest> {
        let stem = format!("{:06}.", appended.seq);
        for (place, there) in self.beside(&["transcripts", &ceremony.to_string()])? {
            let same_number = matches!(&place, Place::Outcome(_, seq, _) if *seq == appended.seq);
            if same_number && Digest::of(&there) != appended.sha && Entry::from_json(&there).is_ok() {
                return Err(conflict(&place, "another entry"));
            }
        }
        if let Some(sidecar) = &appended.sidecar {
            let folder = self.private()?.folder_or_make(&ceremony.to_string(), Access::Private)?;
            folder.create(&format!("{stem}json"), sidecar, Access::Private, Existing::Torn)?;
        }
        self.put(&Place::Outcome(ceremony, appended.seq, appended.sha), &appended.bytes)?;
        Ok(appended.sha)
    }

    /// The sidecar of an entry's private values, if this copy has it.
    ///
    /// # Errors
    ///
    /// `MEDIA-KIND`, `MEDIA-SIZE`, `MEDIA-READ`.
    pub fn sidecar(&self, ceremony: CeremonyId, seq: u64) -> Result<Option<Vec<u8>>> {
        let Some(private) = self.dir().folder(PRIVATE)? else { return Ok(None) };
        let Some(folder) = private.folder(&ceremony.to_string())? else { return Ok(None) };
        folder.read(&format!("{seq:06}.json"), 1024 * 1024)
    }

    /// Adds a document, sealed by us or observed, byte for byte.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`.
    pub fn add_metadata(&self, role: &RoleName, version: u64, bytes: &[u8]) -> Result<Digest> {
        let sha = Digest::of(bytes);
        self.put_named(&Place::Metadata(role.clone(), version, sha), bytes)?;
        Ok(sha)
    }

    /// Adds an upload; MANIFEST is written last. Returns the digest of MANIFEST.
    ///
    /// # Errors
    ///
    /// `RECORD-WRITE`.
    pub fn add_upload(&self, upload: &Upload) -> Result<Digest> {
        let sha = Digest::of(upload.manifest());
        self.put_upload(sha, upload.files().iter().map(|(name, bytes)| (name, bytes.as_slice())))?;
        let name = FileName::parse(manifest::NAME)?;
        self.put(&Place::Upload(sha, name), upload.manifest())?;
        Ok(sha)
    }

    /// Adds what shows that a rehearsal was held: its trust, its sessions and the changes that they
    /// are about. Its keys and documents stay where it was held.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` if it rehearses another trust; `RECORD-WRITE`; what reading it refuses.
    pub fn add_rehearsal(&self, shadow: &Self, sessions: &BTreeMap<CeremonyId, Transcript>) -> Result<()> {
        let trust = shadow.trust();
        if trust.shadows != Some(self.trust().id) {
            let found = format!("a trust {} that does not rehearse this one", trust.id);
            return Err(Refusal::new(
                &rules::RECORD_OTHER,
                found,
                format!("a rehearsal of {}", self.trust().id),
            ));
        }
        let entries = sessions.values().flat_map(Transcript::entries);
        let changes: BTreeSet<Digest> = entries.filter_map(|(entry, _)| entry.change).collect();
        let files = shadow.files()?;
        for place in last_things_last(files.places()) {
            let kept = match &place {
                Place::Trust => true,
                Place::Change(change) | Place::Runbook(change) | Place::Payload(change, _) => {
                    changes.contains(change)
                }
                Place::Outcome(ceremony, ..) => sessions.contains_key(ceremony),
                _ => false,
            };
            if kept {
                let bytes = files.bytes(&place)?;
                self.put(&Place::Rehearsal(trust.id, Box::new(place)), &bytes)?;
            }
        }
        Ok(())
    }

    /// Adds a backend's answer.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` for another trust; `TEXT`; `RECORD-WRITE`.
    pub fn add_receipt(&self, receipt: &Receipt) -> Result<Digest> {
        self.ours(receipt.trust, "receipt")?;
        let bytes = receipt.to_json()?;
        let sha = Digest::of(&bytes);
        self.put(&Place::Receipt(sha), &bytes)?;
        Ok(sha)
    }

    /// Adds the limits file number `number`.
    ///
    /// # Errors
    ///
    /// `LIMITS-FORM`, `LIMITS-FLOOR`; `RECORD-CONFLICT` if another file has the number.
    pub fn add_limits(&self, number: u64, toml: &[u8]) -> Result<Digest> {
        let profile = self.trust().profile;
        read_limits(toml, profile)?;
        let sha = Digest::of(toml);
        for (place, there) in self.beside(&["limits"])? {
            let same_number = matches!(&place, Place::Limits(n, other) if *n == number && *other != sha);
            if same_number && read_limits(&there, profile).is_ok() {
                return Err(conflict(&place, "other limits"));
            }
        }
        self.put(&Place::Limits(number, sha), toml)?;
        Ok(sha)
    }

    /// The whole files of a folder of the record, by place.
    fn beside(&self, path: &[&str]) -> Result<Vec<(Place, Vec<u8>)>> {
        let mut folder: Option<Dir> = None;
        for part in path {
            let Some(next) = folder.as_ref().unwrap_or(self.dir()).folder(part)? else {
                return Ok(Vec::new());
            };
            folder = Some(next);
        }
        let Some(folder) = folder else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in folder.entries()? {
            let Ok(name) = &entry.name else { continue };
            let parts: Vec<_> = path.iter().copied().chain([name.as_str()]).collect();
            let Ok(place) = Place::parse(&parts) else { continue };
            if let Ok(Some(bytes)) = folder.read(name, place.cap())
                && place.check(&bytes).is_ok()
            {
                found.push((place, bytes));
            }
        }
        Ok(found)
    }

    fn ours(&self, trust: TrustId, what: &str) -> Result<()> {
        if trust == self.trust().id {
            return Ok(());
        }
        let found = format!("a {what} of the trust {trust}");
        Err(Refusal::new(&rules::RECORD_OTHER, found, format!("the trust {}", self.trust().id)))
    }
}

fn conflict(place: &Place, what: &str) -> Refusal {
    Refusal::new(
        &rules::RECORD_CONFLICT,
        format!("{what} in \"{place}\""),
        "one file for one name, number or sequence",
    )
}
