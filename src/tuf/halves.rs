//! Two things done at once that don't depend on each other, as the two halves of a long list.

use std::ops::Range;
use std::thread;

/// As many items as are worth a second thread.
const MANY: usize = 512;

/// What `work` makes of the first and of the second half of so many items; of few, of all at once.
pub(crate) fn in_halves<T: Send>(items: usize, work: impl Fn(Range<usize>) -> T + Sync) -> (T, Option<T>) {
    if items < MANY {
        return (work(0..items), None);
    }
    let middle = items.div_ceil(2);
    let (first, second) = beside(|| work(0..middle), || work(middle..items));
    (first, Some(second))
}

/// What both come to, the other at the same time.
pub(crate) fn beside<A, B: Send>(own: impl FnOnce() -> A, other: impl Fn() -> B + Sync) -> (A, B) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, &other);
        let own = own();
        // Where there is no thread to be had, or it ended in a panic, the other is done here.
        let theirs = thread.ok().and_then(|thread| thread.join().ok());
        (own, theirs.unwrap_or_else(&other))
    })
}

/// What `look` makes of each, in order.
pub(crate) fn each_of<T: Sync, R: Send>(items: &[T], look: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let part = |places: Range<usize>| -> Vec<R> {
        items.get(places).unwrap_or_default().iter().map(&look).collect()
    };
    let (mut all, later) = in_halves(items.len(), part);
    all.extend(later.into_iter().flatten());
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_item_is_looked_at_in_order() {
        for many in [0, 1, 2, MANY - 1, MANY, MANY + 1, 5000] {
            let items: Vec<usize> = (0..many).collect();
            assert_eq!(each_of(&items, |item| item * 2), (0..many).map(|at| at * 2).collect::<Vec<_>>());
            let (first, second) = in_halves(many, |places| places);
            assert_eq!((first.start, second.map_or(first.end, |second| second.end)), (0, many));
        }
    }

    #[test]
    fn a_half_whose_thread_panics_is_done_again() {
        let (calls, many) = (AtomicUsize::new(0), 2 * MANY);
        let work = |places: Range<usize>| {
            let again = places.start == 0 || calls.fetch_add(1, Ordering::SeqCst) > 0;
            assert!(again, "on purpose");
            places.len()
        };
        assert_eq!(in_halves(many, work), (MANY, Some(MANY)));
    }
}
