//! Changes that went wrong on the way: each ends in a named state, and `status` says how to go on.
//!
//! Half signed and refused, turned away by the backend, proposed twice in two copies, signed in a
//! copy that is old: by the program as people type it, with keys in files, where the state itself is
//! of production on SoftHSM tokens, and against Debian's notary-server where it is the server's word.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod duo;
mod server;
mod stage;

use duo::{Duo, copied, first_root, held_in, online, rule, status};
use keyrite::ceremony::facts::Stage as Kind;
use serde_json::{Value, json};
use server::{Backend, take_published, upload, uploads};
use stage::{Done, Stage, block, blocks, made_elsewhere, utf8};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_half_signed_root_is_refused_withdrawn_and_another_signed_in_its_place() {
    let duo = Duo::rooted("states-half", Kind::Rehearsal);
    let first = duo.rotation("Carla for Bruno", "root-c");
    let (change, waits) = duo.stage.hold(&duo.map(&["root-a"]), &first);
    waits.ended(4);
    assert_eq!(duo.state("Carla for Bruno"), "waits for signatures");
    let goes_on = duo.next("goes on with \"Carla for Bruno\"").unwrap();
    assert!(goes_on.contains(&format!("changes/{}*/runbook.toml", &change[..16])), "{goes_on}");

    // Bruno won't sign it.
    let copy = duo.stage.path("bruno");
    let export = ["-C", utf8(&duo.stage.record), "--json", "export", utf8(&copy), "--for", "bruno"];
    duo.stage.keyrite(export).ended(0);
    let answers = duo.stage.write("no.toml", "[answers]\n\"refuse.reason\" = \"I stay\"\n");
    let refuse = ["sign", "--refuse", "--answers", utf8(&answers), "--unattended"];
    duo.stage.on(&copy, &duo.map(&["root-b"]), &refuse).ended(0);
    duo.import(&duo.stage.record, &copy);
    let text = duo.stage.keyrite(["-C", utf8(&duo.stage.record), "status"]).ended(0).text();
    assert!(text.contains("refused by") && text.contains("I stay"), "{text}");
    let way = duo.next("guide withdraw    for").unwrap();
    assert!(way.ends_with("for \"Carla for Bruno\": it was refused"), "{way}");

    // Until it is withdrawn, Ada's key signs no other root 2.
    let second = duo.rotation("Dora for Bruno", "root-d");
    assert_eq!(rule(duo.stage.hold(&duo.map(&["root-a"]), &second).1), "ROLE-FORK");
    let (withdrawn, waits) = duo.stage.hold(&duo.map(&["root-a"]), &duo.withdrawal("Carla for Bruno", ""));
    waits.ended(4);
    assert_eq!(duo.state("Carla for Bruno"), "waits for signatures", "one of two is no withdrawal");
    assert!(duo.next("export DIR --for bruno").is_some());
    duo.by_stick("bruno", "root-b", &withdrawn);
    let again = duo.next("goes on with \"Withdraw Carla for Bruno\"").unwrap();
    assert!(again.contains(&format!("changes/{}*/runbook.toml", &withdrawn[..16])), "{again}");
    duo.everyone(&duo.withdrawal("Carla for Bruno", ""));
    assert_eq!(duo.state("Carla for Bruno"), "withdrawn: it went wrong");
    assert_eq!(duo.status()["loose"], json!([]), "it never met its threshold");

    // Nobody signs it any more, and the other one goes through.
    let after = duo.stage.on(
        &duo.stage.record,
        &duo.map(&["root-c"]),
        &["plan", utf8(&duo.withdrawal("Carla for Bruno", ""))],
    );
    assert_eq!(after.ended(0).json()["already-held"], json!(true));
    duo.everyone(&second);
    assert_eq!(duo.stage.root().0, 2);
    duo.verified();
}

