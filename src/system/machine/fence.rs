//! Files and TCP ports beyond a fence are out of reach, for this program and for the modules in it
//! (landlock(7)). The fence can't be taken down again.
//!
//! Open files stay open, and so do connections. Paths can still be seen. Sockets of the file system are
//! no business of a fence's: [`calls`](super::calls) has them. Of `/etc` there is what anyone on the
//! machine may read, since modules have their configuration there.

use super::{Needs, Tcp};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, RestrictSelfAttr, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What is asked of the kernel, as far as it goes; no later form adds what matters here.
const ASKED: ABI = ABI::V6;
/// The first form that keeps files beyond the fence from being cut short too (Linux 6.2).
const WHOLE: u32 = 3;
/// The first form that knows of ports (Linux 6.7).
pub(super) const PORTS: u32 = 4;

/// Where libraries and what they read of the machine are.
const READ: [&str; 14] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/sys",
    "/proc/self",
    "/proc/sys",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/filesystems",
    "/run/pcscd",
    "/run/udev",
    "/dev/urandom",
];
/// What is written to as well: the terminal, and devices that libraries take for granted.
const WRITE: [&str; 4] = ["/dev/tty", "/dev/pts", "/dev/null", "/dev/random"];
/// Every device on USB, where a token is spoken to by it: keyboards and disks as well.
const USB: &str = "/dev/bus/usb";

/// How far a fence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// Around everything that it is for; by Landlock of this form.
    Whole(u32),
    /// By an old Landlock, or not around every thread that a module has started.
    Partly(u32),
    /// This kernel has none.
    None,
}

impl Fence {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Whole(form) => format!("fenced in (Landlock {form})"),
            Self::Partly(form) if form < WHOLE => format!("PARTLY fenced in (Landlock {form})"),
            Self::Partly(form) => format!("PARTLY fenced in: a module has threads (Landlock {form})"),
            Self::None => "NOT fenced in: this kernel has no Landlock".to_owned(),
        }
    }
}

/// Puts up the fence.
pub fn put_up(needs: &Needs) -> Fence {
    let Ok(status) = restrict(needs) else { return Fence::None };
    let form = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        _ => 0,
    };
    if status.ruleset == RulesetStatus::NotEnforced || form == 0 {
        return Fence::None;
    }
    // Threads that a module started before are outside, unless the kernel can bring them in.
    let threads = fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count);
    if form >= WHOLE && (status.all_threads || threads == 1) {
        Fence::Whole(form)
    } else {
        Fence::Partly(form)
    }
}

fn restrict(needs: &Needs) -> Result<RestrictionStatus, RulesetError> {
    let (read, all) = (AccessFs::from_read(ASKED) & !AccessFs::Execute, AccessFs::from_all(ASKED));
    let write = all & !AccessFs::Execute & !AccessFs::MakeBlock & !AccessFs::MakeChar;
    let device = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev;
    let rules = Ruleset::default()
        .handle_access(all)?
        .handle_access(AccessNet::from_all(ASKED))?
        .scope(Scope::from_all(ASKED))?
        .create()?;
    let rules = add(rules, READ.iter().map(PathBuf::from).chain(readable("/etc")), read)?;
    let devices = WRITE.into_iter().chain(needs.usb.then_some(USB));
    let rules = add(rules, devices.map(PathBuf::from), device)?;
    let rules = add(rules, needs.read.iter().cloned(), read)?;
    let files = needs.read.iter().filter(|path| path.is_file());
    let rules = add(rules, files.filter_map(|file| folder(file)), AccessFs::ReadDir.into())?;
    let rules = add(rules, needs.write.iter().cloned(), write)?;
    ports(rules, &needs.tcp)?.all_threads(true)?.restrict_self()
}

fn add(
    rules: RulesetCreated,
    paths: impl Iterator<Item = PathBuf>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    // What isn't there needs no way through.
    let paths: Vec<PathBuf> = paths.filter(|path| path.exists()).collect();
    rules.add_rules(path_beneath_rules(paths, access))
}

fn ports(rules: RulesetCreated, tcp: &Tcp) -> Result<RulesetCreated, RulesetError> {
    tcp.keys().try_fold(rules, |rules, port| rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp)))
}

/// The folder of a file, which may be the one where we are.
fn folder(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

/// What lies in a folder that anyone on the machine may read.
fn readable(folder: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(Path::new(folder)).map(|e| e.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let anyones = |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o4 != 0);
    entries.into_iter().map(|entry| entry.path()).filter(anyones).collect()
}
