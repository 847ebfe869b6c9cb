//! Who asks: a name and a password from a file or from a credential helper, never from an argument.

use super::rules;
use super::url::Url;
use crate::cli::session::shown;
use crate::record::media;
use crate::system::files::is_open_to_others;
use crate::tuf::json::Json;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use base64ct::{Base64, Encoding as _};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// The most bytes of a file with credentials, and of what a helper says.
const MOST: u64 = 64 * 1024;

/// Where credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// One line, `NAME:PASSWORD`, in a file of its owner's alone.
    File(PathBuf),
    /// The program `docker-credential-NAME`.
    Helper(String),
}

/// A name and its password.
pub struct Credentials {
    name: String,
    password: Zeroizing<String>,
}

impl Keeper {
    /// Gets the credentials for a server.
    ///
    /// # Errors
    ///
    /// `CREDENTIALS`; what reading a file refuses.
    pub fn open(&self, server: &Url) -> Result<Credentials> {
        match self {
            Self::File(file) => read(file),
            Self::Helper(name) => ask(name, server),
        }
    }
}

impl Credentials {
    fn new(from: &str, name: &str, password: &str) -> Result<Self> {
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| !c.is_control());
        if !plain(name) || name.contains(':') || !plain(password) {
            return Err(refuse(from, "a name or a password that can't be sent", "a name without a colon"));
        }
        Ok(Self { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }

    /// As HTTP sends them (RFC 7617).
    pub fn basic(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(format!("{}:{}", self.name, *self.password));
        let encoded = Zeroizing::new(Base64::encode_string(text.as_bytes()));
        Zeroizing::new(format!("Basic {}", *encoded))
    }
}

fn refuse(from: &str, found: &str, expected: &str) -> Refusal {
    Refusal::new(&rules::CREDENTIALS, format!("{from}: {found}"), expected)
}

fn read(file: &Path) -> Result<Credentials> {
    let from = shown(file);
    if fs::metadata(file).is_ok_and(|meta| is_open_to_others(&meta)) {
        return Err(refuse(&from, "a file that others may read", "a file of mode 0600"));
    }
    let bytes = Zeroizing::new(media::read_file(file, MOST)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse(&from, "bytes that are no UTF-8", "a text"))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (name, password) =
        line.split_once(':').ok_or_else(|| refuse(&from, "no colon", "one line, NAME:PASSWORD"))?;
    Credentials::new(&from, name, password)
}

/// Asks a credential helper in Docker's protocol: the server on its stdin, JSON on its stdout.
fn ask(helper: &str, server: &Url) -> Result<Credentials> {
    let from = format!("the credential helper \"{}\"", visible(helper));
    let letters = helper.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if helper.is_empty() || !letters {
        return Err(refuse(&from, "a name of other letters", "NAME as in docker-credential-NAME"));
    }
    let failed = |error: std::io::Error| refuse(&from, &visible(&error.to_string()), "a program that runs");
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that knows only one server needn't read.
        let _ = writeln!(stdin, "{}", server.authority());
    }
    let mut said = Zeroizing::new(Vec::new());
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST).read_to_end(&mut said).map_err(failed)?;
    }
    if !child.wait().map_err(failed)?.success() {
        let found = format!("no credentials for {}", server.authority());
        return Err(refuse(&from, &found, "credentials that it keeps"));
    }
    let json = Json::parse(&said).map_err(|_| refuse(&from, "an answer that is no JSON", "JSON"))?;
    let member = |name: &str| json.get(name).and_then(Json::as_str);
    match (member("Username"), member("Secret")) {
        (Some("<token>"), _) => Err(refuse(&from, "an identity token", "a name and a password")),
        (Some(name), Some(password)) => Credentials::new(&from, name, password),
        _ => Err(refuse(&from, "no Username and Secret", "both")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn credentials_are_sent_as_basic() {
        let made = Credentials::new("a file", "pusher", "push:secret").unwrap();
        assert_eq!(*made.basic(), "Basic cHVzaGVyOnB1c2g6c2VjcmV0");
        for (name, password) in [("", "a"), ("a", ""), ("a:b", "c"), ("a\n", "b"), ("a", "b\r")] {
            let refused = Credentials::new("a file", name, password).err().unwrap();
            assert_eq!(refused.rule().name, "CREDENTIALS");
        }
    }

    #[test]
    fn helpers_have_plain_names() {
        let server = Url::parse("https://n.example.com").unwrap();
        for name in ["", "../evil", "a b", "A"] {
            assert_eq!(ask(name, &server).err().unwrap().rule().name, "CREDENTIALS", "{name}");
        }
    }
}
