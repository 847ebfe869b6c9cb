//! Attestation: whether a key of the record is proven to be a hardware key, and by what.
//!
//! A module's attributes are its word alone. A device that attests signs a certificate for the key,
//! with a key of its own that its vendor certified when it was made; from those certificates anyone
//! can tell, years later and without the device, where the key was made and how it is kept. The
//! verdict is a pure function of the key's record, its certificates and what is pinned here.
//!
//! To take another vendor's devices: its roots in `roots`, its extensions in `claims`, its
//! advisories in `advisories`.
//!
//! Never: trust in a certificate before a pinned root leads to it, a verdict of half the rules, or a
//! clock: certificates count as of `held-at` of the change that the key file names.

pub mod advisories;
mod certificate;
mod chain;
mod claims;
mod roots;
pub mod rules;
mod tally;
#[cfg(test)]
mod tests;
mod verdict;

pub use claims::{Attested, Firmware, Form, PinPolicy, Place, Product, TouchPolicy};
pub use roots::Anchors;
pub use tally::{Tally, check, verdict};
pub use verdict::{Unproven, Verdict, one_holder_each};

use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use certificate::Certificate;
use chain::{Chain, chain};
use claims::{GENERATED, capability};

/// What the record has of a key, as far as it is judged here.
#[derive(Debug, Clone)]
pub struct Key<'a> {
    /// The key.
    pub public: &'a PublicKey,
    /// The word for what holds it: `pkcs11`, `file`.
    pub token: &'a str,
    /// The serial number of the token, as it told; empty where it has none.
    pub serial: &'a str,
    /// Certificates in DER, the key's own first; empty where there are none.
    pub certificates: Vec<&'a [u8]>,
    /// The wrap key under which it may leave its device, if it may.
    pub exportable_under: Option<&'a str>,
    /// `held-at` of the change that wrote its newest file, if the record has that change.
    pub at: Option<Time>,
}

impl Key<'_> {
    /// What is proven of the key.
    pub fn judge(&self, anchors: &Anchors) -> Verdict {
        if self.certificates.is_empty() {
            return Verdict::Unproven(Unproven::of(self.token));
        }
        let read = self.read();
        let (certificates, attested) = match read {
            Ok(read) => read,
            Err(refusal) => return Verdict::Failed { attested: None, because: vec![refusal] },
        };
        let chain = match chain(&certificates, &attested, anchors) {
            Ok(chain) => chain,
            // Nothing that it says is anyone's word, so nothing more is said of it.
            Err(refusal) => return Verdict::Failed { attested: None, because: vec![refusal] },
        };
        let checks = [
            self.validity(&chain),
            self.key(&chain),
            origin(&attested),
            self.export(&attested),
            only_signs(&attested),
            self.serial(&attested),
            firmware(&attested),
            pin(&attested),
            touch(&attested),
        ];
        let because: Vec<Refusal> = checks.into_iter().filter_map(Result::err).collect();
        if because.is_empty() {
            return Verdict::Proven(attested);
        }
        Verdict::Failed { attested: Some(attested), because }
    }

    fn read(&self) -> Result<(Vec<Certificate>, Attested)> {
        let read = self.certificates.iter().map(|der| Certificate::from_der(der));
        let certificates = read.collect::<Result<Vec<_>>>()?;
        let leaf = certificates.first().ok_or_else(|| certificate::form(&"no certificate"))?;
        let attested = Attested::read(leaf)?;
        Ok((certificates, attested))
    }

    /// An attestation is a statement of one day and stays true when its certificates have ended.
    fn validity(&self, chain: &Chain<'_>) -> Result<()> {
        let wrong = |certificate: &&Certificate| {
            let (from, until) = (certificate.not_before, certificate.not_after);
            from > until || self.at.is_some_and(|at| at < from || until < at)
        };
        let Some(certificate) = chain.all().find(wrong) else { return Ok(()) };
        let (from, until) = (certificate.not_before, certificate.not_after);
        Err(Refusal::new(
            &rules::ATTESTATION_VALIDITY,
            format!("{}, valid from {from} to {until}", certificate.name()),
            match self.at {
                Some(at) => format!("one that was valid on {at}, when the key's newest file was written"),
                None => "one that is valid at some time".to_owned(),
            },
        ))
    }

    fn key(&self, chain: &Chain<'_>) -> Result<()> {
        let attested = chain.certificates.first().map(|leaf| PublicKey::from_spki_der(&leaf.spki));
        if matches!(&attested, Some(Ok(public)) if public == self.public) {
            return Ok(());
        }
        let found = match attested {
            Some(Ok(public)) => format!("{} {}", public.describe(), public.identity()),
            _ => "a key of a kind that keyrite doesn't use".to_owned(),
        };
        let expected = format!("{} {}", self.public.describe(), self.public.identity());
        Err(Refusal::new(&rules::ATTESTATION_KEY, found, expected))
    }

    fn export(&self, attested: &Attested) -> Result<()> {
        match (&attested.place, self.exportable_under) {
            (Place::Object { capabilities, .. }, None) if capabilities & capability::EXPORTABLE != 0 => {
                Err(Refusal::new(
                    &rules::ATTESTATION_EXPORT,
                    "a key that can be exported under any wrap key of its device",
                    "a key that can't, or the wrap key for its backup in the record",
                ))
            }
            _ => Ok(()),
        }
    }

    fn serial(&self, attested: &Attested) -> Result<()> {
        // Some modules write leading zeros.
        if self.serial.parse() == Ok(attested.serial) {
            return Ok(());
        }
        let named = if self.serial.is_empty() { "none".to_owned() } else { visible(self.serial) };
        Err(Refusal::new(
            &rules::ATTESTATION_SERIAL,
            format!("the serial number {}", attested.serial),
            format!("that of the token in the record: {named}"),
        ))
    }
}

