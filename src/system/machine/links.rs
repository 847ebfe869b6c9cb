//! The network interfaces that this program could use, asked of the kernel by a routing socket
//! (rtnetlink(7)): `/sys/class/net` shows those of the namespace that mounted it.
//!
//! An interface counts as up if it has been set up, with a cable in it or not: a cable can be put in
//! while people look at the tokens. The machine's own loop never counts.

use crate::tuf::text::visible;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{bind, recv, sendto, socket_with};
use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

/// `RTM_GETLINK`, `RTM_NEWLINK`, `NLMSG_DONE` and `NLMSG_ERROR` (linux/rtnetlink.h, linux/netlink.h)
const GETLINK: u16 = 18;
const NEWLINK: u16 = 16;
const DONE: u16 = 3;
const ERROR: u16 = 2;
/// `NLM_F_REQUEST | NLM_F_DUMP`
const ALL: u16 = 0x301;
/// `IFF_UP` and `IFF_LOOPBACK` (linux/if.h), `IFLA_IFNAME` (`linux/if_link.h`)
const UP: u32 = 1;
const LOOPBACK: u32 = 8;
const NAME: u16 = 3;
/// The heads of a message and of what it says of one interface, in bytes.
const HEAD: usize = 16;
const LINK: usize = 16;

/// The interfaces of the namespace that this program is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Those that are up, by name; none where the kernel doesn't say.
    pub up: Option<BTreeSet<String>>,
    /// Those that the machine has outside this namespace.
    pub apart: BTreeSet<String>,
}

impl Interfaces {
    /// No interface at all.
    pub fn none() -> Self {
        Self { up: Some(BTreeSet::new()), apart: BTreeSet::new() }
    }

    /// Whether it is certain that none is up.
    pub fn offline(&self) -> bool {
        self.up.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// In words, safe to show.
    pub fn words(&self) -> String {
        let list =
            |names: &BTreeSet<String>| names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
        match &self.up {
            None => "unknown".to_owned(),
            Some(up) if !up.is_empty() => format!("UP: {}", list(up)),
            Some(_) if self.apart.is_empty() => "none is up".to_owned(),
            Some(_) => format!("none is up for this program; the machine also has {}", list(&self.apart)),
        }
    }
}

/// Asks the kernel.
pub fn look() -> Interfaces {
    let Some(links) = ask() else { return Interfaces::default() };
    let here: BTreeSet<&String> = links.iter().map(|link| &link.name).collect();
    // What the machine shows of itself can be another namespace's.
    let entries = fs::read_dir("/sys/class/net").map(|e| e.flatten().collect::<Vec<_>>()).unwrap_or_default();
    // Its own files, such as bonding_masters, are no interfaces.
    let shown = entries.into_iter().filter(|e| e.path().join("flags").exists());
    let shown = shown.map(|e| e.file_name().to_string_lossy().into_owned());
    // As is that of the first process, where it may be read.
    let first = fs::read_to_string("/proc/1/net/dev").unwrap_or_default();
    let apart = shown.chain(table(&first)).filter(|name| !here.contains(name)).collect();
    let up = links.iter().filter(|link| link.flags & UP != 0 && link.flags & LOOPBACK == 0);
    Interfaces { up: Some(up.map(|link| link.name.clone()).collect()), apart }
}

/// The names in a table of interfaces (proc(5)): a line each, the name to a colon, after two of heading.
fn table(text: &str) -> impl Iterator<Item = String> + '_ {
    let names = text.lines().skip(2).filter_map(|line| line.rsplit_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).filter(|name| !name.is_empty())
}

struct Link {
    name: String,
    flags: u32,
}

/// The socket by which the kernel was asked first: a confined process gets no other.
static KEPT: Mutex<Option<OwnedFd>> = Mutex::new(None);

fn open() -> Option<OwnedFd> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).ok()?;
    bind(&socket, &SocketAddrNetlink::new(0, 0)).ok()?;
    Some(socket)
}

