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
use keyrite::ceremony::change::Possession;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::share_manifest::ShareManifest;
use keyrite::ceremony::transcript::{Begin, CeremonyId, Outcome, Said, TokenSeen, Transcript};
use keyrite::record::{Inputs, KeyFile, Record};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use stage::{Stage, utf8};
use std::collections::BTreeMap;
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

    /// The same wrap key once more, by the cards that are out.
    fn second_back_up(&self) -> PathBuf {
        let text = format!(
            "ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\nshares = \"{}\"\n[[key]]\nname = \"t1\"\n[[key]]\nname = \"t2\"\n",
            self.shares()
        );
        self.stage.write("4.toml", &text)
    }

    fn restore(&self, serial: &str) -> PathBuf {
        let text = restoring(&self.shares(), serial, &self.copy());
        self.stage.write("3.toml", &text)
    }

    /// The first digits of the one file in the folder of copies that ends so; zeros if there is none.
    fn digest_of(&self, end: &str) -> String {
        let files = all_files(&self.stage.path("copies"));
        let file = files.iter().find(|path| path.to_str().unwrap().ends_with(end));
        file.map_or_else(
            || "0".repeat(16),
            |path| Digest::of(&fs::read(path).unwrap()).hex()[..16].to_owned(),
        )
    }

    fn shares(&self) -> String {
        self.digest_of(".shares.json")
    }

    fn copy(&self) -> String {
        self.digest_of(".copy.json")
    }

    fn hold(&self, devices: &Path, runbook: &Path, brought: &[Copied]) -> Told {
        gathering::hold(&self.stage, devices, runbook, brought)
    }

    fn report(&self) -> serde_json::Value {
        self.stage.keyrite(["-C", utf8(&self.stage.record), "--json", "verify"]).json()
    }
}

fn restoring(shares: &str, serial: &str, copy: &str) -> String {
    format!(
        "ceremony = \"restore\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\nshares = \"{shares}\"\n\
         [[key]]\nname = \"t1\"\nlost-token = \"{serial}\"\ncopy = \"{copy}\"\n"
    )
}

/// Every file of a folder and below it; none of one that isn't there.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
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
    assert!(back.text.contains("there it stays: nothing lets it out again"), "{}", back.text);
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
    // A slip in the lost token's number is no key that is back.
    let slip = room.stage.write("slip.toml", &restoring(&room.shares(), "0123456789abcdef", &room.copy()));
    let told = room.stage.on(&room.stage.record, &spare, &["plan", utf8(&slip)]).text();
    assert!(told.contains("RESTORE-TOKEN") && told.contains(&room.serials[2]), "{told}");
    let report = room.report();
    assert_eq!(report["problems"], serde_json::json!([]), "{report}");
}

