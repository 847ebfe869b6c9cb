//! `keyrite-courier tuf-client`: the update agent as the public conformance suite for TUF calls it
//! (theupdateframework/tuf-conformance, CLIENT-CLI.md).
//!
//! Metadata is in files by role; a target is put under its whole name, quoted, and a newer one takes an
//! older one's place, as the suite expects. It ends with 0 or 1.

use super::agent::{self, Agent};
use super::arguments::{Step, TufClient};
use super::download::{self, Came, Last};
use super::kept::Kept;
use super::progress::Progress;
use super::source::Source;
use super::told::Told;
use super::url::Url;
use super::web::{Authorities, Patience, Web};
use crate::record::media;
use crate::tuf::client::{Caps, Change, State};
use crate::tuf::json::{Json, object};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::ui::screen::{Screen, Tone};

/// Runs the command.
///
/// # Errors
///
/// As `update` refuses.
pub fn run(args: &TufClient) -> Result<Told> {
    let kept = Kept::plain(&args.metadata_dir)?;
    if let Step::Init { root } = &args.step {
        let bytes = media::read_file(root, Caps::TUF.root)?;
        kept.write(&Change::Put(RoleName::Root, bytes))?;
        return Ok(told(0));
    }
    let base = Url::base(named(args.metadata_url.as_deref(), "--metadata-url")?)?;
    let source = Source::Web(Web::new(Authorities::Machine, Patience::METADATA)?, base, None);
    let state = State::from_files(kept.files()?);
    let progress = Progress::new();
    let mut agent = Agent::new(&source, Some(kept), state, agent::settings(Profile::Tuf, "")?)?;
    agent.go_on(&progress)?;
    let mut fetched = 0_u32;
    if matches!(args.step, Step::Download) {
        let base = Url::base(named(args.target_base_url.as_deref(), "--target-base-url")?)?;
        let folder = named(args.target_dir.as_deref(), "--target-dir")?;
        for name in &args.target_name {
            let (_, file) = agent.find(name, &progress)?;
            let place = folder.join(RoleName::from_name(name).file_name());
            let web = Web::new(Authorities::Machine, Patience::METADATA.with_bytes(file.length))?;
            let url = agent.address(&base, name, &file)?;
            if download::fetch(&web, &url, &file, &place, Last::Replaces, &progress)? == Came::Fetched {
                fetched = fetched.saturating_add(1);
            }
        }
    }
    Ok(told(fetched))
}

fn named<T>(value: Option<T>, option: &str) -> Result<T> {
    value.ok_or_else(|| Refusal::new(&crate::cli::rules::USAGE, format!("no {option}"), option))
}

fn told(fetched: u32) -> Told {
    let screen = Screen::new("TUF client").fact("downloaded", fetched.to_string());
    Told::done(screen.callout(Tone::Done, "Done."), object([("downloaded", Json::Int(fetched.into()))]))
}
