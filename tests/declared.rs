//! What targets keys have declared of developers' keys, once they leave themselves: by the program
//! itself, with keys in files. Whoever has stolen a targets key declares others' keys on a copy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::record::{Inputs, Record};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::KeyEvent;
use serde_json::json;
use stage::{Stage, fill, made_elsewhere, utf8};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Any: what became of keys doesn't depend on it.
const DAY: &str = "2026-11-22T13:00:00Z";
const HEAD: &str = "[people]\nada = \"administrator\"\nbruno = \"custodian\"\n";

/// A record with a root of 2 of 3, the targets keys `t1`, in use, and `t2`, and three developers' keys
/// that nothing grants yet.
struct Room {
    stage: Stage,
}

impl Room {
    fn new(name: &str) -> Self {
        let mut limits = Limits::default_for(Profile::Notary);
        limits.root.witnesses = 0;
        let stage = Stage::new(name, Profile::Notary, Kind::Rehearsal, &limits);
        fs::create_dir_all(stage.path("keys")).unwrap();
        let mut text = format!("ceremony = \"generate-key\"\ntitle = \"Keys\"\n{HEAD}");
        for (key, holder, purpose) in [
            ("r1", "ada", "root"),
            ("r2", "bruno", "root"),
            ("r3", "carla", "root"),
            ("t1", "uma", "targets"),
            ("t2", "vera", "targets"),
            ("d1", "dana", "delegation"),
            ("d2", "erik", "delegation"),
            ("d3", "fay", "delegation"),
        ] {
            writeln!(text, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"")
                .unwrap();
        }
        let room = Self { stage };
        let mut online = format!("ceremony = \"enroll-key\"\ntitle = \"Backend\"\n{HEAD}");
        let mut map = room.map(&ALL);
        for role in ["snapshot", "timestamp"] {
            let file = room.stage.path(&format!("{role}.pem"));
            made_elsewhere(&file);
            map = map.enrol(role, &file);
            writeln!(online, "[[key]]\nname = \"{role}\"\nholder = \"backend\"\npurpose = \"{role}\"")
                .unwrap();
        }
        let map = map.write("first.toml");
        let create = format!(
            "ceremony = \"create-root\"\ntitle = \"Root\"\n{HEAD}[root]\nkeys = [\"r1\", \"r2\", \"r3\"]\n\
             threshold = 2\nvalid-for = \"2 years\"\n[targets]\nkeys = [\"t1\"]\nthreshold = 1\n\
             valid-for = \"1 year\"\n[snapshot]\nkeys = [\"snapshot\"]\nthreshold = 1\n\
             [timestamp]\nkeys = [\"timestamp\"]\nthreshold = 1\n"
        );
        for (file, text) in [("1.toml", text), ("2.toml", online), ("3.toml", create)] {
            room.stage.hold(&map, &room.stage.write(file, &text)).1.ended(0);
        }
        room
    }

