//! Key URIs: where a key is, in one line without secrets.
//!
//! `pkcs11:token=…;serial=…;object=…;id=%01%02;type=private` (RFC 7512), `piv:serial=…;slot=9c`,
//! `yubihsm:serial=…`, `file:PATH`, `external:NAME`. Read strictly: an attribute that is not understood could be the one that tells
//! two tokens apart, so it is refused and never skipped. What names a slot or a library is refused
//! too: tokens are found by label and serial, modules are pinned in the device map.
//!
//! Never a PIN: `pin-value` and `pin-source` are refused by a rule of their own, without repeating
//! the value.

use super::rules;
use super::yubihsm::YubiHsmUri;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyUri {
    /// On a PKCS#11 token.
    Pkcs11(Pkcs11Uri),
    /// On a YubiKey, natively.
    Piv(PivUri),
    /// On a YubiHSM 2, natively.
    YubiHsm(YubiHsmUri),
    /// In an encrypted file, or in a directory of them; the path as typed.
    File(PathBuf),
    /// Where keyrite can't reach, by a name for people.
    External(String),
}

/// The attributes of a `pkcs11:` URI that keyrite uses. Tokens are found by label and serial,
/// never by slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pkcs11Uri {
    /// `token`: the token's label.
    pub token: Option<String>,
    /// `manufacturer`: as the token says.
    pub manufacturer: Option<String>,
    /// `model`: as the token says.
    pub model: Option<String>,
    /// `serial`: the token's serial number.
    pub serial: Option<String>,
    /// `object`: `CKA_LABEL` of the key.
    pub object: Option<String>,
    /// `id`: `CKA_ID` of the key.
    pub id: Option<Vec<u8>>,
}

/// Which YubiKey: its key is in slot 9c, which PIV has for signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PivUri {
    /// The serial number that is also printed on it.
    pub serial: u32,
}

impl FromStr for KeyUri {
    type Err = Refusal;

    /// Reads a key URI.
    ///
    /// # Errors
    ///
    /// `URI-FORM`, `URI-PIN`, `CONNECTOR-ADDRESS`.
    fn from_str(text: &str) -> Result<Self> {
        // A PIN must not be repeated by another rule's message, so it is looked for first.
        if names_pin(text) {
            return Err(Refusal::new(&rules::URI_PIN, "pin-value or pin-source", "a URI without them"));
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| form(text))?;
        match scheme {
            "pkcs11" => Pkcs11Uri::from_attributes(rest).map(Self::Pkcs11),
            "file" if !rest.is_empty() => Ok(Self::File(PathBuf::from(rest))),
            "external" if is_name(rest) => Ok(Self::External(rest.to_owned())),
            "piv" => PivUri::from_attributes(rest).map(Self::Piv),
            "yubihsm" => YubiHsmUri::from_attributes(rest).map(Self::YubiHsm),
            _ => Err(form(text)),
        }
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pkcs11(uri) => uri.fmt(f),
            Self::Piv(uri) => uri.fmt(f),
            Self::YubiHsm(uri) => uri.fmt(f),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::External(name) => write!(f, "external:{name}"),
        }
    }
}

impl KeyUri {
    /// Whether the key is in a file or in a vault, and not on a token of its holder's.
    pub const fn is_software(&self) -> bool {
        matches!(self, Self::File(_) | Self::External(_))
    }
}

impl Pkcs11Uri {
    fn from_attributes(text: &str) -> Result<Self> {
        let mut uri = Self::default();
        // A query holds PINs and modules, neither of which belongs here.
        if let Some((_, query)) = text.split_once('?') {
            return Err(attribute(query));
        }
        for part in text.split(';') {
            let (name, value) = part.split_once('=').ok_or_else(|| attribute(part))?;
            let value = percent_decoded(value).ok_or_else(|| attribute(part))?;
            if name == "id" {
                if value.is_empty() || uri.id.replace(value).is_some() {
                    return Err(attribute(part));
                }
                continue;
            }
            let value = String::from_utf8(value).map_err(|_| attribute(part))?;
            let place = match name {
                "token" => &mut uri.token,
                "manufacturer" => &mut uri.manufacturer,
                "model" => &mut uri.model,
                "serial" => &mut uri.serial,
                "object" => &mut uri.object,
                "type" if value == "private" => continue,
                _ => return Err(attribute(part)),
            };
            if place.replace(value).is_some() {
                return Err(attribute(part));
            }
        }
        Ok(uri)
    }
}

impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pkcs11:")?;
        let texts = [
            ("token", &self.token),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
            ("object", &self.object),
        ];
        let mut separator = "";
        for (name, value) in texts {
            if let Some(value) = value {
                write!(f, "{separator}{name}=")?;
                for byte in value.bytes() {
                    match byte {
                        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                            write!(f, "{}", char::from(byte))?;
                        }
                        other => write!(f, "%{other:02X}")?,
                    }
                }
                separator = ";";
            }
        }
        if let Some(id) = &self.id {
            // RFC 7512 2.3: an id is bytes, so all of it is written as such.
            write!(f, "{separator}id=")?;
            for byte in id {
                write!(f, "%{byte:02X}")?;
            }
            separator = ";";
        }
        write!(f, "{separator}type=private")
    }
}

impl PivUri {
    fn from_attributes(text: &str) -> Result<Self> {
        let number = text.strip_prefix("serial=").and_then(|rest| rest.strip_suffix(";slot=9c"));
        let plain = |n: &&str| !n.starts_with('0') && n.bytes().all(|b| b.is_ascii_digit());
        match number.filter(plain).and_then(|n| n.parse().ok()) {
            Some(serial) => Ok(Self { serial }),
            None => Err(Refusal::new(
                &rules::URI_FORM,
                format!("\"piv:{}\"", visible(text)),
                "piv:serial=87654321;slot=9c, with the number that is printed on the YubiKey",
            )),
        }
    }
}

impl fmt::Display for PivUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piv:serial={};slot=9c", self.serial)
    }
}

/// Whether the text has an attribute for a PIN, however it is spelt.
fn names_pin(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["pkcs11:", "piv:", "yubihsm:"].iter().any(|scheme| lower.starts_with(scheme))
        && lower
            .split([':', ';', '?', '&'])
            .filter_map(|part| part.split('=').next())
            .any(|name| name.trim().starts_with("pin-"))
}

/// The bytes that RFC 3986 2.1 percent-encoding stands for; none if it is broken, or if there is a
/// character that has to be encoded.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match first {
            b'%' => {
                let (digits, tail) = tail.split_at_checked(2)?;
                out.extend(base16ct::mixed::decode_vec(digits).ok()?);
                rest = tail;
            }
            // RFC 7512 2.3: unreserved, and what an attribute of the path may have besides.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => {
                out.push(*first);
                rest = tail;
            }
            other if b"-._~:[]@!$'()*+,=&".contains(other) => {
                out.push(*first);
                rest = tail;
            }
            _ => return None,
        }
    }
    Some(out)
}

/// A name for people that is also safe as a file name.
fn is_name(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    letters && (1..=64).contains(&text.len()) && !text.starts_with(['.', '-'])
}

fn form(text: &str) -> Refusal {
    Refusal::new(
        &rules::URI_FORM,
        format!("\"{}\"", visible(text)),
        "pkcs11:token=...;serial=...;object=..., piv:serial=...;slot=9c, yubihsm:serial=..., file:PATH or external:NAME",
    )
}

