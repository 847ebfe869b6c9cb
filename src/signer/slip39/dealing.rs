//! Splitting a secret and bringing it back (SLIP-39, "Shamir's secret sharing").
//!
//! Shares are points of one random polynomial for each byte. Two places are no share's: at 255 lies
//! the secret, at 254 a digest of it, by which a foreign or altered share is noticed.

use super::share::{Member, Set, Share};
use super::{Secret, cipher, same};
use crate::signer::gf256::{Field, Point};
use crate::signer::randomness::Randomness;
use crate::signer::rules;
use crate::tuf::rule::{Refusal, Result};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

const SECRET_AT: u8 = 255;
const DIGEST_AT: u8 = 254;
const DIGEST: usize = 4;
/// The most shares of a set, for the four bits of a number.
const MOST: u8 = 16;

/// How many shares there are, and how many of them bring the secret back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    needed: u8,
    of: u8,
}

impl Scheme {
    /// `needed` of `of`. One alone is refused: a secret that one person can bring back is a copy, and
    /// the standard has no digest for it.
    ///
    /// # Errors
    ///
    /// `SHARE-SCHEME`.
    pub fn new(needed: u8, of: u8) -> Result<Self> {
        if (2..=MOST).contains(&needed) && (needed..=MOST).contains(&of) {
            return Ok(Self { needed, of });
        }
        let found = format!("{needed} of {of}");
        Err(Refusal::new(&rules::SHARE_SCHEME, found, "2 or more of 16 or fewer shares"))
    }

    /// How many bring the secret back.
    pub const fn needed(self) -> u8 {
        self.needed
    }

    /// How many there are.
    pub const fn of(self) -> u8 {
        self.of
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.needed, self.of)
    }
}

/// Splits a secret into one group, extendable, under the empty passphrase, with a new identifier.
///
/// The exponent is 0: work over an empty passphrase would protect nothing.
///
/// # Errors
///
/// `SHARE-RANDOM`.
pub fn split(secret: &Secret, scheme: Scheme, randomness: &Randomness) -> Result<Vec<Share>> {
    let drawn = randomness.bytes::<2>().map_err(|e| no_randomness(e, 2))?;
    let set = Set {
        identifier: u16::from_be_bytes(*drawn) & 0x7fff,
        extendable: true,
        exponent: 0,
        groups_needed: 1,
        groups: 1,
    };
    let hidden = under(set, "", &set.salt()).hide(secret.expose());
    let values = points(&hidden, scheme, randomness)?;
    let share = |(number, value)| {
        let member = Member { group: 1, number, needed: scheme.needed };
        Share::new(set, member, value)
    };
    Ok((1..).zip(values).map(share).collect())
}

fn under<'a>(set: Set, passphrase: &'a str, salt: &'a [u8]) -> cipher::Under<'a> {
    cipher::Under { passphrase, exponent: set.exponent, salt }
}

fn no_randomness(error: String, count: usize) -> Refusal {
    Refusal::new(&rules::SHARE_RANDOM, error, format!("{count} random bytes"))
}

/// The values of a scheme's shares, at 0, 1, 2 and so on. All but the digest is drawn without any
/// condition: every coefficient of the polynomials may be 0 (threats T27).
pub(super) fn points(
    secret: &[u8],
    scheme: Scheme,
    randomness: &Randomness,
) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    let draw = |count: usize| randomness.many(count).map_err(|e| no_randomness(e, count));
    let mut values = Vec::with_capacity(usize::from(scheme.of));
    for _ in 2..scheme.needed {
        values.push(draw(secret.len())?);
    }
    let noise = draw(secret.len().saturating_sub(DIGEST))?;
    let digest = cipher::joined(&digest(secret, &noise), &noise);
    let computed: Vec<_> = {
        let mut base: Vec<Point<'_>> = (0..).zip(&values).map(|(x, y)| Point { x, y }).collect();
        base.push(Point { x: DIGEST_AT, y: &digest });
        base.push(Point { x: SECRET_AT, y: secret });
        (scheme.needed.saturating_sub(2)..scheme.of).map(|x| Field::AES.interpolate(&base, x)).collect()
    };
    values.extend(computed);
    Ok(values)
}

fn digest(secret: &[u8], noise: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut mac = cipher::mac(noise, secret);
    mac.truncate(DIGEST);
    mac
}

/// Brings a secret back from exactly as many shares as are needed, of exactly as many groups.
///
/// # Errors
///
/// `SHARE-FEW` and `SHARE-MANY` for another number of them, `SHARE-SET` for a share of another set,
/// `SHARE-TWICE` for two of one number, `SHARE-DIGEST` if one is foreign or altered for all that;
/// `SHARE-PASSPHRASE` for a passphrase that the standard doesn't have.
pub fn recombine(shares: &[&Share], passphrase: &str) -> Result<Secret> {
    if !passphrase.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        let found = "a passphrase with other signs";
        return Err(Refusal::new(&rules::SHARE_PASSPHRASE, found, "letters, digits and signs of ASCII"));
    }
    let (set, hidden) = hidden(shares)?;
    Ok(Secret(under(set, passphrase, &set.salt()).open(&hidden)))
}

