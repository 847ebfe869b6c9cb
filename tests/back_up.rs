//! Keys backed up and restored by the program, at a terminal, on SoftHSM: cards dealt to three people,
//! a token lost, its key brought back on another by two of them. Needs `scripts/test-deps`; without
//! it these tests fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod gathering;
mod stage;

use gathering::{Copied, Told};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use stage::{Stage, utf8};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";

/// A record, tokens, and keys on them: one that may leave, one that never does.
struct Room {
    stage: Stage,
    map: String,
    serials: Vec<String>,
}

impl Room {
    fn new(name: &str) -> Self {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let stage = Stage::new(name, Profile::Tuf, Kind::Production, &limits);
        // A medium, mounted before the session begins.
        fs::create_dir(stage.path("copies")).unwrap();
        let serials = ["t1", "t2", "spare"].map(|label| stage.token(label)).to_vec();
        let devices = stage.devices().on_token("t1", &serials[0]).on_token("t2", &serials[1]);
        let file = devices.write("devices.toml");
        let map = format!("{}\n[copies]\nfolder = \"copies\"\n", fs::read_to_string(file).unwrap());
        let room = Self { stage, map, serials };
        let mut text = format!("ceremony = \"generate-key\"\n{HEAD}");
        for (key, under) in [("t1", "wrap-key = \"wrap-1\"\n"), ("t2", "")] {
            writeln!(text, "[[key]]\nname = \"{key}\"\nholder = \"uma\"\npurpose = \"targets\"\n{under}")
                .unwrap();
        }
        let devices = room.devices("devices.toml", &room.map);
        room.stage.hold(&devices, &room.stage.write("1.toml", &text)).1.ended(0);
        room
    }

    fn devices(&self, name: &str, text: &str) -> PathBuf {
        self.stage.write(name, text)
    }

    /// The map of someone who has the spare token in place of the one that was lost.
    fn after_the_loss(&self) -> PathBuf {
        let lost = format!("token=t1;serial={}", self.serials[0]);
        let spare = format!("token=spare;serial={}", self.serials[2]);
        assert!(self.map.contains(&lost));
        self.devices("spare.toml", &self.map.replace(&lost, &spare))
    }

    fn back_up(&self) -> PathBuf {
        self.stage.write(
            "2.toml",
            &format!(
                "ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\ntitle = \"Wrap key of the tests\"\n\
                 needed = 2\nholders = [\"bruno\", \"carol\", \"dana\"]\n[[key]]\nname = \"t1\"\n"
            ),
        )
    }

    /// The same wrap key once more, for a key that was not copied under it.
    fn second_back_up(&self) -> PathBuf {
        let key = if self.stage.path("spare.toml").exists() { "t1" } else { "t2" };
        let text = format!(
            "ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\n[[key]]\nname = \"{key}\"\n[[key]]\nname = \"t2\"\n"
        );
        self.stage.write("4.toml", &text)
    }

    fn restore(&self, serial: &str) -> PathBuf {
        let text =
            format!("ceremony = \"restore\"\n{HEAD}[[key]]\nname = \"t1\"\nlost-token = \"{serial}\"\n");
        self.stage.write("3.toml", &text)
    }

    fn hold(&self, devices: &Path, runbook: &Path, brought: &[Copied]) -> Told {
        gathering::hold(&self.stage, devices, runbook, brought)
    }

    fn report(&self) -> serde_json::Value {
        self.stage.keyrite(["-C", utf8(&self.stage.record), "--json", "verify"]).json()
    }
}

/// Every file of a folder and below it.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_key_is_backed_up_its_token_lost_and_the_key_restored() {
    let room = Room::new("back-up");
    let devices = room.devices("devices.toml", &room.map);
    let made = room.hold(&devices, &room.back_up(), &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    assert_eq!(made.cards.len(), 3, "{}", made.text);
    let files: Vec<String> = all_files(&room.stage.path("copies"))
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.iter().any(|name| name.starts_with("t1.") && name.ends_with(".copy.json")), "{files:?}");

    // No word of a card and no salt is in any file that the program wrote.
    for path in all_files(&room.stage.dir) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for card in &made.cards {
            let words: Vec<&str> = card.words.split(' ').collect();
            assert!(!text.contains(&card.salt), "{}", path.display());
            assert!(!text.contains(&words[4..7].join(" ")), "{}", path.display());
        }
    }
    // The very same runbook does nothing the second time.
    let again = room.hold(&devices, &room.back_up(), &[]);
    assert_eq!(again.code, 0, "{}", again.text);
    assert!(again.text.contains("already held") && again.cards.is_empty(), "{}", again.text);

    // The token is gone; a custodian's spare takes its place. Two of three cards.
    let spare = room.after_the_loss();
    let restore = room.restore(&room.serials[0]);
    // Not while an interface is up: the wrap key comes together again.
    let (_, answers) = room.stage.answers(&spare, &restore);
    let run = ["run", utf8(&restore), "--answers", utf8(&answers), "--unattended"];
    let online = room.stage.networked(&spare, &run).ended(1).json();
    assert_eq!(online["error"]["rule"], "NETWORK-UP", "{online}");
    let back = room.hold(&spare, &restore, &[made.cards[2].clone(), made.cards[0].clone()]);
    assert_eq!(back.code, 0, "{}", back.text);
    // The record has it on that token now, and there it signs as the key that it was.
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t1\"]\n");
    let call = room.stage.write("call.toml", &call);
    let (_, old) = room.stage.hold(&devices, &call);
    assert!(old.text().contains("TOKEN-OTHER"), "{}", old.text());
    room.stage.hold(&spare, &call).1.ended(0);
    // What is restored stays where it is.
    let again = room.stage.on(&room.stage.record, &spare, &["plan", utf8(&room.second_back_up())]);
    assert!(again.text().contains("WRAP-KEY-OTHER"), "{}", again.text());
    // The very same runbook does nothing the second time.
    let again = room.hold(&spare, &restore, &[]);
    assert!(again.code == 0 && again.text.contains("already held"), "{}", again.text);
    let report = room.report();
    assert_eq!(report["problems"], serde_json::json!([]), "{report}");
}

