//! What people see and type: the terminal, its plain line mode, and scripted answers in their place.
//!
//! A [`Console`] is handed down to whoever must ask; nothing else in keyrite prints or reads. What
//! a person agrees to is always shown where they answer, on the terminal itself, so that a
//! redirected output can't part the two. Reports go to stdout, problems to stderr.
//!
//! Never: text that was not made visible ([`screen::Safe`]), a meaning that only a colour carries,
//! a line that is cut, a secret that is shown, kept or taken from a pipe.

pub mod calendar;
pub mod interrupt;
mod keyboard;
pub mod layout;
pub mod look;
pub mod paper;
pub mod qr;
pub mod rehearser;
pub mod rules;
mod scanner;
pub mod screen;
pub mod scripted;
pub mod share_card;
pub mod share_desk;
pub mod table;
pub mod terminal;
pub mod tokens;
pub mod tool_desk;

use crate::ceremony::answers::Answer;
use crate::ceremony::confirm::Places;
use crate::ceremony::step;
use crate::signer::secret::Pin;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use screen::{Safe, Screen};

/// Asks until the answer is one that `read` takes. What it refuses is told and asked again; in an
/// unattended run it ends the run.
///
/// # Errors
///
/// What asking refuses; unattended, what `read` refuses.
pub fn ask_until<T>(
    console: &mut dyn Console,
    prompt: &Prompt,
    mut read: impl FnMut(&str) -> Result<T>,
) -> Result<T> {
    loop {
        let typed = console.ask_text(prompt)?;
        match read(&typed) {
            Ok(value) => return Ok(value),
            Err(refusal) if console.unattended() => return Err(refusal.at(format!("\"{}\"", prompt.id))),
            Err(refusal) => {
                let text = format!("found {}, expected {}", refusal.found(), refusal.expected());
                console.show(&Screen::default().callout(screen::Tone::Careful, text))?;
            }
        }
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The step's name, which is also the name of the answer in an answers file: `confirm`.
    pub id: String,
    /// The question, one short sentence.
    pub text: Safe,
    /// What the answer is for, one line each; shown before the question.
    pub help: Vec<Safe>,
    /// The answers that are allowed; empty if any text is.
    pub allowed: Vec<Safe>,
    /// For each of them, how a person reads it where they choose.
    pub shown: Vec<Safe>,
    /// What pressing Enter alone answers.
    pub default: Option<String>,
}

impl Prompt {
    /// A question that any text answers.
    pub fn new(id: impl Into<String>, text: impl Into<Safe>) -> Self {
        Self {
            id: id.into(),
            text: text.into(),
            help: Vec::new(),
            allowed: Vec::new(),
            shown: Vec::new(),
            default: None,
        }
    }

    /// The same with a line of explanation more.
    #[must_use]
    pub fn help(mut self, line: impl Into<Safe>) -> Self {
        self.help.push(line.into());
        self
    }

    /// The same with one allowed answer more.
    #[must_use]
    pub fn allow(self, answer: impl Into<Safe>) -> Self {
        let answer = answer.into();
        self.offer(answer.clone(), answer)
    }

    /// The same with one allowed answer more, which a person reads as `shown` where they choose.
    #[must_use]
    pub fn offer(mut self, answer: impl Into<Safe>, shown: impl Into<Safe>) -> Self {
        self.allowed.push(answer.into());
        self.shown.push(shown.into());
        self
    }

    /// The same with what Enter alone answers.
    #[must_use]
    pub fn default(mut self, answer: impl Into<String>) -> Self {
        self.default = Some(answer.into());
        self
    }
}

/// Where people read and answer.
///
/// Every method that waits for a person fails with `INTERRUPTED` when they press Ctrl-C, with the
/// cursor back, and with `TERMINAL` when the terminal is gone. In unattended runs answers come from
/// a file: `ANSWER-MISSING` if it lacks one, `ANSWER-WRONG` if it has another than is allowed.
pub trait Console {
    /// Shows a screen. On a terminal a screen longer than its window is shown page by page.
    fn show(&mut self, screen: &Screen) -> Result<()>;

    /// Asks for a line of text, trimmed, never empty.
    fn ask_text(&mut self, prompt: &Prompt) -> Result<String>;

    /// Asks for one of [`Prompt::allowed`] and answers its place, from 0. In an answers file the
    /// answer is the text, not the place.
    fn ask_choice(&mut self, prompt: &Prompt) -> Result<usize>;

    /// Asks what a step asks, in the words that it has for it. `places` says which words of a
    /// digest are to be typed, where they are.
    ///
    /// # Errors
    ///
    /// As the methods below.
    fn ask(&mut self, asked: &step::Prompt, places: Places) -> Result<Answer> {
        let text = match &asked.who {
            Some(person) => format!("{person}: {}", asked.meaning),
            None => asked.meaning.clone(),
        };
        let mut prompt = Prompt::new(asked.id.0.as_str(), text);
        match &asked.expect {
            step::Expect::Agree { digest, how: step::Confirmation::Yes } => {
                self.confirm_yes(&prompt, digest).map(|()| Answer::Agreed)
            }
            step::Expect::Agree { digest, how: step::Confirmation::Words } => {
                self.confirm_words(&prompt, digest, places).map(|()| Answer::Agreed)
            }
            step::Expect::Same => self.confirm_word(&prompt, "same").map(|()| Answer::Same),
            step::Expect::Text | step::Expect::Day => self.ask_text(&prompt).map(Answer::Text),
            step::Expect::Exactly(text) => {
                self.confirm_word(&prompt, text).map(|()| Answer::Text(text.clone()))
            }
            step::Expect::Choice(words) => {
                for word in words {
                    prompt = prompt.allow(word);
                }
                self.ask_choice(&prompt).map(Answer::Choice)
            }
        }
    }

    /// Says of what a session has several: runbooks by their files' names, changes by their digests;
    /// and what the session itself asks, before the first.
    ///
    /// # Errors
    ///
    /// Unattended, what [`Answers::parts`](crate::ceremony::answers::Answers::parts) refuses.
    fn parts(&mut self, _names: &[String], _own: &[step::StepId]) -> Result<()> {
        Ok(())
    }

    /// Turns to one of them, in which these steps can ask. Answers whether there is anyone to
    /// answer them: unattended, whether the file has its table.
    ///
    /// # Errors
    ///
    /// Unattended, `ANSWER-UNUSED` for an answer that none of them asks for.
    fn turn_to(&mut self, _name: &str, _asks: &[step::StepId]) -> Result<bool> {
        Ok(true)
    }

    /// Has one exact word typed.
    ///
    /// # Errors
    ///
    /// `NOT-CONFIRMED` if the person types `no`.
    fn confirm_word(&mut self, prompt: &Prompt, word: &str) -> Result<()>;

    /// Has a change agreed to by the word `Yes`, the digest having been shown. In an answers file
    /// the answer is the full digest.
    ///
    /// # Errors
    ///
    /// `NOT-CONFIRMED` if the person types `no`, or the file has another digest.
    fn confirm_yes(&mut self, prompt: &Prompt, digest: &Digest) -> Result<()>;

    /// Has a change agreed to by typing the words of its digest at `places`, copied from
    /// paper or another person's screen. In an answers file the answer is the full digest.
    ///
    /// # Errors
    ///
    /// `NOT-CONFIRMED` if the person types `no`, or wrong words three times, or the file has
    /// another digest.
    fn confirm_words(&mut self, prompt: &Prompt, digest: &Digest, places: Places) -> Result<()>;

    /// Waits until Enter is pressed. Unattended: goes on.
    fn press_enter(&mut self, prompt: &Prompt) -> Result<()>;

    /// Reads a secret without showing it. Unattended: never; `ANSWER-MISSING`.
    fn secret(&mut self, prompt: &Prompt) -> Result<Pin>;

    /// Reads a new secret twice, until both are equal. Unattended: never; `ANSWER-MISSING`.
    fn new_secret(&mut self, prompt: &Prompt) -> Result<Pin>;

    /// Shows a secret alone on the screen, lines of ASCII as they are, until Enter is pressed; then it is
    /// gone, from what can be scrolled back to as well.
    ///
    /// # Errors
    ///
    /// `SHOWN-ALONE` where nobody reads, and on a terminal that can't take back what it has shown.
    fn show_alone(&mut self, _text: &str, prompt: &Prompt) -> Result<()> {
        Err(Refusal::new(
            &rules::SHOWN_ALONE,
            format!("a secret to be shown, \"{}\", and nobody who reads it", prompt.id),
            "a person at a terminal",
        ))
    }

    /// Says what is being done, on one line that stays: `signing 3 of 7: root-b`.
    fn progress(&mut self, line: &Safe);

    /// Says that a token waits to be touched, with a bell.
    fn touch(&mut self, token: &Safe);

    /// Fails with `INTERRUPTED` if Ctrl-C was pressed since; asked between steps.
    fn interrupted(&self) -> Result<()>;

    /// The most letters of a code that can be drawn here; none where none can.
    fn room(&self) -> usize {
        0
    }

    /// Draws codes, one after another in one place, until Enter is pressed: `text` gives that of each
    /// number from 1 on. A still one is drawn once.
    ///
    /// # Errors
    ///
    /// `QR-SCREEN` where there is no room, and unattended.
    fn draw(&mut self, _text: &dyn Fn(u32) -> Result<String>, _still: bool) -> Result<()> {
        Err(qr::no_room("no terminal to draw on"))
    }

    /// Reads what a scanner types, text by text, until `take` has enough; it answers with a line to be
    /// shown, or none when it is done. Enter alone ends it too. Nothing typed in here reaches the next
    /// question.
    ///
    /// # Errors
    ///
    /// `ANSWER-MISSING` unattended; what `take` refuses.
    fn scan(&mut self, prompt: &Prompt, _take: &mut dyn FnMut(&str) -> Result<Option<Safe>>) -> Result<()> {
        let found = format!("a scanner asked for, \"{}\"", prompt.id);
        let expected = "images of the codes named on the command line";
        Err(Refusal::new(&crate::ceremony::rules::ANSWER_MISSING, found, expected))
    }

    /// Ends the session: refuses answers of a file that no question asked for.
    ///
    /// # Errors
    ///
    /// `ANSWER-UNUSED`.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether answers come from a file, and no person watches.
    fn unattended(&self) -> bool;
}
