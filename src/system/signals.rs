//! Signals by which a person, a closed terminal or a service manager asks the process to stop.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// From now on the first such signal sets the flag, and the next one ends the process with this code.
///
/// # Errors
///
/// What the system says.
pub fn listen(flag: &Arc<AtomicBool>, code: i32) -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order counts: the first signal only sets the flag, which the second then finds.
        register_conditional_shutdown(signal, code, Arc::clone(flag))?;
        register(signal, Arc::clone(flag))?;
    }
    Ok(())
}
