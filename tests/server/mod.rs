//! Debian's notary-server on loopback (alone, with notary-signer, behind a registry's token server),
//! the stock client, and what people type to bring uploads there and to take in what is published.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; not every test uses all of it"
)]

use crate::stage::{Devices, Done, PHRASE, Stage, block, blocks, shell, shipped, utf8};
use base64ct::{Base64, Encoding as _};
use keyrite::record::upload::fetch_keys;
use keyrite::tuf::digest::Digest;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A real backend on loopback, and the stock client.
pub struct Backend {
    pub dir: PathBuf,
    pub url: String,
    pub tls: bool,
    /// Whether it wants a token from the registry's token server.
    pub asks: bool,
}

impl Backend {
    pub fn up(stage: &Stage, mode: &str) -> Self {
        let dir = stage.path("backend");
        let mut command = Command::new(Self::script());
        let url = Done::of(command.arg("up").arg(&dir).arg(mode)).ended(0).text().trim().to_owned();
        Self { tls: url.starts_with("https"), dir, url, asks: mode == "auth" }
    }

    fn script() -> &'static str {
        concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/notary")
    }

    /// Types lines as a person of the backend's operations would: they trust its certificate.
    pub fn types(&self, folder: &Path, lines: &str) -> Done {
        let authority = self.dir.join("ca.crt");
        let environment = [("CURL_CA_BUNDLE", utf8(&authority))];
        shell(folder, lines, if self.tls { &environment } else { &[] }).ended(0)
    }

    /// The lines of a README up to the token: address, ping, and either the token server that the
    /// ping named, with one's own name there, or no token where the ping was answered with 200.
    pub fn address(&self, folder: &Path, lines: &[String]) -> String {
        let (address, token) = (block(lines, "URL="), block(lines, "TOKEN="));
        assert!(address.contains(&self.url), "the device map's backend is not in {address}");
        let (ping, token) = token.split_once('\n').unwrap();
        let answer = self.types(folder, &format!("{address}{ping}")).text();
        if !self.asks {
            assert!(answer.contains(" 200 "), "{answer}");
            return format!("{address}TOKEN=\n");
        }
        let word = |name: &str| {
            let rest =
                answer.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{name}: {answer}")).1;
            rest.split_once('"').unwrap().0.to_owned()
        };
        let (example, token) = token.split_once('\n').unwrap();
        assert!(example.starts_with("REALM="), "{example}");
        let own =
            format!("REALM='{}' SERVICE='{}' NAME='pusher:push-secret'\n", word("realm"), word("service"));
        format!("{address}{own}{token}")
    }

    /// A device map with the backend's address and its two keys, which it hands out by the lines that
    /// people type once, before the first root.
    pub fn enrolled<'a>(&self, stage: &Stage, devices: Devices<'a>) -> Devices<'a> {
        let incoming = stage.path("incoming");
        fs::create_dir_all(&incoming).unwrap();
        let lines = blocks(&fetch_keys(&stage.trust, Some(&self.url)));
        let address = self.address(&incoming, &lines);
        self.types(&incoming, &format!("{address}{}", block(&lines, "-o snapshot.key")));
        ["snapshot", "timestamp"].iter().fold(devices.backend(&self.url), |devices, role| {
            devices.enrol(&format!("backend-{role}"), &incoming.join(format!("{role}.key")))
        })
    }

    /// What is typed before a README's one line: nothing, unless the backend asks for a token.
    fn token(&self, folder: &Path, lines: &[String]) -> String {
        if self.asks { self.address(folder, lines) } else { String::new() }
    }

    /// A file as the backend serves it.
    pub fn get(&self, carried: &Path, collection: &str, name: &str) -> Vec<u8> {
        let readme = fs::read_to_string(carried.join("README.txt")).unwrap();
        let place = format!("\"$URL/v2/{collection}/_trust/tuf/{name}\"");
        let line = format!("curl -sS --fail -H \"Authorization: Bearer $TOKEN\" {place}");
        self.types(carried, &format!("{}{line}", self.address(carried, &blocks(&readme)))).bytes()
    }

    /// The stock client with a trust folder of its own.
    pub fn client(&self, folder: &Path, arguments: &[&str]) -> Done {
        let mut command = Command::new("notary");
        command.args(["-s", &self.url, "-d", utf8(folder)]);
        if self.tls {
            command.arg("--tlscacert").arg(self.dir.join("ca.crt"));
        }
        command.args(arguments);
        for role in ["ROOT", "TARGETS", "SNAPSHOT", "DELEGATION"] {
            command.env(format!("NOTARY_{role}_PASSPHRASE"), PHRASE);
        }
        command.env("NOTARY_AUTH", Base64::encode_string(b"pusher:push-secret"));
        Done::of(&mut command)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = Command::new(Self::script()).arg("down").arg(&self.dir).status();
    }
}

