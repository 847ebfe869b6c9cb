//! Limits in force: a first day in production, by the program, under limits that demand more than
//! the built-in ones, and what they refuse.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::transcript::{Begin, CeremonyId, Outcome, Said, Transcript};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::time::{Term, Time, Unit};
use serde_json::Value;
use stage::{Devices, Done, Stage, shipped, utf8};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

/// A trust in production with every key of the first day in the record; there is no root yet.
fn keys(stage: &Stage) -> (Devices<'_>, PathBuf) {
    let mut devices = stage.devices();
    for key in ["root-a", "root-b", "root-c", "targets-1"] {
        let serial = stage.token(key);
        devices = devices.on_token(key, &serial);
    }
    let (_, enrolment) = stage.developer("dana");
    let devices = devices.backend_elsewhere().enrol("dev-dana", &enrolment);
    let map = devices.write("devices.toml");
    for runbook in ["01-root-keys", "02-targets-key", "03-enroll"] {
        stage.hold(&map, &first_day(runbook)).1.ended(0);
    }
    (devices, map)
}

fn first_day(runbook: &str) -> PathBuf {
    shipped(&format!("first-day/{runbook}.toml"))
}

/// The rule that a refusal names, and what it expected.
fn refused(done: Done) -> (String, String) {
    let json = done.ended(1).json();
    let text = |member: &str| {
        json["error"][member].as_str().unwrap_or_else(|| panic!("no {member}: {json}")).to_owned()
    };
    (text("rule"), text("expected"))
}

#[test]
fn a_rehearsal_that_limits_demand_is_held_inside() {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.targets.rehearsed = true;
    let stage = Stage::new("limits-rehearsed", Profile::Notary, Kind::Production, &limits);
    let (devices, map) = keys(&stage);
    let root = first_day("04-root");
    let plan = || stage.on(&stage.record, &map, &["plan", utf8(&root)]);
    let changes = || fs::read_dir(stage.record.join("changes")).unwrap().count();

    // One that fails ends the command, and nothing is written of the real thing.
    let before = changes();
    let inside = stage.record.join("private/rehearsal");
    fs::write(&inside, "in the way").unwrap();
    let failed = plan().ended(3).json();
    fs::remove_file(&inside).unwrap();
    assert_eq!(failed["error"]["rule"], "FILE-WRITE");
    let found = failed["error"]["found"].as_str().unwrap();
    assert!(found.contains("the rehearsal that the limits in force demand"), "{failed}");
    assert_eq!(changes(), before, "nothing is written");
    assert!(!stage.record.join("rehearsals").exists());

    // Another runbook's rehearsal is none of this one's.
    let other = fs::read_to_string(&root).unwrap().replace("Root of trust", "Roots of trust");
    let other = stage.write("other.toml", &other);
    stage.keyrite(["rehearse", "--from", utf8(&stage.record), utf8(&other)]).ended(0);
    let rehearsals = || fs::read_dir(stage.record.join("rehearsals")).unwrap().count();
    assert_eq!(rehearsals(), 1);

    // What one left that was cut off is no hindrance.
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("left"), "by a rehearsal").unwrap();
    let planned = plan().ended(0).json();
    assert_eq!(rehearsals(), 2);
    assert!(!inside.exists(), "what it made is gone");
    let rehearsed = planned["rehearsed"].as_str().unwrap();
    assert!(rehearsed.contains("after the record's own 3 ceremonies"), "{rehearsed}");
    let change_digest: String = planned["change"].as_str().unwrap().to_owned();
    let folder = stage.record.join("changes").join(&change_digest);
    let text = fs::read_to_string(folder.join("change.json")).unwrap();
    let change: Value = serde_json::from_str(&text).unwrap();
    let rehearsal = &change["rehearsal"];
    let folder = stage.record.join("rehearsals").join(rehearsal["trust"].as_str().unwrap());
    let ceremony = rehearsal["ceremony"].as_str().unwrap();
    let head = rehearsal["head"].as_str().unwrap();
    let session = fs::read_dir(folder.join("transcripts").join(ceremony)).unwrap();
    let names: Vec<_> = session.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.contains(head)), "{head} in {names:?}");

    // Whoever signs looks for the rehearsal in their own copy.
    let copy = stage.path("copy");
    stage.on(&stage.record, &map, &["export", utf8(&copy), "--for", "ada"]).ended(0);
    fs::remove_dir_all(copy.join("rehearsals")).unwrap();
    let answers = stage.write("a.toml", "[answers]\n");
    let sign = ["sign", "--answers", utf8(&answers), "--unattended"];
    assert_eq!(refused(stage.on(&copy, &map, &sign)).0, "CHANGE-RECOMPUTED");
    // And signs no change that says of none.
    let whole = serde_json::to_string(rehearsal).unwrap();
    let none = text.replace(&format!("\"rehearsal\":{whole}"), "\"rehearsal\":null");
    assert_ne!(none, text);
    let without = copy.join("changes").join(Digest::of(none.as_bytes()).hex());
    fs::rename(copy.join("changes").join(&change_digest), &without).unwrap();
    fs::write(without.join("change.json"), none).unwrap();
    assert_eq!(refused(stage.on(&copy, &map, &sign)).0, "REHEARSAL-MISSING");
    // It was held before, so it is not held again.
    stage.hold(&map, &root).1.ended(0);
    assert_eq!(rehearsals(), 2);

    // The next one is rehearsed on what this one made, with its versions and dates.
    let map = devices.knowing(&stage.root()).write("devices-2.toml");
    let grant = first_day("05-camera-station");
    let text = stage.keyrite(["rehearse", "--from", utf8(&stage.record), utf8(&grant)]).ended(0).text();
    assert!(text.contains("it accepts targets 2"), "{text}");
    let expiry = |record: &std::path::Path| {
        let status = stage.keyrite(["-C", utf8(record), "--json", "status"]).ended(0).json();
        status["roles"].as_array().unwrap().iter().find(|r| r["role"] == "root").unwrap()["expires"].clone()
    };
    assert_eq!(expiry(&stage.path("rehearsal-2/record")), expiry(&stage.record));
    stage.hold(&map, &grant).1.ended(0);
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
}

