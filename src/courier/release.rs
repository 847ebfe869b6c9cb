//! `keyrite-courier release`: what is served is fetched, the record takes it in, the offline program makes
//! the release, and what it made goes up, in one motion.
//!
//! Keys, screens and answers stay in `keyrite`, which runs as a program of its own: it has no way to a
//! network, and this one has none to a key. What people agree to there is what they saw there. Before
//! that, each address has to answer with the very file, so that nobody is told of one that isn't there.
//!
//! Never: a push of what differs from what was looked at, a question answered in a person's place.

use super::arguments::{Fetch, Push, Release};
use super::download;
use super::fetch::read_trust;
use super::progress::Progress;
use super::told::{self, Told};
use super::url::Url;
use super::web::{Patience, Web};
use super::{fetch, push, rules};
use crate::ceremony::facts::{Stage, Trust};
use crate::ceremony::kinds::release_names::below;
use crate::cli::host::{Host as _, System};
use crate::cli::session::shown;
use crate::record::media;
use crate::tuf::digest::Digest;
use crate::tuf::document::TargetFile;
use crate::tuf::hashes::Hashes;
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How often colleagues may be faster before it is given up.
const ROUNDS: u32 = 4;

/// A file that is released, and where clients will fetch it.
struct File {
    url: Option<String>,
    length: u64,
    sha256: Digest,
}

/// Runs the command.
///
/// # Errors
///
/// `RELEASE-ADDRESS`, `RELEASE-OFFLINE`, `RELEASE-DIFFERS`; as [`fetch::run`] and [`push::run`].
pub fn run(args: &Release) -> Result<Told> {
    let trust = read_trust(&args.record.join("trust.json"))?;
    told::stage_of(trust.stage, &args.reach.server)?;
    let progress = Progress::new();
    let files = args.of.files.iter().map(|file| look(args, file, &progress)).collect::<Result<Vec<_>>>()?;
    if !args.url_later {
        files.iter().try_for_each(|file| answers(args, file, &progress))?;
    }
    progress.done();
    let mut round = 1;
    loop {
        take_in(args)?;
        let made = keyrite(args, &release_line(args))?;
        let text = |name: &str| made.get(name).and_then(Json::as_str).map(str::to_owned);
        same(&made, &files)?;
        let Some(upload) = text("upload") else {
            let exit = if text_list(&made, "waiting").is_empty() { None } else { Some(Exit::Incomplete) };
            return Ok(said(args, &trust, &made, &files, exit, None, round));
        };
        let upload = args.record.join(upload);
        let push = Push {
            upload: upload.clone(),
            reach: args.reach.clone(),
            trust: args.record.join("trust.json"),
            into: args.into.clone(),
        };
        match push::run(&push) {
            Ok(pushed) => {
                import(args)?;
                let came = pushed.json.get("came").cloned();
                return Ok(said(args, &trust, &made, &files, None, came, round));
            }
            // Somebody was faster: what they released comes in, and the same line makes the next.
            Err(why) if overtaken(&why) && round < ROUNDS => round = round.saturating_add(1),
            Err(why) => return Err(why),
        }
    }
}

fn overtaken(why: &Refusal) -> bool {
    [&rules::ROLE_TAKEN, &rules::UPLOAD_UNFIT, &rules::UPLOAD_REFUSED].contains(&why.rule())
}

/// Length and digest of a file here, and the address that clients will be given.
fn look(args: &Release, path: &Path, progress: &Progress) -> Result<File> {
    let (mut hash, mut length) = (Sha256::new(), 0_u64);
    media::stream_file(path, &mut |piece, _| {
        hash.update(piece);
        length = length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        progress.say(&format!("hashing {}: {length} bytes", shown(path)));
        Ok(())
    })?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let url =
        args.of.url.as_ref().map(|url| if url.ends_with('/') { below(url, &name) } else { url.clone() });
    Ok(File { url, length, sha256: Digest::from_bytes(hash.finalize().into()) })
}

