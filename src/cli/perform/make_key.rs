//! Steps in which a key is made on a token, or comes in from outside.

use super::back_up::{backups, wrap_tag};
use super::journal::Of;
use super::sign::{described, seen};
use super::{Agenda, Room};
use crate::ceremony::change::{CertificateTemplate, Change, EnrolledKey, Item, NewKey, Possession, Purpose};
use crate::ceremony::facts::{Facts, KeyRecord};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::step::Step;
use crate::ceremony::transcript::{Intent, Outcome};
use crate::record::key_file::{EvidenceNote, TokenNote};
use crate::record::{Contents, KeyFile, SignedStatement};
use crate::signer::{Generated, KeyTag, TokenIdentity};
use crate::tuf::certificate::CertificatePayload;
use crate::tuf::digest::Digest;
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{KeyEvent, Sentence, Statement};
use crate::ui::Prompt;

impl Room<'_> {
    pub(super) fn make_key(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        step: &Step,
        new: &NewKey,
        adopt: bool,
    ) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let tag = KeyTag { label: new.name.to_string(), id: agenda.change.tag(&new.name), place: None };
        let token =
            self.keyring.with_token(&new.name, self.console, &mut |token, _| Ok(token.identity().clone()))?;
        let facts = &contents.facts;
        let (generated, adopted) = self.generate(of, new, facts, &tag, &token, adopt)?;
        if !new.spec.fits(&generated.public) {
            return Err(Refusal::new(
                &crate::signer::rules::TOKEN_CANNOT,
                format!("{} on {}", generated.public.describe(), described(&token)),
                format!("a key of the kind {}", new.spec),
            ));
        }
        self.keyring.know(&new.name, &generated.public);
        let file = match Self::written_before(contents, agenda, &new.name, &generated.public) {
            Some(file) => file,
            None => self.write_key(agenda, new, &token, &generated)?,
        };
        let outcome = Outcome::Key {
            name: new.name.clone(),
            file,
            identity: generated.public.identity(),
            adopted,
            token: seen(&token),
        };
        self.journal.say(self.record, self.session, of, outcome)
    }

    /// Makes the key, or finds it: the one that a session cut off has made, or one that its holder has
    /// made with another program and that the device itself speaks for.
    fn generate(
        &mut self,
        of: Of<'_>,
        new: &NewKey,
        facts: &Facts,
        tag: &KeyTag,
        token: &TokenIdentity,
        adopt: bool,
    ) -> Result<(Generated, bool)> {
        let under = new.exportable_under.as_ref().map(|under| wrap_tag(&self.record.trust().id, under));
        // A key that may leave is made so here; of one from elsewhere nobody saw it.
        if self.keyring.exists(&new.name) && under.is_none() {
            let brings =
                format!("{} brings {}, which is on {} already", new.holder, new.name, described(token));
            self.console.progress(&brings.into());
            let found = self.keyring.with_token(&new.name, self.console, &mut |t, _| t.take())?;
            return Ok((found, true));
        }
        if adopt {
            self.console.progress(
                &format!("looking for {} on {}, where a session was cut off", new.name, described(token))
                    .into(),
            );
            let under = under.as_ref();
            let found = self.keyring.with_token(&new.name, self.console, &mut |t, pins| match under {
                None => t.adopt(new.spec, tag, pins),
                Some(under) => backups(t)?.adopt_exportable(new.spec, tag, under, pins),
            })?;
            if let Some(found) = found {
                return Ok((found, true));
            }
            self.may_use(&new.name, facts, token)?;
        } else {
            self.may_use(&new.name, facts, token)?;
            let what = Intent::Generate { label: tag.label.clone(), id: tag.id };
            let intent = Outcome::Intent { key: new.name.clone(), what, token: seen(token) };
            self.journal.say(self.record, self.session, of, intent)?;
        }
        self.console.progress(&format!("{} makes {} on {}", new.holder, new.name, described(token)).into());
        let under = under.as_ref();
        let made = self.keyring.with_token(&new.name, self.console, &mut |t, pins| match under {
            None => t.generate(new.spec, tag, pins),
            Some(under) => backups(t)?.generate_exportable(new.spec, tag, under, pins),
        })?;
        Ok((made, false))
    }

    /// Has a person agree to the reset that a new token is given, unless the record has keys on it. One
    /// that is in use already has its log read.
    pub(super) fn may_use(&mut self, key: &KeyName, facts: &Facts, token: &TokenIdentity) -> Result<()> {
        let resets = self.keyring.with_token(key, self.console, &mut |token, _| token.resets())?;
        if !resets {
            return self.settle(key);
        }
        let gone = |record: &KeyRecord| record.life.iter().any(|(event, _)| *event != KeyEvent::Retired);
        let on_it = |record: &&KeyRecord| {
            record.token == token.kind.name() && record.serial == token.serial && !gone(record)
        };
        if let Some(record) = facts.keys.values().find(on_it) {
            return Err(Refusal::new(
                &crate::signer::rules::TOKEN_NOT_BLANK,
                format!("{}, which was reset, and on which the record has {}", described(token), record.name),
                "a token without keys of the record; if the key is really gone, say so first by keyrite guide",
            ));
        }
        // There, who agreed to the change by its digest agreed to this.
        if self.console.unattended() {
            return Ok(());
        }
        let prompt = Prompt::new(format!("reset.{key}"), format!("Reset {}?", described(token)))
            .help("It is as from the factory, or somebody wants it to look so: everything on it is destroyed first.")
            .help("Then it gets four passwords, for administrator, signer, backup and auditor.");
        self.console.confirm_word(&prompt, "reset")
    }

    /// The key file that a session wrote just before it was cut off: nothing is wrong with it but that the
    /// transcript lacks the entry that was to come next, and the key has signed its possession for this very
    /// change. Anyone can put a file there that says so of itself.
    pub(super) fn written_before(
        contents: &Contents,
        agenda: &Agenda<'_>,
        name: &KeyName,
        public: &PublicKey,
    ) -> Option<Digest> {
        let ours =
            |file: &KeyFile| file.name == *name && file.change == agenda.digest && file.public == *public;
        let sound = |refusal: &Option<Refusal>| {
            refusal.as_ref().is_none_or(|r| *r.rule() == crate::record::rules::KEY_UNWITNESSED)
        };
        let proved = |file: &KeyFile| {
            let Possession::Proved(statement) = &file.possession else { return false };
            contents.statements.get(statement).is_some_and(|stored| {
                let said = stored.signed.statement().sentence();
                *stored.signed.public() == *public
                    && matches!(said, Sentence::Possession { key, nonce, .. }
                        if *key == public.identity() && *nonce == agenda.digest)
            })
        };
        let mut files = contents.key_files.iter();
        let found = files.find(|(_, (file, refusal))| ours(file) && sound(refusal) && proved(file));
        found.map(|(digest, _)| *digest)
    }

    fn write_key(
        &mut self,
        agenda: &Agenda<'_>,
        new: &NewKey,
        token: &TokenIdentity,
        made: &Generated,
    ) -> Result<Digest> {
        let statement = possession(agenda.change, agenda.digest, new, &made.public)?;
        let scheme = Scheme::of(made.public.algorithm());
        let payload = Payload::Statement(statement.clone());
        let of = Some(agenda.digest);
        let signature = self.have_signed(of, &new.name, &made.public, scheme, &payload)?;
        let certificate = match &new.certificate {
            Some(template) => Some(self.certificate(of, &new.name, template, &made.public)?),
            None => None,
        };
        let proof =
            self.record.add_statement(&SignedStatement::new(statement, made.public.clone(), &signature)?)?;
        self.record.add_key(&KeyFile {
            trust: agenda.change.trust,
            name: new.name.clone(),
            holder: new.holder.clone(),
            purpose: new.purpose,
            public: made.public.clone(),
            certificate,
            change: agenda.digest,
            possession: Possession::Proved(proof),
            replaces: None,
            token: TokenNote::of(token),
            evidence: EvidenceNote::of(&made.evidence)?.leaving(new.exportable_under.as_ref()),
        })
    }

    pub(super) fn certificate(
        &mut self,
        of: Option<Digest>,
        key: &KeyName,
        template: &CertificateTemplate,
        public: &PublicKey,
    ) -> Result<String> {
        let certificate = certificate(template, public)?;
        let scheme = Scheme::of(public.algorithm());
        let payload = Payload::Certificate(certificate.clone());
        let signature = self.have_signed(of, key, public, scheme, &payload)?;
        certificate.assemble(&signature)
    }

    /// Takes an enrolled key into the record.
    pub(super) fn take_key(&mut self, agenda: &Agenda<'_>, step: &Step, item: usize) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let Some(Item::EnrolledKey(key)) = agenda.change.items.get(item) else {
            return Err(Refusal::new(
                &super::super::rules::STEP_UNKNOWN,
                format!("the step {}", step.id),
                "a key that the change lists",
            ));
        };
        if let Some(statement) = self.keyring.enrolment_statement(&key.name) {
            self.record.add_statement(statement)?;
        }
        let file = self.record.add_key(&enrolled_file(agenda, key))?;
        let outcome = Outcome::Enrol { name: key.name.clone(), file, identity: key.public.identity() };
        self.journal.say(self.record, self.session, of, outcome)
    }
}

