//! What is on a YubiHSM 2: objects, what can be done with each, and the commands on them.

use super::duties::KEYS;
use super::session::{Session, Static};
use super::wire::{Command, Fault, Parts, odd};
use crate::signer::rules;
use crate::tuf::key::{Algorithm, KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use std::fmt;
use zeroize::Zeroizing;

/// No object has a longer label, in bytes; shorter ones are filled up with zeros.
pub const LABEL: usize = 40;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind(pub u8);

impl Kind {
    pub const OPAQUE: Self = Self(1);
    pub const AUTHENTICATION: Self = Self(2);
    pub const ASYMMETRIC: Self = Self(3);
    pub const WRAP: Self = Self(4);
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::OPAQUE => "opaque object",
            Self::AUTHENTICATION => "authentication key",
            Self::ASYMMETRIC => "asymmetric key",
            Self::WRAP => "wrap key",
            Self(_) => "object",
        })
    }
}

/// What can be done, one bit each (YubiHSM 2 user guide, "Capabilities").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(pub u64);

impl Capabilities {
    pub const NONE: Self = Self(0);
    pub const GET_OPAQUE: Self = Self(1);
    pub const GENERATE_ASYMMETRIC: Self = Self(1 << 4);
    pub const SIGN_ECDSA: Self = Self(1 << 7);
    pub const SIGN_EDDSA: Self = Self(1 << 8);
    pub const EXPORT_WRAPPED: Self = Self(1 << 12);
    pub const IMPORT_WRAPPED: Self = Self(1 << 13);
    pub const PUT_WRAP_KEY: Self = Self(1 << 14);
    pub const EXPORTABLE: Self = Self(1 << 16);
    pub const GET_OPTION: Self = Self(1 << 18);
    pub const RANDOM: Self = Self(1 << 19);
    pub const GET_LOG: Self = Self(1 << 24);
    pub const RESET: Self = Self(1 << 28);
    pub const ATTEST: Self = Self(1 << 34);
    pub const DELETE_AUTHENTICATION: Self = Self(1 << 40);
    pub const DELETE_ASYMMETRIC: Self = Self(1 << 41);
    pub const DELETE_WRAP: Self = Self(1 << 42);

    /// Whether all of the others are among these.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// All of these.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An object, as a list has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its number among those of its kind.
    pub id: u16,
}

impl Object {
    /// Whether it is the key or the certificate by which the device attests, which come with it.
    pub fn is_the_devices(self) -> bool {
        self.id == 0 && matches!(self.kind, Kind::OPAQUE | Kind::ASYMMETRIC)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} 0x{:04x}", self.kind, self.id)
    }
}

/// What the device says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// What can be done with it.
    pub capabilities: Capabilities,
    /// Where it is, one bit each.
    pub domains: u16,
    /// What kind of key.
    pub algorithm: u8,
    /// How often its number was used before.
    pub sequence: u8,
    /// Where it comes from: 1 is made here, 2 brought in, 16 brought in wrapped.
    pub origin: u8,
    /// Its label; escape before showing.
    pub label: String,
    /// What objects that are made by it can have.
    pub delegated: Capabilities,
}

impl Info {
    /// Whether it is where keyrite's keys are and can do what they can and nothing else.
    pub const fn only_signs(&self) -> bool {
        let all = Capabilities::SIGN_ECDSA.and(Capabilities::SIGN_EDDSA).and(Capabilities::EXPORTABLE);
        self.domains == KEYS && self.capabilities.0 & !all.0 == 0
    }

    /// Whether a wrap key may take it out.
    pub const fn may_leave(&self) -> bool {
        self.capabilities.has(Capabilities::EXPORTABLE)
    }

    /// Whether it is where keyrite's keys are and wraps and unwraps keys that only sign.
    pub const fn is_a_wrap_key(&self) -> bool {
        let wraps = Capabilities::EXPORT_WRAPPED.and(Capabilities::IMPORT_WRAPPED);
        let signing = Capabilities::SIGN_ECDSA.and(Capabilities::SIGN_EDDSA).and(Capabilities::EXPORTABLE);
        self.domains == KEYS && self.capabilities.0 == wraps.0 && self.delegated.0 & !signing.0 == 0
    }
}

/// An authentication key that is to be put.
pub struct AuthenticationKey<'a> {
    pub id: u16,
    pub label: &'a str,
    pub domains: u16,
    pub capabilities: Capabilities,
    pub delegated: Capabilities,
    pub keys: &'a Static,
}

/// The device's number for a kind of key, and what a key of it signs by; none if it makes none.
pub fn algorithm_of(spec: KeySpec) -> Option<(u8, Capabilities)> {
    match spec {
        KeySpec::EcdsaP256 => Some((12, Capabilities::SIGN_ECDSA)),
        KeySpec::EcdsaP384 => Some((13, Capabilities::SIGN_ECDSA)),
        KeySpec::Ed25519 => Some((46, Capabilities::SIGN_EDDSA)),
        _ => None,
    }
}

impl Session {
    /// Everything in the domains of whoever is logged in, sorted.
    pub fn list(&mut self) -> Result<Vec<Object>> {
        let command = Command::LIST_OBJECTS;
        let came = self.done(command, &[])?;
        let mut parts = Parts::of(command, &came);
        let mut found = Vec::new();
        while !parts.is_empty() {
            let (id, kind, _sequence) = (parts.short()?, parts.byte()?, parts.byte()?);
            found.push(Object { kind: Kind(kind), id });
        }
        found.sort();
        Ok(found)
    }

