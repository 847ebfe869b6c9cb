//! Share cards as printed pages: dealt by the program at a terminal, printed by a browser, and typed back
//! from the paper alone, the words as a scanner reads them from the code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod browser;
mod gathering;
mod killing;
mod stage;

use gathering::Copied;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::cli::devices::DeviceMap;
use keyrite::cli::keyring::Keyring;
use keyrite::signer::randomness::Randomness;
use keyrite::tuf::profile::Profile;
use killing::{Killer, Mode};
use stage::Stage;
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const HEAD: &str = "title = \"t\"\n[people]\nada = \"administrator\"\n";

/// A production record, a key that may leave its token, and a folder in memory.
struct Room {
    stage: Stage,
    map: String,
    cards: PathBuf,
}

impl Room {
    fn new(name: &str) -> Self {
        let mut limits = Limits::default_for(Profile::Tuf);
        limits.root.witnesses = 0;
        let stage = Stage::new(name, Profile::Tuf, Kind::Production, &limits);
        fs::create_dir(stage.path("copies")).unwrap();
        let serial = stage.token("t1");
        let file = stage.devices().on_token("t1", &serial).write("devices.toml");
        let cards = killing::folder(name);
        fs::set_permissions(&cards, fs::Permissions::from_mode(0o700)).unwrap();
        let map = fs::read_to_string(&file).unwrap() + "\n[copies]\nfolder = \"copies\"\n";
        let key = "[[key]]\nname = \"t1\"\nholder = \"uma\"\npurpose = \"targets\"\nwrap-key = \"wrap-1\"\n";
        let runbook = stage.write("1.toml", &format!("ceremony = \"generate-key\"\n{HEAD}{key}"));
        stage.hold(&file, &runbook).1.ended(0);
        Self { stage, map, cards }
    }

    /// A device map with that folder for cards.
    fn devices(&self, cards: &Path) -> PathBuf {
        let text = format!("{}\n[cards]\nfolder = \"{}\"\n", self.map, cards.display());
        self.stage.write("devices.toml", &text)
    }

    fn back_up(&self) -> PathBuf {
        let text = format!(
            "ceremony = \"back-up\"\n{HEAD}[wrap-key]\nname = \"wrap-1\"\ntitle = \"Wrap key of the tests\"\n\
             needed = 2\nholders = [\"bruno\", \"carol\", \"dana\"]\n[[key]]\nname = \"t1\"\n"
        );
        self.stage.write("2.toml", &text)
    }

    fn pages(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.cards).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Takes the one page that is there, as a person does who prints it: what is on the paper.
    fn print(&self, page: &Path, holder: &str) -> Copied {
        assert_eq!(self.pages(), [page], "one page at a time");
        assert_eq!(fs::metadata(page).unwrap().permissions().mode() & 0o777, 0o600);
        let printed = self.stage.path("printer");
        fs::create_dir_all(&printed).unwrap();
        let file = printed.join("card.html");
        fs::copy(page, &file).unwrap();
        let pdf = browser::print(&file, "A4");
        let pages = browser::pages(&pdf);
        assert_eq!(pages.len(), 1);
        let (text, words) = (pages[0].text(), browser::scanned(&pdf));
        assert!(text.contains(&format!("held by {holder}")) && pages[0].overlap().is_none(), "{text}");
        for (number, word) in words.split(' ').enumerate() {
            assert!(text.contains(&format!("{} {word}", number + 1)), "{word} in {text}");
        }
        let group =
            |w: &&str| w.len() == 4 && w.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        let after = text.split_once("Salt").unwrap().1;
        let salt: Vec<&str> = after.split(' ').filter(group).take(9).collect();
        // What a printer has is the test's own, and gone with it.
        fs::remove_dir_all(&printed).unwrap();
        Copied { words, salt: salt.join(" ") }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.cards);
    }
}

