//! Plays a folder of `tests/golden`: its lines are given to the very code that the program runs,
//! in this process, on a host whose clock, randomness and people are given.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod host;
mod values;

use base64ct::{Base64UrlUnpadded, Encoding as _};
pub use host::Played;
use jiff::{SignedDuration, Timestamp};
use keyrite::tuf::digest::Digest;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use values::Values;

/// Every key file's pass-phrase.
pub const PHRASE: &str = "correct horse battery staple";
/// The file that holds it, of the owner's alone, beside the record.
const PHRASE_FILE: &str = "phrase";
/// When a folder's first line is typed, unless it says.
const BEGINNING: &str = "2026-03-02T09:00:00Z";

/// Files by path, with their bytes.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// What came of a folder, and what the next one goes on with.
#[derive(Clone)]
pub struct Ended {
    /// What is compared: screens, refusals, and every file that was not there before.
    pub expected: Tree,
    /// Every file at the end but those that the folders themselves bring.
    state: Tree,
    /// What the folders bring, as they have it.
    brought: Tree,
    values: Values,
    at: Timestamp,
}

/// Plays one folder. `before` plays the folder that this one begins after.
pub fn play(folder: &Path, stage: &Path, before: &mut dyn FnMut(&str) -> Ended) -> Ended {
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let text =
        fs::read_to_string(folder.join("lines.txt")).unwrap_or_else(|e| panic!("{name}/lines.txt: {e}"));
    let mut brought = read(folder);
    brought.retain(|path, _| path != "lines.txt" && !path.starts_with("expected/"));
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    let start = lines.next_if(|line| line.starts_with("after ")).map(|line| before(&line["after ".len()..]));
    let mut scene = Scene::new(&name, stage, start, brought);
    for line in lines {
        scene.line(line);
    }
    scene.end()
}

struct Scene {
    name: String,
    stage: PathBuf,
    start: Tree,
    brought: Tree,
    values: Values,
    at: Timestamp,
    said: usize,
    screens: String,
    refusals: String,
}

