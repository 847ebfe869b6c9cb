//! Steps of `back-up`: a wrap key dealt out or gathered, keys that leave.
//!
//! The wrap key is in this process's memory and on a token for as long as a key takes to leave it or
//! to come back (`restore.rs`), and nowhere else. A session that was cut off has forgotten it; the next one
//! gathers the cards.
//!
//! Which set of shares counts is said by the change, or by what this very copy of the record has done
//! for it. A session that is cut off at any instant loses nothing: that cards are out is in the record
//! before the file of their manifest is written, which the next session writes if it is missing; a copy's
//! file is there before the record tells of it; a key that came back is found again by its tag.

use super::journal::Of;
use super::sign::{described, seen};
use super::{Agenda, Room};
use crate::ceremony::backups::{Digits, wrap_key_id};
use crate::ceremony::change::{Item, NewShares};
use crate::ceremony::kinds;
use crate::ceremony::people::KeyName;
use crate::ceremony::share_manifest::{SetId, ShareLine, ShareManifest, ShareUse};
use crate::ceremony::step::Step;
use crate::ceremony::transcript::{Intent, Outcome};
use crate::cli::cards::Pages;
use crate::cli::copies::CopyFile;
use crate::record::Contents;
use crate::signer::randomness::Randomness;
use crate::signer::secret::WrapSecret;
use crate::signer::slip39::{Salt, Scheme, Secret, Share, split};
use crate::signer::{Backups, KeyTag, PinSource, Token};
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::share_desk::{Fresh, Hand, deal, gather};
use zeroize::Zeroizing;

