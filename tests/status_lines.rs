//! The lines that `status` says come next, typed as they stand: in each state of a record, in both profiles,
//! the line does what it promises, and the next page names something else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;
mod typist;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use serde_json::json;
use stage::{Devices, Done, Stage, made_elsewhere, shipped, utf8};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

const PEOPLE: &str = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
const KEYS: [&str; 6] = ["root-a", "root-b", "root-c", "targets-1", "online-snapshot", "online-timestamp"];
const MAP: &str = "map.toml";

/// A folder with the record, the device map, the shipped runbooks and the program, as somebody has it who
/// types what the page says.
struct Desk {
    stage: Stage,
    profile: Profile,
    dana: (PathBuf, PathBuf),
}

impl Desk {
    /// Before the first day.
    fn new(profile: Profile) -> Self {
        let mut limits = Limits::default_for(profile);
        let mut first_day = "first-day";
        if profile == Profile::Tuf {
            limits.online.snapshot.insert("online-snapshot".parse().unwrap());
            limits.online.timestamp.insert("online-timestamp".parse().unwrap());
            first_day = "first-day-tuf";
        }
        let stage = Stage::new(&format!("lines-{first_day}"), profile, Kind::Rehearsal, &limits);
        fs::create_dir_all(stage.path("keys")).unwrap();
        fs::create_dir_all(stage.path("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_keyrite"), stage.path("bin/keyrite")).unwrap();
        for name in ["renewal", "renew-certificate"] {
            Done::of(Command::new("mkdir").arg("-p").arg(stage.path("ceremonies"))).ended(0);
            Done::of(Command::new("cp").arg("-r").arg(shipped(name)).arg(stage.path("ceremonies"))).ended(0);
        }
        // As `init` leaves it.
        let folder = stage.record.join("first-day");
        Done::of(Command::new("cp").arg("-r").arg(shipped(first_day)).arg(folder)).ended(0);
        for role in ["snapshot", "timestamp"] {
            if profile == Profile::Notary {
                made_elsewhere(&stage.path(&format!("{role}.pem")));
                continue;
            }
            let key = format!("keys/online-{role}.pem");
            let line = format!(
                "openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -v2 aes-256-cbc \
                 -v2prf hmacWithSHA256 -passout file:phrase -out {key} && chmod 600 {key} && \
                 openssl pkey -in {key} -passin file:phrase -pubout -out {role}.pem"
            );
            Done::of(Command::new("sh").args(["-euc", &line]).current_dir(&stage.dir)).ended(0);
        }
        let dana = stage.developer("dana");
        Self { stage, profile, dana }
    }

    /// The same once more, in a folder of its own.
    fn again(&self, name: &str) -> Self {
        let profile = self.profile;
        let dir = self.stage.dir.with_file_name(format!("stage-lines-{profile:?}-{name}").to_lowercase());
        let _ = fs::remove_dir_all(&dir);
        Done::of(Command::new("cp").arg("-a").args([&self.stage.dir, &dir])).ended(0);
        let stage = Stage { record: dir.join("record"), trust: self.stage.trust.clone(), dir };
        Self { stage, profile, dana: self.dana.clone() }
    }

    /// The map of whoever sits there, with these keys.
    fn has(&self, keys: &[&str]) -> PathBuf {
        let (key, enrolment) = &self.dana;
        let devices: Devices<'_> = self.stage.devices();
        let mut devices = devices.in_file("dev-dana", utf8(key)).enrol("dev-dana", enrolment);
        for key in keys {
            devices = devices.in_file(key, &format!("keys/{key}.pem"));
        }
        let online = if self.profile == Profile::Notary { "backend" } else { "online" };
        for role in ["snapshot", "timestamp"] {
            let file = self.stage.path(&format!("{role}.pem"));
            devices = devices.enrol(&format!("{online}-{role}"), &file);
        }
        let rooted = self.stage.record.join("metadata/root").exists();
        if rooted { devices.knowing(&self.stage.root()).write(MAP) } else { devices.write(MAP) }
    }

