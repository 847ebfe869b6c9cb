//! The cast of a rehearsal: throw-away tokens and keys for everyone whom the runbooks name.

use super::backend::Backend;
use crate::ceremony::facts::Trust;
use crate::ceremony::limits::Limits;
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::cli::arguments::{Rehearse, Stand};
use crate::cli::devices::{DeviceKey, DeviceMap};
use crate::cli::files;
use crate::cli::keyring::Keyring;
use crate::cli::rules;
use crate::cli::session::{Ended, Session, shown};
use crate::record::SignedStatement;
use crate::signer::backends::{ModulePin, Modules};
use crate::signer::secret::Pin;
use crate::signer::uri::{KeyUri, Pkcs11Uri};
use crate::signer::{KeyTag, PinAsk, PinSource, TokenIdentity};
use crate::tuf::key::{KeySpec, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::ui::Console;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where Debian has SoftHSM's module.
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const SOFTHSM_CONF: &str = "softhsm2.conf";
const SOFTHSM_TOKENS: &str = "softhsm-tokens";

/// Whose keys are made, and where.
pub struct Cast<'a> {
    session: &'a Session,
    folder: PathBuf,
    stand: Stand,
    trust: Trust,
    made: Vec<String>,
    enrolled: Vec<(String, String, String)>,
}

impl<'a> Cast<'a> {
    pub fn new(session: &'a Session, folder: &Path, stand: Stand, trust: &Trust) -> Result<Self> {
        let folder = std::path::absolute(folder)
            .map_err(|e| Refusal::new(&rules::FILE_WRITE, format!("{}: {e}", shown(folder)), "a folder"))?;
        let tokens = folder.join("tokens");
        std::fs::create_dir_all(&tokens)
            .map_err(|e| Refusal::new(&rules::FILE_WRITE, format!("{}: {e}", shown(&tokens)), "a folder"))?;
        Ok(Self { session, folder, stand, trust: trust.clone(), made: Vec::new(), enrolled: Vec::new() })
    }

