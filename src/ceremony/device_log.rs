//! A token's own log beside the transcript: what it did is what was recorded, and nothing more.
//!
//! A YubiHSM writes an entry for whatever uses or changes a key, each with a digest over itself and
//! the one before (YubiHSM 2 user guide, "Logs"). They are put into transcripts as `drain` entries, and
//! judged by what transcripts say: the first entry continues the last that is on record, each continues
//! the one before, and there is an intent for every signature. A program that was cut off may have
//! intended one that was never made; one that was made and never intended is someone else's.
//!
//! The digests have no key, so they show what is missing or out of order, and not what somebody who
//! has the device's place would invent: that is kept out by the session, which is encrypted.

use super::outcome::{Intent, Outcome, TokenSeen};
use super::rules;
use super::transcript::Transcript;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use sha2::{Digest as _, Sha256};

/// What a device writes after a reset, with number 1.
const RESET_BEFORE: u8 = 0xff;
/// Uses of a private key (YubiHSM 2 command reference): sign PKCS#1, decrypt PKCS#1, sign PSS, sign
/// ECDSA, derive ECDH, decrypt OAEP, sign an SSH certificate, sign EdDSA.
const USES: [u8; 8] = [0x47, 0x49, 0x55, 0x56, 0x57, 0x59, 0x5d, 0x6a];
/// Attest a key: by a key of the owner's it is a signature, by the device's own it is not.
const ATTEST: u8 = 0x64;
/// Changes of what is on a device or can be done with it. Each is there as often as it was intended.
const RESET: u8 = 0x08;
const PUT_AUTHENTICATION: u8 = 0x44;
const GENERATE: u8 = 0x46;
const EXPORT: u8 = 0x4a;
const IMPORT: u8 = 0x4b;
const PUT_WRAP: u8 = 0x4c;
const SET_OPTION: u8 = 0x4f;
const DELETE: u8 = 0x58;
const CHANGES: [u8; 8] = [RESET, PUT_AUTHENTICATION, GENERATE, EXPORT, IMPORT, PUT_WRAP, SET_OPTION, DELETE];
/// Which keyrite never does: put an opaque object or a key in clear, make a wrap key, wrap and unwrap
/// data (which opens a wrapped key), change a password, and all that is done with RSA wrap keys.
const NEVER: [u8; 11] = [0x42, 0x45, 0x5b, 0x68, 0x69, 0x6c, 0x73, 0x74, 0x75, 0x76, 0x77];

/// One entry of a YubiHSM's log, as it gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEntry([u8; 32]);

impl LogEntry {
    /// An entry as the device gave it.
    pub const fn new(raw: [u8; 32]) -> Self {
        Self(raw)
    }

    /// As the device gave it.
    pub const fn raw(&self) -> &[u8; 32] {
        &self.0
    }

    /// The device's number of it, which begins again after 65,535 and after a reset.
    pub const fn number(&self) -> u16 {
        let [high, low, ..] = self.0;
        u16::from_be_bytes([high, low])
    }

    const fn command(&self) -> u8 {
        let [_, _, command, ..] = self.0;
        command
    }

    /// The second object of the command.
    const fn second(&self) -> u16 {
        let [_, _, _, _, _, _, _, _, _, high, low, ..] = self.0;
        u16::from_be_bytes([high, low])
    }

    const fn succeeded(&self) -> bool {
        let [_, _, command, _, _, _, _, _, _, _, _, result, ..] = self.0;
        result == command | 0x80
    }

    fn is_first(&self) -> bool {
        self.number() == 1 && self.command() == RESET_BEFORE
    }

    fn is(&self, commands: &[u8]) -> bool {
        self.succeeded() && commands.contains(&self.command())
    }

    fn is_signature(&self) -> bool {
        self.is(&USES) || (self.is(&[ATTEST]) && self.second() != 0)
    }

    fn follows(&self, before: &Self) -> bool {
        let (content, digest) = self.0.split_at(16);
        let (_, previous) = before.0.split_at(16);
        let chained = Sha256::new().chain_update(content).chain_update(previous).finalize();
        self.number() == before.number().wrapping_add(1) && chained.get(..16) == Some(digest)
    }
}

/// What was intended with a token since its log was put on record last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Intended {
    signatures: u64,
    made: u64,
    destroyed: u64,
    copied: u64,
    restored: u64,
}

impl Intended {
    fn add(&mut self, what: &Intent) {
        let count = match what {
            Intent::Sign { .. } => &mut self.signatures,
            Intent::Generate { .. } => &mut self.made,
            Intent::Destroy => &mut self.destroyed,
            Intent::Copy { .. } => &mut self.copied,
            Intent::Restore { .. } => &mut self.restored,
        };
        *count = count.saturating_add(1);
    }

