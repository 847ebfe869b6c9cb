//! README's five lines for a repository that other tools made, typed as they are printed there: on one that
//! python-tuf made and on one by tuftool's calls of `tough`, each of which publishes more meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;
mod typist;

use keyrite::record::{Inputs, Record};
use keyrite::tuf::key::PublicKey;
use rexpect::{ReadUntil, session::spawn_command};
use serde_json::Value;
use stage::{Done, PHRASE, block, blocks, brought, utf8};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const README: &str = include_str!("../README.md");

/// A desk with the program on its path, the shipped ceremonies, and a repository with its keys.
struct Desk {
    dir: PathBuf,
    repository: PathBuf,
    /// The keys' files by name, each under the pass-phrase.
    keys: BTreeMap<String, PathBuf>,
}

impl Desk {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("adopt-readme-{name}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_keyrite"), dir.join("bin/keyrite")).unwrap();
        symlink(stage::shipped(""), dir.join("ceremonies")).unwrap();
        fs::write(dir.join("phrase"), format!("{PHRASE}\n")).unwrap();
        fs::set_permissions(dir.join("phrase"), fs::Permissions::from_mode(0o600)).unwrap();
        Self { repository: dir.join("made/metadata"), dir, keys: BTreeMap::new() }
    }

    /// One line of a shell, by someone whose editor adds what they say of their keys.
    fn line(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-euc", &line.replace("/srv/tuf/metadata", utf8(&self.repository))]);
        command.current_dir(&self.dir).env_clear().env("LANG", "C.UTF-8").env("TERM", "dumb");
        command.env("PATH", format!("{}:/usr/bin:/bin", utf8(&self.dir.join("bin"))));
        command.env("EDITOR", self.dir.join("editor"));
        command
    }

    /// The lines, typed one by one; `meanwhile` is what others do before the last.
    fn types(&self, meanwhile: impl Fn(&Self)) {
        let lines = blocks(README);
        let lines: Vec<&str> = block(&lines, "keyrite adopt ").lines().collect();
        assert_eq!(lines.len(), 5, "{lines:#?}");
        let mut own = String::new();
        for (name, file) in &self.keys {
            let phrase = self.dir.join("phrase");
            writeln!(own, "\n[key.{name}]\nuri = \"file:{}\"\npin = \"{}\"", utf8(file), utf8(&phrase))
                .unwrap();
        }
        fs::write(self.dir.join("own.toml"), own).unwrap();
        fs::write(self.dir.join("editor"), "#!/bin/sh\ncat own.toml >> \"$1\"\n").unwrap();
        fs::set_permissions(self.dir.join("editor"), fs::Permissions::from_mode(0o755)).unwrap();

        self.adopts(lines[0]);
        Done::of(&mut self.line(lines[1])).ended(0);
        // Until the root keys have bound it, it is nobody's.
        let record = self.dir.join("trust");
        let read = || {
            let now = "2030-01-01T00:00:00Z".parse().unwrap();
            Record::open(&record).unwrap().read_all(now, &Inputs::default()).unwrap()
        };
        assert!(read().unbound.is_some());
        Done::of(&mut self.line(lines[2])).ended(0);
        assert!(read().unbound.is_some());
        let held = typist::holds(self.line(lines[3]), &record);
        assert!(held.contains("Our own rules from here on"), "{held}");
        assert!(read().unbound.is_none(), "{:?}", read().unbound);
        let before = read().history.len();
        meanwhile(self);
        Done::of(&mut self.line(lines[4])).ended(0);
        assert!(read().history.len() > before, "nothing came in");
        assert_eq!(read().facts.keys.len(), self.keys.len());
    }

    /// The first line's questions: every key named for the file that it is in.
    fn adopts(&self, line: &str) {
        let ids = self.ids();
        let mut pty = spawn_command(self.line(line), Some(60_000)).unwrap();
        let questions = [
            ("Is this the root", "Yes"),
            ("Is this the real thing?", "rehearsal"),
            ("What is the repository called?", "apps"),
            ("and who holds it?", ""),
            ("Who are you?", "ada"),
        ];
        let mut named = 0;
        let mut seen = String::new();
        loop {
            let marks = questions.iter().map(|(mark, _)| *mark).chain(["read on) "]);
            let ways = marks.map(|mark| ReadUntil::String(mark.to_owned())).chain([ReadUntil::EOF]);
            let (before, mark) = pty.exp_any(ways.collect()).unwrap_or_else(|e| panic!("{e}\n{seen}"));
            seen = seen + &before + &mark;
            let Some((_, answer)) = questions.iter().find(|(text, _)| mark.contains(text)) else {
                if mark.contains("read on) ") {
                    pty.send_line("").unwrap();
                    continue;
                }
                break;
            };
            let help = pty.exp_string("> ").unwrap();
            if answer.is_empty() {
                let shown: String = help.split_whitespace().collect();
                let (_, name) =
                    ids.iter().find(|(id, _)| shown.contains(*id)).expect("a key of the repository");
                pty.send_line(&format!("{name} of-{name} file")).unwrap();
                named += 1;
            } else {
                pty.send_line(answer).unwrap();
            }
        }
        let status = format!("{:?}", pty.process().wait().unwrap());
        assert!(status.ends_with(", 0)"), "{status}: {seen}");
        assert_eq!(named, self.keys.len(), "{seen}");
    }

    /// The key ids that the repository's documents use, with the names of their files.
    fn ids(&self) -> BTreeMap<String, String> {
        let public = |name: &str, path: &Path| {
            let mut openssl = Command::new("openssl");
            openssl.args(["pkey", "-in", utf8(path), "-passin", &format!("pass:{PHRASE}"), "-pubout"]);
            (PublicKey::from_pem(&Done::of(&mut openssl).ended(0).text()).unwrap(), name.to_owned())
        };
        let known: Vec<_> = self.keys.iter().map(|(name, path)| public(name, path)).collect();
        let mut ids = BTreeMap::new();
        for entry in fs::read_dir(&self.repository).unwrap() {
            let document: Value = serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
            let signed = &document["signed"];
            for keys in [&signed["keys"], &signed["delegations"]["keys"]] {
                for (id, key) in keys.as_object().into_iter().flatten() {
                    let public = PublicKey::from_pem(key["keyval"]["public"].as_str().unwrap()).unwrap();
                    if let Some((_, name)) = known.iter().find(|(other, _)| *other == public) {
                        ids.insert(id.clone(), name.clone());
                    }
                }
            }
        }
        ids
    }
}

