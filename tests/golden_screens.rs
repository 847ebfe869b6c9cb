//! Golden screens: what `guide` and `run` show on a real pseudo-terminal of 80 by 24 and of 120 by 40,
//! window by window, byte by byte.
//!
//! The record comes from `tests/golden`, the clock and the randomness are given, so every date and digest
//! is the same each time. The program's own code runs in a child of this test, on a terminal that `vt100`
//! plays; each file of `tests/screens` holds the windows of one scene at one size, in the order in which a
//! person sees them. Nothing is ever accepted by the test itself: it prints the line that does.
//!
//! What others wrote (a runbook, a release, a change in the record) may hold anything. Of what comes to
//! the terminal every single byte is looked at: letters, line ends, and the few sequences that are ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod play;
mod raw;

use base64ct::Encoding as _;
use keyrite::cli::host::{Host, Program, Stream, System};
use keyrite::record::{Inputs, Record};
use keyrite::signer::keyfile::KeyFile;
use keyrite::signer::randomness::Randomness;
use keyrite::signer::secret::Pin;
use keyrite::system::machine::{Confined, Interfaces, Needs};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::document::{PathRule, TargetFile};
use keyrite::tuf::json::{Json, object};
use keyrite::tuf::key::{PublicKey, Scheme};
use keyrite::tuf::make::{self, Grant, RoleSpec, TargetsEdit};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::time::Time;
use keyrite::tuf::wire;
use keyrite::ui::Console;
use keyrite::ui::interrupt::Interrupt;
use keyrite::ui::look::Look;
use keyrite::ui::terminal::Terminal;
use play::{Ended, PHRASE, Played, play, put, read};
use rexpect::ReadUntil;
use rexpect::session::{PtySession, spawn_command};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::OnceLock;

/// When every scene is typed: a while after the first day of `tests/golden`.
const NOW: &str = "2026-03-02T12:00:00Z";
const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];
const PAGE: &str = "press Enter to read on) ";
/// Down by so many lines, then Enter.
const DOWN: &str = "\u{1b}[B";

/// The machine, but for what golden folders are given as well.
struct Given(Played);

impl Host for Given {
    fn now(&self) -> Result<Time> {
        self.0.now()
    }

    fn randomness(&self) -> Randomness {
        self.0.randomness()
    }

    fn program(&self) -> Result<Program> {
        self.0.program()
    }

    fn program_path(&self) -> Option<PathBuf> {
        None
    }

    fn machine(&self) -> BTreeMap<String, String> {
        self.0.machine()
    }

    fn interfaces(&self) -> Interfaces {
        Interfaces::none()
    }

    fn confine(&self, _needs: &Needs) -> Option<Confined> {
        None
    }

    fn secret_name(&self) -> Option<String> {
        self.0.secret_name()
    }

    fn place(&self, folder: &Path) -> Option<String> {
        self.0.place(folder)
    }

    fn console(&self, interrupt: &Interrupt) -> Result<Box<dyn Console>> {
        Ok(Box::new(Terminal::open(interrupt.clone())?))
    }

    fn look(&self, stream: Stream) -> Look {
        System.look(stream)
    }

    fn is_terminal(&self, stream: Stream) -> bool {
        System.is_terminal(stream)
    }

    fn write(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        System.write(stream, bytes)
    }
}

/// Not a test of its own: what the scenes run as a child.
#[test]
fn child() {
    let Ok(line) = std::env::var("KEYRITE_SCENE") else { return };
    // What the test itself has said is no part of it.
    System.write(Stream::Out, b"\x1b[2J\x1b[H").unwrap();
    let host: Rc<dyn Host> = Rc::new(Given(Played::new("screens", NOW.parse().unwrap()).after(1)));
    let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    std::process::exit(keyrite::cli::run_on(&host, &words).into());
}

