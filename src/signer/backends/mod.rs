//! Backends: the kinds of token that this build speaks to.
//!
//! [`Modules`] opens them. It is made once by the program and passed by reference, because a
//! PKCS#11 module may be initialised only once in a process and all tokens behind it share that
//! context; it is no global, so that tests and the rehearsal can have their own.

use super::randomness::Randomness;
use super::uri::KeyUri;
use super::{Token, rules};
use crate::signer::yubihsm::Way;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use pkcs11::Module;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

pub mod external;
pub mod file;
#[cfg(feature = "piv")]
mod piv;
pub mod pkcs11;
#[cfg(feature = "yubihsm")]
mod yubihsm;

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
pub struct Modules {
    /// By canonical path.
    loaded: RefCell<BTreeMap<PathBuf, Rc<Module>>>,
    /// For keys in files; tokens have their own.
    randomness: Randomness,
}

impl Default for Modules {
    fn default() -> Self {
        Self::new()
    }
}

impl Modules {
    /// None loaded yet.
    pub fn new() -> Self {
        Self::drawing(Randomness::system())
    }

    /// None loaded yet; keys in files are drawn from there.
    pub fn drawing(randomness: Randomness) -> Self {
        Self { loaded: RefCell::default(), randomness }
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
        self.module(pin).map(|module| module.sha256())
    }

    /// The token that `uri` names. `module` is needed for `pkcs11:` alone.
    ///
    /// # Errors
    ///
    /// `URI-TOKEN`, `TOKEN-MISSING`, `TOKEN-SERIAL`, `TOKEN-AMBIGUOUS`, `MODULE`, `MODULE-PIN`.
    pub fn open(&self, uri: &KeyUri, module: Option<&ModulePin>) -> Result<Box<dyn Token>> {
        match uri {
            KeyUri::File(path) => {
                Ok(Box::new(file::FileToken::new(path.clone()).drawing(self.randomness.clone())))
            }
            KeyUri::External(name) => Ok(Box::new(external::ExternalToken::new(name.clone()))),
            #[cfg(feature = "piv")]
            KeyUri::Piv(uri) => Ok(Box::new(piv::open(*uri, &self.randomness)?)),
            #[cfg(feature = "yubihsm")]
            KeyUri::YubiHsm(uri) => Ok(Box::new(yubihsm::open(*uri, &self.randomness)?)),
            #[cfg(not(feature = "yubihsm"))]
            KeyUri::YubiHsm(_) => Err(Refusal::new(
                &rules::URI_BACKEND,
                "yubihsm:, in a program without feature `yubihsm`",
                "pkcs11:, file: or external:, which are what this build has",
            )),
            #[cfg(not(feature = "piv"))]
            KeyUri::Piv(_) => Err(Refusal::new(
                &rules::URI_BACKEND,
                "piv:, in a program without feature `piv`",
                "pkcs11:, file: or external:, which are what this build has",
            )),
            KeyUri::Pkcs11(uri) => {
                let pin = module.ok_or_else(|| {
                    Refusal::new(&rules::MODULE, "no module for a pkcs11: URI", "the key's `module =`")
                })?;
                Ok(Box::new(pkcs11::open(&self.module(pin)?, uri)?))
            }
        }
    }

    /// Every YubiKey in a reader, natively; none in a program without feature `piv`.
    ///
    /// # Errors
    ///
    /// `CARD-SERVICE` if nobody can be asked.
    pub fn yubikeys(&self) -> Result<Listing> {
        #[cfg(feature = "piv")]
        {
            let (tokens, problems) = piv::all(&self.randomness)?;
            let tokens = tokens.into_iter().map(|token| Box::new(token) as Box<dyn Token>).collect();
            Ok(Listing { tokens, problems })
        }
        #[cfg(not(feature = "piv"))]
        Ok(Listing { tokens: Vec::new(), problems: Vec::new() })
    }

    /// Every YubiHSM that is reached in these ways, each once; none in a program without feature
    /// `yubihsm`. Where nobody listens, or nothing is plugged in, there is none, which is no problem.
    pub fn yubihsms(&self, ways: &BTreeSet<Way>) -> Vec<(Way, Listing)> {
        let mut all = Vec::new();
        #[cfg(feature = "yubihsm")]
        {
            let mut known: Vec<String> = Vec::new();
            for way in ways {
                let mut listing = Listing { tokens: Vec::new(), problems: Vec::new() };
                for found in yubihsm::all(*way, &known, &self.randomness) {
                    match found {
                        Ok(token) => {
                            known.push(token.identity().serial.clone());
                            listing.tokens.push(Box::new(token));
                        }
                        Err(e) if e.rule() == &rules::TOKEN_MISSING => {}
                        Err(e) => listing.problems.push(e),
                    }
                }
                all.push((*way, listing));
            }
        }
        #[cfg(not(feature = "yubihsm"))]
        let _ = (ways, &mut all);
        all
    }

    /// Every token behind these modules.
    pub fn list(&self, modules: &[ModulePin]) -> Listing {
        let mut listing = Listing { tokens: Vec::new(), problems: Vec::new() };
        for pin in modules {
            match self.module(pin).and_then(|module| pkcs11::all(&module)) {
                Ok((tokens, problems)) => {
                    listing.tokens.extend(tokens.into_iter().map(|token| Box::new(token) as Box<dyn Token>));
                    listing.problems.extend(problems);
                }
                Err(e) => listing.problems.push(e),
            }
        }
        listing
    }

    fn module(&self, pin: &ModulePin) -> Result<Rc<Module>> {
        // A path that leads nowhere is for `Module::load` to refuse.
        let path = pin.path.canonicalize().unwrap_or_else(|_| pin.path.clone());
        if let Some(module) = self.loaded.borrow().get(&path) {
            module.expect(pin)?;
            return Ok(Rc::clone(module));
        }
        let module = Rc::new(Module::load(pin)?);
        self.loaded.borrow_mut().insert(path, Rc::clone(&module));
        Ok(module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yubikey_and_a_yubihsm_need_their_features() {
        let missing = [
            (cfg!(feature = "piv"), "piv:serial=1;slot=9c"),
            (cfg!(feature = "yubihsm"), "yubihsm:serial=1"),
        ];
        for (_, text) in missing.into_iter().filter(|(there, _)| !there) {
            let refused = text.parse().and_then(|uri| Modules::new().open(&uri, None).map(drop)).err();
            assert_eq!(refused.map(|refusal| refusal.rule().name), Some("URI-BACKEND"), "{text}");
        }
    }
}
