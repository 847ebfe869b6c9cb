//! `keyrite verify`: the whole record once more, without secrets, from the anchor on paper.

mod ceremonies;
mod report;

use super::arguments::Verify;
use super::gated;
use super::rules;
use super::session::{Ended, Session, shown};
use super::table::Table;
use crate::ceremony::facts::{Anchor, Stage};
use crate::ceremony::gate;
use crate::ceremony::transcript::CeremonyId;
use crate::record::Contents;
use crate::record::listing::PrivateAnswers;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use std::collections::BTreeSet;

/// Runs the command.
pub fn run(session: &Session, args: &Verify) -> Result<Ended> {
    let mut table = Table::open(session)?;
    let anchor = args.anchor.as_deref().map(read_anchor).transpose()?;
    let contents = table.contents_with(session, anchor)?;
    let listing = table.record.listing()?;
    let answers = table.record.private_answers(&contents);
    let mut clients = gate::standing(&contents.facts)?.lines();
    clients.extend(contents.changes.values().flat_map(|stored| gated::lines(stored, &contents)));
    let mut problems = problems(&contents);
    problems.extend(answers.wrong.iter().cloned());
    if let Err(refusal) = contents.require_heads() {
        problems.push(("transcripts".to_owned(), refusal));
    }
    let seen = Seen { listing: Digest::of(listing.as_bytes()), answers, clients };
    let mut screen = screen(&contents, &problems, &seen);
    if let Some(path) = &args.report {
        let verified = problems.is_empty();
        let html = report::html(&contents, &screen, verified, &listing, session.now()?);
        super::files::create(path, html.as_bytes())?;
        screen = screen.next(format!("print {} from a browser, on A4 or Letter", shown(path)));
    }
    let list = problems.iter().map(|(place, refusal)| {
        object([
            ("at", place.as_str().into()),
            ("rule", refusal.rule().name.into()),
            ("found", refusal.found().into()),
            ("expected", refusal.expected().into()),
        ])
    });
    let notices = contents.facts.overtaken.values().map(|lost| {
        let notice = lost.notice(&contents.facts);
        object([
            ("rule", notice.rule().name.into()),
            ("found", notice.found().into()),
            ("expected", notice.expected().into()),
        ])
    });
    let number = |n: usize| i64::try_from(n).map_or(Json::Null, Json::Int);
    let root = contents.facts.roots.last().map_or(Json::Null, |root| {
        let version = i64::try_from(root.version()).map_or(Json::Null, Json::Int);
        object([("version", version), ("payload", root.payload().digest().hex().into())])
    });
    let json = object([
        ("root", root),
        ("record", seen.listing.hex().into()),
        ("clients", seen.clients.iter().map(|line| Json::from(line.as_str())).collect::<Vec<_>>().into()),
        ("problems", list.collect::<Vec<_>>().into()),
        ("notices", notices.collect::<Vec<_>>().into()),
        ("roots", number(contents.facts.roots.len())),
        ("keys", number(contents.facts.keys.len())),
        ("changes", number(contents.changes.len())),
        ("transcripts", number(contents.transcripts.len())),
        ("documents", number(contents.history.len())),
    ]);
    session.report(&screen, json)?;
    Ok(if problems.is_empty() { Ended::Done } else { Ended::Refused })
}

/// Reads `VERSION:DIGEST`.
fn read_anchor(text: &str) -> Result<Anchor> {
    let refuse = || {
        Refusal::new(
            &rules::ANCHOR_FORM,
            format!("\"{}\"", visible(text)),
            "VERSION:DIGEST, as 1: and 64 hexadecimal digits",
        )
    };
    let (version, payload) = text.split_once(':').ok_or_else(refuse)?;
    Ok(Anchor { version: version.parse().map_err(|_| refuse())?, payload: payload.parse()? })
}

/// Everything that is wrong, by place.
pub fn problems(contents: &Contents) -> Vec<(String, Refusal)> {
    let mut problems = Vec::new();
    if let Err(refusal) = contents.require_anchor() {
        problems.push(("the chain of roots".to_owned(), refusal));
    }
    problems.extend(contents.conflicts.iter().map(|(role, refusal)| (role.to_string(), refusal.clone())));
    problems
        .extend(contents.broken.iter().map(|(id, refusal)| (format!("transcripts/{id}"), refusal.clone())));
    problems.extend(contents.findings.iter().filter(|finding| !is_beside(finding)).cloned());
    for (digest, stored) in &contents.changes {
        if let Err(refusal) = &stored.standing {
            problems.push((format!("changes/{digest}"), refusal.clone()));
        }
    }
    problems
}

/// Whether a finding is only a file that is no part of the record: ignored and listed (FORMAT.md).
pub fn is_beside((_, refusal): &(String, Refusal)) -> bool {
    refusal.rule() == &crate::record::rules::RECORD_NAME
}

