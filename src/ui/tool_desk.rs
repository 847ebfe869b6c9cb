//! The desk at which shares that another tool made come back.
//!
//! Nobody has said whose they are and nothing in them can be checked, so each is typed twice. One that is
//! typed wrong is told so and typed again, three times.
//!
//! Never: a share on the screen, a share of another form than the runbook's tool makes.

use super::screen::{Screen, Tone};
use super::share_desk::{TRIES, say};
use super::{Console, Prompt};
use crate::ceremony::tool_split::{Tool, ToolSplit};
use crate::signer::slip39::Secret;
use crate::signer::tool_shares::{Form, Together, ToolShare, same};
use crate::tuf::rule::Result;

/// How a tool's shares are made and written.
pub const fn form_of(tool: Tool) -> Form {
    match tool {
        Tool::YubiHsmSetup => Form::HeadedBase64,
        Tool::YubiHsmManager => Form::HeadedHex,
        Tool::Vault => Form::Numbered,
    }
}

/// Gathers the shares, and gives what they give: proven by nothing yet.
///
/// # Errors
///
/// What a share is refused for the third time; `TOOL-AGREE`, `TOOL-SECRET` if what is here can't be right.
pub fn gather(console: &mut dyn Console, split: ToolSplit) -> Result<Secret> {
    let form = form_of(split.tool());
    let mut together = Together::new(form, split.needed(), split.brought())?;
    let mut tries = 0usize;
    while together.missing() > 0 {
        tries = tries.saturating_add(1);
        let number = usize::from(split.brought()).saturating_sub(together.missing()).saturating_add(1);
        let of = format!("Share {number} of {}", split.brought());
        let taken = typed_twice(console, form, &of)?.and_then(|share| {
            let text = share.to_string();
            together.add(share).map(|()| text)
        });
        match taken {
            Ok(text) => {
                console.show(&Screen::default().callout(Tone::Done, format!("{text} of its set is here")))?;
                tries = 0;
            }
            Err(refusal) if tries >= TRIES => return Err(refusal),
            Err(refusal) => say(console, &refusal, "Type the share again, or another one.")?,
        }
    }
    together.secret()
}

/// The inner result is of the typing, the outer one of the asking.
fn typed_twice(console: &mut dyn Console, form: Form, of: &str) -> Result<Result<ToolShare>> {
    let first = Prompt::new("tool-share", of).help("As it stands on its paper; spaces don't count.");
    let once = console.secret(&first)?;
    // Before it is typed again for nothing.
    let share = match ToolShare::read(form, once.expose()) {
        Ok(share) => share,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let again = console.secret(&Prompt::new("tool-share", format!("{of}, once more")))?;
    Ok(same(once.expose(), again.expose()).map(|()| share))
}