/// A wrap key that was split as Vault splits keys, and a copy that is a file of base64: on a PKCS#11
/// module, which keeps what it unwrapped.
#[test]
fn a_key_comes_back_by_shares_as_vault_makes_them_and_stays() {
    let room = Room::new("back-up-vault");
    let devices = room.devices("devices.toml", &room.map);
    let made = room.hold(&devices, &room.back_up(), &[]);
    let [one, two] = gathering::as_vault_splits(&made.cards[..2], [7, 200]);
    let other = "08".repeat(33);
    let file = all_files(&room.stage.path("copies"));
    let file = file.iter().find(|path| utf8(path).ends_with(".copy.json")).unwrap();
    let copy: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let theirs = format!("{}\n", copy["wrapped"].as_str().unwrap());
    fs::write(room.stage.path("copies/t1.wrapped"), &theirs).unwrap();
    let text = format!(
        "ceremony = \"restore\"\n{HEAD}[wrap-key]\nname = \"theirs\"\nsplit-with = \"vault\"\nneeded = 2\n\
         [[key]]\nname = \"t1\"\nlost-token = \"{}\"\ncopy = \"{}\"\n",
        room.serials[0],
        &Digest::of(theirs.as_bytes()).hex()[..16]
    );
    let (spare, restore) = (room.after_the_loss(), room.stage.write("vault.toml", &text));
    // A runbook that doesn't say which shares, and how many, is refused before anyone is asked for one.
    let split = "split-with = \"vault\"\nneeded = 2\n";
    for (instead, found) in [
        ("", "neither shares nor split-with"),
        ("split-with = \"vault\"\n", "split-with and no needed"),
        ("split-with = \"sskr\"\nneeded = 2\n", "yubihsm-setup, yubihsm-manager, vault"),
        ("split-with = \"vault\"\nneeded = 1\n", "1 shares brought, 1 needed"),
        ("split-with = \"vault\"\nneeded = 3\nbrought = 2\n", "2 shares brought, 3 needed"),
        ("shares = \"1f4b0c3a7d5e9b28\"\nneeded = 2\n", "both shares and those of another tool"),
    ] {
        let wrong = room.stage.write("wrong.toml", &text.replace(split, instead));
        let told = room.stage.on(&room.stage.record, &spare, &["plan", utf8(&wrong)]).text();
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("RUNBOOK") && told.contains(found), "{instead}: {told}");
    }
    let refused = gathering::hold_sharing(&room.stage, &spare, &restore, &[&one, &one, &other, &other]);
    assert!(refused.code == 1 && refused.text.contains("TOOL-PROOF"), "{}", refused.text);
    // A token that fails when it has taken the key in keeps nothing of it.
    let objects = || {
        let files = all_files(&room.stage.dir).into_iter();
        files.filter(|path| path.extension().is_some_and(|e| e == "object")).count()
    };
    let on_tokens = objects();
    let (devices, under) = room.stage.failing(&spare, "only=spare\nfind-fail=0x30\n");
    let typed = [&one, &one, &two, &two].map(String::as_str);
    let failed = gathering::hold_sharing_under(&room.stage, &devices, &restore, &typed, &under);
    assert!(failed.code != 0 && failed.text.contains("TOKEN-FAILED"), "{}", failed.text);
    assert_eq!(objects(), on_tokens, "{}", failed.text);
    let back = gathering::hold_sharing(&room.stage, &spare, &restore, &typed);
    assert_eq!(back.code, 0, "{}", back.text);
    for words in ["2 shares of vault, 2 of which are enough", "It can't leave this token again"] {
        assert!(back.text.contains(words), "no {words}:\n{}", back.text);
    }
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t1\"]\n");
    room.stage.hold(&spare, &room.stage.write("call.toml", &call)).1.ended(0);
    let again = room.stage.on(&room.stage.record, &spare, &["plan", utf8(&room.second_back_up())]);
    assert!(again.text().contains("WRAP-KEY-OTHER"), "{}", again.text());
    assert_eq!(room.report()["problems"], serde_json::json!([]));
}

