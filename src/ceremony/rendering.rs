//! The views of a step: what the screen shows, what the printed script shows, what is asked.
//!
//! All three come from the same step, so that nobody reads on paper what the screen does not do.

use super::change::{CertificateTemplate, Change, CopyFrom, Item, NewShares};
use super::facts::Facts;
use super::people::{KeyName, Person};
use super::step::{Act, Confirmation, MediumAct, PersonAct, RecordAct, SecretAct, Step, StepId, TokenAct};
use crate::tuf::digest::Digest;
use crate::tuf::text::visible;

/// One line of a step on the screen. The text is already safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// What the step is.
    Title(String),
    /// A sentence, a difference.
    Text(String),
    /// Something to do now, by whom.
    Do(String),
    /// A digest, to be shown in hexadecimal and in words.
    Digest {
        /// What it is the digest of.
        what: String,
        /// The digest.
        digest: Digest,
    },
}

/// One row of the printed script; the screen's columns for initials and time come from the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperRow {
    /// The step's name.
    pub id: StepId,
    /// Who acts; empty for the program.
    pub who: String,
    /// What the step is.
    pub title: String,
    /// What is done now, if people do something.
    pub act: Option<String>,
    /// More lines below it.
    pub lines: Vec<String>,
    /// A digest to print in hexadecimal and words.
    pub digest: Option<Digest>,
    /// What is written by hand.
    pub blank: Option<Blank>,
}

/// Room for what is known only once the step is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blank {
    /// The 32 words of a digest: of what.
    Words(String),
    /// A line: what stands on it.
    Line(String),
}

impl PaperRow {
    /// The step in one sentence.
    pub fn sentence(&self) -> String {
        let what = match &self.act {
            Some(act) => format!("{}: {act}", self.title),
            None => self.title.clone(),
        };
        if self.who.is_empty() { what } else { format!("{}: {what}", self.who) }
    }
}

/// A question that a step asks: all of them are known before the first is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The step's name.
    pub id: StepId,
    /// Who is asked.
    pub who: Option<Person>,
    /// The question, one line.
    pub meaning: String,
    /// What may be answered.
    pub expect: Expect,
}

/// What may be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Agreement to a digest: in a file the full digest, at the terminal words or `Yes`.
    Agree {
        /// The digest of `change.json`.
        digest: Digest,
        /// How at the terminal.
        how: Confirmation,
    },
    /// `same`, exactly, once a digest has been compared.
    Same,
    /// A text, not empty, visible.
    Text,
    /// This text, exactly.
    Exactly(String),
    /// One of these words.
    Choice(Vec<String>),
    /// A day, as `2026-11-22`.
    Day,
}

impl Step {
    /// What the screen shows.
    pub fn screen(&self, change: &Change, facts: &Facts) -> Vec<Line> {
        let view = self.view(change, facts);
        let mut lines = vec![Line::Title(view.title)];
        lines.extend(view.lines.into_iter().map(Line::Text));
        lines.extend(view.digest.map(|(what, digest)| Line::Digest { what, digest }));
        let who = self.actor.as_ref().map_or_else(String::new, |who| format!("{who}: "));
        lines.extend(view.act.map(|act| Line::Do(format!("{who}{act}"))));
        lines
    }

    /// What the printed script shows.
    pub fn paper(&self, change: &Change, facts: &Facts) -> PaperRow {
        let view = self.view(change, facts);
        PaperRow {
            id: self.id.clone(),
            who: self.actor.as_ref().map_or_else(String::new, Person::to_string),
            title: view.title,
            act: view.act,
            lines: view.lines,
            digest: view.digest.map(|(_, digest)| digest),
            blank: view.blank,
        }
    }