#[test]
fn production_asks_for_the_day_and_records_what_the_machine_is_like() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("limits-today", Profile::Notary, Kind::Production, &limits);
    let serial = stage.token("targets-1");
    let map = stage.devices().on_token("targets-1", &serial).write("devices.toml");
    let runbook = first_day("02-targets-key");
    let answers = stage.path("answers.toml");
    let plan = ["plan", utf8(&runbook), "--write-answers", utf8(&answers)];
    let plan = stage.on(&stage.record, &map, &plan).ended(0).json();
    assert_eq!(plan["prompts"][0], "today");
    let template = fs::read_to_string(&answers).unwrap();
    assert!(template.contains("# a day, as 2026-11-22\n\"today\" = \"\""), "{template}");
    let filled = stage::fill(&template, plan["change"].as_str().unwrap());
    let with = |day: &str| {
        stage.write("filled.toml", &filled.replace(&stage::today(), day));
        stage.on(&stage.record, &map, &["run", utf8(&runbook), "--answers", "filled.toml", "--unattended"])
    };
    for (day, rule, code) in
        [("2020-02-29", "CLOCK", 1), ("2026-02-30", "ANSWER-WRONG", 2), ("", "ANSWER-MISSING", 2)]
    {
        assert_eq!(with(day).ended(code).json()["error"]["rule"], rule, "{day}");
        assert!(!stage.record.join("transcripts").exists(), "nothing was begun on {day}");
    }
    with(&stage::today()).ended(0);
    let begin = first_entry(&stage);
    let checks = &begin["outcome"]["host-checks"];
    assert!(
        checks["today"].as_str().unwrap().starts_with(&format!("{} as typed", stage::today())),
        "{checks}"
    );
    assert_eq!(checks["core dumps"], "off");
    assert_eq!(checks["memory"], "closed to other programs");
    for name in ["swap", "network", "clock source"] {
        assert!(checks[name].is_string(), "{name} in {checks}");
    }
}

/// The `begin` of the only session.
fn first_entry(stage: &Stage) -> Value {
    let folder = fs::read_dir(stage.record.join("transcripts")).unwrap().next().unwrap().unwrap();
    let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap()
}

#[test]
fn a_session_of_a_day_to_come_is_not_taken_in_and_holds_up_whoever_has_it() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("limits-ahead", Profile::Notary, Kind::Production, &limits);
    let serial = stage.token("targets-1");
    let map = stage.devices().on_token("targets-1", &serial).write("devices.toml");
    let medium = stage.path("medium");
    stage.on(&stage.record, &map, &["export", utf8(&medium)]).ended(0);
    let now = Time::from_unix(i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()).unwrap();
    for (days, taken) in [(0, true), (3, false)] {
        let id = CeremonyId::from_bytes([u8::try_from(days).unwrap(); 16]);
        let mut transcript = Transcript::new(id);
        let said = Said { by: None, change: None, step: None, outcome: begin(), private: BTreeMap::new() };
        let appended = transcript.append(now.plus(Term::new(days, Unit::Days)).unwrap(), said).unwrap();
        let file = medium.join(format!("transcripts/{id}/000000.{}.json", appended.sha));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, &appended.bytes).unwrap();
        let said = stage.on(&stage.record, &map, &["import", utf8(&medium)]).ended(0).json();
        assert_eq!(said["left"].as_array().unwrap().is_empty(), taken, "{said}");
        if !taken {
            assert_eq!(said["left"][0]["rule"], "CLOCK", "{said}");
        }
    }
    // Carried in by hand: no session begins before it.
    Done::of(Command::new("cp").arg("-r").arg(medium.join("transcripts")).arg(&stage.record)).ended(0);
    let (_, done) = stage.hold(&map, &first_day("02-targets-key"));
    assert_eq!(refused(done).0, "CLOCK");
}

