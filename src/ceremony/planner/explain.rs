//! The planner's answer in words.

use super::{Answer, Impossible, Key, PlannedRoot, Question, Remedy, Signers, Standing, Why};
use crate::ceremony::kinds::rules;
use crate::ceremony::people::KeyName;
use crate::tuf::rule::Refusal;
use std::collections::BTreeSet;

/// The answer, one line each, safe to show.
pub fn explain(question: &Question, answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Nothing => vec![format!("Root {} is as it is wanted: nothing to do.", question.version)],
        Answer::Roots(roots) => ways(question, roots),
        Answer::Impossible(impossible) => no_way(question, impossible),
    }
}

fn ways(question: &Question, roots: &[PlannedRoot]) -> Vec<String> {
    let mut lines = vec![summary(roots)];
    let mut threshold = question.now.threshold;
    for root in roots {
        let mut changes = Vec::new();
        for (names, one, more) in [(&root.enter, "enters", "enter"), (&root.leave, "leaves", "leave")] {
            if !names.is_empty() {
                changes.push(format!("{} {}", list(names), if names.len() == 1 { one } else { more }));
            }
        }
        if changes.is_empty() && root.root.threshold == threshold {
            changes.push("its keys stay".to_owned());
        } else if changes.is_empty() {
            changes.push(format!("the threshold becomes {}", root.root.threshold));
        }
        threshold = root.root.threshold;
        lines.push(format!("root {}, from {}: {}", root.version, root.day.date(), changes.join("; ")));
        lines.push(format!("  any {} of: {}", root.root.threshold, held(question, &root.root.keys)));
        let before = root.version.saturating_sub(1);
        lines.push(signed(question, &format!("  root {before} signs with"), &root.old));
        lines.push(signed(question, &format!("  root {} signs with", root.version), &root.new));
        lines.push(format!("  at the least: {}", held(question, &root.fewest())));
        lines.extend(short_tokens(question, root));
        lines.extend(waits(question, root));
        let exposed: BTreeSet<KeyName> =
            root.root.keys.iter().filter(|n| exposed(question, n)).cloned().collect();
        if !exposed.is_empty() {
            lines.push(format!("  still lists {}, which someone else may sign with", list(&exposed)));
        }
    }
    lines
}

/// Keys that could sign, were it not for the length of this root.
fn short_tokens(question: &Question, root: &PlannedRoot) -> Vec<String> {
    let bytes = root.root.keys.iter().filter_map(|name| question.keys.get(name)).map(|key| key.entry_bytes);
    let bytes = bytes.fold(question.bounds.rest_bytes, usize::saturating_add);
    let asked =
        root.root.keys.iter().chain(&root.leave).filter_map(|name| Some((name, question.keys.get(name)?)));
    let short = asked.filter(|(_, key)| !key.standing.is_gone());
    let short = short.filter_map(|(name, key)| {
        key.most_message.filter(|most| bytes > *most).map(|most| (name, key, most))
    });
    let line = |(name, key, most): (&KeyName, &Key, usize)| {
        format!("  {name} of {} can't sign it: its token takes messages of {most} bytes", key.holder)
    };
    short.map(line).collect()
}

