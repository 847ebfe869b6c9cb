//! `back-up` and `restore` cut off at their writes, in the record and in the folder of copies, and held
//! again: the ceremony ends well, no copy and no key is lost, and custodians are only asked for cards
//! that they have.
//!
//! The kernel does the killing (`tests/standins/killat.c`). A session at a terminal takes a second or
//! two, so of all calls every fourth is cut, and each that brings a file to its name: the instant from
//! which on it counts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod gathering;
mod killing;
mod stage;

use gathering::{Copied, Told};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use killing::{Killer, Mode};
use stage::{Stage, utf8};
use std::fs;
use std::path::{Path, PathBuf};

const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";
/// Of so many calls one is cut.
const EACH: usize = 4;

/// A record and copies in one folder, the calls beneath which are counted; tokens beside it.
struct Room {
    stage: Stage,
    devices: PathBuf,
    spare: PathBuf,
    serial: String,
}

impl Room {
    fn new(name: &str) -> Self {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let mut stage = Stage::new(name, Profile::Tuf, Kind::Rehearsal, &limits);
        fs::create_dir_all(stage.path("held/copies")).unwrap();
        fs::rename(&stage.record, stage.path("held/record")).unwrap();
        stage.record = stage.path("held/record");
        let [serial, spare] = ["t1", "spare"].map(|label| stage.token(label));
        let file = stage.devices().on_token("t1", &serial).write("devices.toml");
        let map = fs::read_to_string(&file).unwrap() + "\n[copies]\nfolder = \"held/copies\"\n";
        let lost = format!("token=t1;serial={serial}");
        assert!(map.contains(&lost));
        let other = map.replace(&lost, &format!("token=spare;serial={spare}"));
        let (devices, spare) = (stage.write("devices.toml", &map), stage.write("spare.toml", &other));
        let text = format!(
            "ceremony = \"generate-key\"\n{HEAD}[[key]]\nname = \"t1\"\nholder = \"uma\"\npurpose = \"targets\"\nwrap-key = \"wrap-1\"\n"
        );
        stage.hold(&devices, &stage.write("1.toml", &text)).1.ended(0);
        Self { stage, devices, spare, serial }
    }

    fn back_up(&self) -> PathBuf {
        let text = format!(
            "ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\ntitle = \"Wrap key of the tests\"\n\
             needed = 2\nholders = [\"bruno\", \"carol\", \"dana\"]\n[[key]]\nname = \"t1\"\n"
        );
        self.stage.write("2.toml", &text)
    }

    fn restore(&self) -> PathBuf {
        let [shares, copy] = [".shares.json", ".copy.json"].map(|end| {
            let file = self.copies(end).pop().unwrap();
            Digest::of(&fs::read(file).unwrap()).hex()[..16].to_owned()
        });
        let text = format!(
            "ceremony = \"restore\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\nshares = \"{shares}\"\n\
             [[key]]\nname = \"t1\"\nlost-token = \"{}\"\ncopy = \"{copy}\"\n",
            self.serial
        );
        self.stage.write("3.toml", &text)
    }

    /// The files in the folder of copies that end so, by name.
    fn copies(&self, end: &str) -> Vec<PathBuf> {
        let all = files(&self.stage.path("held/copies")).into_iter();
        all.filter(|path| path.to_str().unwrap().ends_with(end)).collect()
    }

    /// Puts everything back as it was when it was kept under this name.
    fn back(&self, name: &str) {
        for part in ["held", "tokens"] {
            fs::remove_dir_all(self.stage.path(part)).unwrap();
            copy(&self.stage.path(name).join(part), &self.stage.path(part));
        }
    }

    fn keep(&self, name: &str) {
        for part in ["held", "tokens"] {
            copy(&self.stage.path(part), &self.stage.path(name).join(part));
        }
    }

    /// What `verify` says but for what a cut leaves lying about: a change that was half frozen, which
    /// nobody agreed to, and the end of a transcript.
    fn problems(&self) -> Vec<serde_json::Value> {
        let verified = self.stage.keyrite(["-C", utf8(&self.stage.record), "--json", "verify"]).json();
        let all = verified["problems"].as_array().unwrap().iter();
        all.filter(|problem| problem["rule"] != "RECORD-REST" && problem["rule"] != "RECORD-TORN")
            .cloned()
            .collect()
    }

