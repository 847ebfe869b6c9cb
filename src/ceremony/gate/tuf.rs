//! Clients of profile `tuf`: root by root, then to the targets document.
//!
//! What one root is to the next doesn't depend on where a client began nor on which it is, and the
//! record's own chain has been judged so already: one walk from its newest root over those of the
//! change stands for every client. What a client can't read is laid over it, root by root.

use super::scene::Scene;
use super::{Report, Walked, Walks, report_walks, weight};
use crate::tuf::client::known::Known;
use crate::tuf::client::{Caps, Client, Settings, State};
use crate::tuf::document::MetaFile;
use crate::tuf::hashes::Hashes;
use crate::tuf::make;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules;
use crate::tuf::time::{Term, Unit};
use crate::tuf::wire;
use std::collections::{BTreeMap, BTreeSet};

/// Walks every client of the profile.
pub(super) fn walk(scene: &Scene<'_>, report: &mut Report) -> Result<()> {
    let Some(online) = Online::make(scene)? else { return Ok(()) };
    let common = common(scene, &online);
    let mut all = Vec::new();
    for known in Known::of(Profile::Tuf) {
        let Some(stops) = weight(known, scene.facts) else { continue };
        let walks = walks(scene, known, &common);
        // Without the change the same walk would have been stopped at any root that the record has.
        let new = |(place, walk): (usize, &Result<(), (usize, Refusal)>)| match walk {
            Err((_, refusal)) if refusal.rule() == &rules::SEARCH_LIMIT => {
                scene.makes_root() && known.rotations >= steps(scene, place).saturating_sub(1)
            }
            Err((at, _)) => scene.makes_root() && *at >= scene.trusted_roots,
            Ok(()) => false,
        };
        let lost = walks.iter().enumerate().map(new).collect();
        all.push(Walked { known, stops, walks, lost });
    }
    report_walks(scene, &all, report);
    slow(scene, &all, report);
    Ok(())
}

/// New roots that a client of the root at `place` has to take.
fn steps(scene: &Scene<'_>, place: usize) -> u64 {
    let behind = scene.roots.len().saturating_sub(1).saturating_sub(place);
    u64::try_from(behind).unwrap_or(u64::MAX)
}

/// Says which clients need more than one update.
fn slow(scene: &Scene<'_>, all: &[Walked], report: &mut Report) {
    let oldest = scene.roots.first().map_or(0, |root| root.payload().version());
    let steps = steps(scene, 0);
    for known in all.iter().map(|walked| walked.known).filter(|k| k.goes_on && steps > k.rotations) {
        let found = format!("clients of root {oldest} ({}), {steps} roots behind", known.name);
        let expected = format!("at most {} in one update; it goes on with the next", known.rotations);
        let refusal = Refusal::new(&super::rules::CLIENT_ROTATIONS, found, expected);
        report.findings.push(super::Finding::tells(refusal));
    }
}

/// How one client fares: as all do, but for roots that it can't read or that are too many.
fn walks(scene: &Scene<'_>, known: &Known, common: &Walks) -> Walks {
    let mut walks = common.clone();
    let mut unread: Option<(usize, Refusal)> = None;
    for (place, (root, walk)) in scene.roots.iter().zip(&mut walks).enumerate().rev() {
        if let Err(refusal) = known.reads(root, scene.size(root)) {
            unread = Some((place, refusal));
        }
        let steps = steps(scene, place);
        if let Some(unread) = &unread {
            *walk = Err(unread.clone());
        } else if walk.is_ok() && !known.goes_on && steps > known.rotations {
            let most = format!("at most {} new roots", known.rotations);
            let refusal = Refusal::new(&rules::SEARCH_LIMIT, format!("{steps} roots behind"), most);
            *walk = Err((scene.roots.len(), refusal));
        }
    }
    walks
}

/// How a client fares that reads every root: by the root that it trusts.
fn common(scene: &Scene<'_>, online: &Online) -> Walks {
    let newest = scene.trusted_roots.saturating_sub(1);
    let from = |place: usize| one(scene, place, online);
    let of_trusted = from(newest);
    let new = scene.trusted_roots.max(1)..scene.roots.len();
    let mut walks: Walks = vec![of_trusted; scene.trusted_roots.max(1)];
    walks.extend(new.map(from));
    walks
}

/// One client, from the root at `from`.
fn one(scene: &Scene<'_>, from: usize, online: &Online) -> Result<(), (usize, Refusal)> {
    let Some(first) = scene.roots.get(from) else { return Ok(()) };
    let caps = Caps { root: u64::MAX, rotations: u32::MAX, ..Caps::TUF };
    let settings = Settings { now: scene.now, caps, collection: String::new(), pins: BTreeSet::new() };
    let state = State::first(first.bytes().to_vec());
    let mut client = Client::new(Profile::Tuf, settings, state, &scene.judge).map_err(|e| (from, e))?;
    let mut next = from.saturating_add(1);
    while let Some(role) = client.want().map(|want| want.role.clone()) {
        let past = scene.roots.len();
        match role {
            RoleName::Root => match scene.roots.get(next) {
                Some(root) => {
                    client.feed(root.bytes()).map_err(|e| (next, e))?;
                    next = next.saturating_add(1);
                }
                None => client.missing().map_err(|e| (past, e))?,
            },
            RoleName::Timestamp => client.feed(&online.timestamp).map_err(|e| (past, e))?,
            RoleName::Snapshot => client.feed(&online.snapshot).map_err(|e| (past, e))?,
            // The rest is the same for every client, and is looked at once.
            RoleName::Targets | RoleName::Delegated(_) => break,
        }
    }
    Ok(())
}

/// Snapshot and timestamp, as `sign-snapshot` makes them, before they are signed.
struct Online {
    snapshot: Vec<u8>,
    timestamp: Vec<u8>,
}

impl Online {
    fn make(scene: &Scene<'_>) -> Result<Option<Self>> {
        let Some(root) = scene.newest_root() else { return Ok(None) };
        let expires = scene.now.plus(Term::new(1, Unit::Days))?;
        let version = scene.documents.get(&RoleName::Targets).map_or(1, |held| held.payload().version());
        let of = |version| MetaFile { version: Some(version), length: None, hashes: Hashes::default() };
        let listed = BTreeMap::from([(RoleName::Targets, of(version))]);
        let snapshot = make::snapshot(Profile::Tuf, 1, expires, &listed)?;
        let timestamp = make::timestamp(Profile::Tuf, 1, expires, &of(1))?;
        let file = |payload| wire::seal(payload, &root.keys, &[]);
        Ok(Some(Self { snapshot: file(&snapshot)?, timestamp: file(&timestamp)? }))
    }
}
