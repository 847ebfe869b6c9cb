//! The small files of a record: trust, limits, keys, statements, entries, uploads, receipts.

use super::page::Page;
use super::{Beside, Known, unknown};
use crate::ceremony::attestation::verdict;
use crate::ceremony::change::Possession;
use crate::ceremony::facts::Stage;
use crate::ceremony::limits::{Limits, differences};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::share_manifest::{ShareLine, ShareManifest};
use crate::ceremony::transcript::Entry;
use crate::record::manifest::Manifest;
use crate::record::receipt::{Answer, Receipt};
use crate::record::{KeyFile, SignedStatement, TrustFile};
use crate::tuf::digest::Digest;
use crate::tuf::json::Json;
use crate::tuf::profile::Profile;
use crate::tuf::rule::Result;
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::text::visible;

/// `trust.json`.
pub fn trust(bytes: &[u8]) -> Result<Page> {
    let file = TrustFile::from_json(bytes)?;
    let trust = file.trust();
    Ok(Page::new("trust", format!("The trust of {}", visible(&trust.collection)))
        .rehearsal(trust.stage == Stage::Rehearsal)
        .fact("collection", visible(&trust.collection))
        .fact("id", trust.id.to_string())
        .fact("profile", trust.profile.name())
        .fact("stage", trust.stage.name())
        .maybe("rehearses", trust.shadows.map(|id| id.to_string()))
        .maybe("starts with", trust.start.map(|a| format!("root {}, payload {}", a.version, a.payload)))
        .fact("first limits", file.limits().hex())
        .note(
            "The id alone proves nothing to someone who has not seen it before: compare it by another way.",
        ))
}

/// A share manifest.
pub fn shares(bytes: &[u8]) -> Result<Page> {
    let manifest = ShareManifest::from_json(bytes)?;
    let card = |line: &ShareLine| format!("share {}, held by {}", line.number, line.holder);
    Ok(Page::new("shares", format!("Shares of {}", visible(&manifest.title)))
        .fact("set", manifest.set.to_string())
        .fact("trust", manifest.trust.to_string())
        .fact("made", manifest.date.to_string())
        .fact("of", manifest.purpose.name())
        .fact("brings it back", format!("any {} of {} cards", manifest.needed, manifest.of()))
        .fact("form", format!("SLIP-39, {} words, identifier {}", manifest.words, manifest.identifier))
        .fact("check value", base16ct::lower::encode_string(&manifest.check))
        .list("Cards", manifest.shares.iter().map(card).collect())
        .digest("as the transcript names it", Digest::of(bytes))
        .note("Holders show that they have their cards by keyrite share drill."))
}

/// A key file.
pub fn key(beside: &Beside, bytes: &[u8]) -> Result<Page> {
    let file = KeyFile::from_json(bytes)?;
    let possession = match &file.possession {
        Possession::Proved(sha) => format!("proved by the statement {sha}"),
        Possession::ByFirstPublication => "shown by its first publication".to_owned(),
        Possession::BackendReadBack => "read back by people from the backend".to_owned(),
        Possession::TrustedDocument(sha) => format!("shown by the document with the payload {sha}"),
    };
    let token = [file.token.label(), &file.token.make(), file.token.serial()];
    let token: Vec<_> = token.into_iter().filter(|part| !part.is_empty()).collect();
    let attributes =
        file.evidence.attributes().iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let page = Page::new("key", format!("The key {} of {}", file.name, file.holder))
        .fact("purpose", file.purpose.name())
        .fact("kind", file.public.describe())
        .fact("trust", file.trust.to_string())
        .fact("possession", possession)
        .fact("held in", file.token.kind())
        .maybe("token", (!token.is_empty()).then(|| token.join(", ")))
        .maybe("replaces", file.replaces.map(|sha| sha.hex()))
        .fact("came with the change", file.change.hex())
        .maybe("attestation", attested(beside, &file))
        .maybe("can be exported under", file.evidence.exportable_under())
        .digest("identity", file.public.identity().digest())
        .digest("file", Digest::of(bytes))
        .list("What the token said of it", attributes);
    let used = beside.contents.as_ref().and_then(|c| c.key_files.get(&file.digest()));
    Ok(match used {
        Some((_, Some(why))) => page.careful(format!("The record doesn't use it: {why}")),
        Some((_, None)) => page.note("The record uses it."),
        None => page,
    })
}

