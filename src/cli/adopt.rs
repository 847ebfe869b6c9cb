//! `keyrite adopt`: takes in a repository that other tools made, with its history of roots.
//!
//! What verifies over its bytes comes in as it is, each quirk named; an administrator says which
//! root they know and who holds which key. Nothing is signed: the trust is bound to its limits by
//! the first change of root or of limits that its own root keys sign. Run again, it goes on where it
//! was cut off, and takes in keys that other tools have granted since.

use super::arguments::Adopt;
use super::devices::DeviceMap;
use super::keyring::Keyring;
use super::perform::journal::Of;
use super::session::{Ended, Session, read_text, shown, typed};
use super::table::Table;
use super::{interview, opening, rules};
use crate::ceremony::change::{Possession, Purpose};
use crate::ceremony::facts::Anchor;
use crate::ceremony::gate;
use crate::ceremony::limits::Limits;
use crate::ceremony::people::{Duty, KeyName, Person};
use crate::ceremony::rehearsed;
use crate::ceremony::transcript::{EndState, Outcome, Transcript};
use crate::record::adopt::{History, Listed, listed};
use crate::record::key_file::{EvidenceNote, TokenNote};
use crate::record::trust_file::{TrustFile, TrustSpec};
use crate::record::{Contents, Inputs, KeyFile, Media, Record};
use crate::tuf::digest::Digest;
use crate::tuf::evidence::Trusted;
use crate::tuf::json::{Json, object};
use crate::tuf::key::PublicKey;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire::Quirk;
use crate::ui::screen::{Screen, Tone};
use crate::ui::{Console, Prompt, ask_until};
use std::collections::BTreeMap;
use std::path::Path;

/// What may hold a key of others, as the administrator says it.
const KINDS: [&str; 4] = ["elsewhere", "pkcs11", "file", "external"];
/// The answer for a key that stays out of the record.
const NONE: &str = "none";

/// Runs the command.
///
/// # Errors
///
/// `ADOPT-NOTHING`, `NOT-CONFIRMED`, `RECORD-CONFLICT` where another trust's record is; what reading
/// and writing refuse.
pub fn run(session: &Session, args: &Adopt) -> Result<Ended> {
    let into = &args.into;
    let media = Media::open(&args.from)?;
    let history = History::look(&media)?;
    let mut console = session.console(&args.answers)?;
    let start = agree(&history, &args.from, console.as_mut())?;
    let record = match Record::open(into) {
        Ok(record) if record.trust().start == Some(start) => record,
        _ => begin(session, args, &history, start, console.as_mut())?,
    };
    record.lock()?;
    let taken = record.import(&media, session.now()?)?;
    let newest = history.chain.latest();
    let anchor = Anchor { version: newest.version(), payload: newest.payload().digest() };
    let inputs = Inputs { anchor: Some(anchor), ..Inputs::default() };
    let contents = record.read_all(session.now()?, &inputs)?;
    let named = name_keys(&contents, console.as_mut())?;
    let table = Table { record, keyring: Keyring::new(None, session.randomness()), server: None };
    let head = write(session, &table, &contents, named, console.as_mut())?;
    console.finish()?;
    let map = into.join("devices.toml");
    if std::fs::symlink_metadata(&map).is_err() {
        let mut devices = DeviceMap::new(table.record.trust().id);
        devices.machine = session.mark(devices.trust, &map);
        devices.anchor = Some(anchor);
        devices.head = head;
        devices.create(&map)?;
    }
    let contents = table.record.read_all(session.now()?, &inputs)?;
    let left: Vec<(String, Refusal)> = taken.left;
    report(session, args, &contents, head, &left)
}

/// Shows the roots, and has people say that they know them.
fn agree(history: &History, from: &Path, console: &mut dyn Console) -> Result<Anchor> {
    let newest = history.chain.latest();
    let start = history.start().ok_or_else(|| {
        Refusal::new(&crate::record::rules::ADOPT_NOTHING, "no root", "a root that its own keys have signed")
    })?;
    let mut screen = Screen::new("A repository that other tools made")
        .fact("Directory", shown(from))
        .fact("Profile", history.profile.name())
        .fact(
            "Roots",
            match newest.version() {
                last if last == start.version => last.to_string(),
                last => format!("{} to {last}", start.version),
            },
        );
    for line in departures(history.chain.all()) {
        screen = screen.callout(Tone::Note, line);
    }
    if let Some(broken) = &history.broken {
        let before: Vec<_> = history.before.iter().map(u64::to_string).collect();
        screen = screen.callout(
            Tone::Careful,
            format!(
                "the trust begins at root {}, without root {}: {broken}",
                start.version,
                before.join(", ")
            ),
        );
    }
    let what = format!("payload of root {}", newest.version());
    console.show(&screen.digest(what, newest.payload().digest()))?;
    if history.broken.is_some() {
        let prompt = Prompt::new("start", format!("Type the payload digest of root {}.", start.version))
            .help("In hexadecimal, from where you know it: it stands on nothing but your word.");
        ask_until(console, &prompt, |typed| match typed.parse::<Digest>()? {
            digest if digest == start.payload => Ok(()),
            digest => {
                let expected = format!("that of root {} in {}", start.version, shown(from));
                Err(Refusal::new(&crate::ui::rules::NOT_CONFIRMED, format!("the digest {digest}"), expected))
            }
        })?;
    }
    let prompt = Prompt::new("root", format!("Is this the root {} that you know?", newest.version()))
        .help("Compare its digest with another source than this directory: a client, a colleague, paper.");
    console.confirm_yes(&prompt, &newest.payload().digest())?;
    Ok(start)
}

