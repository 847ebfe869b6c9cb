//! `release`: an application's developers publish files, take files back, or sign again what ends.
//!
//! One delegation's document, at its next version, by keys that its delegator lists: a change like any
//! other, without a witness. Its runbook is written by `keyrite release` for this one release, so unlike
//! any other it holds what is released: names, sizes, digests, addresses.
//!
//! Nothing is signed that customers' clients would not find: names that the delegation doesn't cover, or
//! that another document says something else of.

use super::customers::names;
use super::delegations::{Delegation, Delegations};
use super::release_names::{check_name, check_url};
use super::rework::{Rework, Terms};
use super::rules;
use crate::ceremony::change::{Ask, Change, Frame, Item};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::step::{self, Step};
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::digest::Digest;
use crate::tuf::document::{TargetFile, Targets};
use crate::tuf::hashes::Hashes;
use crate::tuf::json::object;
use crate::tuf::make::TargetsEdit;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules::CUSTOM_NOTARY;
use crate::tuf::text::visible;
use crate::tuf::time::{Term, Time, Unit};
use crate::tuf::wire::breaks_stock_client;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How much later a renewal's expiry must be than the one that is there.
const LATER: Term = Term::new(1, Unit::Days);

/// The kind.
pub struct Release;

impl Kind for Release {
    fn name(&self) -> &'static str {
        "release"
    }

    fn purpose(&self) -> &'static str {
        "publish an application's files"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    release: Table,
    #[serde(default)]
    file: Vec<File>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    application: String,
    track: Option<String>,
    valid_for: Word<Term>,
    /// Which keys of the delegation are asked; all of them without it.
    keys: Option<Vec<Word<KeyName>>>,
    #[serde(default)]
    withdraw: Vec<String>,
    /// Whether the document is signed again as it is.
    #[serde(default)]
    renew: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    length: u64,
    sha256: Word<Digest>,
    sha512: Option<Word<Sha512>>,
    url: Option<String>,
}

/// 64 bytes, read from 128 lower-case hexadecimal digits.
struct Sha512(Vec<u8>);

impl std::str::FromStr for Sha512 {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        match base16ct::lower::decode_vec(text) {
            Ok(bytes) if bytes.len() == 64 => Ok(Self(bytes)),
            _ => Err(Refusal::new(
                &crate::tuf::rules::DIGEST_FORM,
                format!("\"{}\"", visible(text)),
                "128 lower-case hexadecimal digits",
            )),
        }
    }
}

impl File {
    /// What the document is to say of it.
    fn says(&self) -> TargetFile {
        let mut hashes = BTreeMap::from([("sha256".to_owned(), self.sha256.as_bytes().to_vec())]);
        hashes.extend(self.sha512.as_ref().map(|sha512| ("sha512".to_owned(), sha512.0.0.clone())));
        let custom = self.url.as_ref().map(|url| object([("url", url.as_str().into())]));
        TargetFile { length: self.length, hashes: Hashes::from(hashes), custom }
    }
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let delegations = Delegations::of(facts);
        let role = self.role(facts)?;
        let granted = delegations.get(&role)?;
        self.sound(facts, &granted)?;
        let before = facts.last(&role).and_then(|document| document.document().as_targets());
        self.leaves(facts.trust.profile, before)?;
        let terms = Terms { again: Some(self.release.valid_for.0), ..Terms::default() };
        let mut rework = Rework::new(facts, &delegations, terms, None);
        rework.again.insert(role.clone());
        let mut edits = rework.edits()?;
        edits.insert(role.clone(), self.edits());
        let (mut items, base) = rework.documents(frame, edits)?;
        let asked = self.asked(&granted, &rework.signers(&role))?;
        let mut until = None;
        for item in &mut items {
            if let Item::Document { payload, asked: asks } = item {
                until = Some(payload.document().header().expires);
                asks.retain(|ask: &Ask| asked.contains(&ask.key));
            }
        }
        self.later(facts, &role, until)?;
        let mut summary = self.summary(&role, before);
        if let Some(until) = until {
            let keys = rework.signers(&role);
            let keys: Vec<&KeyRecord> = keys.into_iter().filter(|key| asked.contains(&key.name)).collect();
            let need = granted.role.keys.threshold;
            summary.push(format!("valid until {until}, signed by {need} of: {}", names(&keys)));
        }
        Ok(Change::new(frame, facts, base, items, summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let Some(document) = self.role(facts).ok().and_then(|role| facts.documents.get(&role)) else {
            return false;
        };
        let expires = document.document().header().expires;
        if self.file.is_empty() && self.release.withdraw.is_empty() {
            let until = facts.today.plus(self.release.valid_for.0);
            return until.is_ok_and(|until| !is_later(until, expires));
        }
        // What is taken back twice is refused: a name that was mistyped must not pass for done.
        let there = document.document().as_targets().map(|targets| &targets.targets);
        let same = |file: &File| there.and_then(|t| t.get(&file.name)).is_some_and(|t| *t == file.says());
        self.release.withdraw.is_empty() && expires > facts.today && self.file.iter().all(same)
    }

    /// Nobody reads a digest to themselves.
    fn steps(&self, change: &Change, facts: &Facts) -> Result<Vec<Step>> {
        let mut steps = step::of(change, facts);
        let leader = change.administrator();
        if change.items.iter().flat_map(Item::asked).all(|ask| Some(&ask.holder) == leader) {
            steps.retain(|step| step.id.0 != "read-back");
        }
        Ok(steps)
    }
}

impl Spec {
    fn role(&self, facts: &Facts) -> Result<RoleName> {
        RoleName::application(facts.trust.profile, &self.release.application, self.release.track.as_deref())
    }

