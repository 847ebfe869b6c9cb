//! Uploads: what to hand to the backend, and the exact lines that do it.
//!
//! A folder, flat, no archives (threats T17). In `notary` one POST, which the backend takes as a
//! whole or not at all (notary-v1 4.1); in `tuf` files for a web server, in the order that keeps
//! clients consistent. Each is one line, however many documents there are, and so is fetching what the
//! backend serves. The lines are for a POSIX shell and curl on an ordinary machine; nothing here
//! reaches a network.

mod lines;
mod readme;

use super::manifest::{FileName, Line, Manifest};
use super::rules;
use crate::ceremony::facts::{Stage, Trust};
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
pub use lines::{FETCH, ORDER, POST, own};
pub use readme::{asks, fetch_keys, fetch_line};
use readme::{example, readme};
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
    bytes: &'a [u8],
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
            let name = file_name(trust.profile, &RoleName::Root, *version)?;
            parts.push(Part { name, role: &RoleName::Root, version: *version, bytes });
        }
        for (role, (version, bytes)) in documents {
            let name = file_name(trust.profile, role, *version)?;
            parts.push(Part { name, role, version: *version, bytes });
        }
        let mut texts = BTreeMap::from([(README, readme(trust, change, &parts, server))]);
        let named = || parts.iter().map(|part| (&part.name, part.role));
        match trust.profile {
            Profile::Notary => {
                let (server, collection) = (server.unwrap_or(example(trust)), &trust.collection);
                let roles = documents.keys().filter(|role| matches!(role, RoleName::Delegated(_)));
                let roles: BTreeSet<_> =
                    roles.chain(&beside.delegations).filter(|r| lines::plain(r)).collect();
                texts.insert(POST, lines::post(server, collection, named()));
                texts.insert(FETCH, lines::fetch(server, collection, roles.into_iter()));
            }
            Profile::Tuf => drop(texts.insert(ORDER, lines::order(named()))),
        }
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
fn check_server(stage: Stage, server: Option<&str>) -> Result<()> {
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
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;
    use crate::tuf::statement::TrustId;

    fn trust(profile: Profile, stage: Stage) -> Trust {
        Trust {
            id: TrustId::from_bytes([1; 16]),
            profile,
            collection: "updates.example.com/apps".to_owned(),
            stage,
            shadows: None,
            start: None,
        }
    }

    fn documents(names: &[&str]) -> BTreeMap<RoleName, (u64, Vec<u8>)> {
        names.iter().map(|name| (RoleName::from_name(name), (3, name.as_bytes().to_vec()))).collect()
    }

    fn names(upload: &Upload) -> Vec<&str> {
        upload.files().keys().map(FileName::as_str).collect()
    }

    fn file(upload: &Upload, name: &str) -> String {
        String::from_utf8(upload.files()[&FileName::parse(name).unwrap()].clone()).unwrap()
    }

    fn text(upload: &Upload) -> String {
        file(upload, README)
    }

    #[test]
    fn notary_is_one_request() {
        let all = documents(&["root", "targets", "targets/camera-station"]);
        let made = Upload::new(
            &trust(Profile::Notary, Stage::Production),
            None,
            &all,
            Some("https://n.example.com"),
        )
        .unwrap();
        let listed = [
            "README.txt",
            "fetch.curl",
            "post.curl",
            "root.json",
            "targets%2Fcamera-station.json",
            "targets.json",
        ];
        assert_eq!(names(&made), listed);
        let text = text(&made);
        for line in [
            "URL='https://n.example.com'",
            "sha256sum -c --quiet &&\n      curl -K post.curl -H \"Authorization: Bearer ${TOKEN-}\"\n",
            "    rm -rf published && curl -K fetch.curl -H \"Authorization: Bearer ${TOKEN-}\"\n",
            "scope=repository:updates.example.com/apps:push,pull",
            "-o snapshot.key",
            "-o timestamp.key",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        let expected = "silent\nshow-error\ngloboff\nfail-with-body\n\
            form = \"files=@root.json;filename=root\"\n\
            form = \"files=@targets.json;filename=targets\"\n\
            form = \"files=@targets%2Fcamera-station.json;filename=targets/camera-station\"\n\
            url = \"https://n.example.com/v2/updates.example.com/apps/_trust/tuf/\"\n";
        assert_eq!(file(&made, POST), expected);
        let manifest = Manifest::parse(made.manifest()).unwrap();
        manifest.check(made.files()).unwrap();
    }

    #[test]
    fn tuf_comes_in_the_order_that_keeps_clients_consistent() {
        let all = documents(&["root", "targets", "snapshot", "timestamp", "camera-station.beta"]);
        let made = Upload::new(&trust(Profile::Tuf, Stage::Production), None, &all, None).unwrap();
        let order =
            "3.camera-station.beta.json\n3.targets.json\n3.snapshot.json\n3.root.json\ntimestamp.json\n";
        assert_eq!(file(&made, ORDER), order);
        assert!(text(&made).contains("done < ORDER)"), "{}", text(&made));
    }

    #[test]
    fn a_client_that_missed_roots_finds_each_of_them() {
        let trust = trust(Profile::Tuf, Stage::Production);
        let roots = [1, 2, 10].map(|version| (version, format!("root {version}").into_bytes())).into();
        let all = documents(&["targets", "snapshot", "timestamp"]);
        let beside = Beside { roots, ..Beside::default() };
        let made = Upload::with(&trust, None, &all, &beside, None).unwrap();
        let order =
            "3.targets.json\n3.snapshot.json\n1.root.json\n2.root.json\n10.root.json\ntimestamp.json\n";
        assert_eq!(file(&made, ORDER), order);
        Manifest::parse(made.manifest()).unwrap().check(made.files()).unwrap();
    }

    #[test]
    fn a_rehearsal_goes_to_loopback_and_addresses_are_plain() {
        for (server, stage, rule) in [
            ("http://127.0.0.1:4443", Stage::Rehearsal, None),
            ("https://localhost", Stage::Rehearsal, None),
            ("http://[::1]:80/x", Stage::Rehearsal, None),
            ("https://notary.example.com", Stage::Production, None),
            ("https://notary.example.com", Stage::Rehearsal, Some(&rules::UPLOAD_STAGE)),
            ("https://127.0.0.1.example.com", Stage::Rehearsal, Some(&rules::UPLOAD_STAGE)),
            ("https://localhost.example.com", Stage::Rehearsal, Some(&rules::UPLOAD_STAGE)),
            ("https://127.0.0.1@example.com", Stage::Rehearsal, Some(&rules::UPLOAD_SERVER)),
            ("ftp://127.0.0.1", Stage::Rehearsal, Some(&rules::UPLOAD_SERVER)),
            ("https://", Stage::Production, Some(&rules::UPLOAD_SERVER)),
            ("https://a';rm", Stage::Production, Some(&rules::UPLOAD_SERVER)),
        ] {
            let made = Upload::new(&trust(Profile::Notary, stage), None, &documents(&["root"]), Some(server));
            assert_eq!(made.as_ref().err().map(Refusal::rule), rule, "{server}");
        }
        let rehearsal =
            Upload::new(&trust(Profile::Notary, Stage::Rehearsal), None, &documents(&["root"]), None)
                .unwrap();
        assert!(text(&rehearsal).contains("loopback"));
    }

    #[test]
    fn what_is_fetched_is_every_delegation_that_has_a_plain_name() {
        let names =
            ["targets/camera-station", "targets/a\"\nurl = \"http://evil\"", "targets/../../x", "targets/A"];
        let delegations = names.map(RoleName::from_name).into();
        let trust = trust(Profile::Notary, Stage::Production);
        let beside = Beside { delegations, ..Beside::default() };
        let made = Upload::with(&trust, None, &documents(&["targets"]), &beside, None).unwrap();
        let config = file(&made, FETCH);
        let outputs: Vec<_> = config.lines().filter_map(|line| line.strip_prefix("output = ")).collect();
        let expected = ["targets/camera-station", "root", "targets", "snapshot", "timestamp"];
        assert_eq!(outputs, expected.map(|role| format!("\"published/{role}.json\"")));
        // Nobody has named the backend: the line puts its address in the place of the example.
        let line = "rm -rf published && sed \"s|https://notary.example.com|$URL|\" fetch.curl | curl -K - ";
        assert!(text(&made).contains(line), "{}", text(&made));
        assert!(config.contains(
            "url = \"https://notary.example.com/v2/updates.example.com/apps/_trust/tuf/root.json\""
        ));
    }

    #[test]
    fn no_other_words_reach_curl_or_a_shell() {
        let all = documents(&["root", "targets", "targets/camera-station"]);
        let own_files = |profile, stage| {
            let trust = trust(profile, stage);
            let all = if profile == Profile::Tuf {
                documents(&["root", "targets", "timestamp"])
            } else {
                all.clone()
            };
            let delegations = [RoleName::from_name("targets/door")].into();
            let beside = Beside { delegations, ..Beside::default() };
            let made = Upload::with(&trust, None, &all, &beside, None).unwrap();
            (Manifest::parse(made.manifest()).unwrap(), made, trust)
        };
        let judge = |(manifest, _, trust): &(Manifest, Upload, Trust), name: &str, text: &str| {
            own(&FileName::parse(name).unwrap(), text.as_bytes(), manifest, trust)
        };
        let notary = own_files(Profile::Notary, Stage::Production);
        let practice = own_files(Profile::Notary, Stage::Rehearsal);
        let tuf = own_files(Profile::Tuf, Stage::Production);
        for (made, name) in
            [(&notary, POST), (&notary, FETCH), (&practice, POST), (&practice, FETCH), (&tuf, ORDER)]
        {
            let text = file(&made.1, name);
            assert!(judge(made, name, &text), "{name}: {text}");
            let hostile = [
                format!("{text}output = \"/etc/passwd\"\n"),
                format!("{text}\n"),
                text.replacen("silent", "upload-file = \"x\"\nsilent", 1),
                text.replacen("https://", "ftp://", 1),
                text.replacen("notary.example.com", "evil.example.com;x", 1),
                text.replacen("//127.0.0.1:4443", "//notary.example.com", 1),
                text.replacen("published/", "../../", 1),
                text.replacen("root.json", "../root.json", 1),
                text.replacen("apps/_trust", "other/_trust", 1),
                text.replacen("targets/door", "targets/../door", 2),
                text.replacen("@root.json", "@/etc/shadow", 1),
                text.replacen("3.targets.json", "3.targets.json; rm -r .", 1),
                text.lines().rev().flat_map(|line| [line, "\n"]).collect(),
                String::new(),
            ];
            for other in hostile.iter().filter(|other| **other != text) {
                assert!(!judge(made, name, other), "{name}: {other}");
            }
        }
        // Neither has a profile that doesn't make it.
        assert!(!judge(&tuf, POST, &file(&notary.1, POST)) && !judge(&notary, ORDER, &file(&tuf.1, ORDER)));
        assert!(!judge(&notary, "other.curl", ""));
        // The address may be any that an administrator could have named.
        let moved = file(&notary.1, POST).replace("https://notary.example.com", "http://[::1]:4443");
        assert!(judge(&notary, POST, &moved));
    }

    #[test]
    fn a_config_asks_one_backend() {
        let trust = trust(Profile::Notary, Stage::Production);
        let beside =
            Beside { delegations: [RoleName::from_name("targets/door")].into(), ..Beside::default() };
        let (ours, evil) = (Some("https://n.example.com"), Some("https://evil.example.com"));
        let config = |server| {
            file(&Upload::with(&trust, None, &documents(&["targets"]), &beside, server).unwrap(), FETCH)
        };
        for server in [ours, evil, None] {
            for asked in [ours, evil, None] {
                let roles = asks(&trust, asked, &config(server));
                assert_eq!(
                    roles,
                    (server == asked).then(|| beside.delegations.clone()),
                    "{server:?} {asked:?}"
                );
            }
        }
        let one_elsewhere = config(ours).replacen("//n.example", "//evil.example", 1);
        assert_eq!(asks(&trust, ours, &one_elsewhere), None);
    }

    #[test]
    fn a_role_that_the_backend_would_refuse_is_refused_here() {
        let all = documents(&["targets/a b"]);
        let made = Upload::new(&trust(Profile::Notary, Stage::Production), None, &all, None);
        assert_eq!(made.unwrap_err().rule(), &crate::tuf::rules::ROLE_NAME);
    }
}
