//! A target file: what comes is counted and hashed as it is written, and only what is all of it, and
//! nothing else, takes the file's name.
//!
//! Until then it has a hidden name of this program's own beside it, so that an end at any moment leaves no
//! wrong file where people look for the right one.
//!
//! Never: a byte more than the role says, a file that is there overwritten by [`Last::New`].

use super::progress::Progress;
use super::rules;
use super::url::Url;
use super::web::Web;
use crate::cli::host::{Host as _, System};
use crate::cli::rules::FILE_WRITE;
use crate::cli::session::shown;
use crate::system::files::{self, rename_new, sync_folder};
use crate::tuf::document::TargetFile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use sha2::{Digest as _, Sha256, Sha512};
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// How many bytes of a file are read at once.
const PIECE: usize = 256 * 1024;

/// What happens to another file of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// It stays, and the new one is refused.
    New,
    /// The new one takes its place.
    Replaces,
}

/// Whether a file came, or was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It was fetched.
    Fetched,
    /// The very same was there.
    There,
}

/// Whether the very file is at `place` already; refuses where another is that stays.
///
/// # Errors
///
/// `TARGET-THERE`, `TARGET-BYTES` for a file that its role gives no known digest, `FILE-WRITE`.
pub fn is_there(file: &TargetFile, place: &Path, last: Last) -> Result<bool> {
    let refuse = |found: &str| {
        if last == Last::Replaces {
            return Ok(false);
        }
        let found = format!("{}: {found}", shown(place));
        Err(Refusal::new(&rules::TARGET_THERE, found, "the same file, or none"))
    };
    let mut hash = Hash::new(file)?;
    let meta = match fs::symlink_metadata(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        meta => meta.map_err(|error| failed(place, &error))?,
    };
    if !meta.is_file() || meta.len() != file.length {
        return refuse("another file");
    }
    let mut there = match File::open(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        there => there.map_err(|error| failed(place, &error))?,
    };
    let mut piece = vec![0; PIECE];
    loop {
        match there.read(&mut piece).map_err(|error| failed(place, &error))? {
            0 => break,
            size => hash.take(piece.get(..size).unwrap_or_default()),
        }
    }
    if hash.compare(file).is_err() { refuse("a file with other bytes") } else { Ok(true) }
}

/// Fetches a file to `place`.
///
/// # Errors
///
/// `TARGET-BYTES`, `TARGET-THERE`, `FILE-WRITE`; as [`Web::pour`].
pub fn fetch(
    web: &Web,
    url: &Url,
    file: &TargetFile,
    place: &Path,
    last: Last,
    progress: &Progress,
) -> Result<Came> {
    if is_there(file, place, last)? {
        return Ok(Came::There);
    }
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut part = Part::new(place, &name)?;
    let mut hash = Hash::new(file)?;
    let mut shown_at = u64::MAX;
    web.pour(url, file.length, &mut |piece| {
        hash.take(piece);
        part.file.write_all(piece).map_err(|error| failed(place, &error))?;
        let percent = hash.size.saturating_mul(100).checked_div(file.length).unwrap_or(100);
        if percent != shown_at {
            shown_at = percent;
            progress.say(&bar(&name, percent, hash.size, file.length));
        }
        Ok(())
    })?;
    progress.done();
    hash.compare(file).map_err(|why| why.at(url.shown()))?;
    part.file.sync_all().map_err(|error| failed(place, &error))?;
    if part.becomes(place, last)? {
        return Ok(Came::Fetched);
    }
    // Somebody was faster: with the very file, or with another.
    if is_there(file, place, last)? {
        return Ok(Came::There);
    }
    let found = format!("{}: another file, which came meanwhile", shown(place));
    Err(Refusal::new(&rules::TARGET_THERE, found, "no file of that name"))
}

