//! HTTP: one question, one answer, within bounds of bytes and time.
//!
//! Only what is safe to repeat is repeated, and only where nothing was answered. Redirects are followed
//! here and not by the client below: a question with a token or with credentials goes to no other
//! server, and none leaves TLS. An answer is taken whole or not at all.
//!
//! Never: a certificate that isn't checked, an answer kept that was cut off, a secret in what is shown.

use super::rules;
use super::url::Url;
use crate::cli::session::shown;
use crate::record::media;
use crate::tuf::rule::{Refusal, Result, Rule};
use crate::tuf::text::visible;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{Method, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, Proxy};
use zeroize::Zeroizing;

/// The most bytes of a reason that a server gives.
const REASON: u64 = 64 * 1024;
/// The most bytes of a file of certificates.
const CERTIFICATES: u64 = 4 * 1024 * 1024;
/// How often a server may lead elsewhere, one after the other.
const REDIRECTS: u32 = 4;
/// How long after a try that failed the next is made.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// How long is waited. The slowest that an answer may come is settled by `whole`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub piece: Duration,
    /// For a whole question and its answer.
    pub whole: Duration,
}

impl Patience {
    /// For metadata: a few megabytes at most.
    pub const METADATA: Self = Self {
        connect: Duration::from_secs(15),
        piece: Duration::from_secs(30),
        whole: Duration::from_secs(120),
    };

    /// The same with so many seconds for a whole answer.
    pub fn seconds(seconds: u64) -> Self {
        let whole = Duration::from_secs(seconds);
        let Self { connect, piece, .. } = Self::METADATA;
        Self { connect: connect.min(whole), piece: piece.min(whole), whole }
    }

    /// The same for a file of so many bytes: a second more for each 16 KiB, the slowest that is waited for.
    #[must_use]
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { whole: self.whole.saturating_add(Duration::from_secs(bytes / 16_384)), ..self }
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status: 200.
    pub status: u16,
    /// Of a 401, what it asks for (RFC 9110 11.6.1).
    pub challenges: Vec<String>,
    /// The whole body; of a refusal as much as was read.
    pub body: Vec<u8>,
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Where.
    pub url: &'a Url,
    /// The value of `Authorization`: a secret.
    pub authorization: Option<&'a str>,
    /// What is posted, and its kind; none of what is only asked for.
    pub post: Option<(&'a str, &'a [u8])>,
    /// The most bytes that are taken.
    pub limit: u64,
}

impl<'a> Ask<'a> {
    /// A file of at most `limit` bytes.
    pub const fn get(url: &'a Url, authorization: Option<&'a str>, limit: u64) -> Self {
        Self { url, authorization, post: None, limit }
    }
}

/// Whose word counts for a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorities<'a> {
    /// That of the machine's authorities.
    Machine,
    /// That of the authorities in this file, and of no other.
    Only(&'a Path),
    /// That of the machine's and of those in this file.
    Also(&'a Path),
}

impl Authorities<'_> {
    fn read(self) -> Result<Vec<Certificate<'static>>> {
        match self {
            Self::Machine => Ok(machine_authorities()),
            Self::Only(file) => read_authorities(file),
            Self::Also(file) => {
                let mut all = read_authorities(file)?;
                all.extend(machine_authorities());
                Ok(all)
            }
        }
    }
}

/// A way to servers.
pub struct Web {
    agent: Agent,
    /// The same for this very machine, which no proxy stands before.
    near: Agent,
}

impl Web {
    /// Makes connections that trust these authorities.
    ///
    /// # Errors
    ///
    /// `CA-FILE`; what reading a file refuses.
    pub fn new(authorities: Authorities<'_>, patience: Patience) -> Result<Self> {
        let roots = RootCerts::new_with_certs(&authorities.read()?);
        let make = |proxy: Option<Proxy>| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .root_certs(roots.clone())
                .unversioned_rustls_crypto_provider(provider)
                .build();
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("keyrite-courier/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .timeout_connect(Some(patience.connect))
                .timeout_per_read(Some(patience.piece))
                .timeout_per_write(Some(patience.piece))
                .timeout_global(Some(patience.whole))
                .tls_config(tls)
                .proxy(proxy)
                .build()
                .new_agent()
        };
        Ok(Self { agent: make(Proxy::try_from_env()), near: make(None) })
    }

    /// Asks, and takes the whole answer. What nobody answered is asked again, unless it is a POST: whether
    /// that was heard nobody knows.
    ///
    /// # Errors
    ///
    /// `PLAIN-HTTP`, `SERVER-UNREACHABLE`, `SERVER-CERTIFICATE`, `SERVER-TIMEOUT`, `SERVER-CUT`,
    /// `SERVER-SIZE`, `SERVER-REDIRECT`.
    pub fn ask(&self, ask: Ask<'_>) -> Result<Answer> {
        let mut pauses = PAUSES.iter();
        loop {
            let answer = self.follow(ask).and_then(|(url, response)| read(&url, response, ask.limit));
            let again = ask.post.is_none()
                && match &answer {
                    Ok(answer) => matches!(answer.status, 502..=504),
                    Err(why) => [&rules::SERVER_UNREACHABLE, &rules::SERVER_CUT].contains(&why.rule()),
                };
            match pauses.next() {
                Some(pause) if again => std::thread::sleep(*pause),
                _ => return answer,
            }
        }
    }

