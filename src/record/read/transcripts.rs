//! Transcripts: whole ones are used, broken ones are not.

use super::statements::Said;
use super::{Desk, by_newest_root, by_some_root, decision};
use crate::ceremony::rules::{CLOCK, TRANSCRIPT_BROKEN};
use crate::ceremony::transcript::{CeremonyId, Entry, File, Transcript};
use crate::record::names::Place;
use crate::record::rules;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::{Term, Time, Unit};
use std::collections::BTreeMap;

/// Every transcript of the record.
pub(super) struct Transcripts {
    /// Those whose chain is unbroken.
    pub whole: BTreeMap<CeremonyId, Transcript>,
    /// The others, with the first bad entry.
    pub broken: BTreeMap<CeremonyId, Refusal>,
}

/// One file of a transcript: number, digest, content.
type Piece = (u64, Digest, Vec<u8>);

/// Reads them. What wants to come in must continue what is here, and hold no entry of a day to
/// come: no session would begin after it.
pub(super) fn read(desk: &mut Desk<'_>, today: Time, said: &Said, roots: &[Trusted]) -> Transcripts {
    let mut places: BTreeMap<CeremonyId, Vec<Place>> = BTreeMap::new();
    for place in &desk.places {
        if let Place::Outcome(ceremony, ..) = place {
            places.entry(*ceremony).or_default().push(place.clone());
        }
    }
    let mut transcripts = Transcripts { whole: BTreeMap::new(), broken: BTreeMap::new() };
    for (ceremony, places) in places {
        let (new, own): (Vec<_>, Vec<_>) = places.into_iter().partition(|p| desk.files.is_new(p));
        let (own_pieces, torn) = pieces(desk, &own);
        let (new_pieces, _) = pieces(desk, &new);
        let deciding = Deciding { ceremony, said, roots };
        let all: Vec<Piece> = own_pieces.iter().chain(&new_pieces).cloned().collect();
        let own_pieces = deciding.one_branch(desk, own_pieces);
        let new_pieces = deciding.one_branch(desk, new_pieces);
        let mut here = torn.map_or_else(|| chain(ceremony, &own_pieces), Err);
        if own.is_empty() {
            here = chain(ceremony, &new_pieces).and_then(|transcript| by_now(transcript, today));
            if let Err(refusal) = &here {
                refuse_all(desk, &new, refusal);
                continue;
            }
        } else if !new_pieces.is_empty() {
            let all = deciding.one_branch(desk, all);
            match chain(ceremony, &all).and_then(|transcript| by_now(transcript, today)) {
                // What came in may also mend a transcript that lacked entries.
                Ok(longer) => here = Ok(longer),
                Err(refusal) => refuse_all(desk, &new, &refusal),
            }
        }
        match here {
            Ok(transcript) => {
                for place in own.iter().chain(&new) {
                    desk.accept(place);
                }
                transcripts.whole.insert(ceremony, transcript);
            }
            Err(refusal) => {
                let bad = own.first().cloned();
                if let Some(place) = bad {
                    desk.refuse(&place, refusal.clone());
                }
                transcripts.broken.insert(ceremony, refusal);
            }
        }
    }
    transcripts
}

/// What decides between two transcripts of one ceremony.
struct Deciding<'a> {
    ceremony: CeremonyId,
    said: &'a Said,
    roots: &'a [Trusted],
}