/// The shipped first day up to the root: four keys on tokens, and those of the backend and of Dana; the
/// device map stands in `devices.toml`.
pub fn first_keys<'a>(stage: &Stage, devices: Devices<'a>) -> (Devices<'a>, PathBuf) {
    let keys = ["root-a", "root-b", "root-c", "targets-1"];
    let devices = keys.iter().fold(devices, |devices, key| devices.on_token(key, &stage.token(key)));
    let devices = devices.enrol("dev-dana", &stage.developer("dana").1);
    let map = devices.write("devices.toml");
    for runbook in ["01-root-keys", "02-targets-key", "03-enroll"] {
        stage.hold(&map, &shipped(&format!("first-day/{runbook}.toml"))).1.ended(0);
    }
    (devices, map)
}

/// What a person does with an upload: carries it to another machine, checks it, types its lines.
pub fn upload(stage: &Stage, backend: &Backend, folder: &str) -> PathBuf {
    let carried = stage.path(&folder.replace('/', "-"));
    Done::of(Command::new("cp").arg("-r").arg(stage.record.join(folder)).arg(&carried)).ended(0);
    let readme = fs::read_to_string(carried.join("README.txt")).unwrap();
    let lines = blocks(&readme);
    let lines = format!("{}{}", backend.token(&carried, &lines), block(&lines, "-K post.curl"));
    assert_eq!(backend.types(&carried, &lines).text(), "");
    carried
}

/// Fetches what the backend serves, by the README's line, and takes it in.
pub fn take_published(stage: &Stage, backend: &Backend, carried: &Path) -> Value {
    let readme = fs::read_to_string(carried.join("README.txt")).unwrap();
    let lines = blocks(&readme);
    let import = block(&lines, "import published");
    let fetch = block(&lines, "-K fetch.curl");
    backend.types(carried, &format!("{}{fetch}", backend.token(carried, &lines)));
    assert_eq!(import.trim(), "keyrite -C RECORD import published");
    let published = carried.join("published");
    stage.keyrite(["-C", utf8(&stage.record), "--json", "import", utf8(&published)]).ended(0).json()
}

/// That the server's snapshot lists the very bytes that went up.
pub fn same_bytes(backend: &Backend, collection: &str, carried: &Path, roles: &[&str]) {
    let snapshot: Value = serde_json::from_slice(&backend.get(carried, collection, "snapshot.json")).unwrap();
    for role in roles {
        let file = format!("{}.json", role.replace('/', "%2F"));
        let ours = Digest::of(&fs::read(carried.join(file)).unwrap());
        let listed = snapshot["signed"]["meta"][role]["hashes"]["sha256"].as_str().unwrap();
        assert_eq!(Base64::decode_vec(listed).unwrap(), ours.as_bytes(), "{role}");
        // A poisoned document is served all the same; only its digest tells.
        assert_eq!(Digest::of(&backend.get(carried, collection, &format!("{role}.json"))), ours, "{role}");
    }
}

pub fn uploads(done: &Value) -> Vec<String> {
    done["uploads"].as_array().unwrap().iter().map(|u| u.as_str().unwrap().to_owned()).collect()
}

/// A developer publishes with the stock client alone, and another stock client finds it.
pub fn publishes(stage: &Stage, backend: &Backend, developer: &str, role: &str, target: &str) {
    let collection = stage.trust.collection.as_str();
    let own = stage.path(&format!("{developer}-trust"));
    let firmware = stage.write("firmware.bin", &format!("the first release of {developer}"));
    let key = stage.path(&format!("developers/{developer}.key"));
    backend.client(&own, &["key", "import", utf8(&key)]).ended(0);
    let add = ["add", collection, target, utf8(&firmware), "-r", role, "--publish"];
    backend.client(&own, &add).ended(0);

    let fresh = stage.path(&format!("client-after-{developer}"));
    let listed = backend.client(&fresh, &["list", collection]).ended(0).text();
    assert!(listed.lines().any(|l| l.contains(target) && l.trim_end().ends_with(role)), "{listed}");
    let found = backend.client(&fresh, &["lookup", collection, target]).ended(0).text();
    let sha256 = Digest::of(&fs::read(&firmware).unwrap());
    assert!(found.contains(&sha256.hex()), "{found}");
    backend.client(&fresh, &["verify", collection, target, "-i", utf8(&firmware)]).ended(0);
    let other = stage.write("other.bin", "not what was released");
    backend.client(&fresh, &["verify", collection, target, "-i", utf8(&other)]).ended(1);
}
