//! Share manifests: who holds which share of a secret, and how each share is known again.
//!
//! Public: of a share only SHA-256 over a salt and its words stands here, and the salt is printed on
//! the card alone. So a custodian proves to have the right card without showing it, and a wrong card
//! is told from a right one before a secret is brought back (threats T25). What is said here counts
//! only where a transcript names the manifest's digest: a manifest alone is anybody's word.
//!
//! Never: a share, a salt or a secret; a manifest by which one person could bring the secret back.

use super::members::{Reader, digest, number, same_bytes};
use super::people::Person;
use super::rules;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::{ours, visible};
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

const WHAT: &str = "the share manifest";

/// The random 128-bit name of a set of shares, in 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId([u8; 16]);

impl SetId {
    /// Of random bytes that the caller drew.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a secret is for. No root key is among them: shares of one could be brought together on any
/// machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShareUse {
    /// A wrap key, under which keys go from one token to another.
    WrapKey,
}

impl ShareUse {
    /// The word in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrapKey => "wrap-key",
        }
    }
}

impl FromStr for ShareUse {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "wrap-key" => Ok(Self::WrapKey),
            other => Err(refuse(format!("a secret for \"{}\"", visible(other)), "wrap-key")),
        }
    }
}

/// One share and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareLine {
    /// Its number, from 1.
    pub number: u8,
    /// Who holds the card.
    pub holder: Person,
    /// SHA-256 over the salt and the words of the card.
    pub commitment: Digest,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareManifest {
    /// The trust whose secret it is.
    pub trust: TrustId,
    /// The set's name.
    pub set: SetId,
    /// When the shares were made: the change's date.
    pub date: Time,
    /// What the secret is for.
    pub purpose: ShareUse,
    /// In a person's words, as on the cards: `Wrap key of the YubiHSMs`.
    pub title: String,
    /// The number of 15 bits in the first words of every share.
    pub identifier: u16,
    /// How many words a share has.
    pub words: u8,
    /// How many shares bring the secret back.
    pub needed: u8,
    /// The first 8 bytes of HMAC-SHA-256 by the secret over `keyrite key-check value`.
    pub check: [u8; 8],
    /// The shares, in order of their numbers, from 1.
    pub shares: Vec<ShareLine>,
}

fn refuse(found: impl Into<String>, expected: &str) -> Refusal {
    Refusal::new(&rules::SHARE_MANIFEST, found, expected)
}

