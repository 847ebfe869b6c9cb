//! `keyrite-courier update`: what customers' computers accept, and a target downloaded as they would.
//!
//! The workflow of the profile's clients ([`crate::tuf::client`]) over a network and a disk. It trusts the
//! root that it is given, and from then on what that led to. What a step has proved is kept before the
//! next is asked for, also where the update then fails.
//!
//! Never: a file asked for that nothing trusted leads to, a person's consent in place of a signature.

use super::arguments::Update;
use super::download::{self, Came, Last};
use super::fetch::open;
use super::home;
use super::kept::Kept;
use super::progress::Progress;
use super::rules;
use super::server::Want;
use super::source::Source;
use super::told::Told;
use super::url::Url;
use super::web::{Patience, Web};
use crate::cli::host::{Host as _, System};
use crate::cli::session::shown;
use crate::record::media;
use crate::record::rules::COLLECTION;
use crate::tuf::certificate;
use crate::tuf::client::{Answer, Caps, Client, Outcome, Settings, Signatures, State};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Root, TargetFile};
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire::{self, Envelope};
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// An update in progress: the client, what it asks, and what it keeps.
pub struct Agent {
    client: Client<Signatures>,
    source: Source,
    kept: Kept,
    /// How many files were asked for.
    asked: u64,
}

impl Agent {
    /// Begins an update of this profile now, from what was kept.
    ///
    /// # Errors
    ///
    /// As [`Client::new`]; `CLOCK` and the like without a time.
    pub fn new(source: Source, kept: Kept, state: State, collection: &str) -> Result<Self> {
        let profile = source.profile();
        let settings = Settings {
            now: System.now()?,
            caps: Caps::of(profile),
            collection: collection.to_owned(),
            pins: BTreeSet::new(),
        };
        let client = Client::new(profile, settings, state, Signatures)?;
        Ok(Self { client, source, kept, asked: 0 })
    }

    /// Goes on until the client wants nothing more.
    ///
    /// # Errors
    ///
    /// Why the client refuses; what servers and files refuse.
    pub fn go_on(&mut self, progress: &Progress) -> Result<()> {
        self.keep()?;
        while let Some(want) = self.client.want().cloned() {
            progress.say(&format!("{} files asked for, now {}", self.asked, want.name));
            self.asked = self.asked.saturating_add(1);
            let fed = match self.source.get(&want.name, want.limit)? {
                Some(bytes) => self.client.feed(&bytes),
                None => self.client.missing(),
            };
            self.keep()?;
            fed?;
        }
        Ok(())
    }

    /// What is said of a target, and by whom.
    ///
    /// # Errors
    ///
    /// `TARGET-UNKNOWN`; as [`Self::go_on`].
    pub fn find(&mut self, path: &str, progress: &Progress) -> Result<(RoleName, TargetFile)> {
        self.client.look_up(path)?;
        self.go_on(progress)?;
        if let Some(Answer::Found { role, file }) = self.client.answer() {
            return Ok((role.clone(), file.clone()));
        }
        let found = format!("nobody names \"{}\"", visible(path));
        Err(Refusal::new(&rules::TARGET_UNKNOWN, found, "a target that a role names"))
    }

    /// The address of a target below a base: where names have digests, its first part is one (TUF 6.2).
    ///
    /// # Errors
    ///
    /// `TARGET-ADDRESS` for a path that leads elsewhere.
    pub fn address(&self, base: &Url, path: &str, file: &TargetFile) -> Result<Url> {
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            let found = format!("\"{}\"", visible(path));
            return Err(Refusal::new(&rules::TARGET_ADDRESS, found, "a path without \".\" and \"..\""));
        }
        let root = self.client.trusted(&RoleName::Root);
        let root = root.as_ref().and_then(|root| root.payload().document().as_root());
        let named = self.source.profile() == Profile::Tuf && root.is_some_and(|r| r.consistent_snapshot);
        let digest = ["sha256", "sha512"].iter().find_map(|name| file.hashes.get(name)).filter(|_| named);
        let (above, name) = path.rsplit_once('/').map_or(("", path), |(above, name)| (above, name));
        let above = if above.is_empty() { String::new() } else { format!("{above}/") };
        Ok(match digest {
            Some(digest) => base.below(&format!("{above}{}.{name}", base16ct::lower::encode_string(digest))),
            None => base.below(path),
        })
    }

    fn keep(&mut self) -> Result<()> {
        self.client.changes().iter().try_for_each(|change| self.kept.write(change))
    }
}

