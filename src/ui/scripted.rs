//! Answers from a file in a person's place: nothing is asked, nothing is guessed, not even what
//! pressing Enter alone would answer.

use super::interrupt::Interrupt;
use super::layout::lay_out;
use super::look::Look;
use super::screen::{Safe, Screen};
use super::{Console, Prompt, rules};
use crate::ceremony::answers::{Answer, Answers};
use crate::ceremony::confirm::Places;
use crate::ceremony::step::{self, Confirmation, Expect, StepId};
use crate::signer::secret::Pin;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::io::Write;

/// Answers by the names of their questions.
pub struct Scripted {
    answers: Answers,
    out: Box<dyn Write>,
    look: Look,
    interrupt: Interrupt,
}

impl Scripted {
    /// Answers in a person's place; screens are written to `out`, laid out for `look`.
    pub fn new(answers: Answers, out: Box<dyn Write>, look: Look, interrupt: Interrupt) -> Self {
        Self { answers, out, look, interrupt }
    }

    fn take(&mut self, prompt: &Prompt, expect: Expect) -> Result<Answer> {
        let id = StepId(prompt.id.clone());
        self.ask(
            &step::Prompt { id, who: None, meaning: prompt.text.to_string(), expect },
            Places::from_random([0; 3]),
        )
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let gone = |e: std::io::Error| Refusal::new(&rules::TERMINAL, e.to_string(), "an output to write to");
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(gone)
    }
}

fn words(prompt: &Prompt) -> Vec<String> {
    prompt.allowed.iter().map(Safe::to_string).collect()
}

/// The answers file gives another kind of answer than was asked for, which its reader prevents.
fn another(prompt: &Prompt) -> Refusal {
    let found = format!("another kind of answer to \"{}\"", visible(&prompt.id));
    Refusal::new(&crate::ceremony::rules::ANSWER_WRONG, found, "an answer to the question asked")
}

impl Console for Scripted {
    fn show(&mut self, screen: &Screen) -> Result<()> {
        self.interrupt.check()?;
        let mut page = String::from("\n");
        for line in lay_out(screen, &self.look) {
            page.push_str(&line);
            page.push('\n');
        }
        self.write(&page)
    }

    fn ask(&mut self, asked: &step::Prompt, _places: Places) -> Result<Answer> {
        self.interrupt.check()?;
        self.answers.take(asked)
    }

    fn ask_text(&mut self, prompt: &Prompt) -> Result<String> {
        if !prompt.allowed.is_empty() {
            let place = self.ask_choice(prompt)?;
            return Ok(prompt.allowed.get(place).map(Safe::to_string).unwrap_or_default());
        }
        match self.take(prompt, Expect::Text)? {
            Answer::Text(text) => Ok(text),
            _ => Err(another(prompt)),
        }
    }

    fn ask_choice(&mut self, prompt: &Prompt) -> Result<usize> {
        match self.take(prompt, Expect::Choice(words(prompt)))? {
            Answer::Choice(place) => Ok(place),
            _ => Err(another(prompt)),
        }
    }

    fn confirm_word(&mut self, prompt: &Prompt, word: &str) -> Result<()> {
        self.take(prompt, Expect::Exactly(word.to_owned())).map(|_| ())
    }

    fn confirm_yes(&mut self, prompt: &Prompt, digest: &Digest) -> Result<()> {
        self.take(prompt, Expect::Agree { digest: *digest, how: Confirmation::Yes }).map(|_| ())
    }

    fn confirm_words(&mut self, prompt: &Prompt, digest: &Digest, _places: Places) -> Result<()> {
        self.take(prompt, Expect::Agree { digest: *digest, how: Confirmation::Words }).map(|_| ())
    }

    fn press_enter(&mut self, _prompt: &Prompt) -> Result<()> {
        self.interrupt.check()
    }

    fn secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        let found = format!("a secret asked for, \"{}\"", visible(&prompt.id));
        let expected =
            "pin = a file of mode 0600 in the device map, since no secret stands in an answers file";
        Err(Refusal::new(&crate::ceremony::rules::ANSWER_MISSING, found, expected))
    }

    fn new_secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        self.secret(prompt)
    }

    fn progress(&mut self, line: &Safe) {
        let text = format!("  {}\n", self.look.text(line));
        let _ = self.write(&text);
    }

    fn touch(&mut self, token: &Safe) {
        let text = format!("  Touch it now: {}\n", self.look.text(token));
        let _ = self.write(&text);
    }

    fn interrupted(&self) -> Result<()> {
        self.interrupt.check()
    }

    fn parts(&mut self, names: &[String], own: &[StepId]) -> Result<()> {
        self.answers.parts(names, own)
    }

    fn turn_to(&mut self, name: &str, asks: &[StepId]) -> Result<bool> {
        self.answers.turn_to(name, asks)
    }

    fn finish(&mut self) -> Result<()> {
        self.answers.all_used()
    }

    fn unattended(&self) -> bool {
        true
    }
}
