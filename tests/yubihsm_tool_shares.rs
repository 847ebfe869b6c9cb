//! Feature `yubihsm`: keys that another tool took out of a simulated YubiHSM come back on a second one, by
//! shares of that tool; from there they go onto cards, and come back on a third by those. Of the shares and
//! what they give nothing is left in any file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod canaries;
mod gathering;
mod hsms;
mod pins;
mod stage;

use base64ct::{Base64, Encoding};
use gathering::{Told, hold, hold_sharing};
use hsms::Hsm;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::signer::backends::Modules;
use keyrite::signer::secret::WrapSecret;
use keyrite::signer::{KeyTag, Token};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use pins::Pins;
use serde::Deserialize;
use stage::{Stage, utf8};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use zeroize::Zeroizing;

const SERIALS: [u32; 3] = [7_550_140, 7_550_141, 7_550_142];
const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";

#[derive(Deserialize)]
struct Sets {
    set: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
    tool: String,
    needed: u8,
    secret: String,
    shares: Vec<String>,
}

fn set(tool: &str) -> Set {
    let sets: Sets = toml::from_str(include_str!("fixtures/tool-shares/sets.toml")).unwrap();
    sets.set.into_iter().find(|set| set.tool == tool && set.needed == 3).unwrap()
}

/// The wrap key of every set.
fn secret() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    base16ct::lower::decode(set("vault").secret, &mut *key).unwrap();
    key
}

fn opened(hsm: &Hsm) -> Box<dyn Token> {
    Modules::new().open(&hsm.uri().parse().unwrap(), None).unwrap()
}

fn count(hsm: &Hsm, kind: u8) -> usize {
    let state = hsm.state();
    state["objects"].as_array().unwrap().iter().filter(|object| object["kind"] == kind).count()
}

fn map(stage: &Stage, name: &str, hsm: &Hsm) -> PathBuf {
    let devices = ["t1", "t2"].into_iter().fold(stage.devices(), |map, key| map.on_yubihsm(key, &hsm.uri()));
    let text = fs::read_to_string(devices.write(name)).unwrap();
    stage.write(name, &format!("{text}\n[copies]\nfolder = \"copies\"\n"))
}

/// A share with another character in the key's own part.
fn bent(share: &str) -> String {
    let mut bytes = share.as_bytes().to_vec();
    let last = bytes.len() - 9;
    bytes[last] = if bytes[last] == b'7' { b'6' } else { b'7' };
    String::from_utf8(bytes).unwrap()
}

/// Each share as its holder types it, twice.
fn twice<'a>(shares: &[&'a str]) -> Vec<&'a str> {
    shares.iter().flat_map(|share| [*share, *share]).collect()
}

/// A record, and the passwords of a device's duties in files.
fn room() -> Stage {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.root.witnesses = 0;
    let stage = Stage::new("tool-shares", Profile::Tuf, Kind::Production, &limits);
    for (duty, password) in
        [("administrator", "administers"), ("backup", "backs it up"), ("auditor", "reads the log")]
    {
        let path = stage.write(&format!("pin-{duty}"), password);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::create_dir(stage.path("copies")).unwrap();
    stage
}

/// What the tool does: its own wrap key onto the device, and each key into a file, in base64 as
/// yubihsm-setup writes it and as it is as yubihsm-manager does. Gives the first digits of their digests.
fn taken_out(stage: &Stage, hsm: &Hsm) -> BTreeMap<&'static str, String> {
    let mut pins = Pins::new(stage::PIN, "administers").and_duties("backs it up", "reads the log");
    let mut token = opened(hsm);
    let publics: Vec<_> = token.keys(&mut pins).unwrap().into_iter().filter_map(|held| held.public).collect();
    let theirs = KeyTag { label: "Wrap key".into(), id: [0x77; 16], place: None };
    let backups = token.backups().unwrap();
    backups.put_wrap_key(&WrapSecret::new(secret()), &theirs, &mut pins).unwrap();
    let mut copies = BTreeMap::new();
    for (number, public) in (1..).zip(&publics) {
        let wrapped = backups.export(public, &theirs, &mut pins).unwrap().bytes;
        let p256 = public.describe().contains("P-256");
        let bytes = if p256 { Base64::encode_string(&wrapped).into_bytes() } else { wrapped };
        copies.insert(if p256 { "t1" } else { "t2" }, Digest::of(&bytes).hex()[..16].to_owned());
        fs::write(stage.path(&format!("copies/0x000{number}-asymmetric-key.yhw")), bytes).unwrap();
    }
    drop(token);
    assert_eq!(copies.len(), 2, "{publics:?}");
    fs::write(stage.path("copies/0x0009-authentication-key.yhw"), "bm90IHRoaXMgb25l").unwrap();
    copies
}

