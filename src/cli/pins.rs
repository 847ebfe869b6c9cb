//! Where PINs come from: a person at the terminal, or a file of its owner's alone for scripts.
//!
//! What the token tells of tries left is shown. Its last try is used only after a person has typed
//! so, and never by a script (threats T23). Nothing is tried twice unasked.

use super::devices::{DeviceKey, DeviceMap, PinFrom};
use super::rules;
use super::session::shown;
use crate::signer::secret::Pin;
use crate::signer::{PinAsk, PinKind, PinSource, TokenIdentity, TokenKind, Tries};
use crate::system::files::{not_ours_alone, open_itself_to_judge};
use crate::tuf::rule::{Refusal, Result};
use crate::ui::screen::Safe;
use crate::ui::{Console, Prompt, tokens};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No PIN or pass-phrase is longer, in bytes.
const LONGEST: usize = 512;

/// PINs by the device map, asked for at a console.
pub struct Pins<'a> {
    console: &'a mut dyn Console,
    keys: BTreeMap<String, DeviceKey>,
    holders: BTreeMap<String, String>,
}

impl<'a> Pins<'a> {
    /// PINs of the map's keys. Without a map, all are asked for.
    pub fn new(console: &'a mut dyn Console, map: Option<&DeviceMap>) -> Self {
        let keys = map.map(|m| m.keys.iter().map(|(name, key)| (name.to_string(), key.clone())));
        Self { console, keys: keys.into_iter().flatten().collect(), holders: BTreeMap::new() }
    }

    /// The same, knowing who holds which key.
    #[must_use]
    pub fn held<K: ToString, P: ToString>(mut self, holders: impl IntoIterator<Item = (K, P)>) -> Self {
        self.holders.extend(holders.into_iter().map(|(key, who)| (key.to_string(), who.to_string())));
        self
    }

    /// The console, for what comes between PINs.
    pub fn console(&mut self) -> &mut dyn Console {
        self.console
    }

    fn holder(&self, ask: &PinAsk) -> Option<&str> {
        ask.key.as_ref().and_then(|key| self.holders.get(key)).map(String::as_str)
    }

    fn prompt(&self, ask: &PinAsk) -> Prompt {
        let what = match (ask.secret, ask.token.kind) {
            (PinKind::User, TokenKind::File) => "Pass-phrase",
            (PinKind::NewUser, TokenKind::File) => "New pass-phrase",
            (PinKind::SecurityOfficer, TokenKind::Piv) => "PUK",
            (PinKind::NewSecurityOfficer, TokenKind::Piv) => "New PUK",
            (PinKind::User, TokenKind::YubiHsm) => "Signer's password",
            (PinKind::NewUser, TokenKind::YubiHsm) => "New signer's password",
            (PinKind::SecurityOfficer, TokenKind::YubiHsm) => "Administrator's password",
            (PinKind::NewSecurityOfficer, TokenKind::YubiHsm) => "New administrator's password",
            (PinKind::Backup, _) => "Backup password",
            (PinKind::NewBackup, _) => "New backup password",
            (PinKind::Auditor, _) => "Auditor's password",
            (PinKind::NewAuditor, _) => "New auditor's password",
            (PinKind::User, _) => "PIN",
            (PinKind::NewUser, _) => "New PIN",
            (PinKind::SecurityOfficer, _) => "Security officer's PIN",
            (PinKind::NewSecurityOfficer, _) => "New security officer's PIN",
        };
        let token = tokens::named(&ask.token, self.holder(ask));
        let key = ask.key.as_deref().unwrap_or("token");
        let mut prompt = Prompt::new(format!("pin.{key}"), format!("{what} of {token}"));
        let opens = ask.token.kind != TokenKind::YubiHsm || ask.secret == PinKind::User;
        if let Some(key) = ask.key.as_ref().filter(|_| opens) {
            prompt = prompt.help(format!("It opens the key \"{}\".", Safe::untrusted(key)));
        }
        if ask.secret.is_new() {
            prompt = prompt.help("You will type it twice.");
        }
        if ask.token.kind == TokenKind::YubiHsm {
            prompt = match ask.secret {
                PinKind::NewUser => prompt.help("8 to 64 letters, digits or signs; typed to sign."),
                PinKind::NewSecurityOfficer => {
                    prompt.help("8 to 64 letters, digits or signs; it makes and destroys keys.")
                }
                PinKind::NewBackup => {
                    prompt.help("8 to 64 letters, digits or signs; it takes keys out under a wrap key.")
                }
                PinKind::NewAuditor => {
                    prompt.help("8 to 64 letters, digits or signs; it reads the log after each ceremony.")
                }
                PinKind::Auditor => prompt.help("It reads the YubiHSM's log into the record."),
                PinKind::SecurityOfficer => prompt.help("It makes and destroys keys."),
                PinKind::User | PinKind::Backup => prompt,
            };
        }
        if ask.token.kind == TokenKind::Piv {
            prompt = match ask.secret {
                PinKind::NewUser => prompt.help("6 to 8 digits, letters or signs; typed for each signature."),
                PinKind::NewSecurityOfficer => {
                    prompt.help("6 to 8 digits, letters or signs; it sets a new PIN once the PIN is locked.")
                }
                _ => prompt,
            };
        }
        if matches!(ask.secret, PinKind::User | PinKind::SecurityOfficer)
            && !matches!(ask.token.kind, TokenKind::File | TokenKind::YubiHsm)
            && let Some(tries) = tokens::tries(ask.tries)
        {
            prompt = prompt.help(tries);
        }
        prompt
    }
}

