//! `trust.json`: what a trust is, made once.
//!
//! The id is a digest of the other members, so whoever changes the profile, the collection, the
//! stage or the first limits in a copy also changes the id that every statement and change is made
//! for.

use super::rules;
use crate::ceremony::facts::{Anchor, Stage, Trust};
use crate::ceremony::members::{Reader, same_bytes};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;

/// What a rehearsal's collection starts with: a name that no resolver knows (RFC 6761 6.4).
pub const REHEARSAL: &str = "rehearsal.invalid/";

/// What a trust is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSpec {
    /// The wire profile.
    pub profile: Profile,
    /// The collection; a rehearsal's starts with [`REHEARSAL`].
    pub collection: String,
    /// Practice or the real thing.
    pub stage: Stage,
    /// SHA-256 of the first limits file.
    pub limits: Digest,
    /// The trust that this one rehearses.
    pub shadows: Option<TrustId>,
    /// The first root of an adopted history.
    pub start: Option<Anchor>,
    /// Drawn by the caller; makes the id one of a kind.
    pub nonce: [u8; 32],
}

/// `trust.json`: the trust, its first limits, and the nonce of its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFile {
    trust: Trust,
    limits: Digest,
    nonce: [u8; 32],
}

impl TrustFile {
    /// A new trust.
    ///
    /// # Errors
    ///
    /// `COLLECTION` for one that is no plain name, or if a rehearsal's doesn't start with
    /// [`REHEARSAL`], or a production's does.
    pub fn new(spec: &TrustSpec) -> Result<Self> {
        check_collection(&spec.collection, spec.stage)?;
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(Digest::of(&members(spec, None).canonical()).as_bytes()) {
            *to = *from;
        }
        let trust = Trust {
            id: TrustId::from_bytes(id),
            profile: spec.profile,
            collection: spec.collection.clone(),
            stage: spec.stage,
            shadows: spec.shadows,
            start: spec.start,
        };
        Ok(Self { trust, limits: spec.limits, nonce: spec.nonce })
    }

    /// Reads `trust.json`.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`; `RECORD-OTHER` if the id doesn't commit to the rest.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json = Json::parse(bytes)?;
        let mut fields = Reader::file("trust.json", &json)?;
        let start = match fields.reader_or_null("start")? {
            None => None,
            Some(mut start) => {
                let anchor = Anchor { version: start.number("version")?, payload: start.parsed("payload")? };
                start.done()?;
                Some(anchor)
            }
        };
        let made = Self::new(&TrustSpec {
            profile: fields.parsed("profile")?,
            collection: fields.text("collection")?.to_owned(),
            stage: fields.parsed("stage")?,
            limits: fields.parsed("limits")?,
            shadows: fields.parsed_or_null("shadows")?,
            start,
            nonce: fields.hex("nonce")?,
        })?;
        let id: TrustId = fields.parsed("id")?;
        fields.done()?;
        if id != made.trust.id {
            let expected = format!("{}, which the other members give", made.trust.id);
            return Err(Refusal::new(&rules::RECORD_OTHER, format!("the id {id}"), expected));
        }
        same_bytes("trust.json", bytes, &made.to_json())?;
        Ok(made)
    }

    /// The file's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let trust = &self.trust;
        let spec = TrustSpec {
            profile: trust.profile,
            collection: trust.collection.clone(),
            stage: trust.stage,
            limits: self.limits,
            shadows: trust.shadows,
            start: trust.start,
            nonce: self.nonce,
        };
        members(&spec, Some(trust.id)).canonical()
    }

    /// The trust.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// SHA-256 of the first limits file.
    pub const fn limits(&self) -> Digest {
        self.limits
    }
}

/// Refuses a collection that can't stand in an address or on a shell's line.
fn check_collection(collection: &str, stage: Stage) -> Result<()> {
    let shown = visible(collection);
    let letters = collection.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b));
    let words = collection.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if collection.len() > 255 || !words || !letters || collection.starts_with('-') {
        return Err(Refusal::new(
            &rules::COLLECTION,
            format!("\"{shown}\""),
            "1 to 255 of a-z, A-Z, 0-9 and \"._:/-\", as \"updates.example.com/apps\"",
        ));
    }
    if collection.starts_with(REHEARSAL) != (stage == Stage::Rehearsal) {
        return Err(Refusal::new(
            &rules::COLLECTION,
            format!("\"{shown}\" for {}", stage.name()),
            format!("\"{REHEARSAL}\" before the collection in a rehearsal, and nowhere else"),
        ));
    }
    Ok(())
}

