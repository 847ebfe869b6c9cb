//! The report on paper: what `verify` has checked, so that an auditor can follow each line of it
//! back to a file of the record.
//!
//! Nothing private stands in it: it is made of the files that a redacted copy has too.

use super::ceremonies;
use crate::ceremony::attestation;
use crate::ceremony::change::Possession;
use crate::ceremony::facts::{Facts, Stage};
use crate::record::receipt::Answer;
use crate::record::{Contents, KeyFile};
use crate::tuf::certificate;
use crate::tuf::chain::root_tally;
use crate::tuf::digest::Digest;
use crate::tuf::evidence::{Trusted, Verified};
use crate::tuf::key::KeyIdentity;
use crate::tuf::text::visible;
use crate::tuf::threshold::Tally;
use crate::tuf::time::Time;
use crate::ui::paper::Paper;
use crate::ui::screen::Screen;
use crate::ui::table::Table;

/// The report as one HTML file. `verdict` is the screen that `verify` shows.
pub fn html(contents: &Contents, verdict: &Screen, verified: bool, listing: &str, now: Time) -> String {
    let facts = &contents.facts;
    let rehearsal = facts.trust.stage == Stage::Rehearsal;
    let title = if verified { "Verified" } else { "NOT verified" };
    let record = Digest::of(listing.as_bytes());
    let mut paper = Paper::new("Verification report", title, visible(&facts.trust.collection), rehearsal)
        .foot("record", record);
    paper.section(
        &Screen::default()
            .fact("verified at", now.to_string())
            .fact("by", format!("keyrite {}", env!("CARGO_PKG_VERSION")))
            .fact("profile", facts.trust.profile.name())
            .fact("stage", facts.trust.stage.name())
            .fact("limits in force", format!("number {}", facts.limits_number))
            .fact("their file", facts.limits_file.hex()),
    );
    paper.body_of(verdict);
    paper.section(&ceremonies::overview(contents));
    paper.section(&believed(contents));
    for root in chain(contents) {
        paper.card(&root);
    }
    paper.section(&documents(contents));
    paper.section(&Screen::new("Keys"));
    let mut keys: Vec<_> = contents.key_files.values().collect();
    keys.sort_by_key(|(file, _)| &file.name);
    for (file, why) in keys {
        paper.card(&key(contents, file, why.as_ref().map(ToString::to_string)));
    }
    paper.section(&Screen::new("Ceremonies"));
    for ceremony in ceremonies::all(contents) {
        paper.long_card(&ceremony);
    }
    paper.section(&Screen::new("Changes"));
    for change in ceremonies::changes(contents) {
        paper.card(&change);
    }
    for section in [ceremonies::statements(contents), uploads(contents), files(listing)] {
        paper.section(&section);
    }
    paper.html()
}

/// The record's name of a key and who holds it, or the start of its identity.
pub fn called(facts: &Facts, key: KeyIdentity) -> String {
    let known = facts.keys.values().find(|record| record.public.identity() == key);
    known.map_or_else(
        || format!("the key {}", key.to_string().chars().take(16).collect::<String>()),
        |record| format!("{} of {}", record.name, record.holder),
    )
}

/// What the chain starts from: the digest that a person gave, which no file of the record can stand for.
fn believed(contents: &Contents) -> Screen {
    let screen = Screen::new("The chain of roots").text(
        "Each root verifies by a threshold of the keys of the root before it, and by a threshold of its own.",
    );
    match contents.facts.anchor {
        Some(anchor) => screen
            .fact("believed from", format!("root {}, whose payload a person knew:", anchor.version))
            .fact("", anchor.payload.hex()),
        None => screen.fact("believed from", "nothing: nobody gave a digest from paper"),
    }
}

fn chain(contents: &Contents) -> Vec<Screen> {
    let facts = &contents.facts;
    let mut before: Option<&Trusted> = None;
    let mut pages = Vec::new();
    for root in &facts.roots {
        let mut page = Screen::default()
            .heading(format!("Root {}", root.version()))
            .fact("valid until", root.document().header().expires.to_string());
        let tally = root_tally(before.map(Trusted::payload), root.payload(), &Verified::new(root.envelope()));
        if let Ok(tally) = tally {
            let signed = |by: &Tally| {
                let mut names: Vec<_> = by.signed.iter().map(|key| called(facts, *key)).collect();
                names.sort();
                format!("{} (any {} needed)", names.join(", "), by.need)
            };
            if let Some(old) = &tally.old {
                page = page.fact("signed by keys before", signed(old));
            }
            page = page.fact("signed by its own keys", signed(&tally.new));
        }
        if let Some(tally) = root.document().as_root().and_then(|root| attestation::Tally::of(root, facts)) {
            page = page.fact("hardware", tally.words()).items(tally.rest);
        }
        page =
            page.fact("payload", root.payload().digest().hex()).fact("file", Digest::of(root.bytes()).hex());
        pages.push(page);
        before = Some(root);
    }
    pages
}

