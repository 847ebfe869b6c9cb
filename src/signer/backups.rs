//! Backups: keys that leave a token wrapped, and come back on another.
//!
//! A key is wrapped by the token under a wrap key that the token holds, and unwrapped inside the
//! other: outside of tokens it is only ever opaque bytes. Only the wrap key itself passes through
//! this machine's memory, when it is put on a token ([`WrapSecret`]). It is never a signing key, and
//! a root's redundancy is more root keys, not shares of one.
//!
//! A key that is to be backed up is made so on purpose ([`Backups::generate_exportable`]); every
//! other key that keyrite makes can't leave its token, and nothing changes that afterwards.

use super::secret::WrapSecret;
use super::{Generated, KeyTag, PinSource};
use crate::tuf::key::{KeySpec, PublicKey};
use crate::tuf::rule::Result;
use zeroize::Zeroizing;

/// How a wrapped key's bytes are made, so that whoever has the wrap key can tell years later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WrapForm {
    /// RFC 5649 over PKCS#8 (`CKM_AES_KEY_WRAP_PAD`): `openssl` opens it.
    AesKeyWrapPad,
    /// A YubiHSM 2's own: AES-CCM over the object with its id, label, domains and capabilities.
    YubiHsmCcm,
}

impl WrapForm {
    /// Every form.
    pub const ALL: [Self; 2] = [Self::AesKeyWrapPad, Self::YubiHsmCcm];

    /// The word in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesKeyWrapPad => "aes-key-wrap-pad",
            Self::YubiHsmCcm => "yubihsm-ccm",
        }
    }
}

/// A key as a token gave it out: worth nothing without the wrap key, and still kept from view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// How the bytes are made.
    pub form: WrapForm,
    /// As the token gave them.
    pub bytes: Vec<u8>,
}

impl WrappedKey {
    /// The most bytes of a wrapped key: an RSA-4096 key takes about 2,400.
    pub const LONGEST: usize = 4096;
}

/// A key that is on a token again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// As the token has it.
    pub made: Generated,
    /// Whether it was unwrapped just now. One that was there already says nothing of the wrap key.
    pub opened: bool,
}

/// A token that lets keys out under a wrap key, and takes them in.
///
/// Wrap keys are named by a [`KeyTag`] as signing keys are: the label and id on PKCS#11, the place
/// (object id) on a YubiHSM. Every call names the wrap key; none works under "any".
pub trait Backups {
    /// What the token's wrapped keys are made by.
    fn form(&self) -> WrapForm;

    /// 32 random bytes of the token's own, to be mixed with the operating system's.
    ///
    /// # Errors
    ///
    /// `TOKEN-CANNOT`, `TOKEN-FAILED`.
    fn random(&mut self, pins: &mut dyn PinSource) -> Result<Zeroizing<[u8; 32]>>;

    /// Puts a wrap key on the token: for wrapping and unwrapping alone, and not to be read again. It may
    /// be gone after any call that failed: a PKCS#11 token has it for the session only.
    ///
    /// # Errors
    ///
    /// `LABEL-IN-USE` if anything has its label or id already; `TOKEN-CANNOT`.
    fn put_wrap_key(&mut self, secret: &WrapSecret, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<()>;

    /// Whether the token holds a wrap key of that tag.
    fn holds_wrap_key(&mut self, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<bool>;

    /// Destroys a wrap key; one that is not there is gone.
    fn remove_wrap_key(&mut self, tag: &KeyTag, pins: &mut dyn PinSource) -> Result<()>;

    /// Makes a key that may leave the token, and under that wrap key alone where the token knows how
    /// to say so; the wrap key need not be there yet. Otherwise as
    /// [`Token::generate`](super::Token::generate).
    ///
    /// # Errors
    ///
    /// `LABEL-IN-USE`, `TOKEN-WEAK`, `TOKEN-CANNOT`.
    fn generate_exportable(
        &mut self,
        spec: KeySpec,
        tag: &KeyTag,
        under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Generated>;

    /// Finds the key made by [`Self::generate_exportable`] in a session that was cut off.
    fn adopt_exportable(
        &mut self,
        spec: KeySpec,
        tag: &KeyTag,
        under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Option<Generated>>;

    /// Whether the key of `public` may leave the token under that wrap key.
    ///
    /// # Errors
    ///
    /// `KEY-NOT-ON-TOKEN`.
    fn exportable(&mut self, public: &PublicKey, under: &KeyTag, pins: &mut dyn PinSource) -> Result<bool>;

    /// The key of `public`, wrapped.
    ///
    /// # Errors
    ///
    /// `KEY-NOT-ON-TOKEN`, `WRAP-KEY`; `WRAP-REFUSED` if it can't leave, or not under this wrap key.
    fn export(&mut self, public: &PublicKey, under: &KeyTag, pins: &mut dyn PinSource) -> Result<WrappedKey>;

    /// Takes in what [`Self::export`] gave on any token: unwraps it under `tag`, and reads its public
    /// key back. A token that doesn't tell the public half of a key that it unwrapped is told
    /// `public`; so what comes back proves nothing until the key has signed ([`sign`](super::sign)). A key
    /// that is there under `tag` already was unwrapped by a session that was cut off, and is given out.
    /// What is refused after it was unwrapped is destroyed again.
    ///
    /// # Errors
    ///
    /// `LABEL-IN-USE`, `WRAP-KEY`; `WRAP-REFUSED` for bytes that were not wrapped under this wrap key,
    /// or another form's; `WRAP-PUBLIC` if the token reads another public key from it.
    fn restore(
        &mut self,
        wrapped: &WrappedKey,
        public: &PublicKey,
        tag: &KeyTag,
        under: &KeyTag,
        pins: &mut dyn PinSource,
    ) -> Result<Restored>;
}
