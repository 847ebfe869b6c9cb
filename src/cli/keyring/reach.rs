//! What of the machine a session with these keys reaches: modules and what they connect to, tokens that
//! answer, files and folders. A confined process has no more than that.

use super::Keyring;
use crate::ceremony::address::Address;
use crate::cli::devices::PinFrom;
use crate::signer::Token;
use crate::signer::backends::ModulePin;
use crate::signer::uri::KeyUri;
use crate::signer::yubihsm::{Way, YubiHsmUri};
use crate::system::machine::{self, Needs};
use crate::tuf::text::visible;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

impl Keyring {
    /// Loads the modules of one's own keys, before the process is confined: a module brings libraries
    /// along. Says of each what was loaded; one that doesn't load is refused by whoever needs it.
    pub fn load_modules(&self) -> BTreeMap<String, String> {
        let load = |(name, pin): (&String, &ModulePin)| {
            let found = match self.modules.load(pin) {
                Ok(digest) => digest.hex(),
                Err(refusal) => format!("NOT loaded: {}", refusal.rule().name),
            };
            (format!("module {}", visible(name)), found)
        };
        self.used_modules().map(load).collect()
    }

    /// The tokens behind these modules, each with what it is, and what doesn't answer. No PIN is asked for.
    pub fn seen(&self) -> BTreeMap<String, String> {
        let used: Vec<ModulePin> = self.used_modules().map(|(_, pin)| pin.clone()).collect();
        let mut listing = self.modules.list(&used);
        // Nobody can be asked where the smart card service doesn't run: without YubiKeys that is no problem.
        if let Ok(yubikeys) = self.modules.yubikeys() {
            listing.tokens.extend(yubikeys.tokens);
            listing.problems.extend(yubikeys.problems);
        }
        let keys = self.map.iter().flat_map(|map| map.keys.values());
        let ways = keys.filter_map(|key| match key.uri {
            KeyUri::YubiHsm(uri) => Some(uri.way),
            _ => None,
        });
        for (_, yubihsms) in self.modules.yubihsms(&ways.collect()) {
            listing.tokens.extend(yubihsms.tokens);
            listing.problems.extend(yubihsms.problems);
        }
        let one = |token: &dyn Token| {
            let identity = token.identity();
            let label = match identity.label.as_str() {
                _ if token.is_blank() => "(blank)".to_owned(),
                "" => visible(&identity.model),
                label => visible(label),
            };
            (format!("{label}, serial {}", visible(&identity.serial)), visible(&identity.model))
        };
        let mut found: BTreeMap<String, String> =
            listing.tokens.iter().map(|token| one(token.as_ref())).collect();
        for (number, problem) in (1_usize..).zip(&listing.problems) {
            found.insert(format!("problem {number}"), problem.to_string());
        }
        found
    }

    fn used_modules(&self) -> impl Iterator<Item = (&String, &ModulePin)> {
        let map = self.map.iter();
        map.flat_map(|map| {
            let used: BTreeSet<&String> = map.keys.values().filter_map(|key| key.module.as_ref()).collect();
            map.modules.iter().filter(move |(name, _)| used.contains(name))
        })
    }

    /// Where the modules of one's own keys connect to, each with its name in the map.
    pub fn connections(&self) -> impl Iterator<Item = (&str, Address)> {
        let map = self.map.iter();
        map.flat_map(|map| {
            let used = self.used_modules().map(|(name, _)| name);
            used.filter_map(|name| Some((name.as_str(), *map.connections.get(name)?)))
        })
    }

    /// What has to stay in reach of a session with these keys, in a process that is confined: `record`
    /// and the program's own file, whose digest goes into the transcript, beside what the map names.
    pub fn needs(&self, record: &Path, program: Option<PathBuf>) -> Needs {
        let mut needs = Needs { read: program.into_iter().collect(), ..Needs::default() };
        needs.write.push(record.to_owned());
        let Some(map) = &self.map else { return needs };
        // A module may speak to its tokens by USB itself.
        needs.usb = !map.modules.is_empty();
        for module in map.modules.values() {
            let path = module.path.canonicalize().unwrap_or_else(|_| module.path.clone());
            needs.write.extend(machine::folders(&path));
            // Modules look for libraries beside themselves.
            needs.read.extend(path.parent().map(Path::to_owned));
        }
        needs.write.extend(map.folders.values().flatten().cloned());
        needs.local = !map.modules.is_empty();
        for (_, address) in self.connections() {
            needs.connect(address.port(), address.to_string());
        }
        for key in map.keys.values() {
            if let KeyUri::File(file) = &key.uri {
                needs.write.extend(file.parent().map(folder_of));
            }
            match &key.uri {
                KeyUri::YubiHsm(YubiHsmUri { way: Way::Connector(connector), .. }) => {
                    let address = connector.address();
                    needs.connect(address.port(), address.to_string());
                }
                KeyUri::YubiHsm(YubiHsmUri { way: Way::Usb, .. }) => needs.usb = true,
                KeyUri::Piv(_) => needs.local = true,
                _ => {}
            }
            if let PinFrom::File(file) = &key.pin {
                needs.read.push(file.clone());
            }
            let duties = [&key.duties.administrator, &key.duties.backup, &key.duties.auditor];
            needs.read.extend(duties.into_iter().flatten().cloned());
            needs.read.extend(key.puk.clone());
        }
        needs.read.extend(map.enrolments.values().cloned());
        // One that isn't there is no reason to open the folder that it would be made in.
        needs.write.extend(map.copies.clone());
        if let Some(Ok(cards)) = &self.cards {
            needs.write.push(cards.path().to_owned());
        }
        needs
    }
}

/// A folder, which may be the one where we are.
fn folder_of(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}
