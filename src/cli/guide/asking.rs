//! What every way asks by: one of a list, several of a list, a name, a number, a day, people.
//!
//! A list comes from the record wherever it can. On a terminal one is chosen at a time; an answers
//! file names them all with commas between. What can't be is told and asked again.

use super::keeping::{BACK, Keeping};
use super::record::{Known, plain};
use super::refuse;
use crate::ceremony::facts::Facts;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::planner::Cast;
use crate::record::Contents;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::ours;
use crate::tuf::time::Time;
use crate::ui::screen::{Safe, Screen, Tone};
use crate::ui::{Console, Prompt};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Whoever is asked for a name that is in no list types it under this.
const OTHER: &str = "other";
/// That all are named.
const DONE: &str = "done";
/// Nobody, nothing.
pub const NONE: &str = "none";
/// What is still to be made.
pub const NEW: &str = "new";

/// The questions of one guide.
pub struct Asking<'a> {
    pub keeping: Keeping<'a>,
    pub contents: &'a Contents,
    /// Whether the folder of the first day's runbooks is there.
    pub written_first_day: bool,
}

impl<'a> Asking<'a> {
    /// What the record says.
    pub const fn facts(&self) -> &'a Facts {
        &self.contents.facts
    }

    /// What is in the record to be offered.
    pub const fn known(&self) -> Known<'a> {
        Known { contents: self.contents }
    }

    /// A text, by `read`; what it refuses is told and asked again.
    pub fn text<T>(&mut self, prompt: &Prompt, mut read: impl FnMut(&str) -> Result<T>) -> Result<T> {
        loop {
            let answer = self.keeping.ask_text(prompt)?;
            match ours("an answer", &answer).and_then(|()| read(&answer)) {
                Ok(value) => return Ok(value),
                Err(refusal) if self.keeping.unattended() => {
                    return Err(refusal.at(format!("\"{}\"", prompt.id)));
                }
                Err(refusal) => {
                    self.keeping.again();
                    let text = format!("found {}, expected {}", refusal.found(), refusal.expected());
                    self.keeping.show(&Screen::default().callout(Tone::Careful, text))?;
                }
            }
        }
    }

    /// One of a prompt's offers.
    pub fn choose(&mut self, prompt: &Prompt) -> Result<String> {
        self.chosen(prompt).map(|offer| meant(&offer).to_owned())
    }

    /// The same as it is offered, so that no name is taken for a word of the guide's.
    fn chosen(&mut self, prompt: &Prompt) -> Result<String> {
        let place = self.keeping.ask_choice(prompt)?;
        Ok(prompt.allowed.get(place).map(Safe::to_string).unwrap_or_default())
    }

    /// Several of a prompt's offers, in their order; `none` says whether nobody is an answer, and
    /// `other` how one that is not in the list is offered, asked for and read.
    pub fn several(
        &mut self,
        prompt: &Prompt,
        none: bool,
        mut other: Option<(&str, &Prompt, &mut Reader<'_>)>,
    ) -> Result<Vec<String>> {
        let offers: Vec<(String, Safe)> =
            prompt.allowed.iter().map(Safe::to_string).zip(prompt.shown.iter().cloned()).collect();
        if self.keeping.unattended() {
            let text = Prompt { allowed: Vec::new(), shown: Vec::new(), ..prompt.clone() };
            return self.text(&text, |answer| {
                if none && answer == NONE {
                    return Ok(Vec::new());
                }
                let mut all = Vec::new();
                for one in answer.split(',').map(str::trim) {
                    if all.iter().any(|known| known == one) {
                        return Err(refuse(one, "each of them once"));
                    }
                    let offered = offers.iter().any(|(name, _)| name == one);
                    match &mut other {
                        _ if offered => {}
                        Some((.., read)) => read(one)?,
                        None => {
                            let names: Vec<_> = offers.iter().map(|(name, _)| name.as_str()).collect();
                            return Err(refuse(one, &format!("one of {}", names.join(", "))));
                        }
                    }
                    all.push(one.to_owned());
                }
                Ok(all.iter().map(|one| meant(one).to_owned()).collect())
            });
        }
        let mut chosen: Vec<String> = Vec::new();
        loop {
            let number = chosen.len().saturating_add(1);
            let left: Vec<_> = offers.iter().filter(|(name, _)| !chosen.contains(name)).collect();
            if left.is_empty() && other.is_none() {
                break;
            }
            let mut one = if chosen.is_empty() {
                Prompt { allowed: Vec::new(), shown: Vec::new(), ..prompt.clone() }
            } else {
                Prompt::new("", format!("{} Another one?", prompt.text))
                    .help(format!("So far: {}.", chosen.join(", ")))
            };
            one.id = format!("{}.{number}", prompt.id);
            one.default = None;
            if !chosen.is_empty() {
                one = one.offer(DONE, "that is all");
            } else if none {
                one = one.offer(DONE, NONE);
            }
            for (name, shown) in left {
                one = one.offer(name, shown.clone());
            }
            if let Some((label, ..)) = &other {
                one = one.offer(OTHER, *label);
            }
            match (self.chosen(&one)?.as_str(), &mut other) {
                (DONE, _) => break,
                (OTHER, Some((_, typed, read))) => {
                    let mut typed = typed.clone();
                    typed.id = format!("{}.name", one.id);
                    let name = self.text(&typed, |answer| {
                        if chosen.iter().any(|known| known == answer) {
                            return Err(refuse(answer, "each of them once"));
                        }
                        read(answer).map(|()| answer.to_owned())
                    })?;
                    chosen.push(name);
                }
                (name, _) => chosen.push(name.to_owned()),
            }
        }
        Ok(chosen.iter().map(|one| meant(one).to_owned()).collect())
    }

    /// Several keys of the record.
    pub fn keys(
        &mut self,
        prompt: Prompt,
        keys: &BTreeSet<KeyName>,
        none: bool,
    ) -> Result<BTreeSet<KeyName>> {
        let prompt = self.known().offer_keys(prompt, keys);
        self.several(&prompt, none, None)?.iter().map(|name| name.parse()).collect()
    }

    /// One key of the record.
    pub fn key(&mut self, prompt: Prompt, keys: &BTreeSet<KeyName>) -> Result<KeyName> {
        let prompt = self.known().offer_keys(prompt, keys);
        self.choose(&prompt)?.parse()
    }

    /// Keys of the record, and keys to be made or enrolled, with their holders.
    pub fn keys_and_new(
        &mut self,
        prompt: Prompt,
        keys: &BTreeSet<KeyName>,
        none: bool,
        suggest: Option<&str>,
        made: &str,
    ) -> Result<Chosen> {
        let known = self.known();
        let prompt = known.offer_keys(prompt, keys);
        let typed = Prompt::new("", "What shall the new key be called?")
            .help("The name by which everyone speaks of it, on paper and on its token. It can't be changed.");
        let typed = match suggest {
            Some(name) => typed.default(name),
            None => typed.help("A developer's is dev- and their name: dev-emil"),
        };
        let facts = self.facts();
        let mut fresh = |answer: &str| unused(answer, facts).map(|_| ());
        let names = self.several(&prompt, none, Some(("a new key", &typed, &mut fresh)))?;
        let (mut old, mut new) = (BTreeSet::new(), Vec::new());
        for name in names {
            let name: KeyName = name.parse()?;
            if keys.contains(&name) {
                old.insert(name);
            } else {
                let prompt =
                    Prompt::new(format!("holder.{name}"), format!("Who will hold {name}?")).help(made);
                // By the name that `developer new` gives it.
                let guess = name.as_str().strip_prefix("dev-").and_then(|person| person.parse().ok());
                let holder = self.person_or(prompt, guess)?;
                new.push((name, holder));
            }
        }
        Ok((old, new))
    }

    /// The name of a key to be made.
    pub fn new_key(&mut self, (id, question): (&str, &str), suggest: &str) -> Result<KeyName> {
        let facts = self.facts();
        let prompt = Prompt::new(id, question)
            .help("The name by which everyone speaks of it, on paper and on its token. It can't be changed.")
            .default(suggest);
        self.text(&prompt, |answer| unused(answer, facts))
    }

    /// One person: of those that the record knows, or another.
    pub fn person(&mut self, prompt: Prompt) -> Result<Person> {
        self.person_or(prompt, None)
    }

    /// The same, with someone whom the record may not know yet.
    fn person_or(&mut self, prompt: Prompt, guess: Option<Person>) -> Result<Person> {
        let mut people = self.known().people();
        // A second key of someone: dana for dev-dana-2.
        let known =
            |guess: &Person| people.iter().any(|person| guess.as_str().starts_with(&format!("{person}-")));
        let guess = guess.filter(|guess| !known(guess));
        let prompt = match &guess {
            Some(guess) => prompt.default(guess.as_str()),
            None => prompt,
        };
        people.extend(guess);
        if self.keeping.unattended() || people.is_empty() {
            let known = |answer: &str| people.iter().find(|person| spelled(person.as_str()) == answer);
            return self.text(&prompt, |answer| known(answer).cloned().map_or_else(|| named(answer), Ok));
        }
        let id = prompt.id.clone();
        let mut choice = people.iter().fold(prompt, |prompt, person| prompt.allow(spelled(person.as_str())));
        choice = choice.offer(OTHER, "someone who is not in this list");
        match self.chosen(&choice)?.as_str() {
            OTHER => {
                let prompt = Prompt::new(format!("{id}.name"), "What are they called here?").help(
                    "A short name, as runbooks and the record have it: lower-case letters, digits and \"-\".",
                );
                self.text(&prompt, named)
            }
            name => meant(name).parse(),
        }
    }

    /// A number.
    pub fn number(&mut self, prompt: Prompt, fits: RangeInclusive<u32>, default: u32) -> Result<u32> {
        let expected = if fits.start() == fits.end() {
            fits.start().to_string()
        } else {
            format!("a number from {} to {}", fits.start(), fits.end())
        };
        let default = default.clamp(*fits.start(), (*fits.end()).max(*fits.start()));
        self.text(&prompt.default(default.to_string()), |answer| {
            answer.parse().ok().filter(|n| fits.contains(n)).ok_or_else(|| refuse(answer, &expected))
        })
    }

    /// A day from which something is at hand: its first moment.
    pub fn day(&mut self, prompt: &Prompt) -> Result<Time> {
        self.text(prompt, |answer| {
            format!("{answer}T00:00:00Z").parse().map_err(|_| refuse(answer, "a day: 2027-03-31"))
        })
    }

    /// Which of these keys come later, and when.
    pub fn late(&mut self, keys: &BTreeSet<KeyName>) -> Result<Vec<(KeyName, Time)>> {
        let mut prompt = Prompt::new("late", "Does any of these come only later?")
            .help("Someone is on a journey, a token is on order. The plan waits for no one whom it doesn't need.")
            .help("Customers notice nothing of a root that is made later, as long as the old one is valid.");
        prompt = self.known().offer_keys(prompt, keys);
        let mut late = Vec::new();
        for name in self.several(&prompt, true, None)? {
            let name: KeyName = name.parse()?;
            let prompt = Prompt::new(format!("from.{name}"), format!("From which day is {name} at hand?"))
                .help("The first day on which its holder can sign with it: 2027-03-31");
            let day = self.day(&prompt)?;
            late.push((name, day));
        }
        Ok(late)
    }

    /// Who leads and who watches.
    pub fn people(&mut self) -> Result<Cast> {
        let (leads, watch) = self.known().last_people();
        let prompt = Prompt::new("administrator", "Who leads?").help(
            "They type at this machine and answer for the script; usually you. Customers see nothing of it.",
        );
        let prompt = match leads {
            Some(person) => prompt.default(spelled(person.as_str())),
            None => prompt,
        };
        let administrator = self.person(prompt)?;
        let mut prompt = Prompt::new("witnesses", "Who watches and records?").help(
            "A witness signs no document; their paper is what an auditor believes. Limits may demand one.",
        );
        for person in &watch {
            prompt = prompt.allow(spelled(person.as_str()));
        }
        let typed = Prompt::new("", "What are they called here?")
            .help("A short name, as runbooks and the record have it: lower-case letters, digits and \"-\".");
        let mut read = |answer: &str| named::<Person>(answer).map(|_| ());
        let names =
            self.several(&prompt, true, Some(("someone who is not in this list", &typed, &mut read)))?;
        let witnesses = names.iter().map(|name| name.parse()).collect::<Result<_>>()?;
        Ok(Cast { administrator, witnesses })
    }

    /// What became of a key.
    pub fn fate(&mut self, name: &KeyName) -> Result<Fate> {
        let prompt = Prompt::new(format!("fate.{name}"), format!("What happened to {name}?"))
            .help("If in doubt, it was stolen: a key that is given up never comes back either way.")
            .help("Customers are in danger only from a key that someone else may have.")
            .offer("lost", "lost     nobody has it: broken, burnt, forgotten")
            .offer("stolen", "stolen   someone else may have it, we don't")
            .offer("copied", "copied   we have it, and someone else may too");
        Ok(match self.choose(&prompt)?.as_str() {
            "lost" => Fate::Lost,
            "stolen" => Fate::Stolen,
            _ => Fate::Copied,
        })
    }

    /// What became of each of these keys: those that nobody has, those that someone else may have.
    pub fn fates(&mut self, names: &BTreeSet<KeyName>) -> Result<(BTreeSet<KeyName>, BTreeSet<KeyName>)> {
        let (mut lost, mut compromised) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            let fate = self.fate(name)?;
            if fate != Fate::Copied {
                lost.insert(name.clone());
            }
            if fate != Fate::Lost {
                compromised.insert(name.clone());
            }
        }
        Ok((lost, compromised))
    }

    /// Tells what can't be, and goes one step back; unattended, refuses.
    pub fn no_way(&mut self, refusal: Refusal, words: &[String]) -> Refusal {
        if self.keeping.unattended() {
            return refusal;
        }
        let screen = Screen::new("There is no way from here").items(words.iter().map(String::as_str));
        let told = self.keeping.show(&screen);
        let prompt = Prompt::new("no-way", "What now?")
            .help("Nothing was written and nothing is signed.")
            .offer("stop", "stop   end the guide here");
        match told.and_then(|()| self.choose(&prompt)) {
            Ok(_) => {
                self.keeping.again();
                refusal
            }
            Err(other) => other,
        }
    }
}

