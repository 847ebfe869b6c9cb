//! Feature `yubihsm`: no secret is left anywhere. Four passwords that are nowhere else in the world are
//! typed, a key is made, leaves under a wrap key that is dealt in cards, and comes back on another
//! device; then every byte that was written or shown is searched for each password, for the keys that it
//! stands for, for the wrap key and for the words of each card; while it goes on, so are the arguments
//! and environments of every process. The same search finds each of them where it is planted.

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
mod stage;

use canaries::{Watch, canary, files, found, hex};
use hsms::Hsm;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::signer::slip39::{Share, recombine};
use keyrite::tuf::profile::Profile;
use sha2::Sha256;
use stage::{Stage, utf8};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\numa = \"custodian\"\n";

/// A device map in which nothing is in a file.
fn map(stage: &Stage, name: &str, hsm: &Hsm) -> PathBuf {
    let text = fs::read_to_string(stage.devices().write(name)).unwrap();
    let key = format!("[key.t1]\nuri = \"{}\"\npin = \"tty\"\n[copies]\nfolder = \"copies\"\n", hsm.uri());
    stage.write(name, &format!("{text}{key}"))
}

/// What a password is to a device: a key to encrypt by and one to prove by.
fn keys_of(password: &str) -> [Vec<u8>; 2] {
    let mut both = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), b"Yubico", 10_000, &mut both);
    [both[..16].to_vec(), both[16..].to_vec()]
}

#[test]
fn passwords_and_the_wrap_key_are_left_nowhere() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.root.witnesses = 0;
    let stage = Stage::new("secrets-yubihsm", Profile::Tuf, Kind::Production, &limits);
    fs::create_dir_all(stage.path("copies")).unwrap();
    let dir = hsms::folder("secrets");
    let mut hsms = [Hsm::new(&dir, 7_550_120), Hsm::new(&dir, 7_550_121)];
    let duties = [
        ("Signer's password", "New signer's password"),
        ("Administrator's password", "New administrator's password"),
        ("Backup password", "New backup password"),
        ("Auditor's password", "New auditor's password"),
    ];
    let passwords: BTreeMap<String, String> =
        duties.iter().map(|(asked, _)| ((*asked).to_owned(), canary("words"))).collect();
    let typed: Vec<(&str, &str)> = duties
        .iter()
        .flat_map(|(old, new)| [*old, *new].map(|asked| (asked, passwords[*old].as_str())))
        .collect();
    let watch = Watch::over(&passwords);
    let mut shown = String::new();
    let mut hold = |map: &PathBuf, name: &str, text: &str, brought: &[gathering::Copied]| {
        let told = gathering::hold_typing(&stage, map, &stage.write(name, text), brought, &typed);
        assert_eq!(told.code, 0, "{}", told.text);
        shown.push_str(&told.text);
        told.cards
    };

    let first = map(&stage, "devices.toml", &hsms[0]);
    let key = "[[key]]\nname = \"t1\"\nholder = \"uma\"\npurpose = \"targets\"\nwrap-key = \"wrap-1\"\n";
    hold(&first, "1.toml", &format!("ceremony = \"generate-key\"\n{HEAD}{key}"), &[]);
    let people = "bruno = \"custodian\"\ncarol = \"custodian\"\ndana = \"custodian\"\n";
    let wrap = "[wrap-key]\nname = \"wrap-1\"\ntitle = \"Wrap key\"\nneeded = 2\n\
                holders = [\"bruno\", \"carol\", \"dana\"]\n[[key]]\nname = \"t1\"\n";
    let cards = hold(&first, "2.toml", &format!("ceremony = \"back-up\"\n{HEAD}{people}{wrap}"), &[]);
    hsms[0].stop();
    let spare = map(&stage, "spare.toml", &hsms[1]);
    let digits = |end: &str| {
        let mut files = fs::read_dir(stage.path("copies")).unwrap().map(|file| file.unwrap().path());
        let file = files.find(|path| utf8(path).ends_with(end)).unwrap();
        keyrite::tuf::digest::Digest::of(&fs::read(file).unwrap()).hex()[..16].to_owned()
    };
    let lost = format!(
        "[wrap-key]\nname = \"wrap-1\"\nshares = \"{}\"\n[[key]]\nname = \"t1\"\n\
         lost-token = \"0007550120\"\ncopy = \"{}\"\n",
        digits(".shares.json"),
        digits(".copy.json")
    );
    let brought = [cards[1].clone(), cards[2].clone()];
    hold(&spare, "3.toml", &format!("ceremony = \"restore\"\n{HEAD}{people}{lost}"), &brought);
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t1\"]\n");
    hold(&spare, "4.toml", &call, &[]);
    let (seen, looks) = watch.end();
    assert!(seen.is_empty(), "{seen:?}");
    assert!(looks > 20, "the program was hardly looked at: {looks}");

    let mut secrets: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, password) in &passwords {
        secrets.insert(name.clone(), password.clone().into_bytes());
        for (n, key) in (1..).zip(keys_of(password)) {
            secrets.insert(format!("key {n} of {name}"), key);
        }
    }
    let shares: Vec<Share> = cards.iter().map(|card| Share::read(&card.words).unwrap()).collect();
    let wrap_key = recombine(&[&shares[0], &shares[2]], "").unwrap().expose().to_vec();
    assert_eq!(wrap_key.len(), 32);
    secrets.insert("wrap key".to_owned(), wrap_key);
    assert_eq!(found(&secrets, shown.as_bytes()), [""; 0], "on the terminal");
    // Cards are shown, and kept nowhere.
    for (n, card) in (1..).zip(&cards) {
        secrets.insert(format!("card {n}"), card.words.clone().into_bytes());
        secrets.insert(format!("half of card {n}"), card.words.as_bytes()[..card.words.len() / 2].to_vec());
    }
    let all = files(&stage.dir);
    for part in ["transcripts/", "copies/", "keys/t1/", "devices.toml"] {
        assert!(all.iter().any(|file| utf8(file).contains(part)), "no {part} in {all:#?}");
    }
    for file in &all {
        assert_eq!(found(&secrets, &fs::read(file).unwrap()), [""; 0], "in {}", file.display());
    }

    // What is planted is found, each by itself.
    let transcript = all.iter().find(|file| utf8(file).contains("transcripts/")).unwrap();
    for (name, secret) in &secrets {
        for bytes in [secret.clone(), hex(secret).into_bytes()] {
            fs::write(transcript, [b"{\"x\":\"".to_vec(), bytes, b"\"}".to_vec()].concat()).unwrap();
            let found = found(&secrets, &fs::read(transcript).unwrap());
            assert!(found.contains(name) && found.len() <= 2, "{name}: {found:?}");
        }
    }
}
