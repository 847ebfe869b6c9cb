//! Feature `yubihsm`: a device that lies while it makes a key. What it makes is not what was asked for, or
//! what it tells of it is another key's: none of it comes into the record.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod hsms;
mod stage;

use hsms::Hsm;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use stage::{Stage, utf8};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const FIRST: u32 = 7_550_180;
const ONE_KEY: &str = "ceremony = \"generate-key\"\ntitle = \"t\"\n[people]\nada = \"administrator\"\n\
    [[key]]\nname = \"root-a\"\nholder = \"ada\"\npurpose = \"root\"\n";

/// What the device does (`tests/standins/yubihsm/src/knobs.rs`): 46 makes a key, 54 tells its public half, and 64
/// attests it. The rule, and words of what was found.
const LIES: [(&str, &str, &str); 7] = [
    ("lies imported 46", "TOKEN-WEAK", "a key that came from elsewhere"),
    ("lies leaves 46", "TOKEN-WEAK", "a key that may leave"),
    ("lies rights 46", "TOKEN-WEAK", "a key that may do more than sign"),
    ("lies curve 46", "KEY-ADOPT", "a key of ECDSA P-384"),
    ("lies key 54", "TOKEN-WEAK", "an attestation of another key"),
    ("lies key 64", "TOKEN-WEAK", "an attestation of another key"),
    // Both tell of one and the same key; but what is there is another, which nobody knows.
    ("lies key 54\nlies key 64", "HSM-UNPREPARED", "which the record doesn't know"),
];

#[test]
fn a_device_that_lies_while_it_makes_a_key_gives_the_record_none() {
    let dir = hsms::folder("lies");
    for (serial, (lie, rule, found)) in (FIRST..).zip(LIES) {
        let mut limits = Limits::default_for(Profile::Notary);
        limits.root.witnesses = 0;
        let stage = Stage::new(&format!("lies-{serial}"), Profile::Notary, Kind::Rehearsal, &limits);
        for (duty, password) in
            [("administrator", "administers"), ("backup", "backs it up"), ("auditor", "reads the log")]
        {
            let path = stage.write(&format!("pin-{duty}"), password);
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let hsm = Hsm::new(&dir, serial);
        let devices = stage.devices().on_yubihsm("root-a", &hsm.uri()).write("devices.toml");
        let runbook = stage.write("one.toml", ONE_KEY);
        hsm.faults(&format!("{lie}\n"));
        let (_, done) = stage.hold(&devices, &runbook);
        let said = format!("{}{}", done.text(), done.problems());
        assert!(said.contains(rule) && said.contains(found), "{lie}: {said}");
        assert_eq!(hsm.faults_left().trim(), "", "{lie}: nothing was told");
        assert!(!stage.record.join("keys").join("root-a").exists(), "{lie}: {said}");
        let statements = fs::read_dir(stage.record.join("statements")).map_or(0, Iterator::count);
        assert_eq!(statements, 0, "{lie}: {said}");
        stage.keyrite(["-C", utf8(&stage.record), "--json", "verify"]).ended(0);
    }
}
