//! Virtual YubiKeys on a pcscd of the test's own: scripts/pcscd, tests/standins/piv and piv-trussed.
//!
//! Clients of pcscd find it by a variable of the environment, so a test runs itself again in a
//! process that has it set. Where pcscd can't be started, which a machine without namespaces can't,
//! the test says `SKIPPED` on stderr whatever cargo captures; scripts/test counts those lines.

#![allow(dead_code, reason = "not every test plays with every knob")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::CString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Where clients look for pcscd.
pub const SOCKET: &str = "PCSCLITE_CSOCK_NAME";

/// `OpenSC` lists 16 slots, and four for each reader, empty ones too: of virtual cards, which have two
/// readers each, it would see but two.
const OPENSC_CONF: &str = "app default {\n    framework pkcs15 {\n    }\n}\napp opensc-pkcs11 {\n    pkcs11 {\n        \
                           max_virtual_slots = 64;\n    }\n}\n";

/// What takes longer on a busy machine is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Readers with cards in them, as a test sees them from inside.
pub struct Cards {
    dir: PathBuf,
    /// In the order of the readers.
    serials: Vec<u32>,
    /// What [`Self::came`] says while a card is in.
    inside: BTreeMap<u32, isize>,
}

/// Runs `body` in a process of its own with a virtual YubiKey for each of these (`12345678`, or with
/// its firmware and who plays it: `12345678:5.4.3@piv-trussed`).
pub fn with(test: &str, cards: &[&str], body: impl FnOnce(&Cards)) {
    let dir = folder(test);
    if env::var_os(SOCKET).is_some() {
        let serials =
            cards.iter().map(|card| card.split([':', '@']).next().unwrap().parse().unwrap()).collect();
        let mut cards = Cards { dir, serials, inside: BTreeMap::new() };
        cards.settle();
        return body(&cards);
    }
    let _ = script(&["down", utf8(&dir)]);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let up = script(&[&["up", utf8(&dir)], cards].concat());
    match up.status.code() {
        Some(0) => {}
        Some(3) => {
            let why = String::from_utf8_lossy(&up.stderr).into_owned();
            // Not by `eprintln!`, which cargo keeps to itself when a test passes.
            std::io::stderr().write_all(format!("SKIPPED {test}: {why}").as_bytes()).unwrap();
            return;
        }
        _ => panic!("{up:?}"),
    }
    let socket = String::from_utf8(up.stdout).unwrap();
    let opensc = dir.join("opensc.conf");
    fs::write(&opensc, OPENSC_CONF).unwrap();
    let out = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(SOCKET, socket.trim())
        .env("OPENSC_CONF", &opensc)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let down = script(&["down", utf8(&dir)]);
    assert!(
        out.status.success(),
        "{test}: {}\n{}{}\n{}",
        out.status,
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
        fs::read_to_string(dir.join("pcscd.log")).unwrap_or_default()
    );
    let ran = String::from_utf8_lossy(&out.stdout).contains("1 passed");
    assert!(ran, "{test} is no test of that name: {}", String::from_utf8_lossy(&out.stdout));
    assert!(down.status.success(), "{down:?}");
}

fn folder(test: &str) -> PathBuf {
    // Short: a Unix socket's address has 107 bytes.
    let short: String = test.split('_').filter_map(|word| word.get(..3)).collect();
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("piv-{short}"))
}

fn script(arguments: &[&str]) -> Output {
    let root = env!("CARGO_MANIFEST_DIR");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    Command::new(format!("{root}/scripts/pcscd"))
        .args(arguments)
        .env("CARGO_TARGET_DIR", target)
        .env_remove(SOCKET)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Cards {
    /// A folder of the test's own.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn knob(&self, serial: u32, name: &str) -> PathBuf {
        self.dir.join(serial.to_string()).join(name)
    }

    /// What happens when the card waits for a finger: `now`, `never`, or milliseconds.
    pub fn touch(&self, serial: u32, word: &str) {
        fs::write(self.knob(serial, "touch"), word).unwrap();
    }

    /// How often the card has waited for one.
    pub fn touches(&self, serial: u32) -> usize {
        fs::read_to_string(self.knob(serial, "touches")).unwrap_or_default().lines().count()
    }

    /// The card is pulled when this instruction comes: before it is done, or after.
    pub fn pull_at(&self, serial: u32, when: &str) {
        fs::write(self.knob(serial, "out-at"), when).unwrap();
    }

    /// Takes the card out.
    pub fn pull(&self, serial: u32) {
        fs::write(self.knob(serial, "out"), "").unwrap();
        self.wait(serial, false);
    }

    /// Puts it back, wherever it was pulled.
    pub fn put_back(&self, serial: u32) {
        self.wait(serial, false);
        let _ = fs::remove_file(self.knob(serial, "out-at"));
        let _ = fs::remove_file(self.knob(serial, "out"));
        self.wait(serial, true);
    }

    fn reader(&self, serial: u32) -> String {
        let number = self.serials.iter().position(|s| *s == serial).unwrap();
        format!("Yubico YubiKey OTP+FIDO+CCID {number} 00 00")
    }

    /// Waits until pcscd, having just started, has seen each card, whether it came before or later.
    fn settle(&mut self) {
        let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
        let until = Instant::now() + PATIENCE;
        for serial in &self.serials {
            let mut states =
                [pcsc::ReaderState::new(CString::new(self.reader(*serial)).unwrap(), pcsc::State::UNAWARE)];
            loop {
                context.get_status_change(Duration::from_secs(1), &mut states).unwrap();
                if states[0].event_state().contains(pcsc::State::PRESENT) {
                    break;
                }
                assert!(Instant::now() < until, "{serial} is not in");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // It writes its log a moment after.
        std::thread::sleep(Duration::from_millis(200));
        self.inside = self.serials.iter().map(|serial| (*serial, self.came(*serial))).collect();
    }

    /// How many more times pcscd has noticed the card come than go. It keeps silent about one that
    /// was there before it looked. A client is told too early: before the reader takes another card.
    fn came(&self, serial: u32) -> isize {
        let reader = self.reader(serial);
        let log = fs::read(self.dir.join("pcscd.log")).unwrap();
        let log = String::from_utf8_lossy(&log);
        let count = |what: &str| isize::try_from(log.matches(&format!("{what} {reader}")).count()).unwrap();
        count("Card inserted into") - count("Card Removed From")
    }

    /// Waits until pcscd, which looks now and then, knows that the card is in or out.
    fn wait(&self, serial: u32, inside: bool) {
        let until = Instant::now() + PATIENCE;
        while (self.came(serial) == self.inside[&serial]) != inside {
            assert!(Instant::now() < until, "{serial} is not {}", if inside { "in" } else { "out" });
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the card knows, private keys included.
    pub fn state(&self, serial: u32) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.knob(serial, "state.json")).unwrap()).unwrap()
    }

    /// The certificate of the simulated vendor that signed for this card.
    pub fn root(&self, serial: u32) -> PathBuf {
        self.knob(serial, "root.pem")
    }

    /// Changes what the card knows behind everyone's back. It is out meanwhile and reads it anew.
    pub fn tamper(&self, serial: u32, change: impl FnOnce(&mut serde_json::Value)) {
        self.pull(serial);
        let mut state = self.state(serial);
        change(&mut state);
        fs::write(self.knob(serial, "state.json"), state.to_string()).unwrap();
        self.put_back(serial);
    }
}
