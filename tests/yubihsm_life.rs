//! Feature `yubihsm`: the life of one record in production, by the program alone, on simulated YubiHSMs.
//!
//! Three people prepare a device each and hold the first day; a root key is rotated on one of the
//! devices, another one leaves its device wrapped, and three people take home a card each of what it is
//! wrapped under. Then that device is lost: two cards bring the key back on a fourth, which signs the
//! next root in its place. What everyone's devices did is on record from the first day to the last, so
//! somebody who uses one behind their backs, or leaves a key on it, is found out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod gathering;
mod hsms;
mod pins;
mod stage;

use hsms::Hsm;
use keyrite::record::TrustFile;
use keyrite::signer::backends::Modules;
use keyrite::signer::{self, KeyTag, Token};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeySpec, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use pins::Pins;
use serde_json::{Value, json};
use stage::{Done, PHRASE, PIN, Stage, utf8};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const SERIALS: [u32; 4] = [7_550_110, 7_550_111, 7_550_112, 7_550_113];
const DUTIES: [(&str, &str); 3] =
    [("administrator", "administers"), ("backup", "backs it up"), ("auditor", "reads the log")];

fn pins() -> Pins {
    Pins::new(PIN, "administers").and_duties("backs it up", "reads the log")
}

fn opened(hsm: &Hsm) -> Box<dyn Token> {
    Modules::new().open(&hsm.uri().parse().unwrap(), None).unwrap()
}

/// One signature by whoever knows the signer's password.
fn signs(hsm: &Hsm) {
    let mut token = opened(hsm);
    let public = token.keys(&mut pins()).unwrap()[0].public.clone().unwrap();
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "nobody's".into() };
    let payload = Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap());
    let mut signer = token.open(&public, &mut pins()).unwrap();
    signer::sign(&mut *signer, &public, Scheme::of(public.algorithm()), &payload, &mut pins()).unwrap();
}

/// The record, its devices, and where each key is by now.
struct Room {
    stage: Stage,
    hsms: Vec<Hsm>,
    /// Which device holds a key, by its place in the list above.
    on: BTreeMap<&'static str, usize>,
    head: Option<String>,
    held: usize,
}