fn begin() -> Outcome {
    Outcome::Begin(Box::new(Begin {
        keyrite: "0".to_owned(),
        binary: Digest::of(b""),
        people: BTreeMap::new(),
        stage: Kind::Production,
        runbooks: Vec::new(),
        host_checks: BTreeMap::new(),
        heads: Vec::new(),
    }))
}

#[test]
fn limits_are_loosened_by_the_root_threshold_alone_and_said_to_be() {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.root.witnesses = 0;
    let stage = Stage::new("limits-set", Profile::Notary, Kind::Production, &limits);
    let (devices, map) = keys(&stage);
    stage.hold(&map, &first_day("04-root")).1.ended(0);
    let map = devices.knowing(&stage.root()).write("devices-2.toml");
    let runbook = |members: &str| {
        let text = format!(
            "ceremony = \"set-limits\"\ntitle = \"Limits\"\n[people]\nada = \"administrator\"\n{members}"
        );
        stage.write("limits.toml", &text)
    };
    let plan = |runbook: &std::path::Path| stage.on(&stage.record, &map, &["plan", utf8(runbook)]);

    for (members, rule) in [
        ("[limits.root]\nthreshold-floor = 1\n", "LIMITS-FLOOR"),
        ("[limits.ceremony]\nrecord-no-older = \"91 days\"\n", "LIMITS-FLOOR"),
        ("[limits.clients]\noldest-root = 0\n", "LIMITS-FLOOR"),
        // Nobody would be left in the field.
        ("[limits.clients]\noldest-root = 2\n", "LIMITS-FLOOR"),
    ] {
        assert_eq!(refused(plan(&runbook(members))).0, rule, "{members}");
    }
    for members in ["[limits]\nformat = 1\n", "[limits.root]\nspare-key = 1\n", ""] {
        assert_eq!(plan(&runbook(members)).ended(2).json()["error"]["rule"], "RUNBOOK", "{members}");
    }
    let same = plan(&runbook("[limits.root]\nspare-keys = 1\n")).ended(0).json();
    assert_eq!(same["already-held"], true);

    let runbook =
        runbook("[limits.root]\nspare-keys = 0\nwitnesses = 1\n[limits.targets]\nsoftware-keys = true\n");
    let planned = plan(&runbook).ended(0).json();
    let summary: Vec<_> =
        planned["summary"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert_eq!(
        summary,
        [
            "limits 2 take the place of limits 1",
            "  LOOSER: root: spare keys 1 becomes 0",
            "  LOOSER: targets: software keys: no becomes yes",
            "  tighter: root: witnesses 0 becomes 1",
        ]
    );
    let status = || stage.keyrite(["-C", utf8(&stage.record), "status"]).ended(0).text();
    assert!(status().contains("number 1"), "{}", status());
    let (change, done) = stage.hold(&map, &runbook);
    done.ended(0);
    assert_eq!(change, planned["change"]);
    let files: Vec<_> =
        fs::read_dir(stage.record.join("limits")).unwrap().map(|f| f.unwrap().path()).collect();
    let second = files.iter().find(|f| utf8(f).contains("/2.")).expect("limits 2");
    let text = fs::read_to_string(second).unwrap();
    assert!(text.contains("spare-keys        = 0") && text.contains("software-keys     = true"), "{text}");
    assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
    assert!(status().contains("number 2"), "{}", status());
    assert_eq!(plan(&runbook).ended(0).json()["already-held"], true);

    // In force: the next change of limits is root's as well, and now needs a witness.
    let again = stage.write(
        "again.toml",
        "ceremony = \"set-limits\"\ntitle = \"Again\"\n[people]\nada = \"administrator\"\n[limits.root]\nspare-keys = 1\n",
    );
    assert_eq!(refused(plan(&again)).0, "WITNESSES");
    // Nobody signs it but a threshold of root; a medium's unsigned limits stay there.
    let medium = stage.path("medium");
    stage.on(&stage.record, &map, &["export", utf8(&medium)]).ended(0);
    let loose = text.replace("record-no-older   = \"14 days\"", "record-no-older   = \"90 days\"");
    assert_ne!(loose, text);
    fs::write(medium.join(format!("limits/3.{}.toml", Digest::of(loose.as_bytes()))), loose).unwrap();
    let said = stage.on(&stage.record, &map, &["import", utf8(&medium)]).ended(0).json();
    assert_eq!(said["left"][0]["rule"], "LIMITS-UNSIGNED", "{said}");
}

/// A file of `statements/` as one key's signature of a change's statement would be, had it been enough.
fn as_sealed(stage: &Stage, record: &Path, key: &str) -> (String, Vec<u8>) {
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let file = fs::read_dir(stage.record.join("keys").join(key)).unwrap().next().unwrap().unwrap();
    let file = read(&file.path());
    let folders = fs::read_dir(record.join("changes")).unwrap().map(|folder| folder.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()));
    let files: Vec<_> = files.collect();
    let limits = |path: &&PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        utf8(path).ends_with(".payload.json")
            && text.contains("\"kind\":\"limits\"")
            && text.contains("\"number\":2")
    };
    let payload = files.iter().find(limits).expect("the statement of limits 2");
    let digest = Digest::of(&fs::read(payload).unwrap()).hex();
    let of = |path: &&PathBuf| {
        path.file_name().unwrap().to_str().unwrap().starts_with(&digest)
            && read(path)["identity"] == file["identity"]
    };
    let sig = read(files.iter().find(of).expect("its signature"))["sig"].clone();
    let statement = fs::read_to_string(payload).unwrap();
    let text = format!("{{\"format\":1,\"sig\":{sig},\"spki\":{},\"statement\":{statement}}}", file["spki"]);
    (format!("statements/{}.json", Digest::of(text.as_bytes())), text.into_bytes())
}

