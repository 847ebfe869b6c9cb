//! A third signature that comes in when two have sealed the root already: sealed again with it while
//! nobody has published, so that clients get every signature that there is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use stage::{Devices, Stage, fill, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};

fn first_day(runbook: &str) -> PathBuf {
    shipped(&format!("first-day/{runbook}.toml"))
}

/// A record in production with all the keys; everyone's device map, and carla's, who has root-c.
fn keys(stage: &Stage) -> (Devices<'_>, Devices<'_>) {
    let mut devices = stage.devices();
    for key in ["root-a", "root-b", "targets-1"] {
        let serial = stage.token(key);
        devices = devices.on_token(key, &serial);
    }
    let serial = stage.token("root-c");
    let carla = stage.devices().on_token("root-c", &serial);
    let (_, enrolment) = stage.developer("dana");
    let devices = devices.backend_elsewhere().enrol("dev-dana", &enrolment);
    let map = devices.clone().on_token("root-c", &serial).write("all.toml");
    for runbook in ["01-root-keys", "02-targets-key", "03-enroll"] {
        stage.hold(&map, &first_day(runbook)).1.ended(0);
    }
    (devices, carla)
}

/// How many have signed the root of the newest upload that waits.
fn signatures(stage: &Stage, upload: &str) -> usize {
    let root = fs::read(stage.record.join(upload).join("root.json")).unwrap();
    let root: serde_json::Value = serde_json::from_slice(&root).unwrap();
    root["signatures"].as_array().unwrap().len()
}

fn uploads(run: &serde_json::Value) -> Vec<String> {
    run["uploads"].as_array().unwrap().iter().map(|u| u.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_late_third_signature_has_the_root_sealed_again_until_it_is_published() {
    for sealed in [false, true] {
        let stage = Stage::new(
            &format!("late-{sealed}"),
            Profile::Notary,
            Kind::Production,
            &Limits::default_for(Profile::Notary),
        );
        let (devices, carla) = keys(&stage);
        let map = devices.write("devices.toml");
        let root = first_day("04-root");
        let answers = stage.path("answers.toml");
        let plan = ["plan", utf8(&root), "--write-answers", utf8(&answers)];
        let plan = stage.on(&stage.record, &map, &plan).ended(0).json();
        let change = plan["change"].as_str().unwrap();
        let filled = fill(&fs::read_to_string(&answers).unwrap(), change);
        fs::write(&answers, filled).unwrap();
        let run = |map: &Path| {
            let line = ["run", utf8(&root), "--answers", utf8(&answers), "--unattended"];
            stage.on(&stage.record, map, &line).ended(0).json()
        };
        let copy = stage.path("copy");
        let export = || stage.on(&stage.record, &map, &["export", utf8(&copy), "--for", "carla"]).ended(0);
        if !sealed {
            export();
        }
        let first = uploads(&run(&map));
        assert_eq!(signatures(&stage, &first[0]), 2);
        let map = devices.knowing(&stage.root()).write("devices-2.toml");
        assert_eq!(run(&map)["already-held"].as_array().unwrap().len(), 1, "nothing has come in");
        // She signs on a copy that doesn't know of the seal yet, or on one that does.
        if sealed {
            stage.on(&stage.record, &map, &["export", utf8(&copy), "--for", "carla"]).ended(0);
        }
        let hers = if sealed { carla.knowing(&stage.root()) } else { carla }.write("carla.toml");
        let signed = stage.sign(&copy, &hers, change).ended(0).json();
        assert_eq!(signed["signed"].as_array().unwrap().len(), 1, "{signed}");
        stage.on(&stage.record, &map, &["import", utf8(&copy)]).ended(0);

        let status = stage.on(&stage.record, &map, &["status"]).ended(0).text();
        assert!(status.contains("seals") && status.contains("again"), "{status}");
        let again = uploads(&run(&map));
        assert_eq!(again.len(), 1, "the first upload is no more to be handed over: {again:?}");
        assert_ne!(again, first);
        assert_eq!(signatures(&stage, &again[0]), 3);
        assert_eq!(stage.verify().ended(0).json()["problems"], serde_json::json!([]));
        assert_eq!(run(&map)["already-held"].as_array().unwrap().len(), 1, "sealed with all there are");
    }
}
