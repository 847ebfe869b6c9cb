//! The step in which a key of the record signs a new certificate over itself.
//!
//! The key file that stands for the old one needs a proof of possession of its own, so the key signs
//! twice. A session that was cut off after the file was written finds it again.

use super::journal::Of;
use super::make_key::possession_of;
use super::sign::{described, seen};
use super::{Agenda, Room};
use crate::ceremony::change::{NewCertificate, Possession};
use crate::ceremony::kinds;
use crate::ceremony::step::Step;
use crate::ceremony::transcript::Outcome;
use crate::record::{Contents, KeyFile, SignedStatement};
use crate::signer::TokenIdentity;
use crate::tuf::digest::Digest;
use crate::tuf::key::Scheme;
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};

impl Room<'_> {
    /// Has the key sign, and writes the key file that stands for the old one from now on.
    pub(super) fn certify_key(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        step: &Step,
        new: &NewCertificate,
    ) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let Some((old, _)) = contents.key_files.get(&new.replaces) else {
            let found = format!("no key file {}", new.replaces);
            let expected = "the key file that the change names";
            return Err(Refusal::new(&kinds::rules::KEY_UNKNOWN, found, expected));
        };
        let token = self.token_of(&new.key, &contents.facts)?;
        let before = Self::written_before(contents, agenda, &new.key, &old.public);
        let file = before.map_or_else(|| self.write_certificate(agenda, new, old, &token), Ok)?;
        let outcome = Outcome::Key {
            name: new.key.clone(),
            file,
            identity: new.identity,
            adopted: false,
            token: seen(&token),
        };
        self.journal.say(self.record, self.session, of, outcome)
    }

    fn write_certificate(
        &mut self,
        agenda: &Agenda<'_>,
        new: &NewCertificate,
        old: &KeyFile,
        token: &TokenIdentity,
    ) -> Result<Digest> {
        let line = format!("{} signs its new certificate on {}", new.key, described(token));
        self.console.progress(&line.into());
        let named = (&new.key, &old.holder, old.purpose);
        let statement = possession_of(agenda.change, agenda.digest, named, &old.public)?;
        let payload = Payload::Statement(statement.clone());
        let scheme = Scheme::of(old.public.algorithm());
        let of = Some(agenda.digest);
        let signature = self.have_signed(of, &new.key, &old.public, scheme, &payload)?;
        let certificate = Some(self.certificate(of, &new.key, &new.template, &old.public)?);
        let proof = SignedStatement::new(statement, old.public.clone(), &signature)?;
        let proof = self.record.add_statement(&proof)?;
        self.record.add_key(&KeyFile {
            certificate,
            change: agenda.digest,
            possession: Possession::Proved(proof),
            replaces: Some(new.replaces),
            ..old.clone()
        })
    }
}
