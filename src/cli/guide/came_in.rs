//! What came into targets by no change of the record, where a targets key is replaced: whether it stays.

use super::asking::Asking;
use crate::ceremony::unmade::{self, CameIn, LeaveOut};
use crate::tuf::rule::Result;
use crate::tuf::text::{ours, visible};
use crate::ui::screen::Screen;
use crate::ui::{Console as _, Prompt};

/// Asks what of it is left out; nothing is asked where none came in.
pub fn ask(asking: &mut Asking<'_>) -> Result<LeaveOut> {
    let Some(CameIn { lines, version, files }) = unmade::came_in(asking.facts()) else {
        return Ok(LeaveOut::default());
    };
    let screen = Screen::new("What came in by no change of yours");
    asking.keeping.show(&screen.items(lines.iter().map(String::as_str)))?;
    let mut prompt = Prompt::new("came-in", "Shall it stay in targets?")
        .help("Who had the key may have put it there; so may one of you, with another program.")
        .help("A developer's key that was replaced comes back; what your own changes did since stays.")
        .offer("leave-out", format!("leave-out   no: as in targets {version}, with your changes since"))
        .offer("keep", "keep        yes: one of you published all of it");
    if !files.is_empty() {
        prompt = prompt.offer("files", "files       leave out single files, and keep the rest");
    }
    Ok(match asking.choose(&prompt)?.as_str() {
        "leave-out" => LeaveOut { as_in: Some(version), ..LeaveOut::default() },
        "files" => LeaveOut { without_paths: paths(asking, &files)?, ..LeaveOut::default() },
        _ => LeaveOut::default(),
    })
}

/// What becomes of targets by that, in words.
pub fn words(leave_out: &LeaveOut) -> Option<String> {
    if let Some(version) = leave_out.as_in {
        return Some(format!(
            "Targets says again what targets {version} said, with your own changes since: nothing else that \
             came in goes on, no grant and no file."
        ));
    }
    let paths: Vec<&str> = leave_out.without_paths.iter().map(String::as_str).collect();
    (!paths.is_empty()).then(|| format!("These files leave targets: {}.", paths.join(", ")))
}

/// Of those whose names can be shown as they are and listed with commas between.
fn paths(asking: &mut Asking<'_>, files: &[String]) -> Result<Vec<String>> {
    let plain =
        |path: &&String| ours("a path", path).is_ok() && visible(path) == **path && !path.contains(',');
    let prompt = Prompt::new("without-paths", "Which files must not stay?")
        .help("Others are left out by hand, under without-paths in the runbook.");
    let prompt = files.iter().filter(plain).fold(prompt, |prompt, path| prompt.allow(path.as_str()));
    asking.several(&prompt, true, None)
}
