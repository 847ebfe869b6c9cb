//! A host on which everything is given: a clock that stands while a line runs, random bytes that
//! are digests of a name and a number, a person who types one pass-phrase.

use super::PHRASE;
use jiff::Timestamp;
use keyrite::ceremony::answers::Answers;
use keyrite::ceremony::confirm::Places;
use keyrite::ceremony::step;
use keyrite::cli::host::{Host, Out, Program, Stream};
use keyrite::signer::randomness::Randomness;
use keyrite::signer::secret::Pin;
use keyrite::system::machine::{Confined, Interfaces, Needs};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::rule::Result;
use keyrite::tuf::time::Time;
use keyrite::ui::interrupt::Interrupt;
use keyrite::ui::look::Look;
use keyrite::ui::screen::{Safe, Screen};
use keyrite::ui::scripted::Scripted;
use keyrite::ui::{Console, Prompt};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What a run wrote, and on what it ran.
#[derive(Clone)]
pub struct Played(Rc<Inside>);

struct Inside {
    seed: String,
    now: Timestamp,
    drawn: Cell<u64>,
    out: RefCell<Vec<u8>>,
    err: RefCell<Vec<u8>>,
}

impl Played {
    /// A host where it is `now`, and whose random bytes no other seed gives.
    pub fn new(seed: &str, now: Timestamp) -> Self {
        let (out, err) = (RefCell::default(), RefCell::default());
        Self(Rc::new(Inside { seed: seed.to_owned(), now, drawn: Cell::new(0), out, err }))
    }

    /// The same, once it has drawn so many random numbers.
    #[allow(dead_code, reason = "not every test uses all of it")]
    pub fn after(self, drawn: u64) -> Self {
        self.0.drawn.set(drawn);
        self
    }

    /// Runs one line on it: exit code, stdout, stderr.
    pub fn run(&self, words: &[&str]) -> (u8, String, String) {
        let line: Vec<OsString> = words.iter().map(OsString::from).collect();
        let host: Rc<dyn Host> = Rc::new(self.clone());
        let code = keyrite::cli::run_on(&host, &line);
        let text = |bytes: &RefCell<Vec<u8>>| String::from_utf8(bytes.take()).unwrap();
        (code, text(&self.0.out), text(&self.0.err))
    }
}

impl Host for Played {
    fn now(&self) -> Result<Time> {
        Time::from_unix(self.0.now.as_second())
    }

    fn randomness(&self) -> Randomness {
        let inside = Rc::clone(&self.0);
        Randomness::given(move |bytes| {
            for chunk in bytes.chunks_mut(32) {
                let number = inside.drawn.get();
                inside.drawn.set(number + 1);
                let digest = Digest::of(format!("{} {number}", inside.seed).as_bytes());
                chunk.copy_from_slice(&digest.as_bytes()[..chunk.len()]);
            }
            Ok(())
        })
    }

    fn program(&self) -> Result<Program> {
        Ok(Program { version: "0.0.0".to_owned(), digest: Digest::of(b"golden") })
    }

    fn program_path(&self) -> Option<PathBuf> {
        None
    }

    fn machine(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn interfaces(&self) -> Interfaces {
        Interfaces::none()
    }

    fn confine(&self, _needs: &Needs) -> Option<Confined> {
        None
    }

    fn secret_name(&self) -> Option<String> {
        Some("a machine that is played".to_owned())
    }

    fn place(&self, folder: &Path) -> Option<String> {
        // Stages are copied from one scene to the next.
        folder.exists().then(|| "a stage".to_owned())
    }

    fn console(&self, interrupt: &Interrupt) -> Result<Box<dyn Console>> {
        let answers = Answers::parse("[answers]\n")?;
        let out = Box::new(Out(Rc::new(self.clone())));
        Ok(Box::new(Person(Scripted::new(answers, out, Look::PLAIN, interrupt.clone()))))
    }

    fn look(&self, _stream: Stream) -> Look {
        Look::PLAIN
    }

    fn is_terminal(&self, _stream: Stream) -> bool {
        false
    }

    fn write(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Out => self.0.out.borrow_mut().extend_from_slice(bytes),
            Stream::Err => self.0.err.borrow_mut().extend_from_slice(bytes),
        }
        Ok(())
    }
}

/// Types the pass-phrase where one is asked for, presses Enter, and has nothing else to say.
struct Person(Scripted);

impl Console for Person {
    fn show(&mut self, screen: &Screen) -> Result<()> {
        self.0.show(screen)
    }

    fn ask(&mut self, asked: &step::Prompt, places: Places) -> Result<keyrite::ceremony::answers::Answer> {
        self.0.ask(asked, places)
    }

    fn ask_text(&mut self, prompt: &Prompt) -> Result<String> {
        self.0.ask_text(prompt)
    }

    fn ask_choice(&mut self, prompt: &Prompt) -> Result<usize> {
        self.0.ask_choice(prompt)
    }

    fn confirm_word(&mut self, prompt: &Prompt, word: &str) -> Result<()> {
        self.0.confirm_word(prompt, word)
    }

    fn confirm_yes(&mut self, prompt: &Prompt, digest: &Digest) -> Result<()> {
        self.0.confirm_yes(prompt, digest)
    }

    fn confirm_words(&mut self, prompt: &Prompt, digest: &Digest, places: Places) -> Result<()> {
        self.0.confirm_words(prompt, digest, places)
    }

    fn press_enter(&mut self, prompt: &Prompt) -> Result<()> {
        self.0.press_enter(prompt)
    }

    fn secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        self.0.progress(&prompt.text);
        Ok(Pin::new(PHRASE.to_owned()))
    }

    fn new_secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        self.secret(prompt)
    }

    fn progress(&mut self, line: &Safe) {
        self.0.progress(line);
    }

    fn touch(&mut self, token: &Safe) {
        self.0.touch(token);
    }

    fn interrupted(&self) -> Result<()> {
        self.0.interrupted()
    }

    fn unattended(&self) -> bool {
        false
    }
}
