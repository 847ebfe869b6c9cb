//! Changes that someone without a key writes into a record: none is carried out, and none stops the
//! ceremony that it was made to look like. By the program itself, with keys in files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::record::Record;
use keyrite::record::manifest::Manifest;
use keyrite::record::upload::Upload;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use serde_json::{Value, json};
use stage::{Stage, made_elsewhere, shell, utf8};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEAD: &str = "[people]\nada = \"administrator\"\nbruno = \"custodian\"\n";

/// A record of profile `notary` with a root of 2 of 3 that the backend has not taken yet, and a
/// fourth root key.
struct Room {
    stage: Stage,
    devices: PathBuf,
}

impl Room {
    fn new(name: &str) -> Self {
        Self::with(name, |_, _| ())
    }

    /// The same, with something done before there is a root.
    fn with(name: &str, before: impl Fn(&Stage, &Path)) -> Self {
        let mut limits = Limits::default_for(Profile::Notary);
        limits.root.witnesses = 0;
        limits.root.spare_keys = 0;
        let stage = Stage::new(name, Profile::Notary, Kind::Rehearsal, &limits);
        fs::create_dir_all(stage.path("keys")).unwrap();
        let mut text = format!("ceremony = \"generate-key\"\ntitle = \"Keys\"\n{HEAD}");
        let mut map = stage.devices();
        for (key, holder, purpose) in [
            ("r1", "ada", "root"),
            ("r2", "bruno", "root"),
            ("r3", "carla", "root"),
            ("r4", "dora", "root"),
            ("t1", "uma", "targets"),
        ] {
            writeln!(text, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"")
                .unwrap();
            map = map.in_file(key, &format!("keys/{key}.pem"));
        }
        let mut online = format!("ceremony = \"enroll-key\"\ntitle = \"Backend\"\n{HEAD}");
        for role in ["snapshot", "timestamp"] {
            let file = stage.path(&format!("{role}.pem"));
            made_elsewhere(&file);
            map = map.enrol(role, &file);
            writeln!(online, "[[key]]\nname = \"{role}\"\nholder = \"backend\"\npurpose = \"{role}\"")
                .unwrap();
        }
        let first = map.write("first.toml");
        stage.hold(&first, &stage.write("1.toml", &text)).1.ended(0);
        stage.hold(&first, &stage.write("2.toml", &online)).1.ended(0);
        let root = format!(
            "ceremony = \"create-root\"\ntitle = \"Root\"\n{HEAD}[root]\nkeys = [\"r1\", \"r2\", \"r3\"]\nthreshold = 2\n\
             valid-for = \"2 years\"\n[targets]\nkeys = [\"t1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
             [snapshot]\nkeys = [\"snapshot\"]\nthreshold = 1\n[timestamp]\nkeys = [\"timestamp\"]\nthreshold = 1\n"
        );
        let root = stage.write("3.toml", &root);
        before(&stage, &first);
        stage.hold(&first, &root).1.ended(0);
        let devices = map.knowing(&stage.root()).write("devices.toml");
        Self { stage, devices }
    }

    /// A runbook by which `r1`, which was stolen, leaves the root.
    fn stolen(&self) -> PathBuf {
        let text = format!(
            "ceremony = \"rotate-root\"\ntitle = \"R1 was stolen\"\n{HEAD}[root]\nadd = [\"r4\"]\n\
             compromised = [\"r1\"]\nvalid-for = \"2 years\"\n"
        );
        self.stage.write("4.toml", &text)
    }

    fn on(&self, line: &[&str]) -> stage::Done {
        self.stage.on(&self.stage.record, &self.devices, line)
    }

    fn change(&self, kind: &str) -> PathBuf {
        let all = fs::read_dir(self.stage.record.join("changes")).unwrap().map(|e| e.unwrap().path());
        let mut of = all.filter(|path| read(&path.join("change.json"))["kind"] == kind);
        of.next().unwrap()
    }

    /// Writes a copy of a change's folder with other bytes for `change.json`, and the same
    /// signatures; returns its digest.
    fn plant(&self, from: &Path, change: &Value, runbook: &str) -> String {
        let bytes = serde_json::to_vec(change).unwrap();
        let digest = Digest::of(&bytes).hex();
        let folder = self.stage.record.join("changes").join(&digest);
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let (path, name) = entry.map(|e| (e.path(), e.file_name().into_string().unwrap())).unwrap();
            if let Some((payload, _)) = name.split_once('.').filter(|_| name.ends_with(".sig.json")) {
                let mut signature = read(&path);
                signature["change"] = json!(digest);
                let bytes = serde_json::to_vec(&signature).unwrap();
                fs::write(folder.join(format!("{payload}.{}.sig.json", Digest::of(&bytes).hex())), bytes)
                    .unwrap();
            } else {
                fs::copy(&path, folder.join(name)).unwrap();
            }
        }
        fs::write(folder.join("change.json"), bytes).unwrap();
        fs::write(folder.join("runbook.toml"), runbook).unwrap();
        digest
    }

