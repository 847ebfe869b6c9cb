//! The runbook of a release, from what a developer asks for.

use super::delegations::Delegations;
use super::release::reaches;
use super::release_names::{check_name, check_url};
use super::rules;
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::digest::Digest;
use crate::tuf::document::PathRule;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Term;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The longest title, in characters, that has a name in it.
const TITLE: usize = 150;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The application.
    pub application: String,
    /// Its track.
    pub track: Option<String>,
    /// How long the document is valid from when the runbook is held.
    pub valid_for: Term,
    /// Names to take back.
    pub withdraw: Vec<String>,
    /// Whether the document is signed again as it is.
    pub renew: bool,
    /// Files to release.
    pub files: Vec<Named>,
}

/// A file to release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name for clients.
    pub name: String,
    /// Its address.
    pub url: Option<String>,
    /// Bytes.
    pub length: u64,
    /// SHA-256.
    pub sha256: Digest,
    /// SHA-512, 64 bytes, where the profile's clients look at it.
    pub sha512: Option<Vec<u8>>,
}

impl Wanted {
    /// The delegation.
    ///
    /// # Errors
    ///
    /// `ROLE-NAME`.
    pub fn role(&self, facts: &Facts) -> Result<RoleName> {
        RoleName::application(facts.trust.profile, &self.application, self.track.as_deref())
    }

    /// What it covers.
    ///
    /// # Errors
    ///
    /// `DELEGATION-MISSING`, `ROLE-NAME`.
    pub fn paths(&self, facts: &Facts) -> Result<PathRule> {
        Ok(Delegations::of(facts).get(&self.role(facts)?)?.role.paths.clone())
    }

    /// That a file can be released under that name, from that address.
    ///
    /// # Errors
    ///
    /// `RELEASE-NAME`, `RELEASE-URL`, `RELEASE-HIDDEN`, `CUSTOM-NOTARY`; as [`Self::paths`].
    pub fn check(&self, facts: &Facts, name: &str, url: Option<&str>) -> Result<()> {
        check_name(name)?;
        check_url(facts.trust.profile, name, url)?;
        reaches(facts, &Delegations::of(facts).get(&self.role(facts)?)?, name)
    }

    /// The runbook. It asks the keys that `here` says are at hand, if they are enough; else all that the
    /// delegation lists. Who holds the first of those at hand leads.
    ///
    /// # Errors
    ///
    /// `RELEASE-KEYS` if none is at hand; as [`Self::paths`].
    pub fn runbook(&self, facts: &Facts, here: &dyn Fn(&KeyName) -> bool) -> Result<String> {
        let delegations = Delegations::of(facts);
        let role = self.role(facts)?;
        let need = delegations.get(&role)?.role.keys.threshold;
        let all = delegations.signers(facts, &role);
        let own: Vec<&KeyRecord> = all.iter().copied().filter(|key| here(&key.name)).collect();
        let Some(first) = own.first() else {
            let names: Vec<_> = all.iter().map(|key| format!("{} of {}", key.name, key.holder)).collect();
            return Err(Refusal::new(
                &rules::RELEASE_KEYS,
                format!("no key of {role} in the device map"),
                if names.is_empty() {
                    format!("a key that can sign for {role}, and there is none")
                } else {
                    format!("one of: {}", names.join(", "))
                },
            ));
        };
        let enough = own.len() >= usize::try_from(need.get()).unwrap_or(usize::MAX);
        let asked = if enough { &own } else { &all };
        let people: BTreeSet<&Person> = asked.iter().map(|key| &key.holder).collect();
        let mut text = format!(
            "ceremony = \"release\"\ntitle = {}\n\n[people]\n{} = \"administrator\"\n",
            quoted(&self.title()),
            first.holder
        );
        for person in people.iter().filter(|person| ***person != first.holder) {
            let _ = writeln!(text, "{person} = \"custodian\"");
        }
        let _ = write!(text, "\n[release]\napplication = {}\n", quoted(&self.application));
        if let Some(track) = &self.track {
            let _ = writeln!(text, "track = {}", quoted(track));
        }
        let _ = writeln!(text, "valid-for = \"{}\"", self.valid_for);
        if enough {
            let names: Vec<_> = asked.iter().map(|key| format!("\"{}\"", key.name)).collect();
            let _ = writeln!(text, "keys = [{}]", names.join(", "));
        }
        if !self.withdraw.is_empty() {
            let names: Vec<_> = self.withdraw.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(text, "withdraw = [{}]", names.join(", "));
        }
        if self.renew {
            text.push_str("renew = true\n");
        }
        for file in &self.files {
            let (length, sha256) = (file.length, file.sha256);
            let _ = write!(text, "\n[[file]]\nname = {}\nlength = {length}\n", quoted(&file.name));
            let _ = writeln!(text, "sha256 = \"{sha256}\"");
            if let Some(sha512) = &file.sha512 {
                let _ = writeln!(text, "sha512 = \"{}\"", base16ct::lower::encode_string(sha512));
            }
            if let Some(url) = &file.url {
                let _ = writeln!(text, "url = {}", quoted(url));
            }
        }
        Ok(text)
    }

    /// In one line.
    fn title(&self) -> String {
        let application = match &self.track {
            None => visible(&self.application),
            Some(track) => format!("{} {}", visible(&self.application), visible(track)),
        };
        let few = |what: &str, names: Vec<&String>| match names.as_slice() {
            [] => None,
            [one] if one.chars().count() <= TITLE => Some(format!("{what} {}", visible(one))),
            more => Some(format!("{what} {} files", more.len())),
        };
        let parts = [
            few("release", self.files.iter().map(|file| &file.name).collect()),
            few("take back", self.withdraw.iter().collect()),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let title = format!(
            "{application}: {}",
            if parts.is_empty() { "renew".to_owned() } else { parts.join(", ") }
        );
        if title.chars().count() <= TITLE.saturating_add(TITLE / 4) {
            title
        } else {
            format!("{application}: release")
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
