//! `keyrite-courier fetch`: what is published, as a folder that `keyrite import` takes.

use super::arguments::{Fetch, Reach};
use super::keys::{self, Kept};
use super::progress::Progress;
use super::published::{self, Published};
use super::rules;
use super::server::{Server, Want};
use super::source::Source;
use super::told::Told;
use super::url::Url;
use super::web::{Patience, Web};
use super::{folder, told};
use crate::ceremony::facts::{Stage, Trust};
use crate::cli::arguments::ProfileName;
use crate::cli::session::{shown, typed};
use crate::record::{Media, TrustFile, media};
use crate::tuf::digest::Digest;
use crate::tuf::document::Document;
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::path::Path;

/// The most bytes of `trust.json`.
const TRUST: u64 = 64 * 1024;

/// Runs the command.
///
/// # Errors
///
/// `FETCH-PLACE`, `FETCH-NOTHING`, `FETCH-MIXED`, `BACKEND-KEY`; what servers and files refuse.
pub fn run(args: &Fetch) -> Result<Told> {
    folder::is_fetched(&args.into)?;
    folder::is_apart(&args.into, &args.reach.server)?;
    let trust = args.trust.as_deref().map(read_trust).transpose()?;
    let source = source(args, trust.as_ref())?;
    let progress = Progress::new();
    let published = match published::fetch(&source, args.history, &progress) {
        // Before the first upload there is nothing but the backend's keys.
        Err(why) if why.rule() == &rules::FETCH_NOTHING && args.keys.is_some() => None,
        done => Some(done?),
    };
    let kept = match (&args.keys, &source) {
        (Some(folder), Source::Notary(server)) => keep(server, published.as_ref(), folder)?,
        (Some(_), _) => {
            let found = "--keys for a static repository";
            return Err(Refusal::new(&crate::cli::rules::USAGE, found, "a Notary backend, which has keys"));
        }
        (None, _) => Vec::new(),
    };
    progress.done();
    if let Some(published) = &published {
        let files = published.files.iter().map(|(name, served)| (name.as_str(), served.bytes.as_slice()));
        folder::put(&args.into, &files.collect())?;
    }
    let rehearsal = trust.as_ref().is_some_and(|trust| trust.stage == Stage::Rehearsal);
    Ok(Told::done(
        screen(args, &source, published.as_ref(), &kept).rehearsal(rehearsal),
        json(args, &source, published.as_ref(), &kept),
    ))
}

/// The trust in a `trust.json`.
///
/// # Errors
///
/// As [`TrustFile::from_json`]; what reading a file refuses.
pub fn read_trust(file: &Path) -> Result<Trust> {
    let bytes = media::read_file(file, TRUST)?;
    let read = TrustFile::from_json(&bytes).map_err(|why| why.at(shown(file)))?;
    Ok(read.trust().clone())
}

fn source(args: &Fetch, trust: Option<&Trust>) -> Result<Source> {
    let reach = &args.reach;
    let profile = match (trust, args.profile) {
        (Some(trust), _) => trust.profile,
        (None, Some(ProfileName::Tuf)) => Profile::Tuf,
        (None, _) => Profile::Notary,
    };
    let typed = args.collection.as_deref().unwrap_or_default();
    let collection = trust.map_or(typed, |trust| trust.collection.as_str());
    // The backend makes keys for whoever asks: a rehearsal asks no real one.
    let want = if args.keys.is_some() { Want::Push } else { Want::Pull };
    if let Some(trust) = trust {
        told::stage_of(trust.stage, &reach.server)?;
    }
    open(reach, profile, collection, want)
}