/// Whether memory may be swapped out in clear here: then no page is written, and that is what is tested.
fn swaps() -> bool {
    fs::read_to_string("/proc/swaps").unwrap().lines().count() > 1
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[test]
fn cards_are_printed_a_page_at_a_time_and_read_back_from_paper() {
    let room = Room::new("cards-printed");
    let devices = room.devices(&room.cards);
    // A session that was killed has left a page.
    let left = room.cards.join("share-9.card.html");
    fs::write(&left, "words").unwrap();
    let number = Cell::new(0);
    let print = |page: &Path| {
        let holder = ["bruno", "carol", "dana"][number.get()];
        number.set(number.get() + 1);
        room.print(page, holder)
    };
    let told = gathering::hold_printing(&room.stage, &devices, &room.back_up(), &print, (&[], None));
    if swaps() {
        assert!(told.code == 2 && told.text.contains("CARDS-FOLDER"), "{}", told.text);
        return;
    }
    assert_eq!(told.code, 0, "{}", told.text);
    assert!(told.text.contains("now removed"), "{}", told.text);
    assert_eq!((told.cards.len(), number.get()), (3, 3), "{}", told.text);
    assert!(room.pages().is_empty(), "{:?}", room.pages());
    let copies = all_files(&room.stage.path("copies"));
    assert!(copies.iter().any(|path| path.to_str().unwrap().ends_with(".copy.json")), "{copies:?}");
    // No card is on the terminal, nor in any file of the record or beside it.
    let files = all_files(&room.stage.dir).into_iter();
    let texts = files.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
    for text in texts.chain([told.text.clone()]) {
        for card in &told.cards {
            let words: Vec<&str> = card.words.split(' ').collect();
            assert!(!text.contains(&card.salt) && !text.contains(&words[4..7].join(" ")), "{text}");
        }
    }
}

#[test]
fn a_page_goes_with_its_session_or_with_the_next() {
    if swaps() {
        return;
    }
    let room = Room::new("cards-cut");
    let (devices, runbook) = (room.devices(&room.cards), room.back_up());
    let print = |page: &Path| {
        assert_eq!(room.pages(), [page]);
        Copied { words: "acid ".repeat(33).trim().to_owned(), salt: "none".to_owned() }
    };
    let hold = |under: &[String], stop| {
        gathering::hold_printing(&room.stage, &devices, &runbook, &print, (under, stop))
    };
    // Stopped while the page is there, and given up after three wrong cards.
    let stopped = hold(&[], Some("once, and take"));
    assert_eq!((stopped.code, room.pages().len()), (130, 0), "{}", stopped.text);
    let wrong = hold(&[], None);
    assert!(wrong.code == 1 && wrong.text.contains("SHARE-"), "{}", wrong.text);
    assert_eq!(room.pages().len(), 0);
    // Killed before the page is written, before it is blanked, and before it is removed.
    let killer = Killer::new("cards-cut");
    for n in 2..=4 {
        let cut = hold(&killer.line(&room.cards, Mode::Before(n)), None);
        assert_eq!((cut.code, room.pages().len()), (137, 1), "{n} {:?} {}", killer.calls(), cut.text);
        // Whoever looks before is told how it goes, and looking removes nothing.
        for line in ["status", "preflight"] {
            let text = room.stage.on(&room.stage.record, &devices, &[line]).ended(0).text();
            let by_hand = format!("shred -u {}/share-*.card.html", room.cards.display());
            assert!(text.contains("cut off: 1") && text.contains(&by_hand), "{line}: {text}");
            assert_eq!(room.pages().len(), 1);
        }
        let next = hold(&[], Some("Only bruno is before"));
        assert!(next.code == 130 && next.text.contains("now removed"), "{}", next.text);
        assert_eq!(room.pages().len(), 0, "{n}");
    }
}

#[test]
fn pages_are_written_nowhere_but_into_memory_of_ones_own() {
    let room = Room::new("cards-folder");
    let runbook = room.back_up();
    let on_disk = room.stage.path("on-disk");
    let open = room.cards.join("open");
    for (folder, mode) in [(&on_disk, 0o700), (&open, 0o755)] {
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    }
    let link = room.cards.join("link");
    std::os::unix::fs::symlink(&room.cards, &link).unwrap();
    for (folder, why) in [
        (on_disk, "is not in memory"),
        (open, "others can look into"),
        (link, "is no folder"),
        (room.cards.join("nowhere"), "is not there"),
    ] {
        let devices = room.devices(&folder);
        let (_, refused) = room.stage.hold(&devices, &runbook);
        let refused = refused.ended(2).json();
        assert_eq!(refused["error"]["rule"], "CARDS-FOLDER", "{refused}");
        // Known before the day.
        let before = room.stage.on(&room.stage.record, &devices, &["preflight"]).ended(1).json();
        let problems: Vec<_> = before["problems"].as_array().unwrap().iter().map(|p| &p["rule"]).collect();
        assert_eq!(problems, ["CARDS-FOLDER"], "{before}");
        assert!(refused["error"]["found"].as_str().unwrap().contains(why), "{why}: {refused}");
    }
    // In reach of a confined session only where cards are dealt.
    if !swaps() {
        let map = DeviceMap::read(&room.devices(&room.cards)).unwrap();
        let mut keyring = Keyring::new(map, Randomness::system());
        for deals in [false, true] {
            assert_eq!(keyring.sweep_cards(deals).unwrap(), 0);
            let needs = keyring.needs(&room.stage.record, None);
            assert_eq!(needs.write.contains(&room.cards), deals);
            assert!(!needs.read.contains(&room.cards));
        }
    }
    // Whoever deals nothing out has no use for it.
    let devices = room.devices(&room.stage.path("on-disk"));
    let call = format!("ceremony = \"roll-call\"\n{HEAD}[roll-call]\nkeys = [\"t1\"]\n");
    room.stage.hold(&devices, &room.stage.write("call.toml", &call)).1.ended(0);
}
