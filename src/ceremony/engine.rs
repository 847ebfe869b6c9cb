//! The engine: of all steps, which is next. Pure: the same steps and outcomes give the same answer,
//! so a session that was cut off goes on where it was.
//!
//! What people do (read, compare, agree, answer, witness) belongs to a session and is done again in
//! another; what tokens and the record do belongs to the change and is never done twice.

use super::change::{Change, Item};
use super::people::{Duty, KeyName, Person};
use super::rules;
use super::runbook::{Note, Runbook};
use super::standing::{Asked, ItemStanding, Standing, State};
use super::step::{Act, PersonAct, RecordAct, SecretAct, Step, StepId, TokenAct};
use super::transcript::{CeremonyId, Entry, Intent, Outcome};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::collections::{BTreeMap, BTreeSet};

/// What has happened so far.
#[derive(Clone, Copy)]
pub struct Progress<'a> {
    /// The session that goes on now.
    pub session: CeremonyId,
    /// The change's digest.
    pub change: Digest,
    /// Entries of every transcript at hand that belong to this change, in any order.
    pub entries: &'a [&'a Entry],
    /// How the change stands by the signatures that the record holds.
    pub standing: &'a Standing,
    /// Whether a key's token is in reach of this session.
    pub here: &'a dyn Fn(&KeyName) -> bool,
    /// Whether signatures have come in that the sealed documents lack: it is sealed again.
    pub late: bool,
    /// Whether the administrator has said in this session to wait for signatures that are missing
    /// though every threshold is met. That they closed the gathering is an entry.
    pub wait: bool,
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// This step.
    Step(&'a Step),
    /// This step makes a key, and an earlier session was cut off while it was made: look for it by
    /// its tag first.
    Adopt(&'a Step),
    /// Every threshold is met but these have not signed: ask whether to seal now.
    MaySeal(&'a Step, Vec<Waiting>),
    /// Nothing can be done here until these have acted.
    Waiting(Vec<Waiting>),
    /// The change can't go on.
    Stopped(Refusal),
    /// Every step is done.
    Done,
}

/// Someone who is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Who.
    pub holder: Person,
    /// With which key.
    pub key: KeyName,
}

/// Says what is next.
///
/// A session that can do nothing for the change asks nobody anything: then it waits, or is done.
pub fn next<'a>(change: &Change, steps: &'a [Step], progress: &Progress<'_>) -> Next<'a> {
    if let Some(refusal) = progress.standing.refusal() {
        return Next::Stopped(refusal);
    }
    let view = View::new(change, progress);
    let mut blocked = false;
    let found: Vec<(&Step, Status)> = steps
        .iter()
        .map(|step| {
            let status = view.status(step, blocked);
            blocked |= matches!(status, Status::Blocked(_) | Status::Later);
            (step, status)
        })
        .collect();
    let acts = |step: &Step| match &step.act {
        Act::Person(act) => matches!(act, PersonAct::ReadBackKey { .. }),
        Act::Medium(_) => false,
        Act::Token(_) | Act::Record(_) | Act::Secret(_) => true,
    };
    let open = |status: &Status| matches!(status, Status::Ready | Status::Adopt | Status::MaySeal(_));
    let useful = found.iter().any(|(step, status)| acts(step) && open(status));
    if useful || view.begun {
        for (step, status) in &found {
            match status {
                Status::Ready => return Next::Step(step),
                Status::Adopt => return Next::Adopt(step),
                Status::MaySeal(missing) => return Next::MaySeal(step, missing.clone()),
                Status::Done | Status::Blocked(_) | Status::Later => {}
            }
        }
    }
    if !blocked {
        return Next::Done;
    }
    let waiting: BTreeSet<Waiting> = found
        .into_iter()
        .flat_map(|(_, status)| if let Status::Blocked(who) = status { who } else { Vec::new() })
        .collect();
    Next::Waiting(waiting.into_iter().collect())
}

/// How one step stands.
enum Status {
    /// It is done, or nothing is left to do for it.
    Done,
    /// It can be done now.
    Ready,
    /// As ready, but look for what an earlier session made.
    Adopt,
    /// It can be done now, or these can be waited for.
    MaySeal(Vec<Waiting>),
    /// These have to act first.
    Blocked(Vec<Waiting>),
    /// An earlier step of this list has to be done first.
    Later,
}

/// How far a change has come; each of these implies the ones before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    /// Signatures are gathered.
    Gathering,
    /// The administrator has ended the gathering, with every threshold met.
    Closed,
    /// Its documents are in the record.
    Sealed,
    /// The upload is written, or the backend has the documents already.
    Uploaded,
}