    fn map(&self, keys: &[&str]) -> stage::Devices<'_> {
        let map = self.stage.devices();
        keys.iter().fold(map, |map, key| map.in_file(key, &format!("keys/{key}.pem")))
    }

    /// The map of someone who has these keys, and knows the root.
    fn having(&self, keys: &[&str]) -> PathBuf {
        self.map(keys).knowing(&self.stage.root()).write(&format!("has-{}.toml", keys.concat()))
    }

    fn copy(&self, name: &str) -> PathBuf {
        let to = self.stage.path(name);
        stage::Done::of(Command::new("cp").arg("-r").arg(&self.stage.record).arg(&to)).ended(0);
        to
    }

    fn stolen(&self, key: &str) -> PathBuf {
        let text = format!(
            "ceremony = \"revoke-delegation\"\ntitle = \"{key} was stolen\"\n{HEAD}\
             [revoke]\nkey = \"{key}\"\nbecause = \"compromised\"\n"
        );
        self.stage.write(&format!("{key}-stolen.toml"), &text)
    }

    /// Plans a runbook in a copy, and gives the line that holds it.
    fn answered(&self, record: &Path, map: &Path, runbook: &Path) -> Vec<String> {
        let answers =
            self.stage.path(&format!("answers-{}.toml", fs::read_dir(&self.stage.dir).unwrap().count()));
        let plan = ["plan", utf8(runbook), "--write-answers", utf8(&answers)];
        let plan = self.stage.on(record, map, &plan).ended(0).json();
        let filled = fill(&fs::read_to_string(&answers).unwrap(), plan["change"].as_str().unwrap());
        fs::write(&answers, filled).unwrap();
        ["run", utf8(runbook), "--answers", utf8(&answers), "--unattended"].map(str::to_owned).into()
    }

    fn run(&self, record: &Path, map: &Path, line: &[String]) -> stage::Done {
        self.stage.on(record, map, &line.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Which developers' keys have been given up.
    fn given_up(&self) -> BTreeMap<String, Vec<KeyEvent>> {
        let facts = Record::open(&self.stage.record)
            .unwrap()
            .read_all(DAY.parse().unwrap(), &Inputs::default())
            .unwrap()
            .facts;
        let gone =
            facts.keys.values().filter(|key| key.name.as_str().starts_with('d') && !key.life.is_empty());
        gone.map(|key| (key.name.to_string(), key.life.iter().map(|(event, _)| *event).collect())).collect()
    }
}

const ALL: [&str; 8] = ["r1", "r2", "r3", "t1", "t2", "d1", "d2", "d3"];

/// The old targets key declares `d1` stolen, and is stolen itself; the thief declares `d2` while the root
/// without it is being signed. Root repeats what the runbook names, the thief's word ends with the key,
/// and whoever signs is told, also on a copy that has heard neither.
#[test]
fn what_targets_keys_declared_stays_as_far_as_root_says_it() {
    let room = Room::new("declared");
    let stage = &room.stage;
    let thief = room.having(&["t1"]);
    let heard = room.stolen("d1");
    let line = room.answered(&stage.record, &thief, &heard);
    room.run(&stage.record, &thief, &line).ended(0);
    assert_eq!(room.given_up(), [("d1".to_owned(), vec![KeyEvent::Compromised])].into());
    let theirs = room.copy("theirs");

    // The guide writes in what there is, for people to read.
    let guided = room.copy("guided");
    let answers = stage.write(
        "guide.toml",
        "[answers]\nceremony = \"lost-or-stolen\"\nwhat = \"targets-key\"\nkeys = \"t1\"\nfate.t1 = \"copied\"\n\
         new-key = \"t3\"\nholder = \"vera\"\nlate = \"none\"\nadministrator = \"ada\"\nwitnesses = \"wim\"\nnext = \"later\"\n",
    );
    let guide = ["guide", "--answers", utf8(&answers), "--unattended"];
    let told = stage.on(&guided, &room.having(&["r1"]), &guide).ended(0).text();
    assert!(told.contains("d1 of dana, which targets keys alone declared compromised on 20"), "{told}");
    let written = fs::read_dir(guided.join("lost-or-stolen")).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<_> = written.map(|path| fs::read_to_string(path).unwrap()).collect();
    let recover = texts.iter().find(|text| text.contains("ceremony = \"recover\"")).unwrap();
    assert!(recover.ends_with("\n[declared]\ncompromised = [\"d1\"]\n"), "{recover}");

    let rotation = |declared: &str| {
        let text = format!(
            "ceremony = \"issue-targets-key\"\ntitle = \"T1 was stolen\"\n{HEAD}[targets]\nkeys = [\"t2\"]\n\
             threshold = 1\ncompromised = [\"t1\"]\nvalid-for = \"1 year\"\n[root]\nvalid-for = \"2 years\"\n{declared}"
        );
        stage.write("rotation.toml", &text)
    };
    let first = room.having(&["r1"]);
    let refused = stage.on(&stage.record, &first, &["plan", utf8(&rotation(""))]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "DECLARED-CEASES", "{refused}");
    assert!(refused.to_string().contains("d1 of dana, declared compromised since 20"), "{refused}");
    let runbook = rotation("[declared]\ncompromised = [\"d1\"]\n");
    let line = room.answered(&stage.record, &first, &runbook);
    room.run(&stage.record, &first, &line).ended(4);

    // A copy that lacks what targets keys have said computes the same change.
    let deaf = room.copy("deaf");
    let lives = fs::read_dir(deaf.join("statements")).unwrap().map(|entry| entry.unwrap().path());
    let lives = lives.filter(|path| fs::read_to_string(path).unwrap().contains("\"key-life\""));
    let removed = lives.map(|path| fs::remove_file(path).unwrap()).count();
    assert_eq!(removed, 1);
    let planned = stage.on(&stage.record, &first, &["plan", utf8(&runbook)]).ended(0).json();
    let change = planned["change"].as_str().unwrap().to_owned();
    let signed = stage.sign(&deaf, &room.having(&["r2"]), &change).ended(0).json();
    assert!(!signed["signed"].as_array().unwrap().is_empty(), "{signed}");

    // The thief's word comes in meanwhile, and acts as long as the key does.
    let line_of_thief = room.answered(&theirs, &thief, &room.stolen("d2"));
    room.run(&theirs, &thief, &line_of_thief).ended(0);
    let all = room.having(&ALL);
    stage.on(&stage.record, &all, &["import", utf8(&theirs)]).ended(0);
    assert_eq!(room.given_up().len(), 2);
    let plan = stage.on(&stage.record, &all, &["plan", utf8(&runbook)]).ended(0).json();
    assert_eq!(plan["change"], *change, "the very same: {plan}");
    let told = plan["summary"].to_string();
    assert!(told.contains("d2 of erik, declared compromised since 20"), "{told}");
    assert!(told.contains("counts no more with this root"), "{told}");
    assert!(told.contains("d1 of dana is declared compromised, for good"), "{told}");
    let held = room.run(&stage.record, &all, &line).ended(0).json();
    assert_eq!(held["done"], json!(["T1 was stolen"]), "{held}");
    assert_eq!(room.given_up(), [("d1".to_owned(), vec![KeyEvent::Compromised])].into());

    // Nor does the thief say more: the new key does, and can.
    let late = room.answered(&theirs, &thief, &room.stolen("d3"));
    room.run(&theirs, &thief, &late).ended(0);
    let all = room.having(&ALL);
    stage.on(&stage.record, &all, &["import", utf8(&theirs)]).ended(0);
    assert_eq!(room.given_up().len(), 1);
    let (_, done) = stage.hold(&all, &room.stolen("d3"));
    done.ended(0);
    assert_eq!(room.given_up().len(), 2);
}

/// A change that was planned when nothing had been declared, whose runbook names nothing: the very key
/// that it takes out can't stop it.
#[test]
fn a_stolen_targets_key_stops_no_change_that_takes_it_out() {
    let room = Room::new("declared-late");
    let stage = &room.stage;
    let (thief, first) = (room.having(&["t1"]), room.having(&["r1"]));
    let theirs = room.copy("theirs");
    let text = format!(
        "ceremony = \"revoke-delegation\"\ntitle = \"Uma leaves\"\n{HEAD}[revoke]\nperson = \"uma\"\n\
         because = \"compromised\"\n[root]\nvalid-for = \"2 years\"\n[targets]\nreplace-with = [\"t2\"]\n\
         valid-for = \"1 year\"\n"
    );
    let runbook = stage.write("uma.toml", &text);
    let line = room.answered(&stage.record, &first, &runbook);
    room.run(&stage.record, &first, &line).ended(4);
    let line_of_thief = room.answered(&theirs, &thief, &room.stolen("d2"));
    room.run(&theirs, &thief, &line_of_thief).ended(0);
    let all = room.having(&ALL);
    stage.on(&stage.record, &all, &["import", utf8(&theirs)]).ended(0);
    assert_eq!(room.given_up().len(), 1);
    let held = room.run(&stage.record, &all, &line).ended(0).json();
    assert_eq!(held["done"], json!(["Uma leaves"]), "{held}");
    assert_eq!(room.given_up(), BTreeMap::new());
}

/// Nor does it, by one more targets, take away the way to a change that people have half signed: `status`
/// gives the lines, and they lead there.
#[test]
fn a_change_that_a_thief_overtakes_is_planned_anew() {
    let room = Room::new("declared-overtaken");
    let stage = &room.stage;
    let (thief, first) = (room.having(&["t1"]), room.having(&["r1"]));
    let theirs = room.copy("theirs");
    let text = format!(
        "ceremony = \"issue-targets-key\"\ntitle = \"T1 was stolen\"\n{HEAD}[targets]\nkeys = [\"t2\"]\n\
         threshold = 1\ncompromised = [\"t1\"]\nvalid-for = \"1 year\"\nas-in = 1\n[root]\nvalid-for = \"2 years\"\n"
    );
    let runbook = stage.write("rotation.toml", &text);
    let line = room.answered(&stage.record, &first, &runbook);
    room.run(&stage.record, &first, &line).ended(4);
    let next = || {
        let status = stage.on(&stage.record, &first, &["status"]).ended(0).json();
        let lines = status["next"].as_array().unwrap().clone();
        lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(!next().iter().any(|line| line.contains("anew")), "{:?}", next());

    // What the thief signs comes in as the backend's answer does: a document, and no change.
    let grant = format!(
        "ceremony = \"grant-delegation\"\ntitle = \"Evil\"\n{HEAD}[delegation]\napplication = \"evil\"\n\
         keys = [\"d1\"]\nthreshold = 1\npaths = [\"evil/\"]\nvalid-for = \"1 year\"\n"
    );
    let grant = stage.write("evil.toml", &grant);
    let line_of_thief = room.answered(&theirs, &thief, &grant);
    room.run(&theirs, &thief, &line_of_thief).ended(0);
    let served = stage.path("served");
    fs::create_dir_all(served.join("metadata")).unwrap();
    stage::Done::of(
        Command::new("cp").arg("-r").arg(theirs.join("metadata/targets")).arg(served.join("metadata")),
    )
    .ended(0);
    stage.on(&stage.record, &first, &["import", utf8(&served)]).ended(0);

    let lines = next();
    let withdraw = "guide withdraw    for \"T1 was stolen\": half signed, and targets 2 has come between";
    assert!(lines[0].contains(withdraw), "{lines:?}");
    assert!(lines[1].contains("plans \"T1 was stolen\" anew, from targets 2"), "{lines:?}");
    let again = lines[1].split(" run ").nth(1).unwrap().split("    ").next().unwrap().to_owned();
    let back = format!(
        "ceremony = \"withdraw\"\ntitle = \"Anew\"\n{HEAD}[withdraw]\nchange = \"T1 was stolen\"\n\
         reason = \"a thief has come between\"\n"
    );
    let all = room.having(&ALL);
    stage.hold(&all, &stage.write("back.toml", &back)).1.ended(0);
    // A shell finds the whole name by its first digits.
    let again = stage::shell(&stage.dir, &format!("echo {again}"), &[]).ended(0).text();
    let held = stage.hold(&all, Path::new(again.trim())).1.ended(0).json();
    assert_eq!(held["done"], json!(["T1 was stolen"]), "{held}");
    assert!(!next().iter().any(|line| line.contains("anew")), "{:?}", next());
    let facts = Record::open(&stage.record).unwrap().read_all(DAY.parse().unwrap(), &Inputs::default());
    let newest = &facts.unwrap().facts.documents[&RoleName::Targets];
    assert_eq!(newest.version(), 3);
    assert!(newest.document().as_targets().unwrap().delegations.roles.is_empty());
}

/// A thief of the targets key declares the key of the developer who stays: nobody could release any more
/// once the other leaves. Another targets key in its place, alone, ends that word; then the person leaves.
#[test]
fn a_person_leaves_whose_colleagues_key_a_thief_has_declared() {
    let room = Room::new("declared-colleague");
    let stage = &room.stage;
    let grant = format!(
        "ceremony = \"grant-delegation\"\ntitle = \"Camera\"\n{HEAD}[delegation]\napplication = \"camera\"\n\
         keys = [\"d1\", \"d2\"]\nthreshold = 1\npaths = [\"camera/\"]\nvalid-for = \"1 year\"\n"
    );
    stage.hold(&room.having(&ALL), &stage.write("camera.toml", &grant)).1.ended(0);
    let theirs = room.copy("theirs");
    let thief = room.having(&["t1"]);
    let line = room.answered(&theirs, &thief, &room.stolen("d2"));
    room.run(&theirs, &thief, &line).ended(0);
    let medium = stage.path("medium");
    fs::create_dir_all(&medium).unwrap();
    stage::Done::of(Command::new("cp").arg("-r").arg(theirs.join("statements")).arg(&medium)).ended(0);
    let all = room.having(&ALL);
    stage.on(&stage.record, &all, &["import", utf8(&medium)]).ended(0);
    assert_eq!(room.given_up(), [("d2".to_owned(), vec![KeyEvent::Compromised])].into());

    let leaves = format!(
        "ceremony = \"revoke-delegation\"\ntitle = \"Dana leaves\"\n{HEAD}[revoke]\nperson = \"dana\"\n\
         because = \"compromised\"\n"
    );
    let leaves = stage.write("dana.toml", &leaves);
    let refused = stage.on(&stage.record, &all, &["plan", utf8(&leaves)]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "BELOW-THRESHOLD", "{refused}");
    assert!(
        refused["error"]["found"].as_str().unwrap().contains("d2 of erik, compromised since 20"),
        "{refused}"
    );
    assert!(refused["error"]["next"].as_str().unwrap().contains("issue-targets-key"), "{refused}");

    let rotation = format!(
        "ceremony = \"issue-targets-key\"\ntitle = \"T1 was stolen\"\n{HEAD}[targets]\nkeys = [\"t2\"]\n\
         threshold = 1\ncompromised = [\"t1\"]\nvalid-for = \"1 year\"\n[root]\nvalid-for = \"2 years\"\n[declared]\n"
    );
    stage.hold(&all, &stage.write("rotation.toml", &rotation)).1.ended(0);
    assert_eq!(room.given_up(), BTreeMap::new());
    stage.hold(&room.having(&ALL), &leaves).1.ended(0);
    assert_eq!(room.given_up(), [("d1".to_owned(), vec![KeyEvent::Compromised])].into());
}
