//! The chain of roots: every version from the first, each vouched for by the one before.

use super::withdrawn::Withdrawn;
use super::{Decided, Desk};
use crate::record::names::Place;
use crate::record::rules;
use crate::tuf::bulk;
use crate::tuf::chain::{Anchor, RootChain, check_root};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, Keys, RoleKeys};
use crate::tuf::evidence::{Trusted, Verified};
use crate::tuf::key::{KeyId, KeyIdentity};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::wire::{self, Envelope};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

/// The chain, and why it ends where it does if that is a conflict.
pub(super) struct Roots {
    /// Oldest first.
    pub chain: Vec<Trusted>,
    /// By version and payload: the files.
    pub conflict: Option<Refusal>,
    kept: Option<RootChain>,
    /// Files of which there are several for one version, by digest.
    pub several: BTreeMap<Digest, Envelope>,
    /// Payload digests of every root that is fully signed, in the chain or not.
    pub signed: BTreeSet<Digest>,
}

impl Roots {
    /// Refuses a chain that lacks the root which a person knows; an empty one refuses nothing.
    pub(super) fn check_anchor(&self, anchor: &Anchor) -> Result<()> {
        self.kept.as_ref().map_or(Ok(()), |chain| chain.check_anchor(anchor))
    }
}

/// Reads it, as far as it goes. Where roots conflict, the one that a person knows stands, or the one
/// that leads to it.
pub(super) fn read(desk: &mut Desk<'_>, known: Option<&Anchor>, withdrawn: &mut Withdrawn<'_>) -> Roots {
    let mut versions: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
    for place in &desk.places {
        if let Place::Metadata(RoleName::Root, version, _) = place {
            versions.entry(*version).or_default().push(place.clone());
        }
    }
    let mut envelopes = parse_all(desk, versions.values().flatten());
    let start = desk.trust.start;
    let mut next = start.map_or(1, |anchor| anchor.version);
    let mut chain: Option<RootChain> = None;
    let mut conflict = None;
    let mut signed = BTreeSet::new();
    let mut several = BTreeMap::new();
    while let Some(places) = versions.remove(&next) {
        let before = chain.as_ref().map(|c| c.latest().clone());
        let mut good = Vec::new();
        let old = before.as_ref().map(Trusted::payload);
        for place in &places {
            let Some(envelope) = envelopes.remove(place).and_then(|read| parsed(desk, place, read)) else {
                continue;
            };
            let payload = envelope.payload();
            let other_start = start.filter(|s| before.is_none() && s.payload != payload.digest());
            if let Some(start) = other_start {
                let found = format!("a root {next} with the payload {}", payload.digest());
                desk.refuse(
                    place,
                    Refusal::new(
                        &rules::RECORD_OTHER,
                        found,
                        format!("{}, which trust.json names", start.payload),
                    ),
                );
                continue;
            }
            // A lone file is verified once, when the chain takes it.
            if places.len() > 1 {
                if let Err(refusal) = check_root(old, payload, &Verified::new(&envelope)) {
                    desk.refuse(place, refusal);
                    continue;
                }
                signed.insert(payload.digest());
            }
            good.push((place.clone(), envelope));
        }
        let newer = versions.get(&next.saturating_add(1)).into_iter().flatten();
        let newer: Vec<&Envelope> = newer.filter_map(|p| envelopes.get(p)?.as_ref().ok()).collect();
        let mut gone = BTreeSet::new();
        for (place, envelope) in &good {
            let payload = envelope.payload();
            // A newer root that another root of this version leads to as well doesn't rest on this one.
            let others = || good.iter().filter(|(_, o)| o.payload().digest() != payload.digest());
            let rests = || {
                let alone = |to: &&&Envelope| others().all(|(_, other)| !leads(other, to));
                newer.iter().filter(|to| leads(envelope, to)).any(|to| alone(&to))
            };
            if withdrawn.root(payload, before.as_ref(), rests) {
                signed.insert(payload.digest());
                let file = place.digest().unwrap_or_else(|| payload.digest());
                withdrawn.leave(&RoleName::Root, next, file, payload.digest());
                gone.insert(place.clone());
            }
        }
        for place in &gone {
            desk.accept(place);
        }
        good.retain(|(place, _)| !gone.contains(place));
        if good.len() > 1 {
            let files = good.iter().filter_map(|(place, root)| Some((place.digest()?, root.clone())));
            several.extend(files);
        }
        let files: Vec<Place> = good.iter().map(|(place, _)| place.clone()).collect();
        let what = format!("metadata/root/{next}");
        let decided = known.map_or_else(Decided::default, |known| {
            leading(known, next, &good, |version| {
                let places = versions.get(&version).into_iter().flatten();
                places.filter_map(|place| envelopes.get(place)?.as_ref().ok()).collect()
            })
        });
        let Some((place, envelope)) =
            one_payload(desk, &what, good, &decided, |root| root_weight(root, chain.as_ref()))
        else {
            conflict = files.iter().find_map(|file| desk.refused.get(file).cloned());
            break;
        };
        let pushed = match &mut chain {
            Some(chain) => chain.push(envelope),
            None => RootChain::start(envelope).map(|started| chain = Some(started)),
        };
        if let Err(refusal) = pushed {
            desk.refuse(&place, refusal);
            break;
        }
        for file in files {
            desk.accept(&file);
        }
        next = next.saturating_add(1);
    }
    refuse_rest(desk, versions);
    let roots = chain.as_ref().map_or_else(Vec::new, |chain| chain.all().to_vec());
    signed.extend(roots.iter().map(|root| root.payload().digest()));
    Roots { chain: roots, conflict, kept: chain, several, signed }
}