fn members(spec: &TrustSpec, id: Option<TrustId>) -> Json {
    let start = spec.start.map_or(Json::Null, |start| {
        let version = i64::try_from(start.version).unwrap_or(i64::MAX);
        object([("payload", start.payload.hex().into()), ("version", version.into())])
    });
    let mut json = object([
        ("collection", spec.collection.as_str().into()),
        ("format", 1.into()),
        ("limits", spec.limits.hex().into()),
        ("nonce", base16ct::lower::encode_string(&spec.nonce).into()),
        ("profile", spec.profile.name().into()),
        ("shadows", spec.shadows.map_or(Json::Null, |id| id.to_string().into())),
        ("stage", spec.stage.name().into()),
        ("start", start),
    ]);
    if let (Json::Object(members), Some(id)) = (&mut json, id) {
        members.insert("id".to_owned(), id.to_string().into());
    }
    json
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;

    fn spec() -> TrustSpec {
        TrustSpec {
            profile: Profile::Notary,
            collection: "updates.example.com/apps".to_owned(),
            stage: Stage::Production,
            limits: Digest::of(b"limits"),
            shadows: None,
            start: None,
            nonce: [7; 32],
        }
    }

    #[test]
    fn reads_back_what_it_writes() {
        let start = Some(Anchor { version: 4, payload: Digest::of(b"root") });
        let shadows = Some(TrustId::from_bytes([3; 16]));
        for spec in [spec(), TrustSpec { start, ..spec() }, TrustSpec { shadows, ..spec() }] {
            let file = TrustFile::new(&spec).unwrap();
            assert_eq!(TrustFile::from_json(&file.to_json()).unwrap(), file);
        }
    }

    #[test]
    fn the_id_commits_to_every_other_member() {
        let text = String::from_utf8(TrustFile::new(&spec()).unwrap().to_json()).unwrap();
        let cases = [
            ("updates.example.com/apps", "updates.example.com/app", "RECORD-OTHER"),
            ("\"notary\"", "\"tuf\"", "RECORD-OTHER"),
            ("0707", "0708", "RECORD-OTHER"),
            (&Digest::of(b"limits").hex(), &Digest::of(b"looser").hex(), "RECORD-OTHER"),
            ("\"shadows\":null", "\"shadows\":\"00112233445566778899aabbccddeeff\"", "RECORD-OTHER"),
            ("\"production\"", "\"rehearsal\"", "COLLECTION"),
            ("\"production\"", "\"staging\"", "STAGE"),
            ("\"format\":1", "\"format\":2", "RECORD-FORMAT"),
            ("\"format\":1,", "", "RECORD-MEMBER"),
            ("\"format\":1", "\"format\":1,\"new\":true", "RECORD-MEMBER"),
            ("\"format\":1", "\"format\": 1", "RECORD-MEMBER"),
            ("\"profile\":\"notary\",", "", "RECORD-MEMBER"),
            ("\"start\":null", "\"start\":{}", "RECORD-MEMBER"),
            ("{\"coll", "{\"format\":1,\"coll", "JSON"),
        ];
        for (from, to, rule) in cases {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refusal = TrustFile::from_json(changed.as_bytes()).unwrap_err();
            assert_eq!(refusal.rule().name, rule, "{from} -> {to}: {refusal}");
        }
    }

    #[test]
    fn collections_have_plain_names_and_a_rehearsal_one_of_its_own() {
        for (collection, stage, good) in [
            ("rehearsal.invalid/apps", Stage::Rehearsal, true),
            ("apps", Stage::Rehearsal, false),
            ("rehearsal.invalid/apps", Stage::Production, false),
            ("registry.example.com:5000/apps", Stage::Production, true),
            ("apps", Stage::Production, true),
            ("", Stage::Production, false),
            ("a//b", Stage::Production, false),
            ("../b", Stage::Production, false),
            ("a b", Stage::Production, false),
            ("-o", Stage::Production, false),
            ("a$(b)", Stage::Production, false),
            ("a\u{202e}", Stage::Production, false),
        ] {
            let made = TrustFile::new(&TrustSpec { collection: collection.to_owned(), stage, ..spec() });
            assert_eq!(
                made.as_ref().err().map(crate::tuf::rule::Refusal::rule),
                (!good).then_some(&rules::COLLECTION),
                "{collection}"
            );
        }
    }
}
