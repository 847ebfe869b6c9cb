//! The keys in reach of this session: the device map, its modules, and tokens opened so far.
//!
//! A token stays open until the session ends, so that its PIN is asked once. Nothing is opened
//! before a step needs it.

mod reach;
mod wrapped;

use super::cards::CardsFolder;
use super::devices::{DeviceKey, DeviceMap};
use super::enrolment::{self, Enrolments};
use super::pins::Pins;
use super::rules;
use crate::ceremony::facts::{Facts, Trust};
use crate::ceremony::people::KeyName;
use crate::record::{Inputs, SignedStatement};
use crate::signer::backends::Modules;
use crate::signer::backends::external::{Brought, ExternalToken};
use crate::signer::randomness::Randomness;
use crate::signer::secret::Pin;
use crate::signer::slip39::Secret;
use crate::signer::uri::KeyUri;
use crate::signer::{PinAsk, PinSource, Token, TokenIdentity};
use crate::tuf::digest::Digest;
use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::ui::Console;
use std::collections::{BTreeMap, BTreeSet};
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

    /// The modules that are loaded.
    pub const fn modules(&self) -> &Modules {
        &self.modules
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