/// What is proven of a key that a device attests. Outside of a record nothing is: whose device it is
/// and when the key came in stands there.
fn attested(beside: &Beside, file: &KeyFile) -> Option<String> {
    file.evidence.attestation()?;
    let facts = beside.contents.as_ref().map(|contents| &contents.facts);
    let used = facts.and_then(|facts| Some((facts, facts.keys.get(&file.name)?)));
    Some(match used.filter(|(_, record)| record.file == file.digest()) {
        Some((facts, record)) => verdict(facts, record).words(),
        None => "yes, judged only in a record that uses the key".to_owned(),
    })
}

/// A signed statement, also as an enrolment file.
pub fn statement(beside: &Beside, bytes: &[u8], json: &Json) -> Result<Page> {
    let signed = match SignedStatement::from_json(bytes) {
        Ok(signed) => signed,
        Err(refusal) if refusal.rule().name == "STATEMENT-KIND" => {
            let lines = json.get("statement").map(members).unwrap_or_default();
            return Ok(Page::new("statement", "A statement of a kind that this keyrite doesn't know")
                .careful("It is kept and never acts; its signature was not checked.")
                .list("It holds", lines));
        }
        Err(refusal) => return Err(refusal),
    };
    let statement = signed.statement();
    let page = Page::new("statement", format!("A {} statement", statement.kind()))
        .fact("trust", statement.trust().to_string())
        .fact("signed by", beside.called(signed.public().identity()))
        .fact("the signer's key", signed.public().describe())
        .fact("signature", "verifies")
        .digest("file", Digest::of(bytes))
        .list("It says", sentence(beside, statement.sentence()));
    let idle = beside.contents.as_ref().and_then(|c| c.statements.get(&Digest::of(bytes)));
    Ok(match idle.map(|stored| &stored.idle) {
        Some(Some(why)) => page.careful(format!("It does not act: {why}")),
        Some(None) => page.note("It acts in the record."),
        None => page.note("Whether it counts depends on who may say so: keyrite verify tells."),
    })
}

/// A statement that is not signed yet.
pub fn payload(beside: &Beside, bytes: &[u8]) -> Result<Page> {
    let statement = Statement::from_bytes(bytes)?;
    Ok(Page::new("statement", format!("A {} statement, not signed yet", statement.kind()))
        .fact("trust", statement.trust().to_string())
        .digest("payload", Digest::of(bytes))
        .list("It says", sentence(beside, statement.sentence())))
}

/// A statement in words.
pub fn sentence(beside: &Beside, sentence: &Sentence) -> Vec<String> {
    match sentence {
        Sentence::Possession { key, name, holder, purpose, nonce } => vec![
            format!("{} has the key {} for {}", visible(holder), visible(name), visible(purpose)),
            format!("identity {key}"),
            format!("nonce {nonce}"),
        ],
        Sentence::KeyLife { key, event, at, root } => vec![
            format!("{}: {} at {at}", beside.called(*key), event.name()),
            format!("under the root with the payload {root}"),
        ],
        Sentence::Limits { number, limits, chain } => vec![
            format!("the limits number {number} are in force: {limits}"),
            format!("for the roots whose chain is {chain}"),
        ],
        Sentence::Withdrawal { change, reason } => {
            vec![format!("nobody is to sign the change {change} any more"), visible(reason)]
        }
        Sentence::Refusal { change, reason } => {
            vec![format!("the signer won't sign the change {change}"), visible(reason)]
        }
        Sentence::RollCall { key, .. } => vec![format!("{} is at hand and works", beside.called(*key))],
        Sentence::Decision { what, keep, over } => {
            let mut lines = vec![format!("of {} the file {keep} stands", visible(what))];
            lines.extend(over.iter().map(|sha| format!("and not {sha}")));
            lines
        }
        Sentence::TranscriptHead { ceremony, sequence, head, witness } => vec![format!(
            "{} saw the transcript of {} end with entry {sequence}: {head}",
            visible(witness),
            visible(ceremony)
        )],
    }
}

/// One entry of a transcript.
pub fn entry(bytes: &[u8]) -> Result<Page> {
    let entry = Entry::from_json(bytes)?;
    Ok(Page::new(
        "transcript-entry",
        format!("Entry {} of a transcript: {}", entry.seq, visible(entry.outcome.act())),
    )
    .fact("ceremony", entry.ceremony.to_string())
    .fact("at", entry.at.to_string())
    .maybe("by", entry.by.as_ref().map(ToString::to_string))
    .maybe("change", entry.change.map(|sha| sha.hex()))
    .maybe("entry before", entry.previous.map(|sha| sha.hex()))
    .digest("file", Digest::of(bytes))
    .list("What came of it", members(&entry.outcome.to_json()))
    .list("Private, kept in the copy where it was held", entry.private.keys().map(|k| visible(k)).collect())
    .note("One entry proves nothing alone: keyrite verify follows the whole chain."))
}

