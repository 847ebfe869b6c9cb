//! From a key's certificate up to a pinned root.
//!
//! Who may issue: a vendor's authority, which says that it is one (RFC 5280 4.2.1.9), and a device.
//! A YubiKey's own certificate says that it may; a YubiHSM's is known by its name, since any key of a
//! YubiHSM may be let attest others and the certificate of such a key, which its owner may have
//! imported, must not count as the device's.
//!
//! Dates are not looked at here: whether they matter depends on when the key was made.

use super::certificate::Certificate;
use super::claims::{Attested, Product};
use super::roots::{Anchor, Anchors};
use super::rules;
use crate::tuf::rule::{Refusal, Result};

/// More issuers than any vendor has between a key and its root.
const LONGEST: usize = 8;

/// A key's certificate, its issuers, the root.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// From the key's certificate to the last below the root.
    pub certificates: Vec<&'a Certificate>,
    /// The root that the last is issued by.
    pub root: &'a Anchor,
}

/// Finds the way from the first of `given`, the key's certificate, to a root.
///
/// # Errors
///
/// `ATTESTATION-CHAIN`.
pub(super) fn chain<'a>(
    given: &'a [Certificate],
    attested: &Attested,
    anchors: &'a Anchors,
) -> Result<Chain<'a>> {
    let leaf = given.first().ok_or_else(|| broken("no certificate"))?;
    let mut certificates = vec![leaf];
    while let Some(last) = certificates.last().filter(|_| certificates.len() <= LONGEST) {
        let mut roots = anchors.roots.iter().filter(|root| root.product == attested.product);
        if let Some(root) = roots.find(|root| last.is_issued_by(&root.certificate)) {
            let whole = Chain { certificates, root };
            whole.check(attested)?;
            return Ok(whole);
        }
        let mut issuers = given.iter().skip(1).chain(&anchors.between);
        let next = issuers.find(|issuer| !certificates.contains(issuer) && last.is_issued_by(issuer));
        let Some(issuer) = next else {
            return Err(broken(&format!("{}, issued by none that is known", last.name())));
        };
        certificates.push(issuer);
    }
    Err(broken(&format!("more than {LONGEST} issuers")))
}

impl Chain<'_> {
    /// Every certificate, the root's last.
    pub fn all(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter().copied().chain(std::iter::once(&self.root.certificate))
    }

    fn check(&self, attested: &Attested) -> Result<()> {
        for (below, issuer) in self.all().skip(1).enumerate() {
            let device = below == 0 && is_device(issuer, attested);
            if !issuer.is_ca && !device {
                return Err(broken(&format!("{}, which may issue nothing", issuer.name())));
            }
            let room = issuer.path_length.map(usize::from);
            if room.is_some_and(|room| below > room) {
                return Err(broken(&format!("{below} issuers below {}", issuer.name())));
            }
        }
        let device = self.certificates.get(1);
        let Some(device) = device else {
            return Err(broken("a key's certificate that its vendor issued, and no device"));
        };
        if attested.product == Product::YubiHsm && !is_device(device, attested) {
            return Err(broken(&format!("{}, which is not that device", device.name())));
        }
        let issuer = self.all().nth(2).and_then(|issuer| issuer.common_name.as_deref());
        match self.root.through {
            Some(through) if !issuer.is_some_and(|name| name.starts_with(through)) => {
                Err(broken(&format!("{}, issued for another use", device.name())))
            }
            _ => Ok(()),
        }
    }
}

/// Whether it is the certificate of the attested YubiHSM itself.
fn is_device(certificate: &Certificate, attested: &Attested) -> bool {
    let name = format!("YubiHSM Attestation ({})", attested.serial);
    attested.product == Product::YubiHsm && certificate.common_name == Some(name)
}

fn broken(found: &str) -> Refusal {
    Refusal::new(&rules::ATTESTATION_CHAIN, found, "certificates that lead to a root of the device's vendor")
}
