//! A folder of fetched files: it appears whole, or not at all.
//!
//! What is served now takes the place of what was fetched before, so that a file that the server no longer
//! has is not taken in as if it had. Nothing but an earlier fetch is ever replaced, and receipts in it stay.

use super::rules;
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::shown;
use crate::record::media;
use crate::tuf::rule::{Refusal, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Where receipts are, as in a record.
const RECEIPTS: &str = "receipts";
/// The most bytes of a receipt.
const RECEIPT: u64 = 16 * 1024 * 1024;

/// Makes the folder `into` with these files, in the place of an earlier fetch if there is one.
///
/// # Errors
///
/// `FETCH-PLACE` if something else is there, `FILE-WRITE` if the disk won't: then what was there stays.
pub fn put<'a>(into: &Path, files: &BTreeMap<&'a str, &'a [u8]>) -> Result<()> {
    let there = is_fetched(into)?;
    let part = beside(into)?;
    let kept = if there { receipts(into)? } else { BTreeMap::new() };
    let mut all: BTreeMap<&str, &[u8]> =
        kept.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    all.extend(files);
    let made = write(&part, &all).and_then(|()| {
        let flag = if there { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, &part, CWD, into, flag)?;
        File::open(folder_of(into))?.sync_all()
    });
    // Of what was there before, or of what could not be written.
    let rest = fs::remove_dir_all(&part);
    made.map_err(|error| failed(into, &error))?;
    if there { rest.map_err(|error| failed(&part, &error)) } else { Ok(()) }
}

/// Whether an earlier fetch is there, before anything is asked of a server; refuses anything else.
///
/// # Errors
///
/// `FETCH-PLACE`.
pub fn is_fetched(into: &Path) -> Result<bool> {
    let refuse = |found: &str| {
        let found = format!("{}: {found}", shown(into));
        Err(Refusal::new(&rules::FETCH_PLACE, found, "an empty folder, an earlier fetch, or nothing"))
    };
    match fs::symlink_metadata(into) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(into, &error)),
        Ok(meta) if !meta.is_dir() => return refuse("no folder"),
        Ok(_) => {}
    }
    for entry in fs::read_dir(into).map_err(|error| failed(into, &error))? {
        let entry = entry.map_err(|error| failed(into, &error))?;
        let plain = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = entry.file_name();
        let ours = name.to_str().and_then(|name| name.strip_suffix(".json"));
        let ours = ours.is_some_and(|stem| !stem.starts_with('.'));
        let receipts = entry.file_type().is_ok_and(|kind| kind.is_dir()) && name == RECEIPTS;
        // A record, and a repository's own folder, hold more.
        if !receipts && (!plain || !ours || name == "trust.json") {
            return refuse(&format!("it holds {}", shown(Path::new(&name))));
        }
    }
    Ok(true)
}

/// The receipts of earlier uploads, which nobody may have taken in yet.
fn receipts(into: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let folder = into.join(RECEIPTS);
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(|error| failed(&folder, &error))?,
    };
    for entry in entries {
        let path = entry.map_err(|error| failed(&folder, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        found.insert(format!("{RECEIPTS}/{name}"), media::read_file(&path, RECEIPT)?);
    }
    Ok(found)
}

fn beside(into: &Path) -> Result<PathBuf> {
    let name = into.file_name().ok_or_else(|| {
        Refusal::new(&rules::FETCH_PLACE, format!("{}: no name", shown(into)), "a folder with a name")
    })?;
    Ok(folder_of(into).join(format!(".tmp-{}", name.to_string_lossy())))
}

fn folder_of(into: &Path) -> &Path {
    into.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write(part: &Path, files: &BTreeMap<&str, &[u8]>) -> std::io::Result<()> {
    // What a fetch that was cut off left here.
    match fs::remove_dir_all(part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir(part)?,
    }
    for (name, bytes) in files {
        let path = part.join(name);
        fs::create_dir_all(folder_of(&path))?;
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    File::open(part)?.sync_all()
}

fn failed(path: &Path, error: &Error) -> Refusal {
    let found = format!("{}: {}", shown(path), shown(Path::new(&error.to_string())));
    Refusal::new(&FILE_WRITE, found, "a place that can be written to")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_fetch_replaces_a_fetch_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("keyrite-folder-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let into = dir.join("published");
        let files = BTreeMap::from([("root.json", b"1".as_slice()), ("2.root.json", b"2")]);
        put(&into, &files).unwrap();
        put(&into, &BTreeMap::from([("root.json", b"3".as_slice())])).unwrap();
        let names =
            |dir: &Path| fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(names(&into), ["root.json"]);
        assert_eq!(fs::read(into.join("root.json")).unwrap(), b"3");
        assert_eq!(names(&dir), ["published"]);
        let receipt = format!("receipts/{}.json", "0".repeat(64));
        put(&into, &BTreeMap::from([(receipt.as_str(), b"4".as_slice())])).unwrap();
        put(&into, &files).unwrap();
        assert_eq!(fs::read(into.join(&receipt)).unwrap(), b"4", "a receipt that nobody took in stays");
        for other in ["notes.txt", "trust.json", ".hidden.json"] {
            fs::write(into.join(other), "").unwrap();
            assert_eq!(put(&into, &files).unwrap_err().rule().name, "FETCH-PLACE", "{other}");
            fs::remove_file(into.join(other)).unwrap();
        }
        fs::create_dir(into.join("targets.json")).unwrap();
        assert_eq!(put(&into, &files).unwrap_err().rule().name, "FETCH-PLACE");
        assert_eq!(put(&dir.join("published/root.json"), &files).unwrap_err().rule().name, "FETCH-PLACE");
        assert_eq!(put(&dir.join("not/there"), &files).unwrap_err().rule().name, "FILE-WRITE");
        fs::remove_dir_all(&dir).unwrap();
    }
}
