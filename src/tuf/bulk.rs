//! Many documents at once: a long history, or a large repository, read and checked on every core.
//!
//! The result is what each document by itself gives, in order; only the work is arranged otherwise. Of
//! a history of roots a key that was read in one document is not decoded again in the next, and what the
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
    spread(files, workers, |share| one_share(profile, role, share))
}

/// What `look` makes of each document, in order, with a thread for each core.
pub(in crate::tuf) fn each_of<T: Sync, R: Send>(all: &[T], look: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    spread(all, workers, |share| share.iter().map(&look).collect())
}

/// What `work` makes of shares of `all`, one for each worker, put together in order.
fn spread<T: Sync, R: Send>(
    all: &[T],
    workers: NonZeroUsize,
    work: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let share = all.len().div_ceil(workers.get()).max(1);
    let work = &work;
    thread::scope(|scope| {
        let mut shares = all.chunks(share);
        // The first share is this thread's own.
        let own = shares.next().unwrap_or_default();
        let start = |share| (share, thread::Builder::new().spawn_scoped(scope, move || work(share)));
        let others: Vec<_> = shares.map(start).collect();
        let mut done = work(own);
        for (share, worker) in others {
            // Where there is no thread to be had, or it ended in a panic, which is no answer, its share
            // is done here.
            done.extend(worker.ok().and_then(|w| w.join().ok()).unwrap_or_else(|| work(share)));
        }
        done
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
