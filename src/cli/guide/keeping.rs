//! A console that keeps what was answered: a guide that was cut off, by Ctrl-C or by a power cut, goes
//! on where it stopped, and `back` takes the last answer back.
//!
//! The questions are walked through from the first one each time. An answer that is kept is given
//! without asking, and no screen is shown on the way to the first question that is open: what is asked
//! follows from the answers alone. Each answer is on disk before the next question is asked.
//!
//! Never: a secret, or what is agreed to; those are asked each time.

use super::super::session::shown;
use super::super::{files, rules};
use super::refuse;
use crate::ceremony::confirm::Places;
use crate::signer::secret::Pin;
use crate::system::files::sync_folder;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Safe, Screen};
use crate::ui::{Console, Prompt};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

/// The answer that takes the last one back.
pub const BACK: &str = "back";
/// Under this name the folder is kept that the answers have become.
const FOLDER: &str = "written-to";

/// A console whose answers stay.
pub struct Keeping<'a> {
    console: &'a mut dyn Console,
    file: PathBuf,
    /// In the order in which they were given.
    answers: Vec<(String, String)>,
    /// The place in them of the next question.
    next: usize,
    back: bool,
    folder: Option<String>,
    looking_back: bool,
}

impl<'a> Keeping<'a> {
    /// Takes up what a guide has left in `file`, if people want that.
    ///
    /// # Errors
    ///
    /// What asking refuses.
    pub fn open(console: &'a mut dyn Console, file: PathBuf) -> Result<Self> {
        let text = if console.unattended() { None } else { std::fs::read_to_string(&file).ok() };
        let mut answers: Vec<(String, String)> = text
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| line.split_once(" = "))
            .map(|(id, answer)| (id.to_owned(), answer.to_owned()))
            .collect();
        let mut folder = None;
        answers.retain(|(id, answer)| {
            let is = id == FOLDER;
            // A name and no way out of the record.
            if is && !answer.contains('/') && !answer.starts_with('.') {
                folder = Some(answer.clone());
            }
            !is
        });
        if !answers.is_empty() {
            let lines = answers
                .iter()
                .map(|(id, answer)| Safe::from(format!("{}: {}", visible(id), visible(answer))));
            let mut screen =
                Screen::new("A guide was cut off here").heading("Its answers so far").items(lines);
            if let Some(folder) = &folder {
                screen = screen.fact("Its runbooks", Safe::untrusted(folder));
            }
            console.show(&screen)?;
            let prompt = Prompt::new("go-on", "Go on with them?")
                .help("Nothing of it has been signed. What you begin anew forgets these answers; no file is deleted.")
                .offer("yes", "yes   go on where it stopped")
                .offer("no", "no    begin anew");
            if console.ask_choice(&prompt)? != 0 {
                answers.clear();
                folder = None;
            }
        }
        Ok(Self { console, file, answers, next: 0, back: false, folder, looking_back: false })
    }

    /// The folder that these answers have become before they were cut off.
    pub fn folder(&self) -> Option<&str> {
        self.folder.as_deref()
    }

    /// Says what the answers become, before the first file of it is written.
    ///
    /// # Errors
    ///
    /// `FILE-WRITE`.
    pub fn becomes(&mut self, folder: &str) -> Result<()> {
        self.folder = Some(folder.to_owned());
        if self.console.unattended() { Ok(()) } else { self.keep() }
    }

    /// Answers the first question, if nothing was answered yet.
    pub fn begin(&mut self, id: &str, answer: &str) {
        if self.answers.is_empty() {
            self.answers.push((id.to_owned(), answer.to_owned()));
        }
    }

    /// From here on only what was answered is gone through once more: nothing is asked, shown or written.
    pub const fn look_back(&mut self) {
        self.looking_back = true;
        self.rewind();
    }

    /// Before the first question.
    pub const fn rewind(&mut self) {
        self.next = 0;
    }

    /// Whether the walk ended because someone went one step back; takes the last answer back then.
    pub fn went_back(&mut self) -> bool {
        if !std::mem::take(&mut self.back) {
            return false;
        }
        self.answers.truncate(self.next);
        self.answers.pop();
        // If the disk is full the answer is asked again after a cut, no more.
        let _ = self.keep();
        true
    }

    /// Takes the last answer back without anyone having said so: what comes of it can't be.
    pub fn step_back(&mut self) -> Refusal {
        self.back = true;
        refuse(BACK, "the question before")
    }

    /// Forgets the answer to the question that was asked last: it is refused, and asked again.
    pub fn again(&mut self) {
        self.next = self.next.saturating_sub(1);
        self.answers.truncate(self.next);
        if !self.console.unattended() {
            // If the disk is full it is refused again after a cut, no more.
            let _ = self.keep();
        }
    }

    /// Forgets all of it: the runbooks say what was answered.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(&self.file);
    }

    fn keep(&self) -> Result<()> {
        if self.looking_back {
            return Ok(());
        }
        let mut text = String::new();
        let folder = self.folder.iter().map(|folder| (FOLDER, folder.as_str()));
        for (id, answer) in
            self.answers.iter().map(|(id, answer)| (id.as_str(), answer.as_str())).chain(folder)
        {
            for part in [id, " = ", answer, "\n"] {
                text.push_str(part);
            }
        }
        let failed = |e: std::io::Error| {
            Refusal::new(
                &rules::FILE_WRITE,
                format!("{}: {e}", shown(&self.file)),
                "a file that can be written",
            )
        };
        if let Some(parent) = self.file.parent() {
            files::folder_private(parent)?;
        }
        let new = self.file.with_extension("new");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.and_then(|()| std::fs::rename(&new, &self.file)).map_err(failed)?;
        // The new name too is to outlive a power cut.
        let folder = self.file.parent().map_or(Ok(()), sync_folder);
        folder.map_err(failed)
    }

    /// The answer that is kept for a question, if it is one that can be given today.
    fn kept(&mut self, prompt: &Prompt) -> Option<String> {
        // A question that is put twice in a row was answered by something that can't be.
        let before = self.next.checked_sub(1).and_then(|at| self.answers.get(at));
        if before.is_some_and(|(id, _)| *id == prompt.id) {
            self.again();
        }
        let allowed = |answer: &str| {
            prompt.allowed.is_empty() || prompt.allowed.iter().any(|one| one.as_str() == answer)
        };
        let known = self.answers.get(self.next).filter(|(id, answer)| *id == prompt.id && allowed(answer));
        let known = known.map(|(_, answer)| answer.clone());
        match known {
            Some(_) => self.next = self.next.saturating_add(1),
            None => self.answers.truncate(self.next),
        }
        known
    }

    fn taken(&mut self, prompt: &Prompt, answer: String) -> Result<String> {
        if answer == BACK && self.next > 0 && !self.console.unattended() {
            return Err(self.step_back());
        }
        self.answers.push((prompt.id.clone(), answer.clone()));
        self.next = self.next.saturating_add(1);
        if !self.console.unattended() {
            self.keep()?;
        }
        Ok(answer)
    }

    /// Whether what is shown now has been seen: answers that are kept come after it.
    fn on_the_way(&self) -> bool {
        self.looking_back || self.next < self.answers.len()
    }

    /// That a question has no answer yet, where none is to be asked.
    fn may_ask(&self, prompt: &Prompt) -> Result<()> {
        if self.looking_back { Err(refuse(&prompt.id, "an answer that was given before")) } else { Ok(()) }
    }
}