/// What is waited for, and what a person does then.
#[derive(Clone, Copy)]
enum Step {
    /// A choice: the question, how the line begins that is chosen, how the last line begins.
    Choose(&'static str, &'static str, &'static str),
    /// A text: the question, what is typed.
    Type(&'static str, &'static str),
    /// Enter alone.
    Enter(&'static str),
    /// Three words of the change: wrong ones first, as from another paper, then the right ones.
    Words(&'static str),
}

use Step::{Choose, Enter, Type, Words};

/// A choice that ends with the way back.
const fn choose(question: &'static str, answer: &'static str) -> Step {
    Choose(question, answer, "back")
}

/// One scene: what is typed, and what follows.
struct Scene {
    name: &'static str,
    /// What it begins after.
    state: State,
    line: &'static str,
    steps: Vec<Step>,
}

/// A record and what lies beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// The first day, with one application.
    Granted,
    /// A new root key is there, and its runbook.
    NewKey,
    /// A developer has released files with names that are meant to harm.
    Released,
    /// A thief of the targets key has published an application and files of their own, with such names.
    Robbed,
}

const FIRST: &str = "adopt ";
const LATER: &str = "later ";

fn with_people(begin: &[Step], end: &[Step]) -> Vec<Step> {
    let people = [
        choose("Who leads?", "ada"),
        choose("Who watches and records?", "wim"),
        choose("Who watches and records? Another one?", "that is all"),
    ];
    [begin, &people, end].concat()
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn scenes() -> Vec<Scene> {
    let about = |way: &'static str| Choose("What is it about?", way, FIRST);
    let later = [Choose("What comes next?", "later", LATER)];
    vec![
        Scene {
            name: "guide-stolen-developer-key",
            state: State::Granted,
            line: "guide",
            steps: with_people(
                &[
                    about("lost-or-stolen"),
                    choose("What was lost or stolen?", "developer-key"),
                    choose("Which developer's key?", "dev-dana"),
                    choose("What happened to dev-dana?", "stolen"),
                    choose("Which key takes its place?", "new"),
                    choose("Who will hold the new key?", "dana"),
                    Type("What is it called?", ""),
                    choose("And an application that keeps too few keys?", "stop"),
                ],
                &later,
            ),
        },
        Scene {
            name: "guide-root-key-lost",
            state: State::Granted,
            line: "guide",
            steps: with_people(
                &[
                    about("lost-or-stolen"),
                    choose("What was lost or stolen?", "root-key"),
                    choose("Which root keys?", "root-c"),
                    choose("Which root keys? Another one?", "that is all"),
                    choose("What happened to root-c?", "lost"),
                    choose("Which keys come in?", "a new key"),
                    Type("What shall the new key be called?", ""),
                    choose("Which keys come in? Another one?", "that is all"),
                    choose("Who will hold root-d?", "someone who"),
                    Type("What are they called here?", "dora"),
                    Type("How many must sign a root from then on?", "2"),
                    choose("Does any of these come only later?", "root-d"),
                    choose("Does any of these come only later? Another one?", "that is all"),
                    Type("From which day is root-d at hand?", "2026-04-01"),
                ],
                &later,
            ),
        },
        Scene {
            name: "guide-limits-back-and-forth",
            state: State::Granted,
            line: "guide limits",
            steps: with_people(
                &[
                    choose("Which limits change?", "root.rehearsed"),
                    choose("Which limits change? Another one?", "root.max-valid-for"),
                    choose("Which limits change? Another one?", "back"),
                    choose("Which limits change? Another one?", "root.witnesses"),
                    choose("Which limits change? Another one?", "that is all"),
                    choose("Every change of root is rehearsed first: what from now on?", "yes"),
                    Type("How many watch a change of root: what from now on?", "many"),
                    Type("How many watch a change of root: what from now on?", "2"),
                ],
                &later,
            ),
        },
        Scene {
            name: "guide-and-run-roll-call",
            state: State::Granted,
            line: "guide roll-call",
            steps: with_people(
                &[
                    choose("Who is called?", "some"),
                    choose("Which keys?", "root-a"),
                    choose("Which keys? Another one?", "that is all"),
                ],
                &[
                    Choose("What comes next?", "run", LATER),
                    Enter("press Enter) "),
                    Type("Type same", "same"),
                    Type("Do you agree", "Yes"),
                    Type("Type your name", "wim"),
                ],
            ),
        },
        Scene {
            name: "run-application-ends",
            state: State::Granted,
            line: "run application-ends.toml",
            steps: vec![
                Enter("press Enter) "),
                Type("Type same", "same"),
                Type("Do you agree", "Yes"),
                Type("Type your name", "wim"),
            ],
        },
        Scene {
            name: "run-rotate-root",
            state: State::NewKey,
            line: "run 02-rotate.toml",
            steps: vec![
                Enter("press Enter) "),
                Type("Type same", "same"),
                Words("Type three words"),
                Type("Type your name", "wim"),
            ],
        },
        Scene {
            name: "run-hostile-release",
            state: State::Released,
            line: "run application-ends.toml",
            steps: vec![
                Enter("press Enter) "),
                Type("Type same", "same"),
                Type("Do you agree", "Yes"),
                Type("Type your name", "wim"),
            ],
        },
        Scene {
            name: "guide-targets-key-used",
            state: State::Robbed,
            line: "guide lost-or-stolen",
            steps: with_people(
                &[
                    choose("What was lost or stolen?", "targets-key"),
                    choose("Which targets keys?", "targets-1"),
                    choose("What happened to targets-1?", "stolen"),
                    Type("What is the next targets key called?", ""),
                    choose("Who will hold it?", "uma"),
                    choose("Does any of these come only later?", "none"),
                    choose("Shall it stay in targets?", "back"),
                    choose("Does any of these come only later?", "none"),
                    choose("Shall it stay in targets?", "leave-out"),
                ],
                &later,
            ),
        },
        Scene {
            name: "guide-targets-key-without-files",
            state: State::Robbed,
            line: "guide targets-key",
            steps: with_people(
                &[
                    choose("Which targets keys leave?", "targets-1"),
                    Type("What is the new targets key called?", ""),
                    choose("Who will hold it?", "uma"),
                    Type("How many must sign targets from then on?", ""),
                    choose("Shall it stay in targets?", "files"),
                    choose("Which files must not stay?", "evil.bin"),
                    choose("Which files must not stay? Another one?", "that is all"),
                ],
                &later,
            ),
        },
        Scene {
            name: "guide-record-lost",
            state: State::Granted,
            line: "guide lost-or-stolen",
            steps: vec![choose("What was lost or stolen?", "record")],
        },
    ]
}

/// Plays a folder of `tests/golden` and, before it, the one that it begins after.
fn played(name: &str, scratch: &Path) -> Ended {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    play(&folder, &scratch.join(name), &mut |other| played(other, scratch))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// A terminal on which a scene is played.
struct Window {
    pty: PtySession,
    parser: vt100::Parser,
    /// All that came, as it came.
    raw: Vec<u8>,
    dir: PathBuf,
    /// The windows that a person saw.
    seen: String,
    number: usize,
}

impl Window {
    fn open(dir: &Path, (columns, rows): (u16, u16), line: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("stty echo cols {columns} rows {rows}; exec \"$@\""), "sh"]);
        command.arg(std::env::current_exe().unwrap()).args(["--exact", "child", "--nocapture", "--quiet"]);
        command.current_dir(dir).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("KEYRITE_SCENE", format!("keyrite -C record --devices devices.toml {line}"));
        command.envs([("TERM", "xterm"), ("LANG", "C.UTF-8")]);
        let pty = spawn_command(command, Some(60_000)).unwrap();
        let parser = vt100::Parser::new(rows, columns, 1000);
        Self { pty, parser, raw: Vec::new(), dir: dir.to_owned(), seen: String::new(), number: 0 }
    }

    /// Takes in what came. The terminal gives every byte as a letter.
    fn feed(&mut self, text: &str) {
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        self.parser.process(&bytes);
        self.raw.extend(bytes);
    }

    /// Waits for one of these texts; tells which came.
    fn wait(&mut self, texts: &[&str]) -> String {
        let needles = texts.iter().map(|text| ReadUntil::String((*text).to_owned())).collect();
        let (before, found) = self.pty.exp_any(needles).unwrap_or_else(|e| {
            panic!("waited for {texts:?}: {e}\n{}\n{}", self.seen, self.parser.screen().contents())
        });
        self.feed(&before);
        self.feed(&found);
        found
    }

    /// Keeps what the window shows now.
    fn keep(&mut self) {
        self.number += 1;
        let (_, columns) = self.parser.screen().size();
        writeln!(self.seen, "===== window {} =====", self.number).unwrap();
        for row in self.parser.screen().rows(0, columns) {
            writeln!(self.seen, "{}", row.trim_end()).unwrap();
        }
    }

    fn send(&mut self, keys: &str) {
        self.pty.send(keys).unwrap();
        self.pty.flush().unwrap();
    }

    /// Turns pages until a text comes.
    fn read_on(&mut self, text: &str) {
        while self.wait(&[PAGE, text]) == PAGE {
            self.keep();
            self.send("\n");
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Choose(question, answer, last) => {
                self.read_on(question);
                self.wait(&["takes the line with the mark."]);
                // Not the backend, which is a thing that can be chosen.
                let last = if last == "back" { "    back\r\n".to_owned() } else { format!("    {last}") };
                self.wait(&[&last]);
                if !last.ends_with('\n') {
                    self.wait(&["\r\n"]);
                }
                self.keep();
                let rows: Vec<String> = self.parser.screen().rows(0, 200).collect();
                let top = rows.iter().rposition(|row| row.contains("takes the line with the mark.")).unwrap();
                let offered: Vec<&String> = rows.iter().skip(top + 1).collect();
                let find = |fits: &dyn Fn(&str) -> bool| offered.iter().position(|row| fits(row));
                let marked = find(&|row| row.starts_with("  > ")).expect("a line with the mark");
                let wanted = find(&|row| row.get(4..).is_some_and(|text| text.starts_with(answer)));
                let wanted = wanted.unwrap_or_else(|| panic!("no {answer} in {rows:#?}"));
                let count = offered.iter().filter(|row| !row.is_empty()).count();
                self.send(&format!("{}\r", DOWN.repeat((wanted + count - marked) % count)));
            }
            Type(question, text) => {
                self.read_on(question);
                self.wait(&["> "]);
                self.keep();
                self.send(&format!("{text}\n"));
            }
            Enter(mark) => {
                self.read_on(mark);
                self.keep();
                self.send("\n");
            }
            Words(question) => {
                self.read_on(question);
                let words = self.change().words();
                for off in [1, 1, 1, 0, 0, 0] {
                    self.wait(&["> "]);
                    self.keep();
                    let rows: Vec<String> = self.parser.screen().rows(0, 200).collect();
                    let asked = rows.iter().rev().find_map(|row| row.trim().strip_prefix("word "));
                    let place = asked.unwrap().split_whitespace().next().unwrap();
                    let word = words[(place.parse::<usize>().unwrap() - 1 + off) % 32];
                    self.send(&format!("{word}\n"));
                    // The line is drawn once more, with what was typed.
                    self.wait(&[&format!("> {word}")]);
                }
            }
        }
    }

    /// The change that is before everyone.
    fn change(&self) -> Digest {
        let folders = fs::read_dir(self.dir.join("record/changes")).unwrap().map(|folder| folder.unwrap());
        let newest = folders.max_by_key(|folder| folder.metadata().unwrap().modified().unwrap()).unwrap();
        newest.file_name().to_str().unwrap().parse().unwrap()
    }

    /// Whatever is asked until the end is a page.
    fn end(&mut self) {
        loop {
            let needles = vec![ReadUntil::String(PAGE.to_owned()), ReadUntil::EOF];
            let (before, found) = self.pty.exp_any(needles).unwrap_or_else(|e| panic!("{e}\n{}", self.seen));
            self.feed(&before);
            if found != PAGE {
                self.feed(&found);
                self.keep();
                return;
            }
            self.feed(&found);
            self.keep();
            self.send("\n");
        }
    }
}

/// Plays a scene; the windows, and all that came.
fn windows(state: &Path, scene: &Scene, size: (u16, u16)) -> (String, Vec<u8>) {
    let dir = state.with_file_name(format!("{}-{}", scene.name, size.0));
    let _ = fs::remove_dir_all(&dir);
    copy(state, &dir);
    let ends = include_str!("../ceremonies/application-revoked/01-revoke.toml");
    fs::write(dir.join("application-ends.toml"), ends).unwrap();
    let mut window = Window::open(&dir, size, scene.line);
    for step in &scene.steps {
        window.step(*step);
    }
    window.end();
    (window.seen, window.raw)
}

/// What `child` writes before the program begins.
const BEGINS: &[u8] = b"\x1b[2J\x1b[H";

/// A line of the device map that is copied as a whole: TOML can't break it, the window does.
const WHOLE: &str = "    root = { version = ";

/// Nothing came but what is ours, and no line is as wide as the window.
fn judge(name: &str, columns: u16, raw: &[u8]) -> String {
    let begin = raw.windows(BEGINS.len()).position(|part| part == BEGINS).unwrap();
    let text =
        raw::plain(&raw[begin + BEGINS.len()..]).unwrap_or_else(|found| panic!("{name}, {columns}: {found}"));
    for line in text.split(['\n', '\r']).filter(|line| !line.starts_with(WHOLE)) {
        assert!(line.chars().count() < usize::from(columns), "{name}, {columns}: {line}");
    }
    text
}

/// Every word in order of the alphabet, but for what is laid out by width: page marks, rules, the
/// backslashes of commands that go on, and lists drawn again.
fn words(plain: &str) -> Vec<String> {
    let lines = plain.split(['\n', '\r']).filter(|line| !line.contains("press Enter to read on"));
    let mut words: Vec<String> = lines.flat_map(str::split_whitespace).map(str::to_owned).collect();
    words.retain(|word| word != "\\" && !word.chars().all(|c| c == '\u{2500}'));
    words.sort();
    words
}

/// What a file of someone else's may hold, and how it stands where it is shown.
const HOSTILE: [(&str, &str); 5] = [
    ("\u{1b}[2J\u{1b}]0;owned\u{7}", "\\u{1b}[2J\\u{1b}]0;owned\\u{7}"),
    ("\u{9b}31mowned", "\\u{9b}31mowned"),
    ("\u{202e}denwo\u{202c}", "\\u{202e}denwo\\u{202c}"),
    ("first\nowned\r\u{8}", "first\\u{a}owned\\u{d}\\u{8}"),
    ("zero\u{200b}width\u{301}", "zero\\u{200b}width\\u{301}"),
];

/// The states that scenes begin after: made once, since the folder in which a line is typed is the
/// process's.
fn states() -> &'static BTreeMap<State, PathBuf> {
    static MADE: OnceLock<BTreeMap<State, PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| made(&scratch()))
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden-screens")
}

