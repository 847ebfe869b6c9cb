//! What a command of the courier says, and where a rehearsal may go.

use super::url::Url;
use crate::ceremony::facts::Stage;
use crate::record::rules::UPLOAD_STAGE;
use crate::tuf::json::Json;
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::ui::screen::Screen;

/// A result: for people, and for scripts.
#[derive(Debug, Clone)]
pub struct Told {
    /// For people.
    pub screen: Screen,
    /// For scripts, with `--json`.
    pub json: Json,
    /// How the process ends, if not with 0.
    pub exit: Option<Exit>,
}

impl Told {
    /// A result with which all is done.
    pub const fn done(screen: Screen, json: Json) -> Self {
        Self { screen, json, exit: None }
    }
}

/// Refuses a rehearsal on any server but one on this machine.
///
/// # Errors
///
/// `UPLOAD-STAGE`, `SERVER-ADDRESS`.
pub fn stage_of(stage: Stage, server: &str) -> Result<()> {
    let http = server.starts_with("http://") || server.starts_with("https://");
    if stage == Stage::Rehearsal && http {
        let url = Url::base(server)?;
        if !url.is_loopback() {
            let found = format!("a rehearsal on {}", url.shown());
            let expected = "an address on this machine: 127.0.0.1, [::1] or localhost";
            return Err(Refusal::new(&UPLOAD_STAGE, found, expected));
        }
    }
    Ok(())
}
