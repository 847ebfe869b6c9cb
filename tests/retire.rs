//! A key that is destroyed on its token, with the power cut at every place where that can happen:
//! it is gone once, said to be gone only then, and nobody is believed who only says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod killing;
mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use killing::{Killer, Mode};
use serde_json::{Value, json};
use stage::{Done, Stage, utf8};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";

/// A trust of profile `tuf` with a root of key files, and a root key on a token that it lists not.
struct Room {
    stage: Stage,
    devices: PathBuf,
    arguments: Vec<String>,
}

impl Room {
    fn new(name: &str) -> Self {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let stage = Stage::new(name, Profile::Tuf, Kind::Rehearsal, &limits);
        fs::create_dir_all(stage.path("keys")).unwrap();
        let mut text = format!("ceremony = \"generate-key\"\n{HEAD}");
        let mut devices = stage.devices().on_token("old", &stage.token("old"));
        for (key, holder, purpose) in [
            ("old", "olga", "root"),
            ("r1", "ada", "root"),
            ("r2", "bea", "root"),
            ("r3", "cy", "root"),
            ("t1", "uma", "targets"),
            ("s1", "ops", "snapshot"),
            ("m1", "ops", "timestamp"),
        ] {
            writeln!(text, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"")
                .unwrap();
            if key != "old" {
                devices = devices.in_file(key, &format!("keys/{key}.pem"));
            }
        }
        let map = devices.write("first.toml");
        stage.hold(&map, &stage.write("1.toml", &text)).1.ended(0);
        let root = format!(
            "ceremony = \"create-root\"\n{HEAD}[root]\nkeys = [\"r1\", \"r2\", \"r3\"]\nthreshold = 2\n\
             valid-for = \"2 years\"\n[targets]\nkeys = [\"t1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
             [snapshot]\nkeys = [\"s1\"]\nthreshold = 1\n[timestamp]\nkeys = [\"m1\"]\nthreshold = 1\n"
        );
        stage.hold(&map, &stage.write("2.toml", &root)).1.ended(0);
        let devices = devices.knowing(&stage.root()).write("devices.toml");
        let runbook =
            stage.write("3.toml", &format!("ceremony = \"retire-key\"\n{HEAD}[retire]\nkey = \"old\"\n"));

        // Frozen first, so that one answers file serves every run.
        let plan = ["plan", utf8(&runbook)];
        let change = stage.on(&stage.record, &devices, &plan).ended(0).json()["change"].clone();
        let answers = format!("[answers]\n\"read-back\" = \"same\"\n\"confirm\" = {change}\n");
        let answers = stage.write("answers.toml", &answers);
        let arguments = ["-C", utf8(&stage.record), "--devices", utf8(&devices), "--json", "run"];
        let rest = [utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
        let arguments = arguments.iter().chain(&rest).map(ToString::to_string).collect();
        let made = Self { stage, devices, arguments };
        made.keep("before");
        made
    }

    /// Puts record and tokens aside, or back.
    fn keep(&self, name: &str) {
        for part in ["record", "tokens"] {
            let to = self.stage.path(&format!("{name}/{part}"));
            copy(&self.stage.path(part), &to);
        }
    }

    fn restore(&self, name: &str, part: &str) {
        let to = self.stage.path(part);
        let _ = fs::remove_dir_all(&to);
        copy(&self.stage.path(&format!("{name}/{part}")), &to);
    }

    fn run(&self) -> Done {
        self.stage.keyrite(&self.arguments)
    }

    /// Whether the token still has the private key: its object is the first to go, so a power cut
    /// right after it leaves the public one alone.
    fn is_there(&self) -> bool {
        let mut objects = 0;
        for token in fs::read_dir(self.stage.path("tokens")).unwrap() {
            for file in fs::read_dir(token.unwrap().path()).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                objects += usize::from(name.ends_with(".object") && name != "token.object");
            }
        }
        objects == 2
    }

    /// The rule by which the record refuses to use the key; none while it is said to be alive.
    fn life(&self) -> Option<String> {
        let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"old\"]\n");
        let call = self.stage.write("call.toml", &call);
        let plan = self.stage.on(&self.stage.record, &self.devices, &["plan", utf8(&call)]).json();
        plan["error"]["rule"].as_str().map(str::to_owned)
    }

    /// How often the transcripts tell of a destruction, and how often of one that was found.
    fn told(&self) -> (usize, usize) {
        let (mut told, mut found) = (0, 0);
        for ceremony in fs::read_dir(self.stage.record.join("transcripts")).unwrap() {
            for entry in fs::read_dir(ceremony.unwrap().path()).unwrap() {
                let text = fs::read_to_string(entry.unwrap().path()).unwrap();
                if text.contains("\"act\":\"destroy\"") {
                    told += 1;
                    found += usize::from(text.contains("\"found-gone\":true"));
                }
            }
        }
        (told, found)
    }

