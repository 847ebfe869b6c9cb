//! The vendors' roots, pinned, and intermediate certificates that devices don't hold themselves.
//!
//! A root counts for one product: of `Yubico Attestation Root 1`, which vouches for the FIDO and
//! OpenPGP parts of YubiKeys as well, only what was issued by a PIV authority below it.
//! Intermediates are no anchors: each is used only where a root's signature leads to it.
//!
//! `yubico-piv-root-263751.pem`, the YubiHSM root and the intermediates are the vendor's own
//! publication (its repository of developers.yubico.com); the first is also in a public root ceremony
//! of 2021 (`tests/fixtures`). `yubico-attestation-root-1.pem` is not from there: developers.yubico.com
//! serves it as PKI/yubico-ca-1.pem, which was out of reach. Two verifiers of others, which say they
//! took theirs from that address, agree on it: joemiller/yk-attest-verify holds the same certificate,
//! byte for byte (pkg/pgp/verify.go), and CIRISAI/CIRISVerify the same SHA-256. Whoever can reach the
//! vendor compares once more. A test holds every certificate to the SHA-256 beside it.
//!
//! Left out: the U2F root, by which some of the first YubiKey 4 attest, and preview roots.

use super::certificate::Certificate;
use super::claims::Product;
#[cfg(test)]
use crate::tuf::rule::Result;

/// A root that counts.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    /// The product whose attestations it vouches for.
    pub product: Product,
    /// What the common name of the device's issuer starts with, where the root has other uses.
    pub through: Option<&'static str>,
    /// The root itself.
    pub certificate: Certificate,
}

/// What attestations may lead to.
#[derive(Debug, Clone)]
pub struct Anchors {
    pub(super) roots: Vec<Anchor>,
    pub(super) between: Vec<Certificate>,
}

/// `Yubico PIV Root CA Serial 263751`, for YubiKeys before 5.7.4. SHA-256
/// 63ece914e54dd87915f34033c85af4c0696ba1512f8add66ced738331207b546.
const PIV: &str = include_str!("roots/yubico-piv-root-263751.pem");
/// `Yubico Attestation Root 1`, for YubiKeys from 5.7.4. SHA-256
/// 62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8.
const ROOT_1: &str = include_str!("roots/yubico-attestation-root-1.pem");
/// `Yubico YubiHSM Root CA`. SHA-256
/// 094a3ac493c2bdcd65a54bdf40190f52bb03f7156397a3fc69d8aa9a392fb724.
const YUBIHSM: &str = include_str!("roots/yubico-yubihsm-root.pem");
/// In this order: `Yubico Attestation Intermediate A 1` (SHA-256 4698a1d3…) and `B 1` (d4cc3f45…),
/// `Yubico PIV Attestation A 1` (6de693f0…), `B 1` (2d55b799…) and `B2 1` (0c90b7d1…), `Yubico
/// YubiHSM 6742036 Sub-CA` (d7c6d8f4…).
const BETWEEN: &str = include_str!("roots/yubico-intermediates.pem");

/// What issues the certificates of YubiKeys' PIV part below [`ROOT_1`].
const PIV_ISSUER: &str = "Yubico PIV Attestation ";

impl Anchors {
    /// The vendors' roots.
    pub fn pinned() -> Self {
        let pinned = [
            (PIV, Product::YubiKey, None),
            (ROOT_1, Product::YubiKey, Some(PIV_ISSUER)),
            (YUBIHSM, Product::YubiHsm, None),
        ];
        let root = |(pem, product, through): (&str, _, _)| {
            let certificate = certificates(pem).into_iter().next()?;
            Some(Anchor { product, through, certificate })
        };
        Self { roots: pinned.into_iter().filter_map(root).collect(), between: certificates(BETWEEN) }
    }

    /// The same and one more root, in DER: for stand-ins whose roots are named SIMULATED, never for
    /// a product that people rely on.
    ///
    /// # Errors
    ///
    /// `ATTESTATION-FORM`.
    #[cfg(test)]
    pub(super) fn and(mut self, product: Product, through: Option<&'static str>, der: &[u8]) -> Result<Self> {
        let certificate = Certificate::from_der(der)?;
        self.roots.push(Anchor { product, through, certificate });
        Ok(self)
    }
}

/// What can't be read is not there, and nothing leads to it; a test counts them.
fn certificates(text: &str) -> Vec<Certificate> {
    let blocks = pem::parse_many(text).unwrap_or_default();
    blocks.iter().filter_map(|block| Certificate::from_der(block.contents()).ok()).collect()
}