/// Refuses the roots that the chain doesn't reach.
fn refuse_rest(desk: &mut Desk<'_>, versions: BTreeMap<u64, Vec<Place>>) {
    for (version, places) in versions {
        for place in places {
            let found = format!("root {version} without a trusted root {}", version.saturating_sub(1));
            desk.refuse(&place, Refusal::new(&rules::RECORD_REST, found, "every root from the first"));
        }
    }
}

/// Reads the files of roots, all at once: a history may be long.
fn parse_all<'p>(
    desk: &mut Desk<'_>,
    places: impl Iterator<Item = &'p Place>,
) -> BTreeMap<Place, Result<Envelope>> {
    let files: Vec<_> = places.filter_map(|place| Some((place.clone(), desk.bytes(place)?))).collect();
    let (places, bytes): (Vec<Place>, Vec<_>) = files.into_iter().unzip();
    let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let envelopes = bulk::parse_all(desk.trust.profile, &RoleName::Root, &bytes, workers);
    places.into_iter().zip(envelopes).collect()
}

/// Reads a document's file; its version must be the one in the name.
pub(super) fn parse(desk: &mut Desk<'_>, place: &Place) -> Option<Envelope> {
    let Place::Metadata(role, _, file) = place else { return None };
    // Read all the same: what is on disk has to be what the name says.
    let bytes = desk.bytes(place)?;
    let seen = desk.files.seen(role, *file);
    let read = seen.map_or_else(|| wire::parse(desk.trust.profile, role, &bytes), Ok);
    parsed(desk, place, read)
}

fn parsed(desk: &mut Desk<'_>, place: &Place, read: Result<Envelope>) -> Option<Envelope> {
    let Place::Metadata(_, version, _) = place else { return None };
    let refusal = match read {
        Ok(envelope) if envelope.payload().version() == *version => return Some(envelope),
        Ok(envelope) => Refusal::new(
            &rules::RECORD_NAME,
            format!("version {}", envelope.payload().version()),
            format!("version {version}, as the name says"),
        ),
        Err(refusal) => refusal,
    };
    desk.refuse(place, refusal);
    None
}

/// Which of several roots leads to the one that a person knows: walked from there downwards, so that
/// no number of planted roots makes it long.
fn leading<'e>(
    known: &Anchor,
    version: u64,
    rivals: &[(Place, Envelope)],
    at: impl Fn(u64) -> Vec<&'e Envelope>,
) -> Decided {
    let payloads: BTreeSet<Digest> = rivals.iter().map(|(_, root)| root.payload().digest()).collect();
    if payloads.len() < 2 || known.version < version {
        return Decided::default();
    }
    let mut wanted: Vec<&Envelope> = Vec::new();
    let mut stands = BTreeSet::from([known.payload]);
    for later in (version..=known.version).rev().take_while(|later| *later > version) {
        let here = at(later);
        let here = here.into_iter().filter(|root| {
            let digest = root.payload().digest();
            if later == known.version {
                digest == known.payload
            } else {
                wanted.iter().any(|to| leads(root, to))
            }
        });
        wanted = here.collect();
        stands.clear();
    }
    if known.version > version {
        stands = rivals
            .iter()
            .filter(|(_, root)| wanted.iter().any(|to| leads(root, to)))
            .map(|(_, root)| root.payload().digest())
            .collect();
    }
    let keep = stands.first().copied().filter(|keep| stands.len() == 1 && payloads.contains(keep));
    let out = keep.map(|keep| payloads.into_iter().filter(|other| *other != keep).collect());
    Decided { keep, out: out.unwrap_or_default(), ..Decided::default() }
}

/// Whether one root vouches for another.
fn leads(from: &Envelope, to: &Envelope) -> bool {
    check_root(Some(from.payload()), to.payload(), &Verified::new(to)).is_ok()
}