    /// What it asks, if it asks anything. PINs and touches are asked by tokens, never here.
    pub fn prompt(&self) -> Option<Prompt> {
        let (meaning, expect) = match &self.act {
            Act::Person(PersonAct::ReadBack { what, .. }) => {
                (format!("does the digest of {what}, read aloud, compare?"), Expect::Same)
            }
            Act::Person(PersonAct::ReadBackKey { key }) => {
                (format!("does the digest of the new key {key}, read aloud, compare?"), Expect::Same)
            }
            Act::Person(PersonAct::Confirm { change, how }) => {
                let meaning = match how {
                    Confirmation::Words => "agree to the change by words of its digest, from paper",
                    Confirmation::Yes => "agree to the change by typing Yes",
                };
                (meaning.to_owned(), Expect::Agree { digest: *change, how: *how })
            }
            Act::Person(PersonAct::Note { question, .. }) => (question.clone(), Expect::Text),
            Act::Person(PersonAct::Witness { .. }) => {
                let name = self.actor.as_ref().map_or_else(String::new, Person::to_string);
                (
                    "copy the words of the transcript's head to paper, then type your name".to_owned(),
                    Expect::Exactly(name),
                )
            }
            _ => return None,
        };
        Some(Prompt { id: self.id.clone(), who: self.actor.clone(), meaning, expect })
    }

    fn view(&self, change: &Change, facts: &Facts) -> View {
        match &self.act {
            Act::Person(act) => person(act, change),
            Act::Token(act) => token(act, change, facts),
            Act::Medium(MediumAct::Export { recipient }) => View::of(format!("Hand over to {recipient}"))
                .act("connect an empty medium, then carry it over"),
            Act::Record(act) => record(act, change),
            Act::Secret(SecretAct::Deal(new)) => deal(new),
        }
    }
}

/// What every rendering of a step is made of.
struct View {
    title: String,
    lines: Vec<String>,
    digest: Option<(String, Digest)>,
    act: Option<String>,
    blank: Option<Blank>,
}

impl View {
    fn of(title: impl Into<String>) -> Self {
        Self { title: title.into(), lines: Vec::new(), digest: None, act: None, blank: None }
    }

    fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    fn lines(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.lines.extend(lines);
        self
    }

    fn digest(mut self, what: impl Into<String>, digest: Digest) -> Self {
        self.digest = Some((what.into(), digest));
        self
    }

    fn act(mut self, act: impl Into<String>) -> Self {
        self.act = Some(act.into());
        self
    }

    fn blank(mut self, blank: Blank) -> Self {
        self.blank = Some(blank);
        self
    }
}

fn person(act: &PersonAct, change: &Change) -> View {
    match act {
        PersonAct::Show { title, lines } => {
            View::of(title.as_str()).lines(lines.iter().cloned()).act("everyone reads this")
        }
        PersonAct::ReadBack { what, digest } => View::of(format!("Read back: {what}"))
            .digest(what.as_str(), *digest)
            .act("say the words aloud while another compares them with paper or a second screen"),
        PersonAct::ReadBackKey { key } => View::of(format!("Read back: the new key {key}"))
            .line("The words of its public key's digest go on everyone's paper.")
            .act("say the words aloud while another writes them down")
            .blank(Blank::Words(format!("the public key {key}"))),
        PersonAct::Confirm { change: digest, how } => View::of(format!("Agree: {}", change.frame.title))
            .digest("the change", *digest)
            .act(match how {
                Confirmation::Words => "type the three words that are asked for, from paper or another's screen",
                Confirmation::Yes => "type Yes to agree, no to refuse",
            }),
        PersonAct::Note { question, private } => {
            let view = View::of(question.as_str()).act("answer").blank(Blank::Line("the answer".to_owned()));
            if *private { view.line("The answer stays on this machine.") } else { view }
        }
        PersonAct::Witness { .. } => View::of("Witness")
            .line("The transcript so far has a digest, its head. Whoever has it on paper can tell later whether anything was changed.")
            .act("copy the words of the head to paper, then type your name")
            .blank(Blank::Words("the transcript's head".to_owned())),
    }
}

