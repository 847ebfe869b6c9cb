//! The form of `devices.toml`: how a device map is read and written.

use super::devices::{DeviceKey, DeviceMap, DutyPins, PinFrom, backend_url};
use super::rules;
use crate::ceremony::address::Address;
use crate::ceremony::facts::Anchor;
use crate::ceremony::strict::{self, Word};
use crate::signer::backends::ModulePin;
use crate::signer::uri::KeyUri;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    trust: TrustPart,
    head: Option<HeadPart>,
    backend: Option<BackendPart>,
    #[serde(default)]
    module: BTreeMap<String, ModulePart>,
    #[serde(default)]
    key: BTreeMap<String, KeyPart>,
    #[serde(default)]
    enrol: BTreeMap<String, EnrolPart>,
    copies: Option<FolderPart>,
    cards: Option<FolderPart>,
    #[serde(default)]
    away: BTreeMap<String, Word<Day>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustPart {
    id: Word<TrustId>,
    machine: Option<Word<Digest>>,
    root: Option<RootPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootPart {
    version: u64,
    payload: Word<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadPart {
    newest: Word<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackendPart {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ModulePart {
    path: PathBuf,
    sha256: Word<Digest>,
    #[serde(default)]
    folders: Vec<PathBuf>,
    connects_to: Option<Word<Address>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct KeyPart {
    uri: Word<KeyUri>,
    module: Option<String>,
    pin: Option<String>,
    pin_administrator: Option<PathBuf>,
    pin_backup: Option<PathBuf>,
    pin_auditor: Option<PathBuf>,
    max_payload: Option<usize>,
    puk: Option<PathBuf>,
    #[serde(default)]
    existing: bool,
}

/// `2026-12-02`: the day on which someone is back.
struct Day(Time);

impl FromStr for Day {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        format!("{text}T00:00:00Z").parse().map(Self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolPart {
    file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FolderPart {
    folder: PathBuf,
}

impl DeviceMap {
    /// Reads a map whose paths are taken from `folder`.
    ///
    /// # Errors
    ///
    /// `DEVICES` with line and column; also for a key that names a module that the map lacks, or a
    /// PKCS#11 key without one.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let file: File = strict::read(text, &rules::DEVICES, "the device map")?;
        let anchor = file.trust.root.map(|root| Anchor { version: root.version, payload: root.payload.0 });
        let mut map = Self { anchor, head: file.head.map(|h| h.newest.0), ..Self::new(file.trust.id.0) };
        map.machine = file.trust.machine.map(|mark| mark.0);
        map.backend = file.backend.map(|b| backend_url(&b.url)).transpose()?;
        for (name, part) in file.module {
            let pin = ModulePin { path: folder.join(part.path), sha256: Some(part.sha256.0) };
            if let Some(root) =
                part.folders.iter().find(|path| path.components().all(|c| c == Component::RootDir))
            {
                let found = format!(
                    "[module.{}] with the folder {}",
                    visible(&name),
                    quoted(&root.to_string_lossy())
                );
                return Err(Refusal::new(&rules::DEVICES, found, "the folders that this module writes in"));
            }
            let folders: Vec<PathBuf> = part.folders.iter().map(|path| folder.join(path)).collect();
            if !folders.is_empty() {
                map.folders.insert(name.clone(), folders);
            }
            if let Some(address) = part.connects_to {
                map.connections.insert(name.clone(), address.0);
            }
            map.modules.insert(name, pin);
        }
        for (name, part) in file.key {
            let key = device_key(&name, part, folder, &map.modules)?;
            map.keys.insert(name.parse()?, key);
        }
        for (name, part) in file.enrol {
            map.enrolments.insert(name.parse()?, folder.join(part.file));
        }
        map.copies = file.copies.map(|copies| folder.join(copies.folder));
        map.cards = file.cards.map(|cards| folder.join(cards.folder));
        for (person, until) in file.away {
            map.away.insert(person.parse()?, until.0.0);
        }
        Ok(map)
    }

    /// The map as a file, with a word on each part for its owner.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Where my own keys are. This file stays on this machine: it is no part of the record.\n",
        );
        let _ = writeln!(text, "\n[trust]\nid = {}", quoted(&self.trust.to_string()));
        if let Some(machine) = &self.machine {
            let _ = writeln!(text, "machine = {}", quoted(&machine.hex()));
        }
        match &self.anchor {
            Some(Anchor { version, payload }) => {
                let payload = quoted(&payload.hex());
                let _ = writeln!(text, "root = {{ version = {version}, payload = {payload} }}");
            }
            None => text.push_str(
                "# After the first day, the newest root as it stands on paper:\n# root = { version = 1, payload = \"<64 hex>\" }\n",
            ),
        }
        if let Some(head) = &self.head {
            let _ = writeln!(text, "\n[head]\nnewest = {}", quoted(&head.hex()));
        }
        if let Some(url) = &self.backend {
            let _ = writeln!(text, "\n[backend]\nurl = {}", quoted(url));
        }
        for (name, module) in &self.modules {
            let _ = writeln!(text, "\n[module.{}]\npath = {}", bare(name), path(&module.path));
            if let Some(sha256) = &module.sha256 {
                let _ = writeln!(text, "sha256 = {}", quoted(&sha256.hex()));
            }
            if let Some(folders) = self.folders.get(name) {
                let folders: Vec<String> = folders.iter().map(|folder| path(folder)).collect();
                let _ = writeln!(text, "folders = [{}]", folders.join(", "));
            }
            if let Some(address) = self.connections.get(name) {
                let _ = writeln!(text, "connects-to = \"{address}\"");
            }
        }
        for (name, key) in &self.keys {
            let _ = writeln!(text, "\n[key.{name}]\nuri = {}", quoted(&key.uri.to_string()));
            if let Some(module) = &key.module {
                let _ = writeln!(text, "module = {}", quoted(module));
            }
            let pin = match &key.pin {
                // A vault asks for its own.
                PinFrom::Terminal if matches!(key.uri, KeyUri::External(_)) => continue,
                PinFrom::Terminal => quoted("tty"),
                PinFrom::File(file) => path(file),
            };
            let _ = writeln!(text, "pin = {pin}");
            let DutyPins { administrator, backup, auditor } = &key.duties;
            for (duty, file) in [("administrator", administrator), ("backup", backup), ("auditor", auditor)] {
                if let Some(file) = file {
                    let _ = writeln!(text, "pin-{duty} = {}", path(file));
                }
            }
            if let Some(most) = key.max_payload {
                let _ = writeln!(text, "max-payload = {most}");
            }
            if let Some(puk) = &key.puk {
                let _ = writeln!(text, "puk = {}", path(puk));
            }
            if key.existing {
                text.push_str("existing = true\n");
            }
        }
        for (name, file) in &self.enrolments {
            let _ = writeln!(text, "\n[enrol.{name}]\nfile = {}", path(file));
        }
        if let Some(copies) = &self.copies {
            let _ = writeln!(text, "\n[copies]\nfolder = {}", path(copies));
        }
        if let Some(cards) = &self.cards {
            let _ = writeln!(text, "\n[cards]\nfolder = {}", path(cards));
        }
        if !self.away.is_empty() {
            text.push_str("\n[away]\n");
        }
        for (person, until) in &self.away {
            let _ = writeln!(text, "{person} = {}", quoted(&until.date()));
        }
        text
    }
}

fn device_key(
    name: &str,
    part: KeyPart,
    folder: &Path,
    modules: &BTreeMap<String, ModulePin>,
) -> Result<DeviceKey> {
    let refuse = |found: String, expected: &str| Err(Refusal::new(&rules::DEVICES, found, expected));
    let place = format!("[key.{}]", visible(name));
    let uri = match part.uri.0 {
        KeyUri::File(path) => KeyUri::File(folder.join(path)),
        other => other,
    };
    if uri.is_software() && part.max_payload.is_some() {
        return refuse(format!("{place} with a max-payload"), "max-payload for keys on tokens only");
    }
    if part.max_payload == Some(0) {
        return refuse(format!("{place} with max-payload = 0"), "a number of bytes");
    }
    if !matches!(uri, KeyUri::Piv(_)) && (part.puk.is_some() || part.existing) {
        let found = format!("{place} with puk or existing");
        return refuse(found, "these for a YubiKey by its piv: URI only");
    }
    match (&uri, &part.module) {
        (KeyUri::Pkcs11(_), None) => return refuse(format!("{place} without a module"), "module = \"NAME\""),
        (KeyUri::Pkcs11(_), Some(module)) if !modules.contains_key(module) => {
            let found = format!("{place} with the module \"{}\"", visible(module));
            return refuse(found, "a module that the map has as [module.NAME]");
        }
        (KeyUri::File(_) | KeyUri::External(_) | KeyUri::Piv(_) | KeyUri::YubiHsm(_), Some(_)) => {
            return refuse(format!("{place} with a module"), "a module for pkcs11: keys only");
        }
        _ => {}
    }
    let within = |file: Option<PathBuf>| file.map(|file| folder.join(file));
    let duties = DutyPins {
        administrator: within(part.pin_administrator),
        backup: within(part.pin_backup),
        auditor: within(part.pin_auditor),
    };
    if duties != DutyPins::NONE && !matches!(uri, KeyUri::YubiHsm(_)) {
        let expected = "pin-administrator, pin-backup and pin-auditor for yubihsm: keys only";
        return refuse(format!("{place} with a password of a duty"), expected);
    }
    let pin = match part.pin.as_deref() {
        None if matches!(uri, KeyUri::External(_)) => PinFrom::Terminal,
        None => return refuse(format!("{place} without a pin"), "pin = \"tty\", or a file of mode 0600"),
        Some("tty") => PinFrom::Terminal,
        Some("") => {
            return refuse(format!("{place} with an empty pin"), "pin = \"tty\", or a file of mode 0600");
        }
        Some(file) => PinFrom::File(folder.join(file)),
    };
    let puk = part.puk.map(|file| folder.join(file));
    let (module, max_payload, existing) = (part.module, part.max_payload, part.existing);
    Ok(DeviceKey { uri, module, pin, duties, max_payload, puk, existing })
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A key of a table's head, quoted where it must be.
fn bare(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !name.is_empty() && name.bytes().all(plain) { name.to_owned() } else { quoted(name) }
}