/// Of files of one role and version: the one with the most signatures, as `weigh` counts them, if
/// they all have one payload, or if that is settled. The same payload with more signatures is no
/// conflict. Of as many, the shortest file: anyone can write entries that no key made beside the
/// signatures, and white space. A decision names files or payloads.
pub(super) fn one_payload<T: Signed>(
    desk: &mut Desk<'_>,
    what: &str,
    files: Vec<(Place, T)>,
    decided: &Decided,
    weigh: impl Fn(&T) -> Weight,
) -> Option<(Place, T)> {
    let mut payloads: BTreeMap<Digest, Vec<(Place, T)>> = BTreeMap::new();
    for (place, document) in files {
        payloads.entry(document.payload()).or_default().push((place, document));
    }
    let said = |list: &dyn Fn(&Digest) -> bool, payload: &Digest, group: &[(Place, T)]| {
        list(payload) || group.iter().any(|(place, _)| place.digest().is_some_and(|file| list(&file)))
    };
    let keeps = |digest: &Digest| decided.keep == Some(*digest);
    let here = payloads.iter().any(|(payload, group)| said(&keeps, payload, group));
    payloads.retain(|payload, group| {
        let out = said(&|digest| decided.out.contains(digest), payload, group);
        if !out || said(&keeps, payload, group) {
            return true;
        }
        for (place, _) in group.iter() {
            desk.give_up(place, what, here, decided);
        }
        false
    });
    if payloads.len() > 1 {
        // One file speaks for each payload: one of the record's own, if it has one.
        let mut rivals = Vec::new();
        for (payload, group) in &payloads {
            let chosen = group.iter().map(|(place, _)| place).min_by_key(|place| desk.files.is_new(place));
            rivals.extend(chosen.map(|place| (place.clone(), *payload)));
        }
        let winner = desk.settle(what, rivals, &Decided::default()).map(|(_, payload)| payload);
        for (payload, group) in &payloads {
            if winner != Some(*payload) {
                for (place, _) in group {
                    desk.conflict(place, &format!("another payload for {what}"));
                }
            }
        }
        payloads.retain(|payload, _| winner == Some(*payload));
    }
    let mut left: Vec<(Place, T)> = payloads.into_values().flatten().collect();
    if left.len() > 1 {
        left.sort_by_cached_key(|(place, document)| {
            let size = document.bytes().len();
            (weigh(document), Reverse(size), Reverse(place.digest()))
        });
    }
    left.pop()
}

/// What a payload's file is chosen by.
pub(super) trait Signed {
    /// SHA-256 of the payload.
    fn payload(&self) -> Digest;
    /// The whole file.
    fn bytes(&self) -> &[u8];
}

impl Signed for Envelope {
    fn payload(&self) -> Digest {
        self.payload().digest()
    }

    fn bytes(&self) -> &[u8] {
        self.bytes()
    }
}

/// How many distinct keys have signed a file, and under how many ids: first of those that clients of
/// today count, then of all that any document here lists for it, for clients that missed some.
pub(super) type Weight = [usize; 4];

/// Counts a file's signatures. A key that was given up can still sign; it must not outweigh one that
/// counts today.
pub(super) fn weight<'k>(
    envelope: &Envelope,
    today: impl Iterator<Item = (&'k Keys, &'k RoleKeys)>,
    before: impl Iterator<Item = (&'k Keys, &'k RoleKeys)>,
) -> Weight {
    let evidence = Verified::new(envelope);
    let mut found = BTreeSet::new();
    let count = |found: &BTreeSet<(KeyIdentity, &KeyId)>| {
        let keys: BTreeSet<&KeyIdentity> = found.iter().map(|(key, _)| key).collect();
        (keys.len(), found.len())
    };
    for (keys, role) in today {
        found.extend(evidence.under(keys, role));
    }
    let (keys, ids) = count(&found);
    for (listed, role) in before {
        found.extend(evidence.under(listed, role));
    }
    let (all_keys, all_ids) = count(&found);
    [keys, ids, all_keys, all_ids]
}

/// Counts a root's signatures: those that it and the one before it need, then those of older roots.
fn root_weight(root: &Envelope, before: Option<&RootChain>) -> Weight {
    let before = before.map_or(&[][..], RootChain::all);
    let own = [root.payload().document()].into_iter().chain(before.last().map(Trusted::document));
    let older = before.iter().rev().skip(1).map(Trusted::document);
    weight(root, own.filter_map(root_keys), older.filter_map(root_keys))
}

fn root_keys(document: &Document) -> Option<(&Keys, &RoleKeys)> {
    let root = document.as_root()?;
    Some((&root.keys, root.roles.get(&RoleName::Root)?))
}