    /// Whether a device may have been made ready for it.
    const fn prepares(&self) -> bool {
        self.made > 0 || self.restored > 0
    }

    /// How often a change may be in the log. `prepared`: it begins with the reset of a device that
    /// was made ready.
    fn of(&self, command: u8, prepared: bool) -> u64 {
        let ready = |count| if prepared { count } else { 0 };
        // The wrap key is put there for either, and taken away; first, if one was left there.
        let wrapped = self.copied.saturating_add(self.restored);
        match command {
            RESET => self.made.saturating_add(self.destroyed),
            PUT_AUTHENTICATION => ready(4),
            SET_OPTION => ready(2),
            GENERATE => self.made,
            EXPORT => self.copied,
            IMPORT => self.restored,
            PUT_WRAP => wrapped,
            // The factory's authentication key; and what came back and could not sign.
            DELETE => ready(1)
                .saturating_add(self.destroyed)
                .saturating_add(self.restored)
                .saturating_add(wrapped.saturating_mul(2)),
            _ => 0,
        }
    }
}

/// What transcripts know of a token's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    last: Option<LogEntry>,
    intended: Intended,
    /// What was once found in its log and in no transcript, since it was last reset.
    unaccounted: u64,
}

impl Known {
    /// By every transcript at hand, the one that is being written included.
    pub fn of<'a>(transcripts: impl Iterator<Item = &'a Transcript> + Clone, token: &TokenSeen) -> Self {
        let mut known = Self::default();
        let mut newest: Option<(Time, u16)> = None;
        let mut reset: Option<Time> = None;
        let drains =
            transcripts.clone().flat_map(Transcript::entries).filter_map(|(entry, _)| match &entry.outcome {
                Outcome::Drain { token: of, entries, unaccounted, .. } if same(of, token) => {
                    Some((entry.at, entries, *unaccounted))
                }
                _ => None,
            });
        for (at, entries, _) in drains.clone() {
            if let Some(last) = entries.last().filter(|last| newest.is_none_or(|n| n < (at, last.number()))) {
                newest = Some((at, last.number()));
                known.last = Some(*last);
            }
            if entries.first().is_some_and(LogEntry::is_first) {
                reset = reset.max(Some(at));
            }
        }
        known.unaccounted =
            drains.filter(|(at, _, _)| Some(*at) >= reset).fold(0, |all, (_, _, n)| all.saturating_add(n));
        for transcript in transcripts {
            let mut window = Vec::new();
            let mut has_newest = newest.is_none();
            for (entry, _) in transcript.entries() {
                match &entry.outcome {
                    Outcome::Drain { token: of, entries, .. } if same(of, token) => {
                        window.clear();
                        has_newest |= entries.last() == known.last.as_ref();
                    }
                    Outcome::Intent { token: of, what, .. } if same(of, token) => {
                        window.push((entry.at, what));
                    }
                    _ => {}
                }
            }
            // Elsewhere, what was intended before that was judged by then.
            let open = |at: Time| has_newest || newest.is_none_or(|(newest, _)| at >= newest);
            for (_, what) in window.into_iter().filter(|(at, _)| open(*at)) {
                known.intended.add(what);
            }
        }
        known
    }

    /// The entries that are not on record yet. The others are there where a session was cut off after
    /// it had put them on record and before the token was told that it may forget them.
    pub fn fresh<'a>(&self, entries: &'a [LogEntry]) -> &'a [LogEntry] {
        let last = self.last.and_then(|last| entries.iter().position(|entry| *entry == last));
        last.and_then(|last| entries.get(last.saturating_add(1)..)).unwrap_or(entries)
    }

    /// Judges what the token's log has that is not on record: how many of its entries are uses
    /// and changes of keys that no transcript speaks of. `lost`: events that it had no room for.
    ///
    /// # Errors
    ///
    /// `LOG-CHAIN`.
    pub fn judge(&self, entries: &[LogEntry], lost: u32) -> Result<u64> {
        if lost > 0 {
            return Err(broken(&format!("{lost} events that it had no room for")));
        }
        let mut before = self.last;
        for (place, entry) in entries.iter().enumerate() {
            let anew = place == 0 && entry.is_first() && (before.is_none() || self.intended.prepares());
            if !anew && !before.is_some_and(|before| entry.follows(&before)) {
                let found = match before {
                    Some(before) => format!("entry {} after entry {}", entry.number(), before.number()),
                    None => format!("entry {} as the first", entry.number()),
                };
                return Err(broken(&found));
            }
            before = Some(*entry);
        }
        let count = |is: &dyn Fn(&&LogEntry) -> bool| {
            u64::try_from(entries.iter().filter(is).count()).unwrap_or(u64::MAX)
        };
        let prepared = self.intended.prepares() && entries.first().is_some_and(LogEntry::is_first);
        let signatures = count(&|entry| entry.is_signature()).saturating_sub(self.intended.signatures);
        let changes = CHANGES.into_iter().fold(0_u64, |all, command| {
            let found = count(&|entry| entry.is(&[command]));
            all.saturating_add(found.saturating_sub(self.intended.of(command, prepared)))
        });
        Ok(signatures.saturating_add(changes).saturating_add(count(&|entry| entry.is(&NEVER))))
    }

    /// What was once found in its log and in no transcript, since it was last reset.
    pub const fn unaccounted(&self) -> u64 {
        self.unaccounted
    }
}

