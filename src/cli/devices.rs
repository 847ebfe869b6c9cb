//! The device map, `devices.toml`: where one's own keys are, and what one knows of the trust.
//!
//! It belongs to one person and one machine; it is never part of the record. It names the one trust
//! that its keys serve, because a private key is opened for that trust only. Keys that it doesn't
//! name are elsewhere, which is no error. Paths are taken from the map's own folder.
//!
//! Never: a PIN. A file that holds one is named, and must be its owner's alone.

use super::session::{TEXT_CAP, shown};
use super::{files, rules};
use crate::ceremony::address::Address;
use crate::ceremony::facts::{Anchor, Device};
use crate::ceremony::people::{KeyName, Person};
use crate::record::media;
use crate::signer::backends::ModulePin;
use crate::signer::uri::KeyUri;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A device map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMap {
    /// The trust that its keys serve.
    pub trust: TrustId,
    /// The machine that it was written on: [`machine_mark`].
    pub machine: Option<Digest>,
    /// The newest root that its owner knows.
    pub anchor: Option<Anchor>,
    /// The newest transcript head that its owner knows.
    pub head: Option<Digest>,
    /// PKCS#11 modules, by the name that keys give them.
    pub modules: BTreeMap<String, ModulePin>,
    /// Folders that a module writes in, by its name in the map; of `SoftHSM` they are known.
    pub folders: BTreeMap<String, Vec<PathBuf>>,
    /// Where a module connects to, by its name in the map; a limit has to allow it.
    pub connections: BTreeMap<String, Address>,
    /// One's own keys.
    pub keys: BTreeMap<KeyName, DeviceKey>,
    /// The backend's address, for the lines that a person types: `https://notary.example.com`.
    pub backend: Option<String>,
    /// Files of public keys to be enrolled, by the name that the runbook gives the key.
    pub enrolments: BTreeMap<KeyName, PathBuf>,
    /// The folder of copies of keys, and of share manifests: on a medium that is kept apart.
    pub copies: Option<PathBuf>,
    /// The folder in memory where pages of share cards are written; none if they are copied from the
    /// screen.
    pub cards: Option<PathBuf>,
    /// Who is away until when, as far as the owner knows: plans ask them from then on.
    pub away: BTreeMap<Person, Time>,
}

/// Where a key of one's own is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKey {
    /// Where.
    pub uri: KeyUri,
    /// The PKCS#11 module, by its name in the map.
    pub module: Option<String>,
    /// Where its PIN or pass-phrase comes from.
    pub pin: PinFrom,
    /// Where the passwords of a YubiHSM's other duties come from.
    pub duties: DutyPins,
    /// The longest message in bytes that its token takes, where it is given the message itself
    /// (Ed25519); none is unknown.
    pub max_payload: Option<usize>,
    /// The file of a YubiKey's PUK, for scripts.
    pub puk: Option<PathBuf>,
    /// Another program has made it on its YubiKey already: it is brought in, not made.
    pub existing: bool,
}

impl DeviceKey {
    /// A key there, its PIN typed, of no module and no known limit.
    pub const fn new(uri: KeyUri) -> Self {
        let pin = PinFrom::Terminal;
        Self { uri, module: None, pin, duties: DutyPins::NONE, max_payload: None, puk: None, existing: false }
    }
}

/// Files of the passwords of a YubiHSM's duties but the signer's; none if a person types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyPins {
    /// `pin-administrator`
    pub administrator: Option<PathBuf>,
    /// `pin-backup`
    pub backup: Option<PathBuf>,
    /// `pin-auditor`
    pub auditor: Option<PathBuf>,
}

impl DutyPins {
    /// All are typed.
    pub const NONE: Self = Self { administrator: None, backup: None, auditor: None };
}

/// Where a PIN comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinFrom {
    /// A person types it.
    Terminal,
    /// A file of mode 0600, for scripts.
    File(PathBuf),
}

impl DeviceMap {
    /// A map of no devices, for one trust.
    pub const fn new(trust: TrustId) -> Self {
        Self {
            trust,
            machine: None,
            anchor: None,
            head: None,
            modules: BTreeMap::new(),
            folders: BTreeMap::new(),
            connections: BTreeMap::new(),
            keys: BTreeMap::new(),
            backend: None,
            enrolments: BTreeMap::new(),
            copies: None,
            cards: None,
            away: BTreeMap::new(),
        }
    }

