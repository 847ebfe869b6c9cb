//! Tokens: anything that holds a private key and signs with it.
//!
//! To add a backend, write `backends/<scheme>.rs` and add its name to the list in
//! `backends/mod.rs`. A backend never prompts, prints or retries; it asks for a PIN through the
//! [`PinSource`] it is given. It signs a [`Payload`], never bytes of anyone's own, and whoever
//! calls it verifies the result in software before relying on it
//! ([`Signature::check`](crate::tuf::verify::Signature::check)).

use crate::tuf::key::{KeySpec, PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::verify::Signature;

pub mod backends;
pub mod backups;
pub mod evidence;
mod gf256;
pub mod keyfile;
pub mod randomness;
pub mod rules;
pub mod secret;
pub mod slip39;
pub mod tool_shares;
pub mod uri;
pub mod yubihsm;

use secret::Pin;

pub use backups::{Backups, Restored, WrapForm, WrappedKey};
pub use evidence::{Attestation, Evidence};

/// What kind of thing holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// An encrypted PKCS#8 file: software, copyable.
    File,
    /// A PKCS#11 token.
    Pkcs11,
    /// A YubiHSM 2, natively.
    YubiHsm,
    /// A YubiKey's PIV applet, natively.
    Piv,
    /// Somewhere that keyrite can't reach; signatures come in by `sign --external`.
    External,
}

impl TokenKind {
    /// The word in the record and in limits.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Pkcs11 => "pkcs11",
            Self::YubiHsm => "yubihsm",
            Self::Piv => "piv",
            Self::External => "external",
        }
    }
}

/// Which token this is. Always label and serial, never a slot number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenIdentity {
    /// What it is.
    pub kind: TokenKind,
    /// As the token says; escape before showing.
    pub label: String,
    /// As the token says; escape before showing. For a file: empty.
    pub serial: String,
    /// As the token says.
    pub manufacturer: String,
    /// As the token says.
    pub model: String,
    /// As the token says: `2.4`.
    pub firmware: String,
}

/// What the token tells of PIN tries left (PKCS#11 2.40 4.3 token flags).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tries {
    /// It tells nothing.
    Unknown,
    /// No wrong PIN since the last right one.
    Full,
    /// At least one wrong PIN.
    Low,
    /// One more wrong PIN locks it: never used without asking.
    Last,
    /// Locked.
    Locked,
    /// Exactly so many.
    Count(u32),
}

/// Why a PIN is asked for, to show to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinAsk {
    /// Which token.
    pub token: TokenIdentity,
    /// The record's name of the key, if one is to be used.
    pub key: Option<String>,
    /// Which secret.
    pub secret: PinKind,
    /// What the token tells of tries left.
    pub tries: Tries,
}

/// Which secret of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinKind {
    /// The user PIN, or an encrypted file's pass-phrase; a YubiHSM's password to sign.
    User,
    /// The security officer's PIN, to initialise; a YubiKey's PUK; a YubiHSM's administrator's
    /// password.
    SecurityOfficer,
    /// A new user PIN, asked for twice.
    NewUser,
    /// A new security officer's PIN, asked for twice.
    NewSecurityOfficer,
    /// A YubiHSM's password to take keys out under a wrap key.
    Backup,
    /// The same, to be set: asked for twice.
    NewBackup,
    /// A YubiHSM's password to read its log.
    Auditor,
    /// The same, to be set: asked for twice.
    NewAuditor,
}

impl PinKind {
    /// Whether it is to be set, so that it is typed twice.
    pub const fn is_new(self) -> bool {
        matches!(self, Self::NewUser | Self::NewSecurityOfficer | Self::NewBackup | Self::NewAuditor)
    }
}

/// Where PINs come from: the terminal, or a file of mode 0600 for scripts.
pub trait PinSource {
    /// The secret asked for, or none if the token has a PIN pad of its own
    /// ([`Token::pin_pad`]) and the person is to type there.
    ///
    /// # Errors
    ///
    /// `PIN-LAST-TRY` unless the person agreed to use the last try; `ANSWER-MISSING` in scripts.
    fn pin(&mut self, ask: &PinAsk) -> Result<Pin>;

