//! The machine under a ceremony: what it is like, and what this process gives up before secrets come
//! into it.
//!
//! In order: the process is closed when it begins ([`close`]); modules are loaded; the network
//! interfaces are looked at ([`interfaces`]), by a socket that is kept, since a confined process gets
//! no other to ask again before each signature of root; then
//! [`confine`] locks memory, puts up the fence around files and filters system calls; then PINs are
//! asked for. An old kernel can do less. What was reached is told and recorded; limits can demand
//! all of it.
//!
//! Never: a measure that is left out because someone asked for it.

mod calls;
mod facts;
mod fence;
mod links;
mod memory;
mod modules;

pub use facts::{Kept, memory_of, secret_name, swaps_to_disk};
pub use fence::Fence;
pub use links::Interfaces;
pub use memory::Locked;
pub use modules::folders;

use crate::tuf::text::visible;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// TCP ports that modules of this session connect to, each with the host that it is for.
pub type Tcp = BTreeMap<u16, String>;

/// What stays in reach of a confined process, beside the system's libraries and the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files and folders to read; a file is opened by its folder, so the names there can be listed.
    pub read: Vec<PathBuf>,
    /// Folders to write in: the record, those of key files, those of modules.
    pub write: Vec<PathBuf>,
    /// Ports.
    pub tcp: Tcp,
    /// Whether tokens are spoken to by USB, by this program or a module.
    pub usb: bool,
    /// Whether sockets of the file system are needed: that of the smart card service, or whatever a
    /// PKCS#11 module speaks to.
    pub local: bool,
}

impl Needs {
    /// A port, and the host that it is for: more than one host may have it.
    pub fn connect(&mut self, port: u16, host: String) {
        let hosts = self.tcp.entry(port).or_default();
        if hosts.is_empty() {
            *hosts = host;
        } else if !hosts.split(" and ").any(|known| known == host) {
            *hosts = format!("{hosts} and {host}");
        }
    }
}

/// What a process has given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confined {
    /// Pages on a disk.
    pub memory: Locked,
    /// Whether there is swap in clear for what is not locked; asked before the fence hides it.
    pub swap: bool,
    /// Files.
    pub files: Fence,
    /// System calls, of both filters.
    pub calls: bool,
    /// What may still be connected to.
    pub tcp: Tcp,
    /// Whether sockets of the file system may be.
    pub local: bool,
}

impl Confined {
    /// What was not reached, by name; nothing where all was.
    pub fn missing(&self) -> Vec<&'static str> {
        let reached = [
            ("core dumps", !memory::core_dumps()),
            ("memory", memory::closed()),
            ("memory lock", self.memory.reached(self.swap)),
            ("files", matches!(self.files, Fence::Whole(_))),
            ("system calls", self.calls),
            ("connections", self.tcp.is_empty() || self.connections().starts_with("no other")),
        ];
        reached.into_iter().filter(|(_, reached)| !reached).map(|(name, _)| name).collect()
    }

    /// A fence knows ports, not whose they are (landlock(7)), so the host is what the device map says.
    fn connections(&self) -> String {
        let ports = self.tcp.iter().map(|(port, host)| format!("TCP port {port}, for {}", visible(host)));
        let ports: Vec<_> = ports.collect();
        match (ports.is_empty(), self.calls, self.files) {
            (_, false, _) => "NOT kept to any".to_owned(),
            (true, ..) => "none".to_owned(),
            (false, _, Fence::Whole(form) | Fence::Partly(form)) if form >= fence::PORTS => {
                format!("no other than to {}", ports.join("; "))
            }
            (false, ..) => format!("ANY by TCP, where it should be no other than to {}", ports.join("; ")),
        }
    }

    fn local(&self) -> &'static str {
        match (self.calls, self.local) {
            (false, _) => "NOT refused",
            (true, true) => "open, for modules and the smart card service",
            (true, false) => "none",
        }
    }

    /// What is recorded of it, by name.
    pub fn findings(&self) -> BTreeMap<String, String> {
        let missing = self.missing();
        let level =
            if missing.is_empty() { "full".to_owned() } else { format!("NOT full: {}", missing.join(", ")) };
        let calls = if self.calls { "filtered" } else { "NOT filtered: this kernel has no seccomp" };
        named([
            ("memory lock", self.memory.words()),
            ("files", self.files.words()),
            ("system calls", calls.to_owned()),
            ("connections", self.connections()),
            ("local sockets", self.local().to_owned()),
            ("confinement", level),
        ])
    }
}

/// Closes this process to others, once and before anything else; false if the kernel won't filter
/// its system calls.
pub fn close() -> bool {
    memory::close();
    calls::never()
}

/// The network interfaces of this process.
pub fn interfaces() -> Interfaces {
    links::look()
}

/// Gives up what a session doesn't need. Modules are loaded, and nothing secret is here yet.
pub fn confine(needs: &Needs) -> Confined {
    let memory = memory::lock();
    let swap = facts::swaps_to_disk();
    let files = fence::put_up(needs);
    let calls = calls::never() && calls::in_session(needs);
    Confined { memory, swap, files, calls, tcp: needs.tcp.clone(), local: needs.local }
}

/// What the machine is like, by name.
pub fn findings() -> BTreeMap<String, String> {
    let core = if memory::core_dumps() { "ON" } else { "off" };
    let memory =
        if memory::closed() { "closed to other programs" } else { "OPEN to other programs of the same user" };
    let mut found = named([("core dumps", core.to_owned()), ("memory", memory.to_owned())]);
    found.extend(named([("network", interfaces().words())]));
    found.extend(facts::all());
    found
}

fn named<const N: usize>(found: [(&str, String); N]) -> BTreeMap<String, String> {
    found.into_iter().map(|(name, finding)| (name.to_owned(), finding)).collect()
}