fn made(scratch: &Path) -> BTreeMap<State, PathBuf> {
    let _ = fs::remove_dir_all(scratch);
    drop(played("grant-delegation", scratch));
    let granted = scratch.join("grant-delegation");
    // What `rotate-root` does first, on the same day: another key is made.
    let folder = scratch.join("folders/new-key");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rotate-root");
    for (path, bytes) in read(&golden) {
        put(&folder, &path, &bytes);
    }
    let lines = "after grant-delegation\nkeyrite -C record --devices devices.toml plan 01-root-key.toml\n\
                 keyrite -C record --devices devices.toml run 01-root-key.toml --answers keys.toml --unattended\n";
    put(&folder, "lines.txt", lines.as_bytes());
    let new_key = scratch.join("new-key");
    drop(play(&folder, &new_key, &mut |other| played(other, scratch)));
    let released = scratch.join("released");
    copy(&granted, &released);
    let targets = HOSTILE.iter().map(|(name, _)| format!("camera-station/{name}"));
    release(&released, &targets.collect::<Vec<_>>());
    let robbed = scratch.join("robbed");
    copy(&granted, &robbed);
    rob(&robbed);
    BTreeMap::from([
        (State::Granted, granted),
        (State::NewKey, new_key),
        (State::Released, released),
        (State::Robbed, robbed),
    ])
}

