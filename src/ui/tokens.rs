//! How tokens are named to people: by holder, label and serial, never by a slot or a key id alone.

use super::screen::Safe;
use crate::signer::{TokenIdentity, TokenKind, Tries};

/// `alice's token "root-a" (SoftHSM v2, serial 3d4f0a9b)`.
pub fn named(token: &TokenIdentity, holder: Option<&str>) -> Safe {
    let label = Safe::untrusted(&token.label);
    let what = match token.kind {
        TokenKind::File => return owned(holder, &format!("key file {label}")),
        TokenKind::External => return owned(holder, &format!("external key \"{label}\"")),
        TokenKind::Pkcs11 => "token",
        TokenKind::YubiHsm => "YubiHSM",
        TokenKind::Piv => "YubiKey",
    };
    let model = Safe::untrusted(&token.model);
    let serial = Safe::untrusted(&token.serial);
    let model = if model.is_empty() { String::new() } else { format!("{model}, ") };
    owned(holder, &format!("{what} \"{label}\" ({model}serial {serial})"))
}

fn owned(holder: Option<&str>, text: &str) -> Safe {
    Safe::from(holder.map_or_else(|| text.to_owned(), |who| format!("{who}'s {text}")))
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
