//! How tokens are named to people: by holder, label and serial, never by a slot or a key id alone.

use super::screen::Safe;
use crate::signer::{TokenIdentity, TokenKind, Tries};

/// `alice's token "root-a" (SoftHSM v2, serial 3d4f0a9b)`, or `the token …` of nobody known.
pub fn named(token: &TokenIdentity, holder: Option<&str>) -> Safe {
    let label = Safe::untrusted(&token.label);
    let what = match token.kind {
        TokenKind::File => return owned(holder, &format!("key file {label}")),
        TokenKind::External => return owned(holder, &format!("external key \"{label}\"")),
        TokenKind::Pkcs11 => "token",
        TokenKind::YubiHsm => "YubiHSM",
        TokenKind::Piv => "YubiKey",
    };
    // The model is what these are called already.
    let by_serial = matches!(token.kind, TokenKind::Piv | TokenKind::YubiHsm);
    let model = if by_serial { "" } else { token.model.as_str() };
    let model = Safe::untrusted(model);
    let serial = Safe::untrusted(&token.serial);
    let serial = if serial.is_empty() { String::new() } else { format!("serial {serial}") };
    let rest: Vec<&str> = [model.as_str(), &serial].into_iter().filter(|part| !part.is_empty()).collect();
    let rest = if rest.is_empty() { String::new() } else { format!(" ({})", rest.join(", ")) };
    if label.is_empty() && by_serial {
        return owned(holder, &format!("{what}{rest}"));
    }
    if label.is_empty() {
        return owned(holder, &format!("{what} without a label{rest}"));
    }
    owned(holder, &format!("{what} \"{label}\"{rest}"))
}

fn owned(holder: Option<&str>, text: &str) -> Safe {
    Safe::from(holder.map_or_else(|| format!("the {text}"), |who| format!("{who}'s {text}")))
}

/// What a token tells of PIN tries left, if that is worth saying.
pub fn tries(tries: Tries) -> Option<Safe> {
    let text = match tries {
        Tries::Unknown => "The token doesn't tell how many tries are left.".to_owned(),
        Tries::Full => return None,
        Tries::Low => "A wrong PIN was typed since the last right one.".to_owned(),
        Tries::Last => "This is the last try: one more wrong PIN locks the token.".to_owned(),
        Tries::Locked => "The PIN is locked.".to_owned(),
        Tries::Count(1) => "1 try left: one more wrong PIN locks the token.".to_owned(),
        Tries::Count(left) => format!("{left} tries left."),
    };
    Some(Safe::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_named_by_holder_label_and_serial() {
        let token = |kind, label: &str, serial: &str, model: &str| TokenIdentity {
            kind,
            label: label.to_owned(),
            serial: serial.to_owned(),
            manufacturer: String::new(),
            model: model.to_owned(),
            firmware: String::new(),
        };
        for (kind, label, serial, model, holder, expected) in [
            (
                TokenKind::Pkcs11,
                "root-a",
                "3d4f",
                "SoftHSM v2",
                Some("ada"),
                "ada's token \"root-a\" (SoftHSM v2, serial 3d4f)",
            ),
            (TokenKind::Pkcs11, "root-a", "3d4f", "", None, "the token \"root-a\" (serial 3d4f)"),
            (TokenKind::Pkcs11, "", "", "SoftHSM v2", None, "the token without a label (SoftHSM v2)"),
            (TokenKind::Piv, "a", "12", "", Some("bo"), "bo's YubiKey \"a\" (serial 12)"),
            (TokenKind::Piv, "", "12", "YubiKey", Some("bo"), "bo's YubiKey (serial 12)"),
            (
                TokenKind::YubiHsm,
                "",
                "0007550054",
                "YubiHSM 2",
                Some("bo"),
                "bo's YubiHSM (serial 0007550054)",
            ),
            (TokenKind::File, "dana.key", "", "encrypted file", Some("dana"), "dana's key file dana.key"),
            (TokenKind::External, "root-b", "", "", None, "the external key \"root-b\""),
            (
                TokenKind::Pkcs11,
                "a\u{1b}[2J",
                "\u{202e}1",
                "",
                None,
                "the token \"a\\u{1b}[2J\" (serial \\u{202e}1)",
            ),
        ] {
            assert_eq!(named(&token(kind, label, serial, model), holder).as_str(), expected);
        }
    }
}
