//! Tokens that take only so much of a message, and people who are away: by the device map, on SoftHSM
//! with a limit stated, through the program.

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
use keyrite::tuf::profile::Profile;
use stage::{Devices, Stage, shipped, utf8};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: [&str; 3] = ["root-a", "root-b", "root-c"];
/// Less than any root has.
const FEW: usize = 600;
const RENEWAL: &str = "ceremony = \"renew\"\ntitle = \"Another root\"\n[people]\nada = \"administrator\"\n\
    bruno = \"custodian\"\ncarla = \"custodian\"\nwim = \"witness\"\n[renew]\nwithin = \"30 months\"\nroles = [\"root\"]\n\
    [root]\nvalid-for = \"3 years\"\n";

struct Day {
    stage: Stage,
    serials: BTreeMap<&'static str, String>,
    enrolment: PathBuf,
}

impl Day {
    /// A map of these root keys, with a limit for some, and of all others.
    fn map(&self, keys: &[&str], limited: &[&str]) -> Devices<'_> {
        let mut devices = self.stage.devices().enrol("dev-dana", &self.enrolment);
        for key in ["targets-1", "online-snapshot", "online-timestamp"] {
            devices = devices.in_file(key, &format!("keys/{key}.pem"));
        }
        for key in keys {
            devices = devices.on_token(key, &self.serials[key]);
            if limited.contains(key) {
                devices = devices.takes(FEW);
            }
        }
        let rooted = self.stage.record.join("metadata/root").exists();
        if rooted { devices.knowing(&self.stage.root()) } else { devices }
    }

    /// Three Ed25519 root keys on tokens; all else in files.
    fn keys() -> Self {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.online.snapshot.insert("online-snapshot".parse().unwrap());
        limits.online.timestamp.insert("online-timestamp".parse().unwrap());
        let stage = Stage::new("messages", Profile::Tuf, Kind::Rehearsal, &limits);
        fs::create_dir_all(stage.path("keys")).unwrap();
        let (_, enrolment) = stage.developer("dana");
        let serials = ROOT.iter().map(|key| (*key, stage.token(key))).collect();
        let day = Self { stage, serials, enrolment };
        let mut tables = String::new();
        for (key, holder, purpose, algorithm) in [
            ("root-a", "ada", "root", "ed25519"),
            ("root-b", "bruno", "root", "ed25519"),
            ("root-c", "carla", "root", "ed25519"),
            ("targets-1", "uma", "targets", "p256"),
            ("online-snapshot", "operations", "snapshot", "p256"),
            ("online-timestamp", "operations", "timestamp", "p256"),
        ] {
            writeln!(tables, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\nalgorithm = \"{algorithm}\"").unwrap();
        }
        let people = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
        let text = format!("ceremony = \"generate-key\"\ntitle = \"Keys\"\n{people}{tables}");
        let runbook = day.stage.write("keys.toml", &text);
        day.holds(&day.map(&ROOT, &[]).write("keys-map.toml"), &runbook);
        day
    }

    fn holds(&self, map: &Path, runbook: &Path) {
        self.stage.hold(map, runbook).1.ended(0);
    }

    /// What tokens were about to do, by all transcripts.
    fn intents(&self) -> usize {
        let mut all = 0;
        for ceremony in fs::read_dir(self.stage.record.join("transcripts")).unwrap() {
            for entry in fs::read_dir(ceremony.unwrap().path()).unwrap() {
                let text = fs::read_to_string(entry.unwrap().path()).unwrap();
                all += usize::from(text.contains("\"act\":\"intent\""));
            }
        }
        all
    }
}

#[test]
fn a_token_that_takes_less_is_left_out_or_the_change_refused() {
    let day = Day::keys();
    let root = shipped("first-day-tuf/04-root.toml");
    let map = day.map(&ROOT, &["root-c"]).write("one.toml");
    let plan = day.stage.on(&day.stage.record, &map, &["plan", utf8(&root)]).ended(0).json();
    let said = plan["summary"].to_string();
    assert!(said.contains("root-c of carla can't sign root 1") && said.contains("takes 600"), "{said}");
    day.holds(&map, &root);
    let sealed = fs::read_dir(day.stage.record.join("metadata/root")).unwrap().next().unwrap().unwrap();
    let sealed: serde_json::Value = serde_json::from_slice(&fs::read(sealed.path()).unwrap()).unwrap();
    assert_eq!(sealed["signatures"].as_array().unwrap().len(), 2, "root-a and root-b have signed");

    // With two such tokens no threshold is left; none of them is touched.
    let renewal = day.stage.write("renewal.toml", RENEWAL);
    let before = day.intents();
    let map = day.map(&ROOT, &["root-b", "root-c"]).write("two.toml");
    let none = day.stage.write("none.toml", "[answers]\n");
    let run = ["run", utf8(&renewal), "--answers", utf8(&none), "--unattended"];
    for line in [&["plan", utf8(&renewal)][..], &run] {
        let refused = day.stage.on(&day.stage.record, &map, line).ended(1).json();
        assert_eq!(refused["error"]["rule"], "MESSAGE-LIMIT", "{refused}");
    }
    assert_eq!(day.intents(), before);

    // Ada alone is here. Carla is away, and status says from when on she can be asked.
    let map = day.map(&["root-a"], &[]).away("carla", "2999-01-01").write("away.toml");
    let (change, waits) = day.stage.hold(&map, &renewal);
    waits.ended(4);
    let status = |map: &Path| {
        let line = ["-C", utf8(&day.stage.record), "--devices", utf8(map), "status"];
        // As one line, wherever the screen breaks it.
        day.stage.keyrite(line).ended(0).text().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let said = status(&map);
    assert!(said.contains("bruno with the key root-b: still needed - carla"), "{said}");
    let late =
        "carla with the key root-c: still needed, away until 2999-01-01: too late, this is to be signed by";
    assert!(said.contains(late), "{said}");
    let soon = keyrite::tuf::time::Time::from_unix(seconds_now() + 5 * 86_400).unwrap().date();
    let map = day.map(&["root-a"], &[]).away("carla", &soon).write("soon.toml");
    let said = status(&map);
    assert!(said.contains(&format!("root-c: still needed, from {soon} on; to be")), "{said}");

    // Nor does a custodian sign with such a token: it is said before the PIN is asked.
    let copy = day.stage.path("copy");
    let export = ["-C", utf8(&day.stage.record), "--json", "export", utf8(&copy), "--for", "bruno"];
    day.stage.keyrite(export).ended(0);
    let bruno = day.stage.devices().on_token("root-b", &day.serials["root-b"]).takes(FEW);
    let bruno = bruno.knowing(&day.stage.root()).write("bruno.toml");
    let refused = day.stage.sign(&copy, &bruno, &change).ended(1).json();
    assert_eq!(refused["error"]["rule"], "MESSAGE-LIMIT", "{refused}");
}

fn seconds_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
