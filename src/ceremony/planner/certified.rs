//! Keys that are certified before the first root: in profile `notary` a root lists certificates that
//! outlive it, and one that ends sooner is no reason not to go the way.

use super::{Answer, Cast, Impossible, Question, Why, plan, runbooks};
use crate::ceremony::people::KeyName;
use std::collections::BTreeSet;

/// A question whose keys have the certificates that its roots need.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The question, once they have them.
    pub question: Question,
    /// The keys that get new ones first.
    pub keys: BTreeSet<KeyName>,
}

impl Certified {
    /// Of a question as it stands. The certificate by which the root that is there knows a key stays what
    /// it is, also its end.
    pub fn of(mut question: Question) -> Self {
        let mut keys = BTreeSet::new();
        while let Answer::Impossible(Impossible { why: Why::Certificate(name), .. }) = plan(&question) {
            let Some(key) = question.keys.get_mut(&name) else { break };
            key.certificate_until = None;
            if !keys.insert(name) {
                break;
            }
        }
        Self { question, keys }
    }

    /// In words, a line a key.
    pub fn words(&self) -> impl Iterator<Item = String> + '_ {
        self.keys.iter().map(|name| {
            format!("before the first root, {name} gets a new certificate: the one that it has ends too soon")
        })
    }

    /// Their runbooks, each with the part of its file's name after the number.
    pub fn runbooks(&self, cast: &Cast) -> Vec<(String, String)> {
        let holders = self.keys.iter().filter_map(|name| Some((name, &self.question.keys.get(name)?.holder)));
        holders
            .map(|(name, holder)| (format!("certify-{name}"), runbooks::certify(name, holder, cast)))
            .collect()
    }
}