impl Room<'_> {
    /// Makes a wrap key of a token's randomness and the system's, and deals it out.
    pub(super) fn deal(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        step: &Step,
        new: &NewShares,
    ) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let own = agenda.change.items.iter().find_map(|item| match item {
            Item::KeyCopy { key, .. } => Some(key),
            _ => None,
        });
        let key = own.ok_or_else(|| unknown(step))?;
        // Before anyone has come for a card.
        let copies = self.keyring.copies()?;
        let token = self.token_of(key, &contents.facts)?;
        let line = format!("{} helps to draw the wrap key {}", described(&token), new.wrap_key);
        self.console.progress(&line.into());
        let theirs = self.keyring.with_token(key, self.console, &mut |t, pins| backups(t)?.random(pins))?;
        let own = Zeroizing::new(self.session.random::<32>()?);
        let secret = Secret::new(mixed(&theirs, &own))?;
        let set = SetId::from_bytes(self.session.random::<16>()?);
        let (manifest, cards) = shares(contents, agenda, new, &secret, set, &self.session.randomness())?;
        let rehearsal = contents.facts.trust.stage == crate::ceremony::facts::Stage::Rehearsal;
        let fresh = Fresh { manifest: &manifest, cards: &cards, secret: &secret, rehearsal };
        let dealt = match self.keyring.cards()? {
            Some(folder) => deal(self.console, &fresh, Hand::Paper(&mut Pages::new(folder)))?,
            None => deal(self.console, &fresh, Hand::Screen)?,
        };
        let digest = manifest.digest()?;
        let outcome =
            Outcome::Shares { wrap_key: new.wrap_key.clone(), manifest: Box::new(manifest.clone()) };
        self.journal.say(self.record, self.session, of, outcome)?;
        self.keyring.hold_wrap_key(digest, secret, &dealt);
        let file = copies.write_manifest(&new.wrap_key, &manifest)?;
        let screen = Screen::default()
            .callout(Tone::Done, format!("every card of {} is read back", new.wrap_key))
            .fact("the manifest, for drills", file)
            .digest("the manifest", digest)
            .text("Runbooks that use these cards name them by it:")
            .exact([
                "[wrap-key]".to_owned(),
                format!("name = \"{}\"", new.wrap_key),
                format!("shares = \"{}\"", Digits::of(&digest)),
            ]);
        self.console.show(&screen)
    }

    /// Lets a key out, wrapped, into a file.
    pub(super) fn copy_key(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        step: &Step,
        (key, wrap_key, shares): (&KeyName, &KeyName, Option<Digest>),
    ) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let facts = &contents.facts;
        let record = facts.keys.get(key).ok_or_else(|| kinds::key_unknown(key))?;
        let public = record.public.clone();
        let token = self.token_of(key, facts)?;
        let manifest = match shares {
            Some(shares) => facts.copies.set(wrap_key, &shares)?.clone(),
            None => self.dealt(contents, agenda, wrap_key)?,
        };
        let shares = manifest.digest()?;
        let copies = self.keyring.copies()?;
        copies.write_manifest(wrap_key, &manifest)?;
        let secret = self.wrap_secret(wrap_key, &manifest)?;
        let under = wrap_tag(&facts.trust.id, wrap_key);
        self.settle(key)?;
        let line = format!("{key} of {} leaves {}, wrapped", record.holder, described(&token));
        self.console.progress(&line.into());
        self.intend(agenda, key, Intent::Copy { wrap_key: wrap_key.clone() })?;
        let wrapped = self.keyring.with_token(key, self.console, &mut |t, pins| {
            with_wrap_key(t, &secret, &under, pins, |b, pins| {
                if !b.exportable(&public, &under, pins)? {
                    return Err(Refusal::new(
                        &crate::signer::rules::WRAP_REFUSED,
                        format!("{key}, which its token keeps"),
                        format!("a key that may leave under {wrap_key}"),
                    ));
                }
                b.export(&public, &under, pins)
            })
        })?;
        let file = CopyFile {
            trust: facts.trust.id,
            key: key.clone(),
            identity: public.identity(),
            wrap_key: wrap_key.clone(),
            form: wrapped.form,
            bytes: wrapped.bytes,
        };
        let (digest, path) = copies.write(&file)?;
        let outcome = Outcome::Copy {
            key: key.clone(),
            identity: public.identity(),
            wrap_key: wrap_key.clone(),
            shares,
            form: wrapped.form.name().to_owned(),
            file: digest,
            token: seen(&token),
        };
        self.journal.say(self.record, self.session, of, outcome)?;
        let screen = Screen::default()
            .callout(Tone::Done, format!("the copy of {key} is written"))
            .fact("file", path)
            .text("A runbook that restores it names it by this line, under its [[key]]:")
            .exact([format!("copy = \"{}\"", Digits::of(&digest))]);
        self.console.show(&screen)
    }

    /// The set of shares that this change has had made, by the entry of a session in this very copy of
    /// the record.
    fn dealt(&self, contents: &Contents, agenda: &Agenda<'_>, wrap_key: &KeyName) -> Result<ShareManifest> {
        let entries = self.entries(contents, &agenda.digest)?;
        let own = entries.into_iter().find_map(|entry| match entry.outcome {
            Outcome::Shares { wrap_key: name, manifest } if name == *wrap_key => Some(*manifest),
            _ => None,
        });
        own.ok_or_else(|| {
            Refusal::new(
                &crate::ceremony::rules::WRAP_KEY_SET,
                format!("no set of shares of {wrap_key} that was dealt out in this copy of the record"),
                "the copy of the record in which the cards were dealt out",
            )
        })
    }

    /// The wrap key: as this session made it, or from the cards of that manifest.
    pub(super) fn wrap_secret(&mut self, wrap_key: &KeyName, manifest: &ShareManifest) -> Result<WrapSecret> {
        let digest = manifest.digest()?;
        if self.keyring.wrap_key(&digest).is_none() {
            let screen = Screen::new(format!("Gather the cards of {wrap_key}"))
                .text("Custodians come forward one after the other and type their cards, unseen.")
                .fact("secret", visible(&manifest.title))
                .fact("set, as on the cards", manifest.set.to_string())
                .digest("its manifest", digest);
            self.console.show(&screen)?;
            let secret = gather(self.console, manifest)?;
            self.keyring.hold_gathered(digest, secret);
        }
        let secret = self.keyring.wrap_key(&digest).ok_or_else(|| {
            Refusal::new(&crate::signer::rules::WRAP_KEY, format!("no {wrap_key}"), "its cards")
        })?;
        as_wrap_key(secret)
    }
}

