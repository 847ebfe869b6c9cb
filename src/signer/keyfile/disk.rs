//! Key files on disk: read with a cap, written once, never overwritten.
//!
//! A new file is written under another name in the same directory, mode 0600, brought to the
//! medium, then given its name only if that is free, and read back (threats T20). A process killed
//! in between leaves at most a file that begins with a dot and ends in `.new`.

use super::private::drawn;
use crate::signer::randomness::Randomness;
use crate::signer::rules;
use crate::system::files::{Access, create_new, is_unable, open_to_judge, rename_new, sync_folder};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// No key file is nearly as large.
const SIZE_MAX: u64 = 64 * 1024;

/// The content of a regular file; none if there is no file of that name.
pub(in crate::signer) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    // A named pipe must not make the program wait, so it is opened without waiting and then judged.
    let file = match open_to_judge(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("read", path, &e)),
    };
    let meta = file.metadata().map_err(|e| failed("read", path, &e))?;
    if !meta.is_file() || meta.len() > SIZE_MAX {
        return Err(Refusal::new(
            &rules::KEY_FILE_FORM,
            format!("{}: {} bytes, or no regular file", shown(path), meta.len()),
            format!("a regular file of at most {SIZE_MAX} bytes"),
        ));
    }
    let mut bytes = Vec::new();
    file.take(SIZE_MAX).read_to_end(&mut bytes).map_err(|e| failed("read", path, &e))?;
    Ok(Some(bytes))
}

/// Writes a file that is not there yet.
pub(in crate::signer) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = directory_of(path);
    let draft = draft_of(path)?;
    let written = write_draft(&draft, bytes)
        .map_err(|e| failed("write", &draft, &e))
        .and_then(|()| give_name(&draft, path));
    if written.is_err() {
        // The refusal says what matters; a draft that can't be removed does no harm.
        drop(fs::remove_file(&draft));
    }
    written?;
    sync(&directory)?;
    if read(path)?.as_deref() == Some(bytes) {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::KEY_FILE_IO,
        format!("{}: other bytes than were written", shown(path)),
        "a medium that keeps what is written",
    ))
}

/// Removes a file for good, as far as a file system does that.
pub(in crate::signer) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|e| failed("remove", path, &e))?;
    sync(&directory_of(path))
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(draft, Access::Private)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn give_name(draft: &Path, path: &Path) -> Result<()> {
    let done = match rename_new(draft, path) {
        // A hard link doesn't replace either.
        Err(e) if is_unable(&e) => fs::hard_link(draft, path).and_then(|()| fs::remove_file(draft)),
        other => other,
    };
    done.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => failed("write", path, &e),
    })
}

/// That a file of that name is there already.
pub(in crate::signer) fn exists(path: &Path) -> Refusal {
    Refusal::new(&rules::KEY_FILE_EXISTS, format!("{} is there already", shown(path)), "a name that is free")
}

fn draft_of(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| {
        Refusal::new(&rules::KEY_FILE_IO, format!("\"{}\"", shown(path)), "the path of a file")
    })?;
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}.new", base16ct::lower::encode_string(&drawn::<8>(&Randomness::system())?[..])));
    Ok(path.with_file_name(draft))
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn sync(directory: &Path) -> Result<()> {
    sync_folder(directory).map_err(|e| failed("write", directory, &e))
}

pub(in crate::signer) fn failed(verb: &str, path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(
        &rules::KEY_FILE_IO,
        format!("can't {verb} {}: {error}", shown(path)),
        "a medium that can be read and written",
    )
}

pub(in crate::signer) fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_file_is_written_once_and_leaves_no_draft() {
        let dir = std::env::temp_dir().join(format!("keyrite-disk-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("key.pem");
        write_new(&path, b"first").unwrap();
        assert_eq!(write_new(&path, b"second").unwrap_err().rule().name, "KEY-FILE-EXISTS");
        assert_eq!(read(&path).unwrap().unwrap(), b"first");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        remove(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        assert_eq!(write_new(Path::new("/"), b"").unwrap_err().rule().name, "KEY-FILE-IO");
        fs::remove_dir_all(&dir).unwrap();
    }
}