fn ask() -> Option<Vec<Link>> {
    // One at a time, since answers come by the same socket.
    let mut kept = KEPT.lock().ok()?;
    if kept.is_none() {
        *kept = open();
    }
    let socket = kept.as_ref()?;
    let mut request = Vec::with_capacity(HEAD.saturating_add(LINK));
    request.extend(u32::try_from(HEAD.saturating_add(LINK)).ok()?.to_ne_bytes());
    request.extend(GETLINK.to_ne_bytes());
    request.extend(ALL.to_ne_bytes());
    request.extend([0; 8]); // the first of its kind, from whoever this is
    request.extend([0; LINK]); // every interface, of any family
    sendto(socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).ok()?;
    let mut links = Vec::new();
    // The kernel says when it has said all; it never says as much as this.
    for _ in 0..1024 {
        let mut answer = vec![0; 64 * 1024];
        let (length, _) = recv(socket, answer.as_mut_slice(), RecvFlags::empty()).ok()?;
        if read(answer.get(..length)?, &mut links)? {
            return Some(links);
        }
    }
    None
}

/// Reads some messages; true after the last one, none if they are no answer.
fn read(mut bytes: &[u8], links: &mut Vec<Link>) -> Option<bool> {
    while bytes.len() >= HEAD {
        let length = usize::try_from(number(bytes)?).ok()?;
        let message = bytes.get(..length).filter(|message| message.len() >= HEAD)?;
        match short(message.get(4..)?)? {
            DONE => return Some(true),
            ERROR => return None,
            NEWLINK => links.push(link(message.get(HEAD..)?)?),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(false)
}

fn link(body: &[u8]) -> Option<Link> {
    let flags = number(body.get(8..)?)?;
    let mut rest = body.get(LINK..)?;
    loop {
        let length = usize::from(short(rest)?);
        let kind = short(rest.get(2..)?)?;
        let value = rest.get(4..length)?;
        if kind == NAME {
            let name = value.split(|byte| *byte == 0).next()?;
            return Some(Link { name: String::from_utf8_lossy(name).into_owned(), flags });
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_ne_bytes(*four))
}

fn short(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|two| u16::from_ne_bytes(*two))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEAD + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn one(name: &str, flags: u32) -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        // An attribute of another kind first, of an odd length.
        for (kind, value) in [(1_u16, b"\x01\x02\x03".to_vec()), (NAME, [name.as_bytes(), b"\0"].concat())] {
            body.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(&value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        message(NEWLINK, &body)
    }

    #[test]
    fn messages_are_read_to_the_last_and_broken_ones_are_no_answer() {
        let mut links = Vec::new();
        let two = [one("lo", UP | LOOPBACK), one("wlan0", 0)].concat();
        assert_eq!(read(&two, &mut links), Some(false), "more comes");
        let names: Vec<_> = links.iter().map(|l| (l.name.as_str(), l.flags)).collect();
        assert_eq!(names, [("lo", UP | LOOPBACK), ("wlan0", 0)]);
        assert_eq!(read(&message(DONE, &[0; 4]), &mut links), Some(true));
        assert_eq!(read(&message(ERROR, &[0; 4]), &mut links), None);
        for length in 17..two.len() - 4 {
            // Cut anywhere: never a panic, and never an interface that is half a name.
            let mut links = Vec::new();
            let _ = read(&two[..length], &mut links);
            assert!(links.iter().all(|l| l.name == "lo" || l.name == "wlan0"), "{length}");
        }
        let mut endless = one("eth0", UP);
        endless[32] = 0; // an attribute of no length
        assert_eq!(read(&endless, &mut Vec::new()), None);
    }

    #[test]
    fn a_table_of_another_namespace_names_its_interfaces() {
        let heading = "Inter-|   Receive\n face |bytes    packets\n";
        let text = format!("{heading}    lo:  1 2 3\n  eth0: 4 5 6\neth0:1:44 5 6\nbroken\n");
        assert_eq!(table(&text).collect::<Vec<_>>(), ["lo", "eth0", "eth0:1"]);
        assert_eq!(table("").count() + table(heading).count(), 0);
    }

    #[test]
    fn this_machine_answers() {
        let links = ask().unwrap();
        assert!(links.iter().any(|link| link.name == "lo" && link.flags & LOOPBACK != 0));
    }

    #[test]
    fn what_is_up_is_said_and_nothing_else() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        for (up, apart, offline, words) in [
            (None, &[][..], false, "unknown"),
            (Some(&[][..]), &[], true, "none is up"),
            (Some(&["wlan0", "eth0"]), &["x"], false, "UP: eth0, wlan0"),
            (Some(&["e\u{202e}th0"]), &[], false, "UP: e\\u{202e}th0"),
            (Some(&[]), &["eth0"], true, "none is up for this program; the machine also has eth0"),
        ] {
            let found = Interfaces { up: up.map(names), apart: names(apart) };
            assert_eq!((found.offline(), found.words().as_str()), (offline, words));
        }
    }
}
