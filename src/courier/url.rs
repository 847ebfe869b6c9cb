//! Addresses: a closed form, so that what is asked is what was typed.
//!
//! Never: a name or password in an address, a fragment, a byte that two programs could read
//! differently.

use super::rules;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An address of a file or a folder of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    tls: bool,
    /// In lower case, an IPv6 address in its brackets.
    host: String,
    port: u16,
    /// From the first slash on; empty or without a slash at its end in a base.
    rest: String,
}

impl Url {
    /// Reads an address, with a query if it has one.
    ///
    /// # Errors
    ///
    /// `SERVER-ADDRESS`.
    pub fn parse(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            let found = format!("\"{}\"", visible(text));
            Refusal::new(&rules::SERVER_ADDRESS, found, "an address as https://notary.example.com")
        })
    }

    /// Reads the address of a folder, to which names are added.
    ///
    /// # Errors
    ///
    /// `SERVER-ADDRESS`, also for one with a query.
    pub fn base(text: &str) -> Result<Self> {
        let mut url = Self::parse(text)?;
        if url.rest.contains('?') {
            let found = format!("\"{}\"", visible(text));
            return Err(Refusal::new(&rules::SERVER_ADDRESS, found, "an address without a query"));
        }
        url.rest.truncate(url.rest.trim_end_matches('/').len());
        Ok(url)
    }

    /// A file below this folder. `below` begins with no slash and is made of names by this program.
    #[must_use]
    pub fn join(&self, below: &str) -> Self {
        Self { rest: format!("{}/{below}", self.rest), ..self.clone() }
    }

    /// A file below this folder by a path that somebody else has made, its bytes quoted.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let mut out = String::new();
        for byte in path.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.extend([format!("%{byte:02X}")]);
            }
        }
        self.join(&out)
    }

    /// The same with a query of these, each quoted.
    #[must_use]
    pub fn query(&self, members: &[(&str, &str)]) -> Self {
        let mut rest = if self.rest.is_empty() { "/".to_owned() } else { self.rest.clone() };
        for (name, value) in members {
            rest.push(if rest.contains('?') { '&' } else { '?' });
            rest.push_str(name);
            rest.push('=');
            rest.push_str(&quoted(value));
        }
        Self { rest, ..self.clone() }
    }

    /// Where an answer's `Location` leads from here; none if it is in no form that is followed.
    pub fn leads(&self, location: &str) -> Option<Self> {
        if location.starts_with('/') && !location.starts_with("//") {
            return plain(location).then(|| Self { rest: location.to_owned(), ..self.clone() });
        }
        read(location)
    }

    /// Whether both are the same server: scheme, host and port.
    pub fn same_server(&self, other: &Self) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }

    /// Whether both are the same host, on whatever port.
    pub fn same_host(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Whether it is TLS.
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether it is this very machine.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost"
            || bare.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
            || bare.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback())
    }

    /// Whether nobody on the way reads along.
    pub fn is_private(&self) -> bool {
        self.tls || self.is_loopback()
    }

    /// The host and, if it isn't the scheme's, the port, as credential helpers know servers.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Without the query, which may hold a secret: what is shown to people.
    pub fn shown(&self) -> String {
        let text = self.to_string();
        text.split('?').next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.rest)
    }
}

/// Bytes outside RFC 3986's unreserved as `%XX`, but for those that a scope is made of.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend([format!("%{byte:02X}")]);
        }
    }
    out
}

fn plain(rest: &str) -> bool {
    rest.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b))
}

fn read(text: &str) -> Option<Url> {
    let (tls, rest) = match text.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("http://")?),
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(at)?;
    let (host, port) = if let Some(v6) = authority.strip_prefix('[') {
        let (inside, port) = v6.split_once(']')?;
        let address: Ipv6Addr = inside.parse().ok()?;
        (format!("[{address}]"), port)
    } else {
        let (host, port) = authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?;
        let letters = host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        (!host.is_empty() && letters).then(|| (host.to_ascii_lowercase(), port))?
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|p| *p > 0)?
        }
        None if port.is_empty() && tls => 443,
        None if port.is_empty() => 80,
        _ => return None,
    };
    let rest = if rest.starts_with('?') { format!("/{rest}") } else { rest.to_owned() };
    plain(&rest).then_some(Url { tls, host, port, rest })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn addresses_have_one_form() {
        for (text, shown) in [
            ("https://Notary.example.com", "https://notary.example.com"),
            ("https://n.example.com:443/a", "https://n.example.com/a"),
            ("http://127.0.0.1:4443", "http://127.0.0.1:4443"),
            ("http://[::1]:80/x?y=%20z&w", "http://[::1]/x?y=%20z&w"),
            ("https://n.example.com?a", "https://n.example.com/?a"),
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "ftp://n.example.com",
            "https://",
            "https:///a",
            "https://user:secret@n.example.com",
            "https://n.example.com:0",
            "https://n.example.com:99999",
            "https://n.example.com:+1",
            "https://n.example.com/a b",
            "https://n.example.com/a#b",
            "https://n.example.com/\u{e9}",
            "https://n.example.com\\@evil.example.com/",
            "https://[::1",
            "https://[n.example.com]",
            "https://n.example.com\n",
        ] {
            assert_eq!(Url::parse(text).unwrap_err().rule().name, "SERVER-ADDRESS", "{text}");
        }
        assert_eq!(Url::base("https://n.example.com/?a").unwrap_err().rule().name, "SERVER-ADDRESS");
    }

    #[test]
    fn bases_take_names() {
        let base = Url::base("https://n.example.com/repo//").unwrap();
        assert_eq!(base.join("1.root.json").to_string(), "https://n.example.com/repo/1.root.json");
        let odd = base.below("a/b c?#%\u{e9}.msi").to_string();
        assert_eq!(odd, "https://n.example.com/repo/a/b%20c%3F%23%25%C3%A9.msi");
        let token = Url::parse("https://n.example.com").unwrap();
        let token = token.query(&[("service", "a b"), ("scope", "repository:x/y:push,pull")]);
        let text = "https://n.example.com/?service=a%20b&scope=repository:x/y:push,pull";
        assert_eq!(token.to_string(), text);
        assert_eq!(token.shown(), "https://n.example.com/");
    }

    #[test]
    fn what_developers_may_name_can_be_fetched() {
        use crate::ceremony::kinds::release_names::check_url;
        use crate::tuf::profile::Profile;
        for byte in 0..=255_u8 {
            let odd = char::from(byte);
            for text in [
                format!("https://n.example.com/{odd}"),
                format!("https://n{odd}example.com/a"),
                format!("https://n.example.com{odd}80/a"),
                format!("http{odd}://n.example.com/a"),
                format!("http://n.example.com:{odd}/a"),
            ] {
                let named = check_url(Profile::Tuf, "a", Some(&text)).is_ok();
                assert!(!named || Url::parse(&text).is_ok(), "{text}");
            }
        }
        check_url(Profile::Tuf, "a", Some("https://n.example.com:8443/a?b=c&d")).unwrap();
    }

    #[test]
    fn where_an_answer_leads() {
        let from = Url::parse("https://n.example.com/a/b?c").unwrap();
        for (location, to) in [
            ("/d?e", Some("https://n.example.com/d?e")),
            ("https://m.example.com/d", Some("https://m.example.com/d")),
            ("//m.example.com/d", None),
            ("d", None),
            ("javascript:1", None),
        ] {
            assert_eq!(from.leads(location).map(|url| url.to_string()).as_deref(), to, "{location}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        for (text, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.is_loopback(), url.is_private()), (loopback, loopback), "{text}");
        }
    }
}