    /// What the device says of one; none if it is not in one's domains.
    pub fn info(&mut self, object: Object) -> Result<Option<Info>> {
        let command = Command::OBJECT_INFO;
        let [high, low] = object.id.to_be_bytes();
        let came = match self.tried(command, &[high, low, object.kind.0])? {
            Ok(came) => came,
            Err(Fault::NOT_FOUND) => return Ok(None),
            Err(fault) => return Err(fault.refused(command)),
        };
        let mut parts = Parts::of(command, &came);
        let capabilities = Capabilities(parts.long()?);
        let id = parts.short()?;
        let _length = parts.short()?;
        let domains = parts.short()?;
        let (kind, algorithm, sequence, origin) =
            (parts.byte()?, parts.byte()?, parts.byte()?, parts.byte()?);
        let label: [u8; LABEL] = parts.bytes()?;
        let delegated = Capabilities(parts.long()?);
        parts.done()?;
        if (Object { kind: Kind(kind), id }) != object {
            return Err(odd(command, "of another object"));
        }
        let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
        let label = String::from_utf8_lossy(label).into_owned();
        Ok(Some(Info { capabilities, domains, algorithm, sequence, origin, label, delegated }))
    }

    /// The public half of an asymmetric key; none if it is of a kind that keyrite doesn't use.
    pub fn public_key(&mut self, id: u16) -> Result<Option<PublicKey>> {
        let command = Command::PUBLIC_KEY;
        let came = self.done(command, &id.to_be_bytes())?;
        let mut parts = Parts::of(command, &came);
        let algorithm = parts.byte()?;
        let bytes = parts.rest();
        let point = [&[4][..], bytes].concat();
        let public = match algorithm {
            12 => PublicKey::from_ec_point(Algorithm::EcdsaP256, &point),
            13 => PublicKey::from_ec_point(Algorithm::EcdsaP384, &point),
            46 => PublicKey::from_ed25519(bytes),
            _ => return Ok(None),
        };
        public.map(Some).map_err(|e| odd(command, &format!("that is no public key: {}", e.found())))
    }

    /// Makes a key that can do just this.
    pub fn generate(
        &mut self,
        id: u16,
        label: &str,
        domains: u16,
        algorithm: u8,
        capabilities: Capabilities,
    ) -> Result<()> {
        let command = Command::GENERATE_KEY;
        let body = [
            &id.to_be_bytes()[..],
            &padded(label)?,
            &domains.to_be_bytes(),
            &capabilities.0.to_be_bytes(),
            &[algorithm],
        ]
        .concat();
        match self.tried(command, &body)? {
            Ok(came) if came.as_slice() == id.to_be_bytes() => Ok(()),
            Ok(_) => Err(odd(command, "of another object")),
            Err(Fault::EXISTS) => Err(Refusal::new(
                &rules::LABEL_IN_USE,
                format!("an asymmetric key 0x{id:04x}"),
                "a number that is free on the YubiHSM",
            )),
            Err(fault) => Err(fault.refused(command)),
        }
    }

    /// Puts an authentication key there.
    pub fn put_authentication(&mut self, key: &AuthenticationKey<'_>) -> Result<()> {
        let body = Zeroizing::new(
            [
                &key.id.to_be_bytes()[..],
                &padded(key.label)?,
                &key.domains.to_be_bytes(),
                &key.capabilities.0.to_be_bytes(),
                &[38],
                &key.delegated.0.to_be_bytes(),
                &key.keys.bytes()[..],
            ]
            .concat(),
        );
        self.done(Command::PUT_AUTHENTICATION_KEY, &body).map(|_| ())
    }

    /// Deletes an object.
    pub fn delete(&mut self, object: Object) -> Result<()> {
        let [high, low] = object.id.to_be_bytes();
        self.done(Command::DELETE, &[high, low, object.kind.0]).map(|_| ())
    }

    /// The certificate that the device makes, by its own key, for one of its keys; in DER.
    pub fn attestation(&mut self, id: u16) -> Result<Zeroizing<Vec<u8>>> {
        self.done(Command::ATTEST, &[&id.to_be_bytes()[..], &[0, 0]].concat())
    }

    /// The device's own certificate, in DER: the opaque object 0, which comes with it.
    pub fn own_certificate(&mut self) -> Result<Zeroizing<Vec<u8>>> {
        self.done(Command::GET_OPAQUE, &[0, 0])
    }

    /// Signs a digest by ECDSA, in DER.
    pub fn sign_ecdsa(&mut self, id: u16, digest: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.done(Command::SIGN_ECDSA, &[&id.to_be_bytes()[..], digest].concat())
    }

    /// Signs a message by Ed25519.
    pub fn sign_eddsa(&mut self, id: u16, message: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.done(Command::SIGN_EDDSA, &[&id.to_be_bytes()[..], message].concat())
    }
}

pub fn padded(label: &str) -> Result<[u8; LABEL]> {
    let mut padded = [0; LABEL];
    let place = padded.get_mut(..label.len()).filter(|_| label.is_ascii() && !label.is_empty());
    place
        .ok_or_else(|| {
            let found = format!("a label of {} bytes", label.len());
            Refusal::new(&rules::TOKEN_LABEL, found, "1 to 40 plain letters")
        })?
        .copy_from_slice(label.as_bytes());
    Ok(padded)
}