#[test]
fn a_sealed_root_is_withdrawn_stays_listed_and_another_takes_its_number() {
    let duo = Duo::rooted("states-sealed", Kind::Rehearsal);
    let before = duo.stage.root();
    duo.everyone(&duo.rotation("Carla for Bruno", "root-c"));
    let loose = duo.stage.root();
    assert_eq!(loose.0, 2);
    let way = duo.next("only if the backend turns it away").unwrap();
    assert!(way.contains("guide withdraw    for \"Carla for Bruno\""), "{way}");
    let elsewhere = copied(&duo.stage, &duo.stage.record, "elsewhere");

    // The keys of root 1 alone take nothing back: those of root 2 must agree.
    let (change, waits) =
        duo.stage.hold(&duo.map(&["root-a", "root-b"]), &duo.withdrawal("Carla for Bruno", ""));
    waits.ended(4);
    assert_eq!(duo.stage.root(), loose);
    duo.by_stick("carla", "root-c", &change);
    let done = duo.everyone(&duo.withdrawal("Carla for Bruno", ""));
    assert_eq!(done["root"]["version"], json!(1), "everyone goes back to root 1: {done}");
    assert_eq!(done["uploads"].as_array().unwrap().len(), 1, "that of the first day: {done}");
    assert_eq!(duo.stage.root(), before);
    assert_eq!(duo.state("Carla for Bruno"), "withdrawn: it went wrong");
    duo.verified();

    // Who still knows root 2 is told what to know instead.
    let old = duo.with(&["root-a"]).knowing(&loose).write("old.toml");
    let refused = duo.stage.on(&duo.stage.record, &old, &["status"]).ended(1).json();
    assert_eq!(refused["error"]["rule"], "ANCHOR");
    let instead = format!("root = {{ version = 1, payload = \"{}\" }}", before.1);
    assert!(refused["error"]["expected"].as_str().unwrap().contains(&instead), "{refused}");

    // Another root 2, by the same keys.
    duo.everyone(&duo.rotation("Dora for Bruno", "root-d"));
    let (version, payload) = duo.stage.root();
    assert_eq!(version, 2);
    assert_ne!(payload, loose.1);
    let listed = json!([{"role": "root", "version": 2, "payload": loose.1}]);
    assert_eq!(duo.status()["loose"], listed);
    let text = duo.stage.keyrite(["-C", utf8(&duo.stage.record), "status"]).ended(0).text();
    assert!(text.contains("LOOSE-DOCUMENT"), "{text}");
    duo.verified();

    // A copy that has the first one sealed comes to the same.
    assert_eq!(duo.import(&elsewhere, &duo.stage.record)["left"], json!([]));
    let there = status(&duo.stage, &elsewhere);
    assert_eq!((&there["root"]["payload"], &there["loose"]), (&json!(payload), &listed));

    // What a newer root rests on is past withdrawing.
    let on = "[root]\nadd = [\"root-c\"]\nremove = [\"root-d\"]\nvalid-for = \"2 years\"\n";
    duo.holds("Root 3", "rotate-root", on);
    let plan = |title: &str| {
        let map = duo.map(&["root-a"]);
        duo.stage.on(&duo.stage.record, &map, &["plan", utf8(&duo.withdrawal(title, ""))])
    };
    assert_eq!(rule(plan("Dora for Bruno")), "WITHDRAW-LATE");
    assert_eq!(rule(plan("Nobody for Bruno")), "WITHDRAW-NOTHING");
}

#[test]
fn two_copies_that_propose_one_version_agree_by_withdrawing_one() {
    let duo = Duo::rooted("states-rivals", Kind::Rehearsal);
    let stage = &duo.stage;
    let other = copied(stage, &stage.record, "other");
    let (ours, theirs) = (duo.rotation("Carla", "root-c"), duo.rotation("Dora", "root-d"));
    // Half signed in each, by one person each: neither can go on where both are.
    stage.hold(&duo.map(&["root-a"]), &ours).1.ended(4);
    held_in(stage, &other, &duo.map(&["root-b"]), &theirs).ended(4);
    assert_eq!(duo.import(&stage.record, &other)["left"], json!([]));
    let way = duo.next("guide withdraw    for").unwrap();
    assert!(
        way.ends_with("both make root 2") && way.contains("\"Carla\"") && way.contains("\"Dora\""),
        "{way}"
    );
    assert_eq!(rule(stage.hold(&duo.map(&["root-b"]), &ours).1), "ROLE-FORK");
    duo.everyone(&duo.withdrawal("Dora", ""));
    assert_eq!(duo.state("Dora"), "withdrawn: it went wrong");
    duo.everyone(&ours);
    duo.verified();
    // The other copy takes all of it in.
    assert_eq!(duo.import(&other, &stage.record)["left"], json!([]));
    assert_eq!(status(stage, &other)["root"], duo.status()["root"]);
}

