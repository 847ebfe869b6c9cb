//! Files that keyrite makes for people: the device map, runbooks, answers to fill in, completions.
//!
//! Made once and whole: never overwritten, never half there. What is there already with the very
//! same content is fine, so a command that was cut off can be given again.

use super::rules;
use super::session::shown;
use crate::system::files::{self, Access, is_unable};
use crate::tuf::rule::{Refusal, Result};
use std::fs;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

/// Makes a file that others may read.
///
/// # Errors
///
/// `FILE-EXISTS` if something else is there, `FILE-WRITE` if the disk won't.
pub fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    make(path, bytes, Access::Public)
}

/// Makes a file of its owner's alone: an encrypted private key.
///
/// # Errors
///
/// As [`create`].
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<()> {
    make(path, bytes, Access::Private)
}

/// Makes a folder of its owner's alone, if it is not there yet.
///
/// # Errors
///
/// `FILE-WRITE` if the disk won't.
pub fn folder_private(path: &Path) -> Result<()> {
    files::make_folders(path).map_err(|e| failed(path, &e))
}

fn make(path: &Path, bytes: &[u8], access: Access) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && fs::read(path).is_ok_and(|there| there == bytes) => return Ok(()),
        Ok(_) => return Err(exists(path)),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(failed(path, &e)),
    }
    let name = path.file_name().ok_or_else(|| exists(path))?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
    // One name for each file: what a run that was cut off left here, this one replaces.
    let part = folder.join(format!(".tmp-{}", name.to_string_lossy()));
    let written = write(&part, bytes, access).and_then(|()| put_in_place(&part, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&part);
        return Err(if error.kind() == ErrorKind::AlreadyExists {
            exists(path)
        } else {
            failed(path, &error)
        });
    }
    files::sync_folder(folder).map_err(|e| failed(folder, &e))?;
    if fs::read(path).is_ok_and(|there| there == bytes) {
        Ok(())
    } else {
        Err(Refusal::new(
            &rules::FILE_WRITE,
            format!("{} reads back otherwise", shown(path)),
            "what was written",
        ))
    }
}

fn write(part: &Path, bytes: &[u8], access: Access) -> std::io::Result<()> {
    match fs::remove_file(part) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = files::create_new(part, access)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn put_in_place(part: &Path, path: &Path) -> std::io::Result<()> {
    match files::rename_new(part, path) {
        // File systems that can't: look again, then rename; nobody else writes here.
        Err(e) if is_unable(&e) => {
            if fs::symlink_metadata(path).is_ok() {
                return Err(Error::from(ErrorKind::AlreadyExists));
            }
            fs::rename(part, path)
        }
        done => done,
    }
}

fn exists(path: &Path) -> Refusal {
    Refusal::new(&rules::FILE_EXISTS, format!("{} is there already", shown(path)), "a name that is free")
}

fn failed(path: &Path, error: &Error) -> Refusal {
    Refusal::new(&rules::FILE_WRITE, format!("{}: {error}", shown(path)), "a place that can be written to")
}