/// For whom a root waits that can't be made today, and what that means for its planning.
fn waits(question: &Question, root: &PlannedRoot) -> Vec<String> {
    if root.day <= question.today {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let able: BTreeSet<&KeyName> = root.old.able.union(&root.new.able).collect();
    for name in able {
        if let Some(key) = question.keys.get(name)
            && let Standing::From(day) = key.standing
            && day > question.today
        {
            lines.push(format!("  waits for {name} of {}, at hand from {}", key.holder, day.date()));
        }
    }
    lines.push(
        "  plan it no earlier, since the days in which it can be signed count from its planning".to_owned(),
    );
    lines
}

/// Why there is no way, as a refusal that says what remains.
pub fn refused(question: &Question, impossible: &Impossible) -> Refusal {
    let lost = matches!(impossible.why, Why::Quorum { .. });
    let rule = if lost { &rules::QUORUM_LOST } else { &rules::RECOVER_NO_WAY };
    let remains: Vec<String> = no_way(question, impossible).into_iter().skip(1).collect();
    let expected = if remains.is_empty() { "another wish".to_owned() } else { remains.join(" ") };
    Refusal::new(rule, why(question, &impossible.why), expected)
}

fn summary(roots: &[PlannedRoot]) -> String {
    match roots {
        [one] => format!("1 root, from {}", one.day.date()),
        [.., last] => format!("{} roots, the last from {}", roots.len(), last.day.date()),
        [] => "no root".to_owned(),
    }
}

fn signed(question: &Question, who: &str, signers: &Signers) -> String {
    format!("{who} {} of: {}", signers.need, held(question, &signers.able))
}

fn exposed(question: &Question, name: &KeyName) -> bool {
    question.keys.get(name).is_some_and(|key| key.standing.is_exposed())
}

fn no_way(question: &Question, impossible: &Impossible) -> Vec<String> {
    let mut lines = vec![format!("There is no way: {}.", why(question, &impossible.why))];
    for (remedy, roots) in &impossible.remains {
        let way = summary(roots);
        lines.push(match remedy {
            Remedy::Spare => format!("With limits that demand no spare keys: {way}."),
            Remedy::KeysChanged => format!("With limits that let more keys change in one root: {way}."),
            Remedy::Found(name) => format!("If {name} is found: {way}."),
            Remedy::CompromisedSigns => format!(
                "Only with compromised keys' signatures: {way}. Whoever else has them may do the same, and \
                 agents follow whichever root reaches them first."
            ),
        });
    }
    if matches!(impossible.why, Why::Quorum { .. }) {
        lines.push(
            "Otherwise a new trust: its root reaches agents by a way of its own, as a new version of the agent."
                .to_owned(),
        );
    }
    lines
}

/// Why there is no way, without a full stop.
fn why(question: &Question, why: &Why) -> String {
    let (now, wanted, bounds) = (&question.now, &question.wanted, &question.bounds);
    match why {
        Why::Threshold => {
            format!("a threshold of {} of {} keys is none", wanted.threshold, wanted.keys.len())
        }
        Why::Gone(name) => format!("{name} is lost or compromised and enters no root"),
        Why::Floor => {
            format!(
                "a threshold of {}, where limits want at least {}",
                wanted.threshold, bounds.threshold_floor
            )
        }
        Why::Spare => format!(
            "{} keys at a threshold of {}, where limits want {} to spare",
            wanted.keys.len(),
            wanted.threshold,
            bounds.spare_keys
        ),
        Why::Holder(person) => format!("{person} would hold a threshold of the wanted root"),
        Why::Size(bytes) => {
            format!("the wanted root has {bytes} bytes, where clients read {}", bounds.most_bytes)
        }
        Why::Certificate(name) => {
            format!("the certificate of {name} ends before the root would: renew it first, by certify-key")
        }
        Why::TooMany(keys) => {
            format!("{keys} keys come, go and stay, where {} can be planned", super::MOST_KEYS)
        }
        Why::Quorum { able } => format!(
            "root {} wants {} signatures, and {} can ever sign again",
            question.version,
            now.threshold,
            only(able)
        ),
        Why::WantedQuorum { able } => {
            format!(
                "the wanted root wants {} signatures, and {} can ever sign it",
                wanted.threshold,
                only(able)
            )
        }
        Why::NoWay if bounds.keys_changed.is_some() => {
            "by the limits, no root can stand between the one that is there and the one that is wanted"
                .to_owned()
        }
        Why::NoWay => {
            "on no day can both roots' keys sign: certificates end, or tokens can't sign so much".to_owned()
        }
    }
}

fn only(names: &BTreeSet<KeyName>) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("only {}", list(names)) }
}

fn list(names: &BTreeSet<KeyName>) -> String {
    names.iter().map(KeyName::as_str).collect::<Vec<_>>().join(", ")
}

fn held(question: &Question, names: &BTreeSet<KeyName>) -> String {
    let one = |name: &KeyName| match question.keys.get(name) {
        Some(key) => format!("{name} of {}", key.holder),
        None => name.to_string(),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}
