//! A token's own log, put on record: before a session uses the token first, and after every step.
//!
//! So a log never fills, what was done with the token since the last session is known before it signs
//! again, and each step has to account for what the token did in it. What the log has is written into
//! the transcript before anything is said of it and before the token may forget it.
//!
//! Tokens without a log of their own are left alone, and nothing is said of them.

use super::super::keyring::Keyring;
use super::journal::Of;
use super::sign::{described, seen};
use super::{Agenda, Room};
use crate::ceremony::device_log::{self, Known, LogEntry};
use crate::ceremony::people::KeyName;
use crate::ceremony::transcript::{Intent, Outcome, Transcript};
use crate::record::Inputs;
use crate::signer::{AuditRead, Held, TokenIdentity, rules};
use crate::tuf::digest::Digest;
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::verify::Signature;

impl Room<'_> {
    /// Has a key sign, with an intent on record if the token keeps a log.
    pub fn have_signed(
        &mut self,
        change: Option<Digest>,
        key: &KeyName,
        public: &PublicKey,
        scheme: Scheme,
        payload: &Payload,
    ) -> Result<Signature> {
        self.settle(key)?;
        self.intended(change, key, Intent::Sign { payload: payload.digest() })?;
        self.signed_by(key, public, scheme, payload)
    }

    /// Puts on record what is about to be done with a key, if its token keeps a log.
    pub(super) fn intend(&mut self, agenda: &Agenda<'_>, key: &KeyName, what: Intent) -> Result<()> {
        self.intended(Some(agenda.digest), key, what)
    }

    fn intended(&mut self, change: Option<Digest>, key: &KeyName, what: Intent) -> Result<()> {
        let Some(token) = self.logging(key)? else { return Ok(()) };
        let intent = Outcome::Intent { key: key.clone(), what, token: seen(&token) };
        self.journal.say(self.record, self.session, Of { change, step: None }, intent)
    }

    /// Puts the log of a key's token on record before this session uses it first.
    pub(super) fn settle(&mut self, key: &KeyName) -> Result<()> {
        match self.logging(key)? {
            Some(token) if !self.keyring.is_settled(&token) => self.drain(key),
            _ => Ok(()),
        }
    }

    /// Puts the log of a key's token on record, if it keeps one, and looks at what is on the token.
    ///
    /// # Errors
    ///
    /// `LOG-CHAIN`, `LOG-SIGNATURES`; `HSM-UNPREPARED` for anything on it that the record doesn't know.
    pub fn drain(&mut self, key: &KeyName) -> Result<()> {
        let Some(token) = self.logging(key)? else { return Ok(()) };
        self.console.progress(&format!("reading the log of {}", described(&token)).into());
        let AuditRead { lost, entries } =
            with_log(self.keyring, key, self.console, &mut |log, pins| log.read(pins))?;
        let last = entries.last().map(|entry| entry.number);
        let raw = |raw: &[u8]| raw.try_into().map(LogEntry::new).map_err(|_| odd(&token));
        let entries = entries.iter().map(|entry| raw(&entry.raw)).collect::<Result<Vec<_>>>()?;
        let contents = self.record.read_all(self.session.now()?, &Inputs::default())?;
        let own = self.journal.transcript();
        let others = contents.transcripts.iter().filter(|(name, _)| **name != own.ceremony());
        let transcripts = others.map(|(_, transcript)| transcript).chain(std::iter::once(own));
        let transcripts: Vec<&Transcript> = transcripts.collect();
        let known = Known::of(transcripts.iter().copied(), &seen(&token));
        let entries = known.fresh(&entries).to_vec();
        let unaccounted = known.judge(&entries, lost)?;
        let drain = Outcome::Drain { key: key.clone(), token: seen(&token), entries, unaccounted };
        self.journal.say(self.record, self.session, Of::SESSION, drain)?;
        if let Some(number) = last {
            with_log(self.keyring, key, self.console, &mut |log, pins| log.acknowledge(number, pins))?;
        }
        match known.unaccounted().saturating_add(unaccounted) {
            0 => {}
            count => return Err(device_log::unrecorded(count, &seen(&token))),
        }
        let held = with_log(self.keyring, key, self.console, &mut |log, pins| log.inventory(pins))?;
        let strange = |held: &&Held| {
            !held.prepared && !held.public.as_ref().is_some_and(|public| self.keyring.knows(public))
        };
        if let Some(held) = held.iter().find(strange) {
            return Err(Refusal::new(
                &rules::HSM_UNPREPARED,
                format!("{} on {}, which the record doesn't know", held.what, described(&token)),
                "what keyrite puts there, and keys of the record",
            ));
        }
        self.keyring.settled(&token);
        Ok(())
    }

    /// The token of a key, if it keeps a log.
    pub(super) fn logging(&mut self, key: &KeyName) -> Result<Option<TokenIdentity>> {
        self.keyring.with_token(key, self.console, &mut |token, _| {
            let identity = token.identity().clone();
            Ok(token.audit_log().map(|_| identity))
        })
    }
}

fn with_log<T>(
    keyring: &mut Keyring,
    key: &KeyName,
    console: &mut dyn crate::ui::Console,
    act: &mut dyn FnMut(&mut dyn crate::signer::AuditLog, &mut dyn crate::signer::PinSource) -> Result<T>,
) -> Result<T> {
    keyring.with_token(key, console, &mut |token, pins| {
        let identity = token.identity().clone();
        let log = token.audit_log().ok_or_else(|| odd(&identity))?;
        act(log, pins)
    })
}

fn odd(token: &TokenIdentity) -> Refusal {
    let found = format!("no log, or an odd one, on {}", described(token));
    Refusal::new(&rules::TOKEN_FAILED, found, "the log of a YubiHSM 2")
}
