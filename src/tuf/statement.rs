//! Statements: signed sentences of keyrite's own, which can never be metadata.
//!
//! Canonical JSON `{"_type":"keyrite-statement","body":…,"kind":…,"trust":…}`. Signed by
//! [`Scheme::of`](super::key::Scheme::of) the key, ECDSA as DER, in both profiles. A statement of
//! one kind or trust never verifies as another, because both are in the signed bytes.

use super::digest::Digest;
use super::json::{Json, object};
use super::key::KeyIdentity;
use super::rule::{Refusal, Result};
use super::rules;
use super::statement_form::{Fields, body};
use super::text::visible;
use super::time::Time;
use std::fmt;
use std::str::FromStr;

/// The random 128-bit name of a trust, in 32 hexadecimal digits: what binds statements to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustId([u8; 16]);

impl TrustId {
    /// Of random bytes that the caller drew.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for TrustId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for TrustId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TrustId {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 16];
        match base16ct::lower::decode(text.as_bytes(), &mut bytes) {
            Ok(read) if read.len() == 16 => Ok(Self(bytes)),
            _ => Err(Refusal::new(
                &rules::TRUST_ID,
                format!("\"{}\"", visible(text)),
                "32 lower-case hexadecimal digits",
            )),
        }
    }
}

/// What a statement says, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sentence {
    /// `possession`: this key was at hand and signed. Signed by the key itself.
    Possession {
        /// The key.
        key: KeyIdentity,
        /// The record's name for it: `root-a`.
        name: String,
        /// Who holds it.
        holder: String,
        /// What the key is for: `root`, so that no proof serves another purpose.
        purpose: String,
        /// 32 bytes that the verifier drew, or the digest of the change that asks.
        nonce: Digest,
    },
    /// `key-life`: what became of a key. Signed by the threshold of the root that it names.
    KeyLife {
        /// The key.
        key: KeyIdentity,
        /// What happened.
        event: KeyEvent,
        /// When.
        at: Time,
        /// The payload digest of the root whose threshold signs; it must be in the trusted chain.
        root: Digest,
    },
    /// `limits`: these limits are in force. Signed by the root threshold.
    Limits {
        /// The number of the limits file.
        number: u64,
        /// The digest of the limits file.
        limits: Digest,
        /// SHA-256 over the payload digests of every root of the record, the first to the newest:
        /// binds the trust's id to its whole history.
        chain: Digest,
    },
    /// `withdrawal`: this change is not to be signed any more. Signed by the threshold of the
    /// highest role that the change replaces.
    Withdrawal {
        /// The digest of its `change.json`.
        change: Digest,
        /// In a person's words.
        reason: String,
    },
    /// `refusal`: one custodian won't sign this change. Signed by one of the keys it asks.
    Refusal {
        /// The digest of its `change.json`.
        change: Digest,
        /// In a person's words.
        reason: String,
    },
    /// `roll-call`: token and PIN still work. Signed by the key.
    RollCall {
        /// The key.
        key: KeyIdentity,
        /// Of the change that asks: SHA-256 of its nonce and date.
        nonce: Digest,
    },
    /// `decision`: of two files that conflict, this one stands. Signed by the root threshold.
    Decision {
        /// Where they conflict: `keys/root-d`.
        what: String,
        /// The digest of the file that stands.
        keep: Digest,
        /// The digests of those that don't.
        over: Vec<Digest>,
    },
    /// `transcript-head`: a witness saw a transcript end here. Signed by the witness's key.
    TranscriptHead {
        /// The ceremony's id, 32 hexadecimal digits.
        ceremony: String,
        /// The number of the last outcome.
        sequence: u64,
        /// The digest of its file.
        head: Digest,
        /// The witness.
        witness: String,
    },
}

/// What can become of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyEvent {
    /// No longer asked to sign.
    Retired,
    /// Its token is gone.
    Lost,
    /// Someone else may hold it.
    Compromised,
    /// Destroyed on its token.
    Destroyed,
}

impl KeyEvent {
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::Retired, "retired"),
        (Self::Lost, "lost"),
        (Self::Compromised, "compromised"),
        (Self::Destroyed, "destroyed"),
    ];

    /// The word in the statement.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(event, _)| *event == self).map_or("", |(_, name)| name)
    }
}

/// A statement, ready to be signed or read back: bytes and meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    trust: TrustId,
    sentence: Sentence,
    bytes: Vec<u8>,
}

