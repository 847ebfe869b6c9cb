//! Steps in which the record takes in what was signed: sealing, and the upload.

use super::super::gated;
use super::journal::Of;
use super::{Agenda, Room};
use crate::ceremony::change::Item;
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::Step;
use crate::ceremony::transcript::{Outcome, Sealed};
use crate::record::upload::{Beside, Upload};
use crate::record::{Inputs, SignedStatement, StoredChange};
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::BTreeMap;

impl Room<'_> {
    /// Seals every document of the change, and writes its statements first. The document that all
    /// others rest on comes last: until it is there, none of them is trusted and the change stands
    /// as it stood, so a cut anywhere leaves nothing half sealed.
    pub(super) fn seal(&mut self, agenda: &Agenda<'_>, step: &Step, facts: &Facts) -> Result<()> {
        let contents = self.record.read_all(self.session.now()?, &Inputs::default())?;
        let Some(stored) = contents.changes.get(&agenda.digest) else {
            return Err(Refusal::new(
                &super::super::rules::STEP_UNKNOWN,
                format!("the step {}", step.id),
                "a change that the record holds",
            ));
        };
        let signatures = |digest| stored.signatures.get(&digest).map(Vec::as_slice).unwrap_or_default();
        let files = gated::sealed(stored, &contents)?;
        // Once more with the signatures that are there: fewer may have come than were planned.
        gated::with(agenda.change, &contents, &files)?;
        self.limits(stored, step, facts)?;
        for item in &agenda.change.items {
            if let Item::Statement { payload, .. } = item {
                for signature in signatures(Digest::of(payload.bytes())) {
                    let ask = item.asked().iter().find(|ask| ask.public.identity() == signature.key());
                    if let Some(ask) = ask {
                        let signed = SignedStatement::new(payload.clone(), ask.public.clone(), signature)?;
                        self.record.add_statement(&signed)?;
                    }
                }
            }
        }
        let mut documents = BTreeMap::new();
        for payload in agenda.change.items.iter().rev().filter_map(Item::document) {
            let (role, version) = (payload.role(), payload.version());
            if let Some(bytes) = files.get(role) {
                let file = self.record.add_metadata(role, version, bytes)?;
                documents.insert(role.clone(), Sealed { version, file });
            }
        }
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        self.journal.say(self.record, self.session, of, Outcome::Seal { documents })
    }

    /// Writes the limits file that the change puts in force, if it brings one: before its statement,
    /// which would else stand in the record without it.
    fn limits(&self, stored: &StoredChange, step: &Step, facts: &Facts) -> Result<()> {
        let runbook = Runbook::parse(&String::from_utf8_lossy(&stored.runbook))?;
        let Some((number, text)) = kinds::read(&runbook)?.limits_file(facts) else { return Ok(()) };
        let sha = Digest::of(text.as_bytes());
        let says = |item: &Item| {
            let Item::Statement { payload, .. } = item else { return false };
            matches!(payload.sentence(), Sentence::Limits { limits, .. } if *limits == sha)
        };
        if !stored.change.items.iter().any(says) {
            return Err(Refusal::new(
                &super::super::rules::STEP_UNKNOWN,
                format!("the step {}, and limits {number} of {sha}", step.id),
                "the limits that the change's statement names",
            ));
        }
        self.record.add_limits(number, text.as_bytes()).map(|_| ())
    }

    /// Writes what goes to the backend: the sealed documents of this change.
    pub(super) fn upload(&mut self, agenda: &Agenda<'_>, step: &Step) -> Result<()> {
        let contents = self.record.read_all(self.session.now()?, &Inputs::default())?;
        let mut documents = BTreeMap::new();
        for item in &agenda.change.items {
            if let Item::Document { payload, .. } = item {
                let newest = match payload.role() {
                    RoleName::Root => contents.facts.roots.last(),
                    role => contents.facts.documents.get(role),
                };
                let sealed =
                    newest.filter(|d| d.payload().digest() == payload.digest()).ok_or_else(|| {
                        Refusal::new(
                            &crate::ceremony::rules::BASE_MOVED,
                            format!("{} {} is not the newest trusted one", payload.role(), payload.version()),
                            "the documents that this change has just sealed",
                        )
                    })?;
                documents.insert(payload.role().clone(), (sealed.version(), sealed.bytes().to_vec()));
            }
        }
        // It may have been sealed long ago, in a session that was cut off.
        let files = documents.iter().map(|(role, (_, bytes))| (role.clone(), bytes.clone())).collect();
        gated::with(agenda.change, &contents, &files)?;
        let beside = Beside { delegations: contents.facts.delegations(), ..Beside::default() };
        let (trust, server) = (self.record.trust(), self.server.as_deref());
        let upload = Upload::with(trust, Some(agenda.digest), &documents, &beside, server)?;
        let manifest = self.record.add_upload(&upload)?;
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        self.journal.say(self.record, self.session, of, Outcome::Upload { manifest })
    }
}