fn token(act: &TokenAct, change: &Change, facts: &Facts) -> View {
    match act {
        TokenAct::Generate(new) => {
            let view = View::of(format!("Make the key {}", new.name))
                .line(format!("{} for {}, to be held by {}.", new.spec, new.purpose.name(), new.holder))
                .line(match &new.exportable_under {
                    None => "It is made on the token and never leaves it.".to_owned(),
                    Some(under) => {
                        format!("It is made on the token and can leave it, wrapped under {under}.")
                    }
                });
            match &new.certificate {
                None => view,
                Some(template) => view.line(certificate(template)),
            }
            .act(format!("connect the token for {}", new.name))
        }
        TokenAct::Certify(new) => View::of(format!("A new certificate for {}", new.key))
            .line(certificate(&new.template))
            .line(held(&new.key, facts))
            .act(format!("connect the token of {}", new.key)),
        TokenAct::Sign { item, key } => {
            let signed = change.items.get(*item);
            let what = signed.map_or_else(String::new, Item::title);
            let view = View::of(format!("Sign {what} with {key}")).line(held(key, facts));
            let payload = signed.and_then(Item::payload_digest);
            match payload {
                Some(digest) => view.digest(what, digest),
                None => view,
            }
            .act(format!("connect the token of {key}"))
        }
        TokenAct::Drain { key } => View::of(format!("Read the audit log of {key}'s token"))
            .line(held(key, facts))
            .act(format!("connect the token of {key}")),
        TokenAct::Copy { key, wrap_key, shares } => {
            let view = View::of(format!("Copy the key {key}"))
                .line(format!("It leaves its token wrapped under {wrap_key}, into a file of its own."))
                .line(held(key, facts));
            let view = match shares {
                Some(shares) => view.digest(format!("the cards' manifest of {wrap_key}"), *shares),
                None => view,
            };
            view.act(format!("connect the token of {key}"))
        }
        TokenAct::Restore(back) => {
            let view = View::of(format!("Restore the key {}", back.key))
                .line(format!(
                    "Its copy under {} comes back on the token that the device map names.",
                    back.wrap_key
                ))
                .line(held(&back.key, facts));
            let view = match &back.from {
                CopyFrom::Cards { shares, copy } => view
                    .digest(format!("the copy of {}", back.key), *copy)
                    .digest(format!("the cards' manifest of {}", back.wrap_key), *shares),
                CopyFrom::Tool { split, copy } => view
                    .line(format!("The copy is the file whose SHA-256 begins {copy}."))
                    .line(format!("{} comes back by {split}.", back.wrap_key)),
            };
            view.act(format!("connect the other token for {}", back.key))
        }
        TokenAct::Destroy { key } => View::of(format!("Destroy the key {key}"))
            .line("Nothing brings it back.")
            .line(held(key, facts))
            .act(format!("connect the token of {key}")),
    }
}

fn deal(new: &NewShares) -> View {
    let holders = (1u8..).zip(&new.holders);
    View::of(format!("Deal out the wrap key {}", new.wrap_key))
        .line(format!(
            "{}: any {} of {} cards bring it back.",
            visible(&new.title),
            new.needed,
            new.holders.len()
        ))
        .lines(holders.map(|(number, who)| format!("share {number}: {who}")))
        .act("each custodian comes forward alone, copies their card, types it back, and seals it")
        .blank(Blank::Line("the custodians' initials".to_owned()))
}

fn record(act: &RecordAct, change: &Change) -> View {
    match act {
        RecordAct::TakeKey { item } => {
            let Some(Item::EnrolledKey(key)) = change.items.get(*item) else {
                return View::of("Take in a key");
            };
            View::of(format!("Take in the key {}", key.name))
                .line(format!(
                    "{} for {}, held by {}.",
                    key.public.describe(),
                    key.purpose.name(),
                    key.holder
                ))
                .digest(format!("the public key {}", key.name), key.public.identity().digest())
        }
        RecordAct::Seal => View::of("Seal")
            .lines(change.documents().map(|d| format!("{} {}", d.role(), d.version())))
            .line("Every signature is checked again; then the documents are written."),
        RecordAct::Upload => View::of("Write the upload")
            .line("What the backend is to get is written, with a MANIFEST of it.")
            .blank(Blank::Words("the MANIFEST".to_owned())),
    }
}

/// A token is named by holder, label and serial, never by a key id alone.
fn held(key: &KeyName, facts: &Facts) -> String {
    let Some(record) = facts.keys.get(key) else { return format!("{key} is not in the record yet.") };
    let token = match (record.label.as_str(), record.serial.as_str()) {
        ("", "") => format!("kept as: {}", visible(&record.token)),
        (label, "") => format!("on the token labelled \"{}\"", visible(label)),
        (label, serial) => {
            format!("on the token labelled \"{}\", serial {}", visible(label), visible(serial))
        }
    };
    format!("{key} is held by {}, {token}.", record.holder)
}

fn certificate(template: &CertificateTemplate) -> String {
    format!(
        "It signs its own certificate for {}, valid from {} to {}.",
        visible(&template.common_name),
        template.not_before.date(),
        template.not_after.date()
    )
}
