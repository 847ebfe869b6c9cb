//! Keys in PEM: private key files, which stay closed, public keys and certificates.

use super::page::Page;
use super::{Beside, unknown};
use crate::record::enrolment;
use crate::signer::keyfile::KeyFile;
use crate::tuf::certificate;
use crate::tuf::key::PublicKey;
use crate::tuf::rule::Result;
use crate::tuf::text::visible;

/// A PEM file.
pub fn pem(beside: &Beside, text: &str) -> Result<Page> {
    if text.contains("PRIVATE KEY-----") {
        return private(beside, text);
    }
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return certificate(beside, text);
    }
    if text.contains("PUBLIC KEY-----") {
        let key = PublicKey::from_pem(text)?;
        return Ok(public(beside, Page::new("public-key", "A public key"), &key));
    }
    Err(unknown("PEM that is no key and no certificate"))
}

/// A key as a Notary backend hands it out.
pub fn backend(beside: &Beside, bytes: &[u8]) -> Result<Page> {
    // The trust matters for proofs of possession alone, and this is none.
    let trust = beside.contents.as_ref().map(|c| &c.facts.trust);
    let trust =
        trust.ok_or_else(|| unknown("a backend's key, without a record that it could be enrolled in"))?;
    let (enrolment, _) = enrolment::read(trust, bytes)?;
    Ok(public(beside, Page::new("backend-key", "A key that a backend handed out"), &enrolment.public)
        .next("Compare its words with the backend's operator, then take it in with an enroll-key runbook."))
}

fn private(beside: &Beside, text: &str) -> Result<Page> {
    let file = KeyFile::parse(text.as_bytes())?;
    let header = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(visible)
    };
    let notary = header("role").is_some();
    let form = if notary { "the Notary client's" } else { "encrypted PKCS#8" };
    let page = Page::new("private-key", "A private key, encrypted")
        .fact("form", form)
        .maybe("label", file.label().map(visible))
        .maybe("role", header("role"))
        .maybe("collection", header("gun"))
        .maybe("key id in notary", header("path"));
    Ok(match file.public() {
        Some(key) => {
            public(beside, page, key).note("The public key is what the file claims until it is opened.")
        }
        None => page.note("The file doesn't say its public key."),
    }
    .careful("Whoever has this file and its pass-phrase can sign. It does not belong into a record."))
}

fn certificate(beside: &Beside, text: &str) -> Result<Page> {
    let leaf = certificate::leaf(text)?;
    let mut page = Page::new("certificate", "A certificate")
        .maybe("common name", leaf.common_name.as_deref().map(visible))
        .fact("from", leaf.not_before.to_string())
        .fact("until", beside.until(leaf.not_after))
        .fact("signed by its own key", if leaf.self_signed { "yes" } else { "no" })
        .fact("certificates in the file", leaf.certificates.to_string());
    if leaf.is_ca {
        page = page.careful("It is a CA's: Notary refuses it for root.");
    }
    if leaf.sha1 {
        page = page.careful("It is signed over SHA-1: Notary refuses it.");
    }
    Ok(public(beside, page, &leaf.public))
}

fn public(beside: &Beside, page: Page, key: &PublicKey) -> Page {
    page.fact("kind", key.describe())
        .maybe("the record's name", beside.name(key.identity()))
        .digest("identity", key.identity().digest())
}
