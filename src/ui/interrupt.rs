//! Ctrl-C: noticed everywhere, acted on only where nothing is half done.
//!
//! Prompts give up at once, with the cursor back (dialoguer leaves it hidden and dies by the signal
//! unless one listens). Between prompts the loop that performs steps asks. A second signal ends the
//! process on the spot: the record can bear it.

use super::rules;
use crate::system::signals;
use crate::tuf::rule::{Exit, Refusal, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a person has asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C, for a closed terminal and for a polite end, from now on.
    ///
    /// # Errors
    ///
    /// `TERMINAL` if the system won't have it.
    pub fn listen() -> Result<Self> {
        let flag = Self::default();
        signals::listen(&flag.0, i32::from(Exit::Interrupted.code()))
            .map_err(|e| Refusal::new(&rules::TERMINAL, e.to_string(), "to listen for Ctrl-C"))?;
        Ok(flag)
    }

    /// Whether it was pressed.
    pub fn pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails once it was pressed.
    ///
    /// # Errors
    ///
    /// `INTERRUPTED`.
    pub fn check(&self) -> Result<()> {
        if self.pressed() { Err(Self::refusal()) } else { Ok(()) }
    }

    /// What everything that gives up for it answers.
    pub fn refusal() -> Refusal {
        Refusal::new(&rules::INTERRUPTED, "Ctrl-C", "to go on to the end")
    }
}