/// Keys of the record, and keys that are still to be made, with their holders.
pub type Chosen = (BTreeSet<KeyName>, Vec<(KeyName, Person)>);

/// Reads a name that is in no list.
pub type Reader<'r> = dyn FnMut(&str) -> Result<()> + 'r;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lost,
    Copied,
    Stolen,
}

/// Words of the guide's own.
const WORDS: [&str; 5] = [BACK, DONE, OTHER, NONE, NEW];

/// A name as it is offered and typed: a record can have names from elsewhere that are words of the guide's,
/// and those stand between quotation marks, which no name of a person or a key has.
pub fn spelled(name: &str) -> String {
    if WORDS.contains(&name) { format!("'{name}'") } else { name.to_owned() }
}

/// The name that was offered so.
fn meant(offer: &str) -> &str {
    let inner = offer.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.filter(|inner| WORDS.contains(inner)).unwrap_or(offer)
}

/// Refuses the guide's own words as new names: whoever bore one could never be chosen in it.
///
/// # Errors
///
/// `GUIDE`.
pub fn no_word(answer: &str) -> Result<()> {
    if WORDS.contains(&answer) {
        return Err(refuse(answer, "another name: back, done, other, none and new are words of the guide"));
    }
    Ok(())
}

/// A new name.
///
/// # Errors
///
/// `GUIDE` for a word of the guide's own; what reading the name refuses.
pub fn named<T: FromStr<Err = Refusal>>(answer: &str) -> Result<T> {
    no_word(answer).and_then(|()| answer.parse())
}

/// A name that no key has had.
pub fn unused(answer: &str, facts: &Facts) -> Result<KeyName> {
    let name: KeyName = named(answer)?;
    if facts.keys.contains_key(&name) {
        let had = plain(facts.keys.keys());
        return Err(refuse(answer, &format!("a new name, that no key has had; the record has {had}")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_a_word_of_the_guide_can_be_chosen() {
        for word in WORDS {
            let offer = spelled(word);
            assert!(!WORDS.contains(&offer.as_str()) && offer.parse::<KeyName>().is_err(), "{offer}");
            assert_eq!((meant(&offer), meant(word)), (word, word));
        }
        for name in ["dana", "'dana'", "'", "''", "done'"] {
            assert_eq!(meant(name), name);
        }
        assert_eq!(spelled("dev-done"), "dev-done");
    }
}