/// What a key made by this change says of itself. The nonce is the change's digest: the statement
/// serves no other key file (FORMAT.md, keys).
///
/// # Errors
///
/// What building a statement refuses.
pub fn possession(change: &Change, digest: Digest, new: &NewKey, public: &PublicKey) -> Result<Statement> {
    possession_of(change, digest, (&new.name, &new.holder, new.purpose), public)
}

/// The same of any key of which a change makes a file.
///
/// # Errors
///
/// What building a statement refuses.
pub fn possession_of(
    change: &Change,
    digest: Digest,
    (name, holder, purpose): (&KeyName, &Person, Purpose),
    public: &PublicKey,
) -> Result<Statement> {
    let sentence = Sentence::Possession {
        key: public.identity(),
        name: name.to_string(),
        holder: holder.to_string(),
        purpose: purpose.name().to_owned(),
        nonce: digest,
    };
    Statement::new(change.trust, sentence)
}

/// The certificate of a key made by a change, to be signed by the key itself.
///
/// # Errors
///
/// `CERTIFICATE-KEY`, `CERTIFICATE-NAME`, `CERTIFICATE-TERM`.
pub fn certificate(template: &CertificateTemplate, public: &PublicKey) -> Result<CertificatePayload> {
    let CertificateTemplate { common_name, serial, not_before, not_after } = template;
    CertificatePayload::new(public.clone(), common_name, *serial, *not_before, *not_after)
}

fn enrolled_file(agenda: &Agenda<'_>, key: &EnrolledKey) -> KeyFile {
    let kind = if key.possession == Possession::BackendReadBack { "backend" } else { "elsewhere" };
    KeyFile {
        trust: agenda.change.trust,
        name: key.name.clone(),
        holder: key.holder.clone(),
        purpose: key.purpose,
        public: key.public.clone(),
        certificate: key.certificate.clone(),
        change: agenda.digest,
        possession: key.possession.clone(),
        replaces: None,
        token: TokenNote::apart(kind),
        evidence: EvidenceNote::default(),
    }
}