impl Scene {
    fn new(name: &str, stage: &Path, start: Option<Ended>, own: Tree) -> Self {
        let _ = fs::remove_dir_all(stage);
        fs::create_dir_all(stage).unwrap();
        let at = start.as_ref().map_or_else(|| BEGINNING.parse().unwrap(), |start| start.at);
        let (start, mut brought, values) = start.map(|s| (s.state, s.brought, s.values)).unwrap_or_default();
        for (path, bytes) in &start {
            put(stage, path, bytes);
        }
        brought.extend(own);
        put(stage, PHRASE_FILE, format!("{PHRASE}\n").as_bytes());
        fs::set_permissions(stage.join(PHRASE_FILE), fs::Permissions::from_mode(0o600)).unwrap();
        // Paths stand on screens, so they must not be this machine's.
        std::env::set_current_dir(stage).unwrap();
        Self {
            name: name.to_owned(),
            stage: stage.to_owned(),
            start,
            brought,
            values,
            at,
            said: 0,
            screens: String::new(),
            refusals: String::new(),
        }
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["at", time] => self.at = time.parse().unwrap_or_else(|e| panic!("{line}: {e}")),
            ["folder", name] => fs::create_dir_all(self.stage.join(name)).unwrap(),
            ["copy", from, to] => self.copy(from, to),
            ["drop", file] => fs::remove_file(self.stage.join(self.only(file).0)).unwrap(),
            ["public", from, to] => self.public(from, to),
            ["break", file, from, to] => self.spoil(file, from, to),
            ["vault", key, to] => vault(&self.stage, key, to),
            ["keyrite", ..] => self.say(line, &words),
            _ => panic!(
                "{}/lines.txt: {line}: at, folder, copy, drop, break, public, vault or keyrite",
                self.name
            ),
        }
    }

    /// Hands a folder to someone else: `copy record stick`.
    fn copy(&self, from: &str, to: &str) {
        if let Ok(bytes) = fs::read(self.stage.join(from)) {
            return put(&self.stage, to, &bytes);
        }
        let files = read(&self.stage.join(from));
        assert!(!files.is_empty(), "{}: copy {from}: nothing there", self.name);
        for (path, bytes) in files {
            put(&self.stage, &format!("{to}/{path}"), &bytes);
        }
    }

    /// Replaces a text in the one file that a pattern names: `break stick/changes/{change}/change.json a b`; of a name, `*` stands for any
    /// part.
    fn spoil(&self, pattern: &str, from: &str, to: &str) {
        let (path, bytes) = self.only(pattern);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{}: no {from} in {path}", self.name);
        fs::write(self.stage.join(path), text.replace(from, to)).unwrap();
    }

    /// The public half that stands in a key file, in a file of its own.
    fn public(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.stage.join(from)).unwrap();
        let block = text.find("-----BEGIN PUBLIC KEY").unwrap_or_else(|| panic!("no public key in {from}"));
        put(&self.stage, to, &text.as_bytes()[block..]);
    }

    /// The one file that a pattern names.
    fn only(&self, pattern: &str) -> (String, Vec<u8>) {
        let pattern = &self.values.filled(pattern);
        let fits = |path: &str| {
            let (a, b) = (path.split('/'), pattern.split('/'));
            a.clone().count() == b.clone().count()
                && a.zip(b).all(|(name, part)| match part.split_once('*') {
                    Some((head, tail)) => name.starts_with(head) && name.ends_with(tail),
                    None => name == part,
                })
        };
        let files: Tree = read(&self.stage).into_iter().filter(|(path, _)| fits(path)).collect();
        assert_eq!(files.len(), 1, "{}: {pattern}: {} files", self.name, files.len());
        files.into_iter().next().unwrap()
    }

    /// Gives one line to the program's own code.
    fn say(&mut self, line: &str, words: &[&str]) {
        self.said += 1;
        self.render(words);
        let before = self.own(&self.stage);
        let played = Played::new(&format!("{} {}", self.name, self.said), self.at);
        let (code, out, err) = played.run(words);
        let after = self.own(&self.stage);
        self.values.learn(&before, &after);
        self.at += SignedDuration::from_mins(1);
        write!(self.screens, "$ {line}\n{out}{err}exit {code}\n\n").unwrap();
        if !err.is_empty() {
            let written: Vec<_> =
                after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
            write!(self.refusals, "$ {line}\n{err}exit {code}\n").unwrap();
            match written.as_slice() {
                [] => self.refusals.push_str("nothing was written\n"),
                some => some.iter().for_each(|(path, _)| writeln!(self.refusals, "written: {path}").unwrap()),
            }
            self.refusals.push('\n');
        }
    }

    /// Writes what the folder brings, with what is known by now in the places left for it.
    fn render(&mut self, words: &[&str]) {
        let record = words.iter().position(|w| *w == "-C").map_or("record", |at| words[at + 1]);
        for (path, bytes) in &self.brought {
            match std::str::from_utf8(bytes) {
                Ok(text) if Path::new(path).extension().is_some_and(|end| end == "toml") => {
                    put(&self.stage, path, self.values.fill(text, Path::new(record), self.at).as_bytes());
                }
                _ => put(&self.stage, path, bytes),
            }
            // Whatever this machine's umask is: a rule looks at it.
            fs::set_permissions(self.stage.join(path), fs::Permissions::from_mode(0o644)).unwrap();
        }
    }

    /// Every file but what the folders bring.
    fn own(&self, stage: &Path) -> Tree {
        let mut files = read(stage);
        files.retain(|path, _| path != PHRASE_FILE && !self.brought.contains_key(path));
        files
    }

    fn end(self) -> Ended {
        let state = self.own(&self.stage);
        let mut expected = Tree::from([("screens.txt".to_owned(), self.screens.into_bytes())]);
        if !self.refusals.is_empty() {
            expected.insert("refusal.txt".to_owned(), self.refusals.into_bytes());
        }
        let mut gone = String::new();
        for (path, bytes) in &self.start {
            match state.get(path) {
                Some(there) => assert!(there == bytes, "{}: {path} was changed", self.name),
                None => writeln!(gone, "{path}").unwrap(),
            }
        }
        assert!(!gone.contains("record/"), "{}: a record only grows: {gone}", self.name);
        if !gone.is_empty() {
            expected.insert("gone.txt".to_owned(), gone.into_bytes());
        }
        let new = state.iter().filter(|(path, _)| !self.start.contains_key(*path));
        expected.extend(new.map(|(path, bytes)| (kept_as(path), bytes.clone())));
        let Self { brought, values, at, .. } = self;
        Ended { expected, state, brought, values, at }
    }
}

/// What a vault does with a key of its own: gives its public half (`vault dana dana.pem`), or signs what
/// was handed out in a folder (`vault dana dana.possession`), as services print it.
fn vault(stage: &Path, key: &str, to: &str) {
    let key = SigningKey::from_slice(Digest::of(format!("vault {key}").as_bytes()).as_bytes()).unwrap();
    if !stage.join(to).is_dir() {
        let public = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        return put(stage, to, public.as_bytes());
    }
    let signature: Signature = key.sign(&fs::read(stage.join(to).join("payload")).unwrap());
    let text = format!("{}\n", Base64UrlUnpadded::encode_string(&signature.to_bytes()));
    put(stage, &format!("{to}/signature"), text.as_bytes());
}

/// The name under which a file is kept: a name with a dot in front would hide it, and a record's
/// own `.gitignore` would hide others.
fn kept_as(path: &str) -> String {
    let part = |name: &str| name.strip_prefix('.').map_or_else(|| name.to_owned(), |n| format!("dot.{n}"));
    format!("files/{}", path.split('/').map(part).collect::<Vec<_>>().join("/"))
}

/// Every file below a folder.
pub fn read(folder: &Path) -> Tree {
    let mut files = Tree::new();
    let mut folders = BTreeSet::from([folder.to_owned()]);
    while let Some(next) = folders.pop_first() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.insert(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

/// Writes a file and the folders above it.
pub fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