    /// Asks for a file of at most `limit` bytes and hands it on piece by piece; nobody is told who asks.
    /// What nobody answered is asked again, what was cut off is not.
    ///
    /// # Errors
    ///
    /// `SERVER-STATUS` for anything but the file; as [`Self::ask`] and as `take` refuses.
    pub fn pour(&self, url: &Url, limit: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut pauses = PAUSES.iter();
        let (url, mut response) = loop {
            let came = self.follow(Ask::get(url, None, limit));
            let again = match &came {
                Ok((_, response)) => matches!(response.status().as_u16(), 502..=504),
                Err(why) => [&rules::SERVER_UNREACHABLE, &rules::SERVER_CUT].contains(&why.rule()),
            };
            match pauses.next() {
                Some(pause) if again => std::thread::sleep(*pause),
                _ => break came?,
            }
        };
        let status = response.status().as_u16();
        if status != 200 {
            let found = format!("{}: {status}", url.shown());
            return Err(Refusal::new(&rules::SERVER_STATUS, found, "200, and the file"));
        }
        let told = response.body().content_length();
        if let Some(told) = told.filter(|told| *told > limit) {
            return Err(large(&url, &told.to_string(), limit));
        }
        let mut body = response.body_mut().as_reader();
        let (mut piece, mut size) = (vec![0; 256 * 1024], 0_u64);
        loop {
            let read = match body.read(&mut piece) {
                Ok(0) => break,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| broken(&url, &error))?,
            };
            size = size.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            if size > limit {
                return Err(large(&url, &format!("{size} or more"), limit));
            }
            take(piece.get(..read).unwrap_or_default())?;
        }
        cut(&url, told, size)
    }

    /// Asks, and goes where the answer leads: from where the answer came, and the answer.
    fn follow(&self, ask: Ask<'_>) -> Result<(Url, Response<Body>)> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS {
            let response = self.once(Ask { url: &url, ..ask })?;
            let location = || response.headers().get("location")?.to_str().ok();
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, response));
            }
            let location = location().unwrap_or_default().to_owned();
            let refuse = |expected: &str| {
                let to = location.split('?').next().unwrap_or_default();
                let found = format!("{} leads to \"{}\"", url.shown(), visible(to));
                Err(Refusal::new(&rules::SERVER_REDIRECT, found, expected))
            };
            let Some(next) = url.leads(&location) else { return refuse("the address of a file") };
            if let Some(expected) = unfollowed(&url, &next, ask.post.is_some(), ask.authorization.is_some()) {
                return refuse(expected);
            }
            url = next;
        }
        let found = format!("{} leads on and on", ask.url.shown());
        Err(Refusal::new(&rules::SERVER_REDIRECT, found, format!("at most {REDIRECTS} steps")))
    }

    fn once(&self, ask: Ask<'_>) -> Result<Response<Body>> {
        let url = ask.url;
        if ask.authorization.is_some() && !url.is_private() {
            let found = format!("{} without TLS", url.shown());
            return Err(Refusal::new(&rules::PLAIN_HTTP, found, "an address with https://"));
        }
        let agent = if url.is_loopback() { &self.near } else { &self.agent };
        let mut request = Request::builder().uri(url.to_string());
        if let Some(value) = ask.authorization {
            request = request.header("Authorization", value);
        }
        let answer = match ask.post {
            None => {
                request.method(Method::GET).body(()).map_err(ureq::Error::Http).and_then(|r| agent.run(r))
            }
            Some((kind, bytes)) => {
                let request = request.method(Method::POST).header("Content-Type", kind).body(bytes);
                request.map_err(ureq::Error::Http).and_then(|r| agent.run(r))
            }
        };
        answer.map_err(|error| refused(url, &error))
    }
}

/// A body, whole: of a success at most `limit` bytes, of anything else as many as a reason needs.
fn read(url: &Url, mut response: Response<Body>, limit: u64) -> Result<Answer> {
    let status = response.status().as_u16();
    let texts = |name: &str| {
        let values = response.headers().get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect::<Vec<_>>()
    };
    let challenges = texts("www-authenticate");
    let success = (200..300).contains(&status);
    let limit = if success { limit } else { REASON };
    let told = response.body().content_length();
    if let Some(told) = told.filter(|told| success && *told > limit) {
        return Err(large(url, &told.to_string(), limit));
    }
    let mut body = Vec::new();
    let taken = response.body_mut().as_reader().take(limit.saturating_add(1)).read_to_end(&mut body);
    if let Err(error) = taken {
        if !success {
            // The status is what counts.
            return Ok(Answer { status, challenges, body });
        }
        return Err(broken(url, &error));
    }
    let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
    if size > limit {
        if success {
            return Err(large(url, &format!("{size} or more"), limit));
        }
        body.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    } else if success {
        cut(url, told, size)?;
    }
    Ok(Answer { status, challenges, body })
}