fn origin(attested: &Attested) -> Result<()> {
    let found = match &attested.place {
        Place::Slot { slot: Some(_), .. } => return Ok(()),
        Place::Object { origin, .. } if *origin == GENERATED => return Ok(()),
        Place::Slot { slot: None, .. } => "a certificate of no slot that holds keys".to_owned(),
        Place::Object { origin, .. } => {
            let words = [(1, "generated"), (2, "imported"), (16, "imported under a wrap key")];
            let said = words.iter().filter(|(bit, _)| origin & bit != 0).map(|(_, word)| *word);
            format!("the origin 0x{origin:02x}: {}", said.collect::<Vec<_>>().join(", "))
        }
    };
    Err(Refusal::new(&rules::ATTESTATION_ORIGIN, found, "a key that was generated on the device"))
}

fn only_signs(attested: &Attested) -> Result<()> {
    let Place::Object { capabilities, .. } = &attested.place else { return Ok(()) };
    let signs = capabilities & capability::SIGN != 0;
    let more = capabilities & !(capability::SIGN | capability::EXPORTABLE);
    if signs && more == 0 {
        return Ok(());
    }
    let found = format!("the capabilities 0x{capabilities:016x}");
    Err(Refusal::new(
        &rules::ATTESTATION_USE,
        found,
        "sign-pkcs, sign-pss, sign-ecdsa or sign-eddsa, no other",
    ))
}

fn firmware(attested: &Attested) -> Result<()> {
    let open = advisories::open(attested);
    let Some(newest) = open.first() else { return Ok(()) };
    Err(Refusal::new(
        &rules::ATTESTATION_FIRMWARE,
        format!("{}: {}, {}", attested.device(), newest.name, newest.about),
        format!("firmware {} or newer", newest.sound),
    ))
}

fn pin(attested: &Attested) -> Result<()> {
    match &attested.place {
        Place::Slot { pin: PinPolicy::Never, .. } => {
            let expected = "a key that asks for it, once a session or always";
            Err(Refusal::new(&rules::ATTESTATION_PIN, "a key that asks for no PIN", expected))
        }
        _ => Ok(()),
    }
}

fn touch(attested: &Attested) -> Result<()> {
    match &attested.place {
        Place::Slot { touch: TouchPolicy::Never, .. } => {
            let expected = "a key that asks for it, always or after 15 seconds";
            Err(Refusal::new(&rules::ATTESTATION_TOUCH, "a key that asks for no touch", expected))
        }
        _ => Ok(()),
    }
}
