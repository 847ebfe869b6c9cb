//! The keys in reach of this session: the device map, its modules, and tokens opened so far.
//!
//! A token stays open until the session ends, so that its PIN is asked once. Nothing is opened
//! before a step needs it.

use super::cards::CardsFolder;
use super::copies::CopiesFolder;
use super::devices::{DeviceKey, DeviceMap, PinFrom};
use super::enrolment::{self, Enrolments};
use super::pins::Pins;
use super::rules;
use crate::ceremony::address::Address;
use crate::ceremony::change::{Change, Item};
use crate::ceremony::facts::{Facts, Trust};
use crate::ceremony::people::KeyName;
use crate::ceremony::sharing::Dealt;
use crate::record::{Inputs, SignedStatement};
use crate::signer::backends::external::{Brought, ExternalToken};
use crate::signer::backends::{ModulePin, Modules};
use crate::signer::randomness::Randomness;
use crate::signer::secret::Pin;
use crate::signer::slip39::Secret;
use crate::signer::uri::KeyUri;
use crate::signer::yubihsm::{Way, YubiHsmUri};
use crate::signer::{PinAsk, PinSource, Token, TokenIdentity};
use crate::system::machine::{self, Needs};
use crate::tuf::digest::Digest;
use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use crate::ui::Console;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The keys in reach.
pub struct Keyring {
    map: Option<DeviceMap>,
    modules: Modules,
    open: BTreeMap<String, Box<dyn Token>>,
    holders: BTreeMap<KeyName, String>,
    publics: BTreeMap<KeyName, PublicKey>,
    enrolments: Enrolments,
    memory: BTreeMap<KeyName, Zeroizing<String>>,
    brought: BTreeSet<KeyName>,
    /// By the digest of the manifest of its shares.
    wrap_keys: BTreeMap<Digest, Secret>,
    /// Where pages of cards are written, once the session has looked; none without such a folder.
    cards: Option<Result<CardsFolder>>,
    /// Tokens whose log this session has put on record.
    settled: BTreeSet<TokenIdentity>,
}

/// What is done with an open token.
pub type With<'a, T> = &'a mut dyn FnMut(&mut dyn Token, &mut dyn PinSource) -> Result<T>;

impl Keyring {
    /// The keys of a device map; without one, none. New keys in files are drawn from there.
    pub fn new(map: Option<DeviceMap>, randomness: Randomness) -> Self {
        Self {
            map,
            modules: Modules::drawing(randomness),
            open: BTreeMap::new(),
            holders: BTreeMap::new(),
            publics: BTreeMap::new(),
            enrolments: Enrolments::default(),
            memory: BTreeMap::new(),
            brought: BTreeSet::new(),
            wrap_keys: BTreeMap::new(),
            cards: None,
            settled: BTreeSet::new(),
        }
    }

    /// Puts a throw-away key into the ring, with a PIN that is never written anywhere.
    pub fn put(&mut self, key: KeyName, place: DeviceKey, pin: Zeroizing<String>) {
        self.memory.insert(key.clone(), pin);
        if let Some(map) = &mut self.map {
            map.keys.insert(key, place);
        }
    }

    /// Refuses to take a key for a vault's that the device map has on a token or in a file.
    ///
    /// # Errors
    ///
    /// `KEY-ELSEWHERE`.
    pub fn require_vault(&self, key: &KeyName) -> Result<()> {
        if self.place(key).is_none() || self.in_vault(key) {
            return Ok(());
        }
        let found = format!("{key} on a token or in a file, by the device map");
        let expected = format!("uri = \"external:{key}\" under [key.{key}], or keyrite run");
        Err(Refusal::new(&rules::KEY_ELSEWHERE, found, expected))
    }

    /// Puts a vault's key in reach, as far as what came back from there goes. A map that doesn't
    /// name the key learns of it for this session.
    ///
    /// # Errors
    ///
    /// As [`Self::require_vault`].
    pub fn bring(&mut self, trust: TrustId, key: &KeyName, brought: Brought) -> Result<()> {
        self.require_vault(key)?;
        let map = self.map.get_or_insert_with(|| DeviceMap::new(trust));
        let uri = KeyUri::External(key.to_string());
        let place = map.keys.entry(key.clone()).or_insert(DeviceKey::new(uri));
        let name = match &place.uri {
            KeyUri::External(name) => name.clone(),
            _ => key.to_string(),
        };
        let token = ExternalToken::holding(name, brought);
        self.open.insert(address(place), Box::new(token));
        self.brought.insert(key.clone());
        Ok(())
    }

    /// Whether the device map has a key in a vault.
    pub fn in_vault(&self, key: &KeyName) -> bool {
        self.place(key).is_some_and(|place| matches!(place.uri, KeyUri::External(_)))
    }

