//! Where copies of keys lie: files on media of one's own, never in the record.
//!
//! The record is public and forgets nothing. A wrapped key is worth nothing without its wrap key, but
//! the custodians' cards are all that would then keep it: so copies are kept apart, by the folder that
//! the device map names (`[copies]`), and the transcript has their digests. A set's manifest is put
//! beside them, for drills; it is public.

use super::session::shown;
use super::{files, rules};
use crate::ceremony::backups::Digits;
use crate::ceremony::change::RestoredKey;
use crate::ceremony::members::{Reader, base64, digest, same_bytes};
use crate::ceremony::people::KeyName;
use crate::ceremony::share_manifest::ShareManifest;
use crate::record::dir::{Dir, Kind};
use crate::record::media;
use crate::record::rules::MEDIA_SIZE;
use crate::signer::{WrapForm, WrappedKey};
use crate::system::files::is_writable;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::key::KeyIdentity;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use base64ct::{Base64, Base64Unpadded, Encoding};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The largest file of a copy, in bytes: base64 of the longest wrapped key, and what is said of it.
const CAP: u64 = 16 * 1024;

/// The folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiesFolder(pub PathBuf);

/// A key that left its token, as its file has it.
pub struct CopyFile {
    /// The trust that it serves.
    pub trust: TrustId,
    /// The record's name.
    pub key: KeyName,
    /// The public key that it belongs to.
    pub identity: KeyIdentity,
    /// Under which wrap key.
    pub wrap_key: KeyName,
    /// How the bytes are made.
    pub form: WrapForm,
    /// As the token gave them.
    pub bytes: Vec<u8>,
}

impl CopyFile {
    /// Canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        object([
            ("form", self.form.name().into()),
            ("format", 1.into()),
            ("identity", digest(&self.identity.digest())),
            ("key", self.key.as_str().into()),
            ("trust", self.trust.to_string().into()),
            ("wrap-key", self.wrap_key.as_str().into()),
            ("wrapped", base64(&self.bytes)),
        ])
        .canonical()
    }

    /// Reads it, strictly.
    ///
    /// # Errors
    ///
    /// `JSON`, `RECORD-FORMAT`, `RECORD-MEMBER`; `COPY-FILE` for a form that keyrite doesn't know.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json = Json::parse(bytes)?;
        let mut file = Reader::file("the copy", &json)?;
        let word = file.text("form")?;
        let form = WrapForm::ALL.into_iter().find(|form| form.name() == word).ok_or_else(|| {
            let forms = WrapForm::ALL.map(WrapForm::name).join(" or ");
            Refusal::new(&rules::COPY_FILE, format!("a key wrapped as \"{}\"", visible(word)), forms)
        })?;
        let copy = Self {
            trust: file.parsed("trust")?,
            key: file.parsed("key")?,
            identity: file.parsed("identity")?,
            wrap_key: file.parsed("wrap-key")?,
            form,
            bytes: file.base64("wrapped")?,
        };
        file.done()?;
        same_bytes("the copy", bytes, &copy.to_json())?;
        Ok(copy)
    }

    /// Refuses the copy of another key, trust or wrap key than a change names.
    ///
    /// # Errors
    ///
    /// `COPY-FILE`.
    pub fn expect(&self, trust: &TrustId, back: &RestoredKey) -> Result<()> {
        let same = self.trust == *trust
            && self.key == back.key
            && self.identity == back.identity
            && self.wrap_key == back.wrap_key;
        if same && self.bytes.len() <= WrappedKey::LONGEST {
            return Ok(());
        }
        let found = format!("a copy of {} under {}, {} bytes", self.key, self.wrap_key, self.bytes.len());
        let expected = format!("one of {} under {}, of this trust", back.key, back.wrap_key);
        Err(Refusal::new(&rules::COPY_FILE, found, expected))
    }

    /// As tokens take it.
    pub fn wrapped(&self) -> WrappedKey {
        WrappedKey { form: self.form, bytes: self.bytes.clone() }
    }
}

impl CopiesFolder {
    /// Refuses a folder that isn't there, or is not for this user to write in where that is asked.
    ///
    /// # Errors
    ///
    /// `COPIES-FOLDER`.
    pub fn ready(&self, writes: bool) -> Result<()> {
        let refuse = |why: &str| {
            let found = format!("{}, which {why}", shown(&self.0));
            Err(Refusal::new(
                &rules::COPIES_FOLDER,
                found,
                "a folder that is there before the session begins",
            ))
        };
        if !self.0.is_dir() {
            return refuse("is no folder now");
        }
        if writes && !is_writable(&self.0) {
            return refuse("can't be written to");
        }
        Ok(())
    }

