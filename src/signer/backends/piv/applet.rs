//! What the PIV applet of a YubiKey is asked, command by command (SP 800-73-4 part 2; Yubico's
//! extensions as its PIV documentation tells them).
//!
//! Never: an unasked second try of a PIN, and a key or PIN that is brought in from outside.

use super::card::{Open, Status};
use super::tlv::{member, tlv};
use crate::signer::{Attestation, Tries, rules};
use crate::tuf::key::{Algorithm, KeySpec, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use aws_lc_rs::cipher::{AES_192, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use zeroize::Zeroizing;

/// The slot for signatures that a PIN is typed for each time.
pub(super) const SLOT: u8 = 0x9c;

/// The PIN and PUK of every YubiKey that leaves the factory, and its management key.
pub(super) const FACTORY_PIN: &str = "123456";
pub(super) const FACTORY_PUK: &str = "12345678";
const FACTORY_MANAGEMENT: [u8; 24] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

const PIN: u8 = 0x80;
const PUK: u8 = 0x81;
const MANAGEMENT: u8 = 0x9b;
const AES192: u8 = 0x0a;

/// The certificate of slot 9c, where PKCS#11 modules look for its key.
pub(super) const CERTIFICATE: [u8; 3] = [0x5f, 0xc1, 0x0a];
/// The certificate of the key that attests, slot f9.
const ATTESTER: [u8; 3] = [0x5f, 0xff, 0x01];
/// Read with the PIN only; Yubico's tools keep a management key there, under 88 and 89.
const PRINTED: [u8; 3] = [0x5f, 0xc1, 0x09];
/// Where Yubico's tools note that they did, under 80 and 81.
const NOTES: [u8; 3] = [0x5f, 0xff, 0x00];
/// What a card is called (SP 800-73-4 part 1, 3.1.2); modules other than Yubico's tell cards apart by it.
const CHUID: [u8; 3] = [0x5f, 0xc1, 0x02];
/// The number of no federal agency, as every card outside has it (SP 800-73-4 part 1, 3.4.1).
const NO_AGENCY: [u8; 25] = [
    0xd4, 0xe7, 0x39, 0xda, 0x73, 0x9c, 0xed, 0x39, 0xce, 0x73, 0x9d, 0x83, 0x68, 0x58, 0x21, 0x08, 0x42,
    0x10, 0x84, 0x21, 0xc8, 0x42, 0x10, 0xc3, 0xeb,
];
/// Ours: which key is to be made (threats T21). Yubico leaves numbers like this one to applications.
const INTENT: [u8; 3] = [0x5f, 0x4b, 0x52];

/// When a PIN or a touch is wanted, as the card numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Never,
    Once,
    Always,
    Cached,
}

impl Policy {
    fn pin(number: u8) -> Option<Self> {
        [(1, Self::Never), (2, Self::Once), (3, Self::Always)]
            .into_iter()
            .find(|(n, _)| *n == number)
            .map(|(_, p)| p)
    }

    fn touch(number: u8) -> Option<Self> {
        [(1, Self::Never), (2, Self::Always), (3, Self::Cached)]
            .into_iter()
            .find(|(n, _)| *n == number)
            .map(|(_, p)| p)
    }

    /// The word in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Once => "once",
            Self::Always => "always",
            Self::Cached => "cached",
        }
    }
}

/// A key in a slot.
#[derive(Debug, Clone)]
pub(super) struct SlotKey {
    pub public: PublicKey,
    /// As PIV numbers it.
    pub algorithm: u8,
    pub pin: Option<Policy>,
    pub touch: Option<Policy>,
    /// Made on the card, or else imported.
    pub generated: bool,
}

/// A PIN or PUK.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret {
    pub factory: bool,
    pub tries: Tries,
}

/// PIV's number of a kind of key.
pub(super) fn number_of(spec: KeySpec) -> Option<u8> {
    match spec {
        KeySpec::EcdsaP256 => Some(0x11),
        KeySpec::EcdsaP384 => Some(0x14),
        KeySpec::Ed25519 => Some(0xe0),
        KeySpec::Rsa3072 | KeySpec::Rsa4096 => None,
    }
}

fn public_of(algorithm: u8, template: &[u8]) -> Result<PublicKey> {
    let point = member(template, 0x86).ok_or_else(|| odd("a public key"))?;
    match algorithm {
        0x11 => PublicKey::from_ec_point(Algorithm::EcdsaP256, point),
        0x14 => PublicKey::from_ec_point(Algorithm::EcdsaP384, point),
        0xe0 => PublicKey::from_ed25519(point),
        other => Err(Refusal::new(
            &rules::TOKEN_CANNOT,
            format!("a key of PIV's algorithm {other:02x}"),
            "P-256, P-384 or Ed25519",
        )),
    }
}

