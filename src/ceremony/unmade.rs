//! Targets documents that no change of the record made: what a thief of the targets keys would have
//! put in, and what people of the house have published with other programs.
//!
//! A change signs again what the newest document says. So whoever agrees to one sees first what came in
//! since the last targets that a change made; where targets keys leave, of every time that this happened and
//! that still shows, since what was signed on top of a thief's grants carries them on. What of it was honest
//! only people know: nothing is left out by itself. A runbook says which version goes on.
//!
//! Never: a verdict. Who can write into the record can write a change there that makes such a document.

use super::change::{Change, Item};
use super::facts::{Facts, Unmade};
use super::kinds::rules::TARGETS_AS_IN;
use super::put_back::{self, Content, Span};
use crate::ceremony::ceasing::Declared;
use crate::tuf::diff;
use crate::tuf::document::Root;
use crate::tuf::evidence::{Trusted, Verified};
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::make::TargetsEdit;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Sentence;
use std::collections::BTreeSet;

/// What a change that makes targets would carry on of what no change has made, for everyone who signs it.
/// `names` gives the record's name of a key.
pub fn lines(change: &Change, facts: &Facts, names: &dyn Fn(KeyIdentity) -> Option<String>) -> Vec<String> {
    let made = change.documents().find(|document| *document.role() == RoleName::Targets);
    let (Some(made), Some(newest)) = (made, facts.newest(&RoleName::Targets)) else { return Vec::new() };
    if !takes_out_targets_keys(change, facts) {
        let runs = facts.unmade.iter().filter(|run| is(&run.last, newest));
        return runs.flat_map(|run| since(run, facts, names)).collect();
    }
    let standing = standing(facts, newest);
    let mut lines: Vec<_> = standing.iter().flat_map(|run| since(run, facts, names)).collect();
    if standing.is_empty() {
        return lines;
    }
    let before = standing.iter().find_map(|run| run.before.as_ref());
    let without = before.and_then(|before| Some((before.version(), Again::from(facts, newest, before)?)));
    let own = Content::whole(made).zip(Content::whole(newest.payload()));
    // A person's keys go as they stand, so what came in goes first, by the one kind that takes both.
    let (runbook, then) = match change.frame.kind.as_str() {
        "revoke-delegation" => ("a recover runbook, held before this one,", ""),
        _ => ("the runbook", "; revoke-delegation takes grants out"),
    };
    lines.push(match (without, own) {
        (Some((version, again)), Some((own, now))) if !own.carries_on(&now, &again.content) => {
            let but = if own == again.content { "" } else { ", but for what it alters itself" };
            format!(
                "  this change leaves all that out: it signs again what targets {version} said{}{but}",
                again.more()
            )
        }
        (Some((version, again)), _) => format!(
            "  who had the key may have put that in, and this change signs it again; as-in = {version} under \
             [targets] in {runbook} leaves it out{}, without-paths single files of targets{then}",
            if again.spans { ", and keeps what changes of this record did since" } else { "" }
        ),
        (None, _) => format!(
            "  who had the key may have put that in, and this change signs what is left of it again; \
             without-paths under [targets] in {runbook} leaves out files of targets{then}"
        ),
    });
    lines
}

/// What came in by no change and still says something in the newest targets, oldest first.
fn standing<'a>(facts: &'a Facts, newest: &'a Trusted) -> Vec<&'a Unmade> {
    let Some(mut after) = Content::whole(newest.payload()) else { return Vec::new() };
    let mut found = Vec::new();
    for run in facts.unmade.iter().rev() {
        let without = run.before.as_ref().and_then(|before| Again::from(facts, newest, before));
        let Some(without) = without else {
            found.push(run);
            continue;
        };
        if without.content != after {
            found.push(run);
        }
        after = without.content;
    }
    found.reverse();
    found
}

/// What came into the newest targets by no change, for people who replace a targets key.
pub struct CameIn {
    /// What, a line each.
    pub lines: Vec<String>,
    /// The version whose content has none of it.
    pub version: u64,
    /// Files of targets among it.
    pub files: Vec<String>,
}

/// Nothing where none came in, or where no change made any targets before it.
pub fn came_in(facts: &Facts) -> Option<CameIn> {
    let newest = facts.newest(&RoleName::Targets)?;
    let standing = standing(facts, newest);
    let before = standing.iter().find_map(|run| run.before.as_ref())?;
    let without = Again::from(facts, newest, before)?.content;
    let now = Content::whole(newest.payload())?;
    let names = |key| named(facts, key);
    Some(CameIn {
        lines: standing.iter().flat_map(|run| since(run, facts, &names)).collect(),
        version: before.version(),
        files: now.files_beyond(&without).cloned().collect(),
    })
}