/// What is planned wrong is refused before anyone has come, and what is brought wrong before it is used.
#[test]
fn what_is_not_as_it_was_agreed_is_refused_by_name() {
    let room = Room::new("back-up-refused");
    let devices = room.devices("devices.toml", &room.map);
    let plan = |name: &str, text: &str| {
        let runbook = room.stage.write(name, text);
        room.stage.on(&room.stage.record, &devices, &["plan", utf8(&runbook)]).text()
    };
    let good = fs::read_to_string(room.back_up()).unwrap();
    for (from, to, rule) in [
        ("needed = 2", "needed = 1", "SHARE-MANIFEST"),
        ("needed = 2", "needed = 4", "SHARE-MANIFEST"),
        ("needed = 2\n", "", "RUNBOOK"),
        ("\"carol\", \"dana\"", "\"bruno\", \"dana\"", "SHARE-HOLDERS"),
        ("name = \"t1\"", "name = \"t2\"", "WRAP-KEY-OTHER"),
        ("name = \"wrap-1\"", "name = \"wrap-2\"", "WRAP-KEY-OTHER"),
        ("name = \"t1\"", "name = \"t9\"", "KEY-UNKNOWN"),
    ] {
        assert!(good.contains(from), "{from}");
        let said = plan("wrong.toml", &good.replace(from, to));
        assert!(said.contains(rule), "{from} -> {to}: {said}");
    }
    let early =
        format!("ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\n[[key]]\nname = \"t1\"\n");
    assert!(plan("early.toml", &early).contains("WRAP-KEY-SET"));
    let restore = |serial: &str| fs::read_to_string(room.restore(serial)).unwrap();
    assert!(plan("early.toml", &restore(&room.serials[0])).contains("COPY-MISSING"));
    assert!(plan("early.toml", &restore("0123")).contains("RESTORE-TOKEN"));

    // Nobody can be shown a card in a script.
    let (_, unattended) = room.stage.hold(&devices, &room.back_up());
    let said = unattended.text();
    assert!(said.contains("ANSWER-MISSING") || said.contains("SHOWN-ALONE"), "{said}");
    let nowhere = room.devices("nowhere.toml", room.map.split("\n[copies]").next().unwrap());
    let told = room.hold(&nowhere, &room.back_up(), &[]);
    assert!(told.text.contains("COPIES-FOLDER") && told.cards.is_empty(), "{}", told.text);

    let made = room.hold(&devices, &room.back_up(), &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    let more = good.replace("name = \"t1\"", "name = \"t2\"");
    assert!(plan("more.toml", &more).contains("WRAP-KEY-TAKEN"));
    let copy = fs::read_dir(room.stage.path("copies")).unwrap().map(|entry| entry.unwrap().path());
    let copy = { copy }.find(|path| path.to_str().unwrap().ends_with(".copy.json")).unwrap();
    let whole = fs::read_to_string(&copy).unwrap();

    // Another copy than the transcript's; the old token once more; cards that are not enough.
    let spare = room.after_the_loss();
    let runbook = room.restore(&room.serials[0]);
    let cards = [made.cards[1].clone(), made.cards[2].clone()];
    fs::write(&copy, whole.replace("\"key\":\"t1\"", "\"key\":\"t2\"")).unwrap();
    let told = room.hold(&spare, &runbook, &cards);
    assert!(told.text.contains("COPY-FILE"), "{}", told.text);
    fs::write(&copy, &whole).unwrap();
    let told = room.hold(&devices, &runbook, &cards);
    assert!(told.text.contains("RESTORE-TOKEN"), "{}", told.text);
    let twice = [&cards[0], &cards[0], &cards[0], &cards[0]].map(Clone::clone);
    let told = room.hold(&spare, &runbook, &twice);
    assert!(told.code == 1 && told.text.contains("SHARE-GIVEN"), "{}", told.text);
    // After all of it, the right cards and the right file still do.
    let told = room.hold(&spare, &runbook, &cards);
    assert_eq!(told.code, 0, "{}", told.text);
}