/// What has happened, looked up by what it happened to: a change can have thousands of steps.
struct View<'a> {
    change: &'a Change,
    progress: &'a Progress<'a>,
    /// Whether the session has begun on this change.
    begun: bool,
    by_step: BTreeMap<&'a StepId, Vec<&'a Entry>>,
    intended: BTreeSet<&'a KeyName>,
    /// Keys that a token was about to destroy, and those that it has.
    doomed: BTreeSet<&'a KeyName>,
    destroyed: BTreeSet<&'a KeyName>,
    written: BTreeSet<&'a KeyName>,
    /// Wrap keys that were dealt out, and keys that left their token.
    dealt: BTreeSet<&'a KeyName>,
    copied: BTreeSet<&'a KeyName>,
    enrolled: BTreeSet<&'a KeyName>,
    reached: Reached,
    items: BTreeMap<usize, &'a ItemStanding>,
}

impl<'a> View<'a> {
    fn new(change: &'a Change, progress: &'a Progress<'a>) -> Self {
        let standing = progress.standing;
        let mut view = Self {
            change,
            progress,
            begun: false,
            by_step: BTreeMap::new(),
            intended: BTreeSet::new(),
            doomed: BTreeSet::new(),
            destroyed: BTreeSet::new(),
            written: BTreeSet::new(),
            dealt: BTreeSet::new(),
            copied: BTreeSet::new(),
            enrolled: BTreeSet::new(),
            reached: match standing.state {
                State::Published => Reached::Uploaded,
                State::Sealed if !progress.late => Reached::Sealed,
                _ => Reached::Gathering,
            },
            items: standing.items.iter().map(|item| (item.item, item)).collect(),
        };
        for entry in progress.entries.iter().filter(|entry| entry.change == Some(progress.change)) {
            view.begun |= entry.ceremony == progress.session;
            if let Some(step) = &entry.step {
                view.by_step.entry(step).or_default().push(entry);
            }
            match &entry.outcome {
                Outcome::Intent { key, what: Intent::Generate { .. }, .. } => drop(view.intended.insert(key)),
                Outcome::Intent { key, what: Intent::Destroy, .. } => drop(view.doomed.insert(key)),
                Outcome::Destroy { key, .. } => drop(view.destroyed.insert(key)),
                Outcome::Key { name, .. } => drop(view.written.insert(name)),
                Outcome::Shares { wrap_key, .. } => drop(view.dealt.insert(wrap_key)),
                Outcome::Copy { key, .. } => drop(view.copied.insert(key)),
                Outcome::Enrol { name, .. } => drop(view.enrolled.insert(name)),
                // Anyone can write an entry: whoever calls leaves out what the record doesn't bear out.
                Outcome::Close { .. } if matches!(standing.state, State::Complete { .. }) => {
                    view.reached = view.reached.max(Reached::Closed);
                }
                // Sealed again: what earlier sessions sealed and uploaded lacks the late signatures.
                Outcome::Seal { .. } | Outcome::Upload { .. }
                    if progress.late && entry.ceremony != progress.session => {}
                Outcome::Seal { .. } => view.reached = view.reached.max(Reached::Sealed),
                Outcome::Upload { .. } => view.reached = Reached::Uploaded,
                _ => {}
            }
        }
        view
    }