impl Statement {
    /// Builds every byte of the statement.
    ///
    /// # Errors
    ///
    /// `TEXT` if a name or reason holds what [`ours`](super::text::ours) refuses.
    pub fn new(trust: TrustId, sentence: Sentence) -> Result<Self> {
        let body = body(&sentence)?;
        let json = object([
            ("_type", "keyrite-statement".into()),
            ("body", body),
            ("kind", kind(&sentence).into()),
            ("trust", trust.to_string().into()),
        ]);
        Ok(Self { trust, sentence, bytes: json.canonical() })
    }

    /// Reads a statement that a record holds: the bytes must be the very ones that [`Self::new`]
    /// makes of what they say.
    ///
    /// # Errors
    ///
    /// `STATEMENT-KIND` for a kind that this keyrite doesn't know: such a file is kept and shown
    /// and never acts. `STATEMENT-FORM` otherwise.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refuse = |found: &str| {
            Refusal::new(
                &rules::STATEMENT_FORM,
                found.to_owned(),
                "a statement of a known kind, as keyrite writes it",
            )
        };
        let json = Json::parse(bytes)?;
        let text = |name: &str| {
            json.get(name).and_then(Json::as_str).ok_or_else(|| refuse(&format!("no \"{name}\"")))
        };
        let trust: TrustId = text("trust")?.parse()?;
        let inside = Fields(json.get("body").ok_or_else(|| refuse("no \"body\""))?);
        let sentence = inside.sentence(text("kind")?)?;
        let made = Self::new(trust, sentence)?;
        if made.bytes == bytes { Ok(made) } else { Err(refuse("other members, or another order of them")) }
    }

    /// The trust that it speaks of.
    pub const fn trust(&self) -> TrustId {
        self.trust
    }

    /// What it says.
    pub const fn sentence(&self) -> &Sentence {
        &self.sentence
    }

    /// The word for what it says: `possession`.
    pub fn kind(&self) -> &'static str {
        kind(&self.sentence)
    }

    /// The bytes that are signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn kind(sentence: &Sentence) -> &'static str {
    match sentence {
        Sentence::Possession { .. } => "possession",
        Sentence::KeyLife { .. } => "key-life",
        Sentence::Limits { .. } => "limits",
        Sentence::Withdrawal { .. } => "withdrawal",
        Sentence::Refusal { .. } => "refusal",
        Sentence::RollCall { .. } => "roll-call",
        Sentence::Decision { .. } => "decision",
        Sentence::TranscriptHead { .. } => "transcript-head",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::key::Scheme;
    use crate::tuf::payload::Payload;
    use crate::tuf::test_keys::TestKey;
    use crate::tuf::verify::Signature;
    use proptest::prelude::*;

    const TRUST: TrustId = TrustId::from_bytes([7; 16]);

    fn every_kind() -> Vec<Sentence> {
        let key = TestKey::p256(1).public().identity();
        let (change, reason) = (Digest::of(b"change"), "a typing mistake".to_owned());
        vec![
            Sentence::Possession {
                key,
                name: "root-a".into(),
                holder: "alice".into(),
                purpose: "root".into(),
                nonce: change,
            },
            Sentence::KeyLife {
                key,
                event: KeyEvent::Lost,
                at: "2026-11-22T13:00:00Z".parse().unwrap(),
                root: change,
            },
            Sentence::Limits { number: 1, limits: change, chain: Digest::of(b"chain") },
            Sentence::Withdrawal { change, reason: reason.clone() },
            Sentence::Refusal { change, reason },
            Sentence::RollCall { key, nonce: change },
            Sentence::Decision { what: "keys/root-d".into(), keep: change, over: vec![Digest::of(b"other")] },
            Sentence::TranscriptHead {
                ceremony: "0".repeat(32),
                sequence: 9,
                head: change,
                witness: "bob".into(),
            },
        ]
    }

    #[test]
    fn every_kind_reads_back() {
        for sentence in every_kind() {
            let made = Statement::new(TRUST, sentence).unwrap();
            assert_eq!(Statement::from_bytes(made.bytes()).unwrap(), made);
            assert!(made.bytes().starts_with(br#"{"_type":"keyrite-statement","body":{"#), "{}", made.kind());
        }
    }

    /// The form in FORMAT.md, which other programs rely on.
    #[test]
    fn bytes_of_a_known_answer() {
        let sentence = Sentence::Withdrawal { change: Digest::of(b"abc"), reason: "a \"b\"".into() };
        let expected = r#"{"_type":"keyrite-statement","body":{"change":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","reason":"a \"b\""},"kind":"withdrawal","trust":"07070707070707070707070707070707"}"#;
        assert_eq!(Statement::new(TRUST, sentence).unwrap().bytes(), expected.as_bytes());
    }

    /// A signature for one kind or trust is worth nothing for another (threats T36).
    #[test]
    fn no_statement_verifies_as_another() {
        let key = TestKey::ed25519(1);
        let payloads: Vec<Payload> = every_kind()
            .into_iter()
            .flat_map(|s| {
                [TRUST, TrustId::from_bytes([8; 16])].map(|t| Statement::new(t, s.clone()).unwrap())
            })
            .map(Payload::Statement)
            .collect();
        for signed in &payloads {
            let raw = key.sign(Scheme::Ed25519, signed.bytes());
            for other in &payloads {
                let verified = Signature::check(&key.public(), Scheme::Ed25519, other, &raw);
                assert_eq!(verified.is_ok(), signed == other);
            }
        }
    }

    #[test]
    fn statement_form_for_every_other_spelling() {
        let good = Statement::new(TRUST, every_kind().remove(0)).unwrap();
        let good = std::str::from_utf8(good.bytes()).unwrap();
        let table = [
            ("a space", good.replacen(':', ": ", 1)),
            ("a line end", format!("{good}\n")),
            ("another kind", good.replace("\"possession\"", "\"roll-call\"")),
            ("another type", good.replace("keyrite-statement", "root")),
            ("a member more", good.replacen('{', r#"{"A":1,"#, 1)),
            ("a member more inside", good.replacen("\"holder\"", "\"format\":1,\"holder\"", 1)),
            ("no trust", good.replacen("\"trust\"", "\"trusts\"", 1)),
            ("a number for a text", good.replacen("\"alice\"", "1", 1)),
        ];
        for (name, text) in table {
            assert_ne!(text, good, "{name}");
            assert_eq!(
                Statement::from_bytes(text.as_bytes()).unwrap_err().rule().name,
                "STATEMENT-FORM",
                "{name}"
            );
        }
        let unknown = good.replace("\"possession\"", "\"blessing\"");
        assert_eq!(Statement::from_bytes(unknown.as_bytes()).unwrap_err().rule().name, "STATEMENT-KIND");
        let upper = good.replace("07070707", "0A0A0A0A");
        assert_eq!(Statement::from_bytes(upper.as_bytes()).unwrap_err().rule().name, "TRUST-ID");
        assert_eq!(Statement::from_bytes(b"{}{}").unwrap_err().rule().name, "JSON");
        let large = Sentence::Limits { number: u64::MAX, limits: Digest::of(b""), chain: Digest::of(b"") };
        assert_eq!(Statement::new(TRUST, large).unwrap_err().rule().name, "STATEMENT-FORM");
    }

    #[test]
    fn text_for_names_that_would_deceive() {
        let possession = |name: &str, holder: &str| Sentence::Possession {
            key: TestKey::p256(1).public().identity(),
            name: name.into(),
            holder: holder.into(),
            purpose: "root".into(),
            nonce: Digest::of(b""),
        };
        let withdrawal = Sentence::Withdrawal { change: Digest::of(b""), reason: "line\nbreak".into() };
        for bad in [possession("a\u{202e}", "b"), possession("a", "b\u{200b}"), withdrawal] {
            assert_eq!(Statement::new(TRUST, bad).unwrap_err().rule().name, "TEXT");
        }
    }

    proptest! {
        /// Two statements have the same bytes only if they say the same: no text moves the border
        /// between two members.
        #[test]
        fn different_sentences_have_different_bytes(
            a in "[a\"\\\\:,{}]{0,6}", b in "[a\"\\\\:,{}]{0,6}", c in "[a\"\\\\:,{}]{0,6}", d in "[a\"\\\\:,{}]{0,6}",
        ) {
            let made = |name: &str, holder: &str| {
                let key = KeyIdentity::from_digest(Digest::of(b"key"));
                let (name, holder) = (name.to_owned(), holder.to_owned());
                Statement::new(TRUST, Sentence::Possession { key, name, holder, purpose: "root".into(), nonce: Digest::of(b"n") }).unwrap()
            };
            let (x, y) = (made(&a, &b), made(&c, &d));
            prop_assert_eq!(x.bytes() == y.bytes(), (&a, &b) == (&c, &d));
            prop_assert_eq!(Statement::from_bytes(x.bytes()).unwrap(), x);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Statement::from_bytes(&bytes);
        }
    }
}
