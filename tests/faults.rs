//! What goes wrong on the day: power cuts at any write and around any token act, tokens that lie,
//! lock or vanish, a second kind of PKCS#11 module. Each through the real binary; what is left is a
//! record that the same line brings to the same end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod killing;
mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use killing::{Killer, Mode};
use stage::{Done, Stage, brought, utf8};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ONE_KEY: &str = "ceremony = \"generate-key\"\ntitle = \"One key\"\n[people]\nada = \"administrator\"\n\
    [[key]]\nname = \"root-a\"\nholder = \"ada\"\npurpose = \"root\"\n";
const GRANT: &str = "ceremony = \"grant-delegation\"\ntitle = \"Camera\"\n[people]\nada = \"administrator\"\n\
    [delegation]\napplication = \"camera\"\nkeys = [\"dev\"]\nthreshold = 1\npaths = [\"camera/\"]\nvalid-for = \"1 year\"\n";

fn stage(name: &str) -> Stage {
    let mut limits = Limits::default_for(Profile::Notary);
    limits.root.witnesses = 0;
    Stage::new(name, Profile::Notary, Kind::Rehearsal, &limits)
}

/// A runbook, frozen, with its answers: the arguments by which it is held.
fn frozen(stage: &Stage, devices: &Path, runbook: &Path) -> Vec<String> {
    let answers = stage.path("fault-answers.toml");
    let plan = ["plan", utf8(runbook), "--write-answers", utf8(&answers)];
    let plan = stage.on(&stage.record, devices, &plan).ended(0).json();
    let change = plan["change"].as_str().unwrap();
    let text = fs::read_to_string(&answers).unwrap();
    let mut filled = String::new();
    for line in text.lines() {
        let answer = match line.strip_suffix(" = \"\"") {
            Some(id) if id.contains("confirm") => format!("{id} = \"{change}\""),
            Some(id) if id.contains("read-back") => format!("{id} = \"same\""),
            Some(id) => format!("{id} = \"as seen\""),
            None => line.to_owned(),
        };
        filled.push_str(&answer);
        filled.push('\n');
    }
    fs::write(&answers, filled).unwrap();
    let record = utf8(&stage.record);
    [
        "-C",
        record,
        "--devices",
        utf8(devices),
        "--json",
        "run",
        utf8(runbook),
        "--answers",
        utf8(&answers),
        "--unattended",
    ]
    .map(str::to_owned)
    .into()
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).map(|_| ()).unwrap();
        }
    }
}

/// What a record comes to, apart from times, nonces and signatures, which differ from run to run.
fn sum(record: &Path) -> BTreeMap<String, usize> {
    let mut sum = BTreeMap::new();
    let mut folders = vec![record.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let below = folder.strip_prefix(record).unwrap().to_string_lossy().into_owned();
            let top = below.split('/').next().unwrap_or_default().to_owned();
            // Statements and transcripts of a run that was cut off stay, and are told apart below.
            if matches!(top.as_str(), "keys" | "metadata" | "limits" | "uploads") {
                *sum.entry(if top == "uploads" { top } else { below }).or_insert(0) += 1;
            }
        }
    }
    sum
}

/// Holds a frozen runbook once to its end, then once for each of its writes with a power cut there,
/// and again without: all end the same.
fn cut_everywhere(stage: &Stage, devices: &Path, arguments: &[String], each: u64, check: impl Fn(&str)) {
    let killer = Killer::new(stage.dir.file_name().unwrap().to_str().unwrap());
    let before = stage.path("before");
    let keep = ["record", "keys"];
    for name in keep.iter().filter(|n| stage.path(n).exists()) {
        copy(&stage.path(name), &before.join(name));
    }
    let restore = || {
        for name in keep {
            let _ = fs::remove_dir_all(stage.path(name));
            if before.join(name).exists() {
                copy(&before.join(name), &stage.path(name));
            }
        }
        fs::create_dir_all(stage.path("keys")).unwrap();
    };
    let program = OsStr::new(env!("CARGO_BIN_EXE_keyrite"));
    let run = |mode| {
        killer.run(&stage.record, mode, program, |c| {
            c.args(arguments).current_dir(&stage.dir);
        })
    };
    restore();
    let whole = run(Mode::Count);
    assert!(whole.success, "{}", whole.output);
    let wanted = sum(&stage.record);
    assert!(whole.calls > 20, "{} calls are too few to be true", whole.calls);
    for n in (1..=whole.calls).step_by(usize::try_from(each).unwrap()) {
        // Half a write is as good as none, so every second call is torn as well, not all.
        for mode in
            [Some(Mode::Before(n)), n.is_multiple_of(2).then_some(Mode::Torn(n))].into_iter().flatten()
        {
            restore();
            let cut = run(mode);
            assert!(cut.killed, "not killed at {n} of {}: {}", whole.calls, cut.output);
            let case = format!("{mode:?}, {}", cut.last);
            let again = stage.keyrite(arguments);
            let said = format!("{case}\n{}{}", again.text(), again.problems());
            let again = again.ended(0);
            drop(again);
            assert_eq!(sum(&stage.record), wanted, "{said}");
            check(&said);
        }
    }
    let _ = devices;
}

