//! The step in which a private key is destroyed on its token.
//!
//! What is about to happen is in the record before it does, so a session that was cut off right
//! after it finds the token without the key and goes on; any other token without it is refused.

use super::journal::Of;
use super::sign::{described, seen};
use super::{Agenda, Room};
use crate::ceremony::facts::{Facts, Stage};
use crate::ceremony::kinds;
use crate::ceremony::people::KeyName;
use crate::ceremony::rules;
use crate::ceremony::step::Step;
use crate::ceremony::transcript::{Intent, Outcome};
use crate::signer::rules::KEY_NOT_ON_TOKEN;
use crate::tuf::rule::{Result, Rule};
use crate::ui::screen::Screen;

/// What a token is given up for, and no reason to keep it.
const GIVEN_UP: [&Rule; 3] =
    [&rules::LOG_CHAIN, &rules::LOG_SIGNATURES, &crate::signer::rules::HSM_UNPREPARED];

impl Room<'_> {
    /// Puts the token's log on record. What is wrong with it is an exception on record: a key whose
    /// token can't be relied on any more has to be destroyed all the more.
    fn settle_at_last(&mut self, of: Of<'_>, key: &KeyName) -> Result<()> {
        match self.settle(key) {
            Err(refusal) if GIVEN_UP.contains(&refusal.rule()) => {
                let what = format!("{key} is destroyed in spite of {refusal}");
                self.console.progress(&what.as_str().into());
                self.journal.say(self.record, self.session, of, Outcome::Exception { what })
            }
            settled => settled,
        }
    }

    /// Destroys the key, and shows what the record holds of it from now on.
    pub(super) fn destroy_key(
        &mut self,
        facts: &Facts,
        agenda: &Agenda<'_>,
        step: &Step,
        key: &KeyName,
        cut_off: bool,
    ) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let record = facts.keys.get(key).ok_or_else(|| kinds::key_unknown(key))?;
        // Once more, since it can't be undone, whatever the change is that asks for it.
        kinds::unlisted(facts, record)?;
        let token = self.token_of(key, facts)?;
        if !cut_off {
            self.settle_at_last(of, key)?;
            let intent = Outcome::Intent { key: key.clone(), what: Intent::Destroy, token: seen(&token) };
            self.journal.say(self.record, self.session, of, intent)?;
        }
        self.console.progress(&format!("{} destroys {key} on {}", record.holder, described(&token)).into());
        let public = &record.public;
        let done = self.keyring.with_token(key, self.console, &mut |t, pins| t.destroy(public, pins));
        let found_gone = match done {
            Ok(()) => false,
            Err(refusal) if cut_off && *refusal.rule() == KEY_NOT_ON_TOKEN => true,
            Err(refusal) => return Err(refusal),
        };
        let identity = public.identity();
        let outcome = Outcome::Destroy { key: key.clone(), identity, found_gone, token: seen(&token) };
        self.journal.say(self.record, self.session, of, outcome)?;
        let Some((number, entry)) = self.journal.head() else { return Ok(()) };
        let how =
            if found_gone { "was found destroyed, by a session that was cut off," } else { "was destroyed" };
        let screen = Screen::new(format!("Certificate of destruction: {key}"))
            .rehearsal(facts.trust.stage == Stage::Rehearsal)
            .text(format!("The private key {key} of {} {how} on {}.", record.holder, described(&token)))
            .digest("the public key", identity.digest())
            .text("Copies that someone made elsewhere are not destroyed by it. Write these words on paper, with today's date; whoever was present signs the paper.")
            .digest(format!("transcript {}, entry {number}", self.journal.ceremony()), entry);
        self.console.show(&screen)
    }
}