    /// The lines of `status` that have this in them.
    fn next(&self, part: &str) -> Vec<String> {
        let status = self.on(&["status"]).ended(0).json();
        let lines = status["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
        lines.filter(|line| line.contains(part)).collect()
    }
}

fn copied(from: &Path, to: &Path) {
    stage::Done::of(Command::new("cp").arg("-r").arg(from).arg(to)).ended(0);
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_planted_change_is_set_aside_and_the_runbook_goes_on() {
    let room = Room::new("planted-open");
    let runbook = room.stolen();
    let text = fs::read_to_string(&runbook).unwrap();
    room.on(&["plan", utf8(&runbook)]).ended(0);
    let honest = room.change("rotate-root");
    let mut forged = read(&honest.join("change.json"));
    // Nobody with a key is needed for any of this: the words, and a key of one's own that is asked.
    forged["summary"] = json!(["nothing changes"]);
    forged["held-at"] = json!("2030-01-01T00:00:00Z");
    forged["sign-by"] = json!("2030-01-31T00:00:00Z");
    let planted = room.plant(&honest, &forged, &text);
    fs::remove_dir_all(&honest).unwrap();

    let away = room.next("puts it away");
    assert_eq!(away.len(), 1, "{away:?}");
    assert!(
        away[0].starts_with(&format!("mv {}/changes/{planted} ", room.stage.record.display())),
        "{away:?}"
    );
    assert!(room.next("goes on with").is_empty(), "nobody is sent to it");
    let status = room.on(&["status"]).ended(0).json();
    assert_eq!(status["findings"][0]["at"], format!("changes/{planted}"));
    assert_eq!(status["findings"][0]["rule"], "CHANGE-RECOMPUTED");

    let (change, held) = room.stage.hold(&room.devices, &runbook);
    assert_ne!(change, planted);
    assert_eq!(held.ended(0).json()["done"], json!(["R1 was stolen"]));
    assert_eq!(room.stage.root().0, 2);
}

/// Whoever sits in the room is told, before anything is asked of them.
#[test]
fn a_session_begins_with_what_was_set_aside() {
    let room = Room::new("planted-told");
    let runbook = room.stolen();
    let text = fs::read_to_string(&runbook).unwrap();
    room.on(&["plan", utf8(&runbook)]).ended(0);
    let mut forged = read(&room.change("rotate-root").join("change.json"));
    forged["summary"] = json!(["nothing changes"]);
    let planted = room.plant(&room.change("rotate-root"), &forged, &text);
    let (_, answers) = room.stage.answers(&room.devices, &runbook);
    let line = ["-C", utf8(&room.stage.record), "--devices", utf8(&room.devices), "run", utf8(&runbook)];
    let run = room.stage.keyrite(line.iter().chain(&["--answers", utf8(&answers), "--unattended"]));
    let text = run.text();
    let told = text.find("Set aside").unwrap_or_else(|| panic!("{text}"));
    assert!(told < text.find("What changes").unwrap_or(text.len()), "{text}");
    assert!(text.contains(&planted[..16]), "{text}");
    run.ended(0);
}

/// Documents that are trusted, with their signatures, under another runbook: it would pass for
/// carried out, and a stolen key would stay.
#[test]
fn a_runbook_does_not_pass_for_held_by_the_documents_of_another_change() {
    let room = Room::new("planted-twin");
    let runbook = room.stolen();
    let text = fs::read_to_string(&runbook).unwrap();
    let sealed = room.change("create-root");
    let mut forged = read(&sealed.join("change.json"));
    forged["kind"] = json!("rotate-root");
    forged["title"] = json!("R1 was stolen");
    forged["summary"] = json!(["root-a leaves"]);
    forged["runbook"] = json!(Digest::of(text.as_bytes()).hex());
    let planted = room.plant(&sealed, &forged, &text);
    // The runbook whose documents they are is what it was.
    let first = room.stage.path("3.toml");
    assert_eq!(room.on(&["plan", utf8(&first)]).ended(0).json()["already-held"], true);

    // Whoever checks the record, and whoever reads the report, is told that nobody agreed to it.
    let (version, payload) = room.stage.root();
    let report = room.stage.path("report.html");
    let line = ["-C", utf8(&room.stage.record), "verify", "--anchor", &format!("{version}:{payload}")];
    let verify = room.stage.keyrite(line.iter().chain(&["--report", utf8(&report)])).text();
    for text in [verify, fs::read_to_string(report).unwrap()] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(flat.matches("no transcript here has anyone agree to").count(), 1, "{text}");
        assert!(flat.contains(&planted), "{text}");
    }

    let (change, held) = room.stage.hold(&room.devices, &runbook);
    assert_ne!(change, planted);
    held.ended(0);
    assert_eq!(room.stage.root().0, 2, "the stolen key has left");
}

/// A folder that begins with the digits of an honest change is named by the lines that name that one.
#[test]
fn a_line_that_means_one_runbook_takes_no_other() {
    let room = Room::new("planted-digits");
    let runbook = room.stolen();
    let (change, answers) = room.stage.answers(&room.devices, &runbook);
    let changes = room.stage.record.join("changes");
    let planted = changes.join(format!("{}{}", &change[..16], "f".repeat(48)));
    fs::create_dir(&planted).unwrap();
    let other = fs::read_to_string(&runbook).unwrap().replace("[\"r1\"]", "[\"r2\"]");
    fs::write(planted.join("runbook.toml"), other).unwrap();
    let honest = changes.join(&*change).join("runbook.toml");
    let planted = planted.join("runbook.toml");
    for both in [[utf8(&honest), utf8(&planted)], [utf8(&planted), utf8(&honest)]] {
        let run = ["run", both[0], both[1], "--answers", utf8(&answers), "--unattended"];
        for line in [&run[..], &["rehearse", both[0], both[1]]] {
            let refused = room.on(line).ended(1).json();
            assert_eq!(refused["error"]["rule"], "RUNBOOK-TWO", "{refused}");
        }
    }
    // Typed inside the folder of changes, or beside it, it is the same line.
    let beside = room.stage.record.join("metadata");
    let digits = change[..16].to_owned();
    for (at, names) in [
        (&changes, format!("{digits}*/runbook.toml")),
        (&beside, format!("../changes/{digits}*/runbook.toml")),
        (&changes, format!("../changes/../changes/{digits}*/runbook.toml")),
        (&changes, format!("{digits}*")),
    ] {
        let line = format!(
            "{} -C .. --devices {} --json run {names} --answers {} --unattended",
            env!("CARGO_BIN_EXE_keyrite"),
            utf8(&room.devices),
            utf8(&answers)
        );
        let refused = shell(at, &line, &[]).ended(1).json();
        assert_eq!(refused["error"]["rule"], "RUNBOOK-TWO", "{names}: {refused}");
    }
    // By its whole name it goes on.
    let line = ["run", utf8(&honest), "--answers", utf8(&answers), "--unattended"];
    assert_eq!(room.on(&line).ended(0).json()["done"], json!(["R1 was stolen"]));
}

/// What a custodian has signed binds them: such a change is no stranger's, and stops the runbook.
#[test]
fn a_change_that_a_known_key_has_signed_is_not_set_aside() {
    let room = Room::new("planted-signed");
    let runbook = room.stolen();
    let text = fs::read_to_string(&runbook).unwrap();
    let (change, _) = room.stage.answers(&room.devices, &runbook);
    let devices =
        room.stage.devices().in_file("r2", "keys/r2.pem").knowing(&room.stage.root()).write("r2.toml");
    room.stage.sign(&room.stage.record, &devices, &change).ended(0);
    let honest = room.change("rotate-root");
    let mut forged = read(&honest.join("change.json"));
    forged["summary"] = json!(["nothing changes"]);
    room.plant(&honest, &forged, &text);
    fs::remove_dir_all(&honest).unwrap();
    let plan = room.on(&["plan", utf8(&runbook)]).ended(1).json();
    assert_eq!(plan["error"]["rule"], "CHANGE-RECOMPUTED");
    assert!(room.next("puts it away").is_empty());
    // A copy of it under another title takes that from it no more than it took it from the copy.
    let (planted, another) = (room.change("rotate-root"), text.replace("R1 was stolen", "Another"));
    forged["title"] = json!("Another");
    forged["runbook"] = json!(Digest::of(another.as_bytes()).hex());
    let other = room.plant(&planted, &forged, &another);
    let plan = room.on(&["plan", utf8(&runbook)]).ended(1).json();
    assert_eq!(plan["error"]["rule"], "CHANGE-RECOMPUTED", "{other}");
}

/// Nor is one that a session in this very copy has worked on, whatever became of the files since: who
/// put it away would be asked to sign another.
#[test]
fn a_change_that_was_worked_on_here_is_not_set_aside() {
    let room = Room::new("planted-here");
    let runbook = room.stolen();
    let (change, _) = room.stage.answers(&room.devices, &runbook);
    let devices =
        room.stage.devices().in_file("r2", "keys/r2.pem").knowing(&room.stage.root()).write("r2.toml");
    room.stage.sign(&room.stage.record, &devices, &change).ended(0);
    let folder = room.change("rotate-root");
    for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if utf8(&entry).ends_with(".sig.json") {
            fs::remove_file(entry).unwrap();
        }
    }
    fs::remove_dir_all(room.stage.record.join("keys/r4")).unwrap();
    let plan = room.on(&["plan", utf8(&runbook)]).json();
    assert!(plan["error"].is_object(), "{plan}");
    let away = room.next("puts it away");
    assert!(away.is_empty(), "{away:?}");
    // What can't be read is no sign that nobody has worked on it.
    let deeds = room.stage.record.join("private/deeds").join(&change);
    fs::remove_dir_all(&deeds).unwrap();
    fs::write(&deeds, "").unwrap();
    for line in [&["status"][..], &["plan", utf8(&runbook)]] {
        let refused = room.on(line).ended(1).json();
        assert_eq!(refused["error"]["rule"], "MEDIA-KIND", "{refused}");
    }
}