/// Cards brought to a real restore that are not the ones to be brought: each is named by its rule, and by
/// its number where its words say one, and after three of them nothing has come back anywhere.
#[test]
fn wrong_shares_restore_nothing_and_are_named() {
    let room = Room::new("back-up-wrong-shares");
    let devices = room.devices("devices.toml", &room.map);
    // A card typed back wrong is shown again, and the next comes only when it is right.
    let stranger = Room::new("back-up-wrong-shares-by");
    let theirs = stranger.devices("devices.toml", &stranger.map);
    let theirs = stranger.hold(&theirs, &stranger.back_up(), &[]).cards;
    let made = room.hold(&devices, &room.back_up(), &[theirs[0].clone()]);
    assert_eq!(made.code, 0, "{}", made.text);
    let places = [
        "Only bruno is",
        "SHARE-FOREIGN",
        "share 1 is read back",
        "Only carol is",
        "share 2 is read back",
        "Only dana is",
    ];
    let places =
        places.map(|words| made.text.find(words).unwrap_or_else(|| panic!("{words}: {}", made.text)));
    assert!(places.is_sorted(), "{places:?} {}", made.text);
    let [bruno, carol, dana] = [1, 2, 3].map(|at| made.cards[at].clone());

    let other = |word: &str| if word == "acid" { "acne" } else { "acid" };
    let changed = |card: &Copied, at: usize, to: &str| {
        let mut words: Vec<&str> = card.words.split(' ').collect();
        words[at] = to;
        Copied { words: words.join(" "), ..card.clone() }
    };
    let mistyped = changed(&carol, 6, other(carol.words.split(' ').nth(6).unwrap()));
    let mut words: Vec<&str> = carol.words.split(' ').collect();
    let far = (20..30).find(|at| words[*at] != words[8]).unwrap();
    words.swap(8, far);
    let swapped = Copied { words: words.join(" "), ..carol.clone() };
    let no_word = changed(&carol, 4, &format!("hunter-2:{}", carol.words.split(' ').nth(4).unwrap()));
    let wrong_salt = Copied { salt: dana.salt.clone(), ..carol.clone() };
    let objects = || {
        let files = all_files(&room.stage.dir).into_iter();
        files.filter(|path| path.extension().is_some_and(|e| e == "object")).count()
    };
    let on_tokens = objects();
    let spare = room.after_the_loss();
    let runbook = room.restore(&room.serials[0]);
    for (what, cards, rule, named) in [
        ("foreign", vec![theirs[1].clone(); 3], "SHARE-FOREIGN", "share 2 of a set with the identifier"),
        ("with another's salt", vec![wrong_salt; 3], "SHARE-COMMITMENT", "that of share 2"),
        ("mistyped", vec![mistyped; 3], "SHARE-CHECKSUM", "share 2: "),
        ("swapped", vec![swapped; 3], "SHARE-SWAPPED", "share 2: "),
        ("twice", vec![bruno.clone(); 4], "SHARE-GIVEN", "share 1, held by bruno"),
    ] {
        let told = room.hold(&spare, &runbook, &cards);
        let said = told.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(told.code, 1, "{what}: {}", told.text);
        assert!(said.contains(rule) && said.contains(named), "{what}: {}", told.text);
        // Nothing of it is in the record or on the token but the session's own entries.
        let keys = all_files(&room.stage.record.join("keys")).len();
        assert_eq!(keys, 2, "{what}");
        assert_eq!(objects(), on_tokens, "{what}");
    }
    // A word that is none is asked for again where it stands; then the right cards do.
    let back = room.hold(&spare, &runbook, &[no_word, theirs[2].clone(), dana]);
    let said = back.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("SHARE-WORD") && said.contains("word 5"), "{}", back.text);
    assert_eq!(back.code, 0, "{}", back.text);
}

/// Writes what nobody did into the record, as whoever has the medium for a minute can: entries of
/// a transcript of its own for a change.
fn plant(room: &Room, id: u8, change: Digest, outcomes: Vec<Outcome>) {
    let record = Record::open(&room.stage.record).unwrap();
    let mut transcript = Transcript::new(CeremonyId::from_bytes([id; 16]));
    let begin = Outcome::Begin(Box::new(Begin {
        keyrite: "0.1.0".to_owned(),
        binary: Digest::of(b"program"),
        people: BTreeMap::new(),
        stage: Kind::Rehearsal,
        runbooks: Vec::new(),
        heads: Vec::new(),
        host_checks: BTreeMap::new(),
    }));
    for (at, outcome) in std::iter::once(begin).chain(outcomes).enumerate() {
        let change = (at > 0).then_some(change);
        let said = Said { by: None, change, step: None, outcome, private: BTreeMap::new() };
        let appended = transcript.append("2026-01-01T00:00:00Z".parse().unwrap(), said).unwrap();
        record.add_outcome(transcript.ceremony(), &appended).unwrap();
    }
}

/// The change of a kind in the record, the copy's digest and the true manifest, as the record has them.
fn told(room: &Room) -> (Digest, ShareManifest, Outcome) {
    let now = "2099-01-01T00:00:00Z".parse().unwrap();
    let contents = Record::open(&room.stage.record).unwrap().read_all(now, &Inputs::default()).unwrap();
    let change = contents.changes.values().find(|c| c.change.frame.kind.as_str() == "back-up").unwrap();
    let sets = &contents.facts.copies.sets[&"wrap-1".parse().unwrap()];
    let entries = contents.transcripts.values().flat_map(Transcript::entries);
    let copy = entries.map(|(entry, _)| entry.outcome.clone()).find(|o| matches!(o, Outcome::Copy { .. }));
    (change.digest, sets[0].manifest.clone(), copy.unwrap())
}

