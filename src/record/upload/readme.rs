//! README.txt: the lines that people type to hand an upload over and to fetch what is served.
//!
//! For a POSIX shell, curl and the GNU tools of an ordinary machine. Every line is copied whole and works
//! for one document as for forty thousand: no line holds the names, so none outgrows what the system
//! takes. Never: a line that needs anything of keyrite on that machine.

use super::Part;
use super::lines::{FETCH, ORDER, POST, fetched};
use crate::ceremony::facts::{Stage, Trust};
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::text::visible;
use crate::tuf::wire;
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(super) fn readme(
    trust: &Trust,
    change: Option<Digest>,
    parts: &[Part<'_>],
    server: Option<&str>,
) -> String {
    let mut text =
        format!("Upload for {} ({}, profile {})\n", trust.collection, trust.stage.name(), trust.profile);
    if trust.stage == Stage::Rehearsal {
        text.push_str("REHEARSAL: throw-away keys. Only for a backend on this machine (loopback).\n");
    }
    let _ = writeln!(text, "trust {}", trust.id);
    if let Some(change) = change {
        let _ = writeln!(text, "change {change}");
    }
    text.push('\n');
    for part in parts {
        let _ = writeln!(
            text,
            "  {}  {} version {}, {} bytes",
            part.name.as_str(),
            part.role,
            part.version,
            part.size
        );
    }
    text.push_str("\nType the lines below in this folder, in a POSIX shell.\n");
    match trust.profile {
        Profile::Notary => notary(&mut text, trust, parts, server),
        Profile::Tuf => tuf(&mut text, parts),
    }
    text
}

/// The address that stands for the backend's where nobody has named it.
pub(super) fn example(trust: &Trust) -> &'static str {
    if trust.stage == Stage::Rehearsal { "http://127.0.0.1:4443" } else { "https://notary.example.com" }
}

/// The address that the line names by which an upload's README begins to be typed, if it names one.
pub(super) fn named_server(readme: &str) -> Option<&str> {
    readme.lines().find_map(|line| line.strip_prefix("    URL='")?.strip_suffix('\''))
}

/// The command that hands one of the configs to curl.
fn curl(trust: &Trust, server: Option<&str>, config: &str) -> String {
    let token = "-H \"Authorization: Bearer ${TOKEN-}\"";
    match server {
        Some(_) => format!("curl -K {config} {token}"),
        None => format!("sed \"s|{}|$URL|\" {config} | curl -K - {token}", example(trust)),
    }
}

/// The applications that a config fetches from this backend and no other; none for any config that keyrite
/// does not make for it. Without a server that of the example, whose place `$URL` takes.
pub fn asks(trust: &Trust, server: Option<&str>, config: &str) -> Option<BTreeSet<RoleName>> {
    fetched(config, server.unwrap_or(example(trust)), trust)
}

/// The line that fetches what the backend serves now into the folder published, by the config at `path`, as
/// a shell takes it. Whose config it is [`asks`] says.
pub fn fetch_line(trust: &Trust, server: Option<&str>, path: &str) -> String {
    format!("{EMPTY} {}", curl(trust, server, path))
}

/// Lets the rest of its line be typed only where every file is as MANIFEST says.
const WHOLE: &str = "sed 1d MANIFEST | awk '{ print $1 \"  \" $3 }' | sha256sum -c --quiet &&";

/// Nothing of an earlier fetch stands beside what is served now: one that the backend no longer has would
/// be taken in as if it had.
const EMPTY: &str = "rm -rf published &&";

/// Lets it be emptied only where it is not, and does not hold, the repository that clients fetch from.
const APART: &str = "case \"$(cd \"$REPO\" && pwd -P)/\" in \"$(pwd -P)\"/published/*)\n        \
    echo 'REPO is in the folder published: type this in another folder' >&2; false ;; esac &&";

fn address(trust: &Trust, server: Option<&str>) -> String {
    let rehearsal = trust.stage == Stage::Rehearsal;
    let mut text = format!("\nThe backend's address:\n\n    URL='{}'\n", server.unwrap_or(example(trust)));
    if rehearsal {
        text.push_str(
            "    case \"$URL\" in http*://127.*|http*://localhost*|http*://\\[::1\\]*) ;; \
             *) echo 'loopback only'; URL= ;; esac\n",
        );
    }
    text
}

/// How to ask the registry's token server (Docker registry token authentication).
fn token(trust: &Trust) -> String {
    format!(
        "\nA token that may push. The first line shows realm and service; where the backend answers\n\
         200 it asks for none: then only TOKEN= is needed.\n\n    \
         curl -sS -o /dev/null -D - \"$URL/v2/\"\n    \
         REALM='https://auth.example.com/token' SERVICE='notary' NAME='your name there'\n    \
         TOKEN=$(curl -sS --fail -u \"$NAME\" \
         \"$REALM?service=$SERVICE&scope=repository:{}:push,pull\" |\n      \
         sed -n 's/.*\"token\" *: *\"\\([^\"]*\\)\".*/\\1/p')\n",
        trust.collection
    )
}