    fn shell(&self, line: &str) -> Command {
        let path = format!("{}:{}", utf8(&self.stage.path("bin")), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-euc", line]).current_dir(&self.stage.dir).env("PATH", path);
        command
    }

    /// What comes next, to somebody who has all keys.
    fn next(&self) -> Vec<String> {
        self.has(&KEYS);
        let line = format!("keyrite -C record --devices {MAP} --json status");
        let page = Done::of(&mut self.shell(&line)).ended(0).json();
        page["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// The first line with this in it.
    fn line(&self, part: &str) -> String {
        let lines = self.next();
        let found = lines.iter().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no {part}: {lines:#?}")).clone()
    }

    /// Types the line as it stands and answers what it asks; what it showed. The page says it no more.
    fn types(&self, part: &str) -> String {
        let line = self.line(part);
        let (typed, _) = line.split_once("    ").unwrap();
        assert!(typed.starts_with("keyrite "), "{line}");
        // Whoever goes on with a change has that one on paper.
        if let Some((folder, _)) = typed.split_once("/runbook.toml") {
            let folder = folder.rsplit(' ').next().unwrap();
            Done::of(&mut self.shell(&format!("touch {folder}"))).ended(0);
        }
        let seen = typist::holds(self.shell(typed), &self.stage.record);
        assert!(!self.next().contains(&line), "{line} comes again: {seen}");
        seen
    }

    fn runbook(&self, title: &str, kind: &str, tables: &str) -> PathBuf {
        let text = format!("ceremony = \"{kind}\"\ntitle = \"{title}\"\n{PEOPLE}{tables}");
        self.stage.write(&format!("{}.toml", title.replace(' ', "-")), &text)
    }

    /// A next root, by the keys at hand.
    fn root(&self, title: &str, months: u32, keys: &[&str], code: i32) -> String {
        let within = months - 1;
        let tables = format!(
            "[renew]\nwithin = \"{within} months\"\nroles = [\"root\"]\n[root]\nvalid-for = \"{months} months\"\n"
        );
        let runbook = self.runbook(title, "renew", &tables);
        let (change, done) = self.stage.hold(&self.has(keys), &runbook);
        done.ended(code);
        change
    }

    /// How the change of this title stands.
    fn state(&self, title: &str) -> String {
        let page = self.stage.on(&self.stage.record, &self.has(&KEYS), &["status"]).ended(0).json();
        let changes = page["changes"].as_array().unwrap();
        let found = changes.iter().find(|change| change["title"] == title);
        found.unwrap_or_else(|| panic!("no {title}: {page}"))["state"].as_str().unwrap().to_owned()
    }

    /// The guide as the page names it, with answers; then the line that it ends in.
    fn withdraws(&self, part: &str, change: &str) {
        let line = self.line(part);
        let (typed, _) = line.split_once("    ").unwrap();
        let answers = format!(
            "[answers]\nchange = \"{change}\"\nreason = \"it went wrong\"\nadministrator = \"ada\"\n\
             witnesses = \"wim\"\nnext = \"later\"\n"
        );
        self.stage.write("withdraw.toml", &answers);
        let answered = format!("{typed} --answers withdraw.toml --unattended");
        let said = Done::of(&mut self.shell(&answered)).ended(0).text();
        let run = format!("keyrite -C record --devices {MAP} run record/withdraw");
        assert!(said.contains(&run), "{run}: {said}");
        typist::holds(self.shell(&run), &self.stage.record);
        assert!(!self.next().contains(&line), "{line} comes again");
    }

    fn verified(&self) {
        assert_eq!(self.stage.verify().ended(0).json()["problems"], json!([]));
    }
}

fn half_signed(day: &Desk) {
    let desk = day.again("half-signed");
    let change = desk.root("Root again", 30, &["root-a"], 4);
    assert_eq!(desk.state("Root again"), "waits for signatures");
    // Handed out, signed elsewhere, and brought back.
    let line = desk.line("export DIR --for bruno");
    let (typed, _) = line.split_once("    ").unwrap();
    Done::of(&mut desk.shell(&typed.replace(" DIR ", " bruno "))).ended(0);
    desk.stage.sign(&desk.stage.path("bruno"), &desk.has(&["root-b"]), &change).ended(0);
    Done::of(&mut desk.shell("keyrite -C record import bruno")).ended(0);
    assert!(!desk.next().contains(&line), "{line} comes again");
    desk.types("goes on with \"Root again\"");
    assert_eq!((desk.state("Root again").as_str(), desk.stage.root().0), ("sealed", 2));
    desk.verified();
}

fn refused(day: &Desk) {
    let desk = day.again("refused");
    let change = desk.root("Root again", 30, &["root-a"], 4);
    let answers = desk.stage.write("no.toml", "[answers]\n\"refuse.reason\" = \"not so\"\n");
    let refuse = ["sign", "--refuse", "--answers", utf8(&answers), "--unattended"];
    desk.stage.on(&desk.stage.record, &desk.has(&["root-b"]), &refuse).ended(0);
    desk.withdraws("it was refused", &change);
    assert!(desk.state("Root again").starts_with("withdrawn"), "{}", desk.state("Root again"));
    desk.verified();
}

fn rivals(day: &Desk) {
    let desk = day.again("rivals");
    let other = desk.again("rivals-other");
    let change = desk.root("Thirty months", 30, &["root-a"], 4);
    other.root("Three years", 36, &["root-b"], 4);
    let import = ["-C", utf8(&desk.stage.record), "import", utf8(&other.stage.record)];
    desk.stage.keyrite(import).ended(0);
    desk.withdraws("both make root 2", &change);
    // The other one goes on by itself.
    desk.types("goes on with \"Three years\"");
    assert_eq!(desk.stage.root().0, 2);
    desk.verified();
}

fn overtaken(day: &Desk) {
    let desk = day.again("overtaken");
    desk.root("Three years", 36, &["root-a"], 4);
    let other = day.again("overtaken-other");
    other.root("Thirty months", 30, &["root-b", "root-c"], 0);
    let import = ["-C", utf8(&desk.stage.record), "import", utf8(&other.stage.record)];
    desk.stage.keyrite(import).ended(0);
    desk.types("plans \"Three years\" anew");
    assert_eq!(desk.stage.root().0, 3);
    desk.verified();
}

fn late(day: &Desk) {
    let desk = day.again("late");
    let other = desk.again("late-other");
    let change = desk.root("Root again", 30, &["root-a", "root-b"], 0);
    // Carla has signed on a copy of before, which comes back only now.
    Done::of(
        Command::new("cp")
            .arg("-r")
            .arg(desk.stage.record.join("changes").join(&change))
            .arg(other.stage.record.join("changes")),
    )
    .ended(0);
    other.stage.sign(&other.stage.record, &other.has(&["root-c"]), &change).ended(0);
    let import = ["-C", utf8(&desk.stage.record), "import", utf8(&other.stage.record)];
    desk.stage.keyrite(import).ended(0);
    desk.types("seals \"Root again\" again");
    desk.verified();
}

fn roll_call(day: &Desk) {
    let desk = day.again("roll-call");
    let runbook = desk.runbook("Call", "roll-call", "[roll-call]\n");
    desk.stage.hold(&desk.has(&["root-a"]), &runbook).1.ended(4);
    desk.types("goes on with \"Call\"");
    desk.verified();
}

/// Targets ends within the days that a renewal looks ahead.
fn due(day: &Desk) {
    let desk = day.again("due");
    let path = if desk.profile == Profile::Tuf { "door/*" } else { "door/" };
    let tables = format!(
        "[delegation]\napplication = \"door\"\nkeys = [\"dev-dana\"]\nthreshold = 1\npaths = [\"{path}\"]\n\
         valid-for = \"1 year\"\n[delegator]\nvalid-for = \"30 days\"\n"
    );
    let runbook = desk.runbook("Short", "grant-delegation", &tables);
    desk.stage.hold(&desk.has(&KEYS), &runbook).1.ended(0);
    let line = desk.line("run ceremonies/renewal");
    assert!(line.contains("renews targets (ends "), "{line}");
    desk.types("run ceremonies/renewal");
    assert!(!desk.next().iter().any(|line| line.contains("ceremonies/renewal")), "{:#?}", desk.next());
    desk.verified();
}

/// What is sealed is handed over: in profile `tuf` the online keys list it first.
fn sealed(day: &Desk) {
    let desk = day.again("sealed");
    desk.root("Root again", 30, &["root-a", "root-b"], 0);
    if desk.profile == Profile::Tuf {
        desk.types("clients don't see root 2 before");
    }
    let line = desk.line("hand the upload of ");
    let folder = line.rsplit(": ").next().unwrap();
    Done::of(&mut desk.shell(&format!("test -f {folder}/README.txt"))).ended(0);
    desk.verified();
}

fn lines(profile: Profile) {
    let desk = Desk::new(profile);
    // Five ceremonies in one line.
    desk.types("holds the first day");
    assert_eq!(desk.stage.root().0, 1);
    if profile == Profile::Tuf {
        desk.types("sign-snapshot --unattended");
    }
    desk.verified();
    for state in [half_signed, refused, rivals, overtaken, late, roll_call, due, sealed] {
        state(&desk);
    }
}

#[test]
fn each_line_does_what_it_says_in_notary() {
    lines(Profile::Notary);
}

#[test]
fn each_line_does_what_it_says_in_tuf() {
    lines(Profile::Tuf);
}