/// Makes sure that every choice of as many shares as are needed brings back this very secret, and
/// tells how many choices there are. Each is recombined from its shares alone.
///
/// # Errors
///
/// `SHARE-DEALT` with the shares that don't; as [`recombine`] for shares that are no one set.
pub fn all_agree(shares: &[&Share], secret: &Secret) -> Result<usize> {
    let needed = shares.first().map_or(0, |share| usize::from(share.member().needed));
    if shares.len() < needed || needed == 0 {
        return hidden(shares).map(|_| 0);
    }
    let mut first: Option<Zeroizing<Vec<u8>>> = None;
    let mut count = 0usize;
    for chosen in Subsets::new(shares.len(), needed) {
        let picked: Vec<&Share> = chosen.iter().filter_map(|at| shares.get(*at).copied()).collect();
        let wrong = |found: &str| {
            let names: Vec<String> = picked.iter().map(ToString::to_string).collect();
            let found = format!("{found} from {}", names.join(", "));
            Refusal::new(&rules::SHARE_DEALT, found, "the secret that was split, from every choice")
        };
        let (set, hidden) = hidden(&picked).map_err(|refusal| match refusal.rule() {
            rule if *rule == rules::SHARE_DIGEST => wrong("a wrong digest"),
            _ => refusal,
        })?;
        // What hides the secret is the same for all: opened once, compared each time.
        let agrees = match &first {
            Some(first) => same(first, &hidden),
            None => same(&under(set, "", &set.salt()).open(&hidden), secret.expose()),
        };
        if !agrees {
            return Err(wrong("another secret"));
        }
        first.get_or_insert(hidden);
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// The secret as it lies hidden under its passphrase.
fn hidden(shares: &[&Share]) -> Result<(Set, Zeroizing<Vec<u8>>)> {
    let few = |found: String, needed: String| Refusal::new(&rules::SHARE_FEW, found, needed);
    let Some(first) = shares.first() else {
        return Err(few("no share".to_owned(), "as many as the set needs".to_owned()));
    };
    let set = first.set();
    let mut groups: BTreeMap<u8, BTreeMap<u8, &Share>> = BTreeMap::new();
    for share in shares {
        let group = groups.entry(share.member().group).or_default();
        let beside = group.values().next().copied().unwrap_or(first);
        check_set(share, first, beside)?;
        if group.insert(share.member().number, share).is_some() {
            let found = format!("{share} twice");
            return Err(Refusal::new(&rules::SHARE_TWICE, found, "each share once"));
        }
    }
    let needed = usize::from(set.groups_needed);
    if groups.len() != needed {
        return Err(number("groups", groups.len(), needed));
    }
    for group in groups.values() {
        let needed = group.values().next().map_or(0, |share| usize::from(share.member().needed));
        if group.len() != needed {
            return Err(number("shares", group.len(), needed));
        }
    }
    let mut values = Vec::with_capacity(groups.len());
    for (number, group) in &groups {
        let points: Vec<_> = group.iter().map(|(n, share)| point(*n, share.value())).collect();
        values.push((*number, recovered(&points)?));
    }
    let points: Vec<_> = values.iter().map(|(number, value)| point(*number, value)).collect();
    recovered(&points).map(|hidden| (set, hidden))
}

/// Numbers are shown from 1 and computed with from 0.
const fn point(number: u8, y: &[u8]) -> Point<'_> {
    Point { x: number.saturating_sub(1), y }
}

fn number(what: &str, found: usize, needed: usize) -> Refusal {
    let rule = if found < needed { &rules::SHARE_FEW } else { &rules::SHARE_MANY };
    Refusal::new(rule, format!("{found} {what}"), format!("{needed} {what}"))
}

/// A share belongs to the first one's set, and needs as many others as the one of its group.
fn check_set(share: &Share, first: &Share, beside: &Share) -> Result<()> {
    let of = |share: &Share| {
        let set = share.set();
        let kind = if set.extendable { "" } else { ", not extendable" };
        let groups = format!("{} of {} groups", set.groups_needed, set.groups);
        format!("set {} ({} bits, exponent {}, {groups}{kind})", set.identifier, share.bits(), set.exponent)
    };
    let same_group = share.member().group == beside.member().group;
    if share.set() != first.set() || share.bits() != first.bits() {
        let found = format!("{share} of {}", of(share));
        return Err(Refusal::new(&rules::SHARE_SET, found, of(first)));
    }
    if same_group && share.member().needed != beside.member().needed {
        let found = format!("{share}, one of {} needed", share.member().needed);
        return Err(Refusal::new(
            &rules::SHARE_SET,
            found,
            format!("one of {} needed", beside.member().needed),
        ));
    }
    Ok(())
}

/// What lies at the secret's place; the digest beside it must be its own. One share alone is the
/// secret itself.
fn recovered(points: &[Point<'_>]) -> Result<Zeroizing<Vec<u8>>> {
    if let [only] = points {
        return Ok(Zeroizing::new(only.y.to_vec()));
    }
    let secret = Field::AES.interpolate(points, SECRET_AT);
    let beside = Field::AES.interpolate(points, DIGEST_AT);
    let (found, noise) = beside.split_at_checked(DIGEST).unwrap_or_default();
    if same(found, &digest(&secret, noise)) {
        return Ok(secret);
    }
    let found = "a secret that is not the one its digest is of";
    Err(Refusal::new(&rules::SHARE_DIGEST, found, "shares that were all made together"))
}

/// Every choice of `take` numbers below `of`, in order.
struct Subsets {
    of: usize,
    next: Option<Vec<usize>>,
}

impl Subsets {
    fn new(of: usize, take: usize) -> Self {
        Self { of, next: (take <= of).then(|| (0..take).collect()) }
    }
}

impl Iterator for Subsets {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        // The last number that can still go up; those after it follow close behind.
        let room =
            |(at, n): &(usize, &usize)| **n < self.of.saturating_sub(current.len()).saturating_add(*at);
        let last = current.iter().enumerate().rev().find(room).map(|(at, n)| (at, *n));
        self.next = last.map(|(at, n)| {
            let kept = current.iter().copied().take(at);
            kept.chain(n.saturating_add(1)..).take(current.len()).collect()
        });
        Some(current)
    }
}