/// Nor does a session take a change for one on which nothing was done here.
#[test]
fn a_session_needs_to_read_what_was_done_here() {
    let room = Room::new("planted-deeds");
    let runbook = room.stolen();
    let (change, answers) = room.stage.answers(&room.devices, &runbook);
    let deeds = room.stage.record.join("private/deeds");
    fs::create_dir_all(&deeds).unwrap();
    fs::write(deeds.join(change), "").unwrap();
    let begun = || fs::read_dir(room.stage.record.join("transcripts")).unwrap().count();
    let before = begun();
    let run = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
    for line in [&run[..], &["sign", "--answers", utf8(&answers), "--unattended"]] {
        let refused = room.on(line).ended(1).json();
        assert_eq!(refused["error"]["rule"], "MEDIA-KIND", "{refused}");
    }
    assert_eq!(begun(), before, "before anything is done");
}

/// But for what a key did here before it was stolen: that is to be done anew, without it.
#[test]
fn what_a_stolen_key_signed_here_stops_no_runbook() {
    let room = Room::new("planted-since-stolen");
    let call = room.stage.write(
        "call.toml",
        &format!("ceremony = \"roll-call\"\ntitle = \"Who is there\"\n{HEAD}[roll-call]\n"),
    );
    let (change, _) = room.stage.answers(&room.devices, &call);
    let devices =
        room.stage.devices().in_file("r1", "keys/r1.pem").knowing(&room.stage.root()).write("r1.toml");
    room.stage.sign(&room.stage.record, &devices, &change).ended(0);
    // Its answer is here, and stands for itself: the runbook goes on.
    let deeds = room.stage.record.join("private/deeds").join(&change);
    assert!(deeds.join("signed.r1").is_file());
    assert_eq!(room.on(&["plan", utf8(&call)]).ended(0).json()["change"], *change);

    room.stage.hold(&room.devices, &room.stolen()).1.ended(0);
    let map = fs::read_to_string(&room.devices).unwrap();
    let (before, newest) = (map.split_once("root = ").unwrap().0, room.stage.root());
    let known = format!("{before}root = {{ version = {}, payload = \"{}\" }}\n", newest.0, newest.1);
    let rest = map.split_once("root = ").unwrap().1.split_once('\n').unwrap().1;
    fs::write(&room.devices, format!("{known}{rest}")).unwrap();
    let plan = room.on(&["plan", utf8(&call)]).ended(0).json();
    assert_ne!(plan["change"], *change, "{plan}");
    assert!(plan["change"].is_string(), "{plan}");
    // It is no planted one either.
    assert!(room.next("puts it away").is_empty());
    assert!(room.next("plans \"Who is there\" anew").is_empty(), "the new one goes on");
}