fn odd(what: &str) -> Refusal {
    Refusal::new(&rules::TOKEN_FAILED, format!("{what} in a form that no YubiKey uses"), what)
}

/// Filled up with ff (SP 800-73-4 part 2, 3.2.1).
fn padded(secret: &str) -> Zeroizing<[u8; 8]> {
    let mut block = Zeroizing::new([0xff; 8]);
    for (place, byte) in block.iter_mut().zip(secret.bytes()) {
        *place = byte;
    }
    block
}

impl Open<'_> {
    /// What the card tells of PIN or PUK, without counting a try.
    fn secret(&mut self, number: u8) -> Result<Secret> {
        let told = self.done("tell of its PIN", 0xf7, [0, number], &[])?;
        match (member(&told, 0x05), member(&told, 0x06)) {
            (Some([factory]), Some([total, left])) => {
                let tries = match left {
                    0 => Tries::Locked,
                    left if left == total => Tries::Full,
                    left => Tries::Count(u32::from(*left)),
                };
                Ok(Secret { factory: *factory == 1, tries })
            }
            _ => Err(odd("what it tells of its PIN")),
        }
    }

    /// The PIN.
    pub fn pin(&mut self) -> Result<Secret> {
        self.secret(PIN)
    }

    /// The PUK, with which a locked PIN is set anew.
    pub fn puk(&mut self) -> Result<Secret> {
        self.secret(PUK)
    }

    /// Whether the management key is the factory's.
    ///
    /// # Errors
    ///
    /// `MANAGEMENT-KEY` if it is of another kind than AES-192.
    pub fn management_factory(&mut self) -> Result<bool> {
        let told = self.done("tell of its management key", 0xf7, [0, MANAGEMENT], &[])?;
        match (member(&told, 0x01), member(&told, 0x05)) {
            (Some([AES192]), Some([factory])) => Ok(*factory == 1),
            (Some(_), Some(_)) => Err(Refusal::new(
                &rules::MANAGEMENT_KEY,
                "a management key that is not AES-192",
                "the factory's, or one that the YubiKey keeps behind its PIN",
            )),
            _ => Err(odd("what it tells of its management key")),
        }
    }

    /// The key in slot 9c, if there is one.
    pub fn key(&mut self) -> Result<Option<SlotKey>> {
        let told = match self.ask("tell of its key", 0xf7, [0, SLOT], &[])? {
            Ok(told) => told,
            Err(Status(0x6a88 | 0x6a82)) => return Ok(None),
            Err(other) => return Err(other.refused("tell of its key")),
        };
        let (Some([algorithm]), Some([pin, touch]), Some(public)) =
            (member(&told, 0x01), member(&told, 0x02), member(&told, 0x04))
        else {
            return Err(odd("what it tells of its key"));
        };
        Ok(Some(SlotKey {
            public: public_of(*algorithm, public)?,
            algorithm: *algorithm,
            pin: Policy::pin(*pin),
            touch: Policy::touch(*touch),
            generated: member(&told, 0x03) == Some(&[1]),
        }))
    }

    /// Types the PIN.
    ///
    /// # Errors
    ///
    /// `PIN-WRONG` with the tries that are left, `PIN-LOCKED`.
    pub fn verify(&mut self, pin: &str) -> Result<()> {
        let answer = self.ask("take the PIN", 0x20, [0, PIN], &padded(pin)[..])?;
        self.counted(&answer, "PIN")
    }

    /// Changes the PIN.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`]; `PIN-LENGTH` if the card wants another one.
    pub fn change_pin(&mut self, old: &str, new: &str) -> Result<()> {
        self.change(PIN, old, new)
    }

    /// Changes the PUK, likewise.
    pub fn change_puk(&mut self, old: &str, new: &str) -> Result<()> {
        self.change(PUK, old, new)
    }

    /// Sets the PIN anew by the PUK.
    ///
    /// # Errors
    ///
    /// As [`Self::change_pin`], of the PUK.
    pub fn unblock(&mut self, puk: &str, new: &str) -> Result<()> {
        self.replace(0x2c, PIN, "PUK", [puk, new])
    }

    fn change(&mut self, number: u8, old: &str, new: &str) -> Result<()> {
        self.replace(0x24, number, if number == PIN { "PIN" } else { "PUK" }, [old, new])
    }

    fn replace(&mut self, ins: u8, number: u8, what: &str, secrets: [&str; 2]) -> Result<()> {
        let [shown, new] = secrets.map(padded);
        let both = Zeroizing::new([&shown[..], &new[..]].concat());
        let answer = self.ask("change its PIN", ins, [0, number], &both)?;
        if let Err(Status(0x6a80 | 0x6985)) = answer {
            let found = format!("a secret that the YubiKey {} doesn't take", self.serial);
            return Err(Refusal::new(&rules::PIN_LENGTH, found, "one that is harder to guess"));
        }
        self.counted(&answer, what)
    }

    fn counted(&self, answer: &std::result::Result<Zeroizing<Vec<u8>>, Status>, what: &str) -> Result<()> {
        let serial = self.serial;
        match answer {
            Ok(_) => Ok(()),
            // SP 800-73-4 has nothing but this where a YubiKey counts (part 2, 3.2.2).
            Err(Status(0x6300)) => {
                let found = format!("another {what} for the YubiKey {serial}");
                Err(Refusal::new(&rules::PIN_WRONG, found, format!("the {what} of this YubiKey")))
            }
            Err(Status(0x6983 | 0x63c0)) => Err(Refusal::new(
                &rules::PIN_LOCKED,
                format!("the {what} of the YubiKey {serial} is locked"),
                "one that is not locked",
            )),
            Err(Status(status @ 0x63c1..=0x63cf)) => {
                let left = status & 0x0f;
                let tries =
                    if left == 1 { "1 try is left".to_owned() } else { format!("{left} tries are left") };
                let found = format!("another {what} for the YubiKey {serial}, and {tries}");
                Err(Refusal::new(&rules::PIN_WRONG, found, format!("the {what} of this YubiKey")))
            }
            Err(other) => Err(other.refused(&format!("take the {what}"))),
        }
    }

    /// Shows the card its management key and has it show that it knows it too (SP 800-73-4 part 2,
    /// A.1): to the factory's key if none is given.
    ///
    /// # Errors
    ///
    /// `MANAGEMENT-KEY`.
    pub fn manage(&mut self, key: Option<&[u8]>, challenge: &[u8; 16]) -> Result<()> {
        let key = key.unwrap_or(&FACTORY_MANAGEMENT);
        let doing = "take its management key";
        let serial = self.serial;
        let other = || {
            let found = format!("another management key on the YubiKey {serial}");
            Refusal::new(&rules::MANAGEMENT_KEY, found, "the one that it keeps behind its PIN")
        };
        let witness = self.done(doing, 0x87, [AES192, MANAGEMENT], &tlv(0x7c, &tlv(0x80, &[])))?;
        let witness = member(&witness, 0x7c).and_then(|t| member(t, 0x80));
        let witness = witness.and_then(|w| <[u8; 16]>::try_from(w).ok()).ok_or_else(|| odd("a witness"))?;
        let witness = decrypted(key, witness).ok_or_else(other)?;
        let both = [&tlv(0x80, &witness)[..], &tlv(0x81, challenge)].concat();
        let answer = self.ask(doing, 0x87, [AES192, MANAGEMENT], &tlv(0x7c, &both))?.map_err(|_| other())?;
        let answer = member(&answer, 0x7c).and_then(|t| member(t, 0x82));
        if answer.is_some() && answer == encrypted(key, *challenge).as_ref().map(|block| &block[..]) {
            return Ok(());
        }
        Err(other())
    }

    /// Gives the card another management key.
    pub fn set_management(&mut self, key: &[u8; 24]) -> Result<()> {
        let data = Zeroizing::new([&[AES192, MANAGEMENT, 24][..], key].concat());
        self.done("take a new management key", 0xff, [0xff, 0xff], &data).map(|_| ())
    }

    /// Puts a management key behind the PIN, where Yubico's tools look for it.
    pub fn keep_management(&mut self, key: &[u8; 24]) -> Result<()> {
        self.put(PRINTED, &tlv(0x88, &tlv(0x89, key)))?;
        if self.kept_management()?.as_deref().map(Vec::as_slice) == Some(key) {
            return Ok(());
        }
        Err(odd("a management key"))
    }

    /// Notes that it is there, for the same tools.
    pub fn note_management(&mut self) -> Result<()> {
        self.put(NOTES, &tlv(0x80, &tlv(0x81, &[0x02])))
    }

    /// The management key behind the PIN.
    pub fn kept_management(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let object = self.get(PRINTED)?;
        let key = object.as_ref().and_then(|bytes| member(bytes, 0x88)).and_then(|bytes| member(bytes, 0x89));
        Ok(key.map(|key| Zeroizing::new(key.to_vec())))
    }

    /// Notes which key is to be made here.
    pub fn intend(&mut self, id: &[u8; 16]) -> Result<()> {
        self.put(INTENT, id)
    }

    /// Which key was to be made here.
    pub fn intended(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        self.get(INTENT)
    }

    /// Makes a key in slot 9c for which PIN and touch are wanted at each signature.
    pub fn generate(&mut self, algorithm: u8) -> Result<PublicKey> {
        let wanted = [&tlv(0x80, &[algorithm])[..], &tlv(0xaa, &[3]), &tlv(0xab, &[2])].concat();
        let made = self.done("make a key", 0x47, [0, SLOT], &tlv(0xac, &wanted))?;
        public_of(algorithm, member(&made, 0x7f49).ok_or_else(|| odd("a public key"))?)
    }

    /// Destroys the key in slot 9c and what lies beside it.
    pub fn delete(&mut self) -> Result<()> {
        self.done("destroy its key", 0xf6, [0xff, SLOT], &[])?;
        self.put(CERTIFICATE, &[])?;
        self.put(INTENT, &[])
    }

    /// The certificates that say where the key in slot 9c was made: its own, and that of the key
    /// which signed it. Their value is for others to judge.
    pub fn attestation(&mut self) -> Result<Attestation> {
        let own = self.done("attest its key", 0xf9, [SLOT, 0], &[])?.to_vec();
        let object = self.get(ATTESTER)?;
        let attester =
            object.as_ref().and_then(|bytes| member(bytes, 0x70)).ok_or_else(|| odd("its certificate f9"))?;
        Attestation::new(own, vec![attester.to_vec()])
    }

    /// Puts a certificate beside the key in slot 9c.
    pub fn put_certificate(&mut self, der: &[u8]) -> Result<()> {
        let object = [&tlv(0x70, der)[..], &tlv(0x71, &[0]), &tlv(0xfe, &[])].concat();
        self.put(CERTIFICATE, &object)
    }

    /// Gives the card a name for modules that don't ask for its serial number, unless it has one.
    pub fn name(&mut self, name: &[u8; 16]) -> Result<()> {
        if self.get(CHUID)?.is_some() {
            return Ok(());
        }
        let parts =
            [tlv(0x30, &NO_AGENCY), tlv(0x34, name), tlv(0x35, b"20991231"), tlv(0x3e, &[]), tlv(0xfe, &[])];
        let object: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.put(CHUID, &object)
    }

    /// Whether there is a certificate beside the key in slot 9c.
    pub fn has_certificate(&mut self) -> Result<bool> {
        Ok(self.get(CERTIFICATE)?.is_some_and(|object| member(&object, 0x70).is_some()))
    }

    /// Signs a digest or a message, once the PIN was typed and the card is touched. ECDSA in DER.
    ///
    /// # Errors
    ///
    /// `TOUCH` if nobody did in time.
    pub fn sign(&mut self, algorithm: u8, data: &[u8]) -> Result<Vec<u8>> {
        let asked = tlv(0x7c, &[&tlv(0x82, &[])[..], &tlv(0x81, data)].concat());
        let answer = match self.ask("sign", 0x87, [algorithm, SLOT], &asked)? {
            Ok(answer) => answer,
            // The PIN was taken just before, so it is the finger that is missing.
            Err(Status(0x6982)) => {
                let found = format!("nobody touched the YubiKey {} in time", self.serial);
                return Err(Refusal::new(&rules::TOUCH, found, "a touch while it blinks"));
            }
            Err(other) => return Err(other.refused("sign")),
        };
        let signature = member(&answer, 0x7c).and_then(|template| member(template, 0x82));
        signature.map(<[u8]>::to_vec).ok_or_else(|| odd("a signature"))
    }

    fn get(&mut self, number: [u8; 3]) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let doing = format!("show its object {}", hex(number));
        match self.ask(&doing, 0xcb, [0x3f, 0xff], &tlv(0x5c, &number))? {
            Ok(object) => {
                let value = member(&object, 0x53).ok_or_else(|| odd(&doing))?;
                Ok(Some(Zeroizing::new(value.to_vec())))
            }
            Err(Status(0x6a82)) => Ok(None),
            Err(other) => Err(other.refused(&doing)),
        }
    }

    fn put(&mut self, number: [u8; 3], value: &[u8]) -> Result<()> {
        let data = Zeroizing::new([&tlv(0x5c, &number)[..], &tlv(0x53, value)].concat());
        self.done(&format!("keep an object {}", hex(number)), 0xdb, [0x3f, 0xff], &data).map(|_| ())
    }
}

fn hex(number: [u8; 3]) -> String {
    base16ct::lower::encode_string(&number)
}

fn encrypted(key: &[u8], mut block: [u8; 16]) -> Option<[u8; 16]> {
    let key = UnboundCipherKey::new(&AES_192, key).ok()?;
    EncryptingKey::ecb(key).ok()?.encrypt(&mut block).ok()?;
    Some(block)
}

fn decrypted(key: &[u8], mut block: [u8; 16]) -> Option<[u8; 16]> {
    let key = UnboundCipherKey::new(&AES_192, key).ok()?;
    DecryptingKey::ecb(key).ok()?.decrypt(&mut block, DecryptionContext::None).ok()?;
    Some(block)
}