#[test]
fn two_copies_that_sealed_one_version_agree_by_withdrawing_one() {
    let duo = Duo::rooted("states-sealed-twice", Kind::Rehearsal);
    let stage = &duo.stage;
    let first = copied(stage, &stage.record, "first");
    let runbook = duo.rotation("Carla", "root-c");
    // The very same runbook, held in one copy and then in the other.
    duo.everyone(&runbook);
    let theirs = copied(stage, &stage.record, "theirs");
    let (mine, root) = (first, stage.root());
    let all = duo.all().knowing(&{
        let status = status(stage, &mine);
        (1, status["root"]["payload"].as_str().unwrap().to_owned())
    });
    let map = all.write("mine.toml");
    std::thread::sleep(std::time::Duration::from_secs(1));
    held_in(stage, &mine, &map, &runbook).ended(0);
    let here = status(stage, &mine)["root"]["payload"].as_str().unwrap().to_owned();
    assert_ne!(here, root.1);

    // Neither copy takes the other's root; both know of the other's change.
    let left = stage.keyrite(["-C", utf8(&mine), "--json", "import", utf8(&theirs)]).ended(0).json();
    let rules: Vec<_> =
        left["left"].as_array().unwrap().iter().map(|l| l["rule"].as_str().unwrap()).collect();
    assert!(rules.contains(&"RECORD-CONFLICT"), "{left}");
    let knows = all.knowing(&(2, here.clone())).write("knows.toml");
    let plan = stage.on(&mine, &knows, &["plan", utf8(&duo.withdrawal("Carla", ""))]);
    assert_eq!(rule(plan), "WITHDRAW-WHICH");
    held_in(stage, &mine, &knows, &duo.withdrawal("Carla", "which = \"first\"\n")).ended(0);
    assert_eq!(status(stage, &mine)["root"]["payload"], json!(here));

    // The other copy takes the withdrawal in, and with it the root that stands.
    let taken = stage.keyrite(["-C", utf8(&theirs), "--json", "import", utf8(&mine)]).ended(0).json();
    assert_eq!(taken["left"], json!([]), "{taken}");
    let there = status(stage, &theirs);
    assert_eq!(there["root"]["payload"], json!(here));
    assert_eq!(there["loose"], json!([{"role": "root", "version": 2, "payload": root.1}]));

    // Records that were merged file by file show the conflict until the withdrawal is there.
    let merged = copied(stage, &stage.record, "merged");
    for folder in ["metadata", "changes"] {
        Done::of(Command::new("cp").arg("-r").arg(mine.join(folder)).arg(&merged)).ended(0);
    }
    let conflict = status(stage, &merged);
    assert_eq!(conflict["root"]["version"], json!(1));
    let found: Vec<_> = conflict["findings"].as_array().unwrap().iter().map(|f| &f["rule"]).collect();
    assert!(found.contains(&&json!("RECORD-CONFLICT")), "{conflict}");
    // To people who know one of the two it is settled, whoever planted the other.
    for (payload, name) in [(&here, "here"), (&root.1, "there")] {
        let map = duo.all().knowing(&(2, payload.clone())).write(&format!("knows-{name}.toml"));
        let shown = stage.on(&merged, &map, &["status"]).ended(0).json();
        assert_eq!(shown["root"]["payload"], json!(payload));
    }
    Done::of(Command::new("cp").arg("-r").arg(mine.join("statements")).arg(&merged)).ended(0);
    assert_eq!(status(stage, &merged)["root"]["payload"], json!(here));
}