/// A change that comes out of its runbook vouches for copies of the signatures that it has, and for no
/// others: what a key has signed is not put away for a twin that nobody signed.
#[test]
fn a_twin_that_lacks_the_signatures_vouches_for_none() {
    let room = Room::new("planted-bare-twin");
    let runbook = room.stolen();
    let text = fs::read_to_string(&runbook).unwrap();
    let (change, _) = room.stage.answers(&room.devices, &runbook);
    let bare = room.stage.path("bare");
    copied(&room.change("rotate-root"), &bare);
    let copy = room.stage.path("signing");
    room.on(&["export", utf8(&copy), "--for", "bruno"]).ended(0);
    let devices =
        room.stage.devices().in_file("r2", "keys/r2.pem").knowing(&room.stage.root()).write("r2.toml");
    room.stage.sign(&copy, &devices, &change).ended(0);
    room.on(&["import", utf8(&copy)]).ended(0);
    let signed = room.change("rotate-root");
    let mut forged = read(&signed.join("change.json"));
    forged["summary"] = json!(["nothing changes"]);
    room.plant(&signed, &forged, &text);
    assert_eq!(room.next("puts it away").len(), 1, "a copy of the signatures beside the honest ones");
    fs::remove_dir_all(&signed).unwrap();
    copied(&bare, &signed);
    assert_eq!(room.next("puts it away"), Vec::<String>::new(), "the only signatures that are here");
}

/// Anyone can plan a runbook again on a copy of their own, later, and have the change imported: it
/// does come out of its runbook, and yet what people have half signed goes on.
#[test]
fn a_runbook_planned_again_does_not_displace_what_was_half_signed() {
    let room = Room::new("planted-again");
    let runbook = room.stolen();
    let before = room.stage.path("before");
    copied(&room.stage.record, &before);
    let (change, _) = room.stage.answers(&room.devices, &runbook);
    let devices =
        room.stage.devices().in_file("r2", "keys/r2.pem").knowing(&room.stage.root()).write("r2.toml");
    room.stage.sign(&room.stage.record, &devices, &change).ended(0);
    let held_at = |change: &Path| read(&change.join("change.json"))["held-at"].as_str().unwrap().to_owned();
    let since = held_at(&room.change("rotate-root"));
    let later = (0..100).find_map(|n| {
        let copy = room.stage.path(&format!("again-{n}"));
        copied(&before, &copy);
        let plan = room.stage.on(&copy, &room.devices, &["plan", utf8(&runbook)]).ended(0).json();
        let planted = plan["change"].as_str().unwrap().to_owned();
        let folder = copy.join("changes").join(&planted);
        (held_at(&folder) > since).then_some((planted, folder))
    });
    let (planted, folder) = later.unwrap();
    copied(&folder, &room.stage.record.join("changes").join(&planted));
    let plan = room.on(&["plan", utf8(&runbook)]).ended(0).json();
    assert_eq!(plan["change"], *change, "{plan}");
    // On a copy where nobody has done anything, the signature tells them apart.
    let copy = room.stage.path("elsewhere");
    room.on(&["export", utf8(&copy), "--for", "dora"]).ended(0);
    let plan = room.stage.on(&copy, &room.devices, &["plan", utf8(&runbook)]).ended(0).json();
    assert_eq!(plan["change"], *change, "{plan}");
}

