//! Enrolment files: a public key that someone brings, with or without a proof of possession.

use super::{SignedStatement, rules};
use crate::ceremony::facts::{Enrolment, Trust};
use crate::tuf::json::Json;
use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules::KEY_FORM;
use crate::tuf::statement::Sentence;
use crate::tuf::text::visible;
use base64ct::{Base64, Encoding};

/// The most bytes that an enrolment file may have.
pub const CAP: u64 = 64 * 1024;

/// Reads an enrolment file: a signed `possession` statement (`statements/<sha>.json`'s form, made
/// by `developer new`), a PEM public key or certificate, or a backend's `snapshot.key` in Notary's
/// JSON. The statement, if there is one, is to be added to the record by whoever takes the key in.
///
/// # Errors
///
/// `KEY-FORM`, `KEY-POSSESSION`, `SIGNATURE-WRONG`, `RECORD-OTHER` for a statement of another trust.
pub fn read(trust: &Trust, bytes: &[u8]) -> Result<(Enrolment, Option<SignedStatement>)> {
    let text = std::str::from_utf8(bytes).map_err(|_| form("bytes that are no text"))?;
    if text.trim_start().starts_with("-----BEGIN ") {
        let public = PublicKey::from_pem(text)?;
        let certificate = text.contains("-----BEGIN CERTIFICATE-----").then(|| text.to_owned());
        return Ok((Enrolment { public, certificate, holder: None, named: None, statement: None }, None));
    }
    let json = Json::parse(bytes)?;
    if json.get("keytype").is_some() {
        let (public, certificate) = notary_key(&json)?;
        return Ok((Enrolment { public, certificate, holder: None, named: None, statement: None }, None));
    }
    let signed = SignedStatement::from_json(bytes)?;
    let Sentence::Possession { key, name, holder, purpose, .. } = signed.statement().sentence() else {
        let found = format!("a {} statement", signed.statement().kind());
        return Err(Refusal::new(&rules::KEY_POSSESSION, found, "a possession statement"));
    };
    if signed.statement().trust() != trust.id {
        let found = format!("a possession statement for the trust {}", signed.statement().trust());
        return Err(Refusal::new(&rules::RECORD_OTHER, found, format!("the trust {}", trust.id)));
    }
    if *key != signed.public().identity() {
        let found =
            format!("a possession statement for the key {key}, signed by {}", signed.public().identity());
        return Err(Refusal::new(&rules::KEY_POSSESSION, found, "one that the key itself signed"));
    }
    let enrolment = Enrolment {
        public: signed.public().clone(),
        certificate: None,
        holder: Some(holder.parse()?),
        named: Some((name.parse()?, purpose.parse()?)),
        statement: Some(signed.digest()?),
    };
    Ok((enrolment, Some(signed)))
}

/// A key as Notary's server hands it out (notary-v1 3.5).
fn notary_key(json: &Json) -> Result<(PublicKey, Option<String>)> {
    let kind = json.get("keytype").and_then(Json::as_str).unwrap_or_default();
    let public = json.get("keyval").and_then(|v| v.get("public")).and_then(Json::as_str).unwrap_or_default();
    let bytes = Base64::decode_vec(public).map_err(|_| form("a public key that is no base64"))?;
    match kind {
        "ecdsa" | "rsa" => Ok((PublicKey::from_spki_der(&bytes)?, None)),
        "ed25519" => Ok((PublicKey::from_ed25519(&bytes)?, None)),
        "ecdsa-x509" | "rsa-x509" => {
            let pem = String::from_utf8(bytes).map_err(|_| form("a certificate that is no PEM"))?;
            Ok((PublicKey::from_pem(&pem)?, Some(pem)))
        }
        other => Err(form(&format!("the keytype \"{}\"", visible(other)))),
    }
}

fn form(found: &str) -> Refusal {
    Refusal::new(
        &KEY_FORM,
        found,
        "an enrolment file, a PEM public key or certificate, or a backend's .key file",
    )
}