    /// Reads the map in `file`; none if there is no such file.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and what reading a file refuses.
    pub fn read(file: &Path) -> Result<Option<Self>> {
        if std::fs::symlink_metadata(file).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let bytes = media::read_file(file, TEXT_CAP)?;
        let text = String::from_utf8(bytes).map_err(|e| {
            Refusal::new(&rules::TEXT_FILE, format!("{}: {}", shown(file), e.utf8_error()), "a text in UTF-8")
        })?;
        let folder = file.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).map(Some).map_err(|e| e.at(shown(file)))
    }

    /// Adds a PKCS#11 module under a name made of its file's (`libsofthsm2.so` is `softhsm2`), and
    /// says which; one that is there already keeps its name.
    pub fn add_module(&mut self, module: ModulePin) -> String {
        if let Some((name, _)) = self.modules.iter().find(|(_, known)| known.path == module.path) {
            return name.clone();
        }
        let stem = module.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = stem.strip_prefix("lib").unwrap_or(&stem);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let stem: String = stem.chars().filter(|c| plain(*c)).collect();
        let stem = if stem.is_empty() { "module".to_owned() } else { stem };
        let numbered = (2u32..).map(|n| format!("{stem}-{n}"));
        let mut names = std::iter::once(stem.clone()).chain(numbered);
        let name = names.find(|n| !self.modules.contains_key(n)).unwrap_or(stem);
        self.modules.insert(name.clone(), module);
        name
    }

    /// Refuses to serve another trust than the map's.
    ///
    /// # Errors
    ///
    /// `TRUST-OTHER`.
    pub fn serves(&self, trust: TrustId) -> Result<()> {
        if self.trust == trust {
            return Ok(());
        }
        Err(Refusal::new(
            &rules::TRUST_OTHER,
            format!("a record of the trust {trust}"),
            format!("the trust {} that the device map names", self.trust),
        ))
    }

    /// The PKCS#11 module of a key, where it has one.
    pub fn module_of(&self, key: &DeviceKey) -> Option<&ModulePin> {
        key.module.as_ref().and_then(|name| self.modules.get(name))
    }

    /// One's own keys as ceremonies may know them. What a token can sign at most is what the map
    /// says: no token is asked here.
    pub fn devices(&self) -> BTreeMap<KeyName, Device> {
        self.keys
            .iter()
            .map(|(name, key)| {
                let software = key.uri.is_software();
                (name.clone(), Device { max_payload: key.max_payload, software })
            })
            .collect()
    }

    /// Writes the map to a new file, having read it back.
    ///
    /// # Errors
    ///
    /// `FILE-EXISTS`, `FILE-WRITE`; `DEVICES` if it would not read back as it is.
    pub fn create(&self, file: &Path) -> Result<()> {
        let text = self.to_toml();
        let folder = file.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder)?;
        files::create(file, text.as_bytes())
    }
}

/// What a map says of the machine that it was written on, and of the folder. Nobody elsewhere can say
/// it: the machine's own name is secret (machine-id(5)), and trust and folder are mixed in so that it
/// stays so, and so that who has seen one map can make none for another place.
pub fn machine_mark(machine: &str, trust: TrustId, folder: &str) -> Digest {
    Digest::of(format!("keyrite device map\n{machine}\n{trust}\n{folder}\n").as_bytes())
}