/// Entries beside the signatures that no key made: an upload that waits for the backend goes on to.
#[test]
fn junk_beside_signatures_takes_no_upload_away() {
    let room = Room::new("planted-junk");
    let waiting = room.on(&["status"]).ended(0).json()["uploads"].clone();
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    let copy = room.stage.path("copy");
    copied(&room.stage.record, &copy);
    for role in ["root", "targets"] {
        let folder = copy.join("metadata").join(role);
        let file = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let start = "\"signatures\":[";
        assert!(text.contains(start), "{text}");
        let entry = |n: u8| {
            let id = n.to_string().repeat(64);
            format!("{{\"keyid\":\"{id}\",\"method\":\"ecdsa\",\"sig\":\"AAAA\"}},")
        };
        let junk = (0..4).map(entry).collect::<Vec<_>>().concat();
        let more = text.replace(start, &format!("{start}{junk}{}", " ".repeat(1 << 20)));
        fs::write(folder.join(format!("1.{}.json", Digest::of(more.as_bytes()).hex())), more).unwrap();
    }
    let import = room.on(&["import", utf8(&copy)]).ended(0).json();
    assert_eq!(import["left"], json!([]), "it is signed well enough: {import}");
    assert_eq!(room.on(&["status"]).ended(0).json()["uploads"], waiting);
}

/// Another upload of the same, on a medium: what people would type in it is keyrite's own, it is whole and
/// it asks the backend that is named, or nobody is pointed at it.
#[test]
fn no_upload_but_the_honest_one_is_pointed_at() {
    let room = Room::new("planted-upload");
    let status = |map: &Path| {
        let status = room.stage.on(&room.stage.record, map, &["status"]).ended(0).json();
        (status["uploads"].clone(), status["next"].to_string())
    };
    let waiting = status(&room.devices).0;
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    let honest = room.stage.record.join(waiting[0].as_str().unwrap());
    let text = |name: &str| fs::read_to_string(honest.join(name)).unwrap();

    // Another text, however MANIFEST lists it.
    for (name, from, to) in [
        ("README.txt", "curl -K -", "sh"),
        ("README.txt", "import published", "import elsewhere"),
        ("README.txt", "change ", "Change "),
        ("post.curl", "filename=root\"", "filename=targets\""),
    ] {
        let changed = text(name).replacen(from, to, 1);
        assert_ne!(changed, text(name), "{name}: {from}");
        let line = |text: &str| format!("{}  {}  {name}  -", Digest::of(text.as_bytes()), text.len());
        let (head, listed) =
            text("MANIFEST").split_once('\n').map(|(h, l)| (h.to_owned(), l.to_owned())).unwrap();
        let listed = listed.replace(&line(&text(name)), &line(&changed));
        let mut lines: Vec<_> = listed.lines().collect();
        lines.sort_unstable();
        let manifest = format!("{head}\n{}\n", lines.join("\n"));
        let medium = room.stage.path(&format!("medium-{}", Digest::of(manifest.as_bytes()).hex()));
        copied(&room.stage.record, &medium);
        let planted = medium.join("uploads").join(Digest::of(manifest.as_bytes()).hex());
        copied(&honest, &planted);
        fs::write(planted.join(name), changed).unwrap();
        fs::write(planted.join("MANIFEST"), manifest).unwrap();
        let import = room.on(&["import", utf8(&medium)]).ended(0).json();
        let left: Vec<_> = import["left"].as_array().unwrap().iter().map(|l| &l["rule"]).collect();
        assert!(!left.is_empty() && left.iter().all(|rule| *rule == "MANIFEST-MISMATCH"), "{import}");
    }

    // Texts of keyrite's, and yet not what the change made for the backend that is named.
    let change = Manifest::parse(text("MANIFEST").as_bytes()).unwrap().change;
    let document = |role: RoleName, file: &str| (role, (1, fs::read(honest.join(file)).unwrap()));
    let all =
        BTreeMap::from([document(RoleName::Root, "root.json"), document(RoleName::Targets, "targets.json")]);
    let part = BTreeMap::from([document(RoleName::Targets, "targets.json")]);
    let record = Record::open(&room.stage.record).unwrap();
    let mut others = Vec::new();
    for (change, documents, server) in [
        (change, &all, Some("http://127.0.0.1:9")),
        (change, &all, Some("http://127.0.0.1:10")),
        (change, &part, None),
        (None, &all, None),
        (Some(Digest::of(b"of nobody")), &all, None),
    ] {
        let made = Upload::new(&room.stage.trust, change, documents, server).unwrap();
        others.push(json!([format!("uploads/{}", record.add_upload(&made).unwrap())]));
    }
    let findings = room.on(&["status"]).ended(0).json()["findings"].clone();
    assert_eq!(findings, json!([]), "they are in the record");
    assert_eq!(status(&room.devices).0, waiting);
    let map =
        |url: &str, name: &str| room.stage.devices().knowing(&room.stage.root()).backend(url).write(name);
    let nine = map("http://127.0.0.1:9", "nine.toml");
    assert_eq!(status(&nine).0, others[0], "the one that asks the very backend");
    let seven = map("http://127.0.0.1:7", "seven.toml");
    assert_eq!(status(&seven).0, waiting, "whose address people type");
    fs::remove_dir_all(&honest).unwrap();
    let (uploads, next) = status(&seven);
    assert_eq!(uploads, json!([]));
    assert!(
        next.contains(" ask 2 backends for the same") && next.contains("names http://127.0.0.1:7"),
        "{next}"
    );
    assert!(!next.contains("hand the upload of"), "{next}");
}