    /// How many key files the record has: what a cut left half written has another name.
    fn keys(&self) -> usize {
        let all = files(&self.stage.record.join("keys")).into_iter();
        all.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).count()
    }

    fn on_tokens(&self) -> usize {
        let all = files(&self.stage.path("tokens")).into_iter();
        all.filter(|path| path.extension().is_some_and(|end| end == "object")).count()
    }

    fn hold(&self, devices: &Path, runbook: &Path, cards: &[Copied], under: &[String]) -> Told {
        gathering::hold_under(&self.stage, devices, runbook, cards, under)
    }

    /// Holds a ceremony to its end, then cuts it, held from the same beginning, at its writes; `again`
    /// gets the case and what was cut.
    fn cut(&self, devices: &Path, runbook: &Path, cards: &[Copied], again: impl Fn(&str, Told)) {
        let killer = Killer::new(self.stage.dir.file_name().unwrap().to_str().unwrap());
        let place = self.stage.path("held");
        self.back("before");
        let whole = self.hold(devices, runbook, cards, &killer.line(&place, Mode::Count));
        assert_eq!(whole.code, 0, "{}", whole.text);
        let calls = killer.calls();
        assert!(calls.len() > 20, "{calls:#?}");
        is_kept(&calls);
        let mut cases = 0;
        for (at, call) in calls.iter().enumerate() {
            // What brings a file to its name is the instant after which it counts; of all else, some.
            if at % EACH != 0 && !call.contains(" link ") && !call.contains(" rename ") {
                continue;
            }
            let n = at as u64 + 1;
            let torn = call.contains(" write ") && at % 2 == 0;
            let mode = if torn { Mode::Torn(n) } else { Mode::Before(n) };
            self.back("before");
            let cut = self.hold(devices, runbook, cards, &killer.line(&place, mode));
            let case = format!("{mode:?}, {call}");
            assert_eq!(cut.code, 137, "not killed at {case}: {}", cut.text);
            again(&case, cut);
            cases += 1;
        }
        assert!(cases > 10, "{cases} of {calls:#?}");
    }
}

/// What comes to its name is on the disk by then, and its name is before anything else gets one: where the
/// power goes, the kernel has nothing left to write.
fn is_kept(calls: &[String]) {
    let parts = |call: &String| {
        let mut parts = call.splitn(3, ' ').skip(1).map(str::to_owned);
        (parts.next().unwrap(), parts.next().unwrap_or_default())
    };
    let calls: Vec<(String, String)> = calls.iter().map(parts).collect();
    let named = |(name, _): &(String, String)| name == "link" || name == "rename";
    let mut count = 0;
    for (at, (_, path)) in calls.iter().enumerate().filter(|(_, call)| named(call)) {
        let written = calls[..at].iter().rposition(|(name, _)| name == "write");
        let written = written.unwrap_or_else(|| panic!("nothing was written before {path}: {calls:#?}"));
        let synced = |calls: &[(String, String)], what: &str| {
            calls.iter().any(|(name, path)| ["fsync", "fdatasync"].contains(&name.as_str()) && path == what)
        };
        assert!(
            synced(&calls[written..at], &calls[written].1),
            "{path} before it is on the disk: {calls:#?}"
        );
        let next = calls[at + 1..].iter().position(named).map_or(calls.len(), |next| at + 1 + next);
        let folder = Path::new(path).parent().unwrap().to_str().unwrap();
        assert!(synced(&calls[at + 1..next], folder), "{path}, and then another: {calls:#?}");
        count += 1;
    }
    assert!(count > 3, "{calls:#?}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    all.sort();
    all
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).map(|_| ()).unwrap();
        }
    }
}

