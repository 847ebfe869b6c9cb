//! `statements/<sha>.json`: one signed sentence, one signature.

use crate::tuf::key::PublicKey;
use crate::tuf::rule::Result;
use crate::tuf::statement::Statement;
use crate::tuf::verify::Signature;

/// A statement with one signature that verified. Whether it counts is another question
/// ([`Contents::statements`](super::Contents)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    statement: Statement,
    public: PublicKey,
    signature: Signature,
}

impl SignedStatement {
    /// A statement and the signature of `public` over it.
    ///
    /// # Errors
    ///
    /// `PLANTED` if the signature is over something else or by another key.
    pub fn new(statement: Statement, public: PublicKey, signature: Signature) -> Result<Self> {
        Ok(Self { statement, public, signature })
    }

    /// Reads a file and verifies its signature.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`, `STATEMENT-FORM`, `SIGNATURE-WRONG`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let _ = bytes;
        todo!()
    }

    /// The file's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        todo!()
    }

    /// What was signed.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Who signed.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}