#[test]
fn a_repository_of_python_tuf_is_adopted_in_the_five_lines() {
    let mut desk = Desk::new("python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/make_tuf_repo.py");
    let python = brought("test-venv").join("bin/python");
    let mut make = Command::new(&python);
    make.arg(script).arg(desk.dir.join("made")).args(["--private", PHRASE, "--keys", "ecdsa", "--rotate"]);
    Done::of(&mut make).ended(0);
    for entry in fs::read_dir(desk.dir.join("made/keys")).unwrap() {
        let path = entry.unwrap().path();
        desk.keys.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), path);
    }
    // The one that has left root is in no document of today.
    desk.keys.remove("root-0");
    desk.types(|desk| {
        const RELEASE: &str = "import sys\n\
            from cryptography.hazmat.primitives.serialization import load_pem_private_key\n\
            from securesystemslib.signer import CryptoSigner\n\
            from tuf.api.metadata import Metadata, TargetFile\n\
            before, key, phrase, after = sys.argv[1:]\n\
            document = Metadata.from_file(before)\n\
            document.signed.version += 1\n\
            document.signed.targets['app1/new.bin'] = TargetFile.from_data('app1/new.bin', b'new')\n\
            with open(key, 'rb') as file:\n    private = load_pem_private_key(file.read(), phrase.encode())\n\
            document.sign(CryptoSigner(private))\n\
            document.to_file(after)\n";
        let [before, after] = ["1.app1.json", "2.app1.json"].map(|name| desk.repository.join(name));
        let mut release = Command::new(&python);
        release.args(["-c", RELEASE]).arg(before).arg(&desk.keys["app1"]).arg(PHRASE).arg(after);
        Done::of(&mut release).ended(0);
    });
    assert!(fs::read_dir(desk.dir.join("trust/metadata/app1")).unwrap().count() == 2);
}

#[test]
fn a_repository_of_tuftool_is_adopted_in_the_five_lines() {
    let mut desk = Desk::new("tuftool");
    let open = desk.dir.join("keys");
    fs::create_dir_all(&open).unwrap();
    for name in ["root-1", "root-2", "root-3", "targets", "snapshot", "timestamp"] {
        let (plain, locked) = (open.join(format!("{name}.der")), desk.dir.join(format!("{name}.pem")));
        // DER in PKCS#8 is what tuftool takes of ECDSA keys.
        let make =
            "openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -outform DER";
        stage::shell(&desk.dir, &format!("{make} -out {}", utf8(&plain)), &[]).ended(0);
        let mut lock = Command::new("openssl");
        lock.args([
            "pkcs8",
            "-topk8",
            "-inform",
            "DER",
            "-in",
            utf8(&plain),
            "-out",
            utf8(&locked),
            "-v2",
            "aes256",
        ]);
        lock.args(["-scrypt", "-passout", &format!("pass:{PHRASE}")]);
        Done::of(&mut lock).ended(0);
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o600)).unwrap();
        desk.keys.insert(name.to_owned(), locked);
    }
    let makes = |desk: &Desk, version: &str| {
        let mut tuftool = Command::new(brought("standins/tough-client"));
        tuftool.arg("--make").args([&desk.repository, &open]).arg(version);
        Done::of(&mut tuftool).ended(0);
    };
    makes(&desk, "1");
    desk.types(|desk| makes(desk, "2"));
    assert!(fs::read_dir(desk.dir.join("trust/metadata/targets")).unwrap().count() == 2);
}
