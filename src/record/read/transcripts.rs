//! Transcripts: whole ones are used, broken ones are not.

use super::Desk;
use crate::ceremony::rules::{CLOCK, TRANSCRIPT_BROKEN};
use crate::ceremony::transcript::{CeremonyId, File, Transcript};
use crate::record::names::Place;
use crate::record::rules;
use crate::tuf::digest::Digest;
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
pub(super) fn read(desk: &mut Desk<'_>, today: Time) -> Transcripts {
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
        let mut here = torn.map_or_else(|| chain(ceremony, &own_pieces), Err);
        if own.is_empty() {
            here = chain(ceremony, &new_pieces).and_then(|transcript| by_now(transcript, today));
            if let Err(refusal) = &here {
                refuse_all(desk, &new, refusal);
                continue;
            }
        } else if !new_pieces.is_empty() {
            let all: Vec<Piece> = own_pieces.iter().chain(&new_pieces).cloned().collect();
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