/// A backend's address, which people will find on lines that they type into a shell.
///
/// # Errors
///
/// `DEVICES` unless it is `http://` or `https://` and letters that no shell minds.
pub fn backend_url(text: &str) -> Result<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".:/-_[]".contains(&b);
    if rest.is_empty() || rest.len() > 255 || rest.starts_with('-') || !rest.bytes().all(plain) {
        let found = format!("the backend \"{}\"", visible(text));
        return Err(Refusal::new(&rules::DEVICES, found, "an address like https://notary.example.com"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn whole() -> String {
        format!(
            r#"
[trust]
id = "00112233445566778899aabbccddeeff"
machine = "{HEX}"
root = {{ version = 4, payload = "{HEX}" }}

[head]
newest = "{HEX}"

[backend]
url = "https://notary.example.com/"

[module.softhsm2]
path = "/usr/lib/softhsm/libsofthsm2.so"
sha256 = "{HEX}"
folders = ["tokens", "/var/lib/tokens"]
connects-to = "192.0.2.7:1792"

[key.root-a]
uri = "pkcs11:token=root-a;serial=12;object=root-a"
module = "softhsm2"
pin = "tty"

[key.targets-1]
uri = "file:keys/targets-1.pem"
pin = "pins/targets-1"

[key.root-b]
uri = "external:root-b"

[key.root-c]
uri = "pkcs11:token=root-c;serial=13;object=root-c"
module = "softhsm2"
pin = "tty"
max-payload = 2028

[key.root-d]
uri = "yubihsm:serial=0007550054;connector=http://127.0.0.1:8080"
pin = "tty"
pin-auditor = "pins/auditor"

[key.root-e]
uri = "piv:serial=12345678;slot=9c"
pin = "pins/root-e"
puk = "pins/puk-e"
existing = true

[enrol.dev-dana]
file = "dana.enrol.json"

[copies]
folder = "copies"

[cards]
folder = "/dev/shm/cards"

[away]
dora = "2026-12-02"
"#
        )
    }

    fn parse(text: &str) -> Result<DeviceMap> {
        DeviceMap::parse(text, Path::new("/home/ada"))
    }

    fn key(map: &DeviceMap, name: &str) -> DeviceKey {
        map.keys[&name.parse::<KeyName>().unwrap()].clone()
    }

    #[test]
    fn every_part_is_read_and_paths_are_the_maps_own() {
        let map = parse(&whole()).unwrap();
        assert_eq!(map.anchor.unwrap().version, 4);
        assert_eq!(map.head.unwrap().hex(), HEX);
        assert_eq!(map.backend.as_deref(), Some("https://notary.example.com"));
        let targets = key(&map, "targets-1");
        assert_eq!(targets.uri, KeyUri::File("/home/ada/keys/targets-1.pem".into()));
        assert_eq!(targets.pin, PinFrom::File("/home/ada/pins/targets-1".into()));
        let root = key(&map, "root-a");
        assert_eq!(root.pin, PinFrom::Terminal);
        assert_eq!(map.module_of(&root).unwrap().path, Path::new("/usr/lib/softhsm/libsofthsm2.so"));
        assert_eq!(map.module_of(&targets), None);
        let folders: Vec<_> = map.folders["softhsm2"].iter().map(|folder| folder.to_str().unwrap()).collect();
        assert_eq!(folders, ["/home/ada/tokens", "/var/lib/tokens"]);
        assert_eq!(map.connections["softhsm2"].to_string(), "192.0.2.7:1792");
        let dana = "dev-dana".parse::<KeyName>().unwrap();
        assert_eq!(map.enrolments[&dana], Path::new("/home/ada/dana.enrol.json"));
        assert!(map.devices()[&"targets-1".parse::<KeyName>().unwrap()].software);
        assert!(!map.devices()[&"root-a".parse::<KeyName>().unwrap()].software);
        let yubikey = key(&map, "root-e");
        assert_eq!((yubikey.puk, yubikey.existing), (Some("/home/ada/pins/puk-e".into()), true));
        assert_eq!((root.puk, root.existing), (None, false));
        let limit = |name: &str| map.devices()[&name.parse::<KeyName>().unwrap()].max_payload;
        assert_eq!((limit("root-a"), limit("root-c")), (None, Some(2028)));
        assert_eq!(map.copies.as_deref(), Some(Path::new("/home/ada/copies")));
        assert_eq!(map.cards.as_deref(), Some(Path::new("/dev/shm/cards")));
        assert_eq!(map.away[&"dora".parse::<Person>().unwrap()].to_string(), "2026-12-02T00:00:00Z");
        assert!(map.devices()[&"root-b".parse::<KeyName>().unwrap()].software, "as good as a file");
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let map = parse(&whole()).unwrap();
        assert_eq!(parse(&map.to_toml()).unwrap(), map);
        let odd = "un\"usual\\ pa\u{e4}th";
        let mut map = DeviceMap::new(map.trust);
        map.enrolments.insert("dev-dana".parse().unwrap(), Path::new("/").join(odd));
        map.add_module(ModulePin { path: Path::new("/").join(odd), sha256: Some(HEX.parse().unwrap()) });
        assert_eq!(parse(&map.to_toml()).unwrap(), map);
    }

    #[test]
    fn what_is_no_device_map_is_refused_where_it_stands() {
        let one = |from: &str, to: &str| whole().replace(from, to);
        for (text, found) in [
            (String::new(), "trust"),
            (one("id = ", "ident = "), "line 3"),
            (one("newest", "oldest"), "oldest"),
            (one("version = 4", "version = \"4\""), "line 5"),
            (one(HEX, "00"), "hexadecimal"),
            (one("[enrol.dev-dana]", "[enroll.dev-dana]"), "enroll"),
            (one("pin = \"tty\"", "pin-value = \"1234\""), "pin-value"),
            (one("object=root-a", "object=root-a?pin-value=1234"), "pin-value"),
            (one("module = \"softhsm2\"", "module = \"softhsm\""), "the module \"softhsm\""),
            (one("module = \"softhsm2\"\n", ""), "without a module"),
            (
                one("uri = \"external:root-b\"", "uri = \"external:root-b\"\nmodule = \"softhsm2\""),
                "with a module",
            ),
            (one("pin = \"pins/targets-1\"", "pin = \"\""), "an empty pin"),
            (one("pin = \"pins/targets-1\"", "pin = \"tty\"\npuk = \"a\""), "with puk or existing"),
            (one("max-payload = 2028", "existing = true"), "with puk or existing"),
            (one("pin = \"pins/targets-1\"", ""), "without a pin"),
            (one("object=root-a\"", "object=root-a\"\npin-auditor = \"a\""), "with a password of a duty"),
            (one(";connector=http://127.0.0.1:8080", ";connector=http://hsm:8080"), "127.0.0.1"),
            (one("pin-auditor = \"pins/auditor\"", "module = \"softhsm2\""), "with a module"),
            (one("folders = [\"tokens\"", "folders = [\"/\""), "the folder \"/\""),
            (one("192.0.2.7:1792", "hsm.example.com:1792"), "an IP address and a port"),
            (one("max-payload = 2028", "max-payload = 0"), "max-payload = 0"),
            (one("max-payload = 2028", "max-payload = -1"), "line 35"),
            (one("pin = \"pins/targets-1\"", "pin = \"tty\"\nmax-payload = 9"), "with a max-payload"),
            (one("2026-12-02", "2026-12-32"), "line 58"),
            (one("https://notary.example.com/", "https://a b"), "the backend"),
            (one("https://notary.example.com/", "ftp://notary"), "the backend"),
            (one("https://notary.example.com/", "https://x;rm"), "the backend"),
        ] {
            let refusal = parse(&text).unwrap_err();
            assert_eq!(refusal.rule().name, "DEVICES", "{refusal}");
            assert!(
                refusal.found().contains(found) || refusal.expected().contains(found),
                "{found}: {refusal}"
            );
        }
        assert_eq!(parse(&one("key.root-a", "key.\"../a\"")).unwrap_err().rule().name, "NAME");
    }

    #[test]
    fn modules_get_a_name_of_their_own() {
        let mut map = DeviceMap::new(TrustId::from_bytes([0; 16]));
        let pin = |path: &str| ModulePin { path: path.into(), sha256: Some(HEX.parse().unwrap()) };
        assert_eq!(map.add_module(pin("/usr/lib/softhsm/libsofthsm2.so")), "softhsm2");
        assert_eq!(map.add_module(pin("/opt/libsofthsm2.so")), "softhsm2-2");
        assert_eq!(map.add_module(pin("/usr/lib/softhsm/libsofthsm2.so")), "softhsm2");
        assert_eq!(map.add_module(pin("/opt/.so")), "so");
        assert_eq!(map.add_module(pin("/opt/lib\u{202e}.so")), "module");
    }

    #[test]
    fn a_map_serves_one_trust() {
        let map = parse(&whole()).unwrap();
        assert!(map.serves(map.trust).is_ok());
        let other = map.serves(TrustId::from_bytes([7; 16])).unwrap_err();
        assert_eq!(other.rule().name, "TRUST-OTHER");
    }
}
