//! `rotate-root`: keys in, keys out, the threshold up or down, certificates renewed, the backend's
//! new keys, in any mix; targets is signed again only where its own keys change.

use super::root_change::{Wanted, root_change};
use super::root_members::{Keys, Member, Role, is_so, listed_entries};
use crate::ceremony::change::{Change, Frame, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::strict::Word;
use crate::ceremony::{Ceremony, Kind};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::KeyEvent;
use crate::tuf::time::Term;
use serde::Deserialize;

/// The kind.
pub struct RotateRoot;

impl Kind for RotateRoot {
    fn name(&self) -> &'static str {
        "rotate-root"
    }

    fn purpose(&self) -> &'static str {
        "replace root keys, change their threshold, renew their certificates"
    }

    fn read(&self, runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
        Ok(Box::new(runbook.spec::<Spec>()?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    root: Root,
    snapshot: Option<Online>,
    timestamp: Option<Online>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Root {
    #[serde(default)]
    add: Vec<Word<KeyName>>,
    #[serde(default)]
    remove: Vec<Word<KeyName>>,
    #[serde(default)]
    lost: Vec<Word<KeyName>>,
    #[serde(default)]
    compromised: Vec<Word<KeyName>>,
    #[serde(default)]
    not_asked: Vec<Word<KeyName>>,
    threshold: Option<u32>,
    valid_for: Word<Term>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Online {
    keys: Vec<Word<KeyName>>,
    threshold: Option<u32>,
}

impl Online {
    fn role(of: Option<&Self>) -> Role {
        of.map_or(Role::STAYS, |online| Role {
            keys: Keys::These(plain(&online.keys)),
            threshold: online.threshold,
        })
    }
}

fn plain(words: &[Word<KeyName>]) -> Vec<KeyName> {
    words.iter().map(|Word(name)| name.clone()).collect()
}

impl Spec {
    /// Keys that leave the root. One that is given up may have left it before.
    fn leaving(&self, facts: &Facts) -> Vec<KeyName> {
        let listed = |name: &KeyName| {
            let identity = facts.keys.get(name).map(|record| record.public.identity());
            let old = listed_entries(facts, &RoleName::Root).map(|(old, _)| old).unwrap_or_default();
            identity.is_some() && old.iter().any(|member| member.identity() == identity)
        };
        let given_up = self.gone().into_iter().map(|(name, _)| name).filter(listed);
        plain(&self.root.remove).into_iter().chain(given_up).collect()
    }

    fn gone(&self) -> Vec<(KeyName, KeyEvent)> {
        let lost = self.root.lost.iter().map(|Word(name)| (name.clone(), KeyEvent::Lost));
        let stolen = self.root.compromised.iter().map(|Word(name)| (name.clone(), KeyEvent::Compromised));
        lost.chain(stolen).collect()
    }

    fn wanted(&self, facts: &Facts) -> Wanted {
        Wanted {
            root: Role {
                keys: Keys::Edited { add: plain(&self.root.add), remove: self.leaving(facts) },
                threshold: self.root.threshold,
            },
            snapshot: Online::role(self.snapshot.as_ref()),
            timestamp: Online::role(self.timestamp.as_ref()),
            gone: self.gone(),
            not_asked: plain(&self.root.not_asked),
            ..Wanted::again(self.root.valid_for.0)
        }
    }
}

impl Ceremony for Spec {
    fn change(&self, frame: &Frame, facts: &Facts) -> Result<Change> {
        let made = root_change(frame, facts, &self.wanted(facts))?;
        Ok(Change::new(frame, facts, made.base, made.items, made.summary))
    }

    fn held(&self, facts: &Facts) -> bool {
        let has = |name: &KeyName, members: &[Member<'_>]| {
            let identity = facts.keys.get(name).map(|record| record.public.identity());
            identity.is_some() && members.iter().any(|member| member.identity() == identity)
        };
        let Ok((old, _)) = listed_entries(facts, &RoleName::Root) else { return false };
        let said = |(name, event): &(KeyName, KeyEvent)| {
            facts.keys.get(name).is_some_and(|r| r.life.iter().any(|(before, _)| before == event))
        };
        let stays = Role { threshold: self.root.threshold, ..Role::STAYS };
        self.root.add.iter().all(|Word(name)| has(name, &old))
            && !self.root.remove.iter().any(|Word(name)| has(name, &old))
            && self.gone().iter().all(|gone| said(gone) && !has(&gone.0, &old))
            && is_so(facts, &RoleName::Root, Purpose::Root, &stays)
            && is_so(facts, &RoleName::Snapshot, Purpose::Snapshot, &Online::role(self.snapshot.as_ref()))
            && is_so(facts, &RoleName::Timestamp, Purpose::Timestamp, &Online::role(self.timestamp.as_ref()))
    }
}