fn large(url: &Url, bytes: &str, limit: u64) -> Refusal {
    let found = format!("{}: {bytes} bytes", url.shown());
    Refusal::new(&rules::SERVER_SIZE, found, format!("at most {limit} bytes"))
}

/// Refuses a body that isn't as long as its head says.
fn cut(url: &Url, told: Option<u64>, size: u64) -> Result<()> {
    match told.filter(|told| *told != size) {
        None => Ok(()),
        Some(told) => {
            let found = format!("{}: {size} bytes", url.shown());
            Err(Refusal::new(&rules::SERVER_CUT, found, format!("{told} bytes, as the answer says")))
        }
    }
}

/// Why a body did not come.
pub(super) fn broken(url: &Url, error: &std::io::Error) -> Refusal {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        Some(inner) => refused(url, inner),
        None if error.kind() == std::io::ErrorKind::TimedOut => late(url),
        None => told(&rules::SERVER_CUT, url, error, "a whole answer"),
    }
}

fn late(url: &Url) -> Refusal {
    let found = format!("{}: no more came for too long", url.shown());
    Refusal::new(&rules::SERVER_TIMEOUT, found, "a server that answers")
}

fn told(rule: &'static Rule, url: &Url, why: &dyn std::fmt::Display, expected: &str) -> Refusal {
    Refusal::new(rule, format!("{}: {}", url.shown(), visible(&why.to_string())), expected)
}

fn refused(url: &Url, error: &ureq::Error) -> Refusal {
    let certificate = |why: &dyn std::fmt::Display| {
        told(&rules::SERVER_CERTIFICATE, url, why, "a certificate that leads to a known authority")
    };
    match error {
        ureq::Error::Timeout(_) => late(url),
        ureq::Error::Rustls(why) => certificate(why),
        ureq::Error::Tls(why) => certificate(why),
        ureq::Error::Io(why) => {
            if let Some(tls) = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return certificate(tls);
            }
            match why.kind() {
                std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => late(url),
                std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::ConnectionAborted
                | std::io::ErrorKind::BrokenPipe => told(&rules::SERVER_CUT, url, why, "a whole answer"),
                _ => told(&rules::SERVER_UNREACHABLE, url, why, "a server that answers there"),
            }
        }
        ureq::Error::Protocol(why) => told(&rules::SERVER_CUT, url, why, "an answer in the form of HTTP"),
        other => told(&rules::SERVER_UNREACHABLE, url, other, "a server that answers there"),
    }
}

/// The authorities in a file of PEM.
fn read_authorities(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let refuse = |found: &str| {
        let found = format!("{}: {found}", shown(file));
        Refusal::new(&rules::CA_FILE, found, "certificates in PEM")
    };
    let bytes = Zeroizing::new(media::read_file(file, CERTIFICATES)?);
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&bytes) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => return Err(refuse("a private key")),
            Err(error) => return Err(refuse(&visible(&error.to_string()))),
        }
    }
    if found.is_empty() { Err(refuse("no certificate")) } else { Ok(found) }
}

/// Those that the machine trusts. None at all is told by the first server's certificate.
fn machine_authorities() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}
/// Why a redirect isn't followed: what was expected in its place.
fn unfollowed(from: &Url, to: &Url, posted: bool, authorized: bool) -> Option<&'static str> {
    let elsewhere = !to.same_server(from);
    match (posted, from.is_tls() && !to.is_tls(), authorized && elsewhere) {
        (true, ..) => Some("an answer to what was posted"),
        (_, true, _) => Some("a place that TLS leads to"),
        (.., true) => Some("a place on the same server, since whoever asked has said who they are"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// From, to, whether something was posted and a login went with it; what is expected in its place.
    #[test]
    fn redirects_that_are_not_followed() {
        let cases = [
            ("https://a.example/x", "https://b.example/x", false, false, ""),
            ("http://a.example/x", "https://a.example/x", false, false, ""),
            ("http://a.example/x", "http://b.example/x", false, false, ""),
            ("https://a.example/x", "https://a.example/y", false, true, ""),
            ("https://a.example/x", "http://a.example/x", false, false, "TLS"),
            ("https://a.example/x", "http://a.example/x", false, true, "TLS"),
            ("https://a.example/x", "https://b.example/x", false, true, "same server"),
            ("https://a.example/x", "https://a.example:444/x", false, true, "same server"),
            ("http://a.example/x", "https://a.example/x", false, true, "same server"),
            ("https://a.example/x", "https://a.example/y", true, false, "posted"),
            ("https://a.example/x", "https://a.example/y", true, true, "posted"),
        ];
        for (from, to, posted, authorized, expected) in cases {
            let (from, to) = (Url::parse(from).unwrap(), Url::parse(to).unwrap());
            let why = unfollowed(&from, &to, posted, authorized);
            let fits = why.map_or(expected.is_empty(), |why| !expected.is_empty() && why.contains(expected));
            assert!(fits, "{} to {}: {why:?}", from.shown(), to.shown());
        }
    }
}