    /// Whether the device map says that a key is on its token already, made by another program.
    pub fn exists(&self, key: &KeyName) -> bool {
        self.place(key).is_some_and(|place| place.existing)
    }

    /// Keeps a new wrap key until the session ends, when it is wiped: once every card of its manifest is
    /// read back, and not before.
    pub fn hold_wrap_key(&mut self, shares: Digest, secret: Secret, _: &Dealt) {
        self.hold_gathered(shares, secret);
    }

    /// The same of one that cards brought back.
    pub fn hold_gathered(&mut self, shares: Digest, secret: Secret) {
        self.wrap_keys.insert(shares, secret);
    }

    /// A wrap key that this session has made or brought back, by its shares' manifest.
    pub fn wrap_key(&self, shares: &Digest) -> Option<&Secret> {
        self.wrap_keys.get(shares)
    }

    /// Where copies of keys lie.
    ///
    /// # Errors
    ///
    /// `COPIES-FOLDER` if the device map names no folder.
    pub fn copies(&self) -> Result<CopiesFolder> {
        let folder = self.map.as_ref().and_then(|map| map.copies.clone());
        folder.map(CopiesFolder).ok_or_else(|| {
            Refusal::new(
                &rules::COPIES_FOLDER,
                "no [copies] in the device map",
                "[copies] folder = \"FOLDER\"",
            )
        })
    }

    /// Refuses to begin what keeps or brings back a key that is in reach here while the folder of
    /// copies is not there: a confined process can't make it, nor see what is mounted later.
    ///
    /// # Errors
    ///
    /// `COPIES-FOLDER`.
    pub fn copies_ready(&self, change: &Change) -> Result<()> {
        let here = |item: &Item| match item {
            Item::KeyCopy { key, .. } => self.here(key).then_some(true),
            Item::Restored(back) => self.here(&back.key).then_some(false),
            _ => None,
        };
        let writes: Vec<bool> = change.items.iter().filter_map(here).collect();
        if writes.is_empty() { Ok(()) } else { self.copies()?.ready(writes.contains(&true)) }
    }

    /// Begins a session: removes the pages of cards that one has left which was killed, and says how many.
    /// The folder stays in reach only of a session that `deals` cards out.
    ///
    /// # Errors
    ///
    /// `FILE-WRITE` for a page that stays.
    pub fn sweep_cards(&mut self, deals: bool) -> Result<usize> {
        let Some(folder) = self.map.as_ref().and_then(|map| map.cards.as_deref()) else { return Ok(0) };
        let cards = CardsFolder::open(folder);
        let gone = cards.as_ref().map_or(Ok(0), CardsFolder::sweep)?;
        self.cards = deals.then_some(cards);
        Ok(gone)
    }

    /// Where pages of cards are written; none if they are copied from the screen.
    ///
    /// # Errors
    ///
    /// `CARDS-FOLDER`.
    pub fn cards(&self) -> Result<Option<CardsFolder>> {
        self.cards.clone().transpose()
    }

    /// Refuses to begin a dealing whose pages could not be written.
    ///
    /// # Errors
    ///
    /// `CARDS-FOLDER`.
    pub fn cards_ready(&self, change: &Change) -> Result<()> {
        let deals = change.items.iter().any(|item| matches!(item, Item::Shares(_)));
        if deals { self.cards().map(drop) } else { Ok(()) }
    }

    /// The modules that are loaded.
    pub const fn modules(&self) -> &Modules {
        &self.modules
    }

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

    /// The device map, if there is one.
    pub const fn map(&self) -> Option<&DeviceMap> {
        self.map.as_ref()
    }

    /// The device map, to be filled in.
    pub fn map_mut(&mut self) -> Option<&mut DeviceMap> {
        self.map.as_mut()
    }

    /// Refuses to use these keys for another trust than their holder named.
    ///
    /// # Errors
    ///
    /// `TRUST-OTHER`.
    pub fn require_trust(&self, id: TrustId) -> Result<()> {
        self.map.as_ref().map_or(Ok(()), |map| map.serves(id))
    }

    /// What reading the record needs from the map: anchor, heads, enrolment files, own keys.
    ///
    /// # Errors
    ///
    /// What an enrolment file is refused for.
    pub fn inputs(&mut self, trust: &Trust) -> Result<Inputs> {
        let Some(map) = &self.map else { return Ok(Inputs::default()) };
        self.enrolments = enrolment::read(map, trust)?;
        Ok(Inputs {
            anchor: map.anchor,
            heads: map.head.into_iter().collect(),
            enrolments: self.enrolments.keys.clone(),
            devices: map.devices(),
            away: map.away.clone(),
            backend: map.backend.clone(),
        })
    }

    /// Learns from the record who holds what, for prompts.
    pub fn learn(&mut self, facts: &Facts) {
        for (name, record) in &facts.keys {
            self.holders.insert(name.clone(), record.holder.to_string());
            self.publics.insert(name.clone(), record.public.clone());
        }
    }