fn notary(text: &mut String, trust: &Trust, parts: &[Part<'_>], server: Option<&str>) {
    text.push_str(&address(trust, server));
    text.push_str(&token(trust));
    let _ = write!(
        text,
        "\nHand it over, in one line, with the token if it asks for one: the files are checked, and all of\n\
         them go up in one request, of which the backend takes all or nothing. No output and exit code 0\n\
         mean that it was taken. {POST} has the files and the address.\n\n    \
         {WHOLE}\n      {}\n",
        curl(trust, server, POST)
    );
    let _ = write!(
        text,
        "\nFetch what it serves now, in one line, into the folder published, which is emptied first. 404 for\n\
         an application says that nobody has released for it yet. {FETCH} has the names.\n\n    \
         {EMPTY} {}\n\n\
         Carry the folder published to where the record is, and take it in: keyrite compares the\n\
         bytes. RECORD is the record's directory.\n\n    \
         keyrite -C RECORD import published\n",
        curl(trust, server, FETCH)
    );
    text.push_str(&pins(trust, parts));
    text.push_str(&fetch_keys(trust, server));
}

/// What fresh clients that pin root keys need from this root on (notary-v1 6): a certificate's id
/// is another with every new certificate, and pins count towards the threshold.
fn pins(trust: &Trust, parts: &[Part<'_>]) -> String {
    let root = parts.iter().find(|part| *part.role == RoleName::Root);
    let read = root.and_then(|part| wire::parse(trust.profile, part.role, part.bytes).ok());
    let role = read.as_ref().and_then(|root| root.payload().document().as_root()?.roles.get(&RoleName::Root));
    let Some(role) = role else { return String::new() };
    let ids: Vec<_> = role.keyids.iter().map(|id| format!("\"{}\"", visible(id.as_str()))).collect();
    format!(
        "\nPublish these ids of root's certificates for clients that pin them on first contact: before it\n\
         goes up, beside those of the root before; once it is up, these alone. Clients that know an older\n\
         root need nothing. In the client's config.json:\n\n    \
         {{\"trust_pinning\": {{\"certs\": {{\"{}\": [\n      {}]}}}}}}\n",
        trust.collection,
        ids.join(",\n      ")
    )
}

/// The lines that fetch the backend's public keys, for people to type once, before the first root.
///
/// Before a root exists every request may make another key (notary-v1 4.1), so it is done once and
/// the files are kept.
pub fn fetch_keys(trust: &Trust, server: Option<&str>) -> String {
    let mut text =
        "\nOnly before the first root, and only once, since each request may make another key: the\n\
         backend's public keys, for enroll-key.\n"
            .to_owned();
    text.push_str(&address(trust, server));
    text.push_str(&token(trust));
    text.push('\n');
    for role in ["snapshot", "timestamp"] {
        let _ = write!(
            text,
            "    curl -sS --fail -H \"Authorization: Bearer $TOKEN\" -o {role}.key \\\n      \
             \"$URL/v2/{}/_trust/tuf/{role}.key\"\n",
            trust.collection
        );
    }
    text
}

/// Files for a web server, in the order of [`ORDER`].
fn tuf(text: &mut String, parts: &[Part<'_>]) {
    let place = "REPO=/srv/tuf/metadata";
    let _ = write!(
        text,
        "\nREPO is where the web server has the repository's metadata. Hand it over, in one line: the files\n\
         are checked, then each appears under its name at once or not at all, in the order of {ORDER}.\n\n    \
         {place}; {WHOLE}\n      \
         (while read -r name; do cp \"$name\" \"$REPO/$name.new\" &&\n        \
         mv \"$REPO/$name.new\" \"$REPO/$name\" || exit; done < {ORDER})\n"
    );
    let _ = write!(
        text,
        "\nFetch what is served now, in one line, into the folder published, which is emptied first:\n\n    \
         {place}; {APART}\n      \
         {EMPTY} mkdir published &&\n      \
         find \"$REPO/\" -maxdepth 1 -name '*.json' -exec cp -t published {{}} +\n\n\
         Carry the folder published to where the record is, and take it in. RECORD is the record's\n\
         directory.\n\n    \
         keyrite -C RECORD import published\n"
    );
    if parts.iter().all(|part| *part.role != RoleName::Timestamp) {
        text.push_str(
            "\nClients see it once a snapshot and a timestamp lead to it: keyrite sign-snapshot\n\
             --unattended makes both, and an upload of their own.\n",
        );
    }
}
