//! Which runbooks people mean by the files and folders that they named.
//!
//! Never: two changes taken for one, whose folders begin with the same digits.

use super::rules;
use super::session::{DIGITS, shown};
use crate::tuf::rule::{Refusal, Result};
use std::path::{Path, PathBuf};

/// The runbooks that people named: files as they are, a folder's `*.toml` in order of name.
///
/// # Errors
///
/// `RUNBOOK-MISSING` for a folder without any.
pub fn runbook_paths(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let add = |paths: &mut Vec<PathBuf>, path: PathBuf| {
        if let Some(other) = paths.iter().find(|other| same_digits(other, &path)) {
            return Err(two_runbooks(other, &path));
        }
        paths.push(path);
        Ok(())
    };
    for path in named {
        if !path.is_dir() {
            add(&mut paths, path.clone())?;
            continue;
        }
        let missing =
            |found: String| Refusal::new(&rules::RUNBOOK_MISSING, found, "a folder of runbooks, *.toml");
        let entries = std::fs::read_dir(path).map_err(|e| missing(format!("{}: {e}", shown(path))))?;
        let mut found: Vec<_> = entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "toml"))
            .filter(|p| !p.file_name().is_some_and(|n| n == "devices.toml" || n == "answers.toml"))
            .collect();
        found.sort();
        if found.is_empty() {
            return Err(missing(format!("{} without any", shown(path))));
        }
        found.into_iter().try_for_each(|path| add(&mut paths, path))?;
    }
    Ok(paths)
}

/// Whether two runbooks are of changes whose folders begin alike: the lines that are printed name one by
/// the first digits of its digest, and a shell puts in whatever begins so.
fn same_digits(one: &Path, other: &Path) -> bool {
    let folder = |path: &Path| {
        let change = path.parent().filter(|_| path.file_name().is_some_and(|name| name == "runbook.toml"))?;
        // Typed inside changes/ a line names no folder above the change.
        let above = change.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let changes =
            above.canonicalize().ok().filter(|path| path.file_name().is_some_and(|n| n == "changes"))?;
        let digits: String = change.file_name()?.to_str()?.chars().take(DIGITS).collect();
        Some((changes, digits))
    };
    one != other && folder(one).is_some_and(|one| folder(other) == Some(one))
}

fn two_runbooks(one: &Path, other: &Path) -> Refusal {
    let found = format!("{} and {}", shown(one), shown(other));
    Refusal::new(&rules::RUNBOOK_TWO, found, "one change that begins with these digits")
}