    /// Learns of a key that has just been made.
    pub fn know(&mut self, key: &KeyName, public: &PublicKey) {
        self.publics.insert(key.clone(), public.clone());
    }

    /// Whether the record has this key, or one was just made that is it.
    pub fn knows(&self, public: &PublicKey) -> bool {
        self.publics.values().any(|known| known == public)
    }

    /// Whether this session has put the token's log on record.
    pub fn is_settled(&self, token: &TokenIdentity) -> bool {
        self.settled.contains(token)
    }

    /// Notes that it has.
    pub fn settled(&mut self, token: &TokenIdentity) {
        self.settled.insert(token.clone());
    }

    /// Says who will hold a key that is about to be made.
    pub fn introduce(&mut self, key: &KeyName, holder: &str) {
        self.holders.insert(key.clone(), holder.to_owned());
    }

    /// Whether a key's token is in reach; keys that only `sign --external` serves are so only with
    /// what was brought back.
    pub fn here(&self, key: &KeyName) -> bool {
        self.place(key).is_some() && (!self.in_vault(key) || self.brought.contains(key))
    }

    /// The public key of the record's key.
    ///
    /// # Errors
    ///
    /// `KEY-UNKNOWN`.
    pub fn public(&self, key: &KeyName) -> Result<PublicKey> {
        self.publics.get(key).cloned().ok_or_else(|| {
            Refusal::new(
                &crate::ceremony::kinds::rules::KEY_UNKNOWN,
                format!("no key {key} in the record"),
                "a key that a ceremony has made or enrolled",
            )
        })
    }

    /// The possession statement that came with an enrolment.
    pub fn enrolment_statement(&self, key: &KeyName) -> Option<&SignedStatement> {
        let public = &self.enrolments.keys.get(key)?.public;
        self.enrolments.statements.iter().find(|s| s.public() == public)
    }

    /// Does something with the token of a key, opening it first if it isn't open.
    ///
    /// # Errors
    ///
    /// `KEY-ELSEWHERE` for a key that the map lacks; what opening and `act` refuse.
    pub fn with_token<T>(&mut self, key: &KeyName, console: &mut dyn Console, act: With<'_, T>) -> Result<T> {
        let elsewhere = || {
            let found = format!("no [key.{key}] in the device map");
            Refusal::new(&rules::KEY_ELSEWHERE, found, "a key of your own")
        };
        let map = self.map.as_ref().ok_or_else(elsewhere)?;
        let place = map.keys.get(key).ok_or_else(elsewhere)?;
        let name = address(place);
        if !self.open.contains_key(&name) {
            let token = self.modules.open(&place.uri, map.module_of(place))?;
            self.open.insert(name.clone(), token);
        }
        let token = self.open.get_mut(&name).ok_or_else(elsewhere)?;
        let holders = self.holders.iter().map(|(key, holder)| (key, holder.as_str()));
        let remembered = self.memory.get(key);
        let mut pins =
            For { key: key.to_string(), remembered, pins: Pins::new(console, Some(map)).held(holders) };
        let done = act(token.as_mut(), &mut pins);
        if done.as_ref().is_err_and(|r| r.rule().exit == Exit::Device) {
            // A token that failed is opened anew next time: its session may be half way in an act.
            self.open.remove(&name);
        }
        done
    }

    fn place(&self, key: &KeyName) -> Option<&DeviceKey> {
        self.map.as_ref()?.keys.get(key)
    }
}

/// PINs for one key: a token knows its own labels, not the record's names.
struct For<'a> {
    key: String,
    remembered: Option<&'a Zeroizing<String>>,
    pins: Pins<'a>,
}

impl For<'_> {
    fn named(&self, ask: &PinAsk) -> PinAsk {
        PinAsk { key: Some(self.key.clone()), ..ask.clone() }
    }
}

impl PinSource for For<'_> {
    fn pin(&mut self, ask: &PinAsk) -> Result<Pin> {
        if let Some(pin) = self.remembered {
            return Ok(Pin::new(pin.as_str().to_owned()));
        }
        let ask = self.named(ask);
        self.pins.pin(&ask)
    }

    fn pin_pad(&mut self, ask: &PinAsk) -> Result<()> {
        let ask = self.named(ask);
        self.pins.pin_pad(&ask)
    }

    fn touch(&mut self, token: &TokenIdentity) {
        self.pins.touch(token);
    }
}

/// A folder, which may be the one where we are.
fn folder_of(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

/// One token, whatever key on it the map names.
fn address(place: &DeviceKey) -> String {
    match &place.uri {
        KeyUri::Pkcs11(uri) => {
            let module = place.module.clone().unwrap_or_default();
            format!("{module} {:?} {:?}", uri.token, uri.serial)
        }
        other => other.to_string(),
    }
}