    /// That something is asked for, each name once, and that clients find what is named.
    fn sound(&self, facts: &Facts, granted: &Delegation<'_>) -> Result<()> {
        let withdraw = &self.release.withdraw;
        if self.file.is_empty() && withdraw.is_empty() && !self.release.renew {
            let expected = "files, names to take back, or that it is signed again as it is";
            return Err(Refusal::new(&rules::RELEASE_NOTHING, "a release of nothing", expected));
        }
        let mut seen = BTreeSet::new();
        let all = self.file.iter().map(|file| &file.name).chain(withdraw);
        if let Some(twice) = all.into_iter().find(|name| !seen.insert(name.as_str())) {
            let found = format!("\"{}\" twice", visible(twice));
            return Err(Refusal::new(&rules::RELEASE_NAME, found, "each name once"));
        }
        for file in &self.file {
            check_name(&file.name)?;
            check_url(facts.trust.profile, &file.name, file.url.as_deref())?;
            reaches(facts, granted, &file.name)?;
        }
        Ok(())
    }

    /// That what is taken back is there, and that what stays harms no stock client.
    fn leaves(&self, profile: Profile, before: Option<&Targets>) -> Result<()> {
        let there = before.map(|targets| &targets.targets);
        let missing = |name: &&String| !there.is_some_and(|targets| targets.contains_key(*name));
        if let Some(name) = self.release.withdraw.iter().find(missing) {
            return Err(Refusal::new(
                &rules::TARGET_MISSING,
                format!("\"{}\"", visible(name)),
                "a name that the application's newest document has",
            ));
        }
        let goes = |name: &String| {
            self.release.withdraw.contains(name) || self.file.iter().any(|file| file.name == *name)
        };
        for (name, file) in there.into_iter().flatten().filter(|(name, _)| !goes(name)) {
            let custom = file.custom.as_ref().filter(|_| profile == Profile::Notary);
            if let Some(text) = custom.and_then(breaks_stock_client) {
                return Err(Refusal::new(
                    &CUSTOM_NOTARY,
                    format!("\"{}\", which is there already, with \"{}\"", visible(name), visible(text)),
                    "that it is released anew at a plain address in this release, or taken back with --withdraw",
                ));
            }
        }
        Ok(())
    }

    fn edits(&self) -> Vec<TargetsEdit> {
        let remove = self.release.withdraw.iter().cloned().map(TargetsEdit::RemoveTarget);
        let put = |file: &File| TargetsEdit::PutTarget { path: file.name.clone(), file: file.says() };
        remove.chain(self.file.iter().map(put)).collect()
    }