#[test]
fn a_power_cut_at_any_write_loses_no_key() {
    let stage = stage("cut-key");
    fs::create_dir_all(stage.path("keys")).unwrap();
    let devices = stage.devices().in_file("root-a", "keys/root-a.pem").write("devices.toml");
    let runbook = stage.write("one.toml", ONE_KEY);
    let arguments = frozen(&stage, &devices, &runbook);
    cut_everywhere(&stage, &devices, &arguments, 1, |case| {
        let keys = fs::read_dir(stage.path("keys")).unwrap().count();
        assert_eq!(keys, 1, "an orphan, or a lost key: {case}");
        let verified = stage.keyrite(["-C", utf8(&stage.record), "--json", "verify"]);
        assert!(verified.text().contains("\"problems\":[]"), "{case}\n{}", verified.text());
    });
}

/// Keys in files, but for the targets key, which `devices` has; the root's runbook is `3.toml`.
fn keys_of_a_day<'a>(stage: &'a Stage, mut devices: stage::Devices<'a>) -> stage::Devices<'a> {
    let all = "ceremony = \"generate-key\"\ntitle = \"Keys\"\n[people]\nada = \"administrator\"\n";
    let mut text = all.to_owned();
    let keys = [
        ("r1", "ada", "root"),
        ("r2", "bea", "root"),
        ("r3", "cy", "root"),
        ("t1", "uma", "targets"),
        ("dev", "dana", "delegation"),
    ];
    for (name, holder, purpose) in keys {
        writeln!(text, "[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"").unwrap();
        if name != "t1" {
            devices = devices.in_file(name, &format!("keys/{name}.pem"));
        }
    }
    for role in ["snapshot", "timestamp"] {
        let seed = *Digest::of(role.as_bytes()).as_bytes();
        let key = || keyrite::tuf::backend_model::ServerKey::ed25519(&seed).unwrap();
        let model = keyrite::tuf::backend_model::BackendModel::new("x", key(), key());
        let file = stage.path(&format!("{role}.json"));
        fs::write(&file, model.key_file(&keyrite::tuf::role::RoleName::from_name(role))).unwrap();
        devices = devices.enrol(role, &file);
    }
    let map = devices.write("devices.toml");
    let enroll = "ceremony = \"enroll-key\"\ntitle = \"Backend\"\n[people]\nada = \"administrator\"\n\
        [[key]]\nname = \"snapshot\"\nholder = \"backend\"\npurpose = \"snapshot\"\n\
        [[key]]\nname = \"timestamp\"\nholder = \"backend\"\npurpose = \"timestamp\"\n";
    let root = "ceremony = \"create-root\"\ntitle = \"Root\"\n[people]\nada = \"administrator\"\n\
        [root]\nkeys = [\"r1\", \"r2\", \"r3\"]\nthreshold = 2\nvalid-for = \"2 years\"\n\
        [targets]\nkeys = [\"t1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
        [snapshot]\nkeys = [\"snapshot\"]\nthreshold = 1\n[timestamp]\nkeys = [\"timestamp\"]\nthreshold = 1\n";
    for (name, text) in [("1.toml", text.as_str()), ("2.toml", enroll)] {
        stage.hold(&map, &stage.write(name, text)).1.ended(0);
    }
    stage.write("3.toml", root);
    devices
}

/// The same with its root.
fn first_day<'a>(stage: &'a Stage, devices: stage::Devices<'a>) -> stage::Devices<'a> {
    let devices = keys_of_a_day(stage, devices);
    stage.hold(&devices.write("devices.toml"), &stage.path("3.toml")).1.ended(0);
    devices.knowing(&stage.root())
}

#[test]
fn a_power_cut_at_any_write_leaves_no_half_root() {
    let stage = stage("cut-root");
    fs::create_dir_all(stage.path("keys")).unwrap();
    let devices = keys_of_a_day(&stage, stage.devices().in_file("t1", "keys/t1.pem")).write("devices.toml");
    let arguments = frozen(&stage, &devices, &stage.path("3.toml"));
    // Every third write: the root's ceremony is long, and the two others are cut at each.
    cut_everywhere(&stage, &devices, &arguments, 3, |case| {
        let verified = stage.verify();
        assert!(verified.text().contains("\"problems\":[]"), "{case}\n{}", verified.text());
    });
}

#[test]
fn a_power_cut_at_any_write_loses_no_signature() {
    let stage = stage("cut-grant");
    fs::create_dir_all(stage.path("keys")).unwrap();
    let devices = stage.devices().in_file("t1", "keys/t1.pem");
    let map = first_day(&stage, devices).write("knowing.toml");
    let arguments = frozen(&stage, &map, &stage.write("4.toml", GRANT));
    cut_everywhere(&stage, &map, &arguments, 1, |case| {
        let verified = stage.verify();
        assert!(verified.text().contains("\"problems\":[]"), "{case}\n{}", verified.text());
    });
}

#[test]
fn a_power_cut_between_targets_and_root_is_gone_on_with() {
    // The old root trusts the new targets at once, since its key stays: the change no longer comes
    // out of its runbook then, but every threshold is met.
    let stage = stage("cut-between");
    fs::create_dir_all(stage.path("keys")).unwrap();
    let devices = stage.devices().in_file("t1", "keys/t1.pem").in_file("t2", "keys/t2.pem");
    let map = first_day(&stage, devices).write("knowing.toml");
    let head = "title = \"t\"\n[people]\nada = \"administrator\"\n";
    let make =
        format!("ceremony = \"issue-targets-key\"\n{head}[targets-key]\nname = \"t2\"\nholder = \"udo\"\n");
    stage.hold(&map, &stage.write("4.toml", &make)).1.ended(0);
    let spare = format!(
        "ceremony = \"issue-targets-key\"\n{head}[targets]\nkeys = [\"t1\", \"t2\"]\nvalid-for = \"1 year\"\n\
         [root]\nvalid-for = \"2 years\"\n"
    );
    let arguments = frozen(&stage, &map, &stage.write("5.toml", &spare));
    let before = stage.path("before");
    copy(&stage.record, &before);
    let killer = Killer::new("cut-between");
    let program = OsStr::new(env!("CARGO_BIN_EXE_keyrite"));
    let run = |mode| {
        killer.run(&stage.record, mode, program, |c| {
            c.args(&arguments).current_dir(&stage.dir);
        })
    };
    let whole = run(Mode::Count);
    assert!(whole.success, "{}", whole.output);
    let place = whole.log.iter().position(|call| call.contains(" rename /metadata/root/")).unwrap();
    copy(&before, &stage.record);
    let cut = run(Mode::Before(place as u64 + 1));
    assert!(cut.killed && cut.last.contains(" rename /metadata/root/"), "{}", cut.last);
    stage.keyrite(&arguments).ended(0);
    assert_eq!(stage.root().0, 2);
    assert_eq!(fs::read_dir(stage.record.join("metadata/targets")).unwrap().count(), 2);
    let verified = stage.verify();
    assert!(verified.text().contains("\"problems\":[]"), "{}", verified.text());
}

// --- tokens

fn shim() -> PathBuf {
    brought("standins/libp11shim.so")
}

/// A device map whose module is the fault-injecting proxy over SoftHSM.
fn on_shim(stage: &Stage, key: &str, serial: &str) -> PathBuf {
    let sha256 = Digest::of(&fs::read(shim()).unwrap());
    let map = format!(
        "[trust]\nid = \"{}\"\n[module.shim]\npath = \"{}\"\nsha256 = \"{sha256}\"\n[key.{key}]\n\
         uri = \"pkcs11:token={key};serial={serial};object={key}\"\nmodule = \"shim\"\npin = \"pin\"\n",
        stage.trust.id,
        shim().display()
    );
    stage.write("shim-devices.toml", &map)
}

fn with_shim(stage: &Stage, knobs: &str, arguments: &[String]) -> Done {
    let conf = stage.write("shim.conf", &format!("module=/usr/lib/softhsm/libsofthsm2.so\n{knobs}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command.args(arguments).current_dir(&stage.dir);
    command.env("SOFTHSM2_CONF", stage.path("softhsm2.conf")).env("KEYRITE_SHIM", conf);
    Done::of(&mut command)
}

#[test]
fn a_power_cut_around_a_token_act_leaves_no_orphan_key() {
    for knob in [
        "kill-before-generate=1",
        "kill-after-generate=1",
        "kill-before-sign=1",
        "kill-after-sign=1",
        "kill-before-sign=2",
        "kill-after-sign=2",
    ] {
        let stage = stage(&format!("cut-token-{}", knob.replace('=', "-")));
        let serial = stage.token("root-a");
        let devices = on_shim(&stage, "root-a", &serial);
        let conf = stage.write("shim.conf", "module=/usr/lib/softhsm/libsofthsm2.so\n");
        let _ = conf;
        let runbook = stage.write("one.toml", ONE_KEY);
        let arguments = frozen(&stage, &devices, &runbook);
        let cut = with_shim(&stage, knob, &arguments);
        assert!(cut.text().is_empty(), "{knob}: not cut: {}", cut.text());
        let again = with_shim(&stage, "log=shim.log\n", &arguments);
        let again = again.ended(0);
        drop(again);
        let keys = fs::read_dir(stage.record.join("keys/root-a")).unwrap().count();
        assert_eq!(keys, 1, "{knob}");
        let log = fs::read_to_string(stage.path("shim.log")).unwrap();
        let made = log.matches("C_GenerateKeyPair").count();
        assert_eq!(
            made,
            usize::from(knob == "kill-before-generate=1"),
            "{knob}: a second key was made\n{log}"
        );
        let verified = stage.keyrite(["-C", utf8(&stage.record), "--json", "verify"]).ended(0);
        assert!(verified.text().contains("\"problems\":[]"), "{knob}");
    }
}

#[test]
fn tokens_that_fail_are_told_apart_and_nothing_is_recorded() {
    // Knob of the proxy, rule.
    let cases = [
        ("pin-locked=1", "PIN-LOCKED"),
        ("final-try=1", "PIN-LAST-TRY"),
        ("removed-after-sign=1", "TOKEN-REMOVED"),
        ("sign-fail=0x32:1", "TOKEN-REMOVED"),
        ("sign-fail=0x30:1", "TOKEN-FAILED"),
        ("corrupt=1", "SIGNATURE-WRONG"),
        ("weak=extractable", "TOKEN-WEAK"),
        ("weak=not-local", "TOKEN-WEAK"),
        ("weak=not-sensitive", "TOKEN-WEAK"),
        ("makes=other-public", "SIGNATURE-WRONG"),
        ("makes=other-curve", "TOKEN-FAILED"),
        ("serial=0000000000000000", "TOKEN"),
    ];
    for (knob, rule) in cases {
        let stage = stage(&format!("token-{}", knob.replace(['=', ':'], "-")));
        let serial = stage.token("root-a");
        let devices = on_shim(&stage, "root-a", &serial);
        let arguments = frozen(&stage, &devices, &stage.write("one.toml", ONE_KEY));
        let done = with_shim(&stage, knob, &arguments);
        let said = format!("{knob}\n{}{}", done.text(), done.problems());
        assert!(said.contains(rule), "no {rule}: {said}");
        assert!(!stage.record.join("keys/root-a").exists(), "{said}");
    }
}

#[test]
fn a_pin_pad_is_used_where_a_token_has_one() {
    let stage = stage("pin-pad");
    let serial = stage.token("root-a");
    let devices = on_shim(&stage, "root-a", &serial);
    let arguments = frozen(&stage, &devices, &stage.write("one.toml", ONE_KEY));
    with_shim(&stage, "pin-pad=31415926\n", &arguments).ended(0);
    assert!(stage.record.join("keys/root-a").exists());
}

#[test]
fn wrong_pins_tokens_and_modules_are_named() {
    let stage = stage("wrong");
    let serial = stage.token("root-a");
    let good = stage.devices().on_token("root-a", &serial).write("good.toml");
    let runbook = stage.write("one.toml", ONE_KEY);
    let arguments = frozen(&stage, &good, &runbook);
    let map = fs::read_to_string(&good).unwrap();
    fs::write(stage.path("wrong-pin"), "00000000\n").unwrap();
    let private = |name: &str| {
        let mut command = Command::new("chmod");
        Done::of(command.args(["600", utf8(&stage.path(name))])).ended(0);
    };
    private("wrong-pin");
    fs::write(stage.path("open-pin"), "31415926\n").unwrap();
    Done::of(Command::new("chmod").args(["644", utf8(&stage.path("open-pin"))])).ended(0);
    // What is replaced in the device map, rule.
    let cases = [
        ("pin = \"pin\"", "pin = \"wrong-pin\"", "PIN-WRONG"),
        ("pin = \"pin\"", "pin = \"open-pin\"", "PIN-FILE"),
        (serial.as_str(), "0123456789abcdef", "TOKEN-SERIAL"),
        ("token=root-a", "token=root-z", "TOKEN-MISSING"),
        ("sha256 = \"", "sha256 = \"0", "DEVICES"),
        (&stage.trust.id.to_string(), &"0".repeat(32), "TRUST-OTHER"),
    ];
    for (from, to, rule) in cases {
        let devices = stage.write("bad.toml", &map.replacen(from, to, 1));
        let arguments: Vec<String> = arguments
            .iter()
            .map(|a| if a == utf8(&good) { utf8(&devices).to_owned() } else { a.clone() })
            .collect();
        let done = stage.keyrite(&arguments);
        let said = format!("{}{}", done.text(), done.problems());
        assert!(said.contains(rule), "no {rule}: {said}");
        assert!(!stage.record.join("keys/root-a").exists(), "{said}");
    }
    // A module of another digest is not loaded.
    let pinned =
        map.lines()
            .map(|l| {
                if l.starts_with("sha256") {
                    format!("sha256 = \"{}\"", "0".repeat(64))
                } else {
                    l.to_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("\n");
    let devices = stage.write("pinned.toml", &pinned);
    let changed: Vec<String> = arguments
        .iter()
        .map(|a| if a == utf8(&good) { utf8(&devices).to_owned() } else { a.clone() })
        .collect();
    let done = stage.keyrite(&changed);
    assert!(done.text().contains("MODULE-PIN"), "{}{}", done.text(), done.problems());
    // A label that is in use is never taken over: another record asks for the same name.
    stage.keyrite(&arguments).ended(0);
    let mut limits = Limits::default_for(Profile::Notary);
    limits.root.witnesses = 0;
    let other = Stage::new("wrong-other", Profile::Notary, Kind::Rehearsal, &limits);
    let text = map.replace(&stage.trust.id.to_string(), &other.trust.id.to_string());
    let devices = other.write("devices.toml", &text);
    fs::copy(stage.path("softhsm2.conf"), other.path("softhsm2.conf")).unwrap();
    let arguments = frozen(&other, &devices, &other.write("one.toml", ONE_KEY));
    let done = other.keyrite(&arguments);
    assert!(done.text().contains("LABEL-IN-USE"), "{}{}", done.text(), done.problems());
}

#[test]
fn kryoptic_is_a_second_module() {
    let stage = stage("kryoptic");
    let module = brought("standins/libkryoptic_pkcs11.so");
    let conf = stage.write(
        "kryoptic.conf",
        &format!(
            "[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n",
            stage.path("token.sql").display()
        ),
    );
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
        Done::of(command.args(arguments).current_dir(&stage.dir).env("KRYOPTIC_CONF", &conf))
    };
    // The token is prepared at a terminal: PINs are typed, never in a file of answers.
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command
        .args(["tokens", "--module", utf8(&module), "prepare"])
        .current_dir(&stage.dir)
        .env("KRYOPTIC_CONF", &conf);
    let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
    terminal.exp_string("Which token?").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send("\r").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("Its label?").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send_line("root-a").unwrap();
    for secret in ["27182818", "31415926"] {
        terminal.exp_string("(not shown) >").unwrap();
        terminal.send_line(secret).unwrap();
        terminal.exp_string("(once more) >").unwrap();
        terminal.send_line(secret).unwrap();
    }
    terminal.exp_eof().unwrap();
    let listed = run(&["--json", "tokens", "--module", utf8(&module), "list"]).ended(0).json();
    let serial = listed["tokens"][0]["serial"].as_str().unwrap().to_owned();
    assert_eq!(listed["tokens"][0]["label"], "root-a", "{listed}");
    // What is known of the module's limit goes into the map.
    let whose = format!("[answers]\n\"trust\" = \"same\"\n\"keys.{serial}\" = \"root-a\"\n");
    let whose = stage.write("whose.toml", &whose);
    let (record, answers) = (utf8(&stage.record), utf8(&whose));
    let write = ["tokens", "--module", utf8(&module), "write", "written.toml", "--answers", answers];
    run(&[&["-C", record][..], &write, &["--unattended"]].concat()).ended(0);
    let written = fs::read_to_string(stage.path("written.toml")).unwrap();
    assert!(written.contains("max-payload = 1000000\n"), "{written}");
    let sha256 = Digest::of(&fs::read(&module).unwrap());
    let map = format!(
        "[trust]\nid = \"{}\"\n[module.m]\npath = \"{}\"\nsha256 = \"{sha256}\"\n[key.root-a]\n\
         uri = \"pkcs11:token=root-a;serial={serial};object=root-a\"\nmodule = \"m\"\npin = \"pin\"\n",
        stage.trust.id,
        module.display()
    );
    let devices = stage.write("devices.toml", &map);
    let arguments = frozen(&stage, &devices, &stage.write("one.toml", ONE_KEY));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments).ended(0);
    let key = fs::read_dir(stage.record.join("keys/root-a")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(key).unwrap();
    for sign in [
        "\"local\":\"yes\"",
        "\"extractable\":\"no\"",
        "\"never-extractable\":\"yes\"",
        "\"always-sensitive\":\"yes\"",
        &sha256.hex(),
    ] {
        assert!(text.contains(sign), "no {sign} in {text}");
    }
}

#[test]
fn a_key_is_used_on_the_token_that_the_record_has_alone() {
    let stage = stage("other-token");
    fs::create_dir_all(stage.path("keys")).unwrap();
    let serial = stage.token("t1");
    let devices = first_day(&stage, stage.devices().on_token("t1", &serial));
    let map = fs::read_to_string(devices.write("knowing.toml")).unwrap();
    // The very same key, on what says that it is another token: a clone, or a map gone wrong.
    let sha256 = Digest::of(&fs::read(shim()).unwrap());
    let (_, after) = map.split_once("[module.softhsm]").unwrap();
    let old_pin = after.lines().find(|l| l.starts_with("sha256")).unwrap();
    let lying = map
        .replace(&serial, "00000000deadbeef")
        .replace("/usr/lib/softhsm/libsofthsm2.so", utf8(&shim()))
        .replace(old_pin, &format!("sha256 = \"{sha256}\""));
    let honest = stage.path("knowing.toml");
    let arguments = frozen(&stage, &honest, &stage.write("4.toml", GRANT));
    let lying = stage.write("lying.toml", &lying);
    let swapped: Vec<String> = arguments
        .iter()
        .map(|a| if a == utf8(&honest) { utf8(&lying).to_owned() } else { a.clone() })
        .collect();
    let done = with_shim(&stage, "serial=00000000deadbeef\n", &swapped);
    let said = format!("{}{}", done.text(), done.problems());
    assert!(said.contains("TOKEN-OTHER"), "{said}");
    assert_eq!(fs::read_dir(stage.record.join("metadata/targets")).unwrap().count(), 1);
    drop(stage.keyrite(&arguments).ended(0));
}
