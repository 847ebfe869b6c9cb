//! Shares of one set of another tool, as they come together.

use super::form::{Form, HEAD, KEY, ToolShare};
use crate::signer::gf256::Point;
use crate::signer::rules;
use crate::signer::slip39::Secret;
use crate::tuf::rule::{Refusal, Result};
use zeroize::Zeroizing;

/// More places than this are no slip of the hand: the shares are of two sets.
const SLIPS: usize = 6;
/// `export-wrapped` and `import-wrapped`, as the second byte from the last of capabilities has them.
const WRAPS: u8 = 0x30;

/// Shares that are here so far.
pub struct Together {
    form: Form,
    needed: u8,
    brought: u8,
    shares: Vec<ToolShare>,
}

impl Together {
    /// None yet, of a form, where `needed` give the secret and `brought` are to come.
    ///
    /// # Errors
    ///
    /// `SHARE-SCHEME`.
    pub fn new(form: Form, needed: u8, brought: u8) -> Result<Self> {
        if (2..=16).contains(&needed) && (needed..=16).contains(&brought) {
            return Ok(Self { form, needed, brought, shares: Vec::with_capacity(brought.into()) });
        }
        let found = format!("{brought} brought of which {needed} are needed");
        Err(Refusal::new(&rules::SHARE_SCHEME, found, "2 or more needed, at most 16 brought"))
    }

    /// How many are still to come.
    pub fn missing(&self) -> usize {
        usize::from(self.brought).saturating_sub(self.shares.len())
    }

    /// Takes a share in.
    ///
    /// # Errors
    ///
    /// `SHARE-SET` if it says of itself that it is of another set; `SHARE-TWICE` for one that is here;
    /// `SHARE-MANY` for one more than was said.
    pub fn add(&mut self, share: ToolShare) -> Result<()> {
        if share.form() != self.form || share.needed().is_some_and(|needed| needed != self.needed) {
            let says = share.needed().map_or_else(|| "another form".to_owned(), |n| format!("{n} needed"));
            let found = format!("{share}, which is of a set with {says}");
            return Err(Refusal::new(&rules::SHARE_SET, found, format!("{} needed", self.needed)));
        }
        if self.shares.iter().any(|here| here.number() == share.number()) {
            return Err(Refusal::new(&rules::SHARE_TWICE, format!("{share} twice"), "each share once"));
        }
        if self.missing() == 0 {
            let found = format!("{share}, one more than {}", self.brought);
            return Err(Refusal::new(&rules::SHARE_MANY, found, "as many as the runbook says"));
        }
        self.shares.push(share);
        Ok(())
    }

    /// The wrap key that they give. It is proven by nothing yet.
    ///
    /// # Errors
    ///
    /// `SHARE-FEW`; `TOOL-AGREE` if they don't all lie on the same polynomials; `TOOL-SECRET` if what
    /// stands before the key in Yubico's forms is no wrap key's.
    pub fn secret(&self) -> Result<Secret> {
        if self.missing() > 0 {
            let found = format!("{} shares", self.shares.len());
            return Err(Refusal::new(&rules::SHARE_FEW, found, self.brought.to_string()));
        }
        let all: Vec<&ToolShare> = self.shares.iter().collect();
        let off = self.off(&all);
        if !off.is_empty() {
            return Err(self.disagreement(&all, &off));
        }
        let base: Vec<Point<'_>> = all.iter().take(self.needed.into()).map(|share| point(share)).collect();
        let split = self.form.field().interpolate(&base, 0);
        match self.form {
            Form::Numbered => Secret::new(split),
            Form::HeadedBase64 | Form::HeadedHex => without_head(&split),
        }
    }

    /// The bytes in which shares beyond the first needed ones are not where the polynomials through these
    /// are. None says that any choice of enough gives the same secret.
    fn off(&self, shares: &[&ToolShare]) -> Vec<usize> {
        let needed = usize::from(self.needed);
        let base: Vec<Point<'_>> = shares.iter().take(needed).map(|share| point(share)).collect();
        let mut off = vec![false; self.form.bytes()];
        for share in shares.iter().skip(needed) {
            let there = self.form.field().interpolate(&base, share.number());
            for ((off, there), own) in off.iter_mut().zip(there.iter()).zip(share.value()) {
                *off |= there != own;
            }
        }
        (0..).zip(off).filter(|(_, off)| *off).map(|(at, _)| at).collect()
    }

    /// Which share doesn't fit, where that can be told, and in which characters.
    fn disagreement(&self, all: &[&ToolShare], off: &[usize]) -> Refusal {
        // One that can be left out is only found if there is one more to hold the others against.
        let rest = |out: usize| -> Vec<&ToolShare> {
            all.iter().enumerate().filter(|(at, _)| *at != out).map(|(_, share)| *share).collect()
        };
        let spare = all.len() > usize::from(self.needed).saturating_add(1);
        let alone: Vec<usize> =
            (0..all.len()).filter(|out| spare && self.off(&rest(*out)).is_empty()).collect();
        let who = match alone.as_slice() {
            [one] => all.get(*one).map(|share| format!("{share}, which doesn't fit the others")),
            _ => None,
        };
        let who = who.unwrap_or_else(|| "shares that don't fit each other".to_owned());
        let place = if off.len() > SLIPS {
            "in most places: one is of another set".to_owned()
        } else {
            let mut places: Vec<usize> =
                all.iter().flat_map(|s| off.iter().flat_map(|byte| s.digits().of_byte(*byte))).collect();
            places.sort_unstable();
            places.dedup();
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            let from = if self.form == Form::Numbered { "" } else { " after the second hyphen" };
            format!("by characters {}{from}", places.join(", "))
        };
        let expected = "one secret from every choice of enough shares";
        Refusal::new(&rules::TOOL_AGREE, format!("{who}, {place}"), expected)
    }
}

fn point(share: &ToolShare) -> Point<'_> {
    Point { x: share.number(), y: share.value() }
}

/// The key behind a head that is a wrap key's: in a domain, able to wrap or unwrap, and with no
/// capability that there is none of.
fn without_head(split: &[u8]) -> Result<Secret> {
    let at = |place: usize| split.get(place).copied().unwrap_or(0);
    let capabilities = 4;
    let sound = (at(2) | at(3)) != 0 && at(capabilities) == 0 && at(capabilities + 6) & WRAPS != 0;
    let key = split.get(HEAD..).filter(|key| sound && key.len() == KEY);
    let key = key.ok_or_else(|| {
        let found = "a secret that doesn't begin as a wrap key's does";
        Refusal::new(&rules::TOOL_SECRET, found, "a wrap key with domains, and the right to wrap or unwrap")
    })?;
    Secret::new(Zeroizing::new(key.to_vec()))
}