/// A thief of the targets key has the backend serve one more targets, with an application and files of
/// theirs, and the record takes it in.
fn rob(state: &Path) {
    let now: Time = NOW.parse().unwrap();
    let facts = Record::open(&state.join("record")).unwrap().read_all(now, &Inputs::default()).unwrap().facts;
    let before = &facts.documents[&RoleName::Targets];
    let public = |key: &str| &facts.keys[&key.parse().unwrap()].public;
    let entry = wire::key_entry(Profile::Notary, public("dev-dana"), None).unwrap();
    let grant = TargetsEdit::Grant(Grant {
        role: RoleName::from_name("targets/evil"),
        keys: RoleSpec { keys: vec![entry], threshold: NonZeroU32::MIN },
        paths: PathRule::Prefixes(vec!["evil/".to_owned()]),
        terminating: false,
    });
    let put_target = |path: &str| {
        let hashes = BTreeMap::from([("sha256".to_owned(), vec![7; 32])]).into();
        let file = TargetFile { length: 5, hashes, custom: None };
        TargetsEdit::PutTarget { path: path.to_owned(), file }
    };
    let edits = [grant, put_target("evil.bin"), put_target("more, evil.bin"), put_target("worse.bin")];
    let until = "2027-03-01T00:00:00Z".parse().unwrap();
    let made = make::targets(Profile::Notary, &RoleName::Targets, 3, until, Some(before.payload()), &edits);
    // keyrite itself makes no such names; a thief does.
    let Json::Object(mut made) = Json::parse(made.unwrap().bytes()).unwrap() else { panic!("no object") };
    let Some(Json::Object(files)) = made.get_mut("targets") else { panic!("no files") };
    let evil = files.get("evil.bin").unwrap().clone();
    files.extend(HOSTILE.iter().map(|(name, _)| ((*name).to_owned(), evil.clone())));
    let made = Json::Object(made).canonical();
    let key = KeyFile::parse(&fs::read(state.join("keys/targets-1.pem")).unwrap()).unwrap();
    let raw = key.open(&Pin::new(PHRASE.to_owned())).unwrap().sign(Scheme::EcdsaP256Sha256, &made);
    let sig = wire::signature_to_wire(Profile::Notary, Scheme::EcdsaP256Sha256, &raw.unwrap()).unwrap();
    let id = wire::key_entry(Profile::Notary, public("targets-1"), None).unwrap().id;
    let signature = object([
        ("keyid", id.as_str().into()),
        ("method", "ecdsa".into()),
        ("sig", base64ct::Base64::encode_string(&sig).into()),
    ]);
    let signatures = String::from_utf8(Json::Array(vec![signature]).canonical()).unwrap();
    let signed = escaped_controls(&String::from_utf8(made).unwrap());
    taken_in(state, "medium/targets.json", &format!("{{\"signed\":{signed},\"signatures\":{signatures}}}"));
}