#[test]
fn a_back_up_cut_off_anywhere_loses_no_card_and_no_copy() {
    let room = Room::new("crash-back-up");
    room.keep("before");
    let on_token = room.on_tokens();
    let runbook = room.back_up();
    let (dealt_anew, gathered, nothing) =
        (std::cell::Cell::new(0), std::cell::Cell::new(0), std::cell::Cell::new(0));
    room.cut(&room.devices, &runbook, &[], |case, cut| {
        let again = room.hold(&room.devices, &runbook, &cut.cards, &[]);
        let said = format!("{case}\n{}\nagain\n{}", cut.text, again.text);
        assert_eq!(again.code, 0, "{said}");
        // Either the cards that are out are the ones, or every holder gets another.
        let (cards, count) = match (again.cards.len(), again.text.contains("Gather the cards")) {
            (3, false) => (again.cards, &dealt_anew),
            (0, true) => (cut.cards, &gathered),
            (0, false) => (cut.cards, &nothing),
            other => panic!("{other:?} {said}"),
        };
        count.set(count.get() + 1);
        assert_eq!(cards.len(), 3, "{said}");
        assert!(room.problems().is_empty(), "{:?} {said}", room.problems());
        assert_eq!(room.copies(".copy.json").len(), 1, "{said}");
        assert_eq!(room.copies(".shares.json").len(), 1, "{said}");
        assert_eq!(room.on_tokens(), on_token, "the wrap key stays: {said}");
        // What is there brings the key back.
        let back = room.hold(&room.spare, &room.restore(), &cards[1..], &[]);
        assert_eq!(back.code, 0, "{said}\nrestore\n{}", back.text);
    });
    let counts = [dealt_anew, gathered, nothing].map(|count| count.get());
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn a_restore_cut_off_anywhere_brings_the_key_back_once() {
    let room = Room::new("crash-restore");
    let made = room.hold(&room.devices, &room.back_up(), &[], &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    room.keep("before");
    let on_tokens = room.on_tokens();
    let runbook = room.restore();
    let (asked, unasked) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    room.cut(&room.spare, &runbook, &made.cards[..2], |case, cut| {
        let keys = room.keys();
        let again = room.hold(&room.spare, &runbook, &made.cards[1..], &[]);
        let said = format!("{case}\n{}\nagain\n{}", cut.text, again.text);
        assert_eq!(again.code, 0, "{said}");
        // Nobody types a card once the key that came back is in the record.
        let gathers = again.text.contains("Gather the cards");
        assert_eq!(gathers, keys < 2, "{keys} {said}");
        let count = if gathers { &asked } else { &unasked };
        count.set(count.get() + 1);
        assert!(room.problems().is_empty(), "{:?} {said}", room.problems());
        assert_eq!(room.keys(), 2, "{said}");
        assert_eq!(room.on_tokens(), on_tokens + 2, "the key's two halves alone: {said}");
        // It is held, and does nothing a third time.
        let third = room.hold(&room.spare, &runbook, &[], &[]);
        assert!(third.code == 0 && third.text.contains("already held"), "{said}\n{}", third.text);
    });
    assert!(asked.get() > 0 && unasked.get() > 0, "{} {}", asked.get(), unasked.get());
}

/// Who came with another tool's shares is told at the end to destroy them: by then the record has the key.
#[test]
fn nobody_is_told_to_destroy_shares_before_the_key_is_on_record() {
    let room = Room::new("restore-told");
    let made = room.hold(&room.devices, &room.back_up(), &[], &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    let shares = gathering::as_vault_splits(&made.cards[..2], [7, 200]);
    let typed: Vec<&str> = shares.iter().flat_map(|share| [share.as_str(); 2]).collect();
    let copy = fs::read(room.copies(".copy.json").pop().unwrap()).unwrap();
    let copy: serde_json::Value = serde_json::from_slice(&copy).unwrap();
    let theirs = copy["wrapped"].as_str().unwrap();
    room.stage.write("held/copies/t1.wrapped", theirs);
    let text = format!(
        "ceremony = \"restore\"\n{HEAD}[wrap-key]\nname = \"theirs\"\nsplit-with = \"vault\"\nneeded = 2\n\
         [[key]]\nname = \"t1\"\nlost-token = \"{}\"\ncopy = \"{}\"\n",
        room.serial,
        &Digest::of(theirs.as_bytes()).hex()[..16]
    );
    let runbook = room.stage.write("vault.toml", &text);
    room.keep("before");
    let (killer, place) = (Killer::new("restore-told"), room.stage.path("held"));
    let hold = |mode| {
        room.back("before");
        let under = killer.line(&place, mode);
        gathering::hold_sharing_under(&room.stage, &room.spare, &runbook, &typed, &under)
    };
    let whole = hold(Mode::Count);
    assert_eq!(whole.code, 0, "{}", whole.text);
    let calls = killer.calls();
    let named = |(_, call): &(u64, &String)| call.contains(" link ") || call.contains(" rename ");
    let named: Vec<(u64, &String)> = (1..).zip(&calls).filter(named).collect();
    let file = named.iter().position(|(_, call)| call.contains("/keys/")).expect("a key file");
    let (mut told, mut before) = (0, 0);
    for (at, call) in &named[file..] {
        let cut = hold(Mode::Before(*at));
        assert_eq!(cut.code, 137, "not killed at {call}: {}", cut.text);
        if !cut.text.contains("then destroy the old shares") {
            before += 1;
            continue;
        }
        told += 1;
        let again = room.hold(&room.spare, &runbook, &[], &[]);
        let said = format!("{call}\n{}\nagain\n{}", cut.text, again.text);
        assert!(again.code == 0 && again.text.contains("already held"), "{said}");
    }
    assert!(told > 0 && before > 0, "{told} {before} {named:#?}");
}

/// What comes back and then signs wrong is no key of the record, and is not left on the token to look like
/// one; the next session brings it back.
#[test]
fn a_key_that_came_back_and_signs_wrong_is_destroyed() {
    let room = Room::new("restore-refused");
    let made = room.hold(&room.devices, &room.back_up(), &[], &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    let (on_tokens, keys) = (room.on_tokens(), room.keys());
    // The spare token by way of a module that spoils its first signature.
    let (devices, under) = room.stage.failing(&room.spare, "only=spare\ncorrupt=1\n");
    let runbook = room.restore();
    let refused = room.hold(&devices, &runbook, &made.cards[..2], &under);
    assert!(refused.code != 0 && refused.text.contains("SIGNATURE-WRONG"), "{}", refused.text);
    assert_eq!((room.on_tokens(), room.keys()), (on_tokens, keys), "{}", refused.text);
    let back = room.hold(&room.spare, &runbook, &made.cards[1..], &[]);
    assert_eq!(back.code, 0, "{}", back.text);
    assert_eq!((room.on_tokens(), room.keys()), (on_tokens + 2, keys + 1), "{}", back.text);
    assert!(room.problems().is_empty(), "{:?} {}", room.problems(), back.text);
}
