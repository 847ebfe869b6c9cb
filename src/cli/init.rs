//! `keyrite init`: a dozen questions, then a trust with its limits, the device map and the first
//! day's runbooks.
//!
//! Everything is shown and agreed to before the first byte is written. The nonce that makes the
//! trust one of a kind is written first and taken away last, so that a run that was cut off is
//! finished by the same answers.

use super::arguments::Init;
use super::devices::DeviceMap;
use super::first_day::{FirstDay, Online, TARGETS_KEY};
use super::interview::{self, Interview};
use super::session::{Ended, Session, shown, typed};
use super::{files, rules};
use crate::ceremony::facts::Stage;
use crate::ceremony::limits::PossessionLimit;
use crate::ceremony::people::Person;
use crate::record::Record;
use crate::record::trust_file::{TrustFile, TrustSpec};
use crate::signer::uri::KeyUri;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::rule::{Refusal, Result};
use crate::ui::screen::{Safe, Screen, Tone};
use crate::ui::table::Table;
use crate::ui::{Console, Prompt};
use std::path::Path;

/// The folder of the first day's runbooks in the record's directory.
pub const FOLDER: &str = "first-day";
/// What a run that has begun to write leaves until it has finished.
const STARTED: &str = "private/init";

/// Runs the command.
///
/// # Errors
///
/// `RECORD-CONFLICT` where a record is already; `NOT-CONFIRMED`; what asking and writing refuse.
pub fn run(session: &Session, args: &Init) -> Result<Ended> {
    let into = args.into.clone().unwrap_or_else(|| session.directory.clone());
    nothing_there(&into)?;
    let mut console = session.console(&args.answers)?;
    let made = hold(session, console.as_mut(), &into)?;
    session.report(&made.screen, made.json)?;
    Ok(Ended::Done)
}

/// What was made, as it is told.
pub struct Made {
    /// For people.
    pub screen: Screen,
    /// For programs.
    pub json: Json,
}

/// Asks, shows, has it agreed to and makes it.
///
/// # Errors
///
/// As [`run`].
pub fn hold(session: &Session, console: &mut dyn Console, into: &Path) -> Result<Made> {
    nothing_there(into)?;
    console.show(&welcome(into))?;
    let told = interview::hold(session, console)?;
    let limits = told.day.limits()?.to_toml();
    let runbooks = told.day.runbooks()?;
    console.show(&summary(&told))?;
    let agree = Prompt::new("confirm", "Shall it be made so?").help("Nothing has been written yet.");
    console.confirm_word(&agree, "Yes")?;
    console.finish()?;

    let started = into.join(STARTED);
    let trust = TrustFile::new(&TrustSpec {
        profile: told.day.profile,
        collection: told.collection.clone(),
        stage: told.stage,
        limits: Digest::of(limits.as_bytes()),
        shadows: None,
        start: None,
        nonce: nonce(session, &started)?,
    })?;
    let file = into.join("devices.toml");
    let mut map = device_map(&trust, &told);
    map.machine = session.mark(map.trust, &file);
    for (name, text) in &runbooks {
        files::create(&into.join(FOLDER).join(name), text.as_bytes())?;
    }
    map.create(&file)?;
    if !Record::open(into).is_ok_and(|record| *record.trust_file() == trust) {
        Record::create(into, &trust, limits.as_bytes())?;
    }
    // Key files are made on the day; the folder that the device map names must be there by then.
    if told.keys.iter().any(|(_, key, _)| matches!(key.uri, KeyUri::File(_))) {
        files::folder_private(&into.join(interview::KEY_FILES))?;
    }
    // Nobody needs it any more; if it stays, the next run says that the record is there already.
    let _ = std::fs::remove_file(&started);
    let names: Vec<Json> = runbooks.iter().map(|(name, _)| Json::from(format!("{FOLDER}/{name}"))).collect();
    let json = object([
        ("directory", shown(into).into()),
        ("runbooks", names.into()),
        ("trust", trust.trust().id.to_string().into()),
    ]);
    Ok(Made { screen: made(into, &trust, &told), json })
}

/// Asked for before the first question, so that nobody answers a dozen in vain.
fn nothing_there(into: &Path) -> Result<()> {
    let there = |name: &str| std::fs::symlink_metadata(into.join(name)).is_ok();
    if there(STARTED) {
        return Ok(());
    }
    match ["trust.json", "devices.toml", FOLDER].into_iter().find(|name| there(name)) {
        None => Ok(()),
        Some(name) => {
            let found = format!("{} is there already", shown(&into.join(name)));
            Err(Refusal::new(&rules::FILE_EXISTS, found, "a directory without a record"))
        }
    }
}

/// The nonce that a run that was cut off has drawn, or a new one.
fn nonce(session: &Session, started: &Path) -> Result<[u8; 32]> {
    if let Ok(text) = std::fs::read_to_string(started)
        && let Ok(digest) = text.parse::<Digest>()
    {
        return Ok(*digest.as_bytes());
    }
    let nonce = session.random()?;
    files::create(started, Digest::from_bytes(nonce).hex().as_bytes())?;
    Ok(nonce)
}

