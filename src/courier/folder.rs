//! A folder of fetched files: it appears whole, or not at all.
//!
//! What is served now takes the place of what was fetched before, so that a file that the server no longer
//! has is not taken in as if it had. Nothing but an earlier fetch is ever replaced, which is known by its
//! folder of receipts; they stay. The folder around it is locked meanwhile, so that of two at once each is
//! whole, and the later one is what is there.

use super::rules;
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::shown;
use crate::record::media;
use crate::system::files::{exchange, open_folder, rename_new, sync_folder};
use crate::tuf::rule::{Refusal, Result};
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
    // Held until all is done.
    let around = open_folder(folder_of(into)).map_err(|error| failed(into, &error))?;
    around.lock().map_err(|error| failed(into, &error))?;
    let there = is_fetched(into)?;
    let part = beside(into)?;
    let kept = if there { receipts(into)? } else { BTreeMap::new() };
    let mut all: BTreeMap<&str, &[u8]> =
        kept.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    all.extend(files);
    let made = write(&part, &all).and_then(|()| {
        let named = if there { exchange(&part, into) } else { rename_new(&part, into) };
        named?;
        around.sync_all()
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
    let (mut documents, mut timestamp, mut marked) = (false, false, false);
    for entry in fs::read_dir(into).map_err(|error| failed(into, &error))? {
        let entry = entry.map_err(|error| failed(into, &error))?;
        let plain = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = entry.file_name();
        let ours = name.to_str().and_then(|name| name.strip_suffix(".json"));
        let ours = ours.is_some_and(|stem| !stem.starts_with('.'));
        let receipts = entry.file_type().is_ok_and(|kind| kind.is_dir()) && name == RECEIPTS;
        marked |= receipts;
        documents |= !receipts;
        timestamp |= name == "timestamp.json";
        // A record holds more.
        if !receipts && (!plain || !ours || name == "trust.json") {
            return refuse(&format!("it holds {}", shown(Path::new(&name))));
        }
    }
    // A folder of other JSON, and one that a web server serves, have none.
    if documents && !(marked && timestamp) {
        return refuse("it holds files that no fetch has put there");
    }
    Ok(true)
}

/// Refuses to put what is fetched in the place of what it is fetched from.
///
/// # Errors
///
/// `FETCH-PLACE`.
pub fn is_apart(into: &Path, server: &str) -> Result<()> {
    match (fs::canonicalize(into), fs::canonicalize(server)) {
        (Ok(into), Ok(server)) if into == server => {
            let found = format!("{}, which is what is served", shown(&into));
            Err(Refusal::new(&rules::FETCH_PLACE, found, "a folder of its own"))
        }
        _ => Ok(()),
    }
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
    Ok(folder_of(into).join(format!(".{}.keyrite-part", name.to_string_lossy())))
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
    fs::create_dir(part.join(RECEIPTS))?;
    for (name, bytes) in files {
        let path = part.join(name);
        fs::create_dir_all(folder_of(&path))?;
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    sync_folder(part)
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
        let files = BTreeMap::from([("timestamp.json", b"1".as_slice()), ("2.root.json", b"2")]);
        put(&into, &files).unwrap();
        put(&into, &BTreeMap::from([("root.json", b"3".as_slice()), ("timestamp.json", b"3")])).unwrap();
        let names =
            |dir: &Path| fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(names(&into).len(), 3, "and receipts");
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
        // A folder that looks like one, and was not made by a fetch: somebody's settings, a web server's.
        for (folder, file) in [("settings", "package.json"), ("served", "timestamp.json")] {
            fs::create_dir(dir.join(folder)).unwrap();
            fs::write(dir.join(folder).join(file), "{}").unwrap();
            assert_eq!(put(&dir.join(folder), &files).unwrap_err().rule().name, "FETCH-PLACE", "{folder}");
            assert_eq!(fs::read(dir.join(folder).join(file)).unwrap(), b"{}");
            fs::remove_dir_all(dir.join(folder)).unwrap();
        }
        let served = into.to_str().unwrap().to_owned();
        assert_eq!(is_apart(&into.join("../published"), &served).unwrap_err().rule().name, "FETCH-PLACE");
        is_apart(&into, "https://repo.example.com").unwrap();
        fs::create_dir(into.join("targets.json")).unwrap();
        assert_eq!(put(&into, &files).unwrap_err().rule().name, "FETCH-PLACE");
        assert_eq!(
            put(&dir.join("published/timestamp.json"), &files).unwrap_err().rule().name,
            "FETCH-PLACE"
        );
        assert_eq!(put(&dir.join("not/there"), &files).unwrap_err().rule().name, "FILE-WRITE");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn of_many_at_once_each_is_whole() {
        let dir = std::env::temp_dir().join(format!("keyrite-folders-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join(".tmp-published")).unwrap();
        let into = dir.join("published");
        std::thread::scope(|scope| {
            for number in 0..4 {
                let into = &into;
                scope.spawn(move || {
                    for round in 0..6 {
                        let (name, bytes) = (format!("{number}.root.json"), format!("{number} {round}"));
                        let receipt = format!("receipts/{number:032}{round:032}.json");
                        let files =
                            [name.as_str(), "timestamp.json", &receipt].map(|n| (n, bytes.as_bytes()));
                        put(into, &BTreeMap::from(files)).unwrap();
                    }
                });
            }
        });
        let mut names: Vec<_> =
            fs::read_dir(&into).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names.get(1..).unwrap(), ["receipts", "timestamp.json"], "{names:?}");
        let root = fs::read(into.join(names.first().unwrap())).unwrap();
        assert_eq!(fs::read(into.join("timestamp.json")).unwrap(), root);
        assert_eq!(fs::read_dir(into.join("receipts")).unwrap().count(), 24, "no receipt is lost");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "a folder of a person's own stays");
        fs::remove_dir_all(&dir).unwrap();
    }
}
