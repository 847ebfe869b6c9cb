//! Many documents of one role at once: a long history, read and checked on every core.
//!
//! The result is what [`wire::parse`] gives for each file, in order; only the work is arranged
//! otherwise. A key that was read in one document is not decoded again in the next, and what the
//! signatures are under a root's own keys is found out ahead, in parallel, for
//! [`Verified`] to use. Nothing is trusted here: thresholds are counted by [`super::chain`].

use super::evidence::{Evidence as _, Verified};
use super::profile::Profile;
use super::role::RoleName;
use super::rule::Result;
use super::wire::{self, Envelope, KeyMemo};
use std::num::NonZeroUsize;
use std::thread;

/// Reads each of `files`, in order, with `workers` threads.
///
/// # Errors
///
/// Each file's are its own: as [`wire::parse`].
pub fn parse_all<B: AsRef<[u8]> + Sync>(
    profile: Profile,
    role: &RoleName,
    files: &[B],
    workers: NonZeroUsize,
) -> Vec<Result<Envelope>> {
    let share = files.len().div_ceil(workers.get()).max(1);
    thread::scope(|scope| {
        let mut shares = files.chunks(share);
        // The first share is this thread's own.
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> =
            shares.map(|files| (files, scope.spawn(move || one_share(profile, role, files)))).collect();
        let mut all = one_share(profile, role, own);
        for (files, worker) in others {
            // A worker that ended in a panic is no answer: its share is read again, here.
            all.extend(worker.join().unwrap_or_else(|_| one_share(profile, role, files)));
        }
        all
    })
}

fn one_share<B: AsRef<[u8]>>(profile: Profile, role: &RoleName, files: &[B]) -> Vec<Result<Envelope>> {
    let mut memo = KeyMemo::new(profile);
    files.iter().map(|file| wire::parse_with(&mut memo, role, file.as_ref()).map(checked_ahead)).collect()
}

/// Finds out what a root's signatures are under the keys that it lists for root itself: the chain
/// asks that of every root, and the old root's keys are mostly the same.
fn checked_ahead(mut envelope: Envelope) -> Envelope {
    let known = envelope.payload().document().as_root().and_then(|root| {
        let evidence = Verified::new(&envelope);
        evidence.signers(&root.keys, root.roles.get(&RoleName::Root)?, envelope.payload());
        Some(evidence.into_known())
    });
    if let Some(known) = known {
        envelope.keep(known);
    }
    envelope
}