/// `LOG-SIGNATURES`: a token did what no transcript speaks of.
pub fn unrecorded(count: u64, token: &TokenSeen) -> Refusal {
    Refusal::new(
        &rules::LOG_SIGNATURES,
        format!(
            "{count} uses or changes of keys in the log of the token with serial {} that no transcript has",
            visible(&token.serial)
        ),
        "a signature on record for each in the log",
    )
}

fn broken(found: &str) -> Refusal {
    Refusal::new(&rules::LOG_CHAIN, found, "entries that continue the last one on record, without a gap")
}

/// By the serial number, which modules write with or without leading zeros.
fn same(a: &TokenSeen, b: &TokenSeen) -> bool {
    let number = |token: &TokenSeen| token.serial.trim_start_matches('0').to_owned();
    !a.serial.is_empty() && number(a) == number(b)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;
    use crate::ceremony::people::KeyName;

    /// Entries of these commands (number, command, result) that continue one another.
    fn log(before: Option<&LogEntry>, commands: &[(u16, u8, u8)]) -> Vec<LogEntry> {
        let mut previous = before.map_or([7; 16], |entry| *entry.0.last_chunk().unwrap());
        let mut entries = Vec::new();
        for (number, command, result) in commands {
            let mut content = [0; 16];
            content[..2].copy_from_slice(&number.to_be_bytes());
            (content[2], content[11]) = (*command, *result);
            let digest = Sha256::new().chain_update(content).chain_update(previous).finalize();
            previous.copy_from_slice(&digest[..16]);
            let mut raw = [0; 32];
            raw[..16].copy_from_slice(&content);
            raw[16..].copy_from_slice(&previous);
            entries.push(LogEntry::new(raw));
        }
        entries
    }

    fn judged(known: &Known, entries: &[LogEntry]) -> std::result::Result<u64, &'static str> {
        known.judge(entries, 0).map_err(|refusal| refusal.rule().name)
    }

    const SIGNS: Intent = Intent::Sign { payload: crate::tuf::digest::Digest::from_bytes([7; 32]) };

    /// The last entry on record, and what was intended since.
    fn known(last: &[LogEntry], intents: &[Intent]) -> Known {
        let mut intended = Intended::default();
        for what in intents {
            intended.add(what);
        }
        Known { last: last.last().copied(), intended, unaccounted: 0 }
    }

    #[test]
    fn every_use_needs_an_intent() {
        let first = log(None, &[(1, 0xff, 0xff), (2, 0x46, 0xc6)]);
        for (commands, intended, expected) in [
            (&[][..], 0, Ok(0)),
            (&[(3, 0x67, 0xe7), (4, 0x56, 0xd6)][..], 1, Ok(0)),
            // One that was intended and not made, or that failed.
            (&[(3, 0x56, 0x07)][..], 1, Ok(0)),
            (&[(3, 0x56, 0x07)][..], 0, Ok(0)),
            (&[(3, 0x56, 0xd6)][..], 0, Ok(1)),
            (&[(3, 0x6a, 0xea), (4, 0x47, 0xc7), (5, 0x55, 0xd5)][..], 1, Ok(2)),
            (&[(3, 0x44, 0xc4), (4, 0x4f, 0xcf)][..], 9, Ok(2)),
            (&[(3, 0x58, 0xd8)][..], 0, Ok(1)),
            // A gap, an entry twice, another order, the log of a device that was reset.
            (&[(4, 0x67, 0xe7)][..], 0, Err("LOG-CHAIN")),
            (&[(2, 0x46, 0xc6)][..], 0, Err("LOG-CHAIN")),
            (&[(3, 0x67, 0xe7), (5, 0x67, 0xe7)][..], 0, Err("LOG-CHAIN")),
            (&[(1, 0xff, 0xff)][..], 0, Err("LOG-CHAIN")),
        ] {
            let entries = log(first.last(), commands);
            assert_eq!(judged(&known(&first, &vec![SIGNS; intended]), &entries), expected, "{commands:?}");
        }
        // Changed, or without the one before.
        let mut entries = log(first.last(), &[(3, 0x56, 0xd6), (4, 0x56, 0xd6)]);
        let two = known(&first, &[SIGNS, SIGNS]);
        assert_eq!(judged(&two, &entries[1..]), Err("LOG-CHAIN"));
        entries[0].0[11] ^= 1;
        assert_eq!(judged(&two, &entries), Err("LOG-CHAIN"));
        assert_eq!(judged(&known(&first, &[]), &log(None, &[(3, 0x67, 0xe7)])), Err("LOG-CHAIN"));
        assert_eq!(known(&first, &[]).judge(&[], 1).unwrap_err().rule().name, "LOG-CHAIN");
        // Numbers begin again.
        let last = log(None, &[(u16::MAX, 0x67, 0xe7)]);
        assert_eq!(judged(&known(&last, &[]), &log(last.last(), &[(0, 0x67, 0xe7)])), Ok(0));
    }

    /// Whoever makes a key has not thereby the right to anything else.
    #[test]
    fn every_change_needs_an_intent_of_its_own() {
        let makes = Intent::Generate { label: "root-a".to_owned(), id: [0; 16] };
        let wrap_key: KeyName = "wrap-1".parse().unwrap();
        let (copies, restores) = (Intent::Copy { wrap_key: wrap_key.clone() }, Intent::Restore { wrap_key });
        let ready: &[u8] = &[0x44, 0x44, 0x44, 0x44, 0x4f, 0x4f, 0x58];
        let (leaves, returns): (&[u8], &[u8]) = (&[0x58, 0x4c, 0x4a, 0x58], &[0x58, 0x4c, 0x4b, 0x58]);
        for (reset, commands, intents, expected) in [
            (true, [ready, &[0x46]].concat(), vec![makes.clone()], 0),
            (true, [ready, &[0x46]].concat(), vec![], 8),
            (true, [ready, &[0x44, 0x46, 0x46]].concat(), vec![makes.clone()], 2),
            (true, [ready, &[0x4f, 0x58, 0x46]].concat(), vec![makes.clone()], 2),
            (false, vec![0x46], vec![makes.clone()], 0),
            (false, [ready, &[0x46]].concat(), vec![makes.clone()], 7),
            (false, vec![0x46, 0x46], vec![makes.clone(), SIGNS], 1),
            (false, vec![0x46, 0x46], vec![makes.clone(), makes.clone()], 0),
            (false, leaves.to_vec(), vec![copies.clone()], 0),
            (false, leaves.to_vec(), vec![restores.clone()], 1),
            (false, leaves.to_vec(), vec![], 4),
            (false, [leaves, &[0x4a]].concat(), vec![copies.clone(), makes.clone()], 1),
            (false, returns.to_vec(), vec![restores.clone()], 0),
            (true, [ready, &[0x4c, 0x4b, 0x58]].concat(), vec![restores.clone()], 0),
            (false, [returns, leaves].concat(), vec![restores, copies.clone()], 0),
            (false, vec![0x58], vec![Intent::Destroy], 0),
            (false, vec![0x58, 0x58], vec![Intent::Destroy], 1),
            (false, NEVER.to_vec(), vec![makes, copies, Intent::Destroy, SIGNS], NEVER.len()),
        ] {
            let before = log(None, &[(7, 0x67, 0xe7)]);
            let mut entries: Vec<_> = reset.then_some((1, 0xff, 0xff)).into_iter().collect();
            let from = if reset { 2 } else { 8 };
            entries
                .extend((from..).zip(&commands).map(|(number, command)| (number, *command, command | 0x80)));
            let (known, entries) = if reset {
                (known(&[], &intents), log(None, &entries))
            } else {
                (known(&before, &intents), log(before.last(), &entries))
            };
            let found = judged(&known, &entries);
            assert_eq!(found, Ok(u64::try_from(expected).unwrap()), "{commands:02x?} {intents:?}");
        }
    }

    /// A session was cut off after its log was put on record, before the token could forget it.
    #[test]
    fn what_is_on_record_is_not_judged_again() {
        let first = log(None, &[(1, 0xff, 0xff), (2, 0x46, 0xc6)]);
        let then = log(first.last(), &[(3, 0x56, 0xd6)]);
        let both = [first.clone(), then.clone()].concat();
        let known = known(&first, &[SIGNS]);
        assert_eq!(judged(&known, &both), Err("LOG-CHAIN"));
        assert_eq!(known.fresh(&both), then);
        assert_eq!(judged(&known, known.fresh(&both)), Ok(0));
        assert!(known.fresh(&first).is_empty());
        // By all of it, not by its number.
        let others = log(Some(&then[0]), &[(2, 0x46, 0xc6), (3, 0x56, 0xd6)]);
        assert_eq!(judged(&known, known.fresh(&others)), Err("LOG-CHAIN"));
    }
}
