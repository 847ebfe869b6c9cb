//! One loaded PKCS#11 module: its context, its slots, and one session per token.
//!
//! A module is initialised once in a process (PKCS#11 2.40 5.4), so everything that speaks to its
//! tokens shares one [`Module`]. The file is hashed and compared with its pin before it is loaded,
//! since loading runs its code (threats T30). It is loaded by its path, and not through the open
//! file, because modules look for libraries beside themselves; that the path still leads to the
//! file that was hashed is looked at again afterwards.
//!
//! A token's session lives as long as the process, so that a person types a PIN once. It is given
//! up when the token is gone, and replaced after a failure, which can leave an operation open in it
//! (tokens 1.1).

use super::profile::Profile;
use super::refusals::{module_said, token_said};
use crate::signer::backends::ModulePin;
use crate::signer::rules;
use crate::system::files::is_unchanged;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What is in a module's slots.
pub(super) struct Slots {
    /// Every token that answers.
    pub tokens: Vec<(Slot, TokenInfo)>,
    /// What is wrong with the others: one odd slot never hides the rest (tokens 1.1).
    pub problems: Vec<Refusal>,
}

/// A loaded module.
pub(in crate::signer::backends) struct Module {
    // Before the context, so that sessions are closed while it still lives.
    sessions: RefCell<BTreeMap<u64, Rc<Session>>>,
    context: Pkcs11,
    path: PathBuf,
    sha256: Digest,
    profile: Profile,
}

impl Module {
    /// Checks, loads and initialises.
    pub fn load(pin: &ModulePin) -> Result<Self> {
        let path = pin.path.canonicalize().map_err(|e| unreadable(&pin.path, &e))?;
        let file = File::open(&path).map_err(|e| unreadable(&path, &e))?;
        let before = file.metadata().map_err(|e| unreadable(&path, &e))?;
        let sha256 = digest_of(file).map_err(|e| unreadable(&path, &e))?;
        expect_pin(&path, sha256, pin.sha256)?;
        let context = Pkcs11::new(&path).map_err(|e| module_said(&path, &e))?;
        let after = path.metadata().map_err(|e| unreadable(&path, &e))?;
        if !is_unchanged(&before, &after) {
            return Err(Refusal::new(
                &rules::MODULE_PIN,
                format!("{} changed while it was loaded", shown(&path)),
                format!("{sha256} throughout"),
            ));
        }
        context
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(|e| module_said(&path, &e))?;
        let profile = context.get_library_info().map_or(Profile::UNKNOWN, |info| Profile::of(&info));
        Ok(Self { sessions: RefCell::default(), context, path, sha256, profile })
    }

    /// Refuses a pin that is not this module's.
    pub fn expect(&self, pin: &ModulePin) -> Result<()> {
        expect_pin(&self.path, self.sha256, pin.sha256)
    }

    /// The file's name, for the record.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| visible(&name.to_string_lossy())).unwrap_or_default()
    }

    /// Of the file that was loaded.
    pub const fn sha256(&self) -> Digest {
        self.sha256
    }

    /// What is known of it.
    pub(super) const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The context, for calls that need no session.
    pub const fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// Looks into every slot.
    pub(super) fn slots(&self) -> Result<Slots> {
        let slots = self.context.get_slots_with_token().map_err(|e| module_said(&self.path, &e))?;
        let mut tokens = Vec::new();
        let mut problems = Vec::new();
        for slot in slots {
            match self.context.get_token_info(slot) {
                Ok(info) => tokens.push((slot, info)),
                Err(e) => problems.push(module_said(&self.path, &e).at(format!("slot {}", slot.id()))),
            }
        }
        Ok(Slots { tokens, problems })
    }

    /// The session with the token in this slot; opened if there is none yet.
    pub fn session(&self, slot: Slot) -> Result<Rc<Session>> {
        if let Some(session) = self.sessions.borrow().get(&slot.id()) {
            return Ok(Rc::clone(session));
        }
        let session = Rc::new(self.open(slot)?);
        self.sessions.borrow_mut().insert(slot.id(), Rc::clone(&session));
        Ok(session)
    }

    /// A new session in place of one in which something failed. It is opened before the old one is
    /// closed, so that the login stands.
    pub fn renew(&self, slot: Slot) {
        match self.open(slot) {
            Ok(session) => drop(self.sessions.borrow_mut().insert(slot.id(), Rc::new(session))),
            Err(_) => self.forget(slot),
        }
    }

    /// Gives up the session with a token that is gone.
    pub fn forget(&self, slot: Slot) {
        self.sessions.borrow_mut().remove(&slot.id());
    }

    fn open(&self, slot: Slot) -> Result<Session> {
        match self.context.open_rw_session(slot) {
            Err(Error::Pkcs11(RvError::TokenWriteProtected, _)) => self.context.open_ro_session(slot),
            other => other,
        }
        .map_err(|e| token_said("open a session", &e))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.sessions.borrow_mut().clear();
        // Nothing can be done about a module that doesn't want to end.
        drop(self.context.clone().finalize());
    }
}

fn digest_of(mut file: File) -> io::Result<Digest> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Digest::of(&bytes))
}

fn expect_pin(path: &Path, found: Digest, pinned: Option<Digest>) -> Result<()> {
    match pinned {
        Some(expected) if expected != found => Err(Refusal::new(
            &rules::MODULE_PIN,
            format!("{} with SHA-256 {found}", shown(path)),
            expected.hex(),
        )),
        _ => Ok(()),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(&rules::MODULE, format!("{}: {error}", shown(path)), "a PKCS#11 module that can be read")
}

pub(super) fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy())
}