impl Room {
    /// `init`, with its questions answered: three devices as from the factory, one to a root key.
    fn new() -> Self {
        let dir = hsms::folder("life");
        let hsms: Vec<Hsm> = SERIALS.map(|serial| Hsm::new(&dir, serial)).into();
        let on = BTreeMap::from([("root-a", 0), ("root-b", 1), ("root-c", 2)]);
        let mut answers = "[answers]\nprofile = \"tuf\"\nstage = \"production\"\n\
            collection = \"updates.example.com/apps\"\nadministrator = \"ada\"\n\
            root-holders = \"ada, bruno, cleo\"\nroot-threshold = \"2\"\nalgorithm = \"p256\"\n\
            targets-holder = \"uma\"\ntoken.targets-1 = \"file\"\nonline-keys = \"here\"\n\
            application = \"camera-station\"\ndeveloper = \"dana\"\nwitnesses = \"wim\"\nconfirm = \"Yes\"\n"
            .to_owned();
        for (key, device) in &on {
            let (at, serial) = (hsms[*device].connector(), hsms[*device].serial());
            writeln!(answers, "token.{key} = \"yubihsm\"\nconnector.{key} = \"{at}\"").unwrap();
            writeln!(answers, "serial.{key} = \"{serial:010}\"").unwrap();
        }
        let stage_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stage-yubihsm-life");
        let _ = fs::remove_dir_all(&stage_dir);
        fs::create_dir_all(stage_dir.join("copies")).unwrap();
        fs::write(stage_dir.join("init.toml"), answers).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyrite"));
        command.current_dir(&stage_dir).args(["init", "--answers", "init.toml", "--unattended", "trust"]);
        Done::of(&mut command).ended(0);
        let record = stage_dir.join("trust");
        let file = TrustFile::from_json(&fs::read(record.join("trust.json")).unwrap()).unwrap();
        let stage = Stage { dir: stage_dir, record, trust: file.trust().clone() };
        for (name, secret) in [("pin", PIN), ("phrase", PHRASE)] {
            stage.write(name, &format!("{secret}\n"));
        }
        for (duty, password) in DUTIES {
            stage.write(&format!("pin-{duty}"), &format!("{password}\n"));
        }
        for name in ["pin", "phrase", "pin-administrator", "pin-backup", "pin-auditor"] {
            fs::set_permissions(stage.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { stage, hsms, on, head: None, held: 0 }
    }

    /// A device map of all who are there, with what they know from paper.
    fn map(&mut self) -> PathBuf {
        self.held += 1;
        let mut devices = self.stage.devices();
        if self.stage.record.join("metadata/root").exists() {
            devices = devices.anchor(&self.stage.root());
        }
        for (key, device) in &self.on {
            devices = devices.on_yubihsm(key, &self.hsms[*device].uri());
        }
        for key in ["targets-1", "online-snapshot", "online-timestamp"] {
            devices = devices.in_file(key, &format!("trust/private/{key}.key"));
        }
        let dana = self.stage.path("developers/dana.key");
        let enrolment = self.stage.path("developers/dana.enrol.json");
        devices = devices.in_file("dev-dana", utf8(&dana)).enrol("dev-dana", &enrolment);
        devices = self.head.iter().fold(devices, |devices, head| devices.head(head));
        let name = format!("devices-{}.toml", self.held);
        let text = fs::read_to_string(devices.write(&name)).unwrap();
        self.stage.write(&name, &format!("{text}[copies]\nfolder = \"copies\"\n"))
    }

    fn runbook(&self, ceremony: &str, tables: &str) -> PathBuf {
        let people = "ada = \"administrator\"\nbruno = \"custodian\"\ncleo = \"custodian\"\n\
                      dora = \"custodian\"\numa = \"custodian\"\nwim = \"witness\"\n";
        let text = format!(
            "ceremony = \"{ceremony}\"\ntitle = \"{ceremony} {}\"\n[people]\n{people}{tables}",
            self.held
        );
        self.stage.write(&format!("{}-{ceremony}.toml", self.held), &text)
    }

    /// A root key is made on that device.
    fn makes(&mut self, key: &'static str, holder: &str, device: usize) {
        let made = self.runbook(
            "generate-key",
            &format!("[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"root\"\n"),
        );
        self.on.insert(key, device);
        self.holds(&made);
    }

    fn rotation(&self, new: &str, old: &str) -> PathBuf {
        let tables = format!("[root]\nadd = [\"{new}\"]\nremove = [\"{old}\"]\nvalid-for = \"2 years\"\n");
        self.runbook("rotate-root", &tables)
    }

    fn holds(&mut self, runbook: &Path) {
        let map = self.map();
        let done = self.stage.hold(&map, runbook).1.ended(0).json();
        self.head = done["head"].as_str().map(str::to_owned).or(self.head.take());
    }

    /// Holds it, which must be refused.
    fn refused(&mut self, runbook: &Path, rule: &str) {
        let map = self.map();
        let text = self.stage.hold(&map, runbook).1.text();
        assert!(text.contains(rule), "no {rule}: {text}");
    }

    /// Holds it at a terminal, with the cards that people brought; the cards that were dealt.
    fn gathered(&mut self, runbook: &Path, brought: &[gathering::Copied]) -> Vec<gathering::Copied> {
        let map = self.map();
        let told = gathering::hold(&self.stage, &map, runbook, brought);
        assert_eq!(told.code, 0, "{}", told.text);
        let status = ["-C", utf8(&self.stage.record), "--json", "status"];
        let head = self.stage.keyrite(status).json()["head"].as_str().map(str::to_owned);
        self.head = head.or(self.head.take());
        told.cards
    }

    /// Everything that transcripts say by an act.
    fn outcomes(&self, act: &str) -> Vec<Value> {
        let folders = fs::read_dir(self.stage.record.join("transcripts")).unwrap();
        let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        let entries = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        let entries = entries.map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap());
        entries.filter(|entry| entry["act"] == act).map(|entry| entry["outcome"].clone()).collect()
    }

    /// The keys that signed the newest root, each with its device's serial number.
    fn signers(&self) -> BTreeSet<(String, String)> {
        let (_, payload) = self.stage.root();
        let signs = self.outcomes("sign");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of_root = signs.iter().filter(|sign| sign["payload"] == payload);
        of_root.map(|sign| (text(&sign["key"]), text(&sign["token"]["serial"]))).collect()
    }

    /// `verify` from paper: no problem, and the report.
    fn report(&self) -> String {
        let (version, payload) = self.stage.root();
        let anchor = format!("{version}:{payload}");
        let report = self.stage.path("report.html");
        let line = ["-C", utf8(&self.stage.record), "verify", "--anchor", &anchor, "--report", utf8(&report)];
        self.stage.keyrite(line).ended(0);
        let report = fs::read_to_string(&report).unwrap();
        report.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn a_lost_yubihsm_is_replaced_and_nothing_that_any_of_them_did_is_missing() {
    let mut room = Room::new();
    room.stage.developer("dana");
    // Root key A is to be backed up, which is said when it is made; no other key ever leaves.
    let first = room.stage.record.join("first-day");
    let mut runbooks: Vec<PathBuf> = fs::read_dir(&first).unwrap().map(|e| e.unwrap().path()).collect();
    runbooks.retain(|path| path.extension().is_some_and(|ext| ext == "toml"));
    runbooks.sort();
    let text = fs::read_to_string(&runbooks[0]).unwrap();
    let exportable = text.replacen("purpose = \"root\"\n", "purpose = \"root\"\nwrap-key = \"wrap-1\"\n", 1);
    assert_ne!(exportable, text);
    fs::write(&runbooks[0], exportable).unwrap();
    for runbook in &runbooks {
        room.holds(runbook);
    }
    assert_eq!(room.stage.root().0, 1);

    // A rotation: cleo makes another key on her device, and the next root lists it.
    room.makes("root-d", "cleo", 2);
    let next = room.rotation("root-d", "root-c");
    room.holds(&next);
    assert_eq!(room.stage.root().0, 2);
    let retired = room.runbook("retire-key", "[retire]\nkey = \"root-c\"\n");
    room.holds(&retired);
    room.on.remove("root-c");

    // Root key A leaves its device, and three people take home a card each.
    let wrap = "[wrap-key]\nname = \"wrap-1\"\ntitle = \"Wrap key of root key A\"\nneeded = 2\n\
                holders = [\"bruno\", \"cleo\", \"dora\"]\n[[key]]\nname = \"root-a\"\n";
    let copied = room.runbook("back-up", wrap);
    let cards = room.gathered(&copied, &[]);
    assert_eq!(cards.len(), 3);

    // ada's device is gone. A fourth one, as from the factory, takes its place.
    room.hsms[0].stop();
    room.on.insert("root-a", 3);
    let digits = |end: &str| {
        let mut files = fs::read_dir(room.stage.path("copies")).unwrap().map(|file| file.unwrap().path());
        let file = files.find(|path| path.to_str().unwrap().ends_with(end)).unwrap();
        Digest::of(&fs::read(file).unwrap()).hex()[..16].to_owned()
    };
    let lost = format!(
        "[wrap-key]\nname = \"wrap-1\"\nshares = \"{}\"\n[[key]]\nname = \"root-a\"\n\
         lost-token = \"{:010}\"\ncopy = \"{}\"\n",
        digits(".shares.json"),
        SERIALS[0],
        digits(".copy.json")
    );
    let restored = room.runbook("restore", &lost);
    room.gathered(&restored, &[cards[2].clone(), cards[0].clone()]);

    // cleo makes a key for the next root and is away when it is signed: it needs the key that came back.
    room.makes("root-e", "cleo", 2);
    room.on.retain(|_, device| *device != 2);
    let next = room.rotation("root-e", "root-d");
    room.holds(&next);
    assert_eq!(room.stage.root().0, 3);
    let by = |key: &str, device: usize| (key.to_owned(), format!("{:010}", SERIALS[device]));
    assert_eq!(room.signers(), [by("root-a", 3), by("root-b", 1)].into());

    // The vendor is simulated, so no key is proven; each is told, and that one of them was elsewhere.
    let report = room.report();
    for text in [
        "0 of 3 keys of this root are proven hardware keys",
        "root-a (ada): attributes claimed, not proven",
        "root-b (bruno): attestation fails ATTESTATION-CHAIN",
        "root-e (cleo): attestation fails ATTESTATION-CHAIN",
        "each accounted for",
    ] {
        assert!(report.contains(text), "no \"{text}\" in {}", room.stage.path("report.html").display());
    }
    let drains = room.outcomes("drain");
    let read: BTreeSet<&str> = drains.iter().map(|d| d["token"]["serial"].as_str().unwrap()).collect();
    assert_eq!(read, SERIALS.map(|serial| format!("{serial:010}")).iter().map(String::as_str).collect());
    assert!(drains.iter().all(|drain| drain["unaccounted"] == 0), "{drains:?}");
    // Through every fence that production puts up, since connectors are beyond it.
    for begin in room.outcomes("begin") {
        let checks = &begin["host-checks"];
        assert_eq!(checks["system calls"], "filtered", "{begin}");
        assert!(checks["connections"].as_str().unwrap().contains("to TCP port "), "{begin}");
        assert!(!checks["files"].as_str().unwrap().contains("NOT"), "{begin}");
    }

    // A key that somebody left in another domain, and one signature behind everyone's back.
    let foreign = {
        let other = Hsm::new(&hsms::folder("life-other"), 7_550_119);
        let tag = KeyTag { label: "theirs".into(), id: [9; 16], place: None };
        opened(&other).generate(KeySpec::EcdsaP256, &tag, &mut pins()).unwrap();
        other.state()["objects"].as_array().unwrap().last().unwrap().clone()
    };
    room.hsms[3].tamper(|state| {
        let mut rogue = foreign.clone();
        (rogue["id"], rogue["domains"]) = (78.into(), json!(0x0004));
        state["objects"].as_array_mut().unwrap().push(rogue);
    });
    let call = room.runbook("roll-call", "[roll-call]\nkeys = [\"root-a\"]\n");
    room.refused(&call, "HSM-UNPREPARED");
    room.hsms[3].tamper(|state| state["objects"].as_array_mut().unwrap().retain(|o| o["id"] != 78));
    signs(&room.hsms[1]);
    let call = room.runbook("roll-call", "[roll-call]\nkeys = [\"root-a\", \"root-b\"]\n");
    room.refused(&call, "LOG-SIGNATURES");
}
