//! The files of an upload that its lines hand to a program: what curl sends and fetches, and the
//! order in which a web server's files are put in place.
//!
//! One line uploads thousands of documents, and one fetches as many: the names stand in a config file of
//! curl and not in the line. Such a file tells curl what to read, to write and where to send it, so nobody
//! else's is ever handed to it: whoever reads an upload makes the files again from what they name, and
//! takes no others ([`super::named`]). Names have a closed alphabet, in which nothing ends a string or a line.

use crate::ceremony::facts::Trust;
use crate::record::manifest::FileName;
use crate::tuf::role::RoleName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Profile `notary`: what `curl --config` posts.
pub const POST: &str = "post.curl";
/// Profile `notary`: what `curl --config` fetches.
pub const FETCH: &str = "fetch.curl";
/// Profile `tuf`: the names of the files, in the order that keeps clients consistent.
pub const ORDER: &str = "ORDER";

/// Where the fetched documents are put, below the folder in which the line is typed.
const FETCHED: &str = "published";
/// What every config begins with: no name is taken for a pattern.
const CAREFUL: &str = "silent\nshow-error\ngloboff\n";

/// The config that posts documents in one request, each by its file's name and role.
pub(super) fn post<'a>(
    server: &str,
    collection: &str,
    parts: impl Iterator<Item = (&'a FileName, &'a RoleName)>,
) -> String {
    let mut text = format!("{CAREFUL}fail-with-body\n");
    let by_role: BTreeMap<&RoleName, &FileName> = parts.map(|(name, role)| (role, name)).collect();
    for (role, name) in by_role {
        let _ = writeln!(text, "form = \"files=@{};filename={}\"", name.as_str(), role.as_str());
    }
    let _ = writeln!(text, "url = \"{}/\"", base(server, collection));
    text
}

/// The config that fetches what the backend serves: the delegations first, since one may have no
/// document yet, so that curl's exit code is that of the last, the timestamp.
pub(super) fn fetch<'a>(
    server: &str,
    collection: &str,
    delegations: impl Iterator<Item = &'a RoleName>,
) -> String {
    let mut text = format!("{CAREFUL}fail\ncreate-dirs\nconnect-timeout = 30\n");
    for role in delegations.chain(&RoleName::TOP) {
        let name = role.as_str();
        let _ = writeln!(text, "url = \"{}/{name}.json\"", base(server, collection));
        let _ = writeln!(text, "output = \"{FETCHED}/{name}.json\"");
    }
    text
}

/// The names of a web server's files, a line each. Nobody asks for a versioned name before a timestamp
/// leads to it, but for the next root: so everything else is there before the roots, oldest first, and
/// the timestamp comes last.
pub(super) fn order<'a>(parts: impl Iterator<Item = (&'a FileName, &'a RoleName)>) -> String {
    let version = |name: &FileName| name.as_str().split('.').next().and_then(|n| n.parse::<u64>().ok());
    let mut ordered: Vec<_> = parts.map(|(name, role)| (rank(role), version(name), name)).collect();
    ordered.sort();
    ordered.iter().flat_map(|(_, _, name)| [name.as_str(), "\n"]).collect()
}

const fn rank(role: &RoleName) -> u8 {
    match role {
        RoleName::Delegated(_) => 0,
        RoleName::Targets => 1,
        RoleName::Snapshot => 2,
        RoleName::Root => 3,
        RoleName::Timestamp => 4,
    }
}

fn base(server: &str, collection: &str) -> String {
    format!("{server}/v2/{collection}/_trust/tuf")
}

/// Whether a role's name may stand in a config: the names that a Notary backend takes.
pub(super) fn plain(role: &RoleName) -> bool {
    role.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_/".contains(&b))
}

/// The applications that a config fetches, if it is the very one that keyrite makes for a server and a trust.
pub(super) fn fetched(text: &str, server: &str, trust: &Trust) -> Option<BTreeSet<RoleName>> {
    let roles = applications(text);
    let own = roles.iter().all(plain) && text == fetch(server, &trust.collection, roles.iter());
    own.then_some(roles)
}

/// The applications that a config names, be it keyrite's or not.
pub(super) fn applications(text: &str) -> BTreeSet<RoleName> {
    let begins = format!("output = \"{FETCHED}/");
    let names = text.lines().filter_map(|line| line.strip_prefix(&begins)?.strip_suffix(".json\""));
    names.map(RoleName::from_name).filter(|role| !RoleName::TOP.contains(role)).collect()
}