/// Root 1 of three keys, of which two sign. With one of them the change waits; and limits that someone
/// writes into a record all the same, with all that this one key has signed, are not in force.
#[test]
fn looser_limits_by_a_threshold_less_one_are_refused() {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.root.witnesses = 0;
    let stage = Stage::new("limits-one-short", Profile::Notary, Kind::Production, &limits);
    let (devices, map) = keys(&stage);
    stage.hold(&map, &first_day("04-root")).1.ended(0);
    let everyone = devices.knowing(&stage.root()).write("everyone.toml");
    let text = fs::read_to_string(&everyone).unwrap();
    let absent = |table: &&str| table.starts_with("key.root-b]") || table.starts_with("key.root-c]");
    let there: Vec<_> = text.split("\n[").filter(|table| !absent(table)).collect();
    let alone = stage.write("alone.toml", &there.join("\n["));
    let text = "ceremony = \"set-limits\"\ntitle = \"Looser\"\n[people]\nada = \"administrator\"\n\
         bruno = \"custodian\"\ncarla = \"custodian\"\n[limits.root]\nspare-keys = 0\n";
    let runbook = stage.write("looser.toml", text);
    let copy = |from: &Path, name: &str| {
        let to = stage.path(name);
        Done::of(Command::new("cp").arg("-r").args([from, &to])).ended(0);
        to
    };
    let number = |record: &Path| {
        stage.keyrite(["-C", utf8(record), "--json", "status"]).ended(0).json()["limits"].clone()
    };
    let listed = |record: &Path| fs::read_dir(record.join("limits")).unwrap().count();
    let before = copy(&stage.record, "before");

    // Twice by the same one of the two, in two copies.
    let other =
        Stage { dir: stage.dir.clone(), record: copy(&stage.record, "other"), trust: stage.trust.clone() };
    for stage in [&stage, &other] {
        let waits = stage.hold(&alone, &runbook).1.ended(4).json();
        assert_eq!((number(&stage.record), listed(&stage.record)), (1.into(), 1), "{waits}");
    }
    let once = as_sealed(&stage, &stage.record, "root-a");
    let twice = as_sealed(&stage, &other.record, "root-a");
    assert_ne!(once, twice, "ECDSA of this token draws on chance");
    stage.hold(&everyone, &runbook).1.ended(0);
    assert_eq!((number(&stage.record), listed(&stage.record)), (2.into(), 2));
    let second = as_sealed(&stage, &stage.record, "root-b");

    let entry = fs::read_dir(stage.record.join("limits")).unwrap().map(|file| file.unwrap());
    let file = entry
        .map(|file| file.file_name().into_string().unwrap())
        .find(|name| name.starts_with("2."))
        .unwrap();
    for (case, statements, stands) in [
        ("none", &[][..], false),
        ("one", &[&once], false),
        ("one-twice", &[&once, &twice], false),
        ("two", &[&once, &second], true),
    ] {
        let plant = |record: &Path| {
            fs::copy(stage.record.join("limits").join(&file), record.join("limits").join(&file)).unwrap();
            for (name, bytes) in statements {
                fs::create_dir_all(record.join("statements")).unwrap();
                fs::write(record.join(name), bytes).unwrap();
            }
        };
        // Handed over on a medium.
        let medium = copy(&before, &format!("medium-{case}"));
        let taker = copy(&before, &format!("taker-{case}"));
        plant(&medium);
        let said = stage.on(&taker, &everyone, &["import", utf8(&medium)]).ended(0).json();
        let left = said["left"].as_array().unwrap();
        let unsigned = left.iter().any(|left| left["rule"] == "LIMITS-UNSIGNED");
        assert_eq!(unsigned, !stands, "{case}: {said}");
        let now = if stands { 2 } else { 1 };
        assert_eq!((number(&taker), listed(&taker)), (now.into(), now), "{case}: {said}");
        // Written into the record itself.
        let record = copy(&before, &format!("record-{case}"));
        plant(&record);
        let (version, payload) = stage.root();
        let anchor = format!("{version}:{payload}");
        let line = ["-C", utf8(&record), "--json", "verify", "--anchor", &anchor];
        let verified = stage.keyrite(line).ended(i32::from(!stands)).json();
        let told = verified["problems"].as_array().unwrap().iter().any(|p| p["rule"] == "LIMITS-UNSIGNED");
        assert_eq!(told, !stands, "{case}: {verified}");
        assert_eq!(number(&record), now, "{case}");
    }
}

