//! Key URIs, which people type and other programs print.

use keyrite::signer::uri::KeyUri;

/// Schemes, attributes, and what has a meaning in URIs.
pub const WORDS: &[&[u8]] = &[
    b"pkcs11:",
    b"piv:",
    b"yubihsm:",
    b"file:",
    b"external:",
    b"token=",
    b"serial=",
    b"object=",
    b"id=",
    b"model=",
    b"manufacturer=",
    b"type=private",
    b"type=public",
    b";slot=9c",
    b"slot-id=0",
    b"?module-path=",
    b"?",
    b"&",
    b";",
    b"=",
    b"%",
    b"%00",
    b"%1B",
    b"%3b",
    b"%C3%A4",
    b"%ff",
    b"PIN-value=",
    b"pin-source=",
    b"0",
    b"4294967296",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"\0",
    b" ",
    b"\n",
    b"..",
    b"/",
    b"connector=http://127.0.0.1:12345",
];

/// Panics if what is read isn't written back as what reads the same, or a refusal repeats a secret.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<KeyUri>() {
        Ok(uri) => {
            let written = uri.to_string();
            assert_eq!(written.parse::<KeyUri>().as_ref(), Ok(&uri), "{text:?} as {written:?}");
            assert!(!names_pin(&written) || matches!(uri, KeyUri::File(_)), "{written:?}");
            if matches!(uri, KeyUri::Pkcs11(_)) {
                assert!(written.bytes().all(|b| b.is_ascii_graphic()), "{written:?}");
            }
        }
        Err(refusal) => {
            let said = refusal.to_string();
            let known = ["URI-FORM", "URI-PIN", "URI-BACKEND", "CONNECTOR-ADDRESS"];
            assert!(known.contains(&refusal.rule().name), "{said}");
            assert!(!said.chars().any(char::is_control), "{said:?}");
            // What stands behind the name of a PIN is said in no message.
            for secret in secrets(&text) {
                assert!(secret.len() < 4 || refusal.rule().name == "URI-PIN", "{said:?} of {text:?}");
            }
        }
    }
}

fn names_pin(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("pin-value=") || lower.contains("pin-source=")
}

/// Values of attributes that hold a PIN, in URIs that can hold one.
fn secrets(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let Some((_, attributes)) =
        lower.split_once(':').filter(|(scheme, _)| ["pkcs11", "piv", "yubihsm"].contains(scheme))
    else {
        return Vec::new();
    };
    let parts = attributes.split([';', '?', '&']).filter_map(|part| part.split_once('='));
    parts.filter(|(name, _)| name.starts_with("pin-")).map(|(_, value)| value.to_owned()).collect()
}