    /// Writes a copy, and reads it back; answers its digest and where it lies.
    ///
    /// # Errors
    ///
    /// `FILE-EXISTS`, `FILE-WRITE`; what reading refuses.
    pub fn write(&self, copy: &CopyFile) -> Result<(Digest, String)> {
        let bytes = copy.to_json();
        let digest = Digest::of(&bytes);
        let path = self.path(&copy.key, digest);
        files::folder_private(&self.0)?;
        files::create_private(&path, &bytes)?;
        self.read(&copy.key, digest)?;
        Ok((digest, shown(&path)))
    }

    /// Reads the copy of that digest.
    ///
    /// # Errors
    ///
    /// `COPY-FILE` for other bytes; what reading a file and its members refuse.
    pub fn read(&self, key: &KeyName, digest: Digest) -> Result<CopyFile> {
        let path = self.path(key, digest);
        let bytes = media::read_file(&path, CAP)?;
        let found = Digest::of(&bytes);
        if found != digest {
            let found = format!("{} of digest {found}", shown(&path));
            return Err(Refusal::new(&rules::COPY_FILE, found, digest.hex()));
        }
        CopyFile::from_json(&bytes).map_err(|e| e.at(shown(&path)))
    }

    /// What another tool let out of a token: the file whose digest begins so, under whatever name. It is
    /// the wrapped bytes as they are, or in base64 (`.yhw` files are either, by the tool and its version).
    ///
    /// # Errors
    ///
    /// `COPY-FILE` if there is none, or one too large for a wrapped key, or if several that differ begin
    /// so; what reading the folder refuses.
    pub fn find(&self, digits: &Digits) -> Result<Vec<u8>> {
        let folder = Dir::open(&self.0, &rules::COPIES_FOLDER)?;
        let refuse = |found: String| {
            let expected =
                format!("one whose SHA-256 begins {digits}, of at most {} bytes", WrappedKey::LONGEST);
            Refusal::new(&rules::COPY_FILE, found, expected)
        };
        let (mut seen, mut unread) = (0usize, Vec::new());
        let mut fit: BTreeMap<Digest, (String, Vec<u8>)> = BTreeMap::new();
        for entry in folder.entries()?.into_iter().filter(|entry| matches!(entry.kind, Kind::File)) {
            let shown = entry.shown();
            let bytes = match entry.name.as_deref().map(|name| folder.read(name, CAP)) {
                Ok(Ok(Some(bytes))) => bytes,
                // Gone since the folder was read.
                Ok(Ok(None)) => continue,
                // One that is too large is none of them.
                Ok(Err(e)) if *e.rule() == MEDIA_SIZE => {
                    seen = seen.saturating_add(1);
                    continue;
                }
                Ok(Err(_)) | Err(_) => {
                    unread.push(format!("\"{shown}\""));
                    continue;
                }
            };
            seen = seen.saturating_add(1);
            let digest = Digest::of(&bytes);
            if digits.begin(&digest) {
                fit.insert(digest, (shown, bytes));
            }
        }
        if fit.len() > 1 {
            let names: Vec<String> = fit.values().take(3).map(|(name, _)| format!("\"{name}\"")).collect();
            let found = format!("{} files that differ: {}", fit.len(), names.join(", "));
            let expected = format!("one whose SHA-256 begins {digits}; more of its digits tell them apart");
            return Err(Refusal::new(&rules::COPY_FILE, found, expected));
        }
        let Some((name, bytes)) = fit.into_values().next() else {
            let unread = match unread.as_slice() {
                [] => String::new(),
                [first, ..] => format!(", and {} that can't be read: {first}", unread.len()),
            };
            let found = format!("no such file among {seen} in {}{unread}", shown(&self.0));
            return Err(refuse(found));
        };
        let bytes = unpacked(bytes);
        if bytes.len() > WrappedKey::LONGEST {
            return Err(refuse(format!("\"{name}\" of {} bytes", bytes.len())));
        }
        Ok(bytes)
    }

    /// Writes a set's manifest; answers where it lies.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub fn write_manifest(&self, wrap_key: &KeyName, manifest: &ShareManifest) -> Result<String> {
        let path = self.0.join(format!("{wrap_key}.{}.shares.json", manifest.set));
        files::folder_private(&self.0)?;
        files::create(&path, &manifest.to_json()?)?;
        Ok(shown(&path))
    }

    fn path(&self, key: &KeyName, digest: Digest) -> PathBuf {
        let short: String = digest.hex().chars().take(16).collect();
        self.0.join(format!("{key}.{short}.copy.json"))
    }
}