impl Deciding<'_> {
    /// The entries of the branch that stands, where a transcript has several; all of them while that
    /// isn't decided. An entry that continues none of the others is no branch.
    fn one_branch(&self, desk: &mut Desk<'_>, pieces: Vec<Piece>) -> Vec<Piece> {
        let mut by_number: BTreeMap<u64, Vec<Piece>> = BTreeMap::new();
        for piece in pieces.clone() {
            by_number.entry(piece.0).or_default().push(piece);
        }
        if by_number.values().all(|at| at.len() < 2) {
            return pieces;
        }
        let (mut branch, mut before, mut decided) = (Vec::new(), None, false);
        for (seq, mut at) in by_number {
            let several = at.len() > 1;
            if several || decided {
                let (linked, loose): (Vec<_>, Vec<_>) =
                    at.into_iter().partition(|piece| follows(piece, before));
                for (_, sha, _) in loose.iter().filter(|_| !decided) {
                    let found = format!("a second entry {seq} that continues no other");
                    let place = Place::Outcome(self.ceremony, seq, *sha);
                    desk.refuse(
                        &place,
                        Refusal::new(&TRANSCRIPT_BROKEN, found, "one that names the entry before"),
                    );
                }
                at = linked;
            }
            if at.len() > 1 {
                let Some(one) = self.decided(desk, seq, &at, &pieces) else { return pieces };
                decided = true;
                at.retain(|(_, sha, _)| *sha == one);
            }
            before = at.first().map(|(_, sha, _)| *sha).or(before);
            branch.extend(at);
        }
        branch
    }

    /// Which of several entries of one number stands.
    fn decided(&self, desk: &mut Desk<'_>, seq: u64, at: &[Piece], all: &[Piece]) -> Option<Digest> {
        let what = format!("transcripts/{}/{seq}", self.ceremony);
        let (now, once) = (|by: &_| by_newest_root(self.roots, by), |by: &_| by_some_root(self.roots, by));
        let decided = decision(self.said, &what, now, once);
        let mut left = at.iter().map(|(_, sha, _)| *sha).filter(|sha| !decided.out.contains(sha));
        let stands = left.next().filter(|_| left.next().is_none());
        // Each entry is read once, however many there are: a medium can bring any number.
        let mut next: BTreeMap<Digest, &Piece> = BTreeMap::new();
        for piece in all {
            if let Some(previous) = Entry::from_json(&piece.2).ok().and_then(|entry| entry.previous) {
                next.entry(previous).or_insert(piece);
            }
        }
        let sides = at.iter().map(|piece| (piece.1, side(piece, &next))).collect();
        desk.note(&what, sides, stands, &decided);
        stands
    }
}

/// Whether an entry names this one as the one before it.
fn follows(piece: &Piece, before: Option<Digest>) -> bool {
    Entry::from_json(&piece.2).is_ok_and(|entry| entry.previous == before)
}

/// An entry and those that follow it, a line each.
fn side(first: &Piece, next: &BTreeMap<Digest, &Piece>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = Some(first);
    while let Some((seq, sha, bytes)) = last {
        let Ok(entry) = Entry::from_json(bytes) else { break };
        let by = entry.by.map_or_else(String::new, |by| format!(" by {by}"));
        lines.push(format!("entry {seq} at {}: {}{by}", entry.at, entry.outcome.act()));
        last = next.get(sha).copied();
    }
    lines
}

/// Refuses a transcript with an entry that is more than a day ahead, which clocks may differ by.
fn by_now(transcript: Transcript, today: Time) -> Result<Transcript> {
    let latest = today.plus(Term::new(1, Unit::Days))?;
    match transcript.entries().iter().find(|(entry, _)| entry.at > latest) {
        None => Ok(transcript),
        Some((entry, _)) => Err(Refusal::new(
            &CLOCK,
            format!("the transcript {}, with an entry at {}", transcript.ceremony(), entry.at),
            format!("entries until today, {today}"),
        )),
    }
}

fn refuse_all(desk: &mut Desk<'_>, places: &[Place], refusal: &Refusal) {
    for place in places {
        desk.refuse(place, refusal.clone());
    }
}

/// The content of each file, in order; and the first that is torn or unreadable.
fn pieces(desk: &mut Desk<'_>, places: &[Place]) -> (Vec<Piece>, Option<Refusal>) {
    let mut pieces = Vec::new();
    let mut torn = None;
    for place in places {
        let Place::Outcome(_, seq, sha) = place else { continue };
        if let Some(bytes) = desk.bytes(place) {
            pieces.push((*seq, *sha, bytes.into_owned()));
        } else {
            let why = desk.refused.get(place).map(ToString::to_string).unwrap_or_default();
            torn.get_or_insert(Refusal::new(
                &TRANSCRIPT_BROKEN,
                format!("entry {seq}: {why}"),
                "the entry as it was written",
            ));
        }
    }
    (pieces, torn)
}

/// Checks the chain. Two entries of one number are a conflict before they are a broken chain.
fn chain(ceremony: CeremonyId, pieces: &[Piece]) -> Result<Transcript> {
    let mut sorted: Vec<&Piece> = pieces.iter().collect();
    sorted.sort_by_key(|(seq, sha, _)| (*seq, *sha));
    let twice = sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a.0 == b.0 && a.1 != b.1);
    if let Some((first, _)) = twice {
        return Err(Refusal::new(
            &rules::RECORD_CONFLICT,
            format!("two entries {} in the transcript {ceremony}", first.0),
            "one entry for one number",
        ));
    }
    let files: Vec<File<'_>> =
        sorted.into_iter().map(|(seq, sha, bytes)| File { seq: *seq, sha: *sha, bytes }).collect();
    Transcript::read(ceremony, &files, &[])
}