/// What is seen of this copy beside its contents.
struct Seen {
    /// The digest of the record's list of files.
    listing: Digest,
    /// How its private answers stand.
    answers: PrivateAnswers,
    /// What clients see, a line each.
    clients: Vec<String>,
}

fn screen(contents: &Contents, problems: &[(String, Refusal)], seen: &Seen) -> Screen {
    let title = if problems.is_empty() { "Verified" } else { "NOT verified" };
    let facts = &contents.facts;
    let mut screen = Screen::new(format!("{title}: {}", visible(&facts.trust.collection)))
        .rehearsal(facts.trust.stage == Stage::Rehearsal)
        .fact("trust", facts.trust.id.to_string())
        .fact("roots in the chain", facts.roots.len().to_string())
        .fact("keys", facts.keys.len().to_string())
        .fact("changes", contents.changes.len().to_string())
        .fact("transcripts", contents.transcripts.len().to_string())
        .fact("documents", contents.history.len().to_string());
    let PrivateAnswers { opened, elsewhere, .. } = &seen.answers;
    if opened.saturating_add(*elsewhere) > 0 {
        let here = format!("{opened} here, as the transcripts commit to; {elsewhere} in another copy");
        screen = screen.fact("private answers", here);
    }
    screen = screen
        .text("The record, as sha256sum lists its files; a copy without private/ has the same:")
        .exact([seen.listing.hex()]);
    for stored in contents.statements.values() {
        if let Some(idle) = &stored.idle {
            screen = screen.callout(
                Tone::Note,
                format!("a {} statement does not act: {idle}", stored.signed.statement().kind()),
            );
        }
    }
    for lost in facts.overtaken.values() {
        screen = screen.callout(Tone::Careful, lost.notice(facts).to_string());
    }
    for line in ceremonies::unagreed(contents) {
        screen = screen.callout(Tone::Careful, line);
    }
    for line in heads_missing(&contents.missing_heads()) {
        screen = screen.callout(Tone::Careful, line);
    }
    let beside: Vec<_> =
        contents.findings.iter().filter(|f| is_beside(f)).map(|(place, _)| place.as_str()).collect();
    if !beside.is_empty() {
        screen = screen.callout(
            Tone::Note,
            format!("no part of the record, and not looked into: {}", beside.join(", ")),
        );
    }
    if let Some(root) = facts.roots.last() {
        screen = screen.digest(format!("payload of root {}", root.version()), root.payload().digest());
    }
    if !seen.clients.is_empty() {
        let lines = seen.clients.iter().map(String::as_str);
        screen = screen.heading("What clients of every root see").items(lines);
    }
    for (place, refusal) in problems {
        screen = screen.callout(Tone::Refused, format!("{place}: {refusal}"));
    }
    if problems.is_empty() {
        return screen
            .callout(Tone::Done, "every signature, digest, threshold and transcript of this record verifies")
            .next("compare the words above with the paper of the last ceremony");
    }
    if problems.iter().all(|(_, refusal)| refusal.rule() == &crate::tuf::rules::ANCHOR) {
        return screen.next(
            "give the newest root that stands on your paper, its version and its digest in hexadecimal: \
             --anchor VERSION:DIGEST",
        );
    }
    let unbound = problems.iter().all(|(_, refusal)| refusal.rule() == &crate::record::rules::TRUST_UNBOUND);
    if unbound && facts.trust.start.is_some() {
        return screen.next(
            "after adopt, hold ceremonies/adopted: its root keys sign the limits, which binds the trust",
        );
    }
    screen.next("take another copy of the record, and compare the two; do not repair files by hand")
}

/// How many entries that are missing are named.
const NAMED: usize = 8;

/// A line for each entry after which a ceremony began and which no transcript here has; of many the first
/// few, since anyone can write a transcript that names thousands.
fn heads_missing(missing: &BTreeSet<(CeremonyId, Digest)>) -> Vec<String> {
    let line = |(ceremony, head): &(CeremonyId, Digest)| {
        format!(
            "ceremony {ceremony} began after the entry {head}, which no transcript here has: one was cut short \
             or written anew, or lies in another copy"
        )
    };
    let mut lines: Vec<String> = missing.iter().take(NAMED).map(line).collect();
    if let Some(more) = missing.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("and after {more} more entries that no transcript here has"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_missing_entries_some_are_named() {
        for (missing, lines, last) in
            [(0, 0, ""), (8, 8, "lies in another copy"), (11, 9, "after 3 more entries")]
        {
            let heads = (0..missing).map(|n: u8| (CeremonyId::from_bytes([n; 16]), Digest::of(&[n])));
            let told = heads_missing(&heads.collect());
            assert_eq!(told.len(), lines, "{missing}: {told:?}");
            assert!(told.last().is_none_or(|line| line.contains(last)), "{missing}: {told:?}");
        }
    }
}