/// A signature that came in for a change.
pub fn signature(beside: &Beside, json: &Json) -> Result<Page> {
    let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default();
    let key: crate::tuf::key::KeyIdentity = text("identity").parse()?;
    let (change, payload): (Digest, Digest) = (text("change").parse()?, text("payload").parse()?);
    let page = Page::new("signature", format!("A signature by {}", beside.called(key)))
        .fact("change", change.hex())
        .fact("payload", payload.hex())
        .fact("identity", key.to_string());
    let stored = beside.contents.as_ref().and_then(|c| c.changes.get(&change)?.signatures.get(&payload));
    Ok(match stored {
        Some(all) if all.iter().any(|s| s.key() == key) => {
            page.note("The record's change has one of this key that verifies.")
        }
        _ => page.note("Not checked: the record here has no such change, or none of this key that verifies."),
    })
}

/// A MANIFEST.
pub fn manifest(bytes: &[u8]) -> Result<Page> {
    let manifest = Manifest::parse(bytes)?;
    let files = manifest.files.iter().map(|(name, line)| {
        let role = line.role.as_ref().map_or(String::new(), |role| format!(", {}", visible(role.as_str())));
        format!("{}{role}: {} bytes, {}", name.as_str(), line.size, line.sha)
    });
    Ok(Page::new("manifest", "An upload to the backend")
        .rehearsal(manifest.stage == Stage::Rehearsal)
        .fact("trust", manifest.trust.to_string())
        .fact("stage", manifest.stage.name())
        .fact("change", manifest.change.map_or("none: documents of online roles".to_owned(), |sha| sha.hex()))
        .digest("MANIFEST", Digest::of(bytes))
        .list("Files", files.collect())
        .next("README.txt beside it has the exact lines to type."))
}

/// A receipt.
pub fn receipt(bytes: &[u8]) -> Result<Page> {
    let receipt = Receipt::from_json(bytes)?;
    let result = match &receipt.result {
        Answer::Accepted => "accepted".to_owned(),
        Answer::Observed => "observed".to_owned(),
        Answer::Rejected(reason) => format!("rejected: {}", visible(reason)),
    };
    let served = receipt.served.iter();
    let served =
        served.map(|(role, (version, sha))| format!("{}, version {version}: {sha}", visible(role.as_str())));
    Ok(Page::new("receipt", "What a backend answered")
        .fact("result", result)
        .fact("server", visible(&receipt.server))
        .fact("at", receipt.at.to_string())
        .fact("trust", receipt.trust.to_string())
        .fact("upload", receipt.manifest.hex())
        .list("It served afterwards", served.collect())
        .note("A claim by whoever uploaded, never proof."))
}

/// Limits or a runbook.
pub fn toml(beside: &Beside, text: &str) -> Result<Known> {
    let says = |name: &str| {
        text.lines().any(|l| l.split('=').next().is_some_and(|n| n.trim() == name) && l.contains('='))
    };
    if says("ceremony") {
        let runbook = Runbook::parse(text)?;
        let people = runbook.people.iter().map(|(who, duty)| format!("{who}, {}", duty.name())).collect();
        let page = Page::new("runbook", format!("Runbook: {}", visible(&runbook.title)))
            .fact("kind", visible(&runbook.kind))
            .digest("runbook", runbook.digest())
            .list("People", people)
            .next("keyrite plan prints what it would do, step by step.");
        return Ok(Known::Other(page));
    }
    if !says("format") {
        return Err(unknown("a text of no kind that keyrite knows"));
    }
    let profile = beside.profile().unwrap_or(Profile::Notary);
    let limits = Limits::parse(text, profile)?;
    let built_in = differences(&Limits::default_for(profile), &limits);
    let page = Page::new("limits", "Limits")
        .digest("file", Digest::of(text.as_bytes()))
        .list("Other than the built-in limits", built_in.into_iter().map(|(line, _)| line).collect())
        .exact("In full", limits.to_toml().lines().map(str::to_owned).collect());
    Ok(Known::Limits(Box::new(limits), page))
}

/// Members of any object, one line each.
fn members(json: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in json.as_object().into_iter().flatten() {
        let text = match value {
            Json::Str(text) => visible(text),
            other => visible(&String::from_utf8_lossy(&other.canonical())),
        };
        lines.push(format!("{}: {text}", visible(name)));
    }
    lines
}