/// The bytes that a file of base64 stands for, and any other file as it is. Wrapped keys look random:
/// none is base64 by chance.
fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let plain: String = text.split_ascii_whitespace().collect();
    let read = Base64::decode_vec(&plain).or_else(|_| Base64Unpadded::decode_vec(&plain));
    read.ok().filter(|read| !read.is_empty()).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::ceremony::change::CopyFrom;
    use std::os::unix::ffi::OsStrExt as _;

    /// Files that differ and begin alike are made at will, so of a few digits more than one file is none.
    #[test]
    fn of_several_files_that_begin_alike_none_is_taken() {
        let dir = std::env::temp_dir().join(format!("keyrite-copies-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(dir.join(name), bytes).unwrap();
        let find = |digits: &Digits| {
            let found = CopiesFolder(dir.clone()).find(digits);
            found.map_err(|e| (e.rule().name, e.found().to_owned()))
        };
        let exact = |bytes: &[u8]| Digits::of(&Digest::of(bytes)).parse::<Digits>().unwrap();
        // Two digits, as if sixteen: 300 files, of which some begin alike.
        let files: Vec<[u8; 2]> = (0..300_u16).map(u16::to_be_bytes).collect();
        for (at, bytes) in files.iter().enumerate() {
            put(&format!("{at}.yhw"), bytes);
        }
        assert_eq!(find(&exact(&files[7])).unwrap(), files[7]);
        let few = |bytes: &[u8]| Digits::short(&Digest::of(bytes).hex()[..2]);
        let alike = |one: &[u8]| files.iter().filter(|other| few(one).begin(&Digest::of(*other))).count();
        let two = files.iter().find(|bytes| alike(*bytes) > 1).unwrap();
        let (rule, found) = find(&few(two)).unwrap_err();
        assert_eq!(rule, "COPY-FILE");
        assert!(found.starts_with(&format!("{} files that differ: \"", alike(two))), "{found}");
        // The same bytes twice are one.
        put("again.yhw", &files[7]);
        assert_eq!(find(&exact(&files[7])).unwrap(), files[7]);
        // Whoever looks for one that isn't there hears of what could not be read.
        let (rule, found) = find(&exact(b"none")).unwrap_err();
        assert!(rule == "COPY-FILE" && found.starts_with("no such file among 301 in "), "{found}");
        std::fs::write(dir.join(std::ffi::OsStr::from_bytes(b"x\xff.yhw")), b"none").unwrap();
        let (_, found) = find(&exact(b"none")).unwrap_err();
        assert!(found.ends_with(r#", and 1 that can't be read: "x\u{fffd}.yhw""#), "{found}");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_copy_of_anything_else_is_not_the_one_that_was_agreed() {
        let identity = |byte| KeyIdentity::from_digest(Digest::from_bytes([byte; 32]));
        let trust = TrustId::from_bytes([1; 16]);
        let back = RestoredKey {
            key: "t1".parse().unwrap(),
            identity: identity(2),
            wrap_key: "wrap-1".parse().unwrap(),
            from: CopyFrom::Cards { shares: Digest::from_bytes([3; 32]), copy: Digest::from_bytes([4; 32]) },
            replaces: Digest::from_bytes([5; 32]),
        };
        let copy = || CopyFile {
            trust,
            key: back.key.clone(),
            identity: back.identity,
            wrap_key: back.wrap_key.clone(),
            form: WrapForm::AesKeyWrapPad,
            bytes: vec![7; WrappedKey::LONGEST],
        };
        copy().expect(&trust, &back).unwrap();
        for (what, other) in [
            ("trust", CopyFile { trust: TrustId::from_bytes([2; 16]), ..copy() }),
            ("key", CopyFile { key: "t2".parse().unwrap(), ..copy() }),
            ("identity", CopyFile { identity: identity(3), ..copy() }),
            ("wrap key", CopyFile { wrap_key: "wrap-2".parse().unwrap(), ..copy() }),
            ("length", CopyFile { bytes: vec![7; WrappedKey::LONGEST + 1], ..copy() }),
        ] {
            assert_eq!(other.expect(&trust, &back).unwrap_err().rule().name, "COPY-FILE", "{what}");
        }
    }
}