/// Refuses an address that doesn't answer with the very file; nothing of it is kept.
///
/// # Errors
///
/// `TARGET-BYTES`; as [`Web::pour`].
pub fn same(web: &Web, url: &Url, file: &TargetFile, progress: &Progress) -> Result<()> {
    let mut hash = Hash::new(file)?;
    web.pour(url, file.length, &mut |piece| {
        hash.take(piece);
        progress.say(&format!("comparing {}: {} of {} bytes", url.shown(), hash.size, file.length));
        Ok(())
    })?;
    hash.compare(file).map_err(|why| why.at(url.shown()))
}

/// `[#####-----]  50 %  firmware.bin, 5 of 10 bytes`
fn bar(name: &str, percent: u64, size: u64, all: u64) -> String {
    let full = usize::try_from(percent / 5).unwrap_or_default().min(20);
    let rest = 20_usize.saturating_sub(full);
    format!("[{}{}] {percent:>3} %  {name}, {size} of {all} bytes", "#".repeat(full), "-".repeat(rest))
}

/// What has come so far.
struct Hash {
    size: u64,
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
}

impl Hash {
    fn new(file: &TargetFile) -> Result<Self> {
        let has = |name| file.hashes.get(name).is_some();
        if !has("sha256") && !has("sha512") {
            let names: Vec<_> = file.hashes.iter().map(|(name, _)| visible(name)).collect();
            let found = format!("digests by \"{}\" only", names.join(", "));
            return Err(Refusal::new(&rules::TARGET_BYTES, found, "a digest by sha256 or sha512"));
        }
        let sha256 = has("sha256").then(Sha256::new);
        Ok(Self { size: 0, sha256, sha512: has("sha512").then(Sha512::new) })
    }

    fn take(&mut self, piece: &[u8]) {
        self.size = self.size.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(piece);
        }
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(piece);
        }
    }

    fn compare(self, file: &TargetFile) -> Result<()> {
        if self.size != file.length {
            let found = format!("{} bytes", self.size);
            return Err(Refusal::new(&rules::TARGET_BYTES, found, format!("{} bytes", file.length)));
        }
        let sha256 = self.sha256.map(|hash| hash.finalize().to_vec());
        let sha512 = self.sha512.map(|hash| hash.finalize().to_vec());
        for (name, found) in [("sha256", sha256), ("sha512", sha512)] {
            let expected = file.hashes.get(name);
            if expected != found.as_deref() {
                let hex = |bytes: Option<&[u8]>| base16ct::lower::encode_string(bytes.unwrap_or_default());
                let found = format!("{name} {}", hex(found.as_deref()));
                return Err(Refusal::new(&rules::TARGET_BYTES, found, format!("{name} {}", hex(expected))));
            }
        }
        Ok(())
    }
}

/// A file that is not whole yet, under a name that nobody else ever has. While it is written it is locked:
/// one that nobody holds is what a download that was cut off has left.
struct Part {
    path: PathBuf,
    file: File,
    /// Whether it has the file's name by now.
    done: bool,
}

impl Part {
    fn new(place: &Path, name: &str) -> Result<Self> {
        let folder = folder_of(place);
        clear(folder, name);
        for _ in 0..1000 {
            let path = folder.join(format!(".{name}.{}-{}.part", std::process::id(), random(place)?));
            let file = match File::create_new(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made.map_err(|error| failed(place, &error))?,
            };
            file.lock().map_err(|error| failed(place, &error))?;
            // Until it was locked, another download could take it for one that was cut off.
            if is_same(&file, &path) {
                return Ok(Self { path, file, done: false });
            }
        }
        Err(failed(place, &ErrorKind::AlreadyExists.into()))
    }