/// A message that is signed has controls as they are; in the file they are escapes.
fn escaped_controls(message: &str) -> String {
    let escape =
        |c: char| if c.is_ascii_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    message.chars().map(escape).collect()
}

/// The record takes in what someone else has signed.
fn taken_in(state: &Path, path: &str, whole: &str) {
    put(state, path, whole.as_bytes());
    std::env::set_current_dir(state).unwrap();
    let played = Played::new("taken in", NOW.parse().unwrap());
    let (code, out, err) = played.run(&["keyrite", "-C", "record", "import", "medium"]);
    assert_eq!(code, 0, "{out}{err}");
}

/// Dana's own tool releases files of these names, and the record takes in what it made.
fn release(state: &Path, targets: &[String]) {
    let key = KeyFile::parse(&fs::read(state.join("dana.key")).unwrap()).unwrap();
    let kept = fs::read_dir(state.join("record/keys/dev-dana")).unwrap().next().unwrap().unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(kept.path()).unwrap()).unwrap();
    let der = base64ct::Base64::decode_vec(kept["spki"].as_str().unwrap()).unwrap();
    let public = PublicKey::from_spki_der(&der).unwrap();
    let entry = wire::key_entry(Profile::Notary, &public, None).unwrap();
    let file = |_: &String| {
        let sha256 = base64ct::Base64::encode_string(&[7; 32]);
        object([("hashes", object([("sha256", sha256.into())])), ("length", 5.into())])
    };
    let targets = targets.iter().map(|path| (path.clone(), file(path))).collect();
    let nothing = object([("keys", object([])), ("roles", Json::Array(Vec::new()))]);
    let signed = object([
        ("_type", "Targets".into()),
        ("delegations", nothing),
        ("expires", "2027-01-01T00:00:00Z".into()),
        ("targets", Json::Object(targets)),
        ("version", 1.into()),
    ]);
    let message = escaped_controls(&String::from_utf8(signed.canonical()).unwrap());
    let raw =
        key.open(&Pin::new(PHRASE.to_owned())).unwrap().sign(Scheme::EcdsaP256Sha256, &signed.canonical());
    let sig = wire::signature_to_wire(Profile::Notary, Scheme::EcdsaP256Sha256, &raw.unwrap()).unwrap();
    let signature = object([
        ("keyid", entry.id.as_str().into()),
        ("method", "ecdsa".into()),
        ("sig", base64ct::Base64::encode_string(&sig).into()),
    ]);
    let signatures = String::from_utf8(Json::Array(vec![signature]).canonical()).unwrap();
    let whole = format!("{{\"signed\":{message},\"signatures\":{signatures}}}");
    taken_in(state, "medium/targets/camera-station.json", &whole);
}