/// Where the device map names no backend, nobody is pointed at an upload that names one: its digest is all
/// that tells it from a stranger's, who tries addresses until theirs comes first.
#[test]
fn no_address_is_believed_that_the_device_map_does_not_name() {
    let room = Room::new("planted-ground");
    let status = |map: &Path| {
        let status = room.stage.on(&room.stage.record, map, &["status"]).ended(0).json();
        (status["uploads"].clone(), status["next"].to_string())
    };
    let unnamed = room.stage.record.join(status(&room.devices).0[0].as_str().unwrap());
    let change = Manifest::parse(&fs::read(unnamed.join("MANIFEST")).unwrap()).unwrap().change;
    let document = |role: RoleName, file: &str| (role, (1, fs::read(unnamed.join(file)).unwrap()));
    let all =
        BTreeMap::from([document(RoleName::Root, "root.json"), document(RoleName::Targets, "targets.json")]);
    let record = Record::open(&room.stage.record).unwrap();
    let add = |port: u16| {
        let server = format!("http://127.0.0.1:{port}");
        record.add_upload(&Upload::new(&room.stage.trust, change, &all, Some(&server)).unwrap()).unwrap()
    };
    let honest = add(9);
    fs::remove_dir_all(&unnamed).unwrap();
    let (uploads, next) = status(&room.devices);
    assert_eq!(uploads, json!([]));
    assert!(next.contains(&format!("uploads/{honest} is for http://127.0.0.1:9,")), "{next}");
    assert!(next.contains("names none as the backend"), "{next}");
    let ground = (10..1000).find(|port| add(*port) < honest).unwrap();
    let (uploads, next) = status(&room.devices);
    assert_eq!(uploads, json!([]));
    assert!(
        next.contains(&format!("folders of uploads/ ask {} backends for the same", ground - 8)),
        "{next}"
    );
    assert!(!next.contains("http://127.0.0.1:"), "{next}");
    let known = room.stage.devices().knowing(&room.stage.root()).backend("http://127.0.0.1:9");
    assert_eq!(status(&known.write("nine.toml")).0, json!([format!("uploads/{honest}")]));
}

/// A room in which `t1` signed for targets beside `t2`, was stolen and is revoked; and the thief's copy
/// from before, with a third targets document of their own.
struct Former {
    room: Room,
    copy: PathBuf,
    thief: PathBuf,
    uma: PathBuf,
}

impl Former {
    fn new(name: &str) -> Self {
        let room = Room::new(name);
        let key = format!(
            "ceremony = \"generate-key\"\ntitle = \"More\"\n{HEAD}[[key]]\nname = \"t2\"\nholder = \"uma\"\n\
             purpose = \"targets\"\n"
        );
        let known = |keys: &[&str], name: &str| {
            let map = room.stage.devices();
            let map = keys.iter().fold(map, |map, key| map.in_file(key, &format!("keys/{key}.pem")));
            map.knowing(&room.stage.root()).write(name)
        };
        let all = ["r1", "r2", "r3", "t1", "t2"];
        room.stage.hold(&known(&all, "all-1.toml"), &room.stage.write("t2.toml", &key)).1.ended(0);
        let issue = |title: &str, keys: &str, more: &str| {
            let text = format!(
                "ceremony = \"issue-targets-key\"\ntitle = \"{title}\"\n{HEAD}[targets]\nkeys = [{keys}]\n\
                 threshold = 1\nvalid-for = \"1 year\"\n{more}[root]\nvalid-for = \"2 years\"\n"
            );
            room.stage.write(&format!("{}.toml", title.replace(' ', "-")), &text)
        };
        let both = issue("Both keys", "\"t1\", \"t2\"", "");
        room.stage.hold(&known(&all, "all-2.toml"), &both).1.ended(0);
        let copy = room.stage.path("copy");
        copied(&room.stage.record, &copy);
        let thief = known(&["t1"], "t1.toml");
        let revoked = issue("One key", "\"t2\"", "compromised = [\"t1\"]\n");
        room.stage.hold(&known(&all, "all-3.toml"), &revoked).1.ended(0);
        let uma = known(&["t2"], "uma.toml");
        let former = Self { room, copy, thief, uma };
        former.seals(&former.copy, &former.renewal(3));
        former
    }