    /// The token has a PIN pad: tells the person to type there.
    fn pin_pad(&mut self, ask: &PinAsk) -> Result<()>;

    /// The token waits to be touched.
    fn touch(&mut self, token: &TokenIdentity);
}

/// How a key is found on its token: label and id are chosen before it is made, and recorded as an
/// intent, so that a crash leaves no unknown key behind (threats T21).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyTag {
    /// `CKA_LABEL`
    pub label: String,
    /// `CKA_ID`, 16 bytes.
    pub id: [u8; 16],
    /// Where on the token, for those that number their places: a PIV slot, a YubiHSM object id.
    pub place: Option<u16>,
}

/// A key that a token holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// `CKA_LABEL`; escape before showing.
    pub label: String,
    /// `CKA_ID`.
    pub id: Vec<u8>,
    /// The public key, if the token tells it and keyrite knows its kind.
    pub public: Option<PublicKey>,
}

/// A key that has just been made on a token, or adopted after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The public key, read from the token.
    pub public: PublicKey,
    /// What the token says of it.
    pub evidence: Evidence,
}

/// Something that holds private keys.
pub trait Token {
    /// Which one.
    fn identity(&self) -> &TokenIdentity;

    /// Whether it has never been initialised.
    fn is_blank(&self) -> bool;

    /// What its owner should know of the state it is in, in words for people; none if nothing.
    fn condition(&self) -> Option<&'static str> {
        None
    }

    /// Whether PINs are typed on the token itself.
    fn pin_pad(&self) -> bool;

    /// The longest message in bytes that it signs where it is given the message itself, as for
    /// Ed25519; none if nobody has measured it.
    fn longest_message(&self) -> Option<usize> {
        None
    }

    /// Whether making a key on it begins with a reset that destroys everything on it.
    fn resets(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// What it tells of PIN tries left.
    fn tries(&mut self) -> Result<Tries>;

    /// Gives a blank token a label and its PINs.
    ///
    /// # Errors
    ///
    /// `TOKEN-NOT-BLANK` if it is in use: keyrite never wipes one.
    fn initialise(&mut self, label: &str, pins: &mut dyn PinSource) -> Result<()>;

    /// The keys on it.
    fn keys(&mut self, pins: &mut dyn PinSource) -> Result<Vec<TokenKey>>;

    /// Makes a key on the token: sensitive, not extractable, attributes read back.
    ///
    /// # Errors
    ///
    /// `LABEL-IN-USE`, `TOKEN-WEAK` if the attributes read back are not as asked, `TOKEN-CANNOT`.
    fn generate(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Generated>;

    /// Finds the key made under `tag` by a session that was cut off.
    fn adopt(&mut self, spec: KeySpec, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<Option<Generated>>;

    /// Takes a key that was made on the device before, by another program, if the device itself tells
    /// that it made the key.
    ///
    /// # Errors
    ///
    /// `TOKEN-CANNOT` where no device would tell, `TOKEN-WEAK`.
    fn take(&mut self) -> Result<Generated> {
        Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("a {} token, which doesn't tell who made its keys", self.identity().kind.name()),
            "a YubiKey by a piv: URI",
        ))
    }

    /// Changes the PIN; one that is locked, by the secret that unlocks it.
    ///
    /// # Errors
    ///
    /// `PIN-WRONG`, `PIN-LOCKED`, `PIN-LENGTH`, `PIN-FACTORY`, `TOKEN-CANNOT`.
    fn change_pin(&mut self, _pins: &mut dyn PinSource) -> Result<()> {
        Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("a {} token, whose PIN isn't changed here", self.identity().kind.name()),
            "its vendor's tool",
        ))
    }

    /// Opens the private key of `public`.
    ///
    /// # Errors
    ///
    /// `KEY-NOT-ON-TOKEN` if none of its keys is that one.
    fn open(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Box<dyn Signer + '_>>;

    /// Destroys the private key of `public`; used by `retire-key` alone.
    fn destroy(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<()>;

    /// What the token says of the key of `public`.
    fn evidence(&mut self, public: &PublicKey, pins: &mut dyn PinSource) -> Result<Evidence>;

    /// Attestation, where the token has it.
    fn attest(&mut self) -> Option<&mut dyn Attest> {
        None
    }

    /// Export and import of wrapped keys, where the token has it.
    fn backups(&mut self) -> Option<&mut dyn Backups> {
        None
    }

    /// An audit log, where the token has it.
    fn audit_log(&mut self) -> Option<&mut dyn AuditLog> {
        None
    }
}

/// A token that attests where its keys were made.
pub trait Attest {
    /// What the device attests of the key; none for a key that it did not make.
    fn attestation(&mut self, public: &PublicKey) -> Result<Option<Attestation>>;
}

/// A token that keeps a log of what it did.
pub trait AuditLog {
    /// How full it is, without a password.
    fn fill(&mut self) -> Result<Fill>;

    /// Entries that the token has not been told to forget. Reading them marks nothing: they are
    /// written into the record first.
    fn read(&mut self, pins: &mut dyn PinSource) -> Result<AuditRead>;

    /// Tells the token that the entries up to this number are on record.
    fn acknowledge(&mut self, number: u16, pins: &mut dyn PinSource) -> Result<()>;

    /// Everything that is on it, wherever someone might have hidden it.
    fn inventory(&mut self, pins: &mut dyn PinSource) -> Result<Vec<Held>>;
}

/// How full a token's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Entries that nobody has acknowledged.
    pub used: usize,
    /// Entries that it has room for.
    pub room: usize,
}