#[test]
fn every_window_comes_out_as_it_did() {
    let (scratch, states) = (scratch(), states());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let mut differ: Vec<(PathBuf, PathBuf)> = Vec::new();
    let part = std::env::var("SCREENS").unwrap_or_default();
    for scene in scenes().iter().filter(|scene| scene.name.contains(&part)) {
        let mut all = Vec::new();
        for size in SIZES {
            let (seen, raw) = windows(&states[&scene.state], scene, size);
            let name = format!("{}-{}x{}.txt", scene.name, size.0, size.1);
            let fresh = scratch.join(&name);
            fs::write(&fresh, &seen).unwrap();
            fs::write(fresh.with_extension("raw"), &raw).unwrap();
            all.push(words(&judge(scene.name, size.0, &raw)));
            if fs::read_to_string(kept.join(&name)).ok().as_deref() != Some(seen.as_str()) {
                differ.push((kept.join(&name), fresh));
            }
        }
        assert_eq!(all[0], all[1], "{}: no word is broken or lost in the narrow window", scene.name);
    }
    let lines: Vec<String> =
        differ.iter().map(|(kept, fresh)| format!("cp {} {}", fresh.display(), kept.display())).collect();
    assert!(lines.is_empty(), "these windows differ; read them, then:\n{}", lines.join("\n"));
}