/// A wrap key of two sources, neither of which decides: whoever knows one of them knows nothing.
fn mixed(theirs: &[u8; 32], own: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(theirs.iter().zip(own).map(|(theirs, own)| theirs ^ own).collect())
}

/// A secret on its way to a token.
pub(super) fn as_wrap_key(secret: &Secret) -> Result<WrapSecret> {
    let mut bytes = Zeroizing::new([0; 32]);
    if secret.expose().len() != bytes.len() {
        let found = format!("a wrap key of {} bytes", secret.expose().len());
        return Err(Refusal::new(&crate::signer::rules::SHARE_SECRET, found, "32 bytes"));
    }
    bytes.copy_from_slice(secret.expose());
    Ok(WrapSecret::new(bytes))
}

/// The part of a token that lets keys out.
pub(super) fn backups(token: &mut dyn Token) -> Result<&mut dyn Backups> {
    let described = described(token.identity());
    token.backups().ok_or_else(|| {
        Refusal::new(
            &crate::signer::rules::TOKEN_CANNOT,
            format!("{described}, which lets no keys out"),
            "a token that wraps keys",
        )
    })
}

/// Does something while the wrap key is on the token; it is not afterwards, whatever came of it.
pub(super) fn with_wrap_key<T>(
    token: &mut dyn Token,
    secret: &WrapSecret,
    under: &KeyTag,
    pins: &mut dyn PinSource,
    act: impl FnOnce(&mut dyn Backups, &mut dyn PinSource) -> Result<T>,
) -> Result<T> {
    let backups = backups(token)?;
    // A session that was cut off may have left it there.
    backups.remove_wrap_key(under, pins)?;
    backups.put_wrap_key(secret, under, pins)?;
    let done = act(backups, pins);
    backups.remove_wrap_key(under, pins)?;
    done
}

/// A wrap key as tokens know it: the same on every one.
pub(super) fn wrap_tag(trust: &TrustId, wrap_key: &KeyName) -> KeyTag {
    KeyTag { label: wrap_key.to_string(), id: wrap_key_id(trust, wrap_key), place: None }
}

/// The shares of a new wrap key, each with its salt, and what is public of them.
fn shares(
    contents: &Contents,
    agenda: &Agenda<'_>,
    new: &NewShares,
    secret: &Secret,
    set: SetId,
    randomness: &Randomness,
) -> Result<(ShareManifest, Vec<(Share, Salt)>)> {
    let of = u8::try_from(new.holders.len()).unwrap_or(u8::MAX);
    let mut cards = Vec::new();
    for share in split(secret, Scheme::new(new.needed, of)?, randomness)? {
        cards.push((share, Salt::draw(randomness)?));
    }
    let line = |((share, salt), holder): (&(Share, Salt), &crate::ceremony::people::Person)| ShareLine {
        number: share.member().number,
        holder: holder.clone(),
        commitment: share.commitment(salt),
    };
    let words = cards.first().map_or(0, |(share, _)| share.words().count());
    let manifest = ShareManifest {
        trust: contents.facts.trust.id,
        set,
        date: agenda.change.frame.held_at,
        purpose: ShareUse::WrapKey,
        title: new.title.clone(),
        identifier: cards.first().map_or(0, |(share, _)| share.set().identifier),
        words: u8::try_from(words).unwrap_or(u8::MAX),
        needed: new.needed,
        check: secret.check_value(),
        shares: cards.iter().zip(&new.holders).map(line).collect(),
    };
    manifest.to_json()?;
    Ok((manifest, cards))
}

fn unknown(step: &Step) -> Refusal {
    Refusal::new(
        &super::super::rules::STEP_UNKNOWN,
        format!("the step {}", step.id),
        "a key that the change lets out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_source_of_a_wrap_key_decides() {
        let (theirs, own) = ([0x5a; 32], [0x3c; 32]);
        assert_eq!(*mixed(&theirs, &own), [0x66; 32]);
        // Whatever the one is, every key can come of it by the other.
        for byte in 0..=u8::MAX {
            assert_eq!(*mixed(&theirs, &[byte ^ 0x5a; 32]), [byte; 32]);
            assert_eq!(*mixed(&[byte ^ 0x3c; 32], &own), [byte; 32]);
        }
    }
}