fn attribute(part: &str) -> Refusal {
    Refusal::new(
        &rules::URI_FORM,
        format!("\"{}\"", visible(part)),
        "once each: token, manufacturer, model, serial, object, id; type=private; percent-encoded, divided by \";\"",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn reads_and_writes_back() {
        let long = format!("pkcs11:id={};type=private", "%0F".repeat(16));
        // What is read, what is written; the second reads as the same.
        for (text, canonical) in [
            (
                "pkcs11:token=root-a;serial=0123;object=root-a",
                "pkcs11:token=root-a;serial=0123;object=root-a;type=private",
            ),
            ("pkcs11:object=k;token=t;serial=s", "pkcs11:token=t;serial=s;object=k;type=private"),
            (
                "pkcs11:token=The%20Token;serial=a:b&c",
                "pkcs11:token=The%20Token;serial=a%3Ab%26c;type=private",
            ),
            ("pkcs11:token=%c3%a4;serial=;type=private", "pkcs11:token=%C3%A4;serial=;type=private"),
            ("pkcs11:id=%01a", "pkcs11:id=%01%61;type=private"),
            (
                "pkcs11:manufacturer=SoftHSM%20project;model=v2",
                "pkcs11:manufacturer=SoftHSM%20project;model=v2;type=private",
            ),
            (&long, &long),
            ("file:keys/dev.pem", "file:keys/dev.pem"),
            ("file:/media/a b/100%/k", "file:/media/a b/100%/k"),
            ("external:vault-1", "external:vault-1"),
            ("piv:serial=12345678;slot=9c", "piv:serial=12345678;slot=9c"),
            ("yubihsm:serial=0123456789", "yubihsm:serial=0123456789"),
            ("yubihsm:serial=7550054", "yubihsm:serial=0007550054"),
            (
                "yubihsm:serial=7;connector=http://127.0.0.1:8080",
                "yubihsm:serial=0000000007;connector=http://127.0.0.1:8080",
            ),
            (
                "yubihsm:serial=7;connector=http://[::1]:8080",
                "yubihsm:serial=0000000007;connector=http://[::1]:8080",
            ),
        ] {
            let uri: KeyUri = text.parse().unwrap();
            assert_eq!(uri.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse::<KeyUri>().unwrap(), uri, "{text}");
        }
    }

    #[test]
    fn refuses() {
        for (text, rule) in [
            ("", "URI-FORM"),
            ("root-a", "URI-FORM"),
            ("http://example.com", "URI-FORM"),
            ("file:", "URI-FORM"),
            ("external:", "URI-FORM"),
            ("external:../up", "URI-FORM"),
            ("external:a b", "URI-FORM"),
            ("PKCS11:token=a", "URI-FORM"),
            ("pkcs11:", "URI-FORM"),
            ("pkcs11:token", "URI-FORM"),
            ("pkcs11:token=a;", "URI-FORM"),
            ("pkcs11:token=a;token=b", "URI-FORM"),
            ("pkcs11:id=%01;id=%02", "URI-FORM"),
            ("pkcs11:id=", "URI-FORM"),
            ("pkcs11:token=a b", "URI-FORM"),
            ("pkcs11:token=%2", "URI-FORM"),
            ("pkcs11:token=%zz", "URI-FORM"),
            ("pkcs11:token=%ff", "URI-FORM"),
            ("pkcs11:token=ä", "URI-FORM"),
            ("pkcs11:token=a;type=public", "URI-FORM"),
            ("pkcs11:token=a;slot-id=1", "URI-FORM"),
            ("pkcs11:token=a;library-manufacturer=x", "URI-FORM"),
            ("pkcs11:token=a;x-vendor=1", "URI-FORM"),
            ("pkcs11:token=a?module-path=/tmp/x.so", "URI-FORM"),
            ("pkcs11:token=a?module-name=x", "URI-FORM"),
            ("pkcs11:token=a?pin-value=1234", "URI-PIN"),
            ("pkcs11:token=a;pin-value=1234", "URI-PIN"),
            ("pkcs11:token=a?module-name=x&PIN-Value=1234", "URI-PIN"),
            ("pkcs11:pin-source=file:/pin", "URI-PIN"),
            ("yubihsm:key=1", "URI-FORM"),
            ("yubihsm:", "URI-FORM"),
            ("yubihsm:serial=", "URI-FORM"),
            ("yubihsm:serial=0", "URI-FORM"),
            ("yubihsm:serial=+1", "URI-FORM"),
            ("yubihsm:serial=4294967296", "URI-FORM"),
            ("yubihsm:serial=00000000001", "URI-FORM"),
            ("yubihsm:serial=1;", "URI-FORM"),
            ("yubihsm:serial=1;slot=1", "URI-FORM"),
            ("yubihsm:connector=http://127.0.0.1:1;serial=1", "URI-FORM"),
            ("yubihsm:serial=1;connector=", "CONNECTOR-ADDRESS"),
            ("yubihsm:serial=1;connector=http://127.0.0.1", "CONNECTOR-ADDRESS"),
            ("yubihsm:serial=1;connector=http://localhost:1", "CONNECTOR-ADDRESS"),
            ("yubihsm:serial=1;connector=http://10.0.0.1:1", "CONNECTOR-ADDRESS"),
            ("yubihsm:serial=1;connector=http://127.0.0.1:1;x=1", "CONNECTOR-ADDRESS"),
            ("yubihsm:serial=1;pin-value=1234", "URI-PIN"),
            ("piv:", "URI-FORM"),
            ("piv:slot=9c", "URI-FORM"),
            ("piv:serial=1", "URI-FORM"),
            ("piv:serial=;slot=9c", "URI-FORM"),
            ("piv:serial=0;slot=9c", "URI-FORM"),
            ("piv:serial=+1;slot=9c", "URI-FORM"),
            ("piv:serial=4294967296;slot=9c", "URI-FORM"),
            ("piv:serial=1;slot=9a", "URI-FORM"),
            ("piv:serial=1;slot=9c;x=1", "URI-FORM"),
            ("piv:serial=1;slot=9c?pin-value=1234", "URI-PIN"),
        ] {
            let refusal = text.parse::<KeyUri>().unwrap_err();
            assert_eq!(refusal.rule().name, rule, "{text}");
            assert!(!refusal.to_string().contains("1234"), "{refusal}");
        }
    }
}