/// The first digits of the one file of copies whose name begins and ends so.
fn digits_of(stage: &Stage, start: &str, end: &str) -> String {
    let found = canaries::files(&stage.path("copies")).into_iter().find(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(start) && name.ends_with(end)
    });
    Digest::of(&fs::read(found.unwrap()).unwrap()).hex()[..16].to_owned()
}

fn says(told: &Told, all: &[&str]) {
    let text = told.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in all {
        assert!(text.contains(words), "no {words}:\n{}", told.text);
    }
}

/// Neither a share nor the wrap key is anywhere but in people's hands.
fn nothing_is_left(stage: &Stage, shown: &str, shares: &[&str]) {
    let mut secrets: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    secrets.insert("wrap key".to_owned(), secret().to_vec());
    for (number, share) in (1..).zip(shares) {
        let value = share.rsplit('-').next().unwrap().as_bytes();
        secrets.insert(format!("half of share {number}"), value[..35].to_vec());
        secrets.insert(format!("other half of share {number}"), value[35..].to_vec());
    }
    assert_eq!(canaries::found(&secrets, shown.as_bytes()), [""; 0], "on the terminal");
    for file in canaries::files(&stage.dir) {
        assert_eq!(canaries::found(&secrets, &fs::read(&file).unwrap()), [""; 0], "in {}", file.display());
    }
    let planted = [b"{\"x\":\"".to_vec(), shares[1].as_bytes().to_vec()].concat();
    assert_eq!(canaries::found(&secrets, &planted).len(), 2);
}

/// Nobody is told to destroy what the other key still comes from.
fn destroys_nothing_that_is_needed(text: &str) {
    let order =
        ["keep the old shares: t2 still comes back", "t2 is back, and has signed", "destroy the old shares"];
    assert!(order.map(|said| text.find(said).expect(said)).is_sorted(), "{text}");
}