#[test]
fn the_shipped_example_is_rehearsed_after_the_first_day() {
    let stage =
        Stage::new("limits-example", Profile::Notary, Kind::Rehearsal, &Limits::default_for(Profile::Notary));
    for story in ["first-day", "first-day-tuf"] {
        let profile = if story == "first-day" { "notary" } else { "tuf" };
        let into = stage.path(story);
        let days = [shipped(story), shipped("limits")];
        let line = ["rehearse", "--profile", profile, "--into", utf8(&into), utf8(&days[0]), utf8(&days[1])];
        stage.keyrite(line).ended(0);
        assert!(fs::read_dir(into.join("record/limits")).unwrap().count() == 2, "{story}");
    }
}

/// SoftHSM says `local: yes` of its keys, as a token would; nobody else does.
#[test]
fn keys_that_no_device_attests_are_told_and_refused_where_limits_say_so() {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.root.attested_keys = true;
    let stage = Stage::new("limits-attested", Profile::Notary, Kind::Production, &limits);
    let (_, map) = keys(&stage);
    let root = first_day("04-root");
    let (rule, expected) = refused(stage.on(&stage.record, &map, &["plan", utf8(&root)]));
    assert_eq!(rule, "KEY-NOT-ATTESTED");
    assert!(expected.contains("proven hardware key"), "{expected}");

    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("limits-claimed", Profile::Notary, Kind::Production, &limits);
    let (devices, map) = keys(&stage);
    let planned = stage.on(&stage.record, &map, &["plan", utf8(&root)]).ended(0).json();
    let summary = planned["summary"].to_string();
    assert!(summary.contains("0 of 3 keys of this root are proven hardware keys"), "{summary}");
    assert!(summary.contains("attributes claimed, not proven"), "{summary}");
    stage.hold(&map, &root).1.ended(0);
    let status = stage.keyrite(["-C", utf8(&stage.record), "--json", "status"]).ended(0).json();
    assert_eq!(status["hardware"]["proven"], 0);
    assert_eq!(status["hardware"]["of"], 3);
    assert_eq!(status["hardware"]["rest"].as_array().unwrap().len(), 3);
    let text = stage.keyrite(["-C", utf8(&stage.record), "status"]).ended(0).text();
    assert!(text.contains("hardware     0 of 3 keys of this root are proven hardware keys"), "{text}");
    let report = stage.path("report.html");
    let map = devices.knowing(&stage.root()).write("devices-2.toml");
    stage.on(&stage.record, &map, &["verify", "--report", utf8(&report)]).ended(0);
    let page = fs::read_to_string(report).unwrap();
    assert!(page.contains("0 of 3 keys of this root are proven hardware keys"));
    assert!(page.contains("attributes claimed, not proven"));
}
