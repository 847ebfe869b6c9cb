//! Uploads: what to hand to the backend, and the exact lines that do it.
//!
//! A folder, flat, no archives (threats T17). In `notary` one POST, which the backend takes as a
//! whole or not at all (notary-v1 4.1); in `tuf` files for a web server, in the order that keeps
//! clients consistent. Each is one line, however many documents there are, and so is fetching what the
//! backend serves. The lines are for a POSIX shell and curl on an ordinary machine; nothing here
//! reaches a network.

mod lines;
mod readme;
mod remade;

use super::manifest::{FileName, Line, Manifest};
use super::rules;
use crate::ceremony::facts::{Stage, Trust};
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
pub use lines::{FETCH, ORDER, POST};
pub use readme::{asks, fetch_keys, fetch_line};
use readme::{example, readme};
pub use remade::{Named, named};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The name of the file with the lines to type.
pub const README: &str = "README.txt";

/// A folder to hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    manifest: Vec<u8>,
    files: BTreeMap<FileName, Vec<u8>>,
}

/// What goes with an upload beside the documents that it is about.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The roots before the newest, by version: in profile `tuf` a client that missed some asks for
    /// every one (TUF 5.3.3), and several may have been sealed since the last upload.
    pub roots: Vec<(u64, Vec<u8>)>,
    /// Every delegation of the trust, whose documents the backend may serve: what is fetched.
    pub delegations: BTreeSet<RoleName>,
}

/// A document that goes up, by its file's name.
struct Part<'a> {
    name: FileName,
    role: &'a RoleName,
    version: u64,
    size: u64,
    /// The document; of the one that lists what fresh clients pin no more is needed than that.
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn new(profile: Profile, role: &'a RoleName, version: u64, bytes: &'a [u8]) -> Result<Self> {
        let name = file_name(profile, role, version)?;
        Ok(Self { name, role, version, size: u64::try_from(bytes.len()).unwrap_or(u64::MAX), bytes })
    }
}

impl Upload {
    /// What goes up: by role, the version and the sealed file. `change` is the one that made them,
    /// none for online roles'. `server` is the backend's address, or none to leave it to people.
    ///
    /// # Errors
    ///
    /// `UPLOAD-STAGE` for a rehearsal and a server that isn't on loopback; `UPLOAD-SERVER`;
    /// `ROLE-NAME` for a role that the backend takes under no name.
    pub fn new(
        trust: &Trust,
        change: Option<Digest>,
        documents: &BTreeMap<RoleName, (u64, Vec<u8>)>,
        server: Option<&str>,
    ) -> Result<Self> {
        Self::with(trust, change, documents, &Beside::default(), server)
    }

    /// The same with what is no part of the change.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with(
        trust: &Trust,
        change: Option<Digest>,
        documents: &BTreeMap<RoleName, (u64, Vec<u8>)>,
        beside: &Beside,
        server: Option<&str>,
    ) -> Result<Self> {
        check_server(trust.stage, server)?;
        let mut parts = Vec::new();
        for (version, bytes) in &beside.roots {
            parts.push(Part::new(trust.profile, &RoleName::Root, *version, bytes)?);
        }
        for (role, (version, bytes)) in documents {
            parts.push(Part::new(trust.profile, role, *version, bytes)?);
        }
        let fetched = documents.keys().filter(|role| matches!(role, RoleName::Delegated(_)));
        let fetched = fetched.chain(&beside.delegations).filter(|role| lines::plain(role)).collect();
        let texts = texts(trust, change, &parts, &fetched, server);
        let mut lines = BTreeMap::new();
        let mut files = BTreeMap::new();
        for part in parts {
            lines.insert(part.name.clone(), Line::of(part.bytes, Some(part.role.clone())));
            files.insert(part.name, part.bytes.to_vec());
        }
        for (name, text) in texts {
            let name = FileName::parse(name)?;
            lines.insert(name.clone(), Line::of(text.as_bytes(), None));
            files.insert(name, text.into_bytes());
        }
        let manifest = Manifest { trust: trust.id, stage: trust.stage, change, files: lines };
        Ok(Self { manifest: manifest.to_text().into_bytes(), files })
    }

    /// The bytes of MANIFEST; the folder is named by their SHA-256.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// Everything but MANIFEST, by name.
    pub const fn files(&self) -> &BTreeMap<FileName, Vec<u8>> {
        &self.files
    }
}

/// The files that are no documents, by name; `fetched` are the applications that FETCH asks for.
fn texts(
    trust: &Trust,
    change: Option<Digest>,
    parts: &[Part<'_>],
    fetched: &BTreeSet<&RoleName>,
    server: Option<&str>,
) -> BTreeMap<&'static str, String> {
    let mut texts = BTreeMap::from([(README, readme(trust, change, parts, server))]);
    let named = || parts.iter().map(|part| (&part.name, part.role));
    match trust.profile {
        Profile::Notary => {
            let (server, collection) = (server.unwrap_or(example(trust)), &trust.collection);
            texts.insert(POST, lines::post(server, collection, named()));
            texts.insert(FETCH, lines::fetch(server, collection, fetched.iter().copied()));
        }
        Profile::Tuf => drop(texts.insert(ORDER, lines::order(named()))),
    }
    texts
}

/// The name of a document's file: as clients ask for it in `tuf` (TUF 6.2, consistent snapshots,
/// the role's name percent-encoded), by role in `notary`.
fn file_name(profile: Profile, role: &RoleName, version: u64) -> Result<FileName> {
    match profile {
        Profile::Notary => {
            if !lines::plain(role) {
                return Err(Refusal::new(
                    &crate::tuf::rules::ROLE_NAME,
                    format!("\"{role}\""),
                    "a role's name of a-z, 0-9, \"-\", \"_\" and \"/\", as the backend takes it",
                ));
            }
            FileName::parse(&format!("{}.json", role.file_name()))
        }
        Profile::Tuf if *role == RoleName::Timestamp => FileName::parse("timestamp.json"),
        Profile::Tuf => {
            let mut name = format!("{version}.");
            for byte in role.as_str().bytes() {
                if byte.is_ascii_alphanumeric() || b"._~-".contains(&byte) {
                    name.push(char::from(byte));
                } else {
                    let _ = write!(name, "%{byte:02X}");
                }
            }
            FileName::parse(&format!("{name}.json"))
        }
    }
}

/// Refuses an address that can't stand in a line for a shell, and for a rehearsal any that isn't
/// this very machine.
///
/// # Errors
///
/// `UPLOAD-SERVER`, `UPLOAD-STAGE`.
pub fn check_server(stage: Stage, server: Option<&str>) -> Result<()> {
    let Some(server) = server else { return Ok(()) };
    let letters = server.bytes().all(|b| b.is_ascii_alphanumeric() || b".:/[]_-".contains(&b));
    let rest = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
    let (Some(rest), true) = (rest.filter(|rest| !rest.is_empty()), letters) else {
        return Err(Refusal::new(
            &rules::UPLOAD_SERVER,
            format!("\"{}\"", visible(server)),
            "an address as https://notary.example.com",
        ));
    };
    let host = rest.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let loopback = host == "localhost"
        || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
        || host.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback());
    if stage == Stage::Rehearsal && !loopback {
        return Err(Refusal::new(
            &rules::UPLOAD_STAGE,
            format!("a rehearsal's upload to \"{}\"", visible(server)),
            "an address on this machine: 127.0.0.1, [::1] or localhost",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
