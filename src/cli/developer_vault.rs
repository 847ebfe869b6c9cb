//! `keyrite developer new NAME --public FILE`: the enrolment of a developer whose key is in a vault.
//!
//! The possession statement goes out as payload and digest, and its signature comes back, as by
//! `sign --external`. Its nonce is drawn once: what was handed out is read again, never made anew,
//! so a signature fits whenever it comes.

use super::developer::stem;
use super::external::{SIGNATURE_CAP, read_public};
use super::session::{Ended, Session, TEXT_CAP, shown};
use super::{files, rules};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Stage, Trust};
use crate::ceremony::people::{KeyName, Person};
use crate::record::{SignedStatement, media};
use crate::signer::backends::external::{hand_out, take_back};
use crate::tuf::digest::Digest;
use crate::tuf::json::object;
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::ui::screen::{Screen, Tone};
use std::fs;
use std::path::Path;

/// Whose key, and where its files go.
pub(super) struct Brings<'a> {
    /// The trust, from `trust.json`.
    pub trust: &'a Trust,
    /// The developer.
    pub name: &'a Person,
    /// The record's name of the key.
    pub key: &'a KeyName,
    /// The folder to write into.
    pub out: &'a Path,
    /// The file with the public key.
    pub public: &'a Path,
    /// The file with the signature, once it is there.
    pub back: Option<&'a Path>,
    /// The first words of the line that was typed.
    pub line: &'a str,
}

/// Hands the statement out, or makes the enrolment of what came back.
///
/// # Errors
///
/// `FILE-EXISTS` if the enrolment is there already; `EXTERNAL-KEY` if another key's statement was
/// handed out here, or none yet; `KEY-FORM`, `SIGNATURE-WRONG`, `EXTERNAL-FORM`, `FILE-WRITE`.
pub(super) fn run(session: &Session, brings: &Brings<'_>) -> Result<Ended> {
    let Brings { trust, name, out, .. } = brings;
    let public = read_public(brings.public)?;
    let stem = stem(name, brings.key);
    let enrolment = out.join(format!("{stem}.enrol.json"));
    if fs::symlink_metadata(&enrolment).is_ok() {
        let found = format!("{} is there already", shown(&enrolment));
        return Err(Refusal::new(&rules::FILE_EXISTS, found, "a name that is free, or another folder"));
    }
    let folder = out.join(format!("{stem}.possession"));
    let there = fs::symlink_metadata(folder.join("payload")).is_ok();
    let statement = match (there, brings.back) {
        (true, _) => handed_out(brings, &folder.join("payload"), &public)?,
        (false, None) => brings.says(&public, Digest::from_bytes(session.random()?))?,
        (false, Some(_)) => {
            let found = format!("no statement in {}", shown(&folder));
            return Err(Refusal::new(&rules::EXTERNAL_KEY, found, "the folder that was handed out"));
        }
    };
    let scheme = Scheme::of(public.algorithm());
    let payload = Payload::Statement(statement.clone());
    let screen = |title: String| Screen::new(title).rehearsal(trust.stage == Stage::Rehearsal);
    let Some(back) = brings.back else {
        for (name, bytes) in hand_out(&payload, &public, scheme) {
            files::create(&folder.join(name), &bytes)?;
        }
        let screen = screen(format!("{} of {name} is to sign", brings.key))
            .fact("collection", &trust.collection)
            .fact("trust", trust.id.to_string())
            .callout(
                Tone::Careful,
                "Compare the trust's number with the administrator by telephone: the file trust.json could \
                 be anyone's.",
            )
            .digest(format!("the statement, in {}", shown(&folder)), payload.digest())
            .next("carry the folder to where the key is, and sign there by its README")
            .next(format!(
                "{} --public {} --take-back {}    once the signature is there",
                brings.line,
                shown(brings.public),
                shown(&folder.join("signature"))
            ));
        let json = object([("folder", shown(&folder).into()), ("payload", payload.digest().hex().into())]);
        session.report(&screen, json)?;
        return Ok(Ended::Incomplete);
    };
    let bytes = media::read_file(back, SIGNATURE_CAP)?;
    let signature = take_back(&bytes, &public, scheme, &payload).map_err(|e| e.at(shown(back)))?;
    let signed = SignedStatement::new(statement, public.clone(), &signature)?;
    files::create(&enrolment, &signed.to_json()?)?;
    let screen = screen(format!("The key {} of {name}", brings.key))
        .callout(Tone::Done, "The signature verifies, and your enrolment is written.")
        .fact("to be sent", format!("{}: no secret", shown(&enrolment)))
        .fact("kind", public.describe())
        .digest(format!("the public key {} of {name}", brings.key), public.identity().digest())
        .next(format!(
            "Send {} to the update-service administrator of {}.",
            shown(&enrolment),
            trust.collection
        ))
        .next("Read the words above to them by telephone: the ceremony shows the same words of the key that it takes in.");
    let json = object([
        ("enrolment", shown(&enrolment).into()),
        ("holder", name.as_str().into()),
        ("identity", public.identity().to_string().into()),
        ("name", brings.key.as_str().into()),
        ("trust", trust.id.to_string().into()),
    ]);
    session.report(&screen, json)?;
    Ok(Ended::Done)
}

impl Brings<'_> {
    fn says(&self, public: &PublicKey, nonce: Digest) -> Result<Statement> {
        let sentence = Sentence::Possession {
            key: public.identity(),
            name: self.key.to_string(),
            holder: self.name.to_string(),
            purpose: Purpose::Delegation.name().to_owned(),
            nonce,
        };
        Statement::new(self.trust.id, sentence)
    }
}

/// The statement that was handed out before, if it is this key's.
fn handed_out(brings: &Brings<'_>, file: &Path, public: &PublicKey) -> Result<Statement> {
    let statement =
        Statement::from_bytes(&media::read_file(file, TEXT_CAP)?).map_err(|e| e.at(shown(file)))?;
    match statement.sentence() {
        Sentence::Possession { nonce, .. } if brings.says(public, *nonce)? == statement => Ok(statement),
        _ => Err(Refusal::new(
            &rules::EXTERNAL_KEY,
            format!("{}, which is another key's or another trust's", shown(file)),
            format!("the statement of {}, {}", brings.key, public.identity()),
        )),
    }
}