/// A text as TOML writes it, with every character that is not plain as an escape.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() { c.to_string() } else { format!("\\u{:04X}", u32::from(c)) })
        .collect()
}

/// Whatever title, names, questions and files hold: it is shown letter by letter, or the file is refused.
/// Nobody's new line begins a line, since what it is in front of is not `owned`.
#[test]
fn what_others_wrote_is_shown_and_never_obeyed() {
    let dir = scratch().join("hostile");
    copy(&states()[&State::Granted], &dir);
    let roll_call = |title: &str, person: &str, rest: &str| {
        format!(
            "ceremony = \"roll-call\"\ntitle = \"{title}\"\n[people]\nada = \"administrator\"\n\
             \"{person}\" = \"witness\"\n[roll-call]\nkeys = [\"root-a\"]\n{rest}"
        )
    };
    let key = |name: &str, holder: &str| {
        format!(
            "ceremony = \"generate-key\"\ntitle = \"A key\"\n[people]\nada = \"administrator\"\nwim = \"witness\"\n\
             [[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"root\"\n"
        )
    };
    let grant = |application: &str, path: &str| {
        format!(
            "ceremony = \"grant-delegation\"\ntitle = \"A grant\"\n[people]\nada = \"administrator\"\n\
             wim = \"witness\"\n[delegation]\napplication = \"{application}\"\nkeys = [\"dev-dana\"]\nthreshold = 1\n\
             paths = [\"{path}\"]\nvalid-for = \"1 year\"\n"
        )
    };
    for (nth, (text, shown)) in HOSTILE.into_iter().enumerate() {
        let e = escaped(text);
        let question = format!("[[before]]\nquestion = \"{e}\"\n");
        let table = [
            ("title", roll_call(&e, "wim", "")),
            ("person", roll_call("A roll call", &e, "")),
            ("question", roll_call("A roll call", "wim", &question)),
            ("key", key(&e, "ada")),
            ("holder", key("root-x", &e)),
            ("application", grant(&e, "door/")),
            ("path", grant("door", &e)),
            ("member", roll_call("A roll call", "wim", &format!("\"{e}\" = 1\n"))),
            ("raw", roll_call(text, text, "")),
        ];
        for (place, runbook) in table {
            fs::write(dir.join("hostile.toml"), runbook).unwrap();
            let name = format!("{place} {nth}");
            let mut window = Window::open(&dir, SIZES[0], "run hostile.toml");
            window.end();
            let text = judge(&name, SIZES[0].0, &window.raw);
            let ink: String = text.split_whitespace().collect();
            // Errors of the TOML reader have lines of their own, which are put into one.
            let shown = if place == "member" { shown.replace("\\u{a}", ";") } else { shown.to_owned() };
            assert!(place == "raw" || ink.contains(&shown), "{name}: no {shown} in {text}");
            assert!(!text.lines().any(|line| line.starts_with("owned")), "{name}: {text}");
        }
    }
}