/// A target that was asked for.
struct Got {
    name: String,
    role: RoleName,
    file: TargetFile,
    from: Url,
    place: PathBuf,
    came: Came,
}

/// Runs the command.
///
/// # Errors
///
/// As [`Agent::go_on`] and [`download::fetch`]; `UPDATE-STATE`, `COLLECTION`, `TARGET-UNKNOWN`,
/// `TARGET-NAME`, `TARGET-ADDRESS`.
pub fn run(args: &Update) -> Result<Told> {
    let first = media::read_file(&args.trust, Caps::NOTARY.root)?;
    let (profile, root) = root_of(&first).map_err(|why| why.at(shown(&args.trust)))?;
    let collection = if profile == Profile::Notary { collection(args, &root)? } else { String::new() };
    let place = match (&args.target, &args.out) {
        (Some(target), Some(out)) => Some((target.as_str(), out.join(last_part(target)?))),
        _ => None,
    };
    let source = open(&args.reach, profile, &collection, Want::Pull)?;
    let server = source.shown();
    let (kept, state) = Kept::open(&state_folder(args, &first)?, &first)?;
    let mut agent = Agent::new(source, kept, state, &collection)?;
    let progress = Progress::new();
    agent.go_on(&progress)?;
    let got = place.map(|(target, place)| get(args, &mut agent, target, place, &progress)).transpose()?;
    progress.done();
    let outcome = agent.client.outcome();
    Ok(Told {
        screen: screen(&server, &agent, &outcome, got.as_ref()),
        json: json(&server, &agent, &outcome, got.as_ref()),
    })
}

/// A root of either profile.
fn root_of(bytes: &[u8]) -> Result<(Profile, Envelope)> {
    let parse = |profile| Ok((profile, wire::parse(profile, &RoleName::Root, bytes)?));
    parse(Profile::Notary).or_else(|notary| {
        parse(Profile::Tuf).map_err(|tuf| {
            let json = Json::parse(bytes).ok();
            let kind = json.as_ref().and_then(|json| json.get("signed")?.get("_type")?.as_str());
            if kind == Some("Root") { notary } else { tuf }
        })
    })
}

/// The collection that was named, or the one that every root certificate names.
fn collection(args: &Update, root: &Envelope) -> Result<String> {
    if let Some(named) = &args.collection {
        return Ok(named.clone());
    }
    let document = root.payload().document().as_root();
    let names = document.map(certified).unwrap_or_default();
    if let Some(name) = names.first().filter(|name| names.len() == 1 && !name.ends_with('*')) {
        return Ok(name.clone());
    }
    let names: Vec<_> = names.iter().map(|name| format!("\"{}\"", visible(name))).collect();
    let found = format!("root certificates that name {}", names.join(", "));
    Err(Refusal::new(&COLLECTION, found, "one collection, or --collection NAME"))
}

fn certified(root: &Root) -> BTreeSet<String> {
    let ids = root.roles.get(&RoleName::Root).map(|role| &role.keyids);
    let keys = ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| root.keys.get(id));
    let leaves = keys.filter_map(|key| certificate::leaf(key.certificate.as_deref()?).ok());
    leaves.filter_map(|leaf| leaf.common_name).collect()
}

/// Under which name a target is put into a folder.
fn last_part(target: &str) -> Result<&str> {
    let last = target.rsplit('/').next().unwrap_or_default();
    let odd = |c: char| c.is_control() || r#"\:*?"<>|"#.contains(c);
    if last.is_empty() || last.len() > 200 || last.starts_with('.') || last.contains(odd) {
        let found = format!("\"{}\"", visible(target));
        let expected = "a name of at most 200 bytes that no system reads otherwise, not starting with \".\"";
        return Err(Refusal::new(&rules::TARGET_NAME, found, expected));
    }
    Ok(last)
}

fn state_folder(args: &Update, first: &[u8]) -> Result<PathBuf> {
    if let Some(folder) = &args.state {
        return Ok(folder.clone());
    }
    let base = home::state();
    let base = base.ok_or_else(|| {
        Refusal::new(&crate::cli::rules::USAGE, "no --state, and no home", "a folder named with --state DIR")
    })?;
    let root: String = Digest::of(first).hex().chars().take(16).collect();
    Ok(base.join("keyrite-courier").join(root))
}