impl PinSource for Pins<'_> {
    fn pin(&mut self, ask: &PinAsk) -> Result<Pin> {
        let place = ask.key.as_ref().and_then(|key| self.keys.get(key));
        let file = place.and_then(|key| file_of(ask.secret, key));
        let last = matches!(ask.tries, Tries::Last | Tries::Count(1));
        if last && (file.is_some() || self.console.unattended()) {
            let found = format!("the last try of {}", tokens::named(&ask.token, self.holder(ask)));
            let expected = "a person who types the PIN and agrees to the last try";
            return Err(Refusal::new(&crate::signer::rules::PIN_LAST_TRY, found, expected));
        }
        if let Some(file) = file {
            return read_pin(&file);
        }
        let prompt = self.prompt(ask);
        if last {
            let word = "last try";
            let agree = Prompt::new(
                format!("{}.last", prompt.id),
                format!("Type \"{word}\" to use it, or no to stop"),
            )
            .help(format!("{} has one try left.", tokens::named(&ask.token, self.holder(ask))))
            .help(match ask.token.kind {
                TokenKind::Piv => "If the PIN is wrong, it locks and only the PUK can open it.",
                _ => "If the PIN is wrong, the token locks and only its security officer can open it.",
            });
            self.console.confirm_word(&agree, word)?;
        }
        match ask.secret {
            secret if secret.is_new() => self.console.new_secret(&prompt),
            _ => self.console.secret(&prompt),
        }
    }

    fn pin_pad(&mut self, ask: &PinAsk) -> Result<()> {
        self.console.interrupted()?;
        let token = tokens::named(&ask.token, self.holder(ask));
        self.console.progress(&Safe::from(format!("Type the PIN on the token itself: {token}")));
        Ok(())
    }

    fn touch(&mut self, token: &TokenIdentity) {
        self.console.touch(&tokens::named(token, None));
    }
}

/// The file that a secret of a key's token comes from: of a YubiKey the PUK's as well, of a YubiHSM
/// one for each duty.
fn file_of(secret: PinKind, key: &DeviceKey) -> Option<PathBuf> {
    let duties = &key.duties;
    match (secret, &key.pin) {
        (PinKind::User | PinKind::NewUser, PinFrom::File(file)) => Some(file.clone()),
        (PinKind::User | PinKind::NewUser, PinFrom::Terminal) => None,
        (PinKind::SecurityOfficer | PinKind::NewSecurityOfficer, _) => {
            key.puk.clone().or_else(|| duties.administrator.clone())
        }
        (PinKind::Backup | PinKind::NewBackup, _) => duties.backup.clone(),
        (PinKind::Auditor | PinKind::NewAuditor, _) => duties.auditor.clone(),
    }
}

