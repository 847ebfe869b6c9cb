//! Facts and changes for the gate: what is trusted, and what is to be made of it.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use keyrite::ceremony::backups::Copies;
use keyrite::ceremony::change::{Ask, Base, Change, Counts, Frame, Item};
use keyrite::ceremony::facts::{Facts, Stage, Trust};
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::people::Duty;
use keyrite::tuf::chain::{RootChain, accept};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::evidence::Trusted;
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::payload::MetadataPayload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::TrustId;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire::{self, Envelope};
use std::collections::{BTreeMap, BTreeSet};

/// What a record would say of these documents: roots in order, then delegators before the rest.
pub fn facts(profile: Profile, collection: &str, today: Time, files: &[Envelope]) -> Facts {
    let mut roots: Option<RootChain> = None;
    let mut documents: BTreeMap<RoleName, Trusted> = BTreeMap::new();
    for file in files {
        let role = file.payload().role().clone();
        match (&mut roots, &role) {
            (None, _) => roots = Some(RootChain::start(file.clone()).unwrap()),
            (Some(chain), RoleName::Root) => chain.push(file.clone()).unwrap(),
            (Some(chain), _) => {
                let above = std::iter::once(chain.latest()).chain(documents.values());
                let accepted =
                    above.map(|above| accept(above, &role, file.clone(), None)).find_map(Result::ok);
                documents.insert(role, accepted.expect("a document that is vouched for"));
            }
        }
    }
    let roots = roots.map(RootChain::into_all).unwrap_or_default();
    let history = roots.iter().chain(documents.values()).map(|d| d.payload().digest()).collect();
    Facts {
        trust: Trust {
            id: TrustId::from_bytes([1; 16]),
            profile,
            collection: collection.to_owned(),
            stage: Stage::Production,
            shadows: None,
            start: None,
        },
        limits: Limits::default_for(profile),
        limits_number: 1,
        limits_file: Digest::of(b"limits"),
        keys: BTreeMap::new(),
        attested: BTreeMap::new(),
        copies: Copies::default(),
        roots,
        documents,
        unvouched: BTreeMap::new(),
        reached: BTreeMap::new(),
        earlier: BTreeMap::new(),
        unmade: Vec::new(),
        overtaken: BTreeMap::new(),
        revoked: BTreeSet::new(),
        anchor: None,
        enrolments: BTreeMap::new(),
        devices: BTreeMap::new(),
        away: BTreeMap::new(),
        today,
        roll_calls: BTreeMap::new(),
        history,
        published: BTreeSet::new(),
        proposals: BTreeMap::new(),
        conflicts: BTreeMap::new(),
        said_by_targets: BTreeMap::new(),
    }
}

/// A change of these documents, each with the keys that are asked.
pub fn change(facts: &Facts, documents: &[(&MetadataPayload, Vec<PublicKey>)]) -> Change {
    let frame = Frame {
        kind: "rotate-root".to_owned(),
        title: "A change".to_owned(),
        people: BTreeMap::from([("alice".parse().unwrap(), Duty::Administrator)]),
        runbook: Digest::of(b"runbook"),
        held_at: facts.today,
        sign_by: facts.today,
        nonce: [5; 32],
        rehearsal: None,
    };
    let ask = |public: &PublicKey| Ask {
        key: "a".parse().unwrap(),
        holder: "alice".parse().unwrap(),
        public: public.clone(),
        scheme: wire::scheme(facts.trust.profile, public),
        counts: vec![Counts::New],
    };
    let item = |(payload, asked): &(&MetadataPayload, Vec<PublicKey>)| Item::Document {
        payload: (*payload).clone(),
        asked: asked.iter().map(ask).collect(),
    };
    Change::new(&frame, facts, Base::default(), documents.iter().map(item).collect(), Vec::new())
}