/// What a token's log has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRead {
    /// Events of which it had no room to write an entry.
    pub lost: u32,
    /// Its entries, in order.
    pub entries: Vec<AuditEntry>,
}

/// One entry of a token's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The token's own number.
    pub number: u16,
    /// The entry exactly as the token gave it, its chained digest included.
    pub raw: Vec<u8>,
}

/// Something that is on a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What, in words.
    pub what: String,
    /// Whether it is what keyrite puts on such a token, just as it does.
    pub prepared: bool,
    /// Its public half, if it is a key of a kind that keyrite uses.
    pub public: Option<PublicKey>,
}

/// One open private key.
pub trait Signer {
    /// Its public half, read from the token.
    fn public_key(&self) -> &PublicKey;

    /// The largest payload in bytes that it signs by `scheme`; none if that is not known, which
    /// for root means refused (tokens 0.1).
    fn max_payload(&self, scheme: Scheme) -> Option<usize>;

    /// Signs the payload. ECDSA comes back as r‖s, each as long as the curve's field.
    ///
    /// # Errors
    ///
    /// `TOKEN-REMOVED`, `TOKEN-FAILED`, `PIN-WRONG`, `PIN-LOCKED`, `PAYLOAD-TOO-LARGE`.
    fn sign(&mut self, scheme: Scheme, payload: &Payload, pins: &mut dyn PinSource) -> Result<Vec<u8>>;
}

/// Signs `payload`, then checks the result against the key that the document lists, in software,
/// before anyone relies on it. The one way from a token to a [`Signature`].
///
/// `listed` and `scheme` come from the document's key entry (for a statement from
/// [`Scheme::of`]), never from the token.
///
/// # Errors
///
/// `KEY-NOT-ON-TOKEN` if the signer holds another key, `PAYLOAD-TOO-LARGE`, what the token says,
/// and `SIGNATURE-WRONG` if what it made does not verify.
pub fn sign(
    signer: &mut dyn Signer,
    listed: &PublicKey,
    scheme: Scheme,
    payload: &Payload,
    pins: &mut dyn PinSource,
) -> Result<Signature> {
    if signer.public_key() != listed {
        return Err(Refusal::new(
            &rules::KEY_NOT_ON_TOKEN,
            format!("{} {}", signer.public_key().describe(), signer.public_key().identity()),
            format!("{} {}", listed.describe(), listed.identity()),
        ));
    }
    let length = payload.bytes().len();
    if let Some(most) = signer.max_payload(scheme).filter(|most| length > *most) {
        return Err(Refusal::new(
            &rules::PAYLOAD_TOO_LARGE,
            format!("{length} bytes"),
            format!("at most {most} bytes, which is what this token signs by {scheme}"),
        ));
    }
    let raw = signer.sign(scheme, payload, pins)?;
    Signature::check(listed, scheme, payload, &raw)
}