/// Shares and a copy that nobody made, in a transcript that anyone can write: none of them is taken, and a
/// runbook that would go by them is refused.
#[test]
fn planted_shares_and_copies_decide_nothing() {
    let room = Room::new("back-up-planted");
    let devices = room.devices("devices.toml", &room.map);
    let made = room.hold(&devices, &room.back_up(), &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    let (change, manifest, copy) = told(&room);
    let theirs = ShareManifest { title: "Theirs".to_owned(), ..manifest };
    let sha = theirs.digest().unwrap();
    let shares = Outcome::Shares { wrap_key: "wrap-1".parse().unwrap(), manifest: Box::new(theirs) };
    let Outcome::Copy { key, identity, wrap_key, form, token, .. } = copy else { unreachable!() };
    let file = Digest::of(b"a copy of theirs");
    let copy = Outcome::Copy { key, identity, wrap_key, shares: sha, form, file, token };
    // Newer than the true ones, for the very change and for another.
    plant(&room, 1, change, vec![shares.clone(), copy.clone()]);
    plant(&room, 2, Digest::of(b"another change"), vec![shares, copy]);

    // What was done here is known for all that.
    let again = room.hold(&devices, &room.back_up(), &[]);
    assert!(again.code == 0 && again.text.contains("already held"), "{}", again.text);
    // A new set under the name asks about every one that transcripts tell of.
    let more =
        fs::read_to_string(room.back_up()).unwrap().replace("title = \"Wrap", "title = \"Another wrap");
    let plan = |text: &str| {
        let runbook = room.stage.write("more.toml", text);
        room.stage.on(&room.stage.record, &devices, &["plan", utf8(&runbook)]).text()
    };
    let said = plan(&more);
    assert!(said.contains("WRAP-KEY-TAKEN") && said.contains(&sha.hex()[..12]), "{said}");
    let sets = format!("instead-of = [\"{}\", \"{}\"]\nneeded", &sha.hex()[..31], room.shares());
    let said = plan(&more.replace("needed", &sets));
    assert!(!said.contains("refused") && said.contains("is made and dealt out"), "{said}");

    // The runbook names the true set and the true copy, and they are what is shown and used.
    let spare = room.after_the_loss();
    let mixed = restoring(&room.shares(), &room.serials[0], &file.hex()[..16]);
    assert!(plan(&mixed).contains("COPY-MISSING"));
    let mixed = restoring(&sha.hex()[..16], &room.serials[0], &room.copy());
    assert!(plan(&mixed).contains("COPY-MISSING"));
    let restore = room.restore(&room.serials[0]);
    let said = room.stage.on(&room.stage.record, &spare, &["plan", utf8(&restore)]).text();
    assert!(said.contains(&room.copy()[..12]) && said.contains(&room.shares()[..12]), "{said}");
    // A key file as this restore would write it, but that no key vouches for: it is none of a session cut off.
    gathering::stop_at(&room.stage, &spare, &restore, "Words 1 to 33");
    let now = "2099-01-01T00:00:00Z".parse().unwrap();
    let record = Record::open(&room.stage.record).unwrap();
    let contents = record.read_all(now, &Inputs::default()).unwrap();
    let change = contents.changes.values().find(|c| c.change.frame.kind.as_str() == "restore").unwrap();
    let (old, _) = contents.key_files.values().find(|(file, _)| file.name.as_str() == "t1").unwrap();
    // One with no proof at all, and one with the proof that the key gave when it was made.
    for possession in [Possession::Proved(Digest::of(b"no such statement")), old.possession.clone()] {
        let (change, replaces) = (change.digest, Some(old.digest()));
        record.add_key(&KeyFile { change, replaces, possession, ..old.clone() }).unwrap();
    }
    drop(record);
    let back = room.hold(&spare, &restore, &[made.cards[1].clone(), made.cards[0].clone()]);
    assert_eq!(back.code, 0, "{}", back.text);
    assert!(back.text.contains("Gather the cards"), "{}", back.text);
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t1\"]\n");
    room.stage.hold(&spare, &room.stage.write("call.toml", &call)).1.ended(0);
}