/// Makes the record.
fn begin(
    session: &Session,
    args: &Adopt,
    history: &History,
    start: Anchor,
    console: &mut dyn Console,
) -> Result<Record> {
    let (stage, collection) = interview::stage_and_collection(session, console, history.profile)?;
    let limits = match &args.limits {
        Some(path) => Limits::parse(&read_text(path)?, history.profile).map_err(|r| r.at(shown(path)))?,
        None => Limits::default_for(history.profile),
    };
    rehearsed::can_be_demanded(&limits, true)?;
    let limits = limits.to_toml();
    let trust = TrustFile::new(&TrustSpec {
        profile: history.profile,
        collection,
        stage,
        limits: Digest::of(limits.as_bytes()),
        shadows: None,
        start: Some(start),
        nonce: session.random()?,
    })?;
    Record::create(&args.into, &trust, limits.as_bytes())
}

/// A key with what people say of it.
struct Named {
    listed: Listed,
    public: PublicKey,
    name: KeyName,
    holder: Person,
    kind: &'static str,
}

/// Asks for the holder of every key that the record doesn't know yet.
fn name_keys(contents: &Contents, console: &mut dyn Console) -> Result<Vec<Named>> {
    let facts = &contents.facts;
    let Some(root) = facts.roots.last() else { return Ok(Vec::new()) };
    let mut named: Vec<Named> = Vec::new();
    for listed in listed(root, facts.documents.values()) {
        let Some(public) = listed.key.public.clone() else { continue };
        if facts.keys.values().any(|key| key.public == public) {
            continue;
        }
        let roles: Vec<_> = listed.roles.iter().map(ToString::to_string).collect();
        let identity = public.identity().to_string();
        let short: String = identity.chars().take(16).collect();
        let prompt = Prompt::new(
            format!("key.{short}"),
            format!("Which key is this, of {}, and who holds it?", roles.join(", ")),
        )
        .help(format!("{}, id {}", public.algorithm(), listed.key.id))
        .help(format!("A name for it, its holder, and where it is ({}): root-a ada pkcs11", KINDS.join(", ")))
        .help(format!(
            "\"{NONE}\" leaves it out of the record: it stays in the documents and is never asked."
        ));
        let answer = ask_until(console, &prompt, |typed| {
            let mut words = typed.split_whitespace();
            let (name, holder, kind) = (words.next(), words.next(), words.next());
            let refuse = || {
                Refusal::new(
                    &rules::INIT,
                    format!("\"{}\"", visible(typed)),
                    "NAME HOLDER WHERE, as root-a ada pkcs11",
                )
            };
            if name == Some(NONE) && holder.is_none() {
                return Ok(None);
            }
            let name: KeyName = name.ok_or_else(refuse)?.parse()?;
            let holder: Person = holder.ok_or_else(refuse)?.parse()?;
            let kind = kind.unwrap_or("elsewhere");
            let kind = KINDS.into_iter().find(|known| *known == kind).ok_or_else(refuse)?;
            if words.next().is_some() {
                return Err(refuse());
            }
            if facts.keys.contains_key(&name) || named.iter().any(|other| other.name == name) {
                let found = format!("the name {name} for two keys");
                return Err(Refusal::new(&rules::INIT, found, "a name for each"));
            }
            Ok(Some((name, holder, kind)))
        })?;
        if let Some((name, holder, kind)) = answer {
            named.push(Named { listed, public, name, holder, kind });
        }
    }
    Ok(named)
}

