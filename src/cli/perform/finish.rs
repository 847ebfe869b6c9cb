//! Steps in which the record takes in what was signed: sealing, and the upload.

use super::journal::Of;
use super::{Agenda, Room};
use crate::ceremony::change::{Counts, Item};
use crate::ceremony::facts::Facts;
use crate::ceremony::gate;
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::Step;
use crate::ceremony::transcript::{Outcome, Sealed};
use crate::record::upload::{Beside, Upload};
use crate::record::{Inputs, SignedStatement, StoredChange};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, Keys};
use crate::tuf::evidence::Trusted;
use crate::tuf::payload::MetadataPayload;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use crate::tuf::wire;
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
        let mut files = BTreeMap::new();
        for payload in agenda.change.documents() {
            let keys = keys_for(payload, agenda, facts)?;
            let bytes = wire::seal(payload, &keys, signatures(payload.digest()))?;
            files.insert(payload.role().clone(), bytes);
        }
        // Once more with the signatures that are there: fewer may have come than were planned.
        gate::sealed(agenda.change, facts, &files)?.check()?;
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
        let beside = Beside { delegations: contents.facts.delegations(), ..Beside::default() };
        let (trust, server) = (self.record.trust(), self.server.as_deref());
        let upload = Upload::with(trust, Some(agenda.digest), &documents, &beside, server)?;
        let manifest = self.record.add_upload(&upload)?;
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        self.journal.say(self.record, self.session, of, Outcome::Upload { manifest })
    }
}

/// The key entries by which a document's signatures get their ids: its own, the old root's and those
/// of the older roots that the change names for a root, its delegator's for any other; what this
/// change seals comes before what is trusted.
fn keys_for(payload: &MetadataPayload, agenda: &Agenda<'_>, facts: &Facts) -> Result<Keys> {
    let newer: Vec<&MetadataPayload> = agenda
        .change
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Document { payload, .. } => Some(payload),
            _ => None,
        })
        .collect();
    let of = |role: &RoleName| {
        newer.iter().find(|p| p.role() == role).map(|p| p.document()).or_else(|| match role {
            RoleName::Root => facts.roots.last().map(Trusted::document),
            role => facts.documents.get(role).map(Trusted::document),
        })
    };
    if let Document::Root(root) = payload.document() {
        let mut keys: Keys = historic_keys(payload, agenda, facts);
        // Sealed again, the newest root is this one.
        let older = facts.roots.iter().rfind(|root| root.version() < payload.version());
        let older = older.and_then(|root| root.document().as_root());
        keys.extend(older.map(|old| old.keys.clone()).unwrap_or_default());
        keys.extend(root.keys.clone());
        return Ok(keys);
    }
    if let RoleName::Delegated(_) = payload.role() {
        let above = facts.documents.keys().chain([&RoleName::Targets]);
        let found = above
            .filter_map(|role| of(role)?.as_targets())
            .find(|targets| targets.delegations.roles.iter().any(|r| r.name == *payload.role()));
        if let Some(delegator) = found {
            return Ok(delegator.delegations.keys.clone());
        }
    } else if let Some(root) = of(&RoleName::Root).and_then(Document::as_root) {
        return Ok(root.keys.clone());
    }
    Err(Refusal::new(
        &crate::ceremony::kinds::rules::DELEGATOR_MISSING,
        format!("no document that delegates to {}", payload.role()),
        "the delegator in the change or in the record",
    ))
}

/// The entries of the older roots for which the change asks keys to sign a root.
fn historic_keys(payload: &MetadataPayload, agenda: &Agenda<'_>, facts: &Facts) -> Keys {
    let of = |item: &&Item| item.payload_digest() == Some(payload.digest());
    let asked = agenda.change.items.iter().filter(of).flat_map(Item::asked);
    let mut keys = Keys::new();
    for ask in asked {
        let named = |root: &&Trusted| ask.counts.contains(&Counts::Historic(root.version()));
        for root in facts.roots.iter().filter(named).filter_map(|root| root.document().as_root()) {
            let own = root.keys.iter().filter(|(_, key)| key.public.as_ref() == Some(&ask.public));
            keys.extend(own.map(|(id, key)| (id.clone(), key.clone())));
        }
    }
    keys
}
