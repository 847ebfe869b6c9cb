//! Files by their paths: what one is, whose it is, and how it gets its name.

use rustix::fs::{CWD, FileType, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Whether others than the owner may read what is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// The owner only.
    Private,
}

impl Access {
    pub(super) const fn of_file(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Private => 0o600,
        }
    }

    pub(super) const fn of_folder(self) -> u32 {
        match self {
            Self::Public => 0o755,
            Self::Private => 0o700,
        }
    }
}

/// What something in a file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// The system doesn't say.
    Unknown,
}

impl Kind {
    /// That of an open file.
    pub fn of(meta: &Metadata) -> Self {
        let kind = meta.file_type();
        match () {
            () if kind.is_file() => Self::File,
            () if kind.is_dir() => Self::Folder,
            () if kind.is_symlink() => Self::Link,
            () if kind.is_fifo() => Self::Pipe,
            () if kind.is_socket() => Self::Socket,
            () if kind.is_char_device() || kind.is_block_device() => Self::Device,
            () => Self::Unknown,
        }
    }
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            FileType::Fifo => Self::Pipe,
            FileType::Socket => Self::Socket,
            FileType::CharacterDevice | FileType::BlockDevice => Self::Device,
            FileType::Unknown => Self::Unknown,
        }
    }
}

/// Makes a file and opens it for writing.
///
/// # Errors
///
/// `AlreadyExists`, and others.
pub fn create_new(path: &Path, access: Access) -> Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(access.of_file()).open(path)
}

/// Makes a folder of its owner's alone.
///
/// # Errors
///
/// `AlreadyExists`, and others.
pub fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().mode(Access::Private.of_folder()).create(path)
}

/// Makes a folder of its owner's alone and those above it, if they are not there yet.
///
/// # Errors
///
/// What the system says.
pub fn make_folders(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(Access::Private.of_folder()).create(path)
}

/// Opens a file for reading, without waiting for what a pipe would wait for; to be judged then.
///
/// # Errors
///
/// `NotFound`, and others.
pub fn open_to_judge(path: &Path) -> Result<File> {
    let flags = OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// The same, and never by a link.
///
/// # Errors
///
/// As [`open_to_judge`].
pub fn open_itself_to_judge(path: &Path) -> Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Opens a folder, to be locked or synced.
///
/// # Errors
///
/// What the system says.
pub fn open_folder(path: &Path) -> Result<File> {
    File::open(path)
}

/// Has a folder's entries on disk.
///
/// # Errors
///
/// What the system says.
pub fn sync_folder(path: &Path) -> Result<()> {
    open_folder(path)?.sync_all()
}

/// Gives a file another name if that is free.
///
/// # Errors
///
/// `AlreadyExists`; what [`is_unable`] knows, where the file system can't do that in one; others.
pub fn rename_new(from: &Path, to: &Path) -> Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Whether [`rename_new`] failed because the file system has no such rename.
pub fn is_unable(error: &Error) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP]
        .into_iter()
        .any(|e| error.raw_os_error() == Some(e.raw_os_error()))
}

/// Each gets the other's name, at once.
///
/// # Errors
///
/// What the system says.
pub fn exchange(one: &Path, other: &Path) -> Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Whether both are of one file.
pub fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether both are of one file that nobody has written to in between.
pub fn is_unchanged(before: &Metadata, after: &Metadata) -> bool {
    let stamp = |m: &Metadata| (m.size(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
    is_same(before, after) && stamp(before) == stamp(after)
}

/// Whether this user may write there.
pub fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether this user owns it.
pub fn is_own(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// Whether others than its owner may read or change it.
pub fn is_open_to_others(meta: &Metadata) -> bool {
    meta.mode() & 0o077 != 0
}

/// What keeps a file from being one that this user alone may read and change, and nobody run; none if
/// nothing does.
pub fn not_ours_alone(meta: &Metadata) -> Option<String> {
    let mode = meta.mode() & 0o7777;
    if mode & 0o7177 != 0 {
        return Some(format!("mode {mode:04o}"));
    }
    (!is_own(meta)).then(|| format!("owned by the user {}", meta.uid()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::fs::{self, Permissions};
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    #[test]
    fn names_are_taken_as_is_said_and_changes_are_seen() {
        let dir = std::env::temp_dir().join(format!("keyrite-system-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        make_folders(&dir.join("a/b")).unwrap();
        assert!(!is_open_to_others(&fs::metadata(dir.join("a")).unwrap()));
        let (one, two) = (dir.join("one"), dir.join("two"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "2").unwrap();
        let taken = rename_new(&one, &two).unwrap_err();
        assert!(taken.kind() == ErrorKind::AlreadyExists && !is_unable(&taken), "{taken}");
        assert!(is_unable(&Error::from(Errno::INVAL)));
        exchange(&one, &two).unwrap();
        assert_eq!((fs::read(&one).unwrap(), fs::read(&two).unwrap()), (b"2".to_vec(), b"1".to_vec()));
        rename_new(&one, &dir.join("a/one")).unwrap();

        let before = fs::metadata(&two).unwrap();
        assert!(is_unchanged(&before, &fs::metadata(&two).unwrap()));
        // The very size, and another time, by which whoever rewrites a file is seen.
        let file = OpenOptions::new().write(true).open(&two).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let after = fs::metadata(&two).unwrap();
        assert!(is_same(&before, &after) && !is_unchanged(&before, &after));
        for (mode, open, found) in [
            (0o600, false, None),
            (0o640, true, Some("mode 0640")),
            (0o604, true, Some("mode 0604")),
            (0o700, false, Some("mode 0700")),
        ] {
            fs::set_permissions(&two, Permissions::from_mode(mode)).unwrap();
            let meta = fs::metadata(&two).unwrap();
            assert_eq!(
                (is_open_to_others(&meta), not_ours_alone(&meta).as_deref()),
                (open, found),
                "{mode:o}"
            );
        }
        fs::remove_dir_all(dir).unwrap();
    }
}
