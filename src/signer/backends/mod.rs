//! Backends: the kinds of token that this build speaks to.
//!
//! [`Modules`] opens them. It is made once by the program and passed by reference, because a
//! PKCS#11 module may be initialised only once in a process and all tokens behind it share that
//! context; it is no global, so that tests and the rehearsal can have their own.

use super::Token;
use super::uri::KeyUri;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use std::path::PathBuf;

pub mod external;
pub mod file;
pub mod pkcs11;

/// A PKCS#11 module, by path and, once known, by content (threats T30).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModulePin {
    /// Where the shared library is.
    pub path: PathBuf,
    /// What its SHA-256 must be; none while the device map is being made.
    pub sha256: Option<Digest>,
}

/// What [`Modules::list`] found.
pub struct Listing {
    /// Every token, blank ones included.
    pub tokens: Vec<Box<dyn Token>>,
    /// Modules that don't load and slots that don't answer; one odd slot never hides the others.
    pub problems: Vec<Refusal>,
}

/// The PKCS#11 modules loaded in this process, and the way to every token.
#[derive(Default)]
pub struct Modules {}

impl Modules {
    /// None loaded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loads and initialises a module, unless that is done already. To be called before the
    /// process locks itself down, since a module brings libraries of its own.
    ///
    /// Returns the SHA-256 of the file that was loaded.
    ///
    /// # Errors
    ///
    /// `MODULE-PIN` if its content is not what `pin` says, `MODULE` if it does not load.
    pub fn load(&self, pin: &ModulePin) -> Result<Digest> {
        let _ = pin;
        todo!()
    }

    /// The token that `uri` names. `module` is needed for `pkcs11:` alone.
    ///
    /// # Errors
    ///
    /// `TOKEN-MISSING`, `TOKEN-SERIAL`, `TOKEN-AMBIGUOUS`, `MODULE`, `MODULE-PIN`.
    pub fn open(&self, uri: &KeyUri, module: Option<&ModulePin>) -> Result<Box<dyn Token>> {
        let _ = (uri, module);
        todo!()
    }

    /// Every token behind these modules.
    pub fn list(&self, modules: &[ModulePin]) -> Listing {
        let _ = modules;
        todo!()
    }
}
