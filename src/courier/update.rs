//! `keyrite-courier update`: what customers' computers accept, and a target downloaded as they would.
//!
//! Metadata comes by [`super::agent`]; a target from its own address or from below one that was named.

use super::agent::{self, Agent};
use super::arguments::Update;
use super::download::{self, Came, Last};
use super::fetch::open;
use super::first::First;
use super::kept::Kept;
use super::progress::Progress;
use super::rules;
use super::server::Want;
use super::told::Told;
use super::url::Url;
use super::web::{Patience, Web};
use crate::cli::session::shown;
use crate::tuf::client::Outcome;
use crate::tuf::document::TargetFile;
use crate::tuf::json::{Json, object};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::{Screen, Tone};
use crate::ui::table::Table;
use std::path::PathBuf;

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
    let first = First::read(&args.trusted.trust, args.trusted.collection.as_deref())?;
    let place = match (&args.target, &args.out) {
        (Some(target), Some(out)) => Some((target.as_str(), out.join(last_part(target)?))),
        _ => None,
    };
    let source = open(&args.reach, first.profile, &first.collection, Want::Pull)?;
    let server = source.shown();
    let (kept, state) = Kept::open(&first.folder(args.trusted.state.as_deref(), "")?, &first.bytes)?;
    let settings = agent::settings(first.profile, &first.collection)?;
    let mut agent = Agent::new(&source, Some(kept), state, settings)?;
    let progress = Progress::new();
    agent.go_on(&progress)?;
    let got = place.map(|(target, place)| get(args, &mut agent, target, place, &progress)).transpose()?;
    progress.done();
    let outcome = agent.outcome();
    Ok(Told::done(
        screen(&server, &agent, &outcome, got.as_ref()),
        json(&server, &agent, &outcome, got.as_ref()),
    ))
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

fn get(
    args: &Update,
    agent: &mut Agent<'_>,
    target: &str,
    place: PathBuf,
    progress: &Progress,
) -> Result<Got> {
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
    let web = Web::new(args.reach.authorities_of_targets(args.targets_ca.as_deref()), patience)?;
    let came = download::fetch(&web, &from, &file, &place, Last::New, progress)?;
    Ok(Got { name: target.to_owned(), role, file, from, place, came })
}

fn screen(server: &str, agent: &Agent<'_>, outcome: &Outcome, got: Option<&Got>) -> Screen {
    let mut table = Table::new(["role", "version", "expires"]);
    for (role, version) in &outcome.versions {
        let held = agent.trusted(role);
        let expires = held.map(|held| held.payload().document().header().expires.to_string());
        table.push([role.to_string(), version.to_string(), expires.unwrap_or_default()]);
    }
    let mut screen = Screen::new("Update")
        .fact("server", server)
        .fact("files asked for", agent.asked().to_string())
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

fn json(server: &str, agent: &Agent<'_>, outcome: &Outcome, got: Option<&Got>) -> Json {
    let number = |n: u64| Json::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let roles = outcome.versions.iter().map(|(role, version)| {
        let held = agent.trusted(role);
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
        ("asked", number(agent.asked())),
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
