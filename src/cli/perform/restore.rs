//! Steps of `restore`: keys come back from copies, by cards or by another tool's shares.
//!
//! A key that came back has to sign before the record takes it for the one that left. What another
//! tool's shares give is a wrap key only once a copy has opened under it, and is kept for the session's
//! other copies from then on, not before.

use super::back_up::{as_wrap_key, backups, with_wrap_key, wrap_tag};
use super::journal::Of;
use super::make_key::possession_of;
use super::sign::{described, seen};
use super::{Agenda, Room};
use crate::ceremony::change::{CopyFrom, Item, Possession, RestoredKey};
use crate::ceremony::kinds;
use crate::ceremony::people::KeyName;
use crate::ceremony::step::Step;
use crate::ceremony::tool_split::ToolSplit;
use crate::ceremony::transcript::{Intent, Outcome};
use crate::cli::rules;
use crate::record::key_file::{EvidenceNote, TokenNote};
use crate::record::{Contents, KeyFile, SignedStatement};
use crate::signer::secret::WrapSecret;
use crate::signer::slip39::Secret;
use crate::signer::{Backups, KeyTag, PinSource, Restored, TokenIdentity, WrapForm, WrappedKey};
use crate::tuf::digest::Digest;
use crate::tuf::key::Scheme as KeyScheme;
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::ui::screen::{Screen, Tone};
use crate::ui::tool_desk;

/// What a key comes back from.
struct Source {
    /// None for a file that another tool wrote: the token says what it takes.
    form: Option<WrapForm>,
    bytes: Vec<u8>,
    secret: WrapSecret,
    tool: Option<FromTool>,
}

/// Where the session keeps what another tool's shares gave, and what they have given in this step.
struct FromTool {
    name: Digest,
    fresh: Option<Secret>,
}

impl Source {
    /// Has the token take the key in.
    fn open(
        &self,
        backups: &mut dyn Backups,
        old: &KeyFile,
        (tag, under): (&KeyTag, &KeyTag),
        pins: &mut dyn PinSource,
    ) -> Result<Restored> {
        let form = self.form.unwrap_or_else(|| backups.form());
        let wrapped = WrappedKey { form, bytes: self.bytes.clone() };
        let restored = backups.restore(&wrapped, &old.public, tag, under, pins);
        // Shares that have opened another copy are not the ones to blame.
        let fresh = self.tool.as_ref().is_some_and(|tool| tool.fresh.is_some());
        if fresh { restored.map_err(unproven) } else { restored }
    }
}

/// A copy that didn't open says of the shares what nothing in them could.
fn unproven(refusal: Refusal) -> Refusal {
    if *refusal.rule() != crate::signer::rules::WRAP_REFUSED {
        return refusal;
    }
    let expected = "the copy opened by the key that these shares give";
    Refusal::new(&rules::TOOL_PROOF, refusal.found().to_owned(), expected)
}

