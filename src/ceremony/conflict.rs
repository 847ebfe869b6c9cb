//! Conflicts: files of the record that all verify, stand for one thing and differ, until people have
//! said which of them stands (FORMAT.md, "Layout").
//!
//! Who says so is whoever vouches for the thing: a threshold of the newest root, and for the document
//! of a delegation a threshold of the role that delegates to it; never the keys whose documents
//! conflict. Which root stands is not for decisions: a root is withdrawn by those who made it, or the
//! root that a person knows says it, since keys that a root gave up could else decide for another.

use super::facts::Facts;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::role::RoleName;
use crate::tuf::statement::Statement;
use std::collections::BTreeMap;

/// What a file says, in lines that are safe to show; those of two sides compare.
pub type Side = Vec<String>;

/// One thing that several files stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflict {
    /// By SHA-256 of the file, for metadata of the payload.
    pub sides: BTreeMap<Digest, Side>,
    /// The one that stands, once that is decided.
    pub kept: Option<Digest>,
    /// The decisions in force, by SHA-256 of the statement.
    pub decisions: BTreeMap<Digest, Statement>,
}

/// The role whose threshold decides what is in conflict, as the trusted documents are now.
pub fn decider(facts: &Facts, what: &str) -> RoleName {
    let lists = |document: &&Trusted| {
        let targets = document.document().as_targets();
        let roles = targets.map(|targets| targets.delegations.roles.as_slice()).unwrap_or_default();
        roles.iter().any(|role| about(what, &role.name).is_some())
    };
    let delegator = facts.documents.values().find(lists);
    delegator.map_or(RoleName::Root, |document| document.role().clone())
}

/// The decisions that the next root has to repeat, since those of its keys decide from then on. Limits
/// are not among them: a root that follows signs its own.
pub fn carried(facts: &Facts) -> impl Iterator<Item = &Statement> {
    let ours = |what: &str| !what.starts_with("limits/") && decider(facts, what) == RoleName::Root;
    let settled =
        facts.conflicts.iter().filter(move |(what, conflict)| conflict.kept.is_some() && ours(what));
    settled.flat_map(|(_, conflict)| conflict.decisions.values())
}

/// The version, if `what` is a document of the role.
fn about<'a>(what: &'a str, role: &RoleName) -> Option<&'a str> {
    let rest = what.strip_prefix("metadata/")?;
    rest.strip_prefix(role.file_name().as_str())?.strip_prefix('/')
}
