//! Random bytes that are the same for one seed, in this program and in one that it starts.

use keyrite::signer::randomness::Randomness;
use keyrite::tuf::digest::Digest;
use std::cell::Cell;

/// A source of them.
pub fn seeded(seed: u64) -> Randomness {
    let drawn = Cell::new(0u64);
    Randomness::given(move |bytes| {
        for chunk in bytes.chunks_mut(32) {
            drawn.set(drawn.get() + 1);
            let block = Digest::of(format!("{seed} {}", drawn.get()).as_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    })
}
