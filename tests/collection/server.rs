//! Debian's notary-server on loopback for one test, and the stock client.

use super::cases::Parts;
use base64ct::{Base64, Encoding as _};
use keyrite::tuf::json::Json;
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::time::Time;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The host's clock, by which server and clients judge.
pub fn now() -> Time {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Time::from_unix(i64::try_from(seconds).unwrap()).unwrap()
}

/// A real server on loopback, for one test.
pub struct Server {
    /// Its folder, where clients may keep theirs too.
    pub dir: PathBuf,
    /// Where it listens.
    pub url: String,
    /// Asked by one at a time: notary-server with its keys in memory ends with "concurrent map
    /// writes" when two collections make theirs at once.
    turn: Mutex<()>,
}

impl Server {
    /// Starts one.
    pub fn up(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("keyrite-{name}-{}", std::process::id()));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/notary");
        let run =
            Command::new(script).arg("up").arg(&dir).stdin(Stdio::null()).output().expect("scripts/notary");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let url = String::from_utf8(run.stdout).unwrap().trim().to_owned();
        Self { dir, url, turn: Mutex::default() }
    }

    fn answer(&self, command: &mut Command) -> Output {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        command.output().expect("curl and notary are needed: scripts/test-deps")
    }

    fn curl(&self, arguments: &[&str]) -> Vec<u8> {
        let run = self.answer(Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments));
        assert!(run.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        run.stdout
    }

    /// The key that it offers for one of its roles.
    pub fn key(&self, collection: &str, role: &str) -> PublicKey {
        let bytes = self.curl(&[&format!("{}/v2/{collection}/_trust/tuf/{role}.key", self.url)]);
        let json = Json::parse(&bytes).unwrap();
        let raw = Base64::decode_vec(json.get("keyval").unwrap().get("public").unwrap().as_str().unwrap());
        PublicKey::from_ed25519(&raw.unwrap()).unwrap()
    }

    /// The server's verdict, in the words of the table.
    pub fn upload(&self, collection: &str, parts: &Parts) -> String {
        let boundary = "keyrite-keyrite-keyrite";
        let mut body = Vec::new();
        for (name, bytes) in parts {
            body.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n").into_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").into_bytes());
        // Cases may run side by side: a collection's name makes a file's.
        let path = self.dir.join(format!("body-{}", collection.replace('/', "-")));
        std::fs::write(&path, body).unwrap();
        let answer = self.curl(&[
            "-X",
            "POST",
            "-H",
            &format!("Content-Type: multipart/form-data; boundary={boundary}"),
            "--data-binary",
            &format!("@{}", path.display()),
            &format!("{}/v2/{collection}/_trust/tuf/", self.url),
        ]);
        if answer.is_empty() {
            return "ok".to_owned();
        }
        let json: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let error = &json["errors"][0];
        let mut words = vec![error["code"].as_str().unwrap_or_default().to_owned()];
        for word in [&error["detail"]["Name"], &error["detail"]["Error"]["Msg"]] {
            words.extend(word.as_str().map(str::to_owned));
        }
        words.join(" ")
    }

    /// Whether the stock client, with its trust in `dir`, can list the collection.
    pub fn lists(&self, collection: &str, dir: &Path) -> bool {
        self.notary(dir, &["list", collection]).status.success()
    }

    /// The names that the stock client lists, each with its role; none if it stops.
    pub fn listed(&self, collection: &str, dir: &Path) -> Option<BTreeSet<String>> {
        let run = self.notary(dir, &["list", collection]);
        let text = String::from_utf8(run.stdout).unwrap();
        let line = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            (words.len() == 4).then(|| format!("{} {}", words[0], words[3]))
        };
        run.status.success().then(|| text.lines().skip(2).filter_map(line).collect())
    }

    /// The stock client, with its trust in `dir`.
    pub fn notary(&self, dir: &Path, arguments: &[&str]) -> Output {
        let client = ["-s", &self.url, "-d", dir.to_str().unwrap()];
        self.answer(
            Command::new("notary")
                .args(client)
                .args(arguments)
                .env("NOTARY_DELEGATION_PASSPHRASE", "correct horse battery")
                .stdin(Stdio::null()),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/notary");
        let _ = Command::new(script).arg("down").arg(&self.dir).status();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