    /// The end that every run comes to.
    fn is_over(&self, case: &str) {
        assert!(!self.is_there(), "{case}");
        assert_eq!(self.life().as_deref(), Some("KEY-GONE"), "{case}");
        let verified = self.stage.verify().ended(0).json();
        assert_eq!(verified["problems"], serde_json::json!([]), "{case}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    Done::of(Command::new("cp").arg("-rT").arg(from).arg(to)).ended(0);
}

#[test]
fn a_power_cut_while_a_key_is_destroyed() {
    let room = Room::new("retire-cut");
    let killer = Killer::new("retire");
    let program = OsStr::new(env!("CARGO_BIN_EXE_keyrite"));
    let run = |mode| {
        killer.run(&room.stage.dir, mode, program, |command| {
            command.args(&room.arguments).current_dir(&room.stage.dir);
            command.env("SOFTHSM2_CONF", room.stage.path("softhsm2.conf"));
        })
    };
    let whole = run(Mode::Count);
    assert!(whole.success, "{}", whole.output);
    room.is_over("not cut");
    assert_eq!(room.told(), (1, 0));

    // From the intent to the first statement. SoftHSM rewrites its token's own file in place, which
    // no program that uses it can make safe, so the cuts are where files come and go.
    let numbered = || (1..).zip(&whole.log);
    let (first, _) = numbered().find(|(_, call)| call.contains("unlink /tokens/")).unwrap();
    let (last, _) = numbered().find(|(_, call)| call.contains("rename /record/statements/")).unwrap();
    let near = (first - 16..=last).filter(|n| {
        let call = &whole.log[usize::try_from(*n).unwrap() - 1];
        call.contains("unlink /tokens/") || call.contains("rename /record/")
    });
    let mut found = 0;
    for n in near {
        for part in ["record", "tokens"] {
            room.restore("before", part);
        }
        let cut = run(Mode::Before(n));
        assert!(cut.killed, "not killed at {n}: {}", cut.output);
        // Nobody says of a key that is there that it is gone.
        if room.is_there() {
            assert_eq!(room.life(), None, "{}", cut.last);
        }
        room.run().ended(0);
        room.is_over(&cut.last);
        let (told, again) = room.told();
        assert_eq!(told, 1, "{}", cut.last);
        found += again;
    }
    assert!(found > 0, "one of them left the token without the key and the record without the outcome");
}

#[test]
fn nobody_is_believed_who_only_says_that_a_key_is_gone() {
    let room = Room::new("retire-said");
    room.run().ended(0);
    room.is_over("held");
    room.keep("after");

    // The token has lost the key, and nobody was about to destroy it.
    room.restore("before", "record");
    let refused = room.run().ended(3).json();
    assert_eq!(refused["error"]["rule"], "KEY-NOT-ON-TOKEN", "{refused}");
    assert_eq!((room.told(), room.life()), ((0, 0), None));

    // Another copy tells of the destruction, and the key is there: it is destroyed here.
    room.restore("after", "record");
    room.restore("before", "tokens");
    fs::remove_dir_all(room.stage.record.join("private")).unwrap();
    fs::remove_dir_all(room.stage.record.join("statements")).unwrap();
    copy(&room.stage.path("before/record/statements"), &room.stage.record.join("statements"));
    assert_eq!((room.told(), room.life(), room.is_there()), ((1, 0), None, true));
    room.run().ended(0);
    room.is_over("told by another copy");
    assert_eq!(room.told(), (2, 0));

    // A key that a root lists is never destroyed.
    let listed = format!("ceremony = \"retire-key\"\n{HEAD}[retire]\nkey = \"r1\"\n");
    let listed = room.stage.write("listed.toml", &listed);
    let plan = room.stage.on(&room.stage.record, &room.devices, &["plan", utf8(&listed)]).ended(1).json();
    assert_eq!(plan["error"]["rule"], "KEY-STILL-LISTED");
}

/// A change that is planted on a sealed one: its documents are trusted, and their signatures verify.
#[test]
fn no_key_is_destroyed_by_what_is_added_to_a_sealed_change() {
    let room = Room::new("retire-planted");
    let stage = &room.stage;
    let changes = || fs::read_dir(stage.record.join("changes")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let sealed = changes().find(|path| read(&path.join("change.json"))["kind"] == "create-root").unwrap();
    let old = fs::read_dir(stage.record.join("keys/old")).unwrap().next().unwrap().unwrap().path();
    let mut forged = read(&sealed.join("change.json"));
    let item = json!({"identity": read(&old)["identity"], "item": "destroyed-key", "key": "old"});
    forged["items"].as_array_mut().unwrap().push(item);
    let forged = serde_json::to_vec(&forged).unwrap();
    let digest = Digest::of(&forged).hex();
    let planted = stage.record.join("changes").join(&digest);
    copy(&sealed, &planted);
    fs::write(planted.join("change.json"), forged).unwrap();
    for entry in fs::read_dir(&planted).unwrap() {
        let path = entry.unwrap().path();
        let Some(stem) = utf8(&path).strip_suffix(".sig.json") else { continue };
        let mut signature = read(&path);
        signature["change"] = json!(digest);
        let bytes = serde_json::to_vec(&signature).unwrap();
        let (payload, _) = stem.rsplit_once('.').unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(format!("{payload}.{}.sig.json", Digest::of(&bytes).hex()), bytes).unwrap();
    }

    let answers = format!("[answers]\n\"read-back\" = \"same\"\n\"confirm\" = \"{digest}\"\n");
    let answers = stage.write("planted.toml", &answers);
    let runbook = stage.path("2.toml");
    let line = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
    let run = stage.on(&stage.record, &room.devices, &line);
    assert!(room.is_there(), "{}", run.text());
    // The planted change is set aside; the first root's own runbook was held.
    assert_eq!(run.ended(0).json()["already-held"], json!(["t"]));
}