/// Refuses an address that doesn't answer with the very file.
fn answers(args: &Release, file: &File, progress: &Progress) -> Result<()> {
    let Some(url) = &file.url else { return Ok(()) };
    let patience = Patience::seconds(args.reach.patience).with_bytes(file.length);
    let web = Web::new(args.reach.authorities_of_targets(args.targets_ca.as_deref()), patience)?;
    let expected = TargetFile {
        length: file.length,
        hashes: Hashes::from([("sha256".to_owned(), file.sha256.as_bytes().to_vec())]),
        custom: None,
    };
    download::same(&web, &Url::parse(url)?, &expected, progress).map_err(|why| {
        let bytes = [&rules::TARGET_BYTES, &rules::SERVER_SIZE, &rules::SERVER_STATUS].contains(&why.rule());
        if bytes { Refusal::new(&rules::RELEASE_ADDRESS, why.found(), why.expected()) } else { why }
    })
}

/// Fetches what is served, and has the record take it in.
fn take_in(args: &Release) -> Result<()> {
    let fetch = Fetch {
        reach: args.reach.clone(),
        trust: Some(args.record.join("trust.json")),
        profile: None,
        collection: None,
        into: args.into.clone(),
        keys: None,
        history: false,
    };
    fetch::run(&fetch)?;
    import(args)
}

fn import(args: &Release) -> Result<()> {
    let report = keyrite(args, &["import".into(), args.into.clone().into()])?;
    let left = text_list(&report, "left");
    if left.is_empty() {
        return Ok(());
    }
    let found = format!("what is served has {}, which the record doesn't take in", left.join(", "));
    Err(Refusal::new(&rules::RELEASE_DIFFERS, found, "what the record knows, and what follows from it"))
}

/// The texts of a member that lists some; of objects, the whole of each.
fn text_list(report: &Json, name: &str) -> Vec<String> {
    let items = report.get(name).and_then(Json::as_array).unwrap_or_default().iter();
    let text = |item: &Json| match item.as_str() {
        Some(text) => visible(text),
        None => visible(&String::from_utf8_lossy(&item.clone().canonical())),
    };
    items.map(text).collect()
}

/// The line of the offline program's release.
fn release_line(args: &Release) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["release".into()];
    let mut option = |name: &str, value: OsString| {
        let mut whole = OsString::from(format!("--{name}="));
        whole.push(value);
        line.push(whole);
    };
    option("application", (&args.of.application).into());
    let texts = [
        ("track", &args.of.track),
        ("url", &args.of.url),
        ("name", &args.of.name),
        ("valid-for", &args.of.valid_for),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            option(name, value.into());
        }
    }
    for name in &args.of.withdraw {
        option("withdraw", name.into());
    }
    if let Some(answers) = &args.answers.answers {
        option("answers", answers.into());
    }
    line.extend(args.of.renew.then(|| "--renew".into()));
    line.extend(args.answers.unattended.then(|| "--unattended".into()));
    line.push("--".into());
    line.extend(args.of.files.iter().map(OsString::from));
    line
}

/// Runs the offline program on the record; its report. It asks and shows on the terminal itself.
fn keyrite(args: &Release, line: &[OsString]) -> Result<Json> {
    let program = args.keyrite.clone().or_else(beside).unwrap_or_else(|| PathBuf::from("keyrite"));
    let refuse = |found: String, expected: &str| {
        let found = format!("{} {}: {found}", shown(&program), said_of(line));
        Refusal::new(&rules::RELEASE_OFFLINE, found, expected)
    };
    let mut command = Command::new(&program);
    command.arg("-C").arg(&args.record).arg("--json");
    if let Some(devices) = &args.devices {
        command.arg("--devices").arg(devices);
    }
    let done = command.args(line).stdout(Stdio::piped()).stderr(Stdio::inherit()).stdin(Stdio::inherit());
    let done = done.spawn().and_then(std::process::Child::wait_with_output);
    let done = done.map_err(|error| refuse(visible(&error.to_string()), "a program that runs"))?;
    let report = Json::parse(&done.stdout).map_err(|_| refuse("no report".to_owned(), "one in JSON"))?;
    if let Some(error) = report.get("error") {
        let text = |name: &str| error.get(name).and_then(Json::as_str).map(visible).unwrap_or_default();
        return Err(refuse(format!("{}: found {}", text("rule"), text("found")), &text("expected")));
    }
    let waits = i32::from(Exit::Incomplete.code());
    match done.status.code() {
        Some(0) => Ok(report),
        Some(code) if code == waits => Ok(report),
        _ => Err(refuse(done.status.to_string(), "an end as its manual has it")),
    }
}