fn device_map(trust: &TrustFile, told: &Interview) -> DeviceMap {
    let mut map = DeviceMap::new(trust.trust().id);
    map.backend.clone_from(&told.backend);
    for (name, key, module) in &told.keys {
        let mut key = key.clone();
        if let Some(module) = module {
            key.module = Some(map.add_module(module.clone()));
        }
        map.keys.insert(name.clone(), key);
    }
    map.enrolments.extend(told.enrolments.iter().cloned());
    map
}

fn welcome(into: &Path) -> Screen {
    Screen::new("A new trust")
        .text(
            "About a dozen questions, then keyrite writes the trust, its limits, the device map and the runbooks \
             of the first day. No key is made and no token is touched yet.",
        )
        .fact("Directory", shown(into))
        .callout(Tone::Note, "Ctrl-C stops at any moment; nothing is written before the last answer.")
}

fn stamp(told: &Interview, screen: Screen) -> Screen {
    screen.rehearsal(told.stage == Stage::Rehearsal)
}

fn summary(told: &Interview) -> Screen {
    let FirstDay { profile, administrator, root, threshold, algorithm, targets, .. } = &told.day;
    let mut keys = Table::new(["key", "holder", "where"]);
    let all = root.iter().map(|(name, holder)| (name.as_str(), holder)).chain([(TARGETS_KEY, targets)]);
    for (name, holder) in all {
        keys.push([Safe::from(name), Safe::from(holder.as_str()), place(told, name)]);
    }
    let witnesses: Vec<&str> = told.day.witnesses.iter().map(Person::as_str).collect();
    let witnesses = if witnesses.is_empty() { "none".to_owned() } else { witnesses.join(", ") };
    let mut screen = stamp(told, Screen::new("This is what will be made"))
        .fact("Collection", Safe::untrusted(&told.collection))
        .fact("Profile", profile.name())
        .fact("Root", format!("{threshold} of {} must sign, {algorithm}", root.len()))
        .fact("Targets", format!("{targets} grants and revokes developers"))
        .fact(
            "Application",
            format!("{}: {} may release {}", told.day.application, told.day.developer, told.day.path()),
        )
        .fact("Administrator", administrator.as_str())
        .fact("Witnesses", witnesses)
        .table(keys);
    if usize::try_from(*threshold).is_ok_and(|n| n == root.len()) {
        screen = screen.callout(
            Tone::Careful,
            "every root key must sign. If one token is lost or breaks, no root can ever be made again.",
        );
    }
    screen
}

fn place(told: &Interview, key: &str) -> Safe {
    let found = told.keys.iter().find(|(name, _, _)| name.as_str() == key);
    match found.map(|(_, key, _)| &key.uri) {
        None => Safe::from("elsewhere, on their own machine"),
        Some(KeyUri::External(_)) => Safe::from("a vault, by keyrite sign --external"),
        Some(KeyUri::File(path)) => Safe::from(format!("encrypted file {}", shown(path))),
        Some(KeyUri::Piv(uri)) => Safe::from(format!("YubiKey, serial {}", uri.serial)),
        Some(KeyUri::YubiHsm(uri)) => Safe::from(format!("YubiHSM, serial {:010}", uri.serial)),
        Some(KeyUri::Pkcs11(uri)) => {
            let text = |part: &Option<String>| Safe::untrusted(part.as_deref().unwrap_or("?"));
            Safe::from(format!("token \"{}\", serial {}", text(&uri.token), text(&uri.serial)))
        }
    }
}

fn made(into: &Path, trust: &TrustFile, told: &Interview) -> Screen {
    let mut screen = stamp(told, Screen::new("The trust is made"))
        .fact("Directory", shown(into))
        .fact("Trust", trust.trust().id.to_string())
        .fact("Your keys", shown(&into.join("devices.toml")))
        .fact("First day", shown(&into.join(FOLDER)));
    let there = shown(into);
    let keyrite =
        if into == Path::new(".") { "keyrite".to_owned() } else { format!("keyrite -C {}", typed(into)) };
    if told.day.online == Online::Backend {
        let server = told.backend.as_deref().unwrap_or("https://SERVER");
        let base = format!("{server}/v2/{}/_trust/tuf", told.collection);
        screen =
            screen.heading("Fetch the backend's two public keys once, on a machine that reaches it").exact(
                ["snapshot", "timestamp"].map(|role| format!("curl -fsS {base}/{role}.key -o {role}.key")),
            );
        screen =
            screen.text("A server that asks for a token wants -H \"Authorization: Bearer TOKEN\" as well.");
    }
    let developer = &told.day.developer;
    if told.day.possession == PossessionLimit::Proved {
        screen = screen
            .heading(format!("Send trust.json to {developer}, who runs"))
            .exact([format!("keyrite developer new {developer} --trust trust.json --out .")]);
    }
    let away = told.day.root.iter().filter(|(key, _)| !told.keys.iter().any(|(name, _, _)| name == key));
    for (_, holder) in away {
        screen = screen.next(format!("hand {holder} a copy: {keyrite} export DIR --for {holder}"));
    }
    let files: Vec<String> = told.enrolments.iter().map(|(_, file)| shown(file)).collect();
    screen
        .next(format!("put these files into {there}: {}", files.join(", ")))
        .next(format!("practise: {keyrite} rehearse"))
        .next(format!("hold the first day: {keyrite} run {}", typed(&into.join(FOLDER))))
}
