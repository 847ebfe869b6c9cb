//! Shares that other tools made, as people type them: one a line, read in each form, and brought together.

use keyrite::signer::tool_shares::{Form, Together, ToolShare, same};

/// Pieces of shares, and what stands between and in them by mistake.
pub const WORDS: &[&[u8]] = &[
    b"\n",
    b"-",
    b"2-1-",
    b"3-255-",
    b"3-256-",
    b"03-1-",
    b"+",
    b"/",
    b"=",
    b"==",
    b" ",
    b"00",
    b"ff",
    b"AAAA",
    b"\0",
    b"\x1b[2J",
    b"\xe2\x80\x93",
    b"\xe2\x80\xae",
    b"\xff",
];

const FORMS: [Form; 3] = Form::ALL;

/// Panics if a share is read otherwise with spaces in it, if two forms of Yubico's read the same text, if
/// a refusal repeats what was typed, or if shares that don't lie on one polynomial give a secret.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').take(20).collect();
    for form in FORMS {
        let mut read = Vec::new();
        for line in &lines {
            match ToolShare::read(form, line) {
                Ok(share) => {
                    assert!(share.number() > 0 && share.needed() != Some(0));
                    let spaced: String = line.chars().flat_map(|char| [char, ' ']).collect();
                    let again = ToolShare::read(form, &spaced).unwrap_or_else(|e| panic!("{e}"));
                    assert_eq!((again.number(), again.needed()), (share.number(), share.needed()));
                    assert!(same(line, &spaced).is_ok());
                    assert_eq!(same(line, &format!("{line}A")).map_err(|e| e.rule().name), Err("TOOL-TYPED"));
                    let others = FORMS.iter().filter(|other| **other != form);
                    assert!(
                        others.into_iter().all(|other| ToolShare::read(*other, line).is_err()),
                        "{line:?}"
                    );
                    read.push(share);
                }
                Err(refusal) => {
                    let said = refusal.to_string();
                    assert_eq!(refusal.rule().name, "TOOL-SHARE", "{said}");
                    assert!(said.is_ascii() && !said.chars().any(char::is_control), "{said:?}");
                    let typed: Vec<char> = line.chars().filter(|char| char.is_alphanumeric()).collect();
                    for piece in typed.windows(12).take(400) {
                        let piece: String = piece.iter().collect();
                        assert!(!said.contains(&piece), "{said:?}");
                    }
                }
            }
        }
        together(form, read);
    }
}

fn together(form: Form, shares: Vec<ToolShare>) {
    let (Some(needed), Ok(count)) = (shares.first().map(ToolShare::needed), u8::try_from(shares.len()))
    else {
        return;
    };
    let needed = needed.unwrap_or(2);
    let Ok(mut all) = Together::new(form, needed, count) else { return };
    for share in shares {
        if let Err(refusal) = all.add(share) {
            assert!(["SHARE-SET", "SHARE-TWICE"].contains(&refusal.rule().name), "{refusal}");
            return;
        }
    }
    match all.secret() {
        Ok(secret) => assert_eq!(secret.expose().len(), 32),
        Err(refusal) => {
            assert!(["TOOL-AGREE", "TOOL-SECRET"].contains(&refusal.rule().name), "{refusal}");
            assert!(count > needed || refusal.rule().name == "TOOL-SECRET", "nothing to hold them against");
        }
    }
}