fn get(args: &Update, agent: &mut Agent, target: &str, place: PathBuf, progress: &Progress) -> Result<Got> {
    let (role, file) = agent.find(target, progress)?;
    let own = file.custom.as_ref().and_then(|custom| custom.get("url")).and_then(Json::as_str);
    let from = match (own, &args.targets) {
        (Some(own), _) => Url::parse(own)?,
        (None, Some(base)) => agent.address(&Url::base(base)?, target, &file)?,
        (None, None) => {
            let found = format!("\"{}\" without an address in its custom member", visible(target));
            return Err(Refusal::new(&rules::TARGET_ADDRESS, found, "one, or --targets URL"));
        }
    };
    let patience = Patience::seconds(args.reach.patience).with_bytes(file.length);
    let web = Web::new(args.reach.ca.as_deref(), patience)?;
    let came = download::fetch(&web, &from, &file, &place, Last::New, progress)?;
    Ok(Got { name: target.to_owned(), role, file, from, place, came })
}

fn screen(server: &str, agent: &Agent, outcome: &Outcome, got: Option<&Got>) -> Screen {
    let mut table = Table::new(["role", "version", "expires"]);
    for (role, version) in &outcome.versions {
        let held = agent.client.trusted(role);
        let expires = held.map(|held| held.payload().document().header().expires.to_string());
        table.push([role.to_string(), version.to_string(), expires.unwrap_or_default()]);
    }
    let mut screen = Screen::new("Update")
        .fact("server", server)
        .fact("files asked for", agent.asked.to_string())
        .table(table);
    for (role, why) in &outcome.skipped {
        screen = screen.callout(Tone::Note, format!("{role} is left out. {why}"));
    }
    let Some(got) = got else {
        return screen.callout(Tone::Done, "This is what customers' computers accept now.");
    };
    let said = match got.came {
        Came::Fetched => "It was downloaded, and has the length and the digests that its role says.",
        Came::There => "The very file is there already.",
    };
    let hex = got.file.hashes.get("sha256").map(base16ct::lower::encode_string).unwrap_or_default();
    screen
        .fact("target", visible(&got.name))
        .fact("named by", got.role.to_string())
        .fact("from", got.from.shown())
        .fact("file", shown(&got.place))
        .fact("bytes", got.file.length.to_string())
        .fact("SHA-256", hex)
        .callout(Tone::Done, said)
}

fn json(server: &str, agent: &Agent, outcome: &Outcome, got: Option<&Got>) -> Json {
    let number = |n: u64| Json::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let roles = outcome.versions.iter().map(|(role, version)| {
        let held = agent.client.trusted(role);
        let expires = held.map(|held| held.payload().document().header().expires.to_string());
        object([
            ("expires", expires.map_or(Json::Null, Json::Str)),
            ("role", role.to_string().into()),
            ("version", number(*version)),
        ])
    });
    let skipped = outcome
        .skipped
        .iter()
        .map(|(role, why)| object([("role", role.to_string().into()), ("rule", why.rule().name.into())]));
    let target = got.map_or(Json::Null, |got| {
        let hashes = got.file.hashes.iter();
        let hashes =
            hashes.map(|(name, digest)| (name.to_owned(), base16ct::lower::encode_string(digest).into()));
        object([
            ("came", if got.came == Came::Fetched { "fetched" } else { "known" }.into()),
            ("file", shown(&got.place).into()),
            ("from", got.from.shown().into()),
            ("hashes", hashes.collect::<crate::tuf::json::Members>().into()),
            ("length", number(got.file.length)),
            ("name", got.name.as_str().into()),
            ("role", got.role.to_string().into()),
        ])
    });
    object([
        ("asked", number(agent.asked)),
        ("roles", roles.collect::<Vec<_>>().into()),
        ("server", server.into()),
        ("skipped", skipped.collect::<Vec<_>>().into()),
        ("target", target),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn targets_have_plain_file_names() {
        for (target, name) in
            [("app/one.msi", "one.msi"), ("one 2.msi", "one 2.msi"), ("a/b/\u{e9}", "\u{e9}")]
        {
            assert_eq!(last_part(target).unwrap(), name);
        }
        let long = format!("app/{}", "n".repeat(201));
        for target in ["", "app/", "app/..", "..", "app/.one.msi.part", "a\\b", "a\nb", "c:d", long.as_str()]
        {
            assert_eq!(last_part(target).unwrap_err().rule().name, "TARGET-NAME", "{target}");
        }
    }
}
