//! Steps in which a person acts: read, compare, agree, answer, witness.

use super::journal::Of;
use super::{Agenda, Room};
use crate::ceremony::confirm::Places;
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::people::KeyName;
use crate::ceremony::step::{Confirmation, Line, PersonAct, Step};
use crate::ceremony::transcript::{Confirmed, Outcome, Private, Witnessed};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::ui::Prompt;
use crate::ui::screen::Screen;
use std::collections::BTreeMap;

impl Room<'_> {
    pub(super) fn ask(
        &mut self,
        agenda: &Agenda<'_>,
        step: &Step,
        act: &PersonAct,
        facts: &Facts,
    ) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let outcome = match act {
            PersonAct::Show { title, lines } => {
                let mut screen = self.screen(agenda, step, facts);
                // The first screen, by which people decide: before any token is touched.
                if agenda.steps.first() == Some(step) && !agenda.clients.is_empty() {
                    let lines = agenda.clients.iter().map(String::as_str);
                    screen = screen.heading("What customers' clients will make of it").items(lines);
                }
                self.console.show(&screen)?;
                let prompt = Prompt::new(step.id.to_string(), "Press Enter once everyone has read this.");
                self.console.press_enter(&prompt)?;
                Outcome::Show { title: title.clone(), lines: lines.clone() }
            }
            PersonAct::ReadBack { what, digest } => {
                let screen = self.screen(agenda, step, facts);
                self.read_back(step, &screen, what, *digest)?
            }
            PersonAct::ReadBackKey { key } => {
                let what = format!("the public key {key}");
                let digest = self.identity(key, facts)?;
                let screen = self.screen(agenda, step, facts).digest(what.as_str(), digest);
                self.read_back(step, &screen, &what, digest)?
            }
            PersonAct::Confirm { change, how } => {
                Outcome::Confirm { how: self.confirm(step, *change, *how)?, change: *change }
            }
            PersonAct::Note { question, private } => return self.note(of, question, *private),
            PersonAct::Witness { key } => {
                // A key of their own, if the record has one and its token is here; else paper.
                let own = step.actor.as_ref().and_then(|person| facts.witness_key(person)).map(|r| &r.name);
                let key = key.as_ref().or(own).filter(|key| self.keyring.here(key));
                return self.witness(of, step, key);
            }
        };
        self.journal.say(self.record, self.session, of, outcome)
    }

    /// The step's screen; the renderings live with the step.
    pub fn screen(&self, agenda: &Agenda<'_>, step: &Step, facts: &Facts) -> Screen {
        let mut screen: Option<Screen> = None;
        for line in step.screen(agenda.change, facts) {
            let so_far = screen.take();
            screen = Some(match (line, so_far) {
                (Line::Title(title), None) => Screen::new(title),
                (Line::Title(title), Some(s)) => s.heading(title),
                (Line::Text(text), s) => s.unwrap_or_default().text(text),
                (Line::Do(text), s) => s.unwrap_or_default().next(text),
                (Line::Digest { what, digest }, s) => s.unwrap_or_default().digest(what, digest),
            });
        }
        screen.unwrap_or_default().rehearsal(facts.trust.stage == Stage::Rehearsal)
    }

    fn read_back(&mut self, step: &Step, screen: &Screen, what: &str, digest: Digest) -> Result<Outcome> {
        self.console.show(screen)?;
        let prompt = Prompt::new(step.id.to_string(), "Type same once every word has been compared")
            .help("One person reads the words aloud; another compares them with paper or a second screen.");
        self.console.confirm_word(&prompt, "same")?;
        Ok(Outcome::ReadBack { what: what.to_owned(), digest })
    }

    /// The identity of a key that this ceremony made, in this session or an earlier one.
    fn identity(&self, name: &KeyName, facts: &Facts) -> Result<Digest> {
        let made = self.journal.entries().iter().rev().find_map(|(entry, _)| match &entry.outcome {
            Outcome::Key { name: n, identity, .. } if n == name => Some(identity.digest()),
            _ => None,
        });
        made.or_else(|| facts.keys.get(name).map(|r| r.public.identity().digest())).ok_or_else(|| {
            Refusal::new(
                &crate::ceremony::kinds::rules::KEY_UNKNOWN,
                format!("no key {name} in the record"),
                "the key that an earlier step makes",
            )
        })
    }

    fn confirm(&mut self, step: &Step, change: Digest, how: Confirmation) -> Result<Confirmed> {
        let prompt = Prompt::new(step.id.to_string(), "Do you agree to this change?").help(match how {
            Confirmation::Yes => "Type Yes to agree, or no to stop.",
            Confirmation::Words => {
                "Type three words of its digest, from paper or another's screen, or no to stop."
            }
        });
        match how {
            Confirmation::Yes => self.console.confirm_yes(&prompt, &change)?,
            Confirmation::Words => {
                let places = Places::from_random(self.session.random::<3>()?);
                self.console.confirm_words(&prompt, &change, places)?;
            }
        }
        Ok(match (self.console.unattended(), how) {
            (true, _) => Confirmed::Digest,
            (false, Confirmation::Words) => Confirmed::Words,
            (false, Confirmation::Yes) => Confirmed::Yes,
        })
    }

    fn note(&mut self, of: Of<'_>, question: &str, private: bool) -> Result<()> {
        let id = of.step.map(|s| s.id.to_string()).unwrap_or_default();
        let mut prompt = Prompt::new(id, question);
        if private {
            prompt = prompt.help("The answer stays on this machine; the transcript holds its salted digest.");
        }
        let answer = self.console.ask_text(&prompt)?;
        let question = question.to_owned();
        if !private {
            let outcome = Outcome::Note { question, answer: Some(answer) };
            return self.journal.say(self.record, self.session, of, outcome);
        }
        let value = Private { salt: self.session.random::<32>()?, value: answer };
        let outcome = Outcome::Note { question, answer: None };
        let private = BTreeMap::from([("answer".to_owned(), value)]);
        self.journal.say_with(self.record, self.session, of, outcome, private)
    }

    fn witness(&mut self, of: Of<'_>, step: &Step, key: Option<&KeyName>) -> Result<()> {
        let Some(witness) = step.actor.clone() else { return Ok(()) };
        let Some((number, head)) = self.journal.head() else { return Ok(()) };
        let screen = Screen::new(format!("{witness}, you are the witness"))
            .text("You have seen every step so far. Copy these words to paper, with today's date, and sign the paper. Whoever changes a step later can't change your paper.")
            .digest(format!("transcript {} up to entry {number}", self.journal.ceremony()), head);
        self.console.show(&screen)?;
        let how = if let Some(key) = key {
            Witnessed::Statement(self.witness_statement(key, &witness, number, head)?)
        } else {
            let prompt = Prompt::new(step.id.to_string(), "Type your name once the words are on paper.");
            self.console.confirm_word(&prompt, witness.as_str())?;
            Witnessed::Words(head.words().join(" "))
        };
        self.journal.say(self.record, self.session, of, Outcome::Witness { witness, how })?;
        key.map_or(Ok(()), |key| self.drain(key))
    }
}