    /// Gives it the file's name; not where another has it that stays.
    fn becomes(mut self, place: &Path, last: Last) -> Result<bool> {
        let named = match last {
            Last::New => rename_new(&self.path, place),
            Last::Replaces => fs::rename(&self.path, place),
        };
        match named {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            done => {
                self.done = done.is_ok();
                done.and_then(|()| sync_folder(folder_of(place))).map_err(|error| failed(place, &error))?;
                Ok(true)
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A number for a name: process ids repeat, as in containers that share a folder.
fn random(place: &Path) -> Result<u64> {
    let bytes = System.randomness().bytes().map_err(|why| failed(place, &Error::other(why)))?;
    Ok(u64::from_le_bytes(*bytes))
}

/// Whether a name still leads to this very file.
fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(file), Ok(named)) => files::is_same(&file, &named),
        _ => false,
    }
}

/// Takes away what downloads of that name have left that were cut off.
fn clear(folder: &Path, name: &str) {
    let begins = format!(".{name}.");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let there = entry.file_name().to_string_lossy().into_owned();
        let ours = there.strip_prefix(&begins).and_then(|rest| rest.strip_suffix(".part"));
        let ours = ours.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
        // Held until the name is gone.
        if ours
            && let Ok(part) = File::open(entry.path())
            && part.try_lock().is_ok()
            && is_same(&part, &entry.path())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn failed(path: &Path, error: &Error) -> Refusal {
    let found = format!("{}: {}", shown(path), shown(Path::new(&error.to_string())));
    Refusal::new(&FILE_WRITE, found, "a place that can be written to")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Each digest that a role says counts, and one of the two has to be there.
    #[test]
    fn every_digest_that_is_told_is_compared() {
        let (good, bad) = (b"an installer".as_slice(), b"an instaIler".as_slice());
        let sha256 = |of: &[u8]| ("sha256", Sha256::digest(of).to_vec());
        let sha512 = |of: &[u8]| ("sha512", Sha512::digest(of).to_vec());
        let other = ("blake3", vec![7; 32]);
        let cases = [
            (vec![sha256(good)], true),
            (vec![sha512(good)], true),
            (vec![sha256(good), sha512(good), other.clone()], true),
            (vec![sha256(bad)], false),
            (vec![sha512(bad)], false),
            (vec![sha256(good), sha512(bad)], false),
            (vec![sha256(bad), sha512(good)], false),
            (vec![("sha512", sha256(good).1)], false),
            (vec![other], false),
            (vec![], false),
        ];
        for (hashes, fits) in cases {
            let told: Vec<_> = hashes.iter().map(|(name, _)| *name).collect();
            let hashes: std::collections::BTreeMap<_, _> =
                hashes.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
            let file = TargetFile { length: 12, hashes: hashes.into(), custom: None };
            let compared = Hash::new(&file).and_then(|mut hash| {
                good.chunks(5).for_each(|piece| hash.take(piece));
                hash.compare(&file)
            });
            match compared {
                Ok(()) => assert!(fits, "{told:?}"),
                Err(why) => assert!(!fits && *why.rule() == rules::TARGET_BYTES, "{told:?}: {why}"),
            }
        }
    }

    /// What a download is about to write stays its own while others clear away what was cut off.
    #[test]
    fn a_part_is_never_taken_for_one_that_was_cut_off() {
        let dir = std::env::temp_dir().join(format!("keyrite-parts-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let (place, over) = (dir.join("one.msi"), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        clear(&dir, "one.msi");
                    }
                });
            }
            for _ in 0..500 {
                let part = Part::new(&place, "one.msi").expect("a part");
                let same = is_same(&part.file, &part.path);
                if !same {
                    over.store(true, Ordering::Relaxed);
                }
                assert!(same, "{} is another's by now", part.path.display());
            }
            over.store(true, Ordering::Relaxed);
        });
        // One that nobody holds goes; whoever was slower leaves the file that is there.
        fs::write(dir.join(".one.msi.77-123.part"), "").unwrap();
        let part = Part::new(&place, "one.msi").unwrap();
        assert!(!dir.join(".one.msi.77-123.part").exists());
        fs::write(&place, "first").unwrap();
        assert!(!part.becomes(&place, Last::New).unwrap());
        assert_eq!(fs::read(&place).unwrap(), b"first");
        assert!(Part::new(&place, "one.msi").unwrap().becomes(&place, Last::Replaces).unwrap());
        assert_eq!(fs::read(&place).unwrap(), b"");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
