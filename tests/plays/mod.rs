//! Every way through the guide that ends in runbooks, as answers.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test fails by panicking; not every test plays every part"
)]

use crate::day::{Day, Upto};
use std::fmt::Write as _;
use std::fs;

pub const PEOPLE: &str = "administrator = \"ada\"\nwitnesses = \"wim\"\n";
pub const LOST: &str = "ceremony = \"lost-or-stolen\"\n";

/// A device map that knows the newest root, and no key.
pub fn map(day: &Day) -> String {
    let trust: serde_json::Value =
        serde_json::from_slice(&fs::read(day.record.join("trust.json")).unwrap()).unwrap();
    let mut text = format!("[trust]\nid = {}\n", trust["id"]);
    if day.record.join("metadata/root").exists() {
        let anchor = day.anchor();
        let (version, payload) = anchor.split_once(':').unwrap();
        writeln!(text, "root = {{ version = {version}, payload = \"{payload}\" }}").unwrap();
    }
    let file = day.dir.join("devices.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// One way through the questions.
pub struct Play {
    pub upto: Upto,
    pub answers: String,
    /// The folder that it ends in.
    pub folder: &'static str,
    /// Lines of its last runbook.
    pub lines: &'static [&'static str],
}

fn play(answers: String, folder: &'static str, lines: &'static [&'static str]) -> Play {
    Play { upto: Upto::End, answers, folder, lines }
}

/// Each answer set that ends in runbooks which a rehearsal can hold.
pub fn plays() -> Vec<Play> {
    vec![
        play(
            format!(
                "{LOST}what = \"root-key\"\nkeys = \"root-c\"\nfate.root-c = \"lost\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"2\"\nlate = \"none\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            &[
                "ceremony = \"rotate-root\"",
                "add         = [\"root-d\"]",
                "lost        = [\"root-c\"]",
                "dora = \"custodian\"",
            ],
        ),
        play(
            format!(
                "{LOST}what = \"targets-key\"\nkeys = \"targets-1\"\nfate.targets-1 = \"stolen\"\nnew-key = \"targets-2\"\nholder = \"uma\"\nlate = \"none\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            &["ceremony = \"recover\"", "compromised  = [\"targets-1\"]", "replace-with = [\"targets-2\"]"],
        ),
        play(
            format!(
                "{LOST}what = \"root-and-targets\"\nkeys = \"root-c\"\nfate.root-c = \"stolen\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"2\"\ntargets-keys = \"targets-1\"\nfate.targets-1 = \"copied\"\nnew-key = \"targets-2\"\ntargets-holder = \"uma\"\nlate = \"none\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            &[
                "ceremony = \"recover\"",
                "compromised  = [\"root-c\", \"targets-1\"]",
                "replace-with = [\"root-d\", \"targets-2\"]",
            ],
        ),
        play(
            format!(
                "{LOST}what = \"developer-key\"\nkey = \"dev-dana\"\nfate.dev-dana = \"stolen\"\nreplace-with = \"none\"\nbelow-threshold = \"remove\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            &[
                "ceremony = \"revoke-delegation\"",
                "because = \"compromised\"",
                "below-threshold = \"remove\"",
            ],
        ),
        play(
            format!(
                "{LOST}what = \"developer-key\"\nkey = \"dev-dana\"\nfate.dev-dana = \"lost\"\nreplace-with = \"new\"\nholder = \"dana\"\nnew-key = \"dev-dana-2\"\nbelow-threshold = \"stop\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            &["because = \"lost\"", "replace-with = [\"dev-dana-2\"]", "dana = \"custodian\""],
        ),
        play(
            format!(
                "{LOST}what = \"backend\"\nnew-snapshot = \"backend-snapshot-2\"\nnew-timestamp = \"backend-timestamp-2\"\n{PEOPLE}"
            ),
            "lost-or-stolen",
            &[
                "ceremony = \"rotate-root\"",
                "compromised = [\"backend-snapshot\", \"backend-timestamp\"]",
                "keys = [\"backend-snapshot-2\"]",
                "keys = [\"backend-timestamp-2\"]",
            ],
        ),
        play(
            format!(
                "ceremony = \"new-application\"\napplication = \"doorbell\"\npaths = \"doorbell/, common/doorbell/\"\nkeys = \"dev-dana, dev-emil\"\nholder.dev-emil = \"emil\"\nthreshold = \"1\"\n{PEOPLE}"
            ),
            "new-application",
            &[
                "application = \"doorbell\"",
                "keys = [\"dev-dana\", \"dev-emil\"]",
                "paths = [\"doorbell/\", \"common/doorbell/\"]",
            ],
        ),
        play(
            format!(
                "ceremony = \"developer-joins\"\napplication = \"targets/camera-station\"\nkeys = \"dev-emil\"\nholder.dev-emil = \"emil\"\npaths = \"common/camera/\"\nthreshold = \"1\"\n{PEOPLE}"
            ),
            "developer-joins",
            &["[more]", "add-keys = [\"dev-emil\"]", "add-paths = [\"common/camera/\"]"],
        ),
        play(
            format!(
                "ceremony = \"developer-leaves\"\napplication = \"targets/camera-station\"\nkey = \"dev-dana\"\nreplace-with = \"dev-emil\"\nholder.dev-emil = \"emil\"\nbelow-threshold = \"stop\"\n{PEOPLE}"
            ),
            "developer-leaves",
            &["key = \"dev-dana\"", "because = \"left\"", "replace-with = [\"dev-emil\"]"],
        ),
        play(
            format!("ceremony = \"application-ends\"\napplication = \"targets/camera-station\"\n{PEOPLE}"),
            "application-ends",
            &["ceremony = \"revoke-delegation\"", "application = \"camera-station\"", "[delegator]"],
        ),
        play(
            format!(
                "ceremony = \"person-leaves\"\nperson = \"bruno\"\nbecause = \"left\"\nroot-keys = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"2\"\n{PEOPLE}"
            ),
            "person-leaves",
            &["person = \"bruno\"", "replace-with = [\"root-d\"]"],
        ),
        play(
            format!(
                "ceremony = \"person-leaves\"\nperson = \"uma\"\nbecause = \"compromised\"\ntargets-keys = \"targets-2\"\nholder.targets-2 = \"ulla\"\n{PEOPLE}"
            ),
            "person-leaves",
            &["person = \"uma\"", "because = \"compromised\"", "replace-with = [\"targets-2\"]"],
        ),
        play(
            format!(
                "ceremony = \"change-root\"\nkeys = \"none\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"3\"\nlate = \"none\"\n{PEOPLE}"
            ),
            "change-root",
            &["ceremony = \"rotate-root\"", "threshold   = 3"],
        ),
        play(
            format!(
                "ceremony = \"targets-key\"\nkeys = \"targets-1\"\nnew-key = \"targets-2\"\nholder = \"uma\"\nthreshold = \"1\"\n{PEOPLE}"
            ),
            "targets-key",
            &["ceremony = \"issue-targets-key\"", "keys = [\"targets-2\"]"],
        ),
        play(
            format!("ceremony = \"renew\"\nwhat = \"documents\"\nwithin = \"90 days\"\n{PEOPLE}"),
            "renewal",
            &["ceremony = \"renew\"", "within = \"90 days\""],
        ),
        play(
            format!("ceremony = \"renew\"\nwhat = \"certificates\"\nkeys = \"root-a\"\n{PEOPLE}"),
            "certificates",
            &["ceremony = \"rotate-root\"", "valid-for = \"2 years\""],
        ),
        play(format!("ceremony = \"roll-call\"\nwhich = \"all\"\n{PEOPLE}"), "roll-call", &["[roll-call]"]),
        play(
            format!("ceremony = \"roll-call\"\nwhich = \"some\"\nkeys = \"root-a, targets-1\"\n{PEOPLE}"),
            "roll-call",
            &["keys = [\"root-a\", \"targets-1\"]"],
        ),
        play(
            format!(
                "ceremony = \"limits\"\nlimits = \"root.rehearsed, root.witnesses, root.attested-keys, ceremony.sign-within\"\nvalue.root.rehearsed = \"yes\"\nvalue.root.witnesses = \"2\"\nvalue.root.attested-keys = \"yes\"\nvalue.ceremony.sign-within = \"20 days\"\n{PEOPLE}"
            ),
            "new-limits",
            &[
                "[limits.root]",
                "rehearsed = true",
                "witnesses = 2",
                "attested-keys = true",
                "sign-within = \"20 days\"",
            ],
        ),
        Play {
            upto: Upto::Keys,
            answers: format!(
                "ceremony = \"first-day\"\nroot-holders = \"ada, bruno, carla\"\nroot-threshold = \"2\"\ntargets-holder = \"uma\"\napplication = \"camera-station\"\ndeveloper = \"dana\"\n{PEOPLE}"
            ),
            folder: "first-day",
            lines: &["ceremony = \"grant-delegation\"", "application = \"camera-station\""],
        },
    ]
}