/// The first root lists backend keys that the server doesn't have.
#[test]
fn a_root_that_the_server_turns_away_is_withdrawn_and_the_next_one_goes_up() {
    let duo = Duo::keys("states-turned-away", Kind::Rehearsal);
    let stage = &duo.stage;
    let backend = Backend::up(stage, "signer");
    let mut map = backend.enrolled(stage, duo.all());
    for role in ["snapshot", "timestamp"] {
        let wrong = stage.path(&format!("wrong-{role}.pem"));
        made_elsewhere(&wrong);
        map = map.enrol(&format!("wrong-{role}"), &wrong);
    }
    let map = map.write("laptop.toml");
    let enroll = duo.runbook("Keys", "enroll-key", &(online("wrong") + &online("backend")));
    stage.hold(&map, &enroll).1.ended(0);
    let wrong = duo.runbook("Wrong root", "create-root", &first_root("wrong"));
    let folder = uploads(&stage.hold(&map, &wrong).1.ended(0).json()).remove(0);
    let refused = sends(stage, &backend, &folder);
    assert_ne!(refused, 0, "the server has no key to sign its timestamp with");

    let way = duo.next("only if the backend turns it away").unwrap();
    assert!(way.contains("guide withdraw    for \"Wrong root\""), "{way}");
    let loose = stage.root().1;
    let knows = duo.all().knowing(&stage.root()).write("knows.toml");
    stage.hold(&knows, &duo.withdrawal("Wrong root", "")).1.ended(0);
    assert_eq!(duo.status()["root"], Value::Null, "there is no root again");
    let right = duo.runbook("Right root", "create-root", &first_root("backend"));
    let folder = uploads(&stage.hold(&map, &right).1.ended(0).json()).remove(0);
    assert_eq!(sends(stage, &backend, &folder), 0);
    assert_eq!(stage.root().0, 1);
    assert_eq!(duo.status()["loose"][0]["payload"], json!(loose));
    duo.verified();
}

/// The same for a rotation: root 2 asks for backend keys that the server doesn't have. What it serves stays as
/// it was, and the next root 2 goes up and is followed by a client that was there before.
#[test]
fn a_rotation_that_the_server_turns_away_is_withdrawn_and_another_takes_its_number() {
    let duo = Duo::keys("states-rotation-turned-away", Kind::Rehearsal);
    let stage = &duo.stage;
    let backend = Backend::up(stage, "signer");
    let mut enrol = backend.enrolled(stage, duo.all());
    for role in ["snapshot", "timestamp"] {
        let gone = stage.path(&format!("gone-{role}.pem"));
        made_elsewhere(&gone);
        enrol = enrol.enrol(&format!("gone-{role}"), &gone);
    }
    let enrolled = enrol.write("laptop.toml");
    let enroll = duo.runbook("Keys", "enroll-key", &(online("backend") + &online("gone")));
    stage.hold(&enrolled, &enroll).1.ended(0);
    let first = duo.runbook("Root of trust", "create-root", &first_root("backend"));
    let folder = uploads(&stage.hold(&enrolled, &first).1.ended(0).json()).remove(0);
    take_published(stage, &backend, &upload(stage, &backend, &folder));
    let collection = stage.trust.collection.as_str();
    let follows = |version: u64| {
        backend.client(&stage.path("client"), &["list", collection]).ended(0);
        let kept = stage.path(&format!("client/tuf/{collection}/metadata/root.json"));
        let root: Value = serde_json::from_slice(&fs::read(kept).unwrap()).unwrap();
        assert_eq!(root["signed"]["version"], version);
    };
    follows(1);

    let before = stage.root();
    let knows = |name: &str| enrol.knowing(&stage.root()).write(name);
    let tables = "[root]\nadd = [\"root-c\"]\nremove = [\"root-b\"]\nvalid-for = \"2 years\"\n\
        [snapshot]\nkeys = [\"gone-snapshot\"]\n[timestamp]\nkeys = [\"gone-timestamp\"]\n";
    let wrong = duo.runbook("Wrong backend", "rotate-root", tables);
    let folder = uploads(&stage.hold(&knows("one.toml"), &wrong).1.ended(0).json()).remove(0);
    assert_eq!(stage.root().0, 2);
    assert_ne!(sends(stage, &backend, &folder), 0, "the server has no key to sign its timestamp with");
    follows(1);

    // A named state with a way forward, for whom the server turned it away.
    assert_eq!(duo.state("Wrong backend"), "sealed");
    let way = duo.next("only if the backend turns it away").unwrap();
    assert!(way.contains("guide withdraw    for \"Wrong backend\""), "{way}");
    let loose = stage.root().1;
    duo.everyone(&duo.withdrawal("Wrong backend", ""));
    assert_eq!(duo.state("Wrong backend"), "withdrawn: it went wrong");
    assert_eq!(stage.root(), before);
    assert_eq!(duo.status()["loose"], json!([{"role": "root", "version": 2, "payload": loose}]));

    let right = duo.rotation("Carla for Bruno", "root-c");
    let folders = uploads(&stage.hold(&knows("two.toml"), &right).1.ended(0).json());
    assert_eq!(folders.len(), 1, "{folders:?}");
    take_published(stage, &backend, &upload(stage, &backend, &folders[0]));
    assert_eq!(stage.root().0, 2);
    assert_ne!(stage.root().1, loose);
    follows(2);
    assert_eq!(duo.state("Carla for Bruno"), "published");
    duo.verified();
}