    /// A runbook that makes the targets document of this version.
    fn renewal(&self, version: u8) -> PathBuf {
        let (within, valid) = (version * 2 + 7, version * 2 + 8);
        let text = format!(
            "ceremony = \"renew\"\ntitle = \"Targets {version}\"\n{HEAD}[renew]\nwithin = \"{within} months\"\n\
             roles = [\"targets\"]\n[targets]\nvalid-for = \"{valid} months\"\n"
        );
        self.room.stage.write(&format!("targets-{version}.toml"), &text)
    }

    /// What the thief makes of a runbook in a copy: the change.
    fn seals(&self, copy: &Path, runbook: &Path) -> String {
        let stage = &self.room.stage;
        let answers = stage.path("thief-answers.toml");
        let _ = fs::remove_file(&answers);
        let plan = ["plan", utf8(runbook), "--write-answers", utf8(&answers)];
        let plan = stage.on(copy, &self.thief, &plan).ended(0).json();
        let planted = plan["change"].as_str().unwrap();
        let filled = stage::fill(&fs::read_to_string(&answers).unwrap(), planted);
        fs::write(&answers, filled).unwrap();
        let run = ["run", utf8(runbook), "--answers", utf8(&answers), "--unattended"];
        stage.on(copy, &self.thief, &run).ended(0);
        planted.to_owned()
    }

    /// Brings the fourth targets document of a copy.
    fn brings(&self, copy: &Path) {
        for entry in fs::read_dir(copy.join("metadata/targets")).unwrap() {
            let (path, name) = entry.map(|e| (e.path(), e.file_name().into_string().unwrap())).unwrap();
            if name.starts_with("4.") {
                fs::copy(&path, self.room.stage.record.join("metadata/targets").join(name)).unwrap();
            }
        }
    }

    fn state(&self, change: &str) -> String {
        let status = self.by_uma(&["status"]);
        let changes = status["changes"].as_array().unwrap();
        let found = changes.iter().find(|c| c["change"] == *change || c["digest"] == *change);
        found.unwrap_or_else(|| panic!("{status}"))["state"].as_str().unwrap().to_owned()
    }

    fn by_uma(&self, line: &[&str]) -> Value {
        self.room.stage.on(&self.room.stage.record, &self.uma, line).ended(0).json()
    }
}

/// Who has a key that was revoked can seal whatever it once signed, and write a change around it:
/// nobody whose key is good is asked to sign it.
#[test]
fn what_a_former_key_sealed_asks_nobody_to_sign() {
    let former = Former::new("planted-former");
    let runbook = former.renewal(4);
    let planted = former.seals(&former.copy, &runbook);
    let changes = |record: &Path| record.join("changes").join(&planted);
    copied(&changes(&former.copy), &changes(&former.room.stage.record));
    former.brings(&former.copy);
    assert!(!former.state(&planted).contains("sealed"), "{}", former.state(&planted));
    let signed = former.room.stage.sign(&former.room.stage.record, &former.uma, &planted).ended(0).json();
    assert_eq!(signed["signed"], json!([]), "{signed}");
    // Nor does it stand in the way of its runbook: the key that signed it was given up.
    let plan = former.by_uma(&["plan", utf8(&runbook)]);
    assert_ne!(plan["change"], *planted, "{plan}");
    assert_eq!(plan["already-held"], false, "{plan}");
}

/// The same of a payload that people are about to sign: it is signed and sealed as if nothing had come.
#[test]
fn what_a_former_key_seals_first_is_still_signed_and_sealed() {
    let former = Former::new("planted-first");
    let stage = &former.room.stage;
    let runbook = former.renewal(4);
    let payload = |change: &Path| read(&change.join("change.json"))["items"][0]["payload"].clone();
    let (before, thief) = (stage.path("before"), stage.path("thief"));
    copied(&stage.record, &before);
    // Within one second both make the same document.
    let change = (0..100).find_map(|_| {
        for (from, to) in [(&before, &stage.record), (&former.copy, &thief)] {
            let _ = fs::remove_dir_all(to);
            copied(from, to);
        }
        let plan = former.by_uma(&["plan", utf8(&runbook)]);
        let (change, theirs) = (plan["change"].as_str().unwrap(), former.seals(&thief, &runbook));
        let of = |record: &Path, change: &str| payload(&record.join("changes").join(change));
        (of(&stage.record, change) == of(&thief, &theirs)).then(|| change.to_owned())
    });
    let change = change.unwrap();
    former.brings(&thief);
    assert_eq!(former.state(&change), "waits for signatures");
    let signed = stage.sign(&stage.record, &former.uma, &change).ended(0).json();
    assert_eq!(signed["signed"].as_array().unwrap().len(), 1, "{signed}");
    // Nor does a twin under another title take it from those who have signed, where nobody has held a
    // session.
    let (folder, another) = (stage.record.join("changes").join(&change), "targets-4.toml");
    let another = fs::read_to_string(stage.path(another)).unwrap().replace("Targets 4", "Another");
    let mut forged = read(&folder.join("change.json"));
    forged["title"] = json!("Another");
    forged["runbook"] = json!(Digest::of(another.as_bytes()).hex());
    former.room.plant(&folder, &forged, &another);
    let elsewhere = stage.path("elsewhere");
    former.by_uma(&["export", utf8(&elsewhere), "--for", "uma"]);
    let plan = stage.on(&elsewhere, &former.uma, &["plan", utf8(&runbook)]).ended(0).json();
    assert_eq!(plan["change"], *change, "{plan}");
    let (same, held) = stage.hold(&former.uma, &runbook);
    assert_eq!(same, change);
    let held = held.ended(0).json();
    assert_eq!(held["done"], json!(["Targets 4"]), "{held}");
    assert!(former.state(&change).contains("sealed"));
    assert_eq!(former.by_uma(&["plan", utf8(&runbook)])["already-held"], true);
}

