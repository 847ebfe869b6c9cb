//! An upload's texts, made again from what they name: people type the lines of README.txt into a shell, and
//! curl does what its configs say, so nobody else's words are ever taken for keyrite's.
//!
//! MANIFEST, the documents, the backend's address and the applications to fetch are all that the texts say.
//! The first two the record has; the others have closed forms. Whether the address is the backend's, only
//! the device map knows.

use super::readme::{example, named_server};
use super::{FETCH, Part, README, check_server, file_name, lines, texts};
use crate::ceremony::facts::Trust;
use crate::record::manifest::{FileName, Line, Manifest};
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use std::collections::{BTreeMap, BTreeSet};

/// What an upload's texts say for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// The backend's address; none where whoever hands it over is to type it, and in profile `tuf`.
    pub server: Option<String>,
    /// The applications that are fetched.
    pub fetched: BTreeSet<RoleName>,
}

/// What the texts of an upload name, if they are the very ones that keyrite makes for MANIFEST and these
/// documents; none if a byte differs, or one is missing or too many. `version` is that of a document by the
/// digest of its file; `root` is the file of the root that it carries.
pub fn named(
    trust: &Trust,
    manifest: &Manifest,
    given: &BTreeMap<FileName, Vec<u8>>,
    version: impl Fn(&Digest) -> Option<u64>,
    root: &[u8],
) -> Option<Named> {
    let mut parts = Vec::new();
    for (name, line) in &manifest.files {
        let Some(role) = &line.role else { continue };
        parts.push(part(trust, name, line, role, version(&line.sha)?, root)?);
    }
    // As they are made: older roots first, then by role.
    parts.sort_by_key(|part| (part.role, part.version));
    let newest = parts.iter().filter(|part| *part.role == RoleName::Root).map(|part| part.version).max();
    let (mut older, by_role): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| *part.role == RoleName::Root && Some(part.version) != newest);
    older.extend(by_role);

    let text = |name: &str| {
        let bytes = given.iter().find(|(file, _)| file.as_str() == name)?.1;
        std::str::from_utf8(bytes).ok()
    };
    let readme = text(README)?;
    let fetched = text(FETCH).map(lines::applications).unwrap_or_default();
    if !fetched.iter().all(lines::plain) {
        return None;
    }
    let address = (trust.profile == Profile::Notary).then(|| named_server(readme)).flatten();
    // The address of the example is also what stands where nobody has named one.
    let open = address.is_none_or(|address| address == example(trust));
    let ways = [open.then_some(None), address.map(Some)];
    let server = ways.into_iter().flatten().find(|server| {
        let made = || texts(trust, manifest.change, &older, &fetched.iter().collect(), *server);
        check_server(trust.stage, *server).is_ok() && same(&made(), given)
    })?;
    Some(Named { server: server.map(str::to_owned), fetched })
}

fn part<'a>(
    trust: &Trust,
    name: &FileName,
    line: &Line,
    role: &'a RoleName,
    version: u64,
    root: &'a [u8],
) -> Option<Part<'a>> {
    let own = file_name(trust.profile, role, version).is_ok_and(|own| own == *name);
    let bytes = if *role == RoleName::Root { root } else { &[] };
    own.then(|| Part { name: name.clone(), role, version, size: line.size, bytes })
}

fn same(made: &BTreeMap<&'static str, String>, given: &BTreeMap<FileName, Vec<u8>>) -> bool {
    let given = given.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    given.eq(made.iter().map(|(name, text)| (*name, text.as_bytes())))
}