fn documents(contents: &Contents) -> Screen {
    let mut table = Table::new(["role", "version", "payload", "vouched for by", "published"]);
    for document in &contents.history {
        let by = document.vouched_by.as_ref().map_or_else(
            || "nothing: not trusted".to_owned(),
            |(role, version)| format!("{} {version}", visible(role.as_str())),
        );
        table.push([
            visible(document.role.as_str()),
            document.version.to_string(),
            document.payload.hex(),
            by,
            if document.published { "yes" } else { "not seen" }.to_owned(),
        ]);
    }
    let screen = Screen::new("Documents");
    if table.is_empty() { screen.text("There are none yet.") } else { screen.table(table) }
}

fn key(contents: &Contents, file: &KeyFile, unused: Option<String>) -> Screen {
    let token: Vec<String> = [file.token.label().to_owned(), file.token.make()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let (possession, by) = match &file.possession {
        Possession::Proved(sha) => ("proved by the statement", Some(sha)),
        Possession::ByFirstPublication => ("shown by its first publication", None),
        Possession::BackendReadBack => ("read back by people from the backend", None),
        Possession::TrustedDocument(sha) => ("shown by the document with the payload", Some(sha)),
    };
    let mut screen = Screen::default()
        .heading(format!("{} of {}", file.name, file.holder))
        .fact("for", format!("{}, {}", file.purpose.name(), file.public.describe()))
        .fact("held in", [vec![file.token.kind().to_owned()], token].concat().join(", "));
    if !file.token.serial().is_empty() {
        screen = screen.fact("serial", file.token.serial());
    }
    screen = screen.fact("identity", file.public.identity().digest().hex()).fact("possession", possession);
    if let Some(sha) = by {
        screen = screen.fact("", sha.hex());
    }
    let attributes: Vec<_> =
        file.evidence.attributes().iter().map(|(name, value)| format!("{name}: {value}")).collect();
    if !attributes.is_empty() {
        screen = screen.fact("the token said", attributes.join(", "));
    }
    if let Some((name, sha)) = file.evidence.module() {
        screen = screen.fact("through the module", name.as_str()).fact("SHA-256 of it", sha.hex());
    }
    if let Some(record) = contents.facts.keys.get(&file.name).filter(|_| unused.is_none()) {
        for (index, line) in attestation::verdict(&contents.facts, record).lines().into_iter().enumerate() {
            screen = screen.fact(if index == 0 { "hardware" } else { "" }, line);
        }
    }
    if let Some(leaf) = file.certificate.as_deref().and_then(|pem| certificate::leaf(pem).ok()) {
        screen = screen
            .fact("certificate", format!("from {} to {}", leaf.not_before.date(), leaf.not_after.date()));
    }
    screen = screen.fact("file", file.digest().hex());
    let life = contents.facts.keys.get(&file.name).map(|record| record.life.as_slice()).unwrap_or_default();
    for (event, at) in life {
        screen = screen.fact(event.name(), at.to_string());
    }
    match unused {
        Some(why) => screen.fact("not used", why),
        None => screen,
    }
}

fn uploads(contents: &Contents) -> Screen {
    let mut screen = Screen::new("Uploads and what the backend answered");
    if contents.uploads.is_empty() {
        return screen.text("There are none yet.");
    }
    let mut table = Table::new(["MANIFEST", "files", "for the change"]);
    for (digest, upload) in &contents.uploads {
        let manifest = &upload.manifest;
        let change = manifest.change.map_or_else(
            || "online roles".to_owned(),
            |sha| {
                contents
                    .changes
                    .get(&sha)
                    .map_or_else(|| sha.hex(), |stored| visible(&stored.change.frame.title))
            },
        );
        table.push([digest.hex(), manifest.files.len().to_string(), change]);
    }
    screen = screen.table(table);
    if !contents.receipts.is_empty() {
        let mut table = Table::new(["at", "server", "answer"]);
        for receipt in &contents.receipts {
            let answer = match &receipt.result {
                Answer::Accepted => "accepted".to_owned(),
                Answer::Observed => "observed".to_owned(),
                Answer::Rejected(reason) => format!("rejected: {}", visible(reason)),
            };
            table.push([receipt.at.to_string(), visible(&receipt.server), answer]);
        }
        screen = screen.table(table).text("Nobody signs these answers: they are claims of whoever asked.");
    }
    screen
}

/// What the digest of the record stands for, and how to get it without keyrite.
fn files(listing: &str) -> Screen {
    Screen::new("Files")
        .text(
            "The record's digest is SHA-256 over the list of its files. A copy without the folder private has \
             the same list, so a redacted copy is known to be the whole record. In the record's folder:",
        )
        .exact([
            "find trust.json limits keys statements changes metadata transcripts uploads receipts \\",
            "    rehearsals -type f 2>/dev/null | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum",
        ])
        .fact("files", listing.lines().count().to_string())
        .fact("record", Digest::of(listing.as_bytes()).hex())
        .text(
            "The operator's manual has the lines that check names, transcripts and signatures with sha256sum \
             and openssl alone.",
        )
}