/// Before anything was dealt out: the entries of others hold no ceremony, neither in this change's name nor
/// in that of one to come.
#[test]
fn planted_entries_hold_no_back_up() {
    let (first, second) = (Room::new("back-up-forestalled"), Room::new("back-up-forestalled-by"));
    let devices = second.devices("devices.toml", &second.map);
    assert_eq!(second.hold(&devices, &second.back_up(), &[]).code, 0);
    let (_, manifest, _) = told(&second);
    let sha = manifest.digest().unwrap();
    let devices = first.devices("devices.toml", &first.map);
    // Stopped at the first card, with its change in the record.
    let stopped = gathering::stop_at(&first.stage, &devices, &first.back_up(), "Only bruno is before");
    assert_ne!(stopped.code, 0, "{}", stopped.text);
    let now = "2099-01-01T00:00:00Z".parse().unwrap();
    let contents = Record::open(&first.stage.record).unwrap().read_all(now, &Inputs::default()).unwrap();
    let change = contents.changes.values().find(|c| c.change.frame.kind.as_str() == "back-up").unwrap();
    let identity = contents.facts.keys[&"t1".parse().unwrap()].public.identity();
    let shares = Outcome::Shares { wrap_key: "wrap-1".parse().unwrap(), manifest: Box::new(manifest) };
    let copy = Outcome::Copy {
        key: "t1".parse().unwrap(),
        identity,
        wrap_key: "wrap-1".parse().unwrap(),
        shares: sha,
        form: "aes-key-wrap-pad".to_owned(),
        file: Digest::of(b"a copy of theirs"),
        token: TokenSeen { label: "t1".to_owned(), serial: first.serials[0].clone() },
    };
    // Their set is not the one that the session goes on with: cards are dealt, and none is asked for.
    plant(&first, 1, change.digest, vec![shares.clone()]);
    let dealt = gathering::stop_at(&first.stage, &devices, &first.back_up(), "Only bruno is before");
    assert!(!dealt.text.contains("Gather the cards"), "{}", dealt.text);
    // All of it done, by their word: it is not held, and whoever deals anew is asked about their set.
    plant(&first, 2, change.digest, vec![shares, copy]);
    let said = first.hold(&devices, &first.back_up(), &[]);
    assert!(said.code == 1 && said.text.contains("WRAP-KEY-TAKEN"), "{}", said.text);
    assert!(said.text.contains(&sha.hex()[..12]) && said.cards.is_empty(), "{}", said.text);
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
    let early = fs::read_to_string(room.second_back_up()).unwrap();
    assert!(plan("early.toml", &early).contains("WRAP-KEY-SET"));
    let restore = |serial: &str| fs::read_to_string(room.restore(serial)).unwrap();
    assert!(plan("early.toml", &restore(&room.serials[0])).contains("WRAP-KEY-SET"));

    // Nobody can be shown a card in a script.
    let (_, unattended) = room.stage.hold(&devices, &room.back_up());
    let said = unattended.text();
    assert!(said.contains("ANSWER-MISSING") || said.contains("SHOWN-ALONE"), "{said}");
    let nowhere = room.devices("nowhere.toml", room.map.split("\n[copies]").next().unwrap());
    let told = room.hold(&nowhere, &room.back_up(), &[]);
    assert!(told.text.contains("COPIES-FOLDER") && told.cards.is_empty(), "{}", told.text);

    let made = room.hold(&devices, &room.back_up(), &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    let more = good.replace("title = \"Wrap", "title = \"Another wrap");
    assert!(plan("more.toml", &more).contains("WRAP-KEY-TAKEN"));
    assert!(plan("early.toml", &restore("0123")).contains("RESTORE-TOKEN"));
    let lost = restoring(&room.shares(), &room.serials[0], &room.shares());
    assert!(plan("lost.toml", &lost).contains("COPY-MISSING"));
    let copy = fs::read_dir(room.stage.path("copies")).unwrap().map(|entry| entry.unwrap().path());
    let copy = { copy }.find(|path| path.to_str().unwrap().ends_with(".copy.json")).unwrap();
    let whole = fs::read_to_string(&copy).unwrap();

    // Another copy than the transcript's; the old token once more; cards that are not enough.
    let spare = room.after_the_loss();
    let runbook = room.restore(&room.serials[0]);
    let cards = [made.cards[1].clone(), made.cards[2].clone()];
    // Of another key by its words, and with another first letter of what is wrapped: before anyone comes.
    let (begin, wrapped) = whole.split_once("\"wrapped\":\"").unwrap();
    let letter = if wrapped.starts_with('A') { "B" } else { "A" };
    for other in [
        whole.replace("\"key\":\"t1\"", "\"key\":\"t2\""),
        format!("{begin}\"wrapped\":\"{letter}{}", &wrapped[1..]),
    ] {
        fs::write(&copy, other).unwrap();
        let told = room.hold(&spare, &runbook, &cards);
        assert!(told.text.contains("COPY-FILE") && !told.text.contains("Gather the cards"), "{}", told.text);
    }
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

/// A drill is in the record by set, number, holder and time, and by no word; one that fails is not.
#[test]
fn a_drill_is_on_record() {
    let room = Room::new("back-up-drill");
    let devices = room.devices("devices.toml", &room.map);
    let made = room.hold(&devices, &room.back_up(), &[]);
    assert_eq!(made.code, 0, "{}", made.text);
    let files = all_files(&room.stage.path("copies"));
    let manifest = files.iter().find(|path| path.to_str().unwrap().ends_with(".shares.json")).unwrap();
    let drill = |card: &Copied| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyrite"));
        command.args(["-C", utf8(&room.stage.record), "--devices", utf8(&devices), "share", "drill"]);
        command.args([utf8(manifest), "carol"]).env("TERM", "xterm");
        let mut pty = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
        for (question, line) in [("Words 1 to 33", &card.words), ("The salt", &card.salt)] {
            pty.exp_string(question).unwrap();
            pty.exp_string("(not shown) > ").unwrap();
            pty.send_line(line).unwrap();
        }
        pty.exp_eof().unwrap()
    };
    let drills = || {
        let now = "2099-01-01T00:00:00Z".parse().unwrap();
        let contents = Record::open(&room.stage.record).unwrap().read_all(now, &Inputs::default()).unwrap();
        let entries = contents.transcripts.values().flat_map(Transcript::entries);
        let drills = entries.filter(|(entry, _)| matches!(entry.outcome, Outcome::Drill { .. }));
        drills.map(|(entry, _)| entry.outcome.clone()).collect::<Vec<_>>()
    };
    let said = drill(&made.cards[0]);
    assert!(said.contains("SHARE-HOLDER") && drills().is_empty(), "{said}");
    let said = drill(&made.cards[1]);
    assert!(said.contains("on record as"), "{said}");
    let (_, manifest, _) = told(&room);
    let (shares, set) = (manifest.digest().unwrap(), manifest.set);
    assert_eq!(drills(), [Outcome::Drill { shares, set, number: 2, holder: "carol".parse().unwrap() }]);
    // Who has shown their card is on the page that people open first, and who has not, once it is long ago.
    let status = |later: &[&str]| {
        let at = room.stage.on(&room.stage.record, &devices, &[&["status"][..], later].concat());
        at.ended(0)
    };
    let cards = status(&[]).json()["cards"].clone();
    let seen = cards.as_array().unwrap().iter().map(|card| {
        (card["holder"].as_str().unwrap(), card["last-drill"].is_string(), card["missing"] == true)
    });
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [("bruno", false, false), ("carol", true, false), ("dana", false, false)]
    );
    assert_eq!(room.report()["problems"], serde_json::json!([]));
    let report = room.stage.path("report.html");
    room.stage.keyrite(["-C", utf8(&room.stage.record), "verify", "--report", utf8(&report)]).ended(0);
    let report = fs::read_to_string(&report).unwrap();
    assert!(report.contains(&format!("carol typed the card of share 2, set {set}")), "{report}");
}
