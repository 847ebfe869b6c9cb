//! Steps in which a token signs.

use super::journal::Of;
use super::{Agenda, Room};
use crate::ceremony::change::{Ask, Change, Item};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::step::Step;
use crate::ceremony::transcript::{Intent, Outcome, TokenSeen};
use crate::cli::opening;
use crate::record::{Contents, SignedStatement};
use crate::signer::{self, TokenIdentity, TokenKind};
use crate::tuf::digest::Digest;
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::text::visible;
use crate::tuf::verify::Signature;

impl Room<'_> {
    pub(super) fn sign(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        step: &Step,
        item: usize,
        key: &KeyName,
    ) -> Result<Signature> {
        let facts = &contents.facts;
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let payload = agenda.change.items.get(item).and_then(Item::payload);
        let ask = asked(agenda.change, item).iter().find(|ask| ask.key == *key);
        let (Some(payload), Some(ask)) = (payload, ask) else {
            return Err(Refusal::new(
                &super::super::rules::STEP_UNKNOWN,
                format!("the step {}", step.id),
                "a payload that the change lists",
            ));
        };
        contents.require_no_fork(&agenda.digest, ask.public.identity(), &payload.digest())?;
        contents.require_sound(agenda.change)?;
        // A cable may have been put in, and the session may have been left open for days.
        opening::offline(self.session, agenda.change, facts)?;
        let now = self.session.now()?;
        if now > agenda.change.frame.sign_by {
            return Err(Refusal::new(
                &crate::ceremony::rules::SIGN_BY,
                format!("{now}"),
                format!("a signature by {}", agenda.change.frame.sign_by),
            ));
        }

        let token = self.token_of(key, facts)?;
        self.settle(key)?;
        let what = agenda.change.items.get(item).map(Item::title).unwrap_or_default();
        let line = format!("{key} of {} signs {what} on {}", ask.holder, described(&token));
        self.console.progress(&line.into());
        let seen = seen(&token);
        let intent = Intent::Sign { payload: payload.digest() };
        self.journal.say(
            self.record,
            self.session,
            of,
            Outcome::Intent { key: key.clone(), what: intent, token: seen.clone() },
        )?;
        let signature = self.signed_by(key, &ask.public, ask.scheme, &payload)?;
        let file = self.record.add_signature(agenda.change, &signature)?;
        let outcome = Outcome::Sign { key: key.clone(), payload: payload.digest(), file, token: seen };
        self.journal.say(self.record, self.session, of, outcome)?;
        Ok(signature)
    }

    /// Has the key sign, on its own token, and the signature verified in software.
    pub(super) fn signed_by(
        &mut self,
        key: &KeyName,
        public: &PublicKey,
        scheme: Scheme,
        payload: &Payload,
    ) -> Result<Signature> {
        self.keyring.with_token(key, self.console, &mut |token, pins| {
            let mut signer = token.open(public, pins)?;
            signer::sign(signer.as_mut(), public, scheme, payload, pins)
        })
    }

    /// The token of a key of the record: the one that the record says, by kind, label and serial.
    ///
    /// # Errors
    ///
    /// `TOKEN-OTHER` if the device map leads to another.
    pub(super) fn token_of(
        &mut self,
        key: &KeyName,
        facts: &crate::ceremony::facts::Facts,
    ) -> Result<TokenIdentity> {
        let found =
            self.keyring.with_token(key, self.console, &mut |token, _| Ok(token.identity().clone()))?;
        // A key made natively on a YubiKey or a YubiHSM may be used through a module, which names it otherwise;
        // that its key is there is seen by its public half.
        let native = |record: &crate::ceremony::facts::KeyRecord| {
            record.token == found.kind.name() && ["piv", "yubihsm"].contains(&record.token.as_str())
        };
        if let Some(record) = facts.keys.get(key).filter(|r| r.token == "pkcs11" || native(r))
            && (record.serial != found.serial || record.label != found.label)
        {
            return Err(Refusal::new(
                &super::super::rules::TOKEN_OTHER,
                described(&found),
                format!(
                    "{}'s token {}, serial {}",
                    record.holder,
                    visible(&record.label),
                    visible(&record.serial)
                ),
            ));
        }
        Ok(found)
    }

    pub(super) fn witness_statement(
        &mut self,
        key: &KeyName,
        witness: &Person,
        number: u64,
        head: Digest,
    ) -> Result<Digest> {
        let sentence = Sentence::TranscriptHead {
            ceremony: self.journal.ceremony().to_string(),
            sequence: number,
            head,
            witness: witness.to_string(),
        };
        let statement = Statement::new(self.record.trust().id, sentence)?;
        let public = self.keyring.public(key)?;
        let payload = Payload::Statement(statement.clone());
        let signature = self.have_signed(None, key, &public, Scheme::of(public.algorithm()), &payload)?;
        self.record.add_statement(&SignedStatement::new(statement, public, &signature)?)
    }
}

/// Who is asked to sign an item.
pub fn asked(change: &Change, item: usize) -> &[Ask] {
    change.items.get(item).map(Item::asked).unwrap_or_default()
}

/// A token as people tell it from others: label and serial.
pub fn described(token: &TokenIdentity) -> String {
    match token.kind {
        TokenKind::Piv => return format!("YubiKey, serial {}", visible(&token.serial)),
        TokenKind::YubiHsm => return format!("YubiHSM, serial {}", visible(&token.serial)),
        _ => {}
    }
    match (token.label.is_empty(), token.serial.is_empty()) {
        (true, _) => token.kind.name().to_owned(),
        (false, true) => format!("{} {}", token.kind.name(), visible(&token.label)),
        (false, false) => format!("token {}, serial {}", visible(&token.label), visible(&token.serial)),
    }
}

/// A token as the transcript has it.
pub fn seen(token: &TokenIdentity) -> TokenSeen {
    TokenSeen { label: token.label.clone(), serial: token.serial.clone() }
}
