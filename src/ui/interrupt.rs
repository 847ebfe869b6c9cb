//! Ctrl-C: noticed everywhere, acted on only where nothing is half done.
//!
//! Prompts give up at once, with the cursor back (dialoguer leaves it hidden and dies by the signal
//! unless one listens). Between prompts the loop that performs steps asks. A second signal ends the
//! process on the spot: the record can bear it.

use super::rules;
use crate::tuf::rule::{Exit, Refusal, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
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
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let code = i32::from(Exit::Interrupted.code());
            // The order counts: the first signal only sets the flag, which the second then finds.
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&flag.0))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag.0)))
                .map_err(|e| Refusal::new(&rules::TERMINAL, e.to_string(), "to listen for Ctrl-C"))?;
        }
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