#[test]
fn keys_that_another_tool_backed_up_come_back_by_its_shares_and_go_onto_cards() {
    let stage = room();
    let dir = hsms::folder("tool-shares");
    let mut hsms = SERIALS.map(|serial| Hsm::new(&dir, serial));
    let first = map(&stage, "devices.toml", &hsms[0]);
    let key = |name, algorithm| {
        format!(
            "[[key]]\nname = \"{name}\"\nholder = \"uma\"\npurpose = \"targets\"\n\
             algorithm = \"{algorithm}\"\nwrap-key = \"wrap-1\"\n"
        )
    };
    let text = format!("ceremony = \"generate-key\"\n{HEAD}{}{}", key("t1", "p256"), key("t2", "ed25519"));
    stage.hold(&first, &stage.write("1.toml", &text)).1.ended(0);

    let copies = taken_out(&stage, &hsms[0]);
    hsms[0].stop();

    let spare = map(&stage, "spare.toml", &hsms[1]);
    let lost = |serial: u32, key: &str, copy: &str| {
        format!("[[key]]\nname = \"{key}\"\nlost-token = \"{serial:010}\"\ncopy = \"{copy}\"\n")
    };
    let both = lost(SERIALS[0], "t1", &copies["t1"]) + &lost(SERIALS[0], "t2", &copies["t2"]);
    let restore = |name: &str, tool: &str, brought: u8, keys: &str| {
        let wrap = format!(
            "[wrap-key]\nname = \"wrap-1\"\nsplit-with = \"{tool}\"\nneeded = 3\nbrought = {brought}\n"
        );
        stage.write(name, &format!("ceremony = \"restore\"\n{HEAD}{wrap}{keys}"))
    };
    let set = set("yubihsm-setup");
    let shares: Vec<&str> = set.shares.iter().map(String::as_str).collect();
    let slip = bent(shares[1]);
    let refused = |runbook: &PathBuf, typed: &[&str], words: &[&str]| {
        let told = hold_sharing(&stage, &spare, runbook, typed);
        assert_eq!(told.code, 1, "{}", told.text);
        says(&told, words);
        assert_eq!((count(&hsms[1], 3), count(&hsms[1], 4)), (0, 0), "nothing is left there");
    };
    // A slip that nothing tells: what these shares give opens nothing.
    let three = restore("three.toml", "yubihsm-setup", 3, &both);
    refused(&three, &twice(&[shares[0], &slip, shares[4]]), &["TOOL-PROOF", "doesn't unwrap"]);
    // One or two shares more tell it.
    let five = restore("five.toml", "yubihsm-setup", 5, &both);
    let told = ["TOOL-AGREE", "share 2, which doesn't fit the others, by characters"];
    refused(&five, &twice(&[shares[0], &slip, shares[4], shares[2], shares[3]]), &told);
    // The tool that the runbook names is the one that counts.
    let other = restore("other.toml", "yubihsm-manager", 3, &both);
    refused(&other, &[shares[0]; 3], &["TOOL-SHARE", "104 hexadecimal digits"]);
    refused(&three, &[shares[0], &bent(shares[0])].repeat(3), &["TOOL-TYPED", "another character"]);
    // A file that is not there is said before anyone has typed a share.
    let gone = restore("gone.toml", "yubihsm-setup", 3, &lost(SERIALS[0], "t1", "0123456789abcdef"));
    refused(&gone, &[], &["COPY-FILE", "no such file among 3"]);

    // Cut off when the first key has just come in. The next session finds it there and needs no wrap key for
    // it, so what was typed for it has opened nothing, and isn't taken for the other copy either.
    hsms[1].faults("after 4b\n");
    let cut = hold_sharing(&stage, &spare, &three, &twice(&[shares[0], shares[4], shares[2]]));
    assert_ne!(cut.code, 0, "{}", cut.text);
    hsms[1].restart();
    assert_eq!((count(&hsms[1], 3), count(&hsms[1], 4)), (1, 1));

    // With slips on the way that are told at once; and both keys by one gathering, if it has opened a copy.
    let (dashed, spaced) = (shares[0].replace('-', ""), shares[2].replace('-', " - "));
    let wrong = twice(&[shares[0], &slip, shares[4]]);
    let typed = [
        &dashed, shares[0], &slip, shares[0], shares[0], shares[0], shares[0], shares[4], shares[4],
        shares[2], &spaced,
    ];
    let back = hold_sharing(&stage, &spare, &three, &[&wrong[..], &typed[..]].concat());
    assert_eq!(back.code, 0, "{}", back.text);
    let told = [
        "t1 was there already: these shares have opened nothing yet",
        "from there it can leave again, under wrap-1",
        "without two hyphens",
        "TOOL-TYPED",
        "SHARE-TWICE",
        "t2 is back, and has signed",
    ];
    says(&back, &told);
    destroys_nothing_that_is_needed(&back.text);
    assert_eq!(back.text.matches("Gather the shares of wrap-1").count(), 2, "{}", back.text);
    assert_eq!((count(&hsms[1], 3), count(&hsms[1], 4)), (2, 0));
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t1\", \"t2\"]\n");
    stage.hold(&spare, &stage.write("call.toml", &call)).1.ended(0);
    // Once it is held, the same runbook has nothing more to do.
    let again = hold_sharing(&stage, &spare, &three, &[]);
    assert_eq!((again.code, count(&hsms[1], 3)), (0, 2), "{}", again.text);

    // What it leads to: a wrap key of its own, on cards; and by those the keys come back on a third device.
    let text = format!(
        "ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\ntitle = \"Wrap key of the tests\"\n\
         needed = 2\nholders = [\"bruno\", \"carol\", \"dana\"]\n[[key]]\nname = \"t1\"\n[[key]]\nname = \"t2\"\n"
    );
    let dealt = hold(&stage, &spare, &stage.write("cards.toml", &text), &[]);
    assert_eq!((dealt.code, dealt.cards.len()), (0, 3), "{}", dealt.text);
    let of = |start: &str, end: &str| digits_of(&stage, start, end);
    let text = format!(
        "ceremony = \"restore\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\nshares = \"{}\"\n{}{}",
        of("wrap-1.", ".shares.json"),
        lost(SERIALS[1], "t1", &of("t1.", ".copy.json")),
        lost(SERIALS[1], "t2", &of("t2.", ".copy.json")),
    );
    hsms[1].stop();
    let third = map(&stage, "third.toml", &hsms[2]);
    let by_cards = hold(
        &stage,
        &third,
        &stage.write("third-back.toml", &text),
        &[dealt.cards[2].clone(), dealt.cards[0].clone()],
    );
    assert_eq!(by_cards.code, 0, "{}", by_cards.text);
    assert_eq!((count(&hsms[2], 3), count(&hsms[2], 4)), (2, 0));
    let report = stage.keyrite(["-C", utf8(&stage.record), "--json", "verify"]).json();
    assert_eq!(report["problems"], serde_json::json!([]), "{report}");
    nothing_is_left(&stage, &back.text, &shares);
}
