//! What a guide can offer: the record's keys, holders, applications and people.

use super::asking::spelled;
use super::texts::{ROOT_TERM, TERM, list};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{Duty, KeyName, Person};
use crate::record::Contents;
use crate::tuf::document::{DelegatedRole, PathRule};
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::statement::KeyEvent;
use crate::tuf::text::visible;
use crate::tuf::time::Term;
use crate::ui::Prompt;
use crate::ui::screen::Safe;
use std::collections::{BTreeMap, BTreeSet};

/// A record, as far as questions are about it.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub contents: &'a Contents,
}

/// An application, or a track of one, as runbooks name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub name: String,
    pub track: Option<String>,
    pub role: RoleName,
    /// Whose document grants it.
    pub delegator: RoleName,
    pub threshold: u32,
    /// The record's keys for it.
    pub keys: BTreeSet<KeyName>,
    /// How many keys it has, those that the record doesn't know included.
    pub of: usize,
    pub paths: Vec<String>,
}

impl Application {
    /// The two members that name it in a runbook.
    pub fn members(&self) -> String {
        let track = self.track.as_ref().map(|track| format!("track = \"{track}\"\n")).unwrap_or_default();
        format!("application = \"{}\"\n{track}", self.name)
    }
}

impl<'a> Known<'a> {
    /// What the record says.
    pub const fn facts(self) -> &'a Facts {
        &self.contents.facts
    }

    /// The table by which root repeats what targets keys alone have declared of developers' keys, with
    /// what it says in words; none if there is nothing.
    pub fn declared(self) -> Option<(String, Vec<String>)> {
        let facts = self.facts();
        let (mut lost, mut compromised, mut words) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (key, said) in &facts.said_by_targets {
            let found = facts.keys.values().find(|record| record.public.identity() == *key);
            let (Some(record), Some(first)) = (found, said.iter().min_by_key(|said| said.at)) else {
                continue;
            };
            let stolen = said.iter().any(|said| said.event == KeyEvent::Compromised);
            let (names, event) =
                if stolen { (&mut compromised, KeyEvent::Compromised) } else { (&mut lost, KeyEvent::Lost) };
            names.insert(record.name.clone());
            words.push(format!(
                "{} of {}, which targets keys alone declared {} on {}, is declared so by root: take it out of \
                 [declared] if that was a thief's word.",
                record.name,
                record.holder,
                event.name(),
                first.at.date()
            ));
        }
        let line = |what: &str, names: &BTreeSet<KeyName>| {
            if names.is_empty() { String::new() } else { format!("{what} = {}\n", list(names)) }
        };
        let table = format!("\n[declared]\n{}{}", line("lost", &lost), line("compromised", &compromised));
        (!words.is_empty()).then_some((table, words))
    }

    /// How long a new root is valid: as long as people mostly want, where the limits in force allow it.
    pub fn root_term(self) -> Term {
        self.shorter(ROOT_TERM, self.facts().limits.root.max_valid_for)
    }

    /// The same for targets.
    pub fn targets_term(self) -> Term {
        self.shorter(TERM, self.facts().limits.targets.max_valid_for)
    }

    /// The same for what applications release.
    pub fn delegations_term(self) -> Term {
        self.shorter(TERM, self.facts().limits.delegations.max_valid_for)
    }

    /// A term, or the limit on it where that ends earlier, counted from today.
    fn shorter(self, term: Term, most: Term) -> Term {
        let today = self.facts().today;
        match (today.plus(term), today.plus(most)) {
            (Ok(end), Ok(last)) if end > last => most,
            _ => term,
        }
    }

    /// In words, which documents of a runbook last less than people mostly want: limits are shorter.
    pub fn shortened(self, runbook: &str) -> Vec<String> {
        let Ok(tables) = runbook.parse::<toml::Table>() else { return Vec::new() };
        let delegations = ["delegation", "delegations", "reissue"];
        let all: [(&[&str], _, _, _); 3] = [
            (&["root"], "root", ROOT_TERM, self.root_term()),
            (&["targets"], "targets", TERM, self.targets_term()),
            (&delegations, "what applications release", TERM, self.delegations_term()),
        ];
        let written = |table: &&str, term: Term| {
            let term_of = tables.get(*table).and_then(|table| table.get("valid-for"));
            term_of.and_then(toml::Value::as_str) == Some(&term.to_string())
        };
        let cut = all.iter().filter(|(names, _, wanted, term)| {
            term != wanted && names.iter().any(|name| written(name, *term))
        });
        let words = |(_, what, wanted, term): &(_, &str, Term, Term)| {
            format!("The limits in force let {what} last {term} at most, not {wanted}.")
        };
        cut.map(words).collect()
    }

    /// The table by which documents that grant get another end, where the one that they have can't stay:
    /// it is later than limits allow now, or past. And the same in words.
    pub fn delegator(self, granting: &BTreeSet<RoleName>) -> Option<(String, String)> {
        let limits = &self.facts().limits;
        let today = self.facts().today;
        let stays = |role: &RoleName| {
            let most = match role {
                RoleName::Targets => limits.targets.max_valid_for,
                _ => limits.delegations.max_valid_for,
            };
            let ends = self.facts().documents.get(role).map(|document| document.document().header().expires);
            ends.is_none_or(|ends| ends > today && today.plus(most).is_ok_and(|last| ends <= last))
        };
        let other = granting.iter().find(|role| !stays(role))?;
        let mut terms: Vec<Term> = Vec::new();
        if granting.contains(&RoleName::Targets) {
            terms.push(self.targets_term());
        }
        if granting.iter().any(|role| *role != RoleName::Targets) {
            terms.push(self.delegations_term());
        }
        let term = terms.into_iter().min_by_key(|term| today.plus(*term).ok())?;
        let table = format!("\n[delegator]\nvalid-for = \"{term}\"\n");
        let name = visible(other.as_str());
        Some((
            table,
            format!("{name} can't keep its end by the limits in force: it lasts {term} from its signing."),
        ))
    }

    /// Keys of that purpose that are not given up.
    pub fn of_purpose(self, purpose: Purpose) -> BTreeSet<KeyName> {
        let fits = |record: &&KeyRecord| record.purpose == purpose && record.life.is_empty();
        self.facts().keys.values().filter(fits).map(|record| record.name.clone()).collect()
    }

    /// The keys of the record that root lists for a role.
    pub fn listed(self, role: &RoleName) -> BTreeSet<KeyName> {
        let Some(root) = self.facts().root() else { return BTreeSet::new() };
        let ids = root.roles.get(role).map(|keys| &*keys.keyids).unwrap_or_default();
        self.named(ids.iter().filter_map(|id| root.keys.get(id)?.public.as_ref()))
    }

    /// How many of a top-level role's keys must sign.
    pub fn threshold(self, role: &RoleName) -> u32 {
        self.facts().root().and_then(|root| root.roles.get(role)).map_or(1, |keys| keys.threshold.get())
    }

    fn named<'k>(self, keys: impl Iterator<Item = &'k PublicKey>) -> BTreeSet<KeyName> {
        let keys: BTreeSet<_> = keys.map(PublicKey::identity).collect();
        let named = self.facts().keys.values().filter(|record| keys.contains(&record.public.identity()));
        named.map(|record| record.name.clone()).collect()
    }

    /// Who holds these keys.
    pub fn holders<'k>(self, keys: impl IntoIterator<Item = &'k KeyName>) -> BTreeSet<Person> {
        let records = keys.into_iter().filter_map(|name| self.facts().keys.get(name));
        records.map(|record| record.holder.clone()).collect()
    }

    /// Who holds the keys that sign for a role of root.
    pub fn signers(self, role: &RoleName) -> BTreeSet<Person> {
        let living =
            |name: &&KeyName| self.facts().keys.get(name).is_some_and(|record| record.life.is_empty());
        self.holders(self.listed(role).iter().filter(living))
    }

    /// Who holds the keys that grant: those of targets, or of the application above a track.
    pub fn granting(self, delegator: &RoleName) -> BTreeSet<Person> {
        match self.applications().get(delegator) {
            Some(above) => self.holders(&above.keys),
            None => self.signers(&RoleName::Targets),
        }
    }

    /// Every delegation that a runbook can name. Those that other tools have named otherwise are none.
    pub fn applications(self) -> BTreeMap<RoleName, Application> {
        let mut all = BTreeMap::new();
        for (delegator, document) in &self.facts().documents {
            let Some(targets) = document.document().as_targets() else { continue };
            for role in &targets.delegations.roles {
                let Some((application, track)) = self.parts(&role.name) else { continue };
                let public = |id| targets.delegations.keys.get(id).and_then(|key| key.public.as_ref());
                let keys = self.named(role.keys.keyids.iter().filter_map(public));
                let found = Application {
                    name: application,
                    track,
                    role: role.name.clone(),
                    delegator: delegator.clone(),
                    threshold: role.keys.threshold.get(),
                    keys,
                    of: role.keys.keyids.len(),
                    paths: paths(role),
                };
                all.entry(role.name.clone()).or_insert(found);
            }
        }
        all
    }

    /// The application and track by which keyrite would name a role.
    fn parts(self, role: &RoleName) -> Option<(String, Option<String>)> {
        let profile = self.facts().trust.profile;
        let name = role.as_str();
        let (name, between) = match profile {
            Profile::Notary => (name.strip_prefix("targets/")?, '/'),
            Profile::Tuf => (name, '.'),
        };
        let (application, track) = match name.split_once(between) {
            Some((application, track)) => (application, Some(track)),
            None => (name, None),
        };
        let same = RoleName::application(profile, application, track).is_ok_and(|found| found == *role);
        same.then(|| (application.to_owned(), track.map(str::to_owned)))
    }

    /// Everyone who holds a key or took part, but not the backend.
    pub fn people(self) -> BTreeSet<Person> {
        let held = self.facts().keys.values().filter(|record| {
            record.token != "backend" && !matches!(record.purpose, Purpose::Snapshot | Purpose::Timestamp)
        });
        let mut people: BTreeSet<Person> = held.map(|record| record.holder.clone()).collect();
        for stored in self.contents.changes.values() {
            people.extend(stored.change.frame.people.keys().cloned());
        }
        people
    }

    /// Who led the last ceremony, and everyone who ever watched.
    pub fn last_people(self) -> (Option<Person>, BTreeSet<Person>) {
        let of = |duty: Duty| move |(person, is): (&Person, &Duty)| (*is == duty).then(|| person.clone());
        let frames = || self.contents.changes.values().map(|stored| &stored.change.frame);
        let last = frames().max_by_key(|frame| frame.held_at);
        let leads = last.and_then(|frame| frame.people.iter().find_map(of(Duty::Administrator)));
        (leads, frames().flat_map(|frame| frame.people.iter().filter_map(of(Duty::Witness))).collect())
    }

    /// A prompt that offers keys, each with its holder.
    pub fn offer_keys(self, prompt: Prompt, keys: &BTreeSet<KeyName>) -> Prompt {
        let width = keys.iter().map(|name| spelled(name.as_str()).len()).max().unwrap_or_default();
        keys.iter().fold(prompt, |prompt, name| {
            let record = self.facts().keys.get(name);
            let whose =
                record.map_or("still to be made".to_owned(), |record| format!("of {}", record.holder));
            let name = spelled(name.as_str());
            prompt.offer(name.as_str(), format!("{name:width$}   {whose}"))
        })
    }

    /// A prompt that offers applications, by their role names.
    pub fn offer_applications<'k>(prompt: Prompt, all: impl IntoIterator<Item = &'k Application>) -> Prompt {
        all.into_iter().fold(prompt, |prompt, found| {
            let keys =
                if found.keys.is_empty() { "keys unknown here".to_owned() } else { plain(&found.keys) };
            let name = visible(&spelled(found.role.as_str()));
            prompt.offer(
                Safe::untrusted(&spelled(found.role.as_str())),
                format!("{name}   {} of {keys}", found.threshold),
            )
        })
    }

    /// The kind of key that the role's keys are; P-256 if there is none yet.
    pub fn algorithm(self, role: &RoleName) -> KeySpec {
        let listed = self.listed(role);
        let first = listed.iter().find_map(|name| self.facts().keys.get(name));
        let spec = first.and_then(|record| KeySpec::ALL.into_iter().find(|spec| spec.fits(&record.public)));
        spec.unwrap_or(KeySpec::EcdsaP256)
    }

    /// `root-d` where `root-a` to `root-c` are taken, or `targets-2`.
    pub fn free_name(self, prefix: &str, letters: bool) -> String {
        let taken = |name: &String| self.facts().keys.keys().any(|key| key.as_str() == name);
        let by_letter = ('a'..='z').map(|letter| format!("{prefix}-{letter}"));
        let by_number = (2..1000_u32).map(|number| format!("{prefix}-{number}"));
        let mut names: Box<dyn Iterator<Item = String>> =
            if letters { Box::new(by_letter.chain(by_number)) } else { Box::new(by_number) };
        names.find(|name| !taken(name)).unwrap_or_else(|| prefix.to_owned())
    }

    /// The next key of a person: `dev-dana`, or `dev-dana-2` where that was one.
    pub fn free_developer(self, person: &Person) -> String {
        let first = format!("dev-{person}");
        let taken = self.facts().keys.keys().any(|key| key.as_str() == first);
        if taken { self.free_name(&first, false) } else { first }
    }
}

fn paths(role: &DelegatedRole) -> Vec<String> {
    match &role.paths {
        PathRule::Patterns(paths) | PathRule::Prefixes(paths) => paths.clone(),
        PathRule::HashPrefixes(_) => Vec::new(),
    }
}

/// Names with commas between.
pub fn plain<'a>(names: impl IntoIterator<Item = &'a KeyName>) -> String {
    names.into_iter().map(KeyName::as_str).collect::<Vec<_>>().join(", ")
}