    /// Finds the keys that a runbook has made or enrolled, by its tables alone: its kind reads them
    /// properly when it is held.
    pub fn learn(&mut self, runbook: &Runbook) -> Result<()> {
        let table: toml::Table = toml::from_str(runbook.text()).map_err(|e| {
            Refusal::new(&crate::ceremony::rules::RUNBOOK, e.message().to_owned(), "TOML 1.0")
        })?;
        let text = |t: &toml::Value, name: &str| {
            t.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
        };
        let keys = table.get("key").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let targets = table.get("targets-key").cloned();
        // A runbook may have been held in the past and be held again.
        let mut make = |name: String| {
            if !self.made.contains(&name) {
                self.made.push(name);
            }
        };
        match runbook.kind.as_str() {
            "generate-key" => keys.iter().for_each(|k| make(text(k, "name"))),
            "issue-targets-key" => targets.iter().for_each(|k| make(text(k, "name"))),
            "enroll-key" => {
                for key in &keys {
                    let name = text(key, "name");
                    if self.enrolled.iter().all(|(known, ..)| *known != name) {
                        self.enrolled.push((name, text(key, "holder"), text(key, "purpose")));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The device map of the rehearsal, its enrolment files named, and the backend that is played.
    pub fn map(&self) -> Result<(DeviceMap, Backend)> {
        let mut map = DeviceMap::new(self.trust.id);
        for (name, _, _) in &self.enrolled {
            map.enrolments.insert(name.parse()?, self.folder.join("incoming").join(format!("{name}.json")));
        }
        let backend = Backend::new(&self.trust, self.session)?;
        Ok((map, backend))
    }

    /// Prepares a token, or a place for a file, for every key that is to be made.
    pub fn tokens(&self, console: &mut dyn Console, keyring: &mut Keyring) -> Result<()> {
        for name in &self.made {
            let key: KeyName = name.parse()?;
            let pin = self.pin()?;
            let place = match self.stand {
                Stand::File => self.file_place(name),
                Stand::Softhsm => {
                    let module = ModulePin { path: PathBuf::from(SOFTHSM), sha256: None };
                    if let Some(map) = keyring.map_mut() {
                        map.modules.insert("softhsm".to_owned(), module.clone());
                    }
                    let token = initialise(keyring.modules(), &module, name, &pin)?;
                    console.progress(
                        &format!("a SoftHSM token is prepared: {name}, serial {}", token.serial).into(),
                    );
                    softhsm_place(name, &token)
                }
            };
            keyring.put(key, place, pin);
        }
        Ok(())
    }

    /// Makes the keys that come from elsewhere, and the files by which they are enrolled.
    pub fn enrolments(
        &self,
        console: &mut dyn Console,
        keyring: &mut Keyring,
        trust: &Trust,
        backend: &mut Backend,
    ) -> Result<()> {
        let mut served = BTreeSet::new();
        for (name, holder, purpose) in &self.enrolled {
            let file = self.folder.join("incoming").join(format!("{name}.json"));
            let own = if served.insert(purpose) {
                backend.public_key_file(purpose)
            } else {
                backend.another_key_file(purpose, self.session)?
            };
            let bytes = match (purpose.as_str(), own) {
                (_, Some(bytes)) => bytes,
                ("delegation", None) => self.developer(console, keyring, trust, name, holder)?,
                (_, None) => self.make(console, keyring, name)?.spki_pem().into_bytes(),
            };
            files::create(&file, &bytes)?;
        }
        Ok(())
    }

    fn developer(
        &self,
        console: &mut dyn Console,
        keyring: &mut Keyring,
        trust: &Trust,
        name: &str,
        holder: &str,
    ) -> Result<Vec<u8>> {
        let public = self.make(console, keyring, name)?;
        let sentence = Sentence::Possession {
            key: public.identity(),
            name: name.to_owned(),
            holder: holder.to_owned(),
            purpose: "delegation".to_owned(),
            nonce: crate::tuf::digest::Digest::from_bytes(self.session.random::<32>()?),
        };
        let statement = Statement::new(trust.id, sentence)?;
        let payload = Payload::Statement(statement.clone());
        let scheme = Scheme::of(public.algorithm());
        let signature = keyring.with_token(&name.parse()?, console, &mut |token, pins| {
            let mut signer = token.open(&public, pins)?;
            crate::signer::sign(signer.as_mut(), &public, scheme, &payload, pins)
        })?;
        SignedStatement::new(statement, public, &signature)?.to_json()
    }

    fn make(
        &self,
        console: &mut dyn Console,
        keyring: &mut Keyring,
        name: &str,
    ) -> Result<crate::tuf::key::PublicKey> {
        let key: KeyName = name.parse()?;
        keyring.put(key.clone(), self.file_place(name), self.pin()?);
        let tag = KeyTag { label: name.to_owned(), id: self.session.random::<16>()?, place: None };
        let made = keyring
            .with_token(&key, console, &mut |token, pins| token.generate(KeySpec::EcdsaP256, &tag, pins))?;
        Ok(made.public)
    }

    fn file_place(&self, name: &str) -> DeviceKey {
        let uri = KeyUri::File(self.folder.join("tokens").join(format!("{name}.pem")));
        DeviceKey::new(uri)
    }

    /// A PIN that lives as long as this process.
    fn pin(&self) -> Result<Zeroizing<String>> {
        Ok(Zeroizing::new(base16ct::lower::encode_string(&self.session.random::<10>()?)))
    }
}

fn softhsm_place(name: &str, token: &TokenIdentity) -> DeviceKey {
    let uri = Pkcs11Uri {
        token: Some(token.label.clone()),
        serial: Some(token.serial.clone()),
        object: Some(name.to_owned()),
        ..Pkcs11Uri::default()
    };
    DeviceKey { module: Some("softhsm".to_owned()), ..DeviceKey::new(KeyUri::Pkcs11(uri)) }
}

/// Where the rehearsal is left: what was named, or the first folder of the usual names that is not
/// in use.
pub fn folder(args: &Rehearse) -> PathBuf {
    if let Some(named) = &args.into {
        return named.clone();
    }
    let usual = PathBuf::from("rehearsal");
    let free = |path: &PathBuf| {
        softhsm_is_ours(path) || std::fs::read_dir(path).map_or(true, |mut files| files.next().is_none())
    };
    let numbered = (2..1000_u32).map(|n| PathBuf::from(format!("rehearsal-{n}")));
    std::iter::once(usual.clone()).chain(numbered).find(free).unwrap_or(usual)
}

/// Puts the runbooks' online keys into the limits, as an administrator of profile `tuf` does.
pub fn online_keys<'a>(runbooks: impl Iterator<Item = &'a Runbook>, profile: Profile, limits: &mut Limits) {
    if profile == Profile::Notary {
        return;
    }
    for runbook in runbooks.filter(|r| r.kind == "create-root") {
        let table: toml::Table = toml::from_str(runbook.text()).unwrap_or_default();
        let mut roles = BTreeMap::from([
            ("snapshot", &mut limits.online.snapshot),
            ("timestamp", &mut limits.online.timestamp),
        ]);
        for (role, keys) in &mut roles {
            let named = table.get(*role).and_then(|t| t.get("keys")).and_then(toml::Value::as_array);
            keys.extend(named.into_iter().flatten().filter_map(|k| k.as_str()?.parse().ok()));
        }
    }
}

struct Both<'a>(&'a Zeroizing<String>);

impl PinSource for Both<'_> {
    fn pin(&mut self, _ask: &PinAsk) -> Result<Pin> {
        Ok(Pin::new(self.0.as_str().to_owned()))
    }

    fn pin_pad(&mut self, _ask: &PinAsk) -> Result<()> {
        Ok(())
    }

    fn touch(&mut self, _token: &TokenIdentity) {}
}

fn initialise(
    modules: &Modules,
    module: &ModulePin,
    label: &str,
    pin: &Zeroizing<String>,
) -> Result<TokenIdentity> {
    let missing = || {
        Refusal::new(
            &rules::REHEARSAL_STUCK,
            "no blank SoftHSM token",
            "Debian's package softhsm2, and room for its tokens",
        )
    };
    let mut listing = modules.list(std::slice::from_ref(module));
    if let Some(problem) = listing.problems.pop() {
        return Err(problem);
    }
    let blank = listing.tokens.iter_mut().find(|t| t.is_blank()).ok_or_else(missing)?;
    blank.initialise(label, &mut Both(pin))?;
    let listing = modules.list(std::slice::from_ref(module));
    let found = listing.tokens.iter().find(|t| t.identity().label == label).ok_or_else(missing)?;
    Ok(found.identity().clone())
}

/// Whether SoftHSM keeps its tokens inside the rehearsal's folder already.
pub fn softhsm_is_ours(into: &Path) -> bool {
    let Ok(into) = std::path::absolute(into) else { return false };
    std::env::var_os("SOFTHSM2_CONF").is_some_and(|conf| Path::new(&conf) == into.join(SOFTHSM_CONF))
}

/// Whether a file of the folder is what [`again_with_softhsm`] put there.
pub fn is_softhsm(name: &OsStr) -> bool {
    name == SOFTHSM_CONF || name == SOFTHSM_TOKENS
}

/// Runs this very command once more, with SoftHSM told to keep its tokens inside the rehearsal's
/// folder: it reads where from its environment, once, before the module is loaded.
pub fn again_with_softhsm(into: &Path) -> Result<Ended> {
    let failed = |e: std::io::Error| {
        Refusal::new(&rules::FILE_WRITE, format!("{}: {e}", shown(into)), "a folder that can be made")
    };
    let into = std::path::absolute(into).map_err(failed)?;
    let tokens = into.join(SOFTHSM_TOKENS);
    if std::fs::read_dir(&into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Refusal::new(
            &rules::FILE_EXISTS,
            format!("{}, which is not empty", shown(&into)),
            "a folder that is new or empty",
        ));
    }
    std::fs::create_dir_all(&tokens).map_err(failed)?;
    let conf = into.join(SOFTHSM_CONF);
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nobjectstore.umask = 0077\nlog.level = ERROR\n",
        tokens.display()
    );
    files::create(&conf, text.as_bytes())?;
    let status = std::process::Command::new(std::env::current_exe().map_err(failed)?)
        .args(std::env::args_os().skip(1))
        .env("SOFTHSM2_CONF", &conf)
        .status()
        .map_err(failed)?;
    match status.code() {
        Some(0) => Ok(Ended::Done),
        code => Err(Refusal::new(
            &rules::REHEARSAL_STUCK,
            format!("exit code {code:?}"),
            "a rehearsal that ends well; what went wrong stands above",
        )),
    }
}