/// Documents of one version that contradict each other stop whoever would travel for nothing, too.
#[test]
fn nothing_is_planned_on_documents_that_contradict_each_other() {
    let room = Room::with("planted-rivals", |stage, devices| {
        let copy = stage.path("copy");
        stage::Done::of(Command::new("cp").arg("-r").arg(&stage.record).arg(&copy)).ended(0);
        // Another time to live, not another second: rivals must differ however fast the machine is.
        let same = fs::read_to_string(stage.path("3.toml")).unwrap();
        let other = same.replace("valid-for = \"1 year\"", "valid-for = \"11 months\"");
        assert_ne!(same, other);
        let runbook = stage.write("rival.toml", &other);
        let answers = stage.path("there.toml");
        let plan = ["plan", utf8(&runbook), "--write-answers", utf8(&answers)];
        let plan = stage.on(&copy, devices, &plan).ended(0).json();
        let filled = stage::fill(&fs::read_to_string(&answers).unwrap(), plan["change"].as_str().unwrap());
        fs::write(&answers, filled).unwrap();
        let run = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
        stage.on(&copy, devices, &run).ended(0);
    });
    let runbook = room.stage.write(
        "renew.toml",
        &format!(
            "ceremony = \"renew\"\ntitle = \"Renewal\"\n{HEAD}[renew]\nwithin = \"13 months\"\n\
             roles = [\"targets\"]\n[targets]\nvalid-for = \"2 years\"\n"
        ),
    );
    room.on(&["plan", utf8(&runbook)]).ended(0);
    for entry in fs::read_dir(room.stage.path("copy/metadata/targets")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, room.stage.record.join("metadata/targets").join(path.file_name().unwrap())).unwrap();
    }
    let all = fs::read_to_string(&runbook).unwrap().replace("roles = [\"targets\"]\n", "");
    let all = room.stage.write("all.toml", &all);
    for line in [["plan", utf8(&runbook)], ["plan", utf8(&all)], ["run", utf8(&runbook)]] {
        let answers = room.stage.write("none.toml", "[answers]\n");
        let mut line = line.to_vec();
        if line[0] == "run" {
            line.extend(["--answers", utf8(&answers), "--unattended"]);
        }
        let refused = room.on(&line).ended(1).json();
        assert_eq!(refused["error"]["rule"], "RECORD-CONFLICT", "{refused}");
    }
}

/// Whoever names a volume names no command: the lines that are printed take its name as one word.
#[test]
fn lines_to_type_work_in_a_folder_of_any_name() {
    let room = Room::new("planted-names");
    let stage = &room.stage;
    let few = stage.devices().in_file("r2", "keys/r2.pem").knowing(&stage.root()).write("few.toml");
    stage.hold(&few, &room.stolen()).1.ended(4);
    let typed = stage.path("typed");
    fs::create_dir(&typed).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_keyrite")).parent().unwrap();
    let path = format!("{}:{}", utf8(program), std::env::var("PATH").unwrap());
    for name in ["A B; $(touch x)", "it's `touch x`", "a\"b    c &", "plain"] {
        let volume = stage.path(name);
        fs::create_dir(&volume).unwrap();
        for (from, to) in [(&stage.record, "record"), (&room.devices, "devices.toml")] {
            let copy = Command::new("cp").arg("-r").arg(from).arg(volume.join(to)).status().unwrap();
            assert!(copy.success());
        }
        let status =
            stage.on(&volume.join("record"), &volume.join("devices.toml"), &["status"]).ended(0).json();
        let mut lines = status["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        let on = lines.rfind(|line| line.contains("goes on with")).unwrap();
        let line = on.rsplit_once("    ").unwrap().0.replace(" run ", " plan ");
        let plan = shell(&typed, &line, &[("PATH", &path)]).ended(0).text();
        assert!(plan.contains("R1 was stolen"), "{line}\n{plan}");
        assert_eq!(line.contains('\''), name != "plain", "{line}");
    }
    assert_eq!(fs::read_dir(&typed).unwrap().count(), 0, "a name was run as a command");
}
