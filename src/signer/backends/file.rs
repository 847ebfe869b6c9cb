//! Encrypted key files: one key per file, for targets and delegation keys and for rehearsals.
//!
//! The token is a directory of key files or a single one, which need not exist yet. A key is asked
//! for once in a process and then stays open, as a PKCS#11 token stays logged in.
//!
//! Never a claim of more than a file can keep: its evidence says that the key can be copied.

use crate::signer::keyfile::{KeyFile, PrivateKey, disk, expect_public, notary, pkcs8};
use crate::signer::randomness::Randomness;
use crate::signer::{
    Evidence, Generated, KeyTag, PinAsk, PinKind, PinSource, Signer, Token, TokenIdentity, TokenKey,
    TokenKind, Tries, rules,
};
use crate::system::files::make_folder;
use crate::tuf::key::{KeyId, KeySpec, PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::wire;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A key file, or a directory of them.
pub struct FileToken {
    path: PathBuf,
    identity: TokenIdentity,
    opened: Vec<PrivateKey>,
    randomness: Randomness,
}

impl FileToken {
    /// The token at `path`: a directory, if it is one or ends in `/`, whose `.pem` and `.key`
    /// files are its keys; else one file, which [`Token::generate`] may create.
    pub fn new(path: PathBuf) -> Self {
        let identity = TokenIdentity {
            kind: TokenKind::File,
            // The record is public: where the file lies on this machine is nobody's business.
            label: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            serial: String::new(),
            manufacturer: "keyrite".to_owned(),
            model: "encrypted file".to_owned(),
            firmware: String::new(),
        };
        Self { path, identity, opened: Vec::new(), randomness: Randomness::system() }
    }

    /// The same, with keys and salts drawn from there.
    #[must_use]
    pub fn drawing(mut self, randomness: Randomness) -> Self {
        self.randomness = randomness;
        self
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
        if to.exists() {
            return Err(disk::exists(to));
        }
        self.unlock(public, pins)?;
        let passphrase = pins.pin(&self.ask(PinKind::NewUser, None))?;
        let key = self.opened(public)?;
        disk::write_new(to, notary::seal(key, &passphrase, role, gun, id, &self.randomness)?.as_bytes())
    }

    fn is_directory(&self) -> bool {
        self.path.as_os_str().as_encoded_bytes().ends_with(b"/") || self.path.is_dir()
    }

    /// The key files by path. One that is no key file of ours never hides the others.
    fn files(&self) -> Result<BTreeMap<PathBuf, KeyFile>> {
        let mut files = BTreeMap::new();
        if !self.is_directory() {
            if let Some(bytes) = disk::read(&self.path)? {
                let file = KeyFile::parse(&bytes).map_err(|e| e.at(disk::shown(&self.path)))?;
                files.insert(self.path.clone(), file);
            }
            return Ok(files);
        }
        if !self.path.exists() {
            return Ok(files);
        }
        let entries = fs::read_dir(&self.path).map_err(|e| disk::failed("read", &self.path, &e))?;
        for entry in entries {
            let path = entry.map_err(|e| disk::failed("read", &self.path, &e))?.path();
            let is_key = path.extension().is_some_and(|e| e == "pem" || e == "key");
            if let (true, Ok(Some(bytes))) = (is_key, disk::read(&path))
                && let Ok(file) = KeyFile::parse(&bytes)
            {
                files.insert(path, file);
            }
        }
        Ok(files)
    }

    /// The file of `public`. A file that has no public key beside it is taken for it if it bears
    /// the key's id as its name, as in the Notary client's directory, or is the only one.
    fn file_of(&self, public: &PublicKey) -> Result<(PathBuf, KeyFile)> {
        let is_named = |path: &Path| {
            let entry = wire::key_entry(Profile::Notary, public, None);
            entry.is_ok_and(|entry| path.file_stem().is_some_and(|stem| stem == entry.id.as_str()))
        };
        let mut files = self.files()?;
        let only = !self.is_directory();
        let found = files
            .iter()
            .find(|(_, file)| file.public() == Some(public))
            .or_else(|| files.iter().find(|(path, file)| file.public().is_none() && (only || is_named(path))))
            .map(|(path, _)| path.clone());
        found.and_then(|path| files.remove_entry(&path)).ok_or_else(|| self.not_here(public))
    }

    /// Decrypts the key of `public`, unless that was done before.
    fn unlock(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()> {
        if self.opened(public).is_ok() {
            return Ok(());
        }
        let (path, file) = self.file_of(public)?;
        let passphrase = pins.pin(&self.ask(PinKind::User, Some(label_of(&path, &file))))?;
        let key = file.open(&passphrase).map_err(|e| e.at(disk::shown(&path)))?;
        expect_public(&key, public).map_err(|e| e.at(disk::shown(&path)))?;
        self.opened.push(key);
        Ok(())
    }

    fn opened(&self, public: &PublicKey) -> Result<&PrivateKey> {
        self.opened.iter().find(|key| key.public() == public).ok_or_else(|| self.not_here(public))
    }

    fn ask(&self, secret: PinKind, key: Option<String>) -> PinAsk {
        PinAsk { token: self.identity.clone(), key, secret, tries: Tries::Unknown }
    }

    fn not_here(&self, public: &PublicKey) -> Refusal {
        Refusal::new(
            &rules::KEY_NOT_ON_TOKEN,
            format!("no such key in {}", disk::shown(&self.path)),
            format!("{} {}", public.describe(), public.identity()),
        )
    }

    /// Where a new key of that label goes.
    fn place(&self, label: &str) -> Result<PathBuf> {
        if !self.is_directory() {
            return Ok(self.path.clone());
        }
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if label.is_empty() || label.len() > 64 || !plain || label.starts_with('.') {
            return Err(Refusal::new(
                &rules::TOKEN_CANNOT,
                format!("the label \"{}\"", visible(label)),
                "a label that is safe as a file name: letters, digits, \".\", \"_\" and \"-\"",
            ));
        }
        if !self.path.exists() {
            make_folder(&self.path).map_err(|e| disk::failed("make", &self.path, &e))?;
        }
        Ok(self.path.join(format!("{label}.pem")))
    }
}

impl Token for FileToken {
    fn identity(&self) -> &TokenIdentity {
        &self.identity
    }

    fn is_blank(&self) -> bool {
        false
    }

    fn pin_pad(&self) -> bool {
        false
    }

    fn tries(&mut self) -> Result<Tries> {
        Ok(Tries::Unknown)
    }

    fn initialise(&mut self, _label: &str, _pins: &mut dyn PinSource) -> Result<()> {
        Err(Refusal::new(&rules::TOKEN_NOT_BLANK, disk::shown(&self.path), "a token that is no file"))
    }

    fn keys(&mut self, _pins: &mut dyn PinSource) -> Result<Vec<TokenKey>> {
        let files = self.files()?;
        let key = |(path, file): (&PathBuf, &KeyFile)| TokenKey {
            label: label_of(path, file),
            id: file.id().map(Vec::from).unwrap_or_default(),
            public: file.public().cloned(),
        };
        Ok(files.iter().map(key).collect())
    }

    fn generate(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Generated> {
        let path = self.place(&tag.label)?;
        for (other, file) in self.files()? {
            if other == path || label_of(&other, &file) == tag.label || file.id() == Some(tag.id) {
                return Err(Refusal::new(
                    &rules::LABEL_IN_USE,
                    disk::shown(&other),
                    format!("no key of the label \"{}\" or its id", visible(&tag.label)),
                ));
            }
        }
        let passphrase = pins.pin(&self.ask(PinKind::NewUser, Some(tag.label.clone())))?;
        let key = PrivateKey::generate(spec, &self.randomness)?;
        let text = pkcs8::seal(&key, &passphrase, &tag.label, &tag.id, &self.randomness)?;
        disk::write_new(&path, text.as_bytes())?;
        let public = key.public().clone();
        self.opened.push(key);
        Ok(Generated { public, evidence: evidence() })
    }

    fn adopt(&mut self, spec: KeySpec, tag: &KeyTag, _pins: &mut dyn PinSource) -> Result<Option<Generated>> {
        for (path, file) in self.files()? {
            if label_of(&path, &file) != tag.label || file.id() != Some(tag.id) {
                continue;
            }
            return match file.public() {
                Some(public) if spec.fits(public) => {
                    Ok(Some(Generated { public: public.clone(), evidence: evidence() }))
                }
                other => Err(Refusal::new(
                    &rules::KEY_ADOPT,
                    format!(
                        "{}: {}",
                        disk::shown(&path),
                        other.map_or("no public key".into(), PublicKey::describe)
                    ),
                    spec.to_string(),
                )),
            };
        }
        Ok(None)
    }

    fn open(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Box<dyn Signer + '_>> {
        self.unlock(public, pins)?;
        Ok(Box::new(FileSigner(self.opened(public)?)))
    }

    fn destroy(&mut self, public: &PublicKey, _pins: &mut dyn PinSource) -> Result<()> {
        let (path, file) = self.file_of(public)?;
        if file.public() != Some(public) {
            return Err(self.not_here(public).at(disk::shown(&path)));
        }
        disk::remove(&path)?;
        self.opened.retain(|key| key.public() != public);
        Ok(())
    }

    fn evidence(&mut self, public: &PublicKey, _pins: &mut dyn PinSource) -> Result<Evidence> {
        self.file_of(public).map(|_| evidence())
    }
}

/// What every file says of its key.
fn evidence() -> Evidence {
    let say =
        [("extractable", "yes"), ("sensitive", "no"), ("never-extractable", "no"), ("local", "unknown")];
    let attributes = say.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Evidence { attributes: BTreeMap::from(attributes), ..Evidence::default() }
}

/// The label that keyrite wrote, else the file's name.
fn label_of(path: &Path, file: &KeyFile) -> String {
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    file.label().map_or_else(stem, str::to_owned)
}

struct FileSigner<'a>(&'a PrivateKey);

impl Signer for FileSigner<'_> {
    fn public_key(&self) -> &PublicKey {
        self.0.public()
    }

    fn max_payload(&self, _scheme: Scheme) -> Option<usize> {
        Some(usize::MAX)
    }

    fn sign(&mut self, scheme: Scheme, payload: &Payload, _pins: &mut dyn PinSource) -> Result<Vec<u8>> {
        self.0.sign(scheme, payload.bytes()).ok_or_else(|| {
            Refusal::new(
                &rules::TOKEN_CANNOT,
                format!("{scheme} by a key of {}", self.0.public().describe()),
                "a scheme of the key's own",
            )
        })
    }
}