/// What a runbook that has targets signed again leaves out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaveOut {
    /// All that came in after this version by no change.
    pub as_in: Option<u64>,
    /// Single files.
    pub without_paths: Vec<String>,
}

impl LeaveOut {
    /// As it stands under `[targets]`.
    pub fn toml(&self) -> String {
        let as_in = self.as_in.map(|version| format!("as-in = {version}\n"));
        let quoted = |path: &String| toml::Value::String(path.clone()).to_string();
        let paths: Vec<_> = self.without_paths.iter().map(quoted).collect();
        let paths = (!paths.is_empty()).then(|| format!("without-paths = [{}]\n", paths.join(", ")));
        as_in.into_iter().chain(paths).collect()
    }
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

/// What targets says again: the content of a document, with what changes of the record did since.
pub struct Again<'a> {
    /// The document.
    pub ground: &'a Trusted,
    /// What changes did since.
    pub edits: Vec<TargetsEdit>,
    /// Delegations that changes altered since, and that only what came in by none had granted.
    pub elsewhere: BTreeSet<RoleName>,
    content: Content,
    /// Whether changes made any document since.
    spans: bool,
}

impl<'a> Again<'a> {
    /// As in the newest, or as in one that a change made and that was followed by what none made.
    ///
    /// # Errors
    ///
    /// `TARGETS-AS-IN` for any other version.
    pub fn as_in(facts: &'a Facts, newest: &'a Trusted, version: u64) -> Result<Self> {
        let mut can: Vec<&Trusted> = facts.unmade.iter().filter_map(|run| run.before.as_ref()).collect();
        can.push(newest);
        let ground = can.iter().find(|ground| ground.version() == version);
        ground.and_then(|ground| Self::from(facts, newest, ground)).ok_or_else(|| {
            let versions: Vec<_> = can.iter().map(|ground| ground.version().to_string()).collect();
            let expected = match versions.split_last() {
                Some((newest, made)) if !made.is_empty() => format!(
                    "{}, after which something came in that no change here made, or {newest}, the newest",
                    made.join(" or ")
                ),
                _ => format!(
                    "{}, the newest, which a change here made or which nothing precedes",
                    newest.version()
                ),
            };
            Refusal::new(&TARGETS_AS_IN, format!("as-in = {version}"), expected)
        })
    }

    fn from(facts: &'a Facts, newest: &'a Trusted, ground: &'a Trusted) -> Option<Self> {
        let said = ground.document().as_targets()?;
        let runs = facts.unmade.iter().filter(|run| run.last.version() > ground.version());
        let runs: Vec<&Unmade> = runs.collect();
        let ends = runs.iter().skip(1).filter_map(|run| run.before.as_ref()).chain([newest]);
        let spans: Vec<Span<'_>> = runs
            .iter()
            .zip(ends)
            .filter(|(run, end)| !is(&run.last, end))
            .filter_map(|(run, end)| Some((run.last.document().as_targets()?, end.document().as_targets()?)))
            .collect();
        let (content, elsewhere) = put_back::content(said, &spans);
        // Bins stay those of the ground: no edit could bring back what changes did to them since.
        if !content.has_bins_of(said) {
            return None;
        }
        let edits = put_back::edits(said, &content);
        let content = content.keeping(ground.payload(), &edits);
        Some(Self { ground, edits, elsewhere, content, spans: !spans.is_empty() })
    }

    /// Whether it names a file.
    pub fn names(&self, path: &str) -> bool {
        self.content.names(path)
    }

    /// What goes beyond what the document said, for the end of a sentence.
    pub fn more(&self) -> &'static str {
        if self.spans { ", with what changes of this record did since" } else { "" }
    }
}

fn is(one: &Trusted, other: &Trusted) -> bool {
    one.payload().digest() == other.payload().digest()
}

/// Whether keys that the newest root lists for targets leave it, or are declared lost or compromised.
fn takes_out_targets_keys(change: &Change, facts: &Facts) -> bool {
    let Some(root) = facts.root() else { return false };
    let listed = targets_keys(root);
    let leaves = |item: &Item| match item {
        Item::Statement { payload, .. } => match payload.sentence() {
            Sentence::KeyLife { key, event, .. } => Declared::is_final(*event) && listed.contains(key),
            _ => false,
        },
        Item::Document { payload, .. } => {
            payload.document().as_root().is_some_and(|next| !listed.is_subset(&targets_keys(next)))
        }
        _ => false,
    };
    change.items.iter().any(leaves)
}

fn targets_keys(root: &Root) -> BTreeSet<KeyIdentity> {
    let ids = root.roles.get(&RoleName::Targets).map(|role| &role.keyids);
    let keys = ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| root.keys.get(id)?.public.as_ref());
    keys.map(PublicKey::identity).collect()
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