/// The first word, which says what was asked of it.
fn said_of(line: &[OsString]) -> String {
    line.first().map(|word| visible(&word.to_string_lossy())).unwrap_or_default()
}

/// The offline program as it lies beside this one.
fn beside() -> Option<PathBuf> {
    let path = System.program_path()?.with_file_name("keyrite");
    path.is_file().then_some(path)
}

/// Refuses where the offline program has released other bytes, or under another address, than were
/// looked at here.
fn same(made: &Json, files: &[File]) -> Result<()> {
    let targets = made.get("targets").and_then(Json::as_array).unwrap_or_default();
    let told = |target: &Json| {
        let text = |name: &str| target.get(name).and_then(Json::as_str).map(str::to_owned);
        (text("url"), target.get("length").and_then(Json::as_int), text("sha256"))
    };
    let own = |file: &File| (file.url.clone(), i64::try_from(file.length).ok(), Some(file.sha256.hex()));
    let (mut theirs, mut ours): (Vec<_>, Vec<_>) =
        (targets.iter().map(told).collect(), files.iter().map(own).collect());
    theirs.sort();
    ours.sort();
    if theirs == ours {
        return Ok(());
    }
    let found = "a file or an address that is another than a moment ago";
    Err(Refusal::new(&rules::RELEASE_DIFFERS, found, "files that stay as they are while they are released"))
}

fn said(
    args: &Release,
    trust: &Trust,
    made: &Json,
    files: &[File],
    exit: Option<Exit>,
    came: Option<Json>,
    rounds: u32,
) -> Told {
    let member = |name: &str| made.get(name).cloned().unwrap_or(Json::Null);
    let mut table = Table::new(["target", "bytes", "SHA-256", "from"]);
    for target in made.get("targets").and_then(Json::as_array).unwrap_or_default() {
        let text = |name: &str| target.get(name).and_then(Json::as_str).map(visible).unwrap_or_default();
        let length = target.get("length").and_then(Json::as_int).unwrap_or_default();
        table.push([text("name"), length.to_string(), text("sha256"), text("url")]);
    }
    let mut screen = Screen::new("Release")
        .rehearsal(trust.stage == Stage::Rehearsal)
        .fact("server", visible(&args.reach.server))
        .fact("role", member("role").as_str().map(visible).unwrap_or_default());
    if !table.is_empty() {
        screen = screen.table(table);
    }
    screen = match (&came, exit) {
        (Some(_), _) => screen.callout(Tone::Done, "It is served, and the record has the receipt."),
        (None, Some(_)) => screen
            .callout(Tone::Careful, "It waits for another developer's signature, and nothing went up.")
            .next("Type the same line again once theirs is imported."),
        (None, None) if trust.profile == Profile::Tuf => screen
            .callout(Tone::Done, "It is in the record; nothing went up from here.")
            .next("Whoever has the online keys imports this record and runs sign-snapshot; what that makes is pushed."),
        (None, None) => screen
            .callout(Tone::Done, "There is nothing to hand over: the newest document says all that already."),
    };
    let checked = files
        .iter()
        .filter_map(|file| file.url.as_ref())
        .map(|url| object([("answered", (!args.url_later).into()), ("url", url.as_str().into())]));
    let json = object([
        ("addresses", checked.collect::<Vec<_>>().into()),
        ("came", came.unwrap_or(Json::Null)),
        ("role", member("role")),
        ("rounds", i64::from(rounds).into()),
        ("server", visible(&args.reach.server).into()),
        ("targets", member("targets")),
        ("upload", member("upload")),
        ("version", member("version")),
        ("withdrawn", member("withdrawn")),
    ]);
    Told { screen, json, exit }
}