/// A place that serves metadata of this profile.
///
/// # Errors
///
/// `SERVER-ADDRESS`, `CA-FILE`; `COLLECTION` for one that can't stand in an address.
pub fn open(reach: &Reach, profile: Profile, collection: &str, want: Want) -> Result<Source> {
    let http = reach.server.starts_with("http://") || reach.server.starts_with("https://");
    if profile == Profile::Tuf && !http {
        let media = Media::open(Path::new(&reach.server))?;
        return Ok(Source::Folder(media, visible(&reach.server)));
    }
    let base = Url::base(&reach.server)?;
    let web = Web::new(reach.authorities(), Patience::seconds(reach.patience))?;
    if profile == Profile::Tuf {
        // Whoever serves it asks for a name and a password, or for nothing (RFC 7617).
        let basic = reach.login()?.keeper.map(|keeper| keeper.open(&base)).transpose()?;
        return Ok(Source::Web(web, base, basic.map(|credentials| credentials.basic())));
    }
    let letters = collection.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b));
    if collection.is_empty() || !letters {
        let found = format!("\"{}\"", visible(collection));
        let rule = &crate::record::rules::COLLECTION;
        return Err(Refusal::new(rule, found, "a name as updates.example.com/apps"));
    }
    Ok(Source::Notary(Server::new(web, base, collection, want, reach.login()?)))
}

fn keep(server: &Server, published: Option<&Published>, folder: &Path) -> Result<Vec<Kept>> {
    let root = published.and_then(|published| published.current().remove(&RoleName::Root).cloned());
    let root = root.map(|root| wire::parse(Profile::Notary, &RoleName::Root, &root.bytes)).transpose()?;
    let root = root.as_ref().map(|root| root.payload().document()).and_then(Document::as_root);
    keys::keep(server, root, folder)
}

fn screen(args: &Fetch, source: &Source, published: Option<&Published>, kept: &[Kept]) -> Screen {
    let mut screen = Screen::new("Fetch").fact("server", source.shown());
    if let Some(published) = published {
        screen = screen.fact("files", published.files.len().to_string()).fact("into", shown(&args.into));
        let mut table = Table::new(["role", "version", "expires"]);
        for (role, served) in published.current() {
            table.push([role.to_string(), served.version.to_string(), served.expires.to_string()]);
        }
        for role in &published.unreleased {
            table.push([role.to_string(), "-".to_owned(), "nothing released yet".to_owned()]);
        }
        screen = screen.table(table);
    } else {
        screen = screen.callout(Tone::Note, "Nothing is published there yet.");
    }
    if !kept.is_empty() {
        let mut table = Table::new(["key", "file", "SHA-256", ""]);
        for key in kept {
            let fresh = if key.fresh { "fetched" } else { "kept from before" };
            table.push([key.role.to_string(), shown(&key.file), key.sha256.hex(), fresh.to_owned()]);
        }
        screen = screen.table(table).next("Keep the keys' files: device maps name them under [enrol].");
    }
    match published {
        Some(_) => screen
            .callout(Tone::Done, "Each file is the one that the server's own timestamp leads to.")
            .next(format!("keyrite -C RECORD import {} judges them by the record.", typed(&args.into))),
        None => screen,
    }
}

fn json(args: &Fetch, source: &Source, published: Option<&Published>, kept: &[Kept]) -> Json {
    let number = |version: u64| Json::Int(i64::try_from(version).unwrap_or(i64::MAX));
    let files = published.iter().flat_map(|published| &published.files).map(|(name, served)| {
        object([
            ("current", served.current.into()),
            ("expires", served.expires.to_string().into()),
            ("file", name.as_str().into()),
            ("role", served.role.to_string().into()),
            ("sha256", Digest::of(&served.bytes).hex().into()),
            ("version", number(served.version)),
        ])
    });
    let keys = kept.iter().map(|key| {
        object([
            ("file", shown(&key.file).into()),
            ("fresh", key.fresh.into()),
            ("role", key.role.to_string().into()),
            ("sha256", key.sha256.hex().into()),
        ])
    });
    let unreleased = published.iter().flat_map(|published| &published.unreleased);
    object([
        ("files", files.collect::<Vec<_>>().into()),
        ("into", shown(&args.into).into()),
        ("keys", keys.collect::<Vec<_>>().into()),
        ("server", source.shown().into()),
        ("unreleased", unreleased.map(|role| role.to_string().into()).collect::<Vec<Json>>().into()),
    ])
}
