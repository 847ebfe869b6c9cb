//! Rehearsals of this trust: shadow trusts whose changes and transcripts are kept here.

use super::Desk;
use crate::ceremony::facts::Stage;
use crate::ceremony::transcript::{CeremonyId, EndState, File, Outcome, Transcript};
use crate::record::TrustFile;
use crate::record::contents::StoredRehearsal;
use crate::record::names::Place;
use crate::record::rules;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use std::collections::BTreeMap;

/// Reads them.
pub(super) fn read(desk: &mut Desk<'_>) -> Vec<StoredRehearsal> {
    let mut trusts: BTreeMap<TrustId, Vec<Place>> = BTreeMap::new();
    for place in &desk.places {
        if let Place::Rehearsal(trust, _) = place {
            trusts.entry(*trust).or_default().push(place.clone());
        }
    }
    let mut held = Vec::new();
    for (trust, places) in trusts {
        match one(desk, trust, &places) {
            Ok(found) => {
                for place in &places {
                    desk.accept(place);
                }
                held.extend(found);
            }
            Err(refusal) => {
                for place in &places {
                    desk.refuse(place, refusal.clone());
                }
            }
        }
    }
    held.sort_by_key(|rehearsal| (rehearsal.at, rehearsal.ceremony));
    held
}

fn one(desk: &Desk<'_>, trust: TrustId, places: &[Place]) -> Result<Vec<StoredRehearsal>> {
    let own = Place::Rehearsal(trust, Box::new(Place::Trust));
    let file = TrustFile::from_json(&desk.files.bytes(&own)?)?;
    let shadow = file.trust();
    if shadow.id != trust || shadow.stage != Stage::Rehearsal || shadow.shadows != Some(desk.trust.id) {
        let found = format!("a trust {} that does not rehearse this one", shadow.id);
        return Err(Refusal::new(&rules::RECORD_OTHER, found, format!("a rehearsal of {}", desk.trust.id)));
    }
    let mut ceremonies: BTreeMap<CeremonyId, Vec<(u64, Digest, Vec<u8>)>> = BTreeMap::new();
    for place in places {
        let bytes = desk.files.bytes(place)?;
        if let Place::Rehearsal(_, inner) = place
            && let Place::Outcome(ceremony, seq, sha) = &**inner
        {
            ceremonies.entry(*ceremony).or_default().push((*seq, *sha, bytes.into_owned()));
        }
    }
    let mut held = Vec::new();
    for (ceremony, pieces) in ceremonies {
        let files: Vec<File<'_>> =
            pieces.iter().map(|(seq, sha, bytes)| File { seq: *seq, sha: *sha, bytes }).collect();
        let transcript = Transcript::read(ceremony, &files, &[])?;
        let Some((end, digest)) = transcript.entries().last() else { continue };
        let begun = transcript.entries().iter().filter_map(|(entry, _)| match &entry.outcome {
            Outcome::Begin(begin) => Some(begin.runbooks.clone()),
            _ => None,
        });
        held.push(StoredRehearsal {
            trust,
            ceremony,
            head: *digest,
            runbooks: begun.flatten().collect(),
            at: end.at,
            done: matches!(end.outcome, Outcome::End { state: EndState::Done, .. }),
        });
    }
    Ok(held)
}