/// Writes the keys, with a transcript that names them.
fn write(
    session: &Session,
    table: &Table,
    contents: &Contents,
    named: Vec<Named>,
    console: &mut dyn Console,
) -> Result<Option<Digest>> {
    if named.is_empty() {
        let last = |t: &Transcript| t.entries().last().map(|(entry, digest)| (entry.at, *digest));
        return Ok(contents.transcripts.values().filter_map(last).max().map(|(_, head)| head));
    }
    let prompt = Prompt::new("administrator", "Who are you?")
        .help("Your short name in the record: it stands in the transcript.");
    let administrator: Person = ask_until(console, &prompt, str::parse)?;
    let checks = opening::settle(session, &table.record, contents, None, console)?;
    let people = BTreeMap::from([(administrator, Duty::Administrator)]);
    let mut journal = table.begin(session, contents, people, Vec::new(), checks)?;
    for Named { listed, public, name, holder, kind } in named {
        let identity = public.identity();
        let file = table.record.add_key(&KeyFile {
            trust: table.record.trust().id,
            name: name.clone(),
            holder,
            purpose: purpose(&listed.roles),
            public,
            certificate: listed.key.certificate,
            change: listed.by,
            possession: Possession::TrustedDocument(listed.by),
            replaces: None,
            token: TokenNote::apart(kind),
            evidence: EvidenceNote::default(),
        })?;
        journal.say(&table.record, session, Of::SESSION, Outcome::Enrol { name, file, identity })?;
    }
    table.end(session, &mut journal, EndState::Done, Vec::new())?;
    Ok(journal.head().map(|(_, head)| head))
}

/// A key in several roles is what the highest makes it.
fn purpose(roles: &[RoleName]) -> Purpose {
    match roles.first() {
        Some(RoleName::Root) => Purpose::Root,
        Some(RoleName::Targets) => Purpose::Targets,
        Some(RoleName::Snapshot) => Purpose::Snapshot,
        Some(RoleName::Timestamp) => Purpose::Timestamp,
        _ => Purpose::Delegation,
    }
}

/// Each quirk once, in words, with the documents that have it.
fn departures<'a>(held: impl IntoIterator<Item = &'a Trusted>) -> Vec<String> {
    let mut found: BTreeMap<Quirk, Vec<String>> = BTreeMap::new();
    for held in held {
        for quirk in held.quirks() {
            found.entry(*quirk).or_default().push(format!("{} {}", held.role(), held.version()));
        }
    }
    let line = |(quirk, of): (Quirk, Vec<String>)| format!("{quirk}, {}: {}", quirk.meaning(), of.join(", "));
    found.into_iter().map(line).collect()
}

fn report(
    session: &Session,
    args: &Adopt,
    contents: &Contents,
    head: Option<Digest>,
    left: &[(String, Refusal)],
) -> Result<Ended> {
    let facts = &contents.facts;
    let there = shown(&args.into);
    let mut screen = Screen::new(format!("Adopted: {}", visible(&facts.trust.collection)))
        .fact("Directory", there.as_str())
        .fact("Trust", facts.trust.id.to_string())
        .fact("Roots", facts.roots.len().to_string())
        .fact("Documents", contents.history.len().to_string())
        .fact("Keys", facts.keys.len().to_string());
    let mut quirks = Vec::new();
    let trusted = || facts.roots.iter().chain(facts.documents.values());
    for document in trusted() {
        for quirk in document.quirks() {
            quirks.push(format!("{} {}: {quirk}", document.role(), document.version()));
        }
    }
    if !quirks.is_empty() {
        screen = screen
            .heading("What other tools write otherwise; kept as it is")
            .items(departures(trusted()).iter().map(String::as_str));
    }
    for (name, why) in left {
        screen = screen.callout(Tone::Careful, format!("left where it is: {name}: {why}"));
    }
    let clients = gate::standing(facts)?.lines();
    screen = screen.heading("What clients of every root see").items(clients.iter().map(String::as_str));
    if let Some(head) = head {
        screen = screen.digest("transcript head", head);
    }
    screen = screen
        .callout(
            Tone::Note,
            "Nothing is signed yet: until rotate-root or set-limits has been held, no other ceremony is.",
        )
        .next(format!("say in {there}/devices.toml where your keys are; every holder has such a map"))
        .next(format!(
            "keyrite -C {} plan RUNBOOK    with ceremony = \"rotate-root\" or \"set-limits\"",
            typed(&args.into)
        ));
    let texts = |texts: &[String]| Json::from(texts.iter().map(|t| t.as_str().into()).collect::<Vec<Json>>());
    let left: Vec<Json> = left
        .iter()
        .map(|(name, why)| object([("file", name.as_str().into()), ("rule", why.rule().name.into())]))
        .collect();
    let keys: Vec<Json> = facts.keys.keys().map(|name| name.as_str().into()).collect();
    let json = object([
        ("clients", texts(&clients)),
        ("head", head.map_or(Json::Null, |head| head.hex().into())),
        ("keys", keys.into()),
        ("left", left.into()),
        ("quirks", texts(&quirks)),
        ("roots", i64::try_from(facts.roots.len()).map_or(Json::Null, Json::Int)),
        ("trust", facts.trust.id.to_string().into()),
    ]);
    session.report(&screen.rehearsal(facts.trust.stage == crate::ceremony::facts::Stage::Rehearsal), json)?;
    Ok(Ended::Done)
}