/// Types the lines of an upload's README; the exit code that the shell ends with.
fn sends(stage: &Stage, backend: &Backend, folder: &str) -> i32 {
    let carried = copied(stage, &stage.record.join(folder), &folder.replace('/', "-"));
    let lines = blocks(&fs::read_to_string(carried.join("README.txt")).unwrap());
    let lines = format!("{}{}", backend.address(&carried, &lines), block(&lines, "-K post.curl"));
    let mut command = Command::new("sh");
    command.args(["-euc", &lines]).current_dir(&carried);
    if backend.tls {
        command.env("CURL_CA_BUNDLE", backend.dir.join("ca.crt"));
    }
    command.output().unwrap().status.code().unwrap()
}

#[test]
fn a_copy_from_last_month_signs_nothing_until_it_has_the_newest() {
    let duo = Duo::rooted("states-stale", Kind::Production);
    let stage = &duo.stage;
    let old = copied(stage, &stage.record, "last-month");
    let session = duo.everyone(&duo.rotation("Carla for Bruno", "root-c"));
    let head = session["head"].as_str().unwrap().to_owned();
    let one = duo.with(&["root-a"]).knowing(&(1, root_payload(stage, &old))).head(&head).write("head.toml");
    let next = duo.runbook(
        "Again",
        "rotate-root",
        "[root]\nadd = [\"root-d\"]\nremove = [\"root-a\"]\nvalid-for = \"2 years\"\n",
    );
    let plan = |record: &Path, map: &Path| stage.on(record, map, &["plan", utf8(&next)]);
    let refused = plan(&old, &one).ended(1).json();
    assert_eq!(refused["error"]["rule"], "STALE-RECORD");
    assert!(refused["error"]["next"].as_str().unwrap().contains("keyrite import"), "{refused}");
    // Who knows the newest root is not taken in by the old chain either.
    let two = duo.with(&["root-a"]).knowing(&stage.root()).head(&head).write("root.toml");
    assert_eq!(rule(plan(&old, &two)), "ANCHOR");
    assert_eq!(duo.import(&old, &stage.record)["left"], json!([]));
    plan(&old, &two).ended(0);
}

fn root_payload(stage: &Stage, record: &Path) -> String {
    status(stage, record)["root"]["payload"].as_str().unwrap().to_owned()
}