impl ShareManifest {
    /// The file's bytes: canonical JSON.
    ///
    /// # Errors
    ///
    /// `SHARE-MANIFEST` for numbers that don't fit each other, `SHARE-HOLDERS` if one person holds as
    /// many shares as are needed, `TEXT` for a title that we don't write.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        self.fits()?;
        Ok(self.as_json().canonical())
    }

    /// The digest of the file's bytes: by it runbooks name the set.
    ///
    /// # Errors
    ///
    /// As [`Self::to_json`].
    pub fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(&self.to_json()?))
    }

    /// The same before it is bytes; [`Self::to_json`] says whether it is a manifest at all.
    pub(super) fn as_json(&self) -> Json {
        let share = |line: &ShareLine| {
            object([
                ("commitment", digest(&line.commitment)),
                ("holder", line.holder.as_str().into()),
                ("number", number(line.number.into())),
            ])
        };
        object([
            ("check", base16ct::lower::encode_string(&self.check).into()),
            ("date", self.date.to_string().into()),
            ("format", number(1)),
            ("identifier", number(self.identifier.into())),
            ("needed", number(self.needed.into())),
            ("purpose", self.purpose.name().into()),
            ("set", self.set.to_string().into()),
            ("shares", self.shares.iter().map(share).collect::<Vec<_>>().into()),
            ("title", self.title.as_str().into()),
            ("trust", self.trust.to_string().into()),
            ("words", number(self.words.into())),
        ])
    }

    /// Reads a manifest: the bytes must be the very ones that [`Self::to_json`] makes.
    ///
    /// # Errors
    ///
    /// `JSON`, `RECORD-FORMAT`, `RECORD-MEMBER`, and as [`Self::to_json`].
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json = Json::parse(bytes)?;
        let mut file = Reader::file(WHAT, &json)?;
        let small = |file: &mut Reader<'_>, name: &str| {
            let n = file.number(name)?;
            u8::try_from(n).map_err(|_| refuse(format!("{n} in \"{name}\""), "a number below 256"))
        };
        let identifier = file.number("identifier")?;
        let identifier = u16::try_from(identifier)
            .map_err(|_| refuse(format!("the identifier {identifier}"), "a number below 32768"))?;
        let mut shares = Vec::new();
        for item in file.array("shares")? {
            let mut line = Reader::new(format!("{WHAT}, shares"), item)?;
            shares.push(ShareLine {
                number: small(&mut line, "number")?,
                holder: line.parsed("holder")?,
                commitment: line.parsed("commitment")?,
            });
            line.done()?;
        }
        let manifest = Self {
            trust: file.parsed("trust")?,
            set: SetId(file.hex("set")?),
            date: file.parsed("date")?,
            purpose: file.parsed("purpose")?,
            title: file.text("title")?.to_owned(),
            identifier,
            words: small(&mut file, "words")?,
            needed: small(&mut file, "needed")?,
            check: file.hex("check")?,
            shares,
        };
        file.done()?;
        same_bytes(WHAT, bytes, &manifest.to_json()?)?;
        Ok(manifest)
    }

    /// How many shares there are.
    pub fn of(&self) -> usize {
        self.shares.len()
    }

    /// How many choices of as many shares as are needed there are.
    pub fn choices(&self) -> usize {
        let of = u64::try_from(self.of()).unwrap_or(u64::MAX).min(16);
        let needed = u64::from(self.needed).min(of);
        // Each step divides without a rest: it is a number of choices itself.
        let all = (1..=needed).fold(1u64, |all, n| {
            let more = all.saturating_mul(of.saturating_sub(needed).saturating_add(n));
            more.checked_div(n).unwrap_or(0)
        });
        usize::try_from(all).unwrap_or(usize::MAX)
    }

    /// The share that a card is, by its own numbers and its commitment.
    ///
    /// # Errors
    ///
    /// `SHARE-FOREIGN` for a card of another set, `SHARE-COMMITMENT` if words or salt are others than
    /// those that were printed.
    pub fn recognise(&self, card: &Card) -> Result<&ShareLine> {
        let own = |line: &&ShareLine| line.number == card.number;
        let line = self.shares.iter().find(own).filter(|_| card.identifier == self.identifier);
        let Some(line) = line else {
            return Err(Refusal::new(
                &rules::SHARE_FOREIGN,
                format!("share {} of a set with the identifier {}", card.number, card.identifier),
                format!("one of shares 1 to {} of the identifier {}", self.of(), self.identifier),
            ));
        };
        if line.commitment == card.commitment {
            return Ok(line);
        }
        Err(Refusal::new(
            &rules::SHARE_COMMITMENT,
            format!("another commitment than that of share {}", line.number),
            format!("the words and the salt of {}'s card of set {}", line.holder, self.set),
        ))
    }

    fn fits(&self) -> Result<()> {
        ours("a title", &self.title)?;
        if self.title.is_empty() || self.title.len() > 100 {
            return Err(refuse(format!("a title of {} bytes", self.title.len()), "1 to 100"));
        }
        let of = u8::try_from(self.of()).unwrap_or(u8::MAX);
        if !(2..=16).contains(&self.needed) || of < self.needed || of > 16 {
            return Err(refuse(format!("{} of {of}", self.needed), "2 or more of 16 or fewer shares"));
        }
        if self.identifier > 0x7fff {
            return Err(refuse(format!("the identifier {}", self.identifier), "a number below 32768"));
        }
        if !(20..=33).contains(&self.words) {
            return Err(refuse(format!("shares of {} words", self.words), "20 to 33 words"));
        }
        if !self.shares.iter().map(|line| line.number).eq(1..=of) {
            return Err(refuse("shares with other numbers", "1, 2 and so on, in order"));
        }
        let commitments: BTreeSet<Digest> = self.shares.iter().map(|line| line.commitment).collect();
        if commitments.len() != self.of() {
            return Err(refuse("one commitment for two shares", "one for each"));
        }
        let mut held: BTreeMap<&Person, u8> = BTreeMap::new();
        for line in &self.shares {
            let count = held.entry(&line.holder).or_default();
            *count = count.saturating_add(1);
        }
        match held.iter().find(|(_, count)| **count >= self.needed) {
            None => Ok(()),
            Some((person, count)) => Err(Refusal::new(
                &rules::SHARE_HOLDERS,
                format!("{person} with {count} shares, of which {} are needed", self.needed),
                "nobody with as many shares as are needed",
            )),
        }
    }
}

/// What is known of a card that was read: no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// The identifier that its words say.
    pub identifier: u16,
    /// The number that its words say, from 1.
    pub number: u8,
    /// SHA-256 over its salt and its words.
    pub commitment: Digest,
}