    fn status(&self, step: &Step, blocked: bool) -> Status {
        match &step.act {
            Act::Person(PersonAct::ReadBackKey { key }) => self.read_back_key(step, key),
            Act::Person(act) => ready_unless(self.in_session(step).any(|o| self.answers(act, o))),
            Act::Token(TokenAct::Generate(new)) => self.generate(&new.name, &new.holder),
            Act::Token(TokenAct::Certify(new)) if self.written.contains(&new.key) => Status::Done,
            Act::Token(TokenAct::Certify(new)) => self.if_here(step.actor.as_ref(), &new.key, Status::Ready),
            Act::Token(TokenAct::Sign { item, key }) => self.sign(*item, key),
            Act::Token(TokenAct::Drain { .. }) if self.by_step.contains_key(&step.id) => Status::Done,
            Act::Token(TokenAct::Destroy { key }) => self.destroy(step, key, blocked),
            Act::Token(TokenAct::Copy { key, .. }) if self.copied.contains(key) => Status::Done,
            Act::Token(TokenAct::Copy { key, .. } | TokenAct::Drain { key }) => {
                self.if_here(step.actor.as_ref(), key, Status::Ready)
            }
            Act::Token(TokenAct::Restore(back)) if self.written.contains(&back.key) => Status::Done,
            Act::Token(TokenAct::Restore(back)) => {
                self.if_here(step.actor.as_ref(), &back.key, Status::Ready)
            }
            Act::Secret(SecretAct::Deal(new)) => self.deal(step, &new.wrap_key),
            Act::Record(RecordAct::TakeKey { item }) => match self.change.items.get(*item) {
                Some(Item::EnrolledKey(key)) => ready_unless(self.enrolled.contains(&key.name)),
                _ => Status::Done,
            },
            Act::Record(RecordAct::Seal) => self.seal(),
            Act::Record(RecordAct::Upload) => match self.reached {
                Reached::Gathering | Reached::Closed => Status::Later,
                Reached::Sealed => Status::Ready,
                Reached::Uploaded => Status::Done,
            },
            Act::Medium(_) => ready_unless(self.in_session(step).next().is_some()),
        }
    }

    /// Outcomes of a step in any session.
    fn of_step(&self, step: &Step) -> impl Iterator<Item = &'a Entry> {
        self.by_step.get(&step.id).into_iter().flatten().copied()
    }

    /// Outcomes of a step in the session that goes on.
    fn in_session(&self, step: &Step) -> impl Iterator<Item = &'a Outcome> {
        let session = self.progress.session;
        self.of_step(step).filter(move |entry| entry.ceremony == session).map(|entry| &entry.outcome)
    }

    /// Whether an outcome is what a person was asked for.
    fn answers(&self, act: &PersonAct, outcome: &Outcome) -> bool {
        match (act, outcome) {
            (PersonAct::Show { .. }, Outcome::Show { .. })
            | (PersonAct::Note { .. }, Outcome::Note { .. })
            | (PersonAct::Witness { .. }, Outcome::Witness { .. }) => true,
            (PersonAct::ReadBack { digest, .. }, Outcome::ReadBack { digest: read, .. }) => digest == read,
            (PersonAct::Confirm { .. }, Outcome::Confirm { change, .. }) => *change == self.progress.change,
            _ => false,
        }
    }

    /// What can't be undone comes after everything that others still have to do.
    fn destroy(&self, step: &Step, key: &KeyName, blocked: bool) -> Status {
        if self.destroyed.contains(key) {
            return Status::Done;
        }
        let status = match (blocked, self.gathered()) {
            (false, _) if self.doomed.contains(key) => Status::Adopt,
            (false, _) => Status::Ready,
            (true, Status::MaySeal(missing)) => Status::MaySeal(missing),
            (true, _) => Status::Later,
        };
        match status {
            Status::Later => Status::Later,
            status => self.if_here(step.actor.as_ref(), key, status),
        }
    }

    /// A wrap key is drawn with the help of a token whose key will be copied: one has to be here.
    fn deal(&self, step: &Step, wrap_key: &KeyName) -> Status {
        let copied = self.change.items.iter().find_map(|item| match item {
            Item::KeyCopy { key, .. } => Some(key),
            _ => None,
        });
        match copied {
            _ if self.dealt.contains(wrap_key) => Status::Done,
            Some(key) => self.if_here(step.actor.as_ref(), key, Status::Ready),
            None => Status::Ready,
        }
    }

    fn if_here(&self, holder: Option<&Person>, key: &KeyName, status: Status) -> Status {
        match holder {
            Some(holder) if !(self.progress.here)(key) => {
                Status::Blocked(vec![Waiting { holder: holder.clone(), key: key.clone() }])
            }
            _ => status,
        }
    }

    fn generate(&self, key: &KeyName, holder: &Person) -> Status {
        if self.written.contains(key) {
            return Status::Done;
        }
        let status = if self.intended.contains(key) { Status::Adopt } else { Status::Ready };
        self.if_here(Some(holder), key, status)
    }

    /// A key that was made is read back in the session that goes on: those who are here saw it.
    fn read_back_key(&self, step: &Step, key: &KeyName) -> Status {
        if !self.written.contains(key) {
            return Status::Later;
        }
        ready_unless(self.in_session(step).any(|outcome| matches!(outcome, Outcome::ReadBack { .. })))
    }

    fn sign(&self, item: usize, key: &KeyName) -> Status {
        let missing = self.items.get(&item).map(|item| item.missing.as_slice()).unwrap_or_default();
        // The gathering is over: by hand, by the day, or because it is sealed. Until it is published,
        // whoever is here may add their signature to what is sealed.
        let sealed = self.progress.standing.state == State::Sealed;
        let over = self.progress.standing.past_sign_by || (self.reached > Reached::Gathering && !sealed);
        match missing.iter().find(|asked| asked.key == *key) {
            Some(_) if sealed && !(self.progress.here)(key) => Status::Done,
            Some(asked) if !over => self.if_here(Some(&asked.holder), key, Status::Ready),
            _ => Status::Done,
        }
    }

    /// A change that says of a key that it is destroyed is sealed once it is.
    fn seal(&self) -> Status {
        let left =
            |item: &Item| matches!(item, Item::DestroyedKey { key, .. } if !self.destroyed.contains(key));
        match self.gathered() {
            Status::Ready | Status::MaySeal(_) if self.change.items.iter().any(left) => Status::Later,
            status => status,
        }
    }

    /// Whether the gathering of signatures is over.
    fn gathered(&self) -> Status {
        let standing = self.progress.standing;
        let waiting = |asked: Vec<&Asked>| {
            let wait = |a: &Asked| Waiting { holder: a.holder.clone(), key: a.key.clone() };
            asked.into_iter().map(wait).collect::<Vec<_>>()
        };
        let over = self.reached == Reached::Closed || standing.past_sign_by;
        match &standing.state {
            _ if self.reached >= Reached::Sealed => Status::Done,
            State::Sealed => Status::Ready,
            State::Complete { everyone } if *everyone || over => Status::Ready,
            State::Complete { .. } if self.progress.wait => Status::Blocked(waiting(standing.missing())),
            State::Complete { .. } => Status::MaySeal(waiting(standing.missing())),
            _ => Status::Blocked(waiting(standing.needed())),
        }
    }
}

