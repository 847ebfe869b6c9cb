//! Golden screens: what `guide` and `run` show on a real pseudo-terminal of 80 by 24 and of 120 by 40,
//! window by window, byte by byte.
//!
//! The record comes from `tests/golden`, the clock and the randomness are given, so every date and digest
//! is the same each time. The program's own code runs in a child of this test, on a terminal that `vt100`
//! plays; each file of `tests/screens` holds the windows of one scene at one size, in the order in which a
//! person sees them. Nothing is ever accepted by the test itself: it prints the line that does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod play;

use keyrite::cli::host::{Host, Program, Stream, System};
use keyrite::cli::machine::{Confined, Interfaces, Needs};
use keyrite::signer::randomness::Randomness;
use keyrite::tuf::rule::Result;
use keyrite::tuf::time::Time;
use keyrite::ui::Console;
use keyrite::ui::interrupt::Interrupt;
use keyrite::ui::look::Look;
use keyrite::ui::terminal::Terminal;
use play::{Ended, Played, play};
use rexpect::ReadUntil;
use rexpect::session::{PtySession, spawn_command};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

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
}

use Step::{Choose, Enter, Type};

/// A choice that ends with the way back.
const fn choose(question: &'static str, answer: &'static str) -> Step {
    Choose(question, answer, "back")
}

/// One scene: what is typed, and what follows.
struct Scene {
    name: &'static str,
    line: &'static str,
    steps: Vec<Step>,
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

fn scenes() -> Vec<Scene> {
    let about = |way: &'static str| Choose("What is it about?", way, FIRST);
    let later = [Choose("What comes next?", "later", LATER)];
    vec![
        Scene {
            name: "guide-stolen-developer-key",
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
            line: "run application-ends.toml",
            steps: vec![
                Enter("press Enter) "),
                Type("Type same", "same"),
                Type("Do you agree", "Yes"),
                Type("Type your name", "wim"),
            ],
        },
        Scene {
            name: "guide-record-lost",
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
    raw: String,
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
        Self { pty, parser, raw: String::new(), seen: String::new(), number: 0 }
    }

    /// Takes in what came. The terminal gives every byte as a letter.
    fn feed(&mut self, text: &str) {
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        self.parser.process(&bytes);
        self.raw.push_str(&String::from_utf8_lossy(&bytes));
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
        }
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
fn windows(state: &Path, scene: &Scene, size: (u16, u16)) -> (String, String) {
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

/// No line that came is as wide as the window, no escape but those that move and colour.
fn judge(scene: &Scene, columns: u16, raw: &str) {
    for line in console::strip_ansi_codes(raw).split(['\n', '\r']) {
        assert!(line.chars().count() < usize::from(columns), "{}, {columns}: {line}", scene.name);
        assert!(!line.contains(|c: char| c.is_control()), "{}, {columns}: {line:?}", scene.name);
    }
}

/// Every word in order of the alphabet, but for what is laid out by width: page marks, rules, the
/// backslashes of commands that go on, and lists drawn again.
fn words(seen: &str) -> Vec<String> {
    let plain = console::strip_ansi_codes(seen).into_owned();
    let lines = plain.split(['\n', '\r']).filter(|line| !line.contains("press Enter to read on"));
    let mut words: Vec<String> = lines.flat_map(str::split_whitespace).map(str::to_owned).collect();
    words.retain(|word| word != "\\" && !word.chars().all(|c| c == '\u{2500}'));
    words.sort();
    words
}

#[test]
fn every_window_comes_out_as_it_did() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden-screens");
    let _ = fs::remove_dir_all(&scratch);
    drop(played("grant-delegation", &scratch));
    let state = scratch.join("grant-delegation");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let mut differ: Vec<(PathBuf, PathBuf)> = Vec::new();
    let part = std::env::var("SCREENS").unwrap_or_default();
    for scene in scenes().iter().filter(|scene| scene.name.contains(&part)) {
        let mut all = Vec::new();
        for size in SIZES {
            let (seen, raw) = windows(&state, scene, size);
            let name = format!("{}-{}x{}.txt", scene.name, size.0, size.1);
            let fresh = scratch.join(&name);
            fs::write(&fresh, &seen).unwrap();
            fs::write(fresh.with_extension("raw"), &raw).unwrap();
            judge(scene, size.0, &raw);
            all.push(words(&raw));
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
