//! Secrets stay in this process's memory: no core file, no look into it by others of the same user,
//! no page of it on a disk (threats T19).
//!
//! The whole process is locked, since a single buffer can be locked by unsafe code alone, and a PIN
//! passes through more than one: the terminal's, ours, the module's. What is still to come is locked
//! too where there is no limit on locked memory; under one, the first library beyond it would fail to
//! load in the middle of an act. Then what is there is locked once every module is loaded.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// All there is and all to come.
    Whole,
    /// All there was when modules and screens were in place.
    SoFar,
    /// Nothing: the limit is so many bytes, or the system won't.
    Nothing(Option<u64>),
}

impl Locked {
    /// Whether nothing secret goes to a disk: what is allocated later could, where there is swap in clear.
    pub fn reached(self, swaps_to_disk: bool) -> bool {
        match self {
            Self::Whole => true,
            Self::SoFar => !swaps_to_disk,
            Self::Nothing(_) => false,
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Whole => "locked".to_owned(),
            Self::SoFar => "locked but for what is allocated later".to_owned(),
            Self::Nothing(Some(limit)) => {
                format!("NOT locked: no more than {} KiB may be (ulimit -l)", limit / 1024)
            }
            Self::Nothing(None) => "NOT locked: the system refuses".to_owned(),
        }
    }
}

/// Closes the process when it begins. What the system refuses is found by [`core_dumps`] and
/// [`closed`].
pub fn close() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // No program that this one could start gets more rights than it has.
    let _ = rustix::thread::set_no_new_privs(true);
    let unlimited = Rlimit { current: None, maximum: None };
    let _ = rustix::process::setrlimit(Resource::Memlock, unlimited);
    if unlimited_lock() {
        let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    }
}

/// Locks what there is, where what is to come could not be locked.
pub fn lock() -> Locked {
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if unlimited_lock() {
        return if mlockall(all).is_ok() { Locked::Whole } else { Locked::Nothing(None) };
    }
    let limit = rustix::process::getrlimit(Resource::Memlock).current;
    if mlockall(MlockAllFlags::CURRENT).is_err() {
        return Locked::Nothing(limit);
    }
    // Where more is locked than the limit, it is none for this process (CAP_IPC_LOCK).
    if limit.is_some_and(|limit| locked_bytes() > limit) && mlockall(all).is_ok() {
        return Locked::Whole;
    }
    Locked::SoFar
}

/// How much of this process is locked, in bytes; 0 if the kernel doesn't say.
fn locked_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kib.saturating_mul(1024)
}

/// Whether the kernel would write a core file.
pub fn core_dumps() -> bool {
    rustix::process::getrlimit(Resource::Core).current != Some(0)
}

/// Whether other programs of the same user can't look into this process.
pub fn closed() -> bool {
    matches!(rustix::process::dumpable_behavior(), Ok(DumpableBehavior::NotDumpable))
}

fn unlimited_lock() -> bool {
    rustix::process::getrlimit(Resource::Memlock).current.is_none()
}