/// Reads a PIN from a file that only its owner, who is us, can read.
///
/// # Errors
///
/// `PIN-FILE`.
pub fn read_pin(path: &Path) -> Result<Pin> {
    let refuse = |found: String| {
        let found = format!("{}: {found}", shown(path));
        Refusal::new(&rules::PIN_FILE, found, "a regular file of yours with mode 0600 and one line")
    };
    let file = open_itself_to_judge(path).map_err(|e| refuse(e.to_string()))?;
    // Judged on the opened file, so that it can't be another one by then.
    let meta = file.metadata().map_err(|e| refuse(e.to_string()))?;
    if !meta.is_file() {
        return Err(refuse("no regular file".to_owned()));
    }
    if let Some(found) = not_ours_alone(&meta) {
        return Err(refuse(found));
    }
    let most = LONGEST.saturating_add(2);
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.saturating_add(1)));
    let cap = u64::try_from(most).unwrap_or(u64::MAX);
    file.take(cap).read_to_end(&mut bytes).map_err(|e| refuse(e.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse("no UTF-8".to_owned()))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.len() > LONGEST || line.contains(['\n', '\r', '\0']) {
        return Err(refuse("not one line of 1 to 512 bytes".to_owned()));
    }
    let mut owned = String::with_capacity(line.len());
    owned.push_str(line);
    Ok(Pin::new(owned))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;
    use crate::ceremony::answers::Answers;
    use crate::tuf::statement::TrustId;
    use crate::ui::interrupt::Interrupt;
    use crate::ui::look::Look;
    use crate::ui::scripted::Scripted;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder(test: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("keyrite-pins-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn file(dir: &Path, content: &[u8], mode: u32) -> PathBuf {
        let path = dir.join("pin");
        let _ = fs::remove_file(&path);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn refused(result: Result<Pin>) -> Refusal {
        match result {
            Ok(_) => panic!("a PIN was read"),
            Err(refusal) => refusal,
        }
    }

    #[test]
    fn a_pin_is_one_line_of_a_file_of_its_owners_alone() {
        let dir = folder("line");
        for (content, expected) in
            [("1234", "1234"), ("1234\n", "1234"), ("1234\r\n", "1234"), (" a phrase ", " a phrase ")]
        {
            for mode in [0o600, 0o400] {
                let pin = read_pin(&file(&dir, content.as_bytes(), mode)).unwrap();
                assert_eq!(pin.expose(), expected);
            }
        }
        for (content, mode, found) in [
            (&b"1234"[..], 0o640, "mode 0640"),
            (b"1234", 0o604, "mode 0604"),
            (b"1234", 0o700, "mode 0700"),
            (b"1234", 0o4600, "mode 4600"),
            (b"", 0o600, "not one line"),
            (b"\n", 0o600, "not one line"),
            (b"12\n34\n", 0o600, "not one line"),
            (b"12\0", 0o600, "not one line"),
            (&[b'1'; 513], 0o600, "not one line"),
            (&[b'1'; 5000], 0o600, "not one line"),
            (b"\xff", 0o600, "no UTF-8"),
        ] {
            let refusal = refused(read_pin(&file(&dir, content, mode)));
            assert_eq!(refusal.rule().name, "PIN-FILE");
            assert!(refusal.found().contains(found), "{refusal}");
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_link_a_pipe_or_a_folder_is_no_pin_file() {
        let dir = folder("kinds");
        let real = file(&dir, b"1234", 0o600);
        symlink(&real, dir.join("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from(0o600),
            0,
        )
        .unwrap();
        for name in ["link", "pipe", ".", "missing"] {
            assert_eq!(refused(read_pin(&dir.join(name))).rule().name, "PIN-FILE", "{name}");
        }
        fs::remove_dir_all(dir).unwrap();
    }

    fn ask(secret: PinKind, tries: Tries) -> PinAsk {
        let token = TokenIdentity {
            kind: TokenKind::Pkcs11,
            label: "root-a".to_owned(),
            serial: "12".to_owned(),
            manufacturer: String::new(),
            model: String::new(),
            firmware: String::new(),
        };
        PinAsk { token, key: Some("root-a".to_owned()), secret, tries }
    }

    /// What a script is given, by what the device map says and the token tells.
    #[test]
    fn a_script_never_uses_the_last_try() {
        let dir = folder("last");
        let path = file(&dir, b"1234\n", 0o600);
        let map = |pin: &str| {
            let trust = TrustId::from_bytes([0; 16]);
            // Of a YubiKey the PUK too.
            let (pin, uri) = match pin.strip_suffix("+puk") {
                Some(pin) => (pin, "\"piv:serial=12;slot=9c\"\npuk = \"pin\""),
                None => (pin, "\"external:a\""),
            };
            let text = format!("[trust]\nid = \"{trust}\"\n[key.root-a]\nuri = {uri}\npin = \"{pin}\"\n");
            DeviceMap::parse(&text, &dir).unwrap()
        };
        for (pin, secret, tries, expected) in [
            ("pin", PinKind::User, Tries::Full, "1234"),
            ("pin", PinKind::User, Tries::Low, "1234"),
            ("pin", PinKind::User, Tries::Count(2), "1234"),
            ("pin", PinKind::NewUser, Tries::Unknown, "1234"),
            ("pin", PinKind::User, Tries::Last, "PIN-LAST-TRY"),
            ("pin", PinKind::User, Tries::Count(1), "PIN-LAST-TRY"),
            ("tty", PinKind::User, Tries::Last, "PIN-LAST-TRY"),
            ("tty", PinKind::User, Tries::Full, "ANSWER-MISSING"),
            ("pin", PinKind::SecurityOfficer, Tries::Full, "ANSWER-MISSING"),
            ("pin", PinKind::NewSecurityOfficer, Tries::Full, "ANSWER-MISSING"),
            ("tty+puk", PinKind::NewSecurityOfficer, Tries::Full, "1234"),
            ("tty+puk", PinKind::SecurityOfficer, Tries::Count(1), "PIN-LAST-TRY"),
            ("tty+puk", PinKind::NewUser, Tries::Full, "ANSWER-MISSING"),
            ("missing", PinKind::User, Tries::Full, "PIN-FILE"),
        ] {
            let answers = Answers::parse("[answers]\n").unwrap();
            let mut console =
                Scripted::new(answers, Box::new(std::io::sink()), Look::PLAIN, Interrupt::default());
            let got = Pins::new(&mut console, Some(&map(pin))).pin(&ask(secret, tries));
            let got = match &got {
                Ok(pin) => pin.expose(),
                Err(refusal) => refusal.rule().name,
            };
            assert_eq!(got, expected, "{pin} {secret:?} {tries:?}");
        }
        drop(path);
        fs::remove_dir_all(dir).unwrap();
    }
}
