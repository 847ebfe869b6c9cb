//! `receipts/<sha>.json`: what a backend answered. A claim by whoever uploaded, never proof.

use super::rules;
use crate::ceremony::members::{Reader, same_bytes};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, Members, object};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::{ours, visible};
use crate::tuf::time::Time;
use std::collections::BTreeMap;

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The trust.
    pub trust: TrustId,
    /// When.
    pub at: Time,
    /// The upload's MANIFEST.
    pub manifest: Digest,
    /// What came of it.
    pub result: Answer,
    /// What the backend served afterwards: by role, version and SHA-256 of the file.
    pub served: BTreeMap<RoleName, (u64, Digest)>,
    /// The backend's address.
    pub server: String,
}

/// What a backend answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It took the upload.
    Accepted,
    /// It refused, in its words.
    Rejected(String),
    /// Nobody knows what it answered; this is what it serves.
    Observed,
}

impl Receipt {
    /// The file's bytes.
    ///
    /// # Errors
    ///
    /// `TEXT` for an address or a reason that can't be shown, `RECEIPT` for a version over 2^63.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        ours("the server", &self.server)?;
        let (result, reason) = match &self.result {
            Answer::Accepted => ("accepted", Json::Null),
            Answer::Rejected(reason) => {
                ours("the server's reason", reason)?;
                ("rejected", reason.as_str().into())
            }
            Answer::Observed => ("observed", Json::Null),
        };
        let mut served = Members::new();
        for (role, (version, sha)) in &self.served {
            let version = i64::try_from(*version)
                .map_err(|_| Refusal::new(&rules::RECEIPT, format!("version {version}"), "below 2^63"))?;
            let entry = object([("sha256", sha.hex().into()), ("version", version.into())]);
            served.insert(role.as_str().to_owned(), entry);
        }
        Ok(object([
            ("at", self.at.to_string().into()),
            ("format", 1.into()),
            ("manifest", self.manifest.hex().into()),
            ("reason", reason),
            ("result", result.into()),
            ("served", Json::Object(served)),
            ("server", self.server.as_str().into()),
            ("trust", self.trust.to_string().into()),
        ])
        .canonical())
    }

    /// Reads a receipt.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`, `RECEIPT`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json = Json::parse(bytes)?;
        let mut fields = Reader::file("the receipt", &json)?;
        let reason = fields.text_or_null("reason")?;
        let result = match (fields.text("result")?, reason) {
            ("accepted", None) => Answer::Accepted,
            ("rejected", Some(reason)) => Answer::Rejected(reason.to_owned()),
            ("observed", None) => Answer::Observed,
            (other, _) => {
                return Err(Refusal::new(
                    &rules::RECEIPT,
                    format!("the result \"{}\"", visible(other)),
                    "accepted, rejected with a reason, or observed",
                ));
            }
        };
        let mut served = BTreeMap::new();
        for (role, entry) in fields.object("served")? {
            let mut entry = Reader::new("the receipt's served", entry)?;
            let at = (entry.number("version")?, entry.parsed("sha256")?);
            entry.done()?;
            served.insert(RoleName::from_name(role), at);
        }
        let receipt = Self {
            trust: fields.parsed("trust")?,
            at: fields.parsed("at")?,
            manifest: fields.parsed("manifest")?,
            result,
            served,
            server: fields.text("server")?.to_owned(),
        };
        fields.done()?;
        same_bytes("the receipt", bytes, &receipt.to_json()?)?;
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn receipt(result: Answer) -> Receipt {
        Receipt {
            trust: TrustId::from_bytes([1; 16]),
            at: "2026-11-22T15:00:00Z".parse().unwrap(),
            manifest: Digest::of(b"manifest"),
            result,
            served: [(RoleName::Targets, (2, Digest::of(b"targets")))].into(),
            server: "https://notary.example.com".to_owned(),
        }
    }

    #[test]
    fn receipts_read_back_and_others_do_not() {
        for result in [Answer::Accepted, Answer::Rejected("no".to_owned()), Answer::Observed] {
            let receipt = receipt(result);
            assert_eq!(Receipt::from_json(&receipt.to_json().unwrap()).unwrap(), receipt);
        }
        let text = String::from_utf8(receipt(Answer::Accepted).to_json().unwrap()).unwrap();
        for (from, to, rule) in [
            ("\"accepted\"", "\"taken\"", "RECEIPT"),
            ("\"accepted\"", "\"rejected\"", "RECEIPT"),
            ("\"reason\":null", "\"reason\":\"why\"", "RECEIPT"),
            ("\"version\":2", "\"version\":-2", "RECORD-MEMBER"),
            ("\"format\":1", "\"format\":3", "RECORD-FORMAT"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert_eq!(Receipt::from_json(changed.as_bytes()).unwrap_err().rule().name, rule, "{to}");
        }
        let mut far = receipt(Answer::Accepted);
        far.served.insert(RoleName::Root, (u64::MAX, Digest::of(b"")));
        assert_eq!(far.to_json().unwrap_err().rule(), &rules::RECEIPT);
    }
}