impl Console for Keeping<'_> {
    fn show(&mut self, screen: &Screen) -> Result<()> {
        if self.on_the_way() { Ok(()) } else { self.console.show(screen) }
    }

    fn ask_text(&mut self, prompt: &Prompt) -> Result<String> {
        if let Some(known) = self.kept(prompt) {
            return Ok(known);
        }
        self.may_ask(prompt)?;
        let with_back = if self.next == 0 {
            prompt.clone()
        } else {
            prompt.clone().help("Type back for the question before.")
        };
        let answer = self.console.ask_text(&with_back)?;
        self.taken(prompt, answer)
    }

    fn ask_choice(&mut self, prompt: &Prompt) -> Result<usize> {
        let place = |answer: &str| prompt.allowed.iter().position(|one| one.as_str() == answer);
        if let Some(place) = self.kept(prompt).as_deref().and_then(place) {
            return Ok(place);
        }
        self.may_ask(prompt)?;
        let back = self.next > 0 && !self.console.unattended();
        let with_back = if back { prompt.clone().offer(BACK, BACK) } else { prompt.clone() };
        let chosen = self.console.ask_choice(&with_back)?;
        let answer = with_back.allowed.get(chosen).map(Safe::to_string).unwrap_or_default();
        self.taken(prompt, answer).map(|_| chosen)
    }

    fn confirm_word(&mut self, prompt: &Prompt, word: &str) -> Result<()> {
        self.console.confirm_word(prompt, word)
    }

    fn confirm_yes(&mut self, prompt: &Prompt, digest: &Digest) -> Result<()> {
        self.console.confirm_yes(prompt, digest)
    }

    fn confirm_words(&mut self, prompt: &Prompt, digest: &Digest, places: Places) -> Result<()> {
        self.console.confirm_words(prompt, digest, places)
    }

    fn press_enter(&mut self, prompt: &Prompt) -> Result<()> {
        self.console.press_enter(prompt)
    }

    fn secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        self.console.secret(prompt)
    }

    fn new_secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        self.console.new_secret(prompt)
    }

    fn progress(&mut self, line: &Safe) {
        if !self.on_the_way() {
            self.console.progress(line);
        }
    }

    fn touch(&mut self, token: &Safe) {
        self.console.touch(token);
    }

    fn interrupted(&self) -> Result<()> {
        self.console.interrupted()
    }

    fn unattended(&self) -> bool {
        self.console.unattended()
    }
}
