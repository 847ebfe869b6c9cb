//! Encrypted key files: one key per file, for targets and delegation keys and for rehearsals.
//!
//! The token is a directory of key files or a single one (which need not exist yet).

use crate::signer::PinSource;
use crate::tuf::key::{KeyId, PublicKey};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use std::path::{Path, PathBuf};

/// A key file, or a directory of them.
#[derive(Debug)]
pub struct FileToken {}

impl FileToken {
    /// The token at `path`: a directory whose files are its keys, else one file, which
    /// [`generate`](crate::signer::Token::generate) may create.
    pub fn new(path: PathBuf) -> Self {
        let _ = path;
        todo!()
    }

    /// Writes the private key of `public` once more, to the new file `to` and in the form that
    /// the stock Notary client reads, for a developer who uses it. `id` is the key's id in
    /// `notary` (of the bare key, not of a certificate); `gun` goes into the header of root-level
    /// targets keys alone.
    ///
    /// # Errors
    ///
    /// `KEY-NOT-ON-TOKEN`, `PIN-WRONG`, `PASSPHRASE-SHORT`, `KEY-FILE-EXISTS`.
    pub fn write_for_notary(
        &mut self,
        public: &PublicKey,
        role: &RoleName,
        gun: &str,
        id: &KeyId,
        to: &Path,
        pins: &mut dyn PinSource,
    ) -> Result<()> {
        let _ = (public, role, gun, id, to, pins);
        todo!()
    }
}