fn ready_unless(done: bool) -> Status {
    if done { Status::Done } else { Status::Ready }
}

/// All steps of a ceremony: the site's questions before, the kind's own steps, the site's questions
/// after, and the witnesses.
///
/// A witness who has a key of purpose `witness` in the record signs the transcript's head with it;
/// whoever performs the step looks for one.
///
/// # Errors
///
/// `RUNBOOK` if two steps have one name.
pub fn assemble(runbook: &Runbook, own: Vec<Step>) -> Result<Vec<Step>> {
    let notes = |when: &str, notes: &[Note]| {
        let note = |(at, note): (usize, &Note)| {
            let act = PersonAct::Note { question: note.question.clone(), private: note.private };
            let id = format!("{when}.{}", at.saturating_add(1));
            Step::new(&id, runbook.administrator(), Act::Person(act))
        };
        notes.iter().enumerate().map(note).collect::<Vec<_>>()
    };
    let watch = runbook.people.iter().filter(|(_, duty)| **duty == Duty::Witness);
    let witnesses = watch.map(|(person, _)| {
        let act = Act::Person(PersonAct::Witness { key: None });
        Step::new(&format!("witness.{person}"), Some(person), act)
    });
    let mut steps = notes("before", &runbook.before);
    steps.extend(own);
    steps.extend(notes("after", &runbook.after));
    steps.extend(witnesses);
    let mut names = BTreeSet::new();
    match steps.iter().find(|step| !names.insert(&step.id)) {
        None => Ok(steps),
        Some(twice) => Err(Refusal::new(
            &rules::RUNBOOK,
            format!("two steps called \"{}\"", visible(&twice.id.0)),
            "steps of different names: a key made, enrolled or asked once",
        )),
    }
}