impl Room<'_> {
    /// Takes a key in from its copy, and has it prove that it is the one that left.
    pub(super) fn restore_key(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        step: &Step,
        back: &RestoredKey,
    ) -> Result<()> {
        let of = Of { change: Some(agenda.digest), step: Some(step) };
        let Some((old, _)) = contents.key_files.get(&back.replaces) else {
            let found = format!("no key file {}", back.replaces);
            return Err(Refusal::new(
                &kinds::rules::KEY_UNKNOWN,
                found,
                "the key file that the change names",
            ));
        };
        let token =
            self.keyring.with_token(&back.key, self.console, &mut |token, _| Ok(token.identity().clone()))?;
        if token.serial == old.token.serial() {
            return Err(Refusal::new(
                &kinds::rules::RESTORE_TOKEN,
                format!("the device map's token for {}, {}", back.key, described(&token)),
                "another token than the one that was lost",
            ));
        }
        let written = Self::written_before(contents, agenda, &back.key, &old.public);
        let (file, leaves) = match written.and_then(|file| contents.key_files.get(&file).map(|of| (file, of)))
        {
            Some((file, (of, _))) => (file, of.evidence.exportable_under().is_some()),
            None => self.bring_back(contents, agenda, back, old, &token)?,
        };
        let outcome = Outcome::Key {
            name: back.key.clone(),
            file,
            identity: back.identity,
            adopted: false,
            token: seen(&token),
        };
        self.journal.say(self.record, self.session, of, outcome)?;
        // Told to destroy what it came from only once the record has all of it.
        match &back.from {
            CopyFrom::Tool { .. } => {
                let waiting = still_to_come(contents, agenda, back);
                self.lead_on(back, leaves, &waiting)
            }
            CopyFrom::Cards { .. } => Ok(()),
        }
    }

    /// Answers its file, and whether it could leave again, which is asked of what another tool wrapped.
    fn bring_back(
        &mut self,
        contents: &Contents,
        agenda: &Agenda<'_>,
        back: &RestoredKey,
        old: &KeyFile,
        token: &TokenIdentity,
    ) -> Result<(Digest, bool)> {
        let source = self.source(contents, agenda, back)?;
        let under = wrap_tag(&contents.facts.trust.id, &back.wrap_key);
        let tag = KeyTag { label: back.key.to_string(), id: agenda.change.tag(&back.key), place: None };
        self.console.progress(&format!("{} comes back on {}", back.key, described(token)).into());
        self.may_use(&back.key, &contents.facts, token)?;
        self.intend(agenda, &back.key, Intent::Restore { wrap_key: back.wrap_key.clone() })?;
        let (Restored { made, opened }, leaves) = self.take_in(back, old, &source, (&tag, &under))?;
        let proof = match self.prove(agenda, back, old) {
            Ok(proof) => proof,
            Err(refusal) => {
                self.give_up(back, old, opened, &refusal);
                return Err(refusal);
            }
        };
        // If this fails the file may be there all the same, so the key stays: the next session finds both.
        let file = self.record.add_key(&KeyFile {
            change: agenda.digest,
            possession: Possession::Proved(proof),
            replaces: Some(back.replaces),
            token: TokenNote::of(token),
            evidence: EvidenceNote::of(&made.evidence)?.leaving(leaves.then_some(&back.wrap_key)),
            ..old.clone()
        })?;
        if let Some(FromTool { name, fresh: Some(secret) }) = source.tool {
            if opened {
                self.keyring.hold_gathered(name, secret);
            } else {
                let line = format!("{} was there already: these shares have opened nothing yet", back.key);
                self.console.progress(&line.into());
            }
        }
        Ok((file, leaves))
    }

    /// Has the token take the key in, or give it up again; answers also whether it could leave.
    fn take_in(
        &mut self,
        back: &RestoredKey,
        old: &KeyFile,
        source: &Source,
        (tag, under): (&KeyTag, &KeyTag),
    ) -> Result<(Restored, bool)> {
        let mut opened = false;
        let done = self.keyring.with_token(&back.key, self.console, &mut |t, pins| {
            let restored = with_wrap_key(t, &source.secret, under, pins, |b, pins| {
                let restored = source.open(b, old, (tag, under), pins)?;
                opened = restored.opened;
                Ok(restored)
            })?;
            let leaves = source.tool.is_some() && backups(t)?.exportable(&old.public, under, pins)?;
            Ok((restored, leaves))
        });
        if let Some(refusal) = done.as_ref().err().filter(|_| opened) {
            self.give_up(back, old, opened, refusal);
        }
        done
    }

    /// The copy, and the wrap key that people bring back.
    fn source(&mut self, contents: &Contents, agenda: &Agenda<'_>, back: &RestoredKey) -> Result<Source> {
        match &back.from {
            CopyFrom::Cards { shares, copy } => {
                let copy = self.keyring.copies()?.read(&back.key, *copy)?;
                copy.expect(&contents.facts.trust.id, back)?;
                let manifest = contents.facts.copies.set(&back.wrap_key, shares)?;
                let secret = self.wrap_secret(&back.wrap_key, manifest)?;
                Ok(Source { form: Some(copy.form), bytes: copy.bytes, secret, tool: None })
            }
            CopyFrom::Tool { split, copy } => {
                let bytes = self.keyring.copies()?.find(copy)?;
                let name = Digest::of(format!("{}:{}", agenda.digest, back.wrap_key).as_bytes());
                let (secret, fresh) = if let Some(secret) = self.keyring.wrap_key(&name) {
                    (as_wrap_key(secret)?, None)
                } else {
                    let secret = self.gather_from_tool(&back.wrap_key, *split)?;
                    (as_wrap_key(&secret)?, Some(secret))
                };
                Ok(Source { form: None, bytes, secret, tool: Some(FromTool { name, fresh }) })
            }
        }
    }

    fn gather_from_tool(&mut self, wrap_key: &KeyName, split: ToolSplit) -> Result<Secret> {
        let screen = Screen::new(format!("Gather the shares of {wrap_key}"))
            .text("They are another tool's. Nothing in them tells a slip of the hand, so each is typed twice, unseen.")
            .text("What they give is the wrap key only if it opens the copy; until then it counts for nothing.")
            .fact("made with", split.tool().name())
            .fact("needed", format!("{} of them", split.needed()))
            .fact("brought", format!("{}: those beyond the needed ones have to fit", split.brought()));
        self.console.show(&screen)?;
        tool_desk::gather(self.console, split)
    }

    /// What comes next for a key that another tool had backed up: cards that can be checked.
    /// Keys that are `waiting` come from the same shares, so these are not destroyed yet.
    fn lead_on(&mut self, back: &RestoredKey, leaves: bool, waiting: &[&KeyName]) -> Result<()> {
        let (key, wrap_key) = (&back.key, &back.wrap_key);
        let screen = Screen::default()
            .callout(Tone::Done, format!("{key} is back, and has signed as the key on record"));
        let screen = if leaves {
            screen.text("Its old shares stay what they were. So back it up anew, under a wrap key on cards, by back-up with:").exact([
                "[wrap-key]".to_owned(),
                format!("name = \"{wrap_key}\""),
                "title, needed and holders of the new cards".to_owned(),
                "[[key]]".to_owned(),
                format!("name = \"{key}\""),
            ])
        } else {
            screen.text("It can't leave this token again. Make its successor by generate-key with wrap-key, and back that one up.")
        };
        self.console.show(&screen.next(if waiting.is_empty() {
            "then destroy the old shares, once no other key has to come back from them, and the old file"
                .to_owned()
        } else {
            let names: Vec<_> = waiting.iter().map(ToString::to_string).collect();
            format!("keep the old shares: {} still comes back from them", names.join(", "))
        }))
    }

    /// Has a key that came back sign as the one that left, and puts that on record.
    fn prove(&mut self, agenda: &Agenda<'_>, back: &RestoredKey, old: &KeyFile) -> Result<Digest> {
        let named = (&back.key, &old.holder, old.purpose);
        let statement = possession_of(agenda.change, agenda.digest, named, &old.public)?;
        let payload = Payload::Statement(statement.clone());
        let scheme = KeyScheme::of(old.public.algorithm());
        let signature = self.have_signed(Some(agenda.digest), &back.key, &old.public, scheme, &payload)?;
        let proof = SignedStatement::new(statement, old.public.clone(), &signature)?;
        self.record.add_statement(&proof)
    }

    /// Destroys what came back and is no key of the record, whyever not: it must not look like one. The
    /// next session takes it in anew. A token that keeps a log has read the key's public half itself, and
    /// would count its end against its holder; and what was there before nobody here brought: there it
    /// stays, unless it signs wrong, and people are told.
    fn give_up(&mut self, back: &RestoredKey, old: &KeyFile, opened: bool, why: &Refusal) {
        // A token that can't be asked may have a log.
        let logs = !self.logging(&back.key).is_ok_and(|token| token.is_none());
        let public = &old.public;
        let wrong = *why.rule() == crate::tuf::rules::SIGNATURE_WRONG;
        let gone = (wrong || opened && !logs)
            && self
                .keyring
                .with_token(&back.key, self.console, &mut |token, pins| token.destroy(public, pins))
                .is_ok();
        if !gone {
            let line = format!(
                "{} may be on that token now, and is on record there by nothing: hold this again, or reset the token",
                back.key
            );
            self.console.progress(&line.into());
        }
    }
}

/// The keys that this change has come back from the same shares later, and that aren't on record yet.
fn still_to_come<'a>(contents: &Contents, agenda: &Agenda<'a>, back: &RestoredKey) -> Vec<&'a KeyName> {
    let all = agenda.change.items.iter();
    let all = all.filter_map(|item| if let Item::Restored(key) = item { Some(key) } else { None });
    let later = all.skip_while(|other| other.key != back.key).skip(1);
    let others = later.filter(|other| other.wrap_key == back.wrap_key);
    let waits = |other: &&RestoredKey| {
        let old = contents.key_files.get(&other.replaces);
        old.is_none_or(|(old, _)| Room::written_before(contents, agenda, &other.key, &old.public).is_none())
    };
    others.filter(waits).map(|other| &other.key).collect()
}