    /// The keys that are asked: enough of those that the delegation lists.
    fn asked(&self, granted: &Delegation<'_>, signers: &[&KeyRecord]) -> Result<BTreeSet<KeyName>> {
        let (role, need) = (&granted.role.name, granted.role.keys.threshold);
        let listed: BTreeSet<KeyName> = signers.iter().map(|key| key.name.clone()).collect();
        let asked: BTreeSet<KeyName> = match &self.release.keys {
            None => listed.clone(),
            Some(keys) => keys.iter().map(|key| key.0.clone()).collect(),
        };
        if let Some(other) = asked.difference(&listed).next() {
            let found = format!("{other}, which can't sign for {role}");
            return Err(Refusal::new(&rules::RELEASE_KEYS, found, format!("keys of: {}", names(signers))));
        }
        if usize::try_from(need.get()).unwrap_or(usize::MAX) > asked.len() {
            let found = format!("{} keys to sign {role}", asked.len());
            return Err(Refusal::new(
                &rules::RELEASE_KEYS,
                found,
                format!("at least {need} of: {}", names(signers)),
            ));
        }
        Ok(asked)
    }

    /// That signing again what is there gains something.
    fn later(&self, facts: &Facts, role: &RoleName, until: Option<Time>) -> Result<()> {
        let ends = facts.newest(role).map(|document| document.document().header().expires);
        let (Some(until), Some(ends)) = (until, ends) else { return Ok(()) };
        if !self.file.is_empty() || !self.release.withdraw.is_empty() || is_later(until, ends) {
            return Ok(());
        }
        Err(Refusal::new(
            &rules::RENEW_NOTHING,
            format!("{role}, valid until {until}, where the one that is there ends {ends}"),
            "one that is valid at least a day longer",
        ))
    }

    fn summary(&self, role: &RoleName, before: Option<&Targets>) -> Vec<String> {
        let mut lines = Vec::new();
        for file in &self.file {
            let name = visible(&file.name);
            let was = before.and_then(|targets| targets.targets.get(&file.name));
            let how = if was.is_some() { "releases anew" } else { "releases" };
            lines.push(format!("{role} {how} {name}, {} bytes", file.length));
            lines.push(format!("  SHA-256 {}", file.sha256.0));
            lines.extend(file.url.as_ref().map(|url| format!("  from {}", visible(url))));
        }
        for name in &self.release.withdraw {
            lines.push(format!("{role} takes back {}", visible(name)));
        }
        if lines.is_empty() {
            lines.push(format!("{role} stays as it is, and is signed again"));
        }
        lines
    }
}

fn is_later(until: Time, ends: Time) -> bool {
    ends.plus(LATER).is_ok_and(|least| until >= least)
}

/// That a search for this name comes to this delegation first (TUF 5.6.7): every delegator on the way
/// covers it, and no document before it names it or ends the search.
pub fn reaches(facts: &Facts, granted: &Delegation<'_>, name: &str) -> Result<()> {
    let role = &granted.role.name;
    if !granted.role.paths.matches(name) {
        return Err(Refusal::new(
            &rules::RELEASE_NAME,
            format!("\"{}\", which {role} doesn't cover", visible(name)),
            super::release_names::covered(&granted.role.paths),
        ));
    }
    let mut pending = vec![RoleName::Targets];
    let mut visited = BTreeSet::new();
    while let Some(next) = pending.pop() {
        if next == *role {
            return Ok(());
        }
        let document = facts.documents.get(&next).and_then(|d| d.document().as_targets());
        let Some(targets) = document.filter(|_| visited.insert(next.clone())) else { continue };
        if targets.targets.contains_key(name) {
            return Err(Refusal::new(
                &rules::RELEASE_HIDDEN,
                format!("\"{}\", of which {next} says something already", visible(name)),
                format!("a name that clients come to {role} for"),
            ));
        }
        let mut below = Vec::new();
        for (child, terminating) in targets.delegations.roles_for(name) {
            below.push(child);
            if terminating {
                pending.clear();
                break;
            }
        }
        pending.extend(below.into_iter().rev());
    }
    Err(Refusal::new(
        &rules::RELEASE_HIDDEN,
        format!("\"{}\", for which clients don't come to {role}", visible(name)),
        "a name that every delegation on the way covers, before one that ends the search",
    ))
}
