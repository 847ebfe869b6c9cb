//! Clients of profile `notary`, over what the backend will make of the change.
//!
//! The stock client jumps to the newest root if the one that it trusts has signed it, else it walks
//! there version by version; so each root in the field is walked from, and a fresh client begins
//! with the newest. The model of the server judges the upload first: it is where poisonous bytes,
//! expired certificates and versions that don't fit come out.

use super::scene::{Scene, online, online_keys};
use super::{Finding, Report, Walked, Walks, report_walks, rules, weight};
use crate::tuf::backend_model::{BackendModel, ServerKey, ServerRefusal};
use crate::tuf::client::expected::Expected;
use crate::tuf::client::known::Known;
use crate::tuf::client::{Caps, Client, Settings, State};
use crate::tuf::document::Root;
use crate::tuf::key::PublicKey;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire::Envelope;
use std::collections::BTreeSet;

/// Has the backend take the change, and walks the stock client from every root.
pub(super) fn walk(scene: &Scene<'_>, report: &mut Report) {
    let Some(newest) = scene.newest_root() else { return };
    let Some(mut server) = server(scene, newest) else {
        let refusal = refused(scene, "a root without keys for snapshot and timestamp that it knows");
        report.findings.push(Finding::stops(refusal));
        return;
    };
    stock(scene, &mut server);
    let old_roots = scene.roots.get(..scene.trusted_roots).unwrap_or_default();
    let mut before: Walks = Vec::new();
    if !old_roots.is_empty() {
        if let Some(root) = old_roots.last().and_then(|root| root.payload().document().as_root()) {
            scene.judge.online(online(root));
        }
        if let Err(answer) = server.publish(scene.now) {
            let found = format!("the stored documents: {}", answered(&answer));
            report.findings.push(Finding::tells(refused(scene, &found)));
        } else if scene.makes_root() {
            before = walks(scene, &server, old_roots);
        }
    }
    scene.judge.online(online(newest));
    if !scene.proposed.documents.is_empty() {
        let part = |held: &Envelope| (held.payload().role().as_str().to_owned(), held.bytes().to_vec());
        let parts: Vec<_> = scene.proposed.documents.iter().map(part).collect();
        if let Err(answer) = server.upload(&parts, scene.now) {
            report.findings.push(Finding::stops(refused(scene, &answered(&answer))));
            return;
        }
    }
    for known in Known::of(Profile::Notary) {
        let Some(stops) = weight(known, scene.facts) else { continue };
        let mut after = walks(scene, &server, &scene.roots);
        for (place, (root, walk)) in scene.roots.iter().zip(&mut after).enumerate() {
            if let Err(refusal) = known.reads(root, scene.size(root)) {
                *walk = Err((place, refusal));
            }
        }
        let was_well = |place: usize| before.get(place).is_none_or(Result::is_ok);
        let lost = (0..after.len()).map(|place| scene.makes_root() && was_well(place)).collect();
        report_walks(scene, &[Walked { known, stops, walks: after, lost }], report);
        if let Err(refusal) = one(scene, &server, None) {
            let found = format!("{} on first contact: {refusal}", known.name);
            let refusal = Refusal::new(&rules::CLIENT_LOST, found, "a client that comes to the newest root");
            let stopped = scene.makes_root();
            report.findings.push(if stopped { Finding::stops(refusal) } else { Finding::tells(refusal) });
        }
    }
}

fn refused(scene: &Scene<'_>, found: &str) -> Refusal {
    let expected = format!("an upload that the backend of {} takes", visible(&scene.facts.trust.collection));
    Refusal::new(&rules::CLIENT_BACKEND, found, expected)
}

/// The server's words; where it gives none, what is known of the case (notary-v1 5).
fn answered(answer: &ServerRefusal) -> String {
    let text = visible(&answer.to_string());
    if answer.name.is_none() && answer.code == "INVALID_UPDATE" {
        return format!(
            "{text}: what it has stored doesn't verify any more, as when certificates of root have expired"
        );
    }
    text
}

/// A server that holds every backend key of the old root and the new.
fn server<'s>(scene: &'s Scene<'_>, newest: &Root) -> Option<BackendModel<&'s Expected>> {
    let key = |root: &Root, role| {
        let ids = &root.roles.get(&role)?.keyids;
        let public: Option<&PublicKey> = ids.iter().find_map(|id| root.keys.get(id)?.public.as_ref());
        public.map(|public| ServerKey::assumed(public.clone()))
    };
    let (snapshot, timestamp) = (key(newest, RoleName::Snapshot)?, key(newest, RoleName::Timestamp)?);
    let collection = &scene.facts.trust.collection;
    let mut server = BackendModel::with_judge(collection, snapshot, timestamp, &scene.judge);
    let old = scene.facts.root();
    for root in old.into_iter().chain([newest]) {
        server.hold(online_keys(root).cloned().map(ServerKey::assumed));
    }
    Some(server)
}

/// Puts into the store what the record has: every root, targets, and the documents above those of
/// the change.
fn stock(scene: &Scene<'_>, server: &mut BackendModel<&Expected>) {
    let mut needed = BTreeSet::from([RoleName::Targets]);
    for document in &scene.proposed.documents {
        let mut name = document.payload().role().as_str();
        needed.insert(RoleName::from_name(name));
        while let Some((above, _)) = name.rsplit_once('/') {
            needed.insert(RoleName::from_name(above));
            name = above;
        }
    }
    for root in &scene.facts.roots {
        server.stock(&RoleName::Root, root.version(), root.bytes());
    }
    for role in &needed {
        if let Some(held) = super::trusted(scene.facts, role) {
            scene.judge.remember(held.envelope());
            server.stock(role, held.version(), held.bytes());
        }
    }
}

fn walks(scene: &Scene<'_>, server: &BackendModel<&Expected>, roots: &[&Envelope]) -> Walks {
    let place = |at: usize, refusal| (at, refusal);
    roots
        .iter()
        .enumerate()
        .map(|(at, root)| one(scene, server, Some(root)).map_err(|e| place(at, e)))
        .collect()
}

/// One client, from a root or from nothing, as far as the targets document.
fn one(scene: &Scene<'_>, server: &BackendModel<&Expected>, from: Option<&Envelope>) -> Result<()> {
    let settings = Settings {
        now: scene.now,
        caps: Caps { rotations: u32::MAX, ..Caps::NOTARY },
        collection: scene.facts.trust.collection.clone(),
        pins: BTreeSet::new(),
    };
    let state = from.map(|root| State::first(root.bytes().to_vec())).unwrap_or_default();
    let mut client = Client::new(Profile::Notary, settings, state, &scene.judge)?;
    while let Some(want) = client.want() {
        // What is below is the same for every client, and is looked at once.
        if matches!(want.role, RoleName::Targets | RoleName::Delegated(_)) {
            break;
        }
        match server.get(&want.name) {
            Some(bytes) => client.feed(bytes)?,
            None => client.missing()?,
        }
    }
    Ok(())
}
