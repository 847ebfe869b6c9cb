//! Targets documents that no change of the record made: what a thief of the targets keys would have
//! put in, and what people of the house have published with other programs.
//!
//! A change signs again what the newest document says. So whoever agrees to one sees first what came in
//! since the last targets that a change made; where targets keys leave as lost or compromised, of every
//! time that this happened, since what was signed on top of a thief's grants carries them on. What of it
//! was honest only people know: nothing is left out by itself. A runbook says which version goes on.
//!
//! Never: a verdict. Who can write into the record can write a change there that makes such a document.

use super::change::{Change, Item};
use super::facts::{Facts, Unmade};
use super::kinds::rules::TARGETS_AS_IN;
use crate::ceremony::ceasing::Declared;
use crate::tuf::diff;
use crate::tuf::document::Targets;
use crate::tuf::evidence::{Trusted, Verified};
use crate::tuf::key::KeyIdentity;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::BTreeSet;

/// What a change that makes targets would carry on of what no change has made, for everyone who signs it.
/// `names` gives the record's name of a key.
pub fn lines(change: &Change, facts: &Facts, names: &dyn Fn(KeyIdentity) -> Option<String>) -> Vec<String> {
    let made = change.documents().find(|document| *document.role() == RoleName::Targets);
    let made = made.and_then(|document| document.document().as_targets());
    let (Some(made), Some(newest)) = (made, facts.newest(&RoleName::Targets)) else { return Vec::new() };
    let stolen = gives_up_targets_keys(change, facts);
    let runs: Vec<_> = facts.unmade.iter().filter(|run| stolen || is(&run.last, newest)).collect();
    let mut lines: Vec<_> = runs.iter().flat_map(|run| since(run, facts, names)).collect();
    let Some(last) = runs.last().filter(|_| stolen) else { return lines };
    let before = last.before.as_ref().filter(|_| is(&last.last, newest));
    lines.push(match before {
        Some(before) if same(made, before) => format!(
            "  this change leaves all that out: it signs again what targets {} said",
            before.version()
        ),
        Some(before) => format!(
            "  who had the key may have put that in, and this change signs it again; as-in = {} under \
             [targets] in the runbook leaves it out, without-paths single files of targets; revoke-delegation \
             takes grants out",
            before.version()
        ),
        None => "  who had the key may have put that in, and this change signs what is left of it again; \
                 without-paths under [targets] in the runbook leaves out files of targets, \
                 revoke-delegation takes grants out"
            .to_owned(),
    });
    lines
}

/// That the newest targets is none that a change made, with who signed it; nothing where no change ever
/// made one, as where a repository of other tools was taken in.
pub fn newest(facts: &Facts) -> Option<String> {
    let newest = facts.newest(&RoleName::Targets)?;
    let run = facts.unmade.last().filter(|run| is(&run.last, newest))?;
    let before = run.before.as_ref()?;
    Some(format!(
        "no change of this record made targets {}, signed by {}; the last that one made is targets {}: \
         if none of you published it, the key was used by someone else (guide lost-or-stolen)",
        newest.version(),
        signers(newest, facts, &|key| named(facts, key)),
        before.version()
    ))
}

/// The document whose content goes on: the newest, or the last below it that a change made.
///
/// # Errors
///
/// `TARGETS-AS-IN` for any other version.
pub fn content<'a>(facts: &'a Facts, newest: &'a Trusted, version: u64) -> Result<&'a Trusted> {
    let run = facts.unmade.last().filter(|run| is(&run.last, newest));
    let made = run.and_then(|run| run.before.as_ref());
    let mut can = std::iter::once(newest).chain(made);
    can.find(|document| document.version() == version).ok_or_else(|| {
        let expected = made.map_or_else(
            || {
                format!(
                    "{}, the newest, which a change here made or which nothing precedes",
                    newest.version()
                )
            },
            |made| {
                let (made, newest) = (made.version(), newest.version());
                format!("{made}, the last that a change here made, or {newest}, the newest")
            },
        );
        Refusal::new(&TARGETS_AS_IN, format!("as-in = {version}"), expected)
    })
}

fn is(one: &Trusted, other: &Trusted) -> bool {
    one.payload().digest() == other.payload().digest()
}

fn same(made: &Targets, before: &Trusted) -> bool {
    let before = before.document().as_targets();
    before.is_some_and(|b| b.targets == made.targets && b.delegations == made.delegations)
}

/// Whether keys that the newest root lists for targets are declared lost or compromised.
fn gives_up_targets_keys(change: &Change, facts: &Facts) -> bool {
    let Some(root) = facts.root() else { return false };
    let Some(role) = root.roles.get(&RoleName::Targets) else { return false };
    let keys = role.keyids.iter().filter_map(|id| root.keys.get(id)?.public.as_ref());
    let listed: BTreeSet<_> = keys.map(crate::tuf::key::PublicKey::identity).collect();
    let gone = |item: &Item| match item {
        Item::Statement { payload, .. } => match payload.sentence() {
            Sentence::KeyLife { key, event, .. } => Declared::is_final(*event) && listed.contains(key),
            _ => false,
        },
        _ => false,
    };
    change.items.iter().any(gone)
}

fn since(run: &Unmade, facts: &Facts, names: &dyn Fn(KeyIdentity) -> Option<String>) -> Vec<String> {
    let (version, by) = (run.last.version(), signers(&run.last, facts, names));
    let Some(before) = &run.before else {
        return vec![format!(
            "targets {version}, signed by {by}, is none that a change of this record made, and no older one \
             is here that one made: read with `keyrite show` what it says"
        )];
    };
    let mut lines = vec![format!(
        "targets {version}, signed by {by}, is none that a change of this record made; since targets {}, the \
         last before it that one made, came in:",
        before.version()
    )];
    let told = diff::words(Some(before.payload()), run.last.payload(), names);
    let own = |line: &String| {
        !["targets: version ", "targets: valid until "].iter().any(|start| line.starts_with(start))
    };
    lines.extend(told.into_iter().filter(own).map(|line| format!("  {line}")));
    if lines.len() == 1 {
        lines.push("  nothing: its version and its dates alone differ".to_owned());
    }
    lines
}

fn named(facts: &Facts, key: KeyIdentity) -> Option<String> {
    let record = facts.keys.values().find(|record| record.public.identity() == key)?;
    Some(format!("{} of {}", record.name, record.holder))
}

/// Who signed it, of the targets keys that any root here lists.
fn signers(document: &Trusted, facts: &Facts, names: &dyn Fn(KeyIdentity) -> Option<String>) -> String {
    let verified = Verified::new(document.envelope());
    let roots = facts.roots.iter().filter_map(|root| root.document().as_root());
    let of = |root: &crate::tuf::document::Root| {
        let role = root.roles.get(&RoleName::Targets)?;
        Some(verified.under(&root.keys, role).into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>())
    };
    let keys: BTreeSet<KeyIdentity> = roots.filter_map(of).flatten().collect();
    let names: Vec<_> =
        keys.into_iter().map(|key| names(key).unwrap_or_else(|| format!("the key {key}"))).collect();
    names.join(", ")
}
