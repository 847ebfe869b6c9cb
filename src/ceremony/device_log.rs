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
/// Put an authentication or asymmetric key, make one, set an option, change a password.
const CHANGES: [u8; 5] = [0x44, 0x45, 0x46, 0x4f, 0x6c];
/// Reset, delete.
const REMOVALS: [u8; 2] = [0x08, 0x58];
/// Open a session.
const LOGIN: u8 = 0x04;

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

/// What transcripts know of a token's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    last: Option<LogEntry>,
    /// Signatures that were intended since.
    intended: u64,
    making: bool,
    destroying: bool,
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
                match what {
                    Intent::Sign { .. } => known.intended = known.intended.saturating_add(1),
                    Intent::Generate { .. } => known.making = true,
                    Intent::Destroy => known.destroying = true,
                }
            }
        }
        known
    }

    /// Judges what the token's log has that nobody has acknowledged: how many of its entries are uses
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
            let anew = place == 0 && entry.is_first() && (before.is_none() || self.making);
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
        let signatures = count(&|entry| entry.is_signature()).saturating_sub(self.intended);
        let changes = if self.making { 0 } else { count(&|entry| entry.is(&CHANGES)) };
        let removals = if self.making || self.destroying { 0 } else { count(&|entry| entry.is(&REMOVALS)) };
        Ok(signatures.saturating_add(changes).saturating_add(removals))
    }

    /// What was once found in its log and in no transcript, since it was last reset.
    pub const fn unaccounted(&self) -> u64 {
        self.unaccounted
    }
}

/// How many wrong passwords were tried.
pub fn wrong_passwords(entries: &[LogEntry]) -> usize {
    entries.iter().filter(|entry| entry.command() == LOGIN && !entry.succeeded()).count()
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

    #[test]
    fn every_use_needs_an_intent() {
        let first = log(None, &[(1, 0xff, 0xff), (2, 0x46, 0xc6)]);
        let fresh = Known { making: true, ..Known::default() };
        assert_eq!(judged(&fresh, &first), Ok(0));
        assert_eq!(judged(&Known::default(), &first), Ok(1), "a key that nobody was to make");
        let known = |intended| Known { last: first.last().copied(), intended, ..Known::default() };
        for (commands, intended, expected) in [
            (&[][..], 0, Ok(0)),
            (&[(3, 0x04, 0x84), (4, 0x56, 0xd6)][..], 1, Ok(0)),
            // One that was intended and not made, or that failed.
            (&[(3, 0x56, 0x07)][..], 1, Ok(0)),
            (&[(3, 0x56, 0x07)][..], 0, Ok(0)),
            (&[(3, 0x56, 0xd6)][..], 0, Ok(1)),
            (&[(3, 0x6a, 0xea), (4, 0x47, 0xc7), (5, 0x55, 0xd5)][..], 1, Ok(2)),
            (&[(3, 0x44, 0xc4), (4, 0x4f, 0xcf)][..], 9, Ok(2)),
            (&[(3, 0x58, 0xd8)][..], 0, Ok(1)),
            // A gap, an entry twice, another order, the log of a device that was reset.
            (&[(4, 0x04, 0x84)][..], 0, Err("LOG-CHAIN")),
            (&[(2, 0x46, 0xc6)][..], 0, Err("LOG-CHAIN")),
            (&[(3, 0x04, 0x84), (5, 0x04, 0x84)][..], 0, Err("LOG-CHAIN")),
            (&[(1, 0xff, 0xff)][..], 0, Err("LOG-CHAIN")),
        ] {
            let entries = log(first.last(), commands);
            assert_eq!(judged(&known(intended), &entries), expected, "{commands:?}");
        }
        // Changed, or without the one before.
        let mut entries = log(first.last(), &[(3, 0x56, 0xd6), (4, 0x56, 0xd6)]);
        assert_eq!(judged(&known(2), &entries[1..]), Err("LOG-CHAIN"));
        entries[0].0[11] ^= 1;
        assert_eq!(judged(&known(2), &entries), Err("LOG-CHAIN"));
        assert_eq!(judged(&known(0), &log(None, &[(3, 0x04, 0x84)])), Err("LOG-CHAIN"));
        assert_eq!(known(0).judge(&[], 1).unwrap_err().rule().name, "LOG-CHAIN");
        // Numbers begin again.
        let last = log(None, &[(u16::MAX, 0x04, 0x84)]);
        let known = Known { last: last.last().copied(), ..Known::default() };
        assert_eq!(judged(&known, &log(last.last(), &[(0, 0x04, 0x84)])), Ok(0));
    }
}
