//! A Notary backend: its API, and tokens of the registry before it (notary-v1 4).
//!
//! The backend answers 401 and names a token server; whoever asks says there who they are, and comes back
//! with a token for this collection and for what they want to do, whatever more the answer suggests. A
//! backend could name anyone's token server: credentials go only to its own host, or where a person said.

use super::credentials::Keeper;
use super::rules;
use super::url::Url;
use super::web::{Answer, Ask, Web};
use crate::tuf::json::Json;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::cell::RefCell;
use zeroize::Zeroizing;

/// The most bytes that a token server's answer has.
const TOKEN: u64 = 64 * 1024;
/// The most bytes of an answer to what was posted.
const POSTED: u64 = 64 * 1024;

/// What whoever asks wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Fetch what is published.
    Pull,
    /// Publish, and fetch the backend's keys.
    Push,
}

/// Who asks, as the command line says it.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// Where the credentials are; without them a token is asked for as by anyone.
    pub keeper: Option<Keeper>,
    /// The token server, where it is not on the backend's host.
    pub realm: Option<Url>,
}

/// One collection on a backend.
pub struct Server {
    web: Web,
    base: Url,
    collection: String,
    want: Want,
    login: Login,
    token: RefCell<Option<Zeroizing<String>>>,
}

impl Server {
    /// The collection on the backend at `base`. Nothing is asked yet.
    pub fn new(web: Web, base: Url, collection: &str, want: Want, login: Login) -> Self {
        Self { web, base, collection: collection.to_owned(), want, login, token: RefCell::new(None) }
    }

    /// The backend's address.
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// A file of the collection, whole; none where the backend has none.
    ///
    /// # Errors
    ///
    /// `SERVER-STATUS`, `SERVER-LOGIN`, `TOKEN-REALM`; as [`Web::ask`].
    pub fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let url = self.place(name);
        let answer = self.with_token(&url, None, limit)?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            _ => Err(status(&url, &answer)),
        }
    }

    /// Posts the documents of an upload, by role: the backend takes all or none. It says who may do that
    /// before it looks at any, so after a 401 they are posted again with a new token.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]. What the backend refuses is an answer.
    pub fn post(&self, kind: &str, body: &[u8]) -> Result<Answer> {
        self.with_token(&self.place(""), Some((kind, body)), POSTED)
    }

    fn place(&self, name: &str) -> Url {
        self.base.join(&format!("v2/{}/_trust/tuf/{name}", self.collection))
    }

    fn with_token(&self, url: &Url, post: Option<(&str, &[u8])>, limit: u64) -> Result<Answer> {
        let send = || {
            let token = self.token.borrow();
            let authorization = token.as_ref().map(|token| Zeroizing::new(format!("Bearer {}", **token)));
            let authorization = authorization.as_ref().map(|text| text.as_str());
            self.web.ask(Ask { url, authorization, post, limit })
        };
        let answer = send()?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // No token yet, or one that is no longer good.
        let Some(challenge) = answer.challenges.iter().find_map(|text| Challenge::parse(text)) else {
            return Err(denied(url, &answer, "a way to say who asks: a Bearer challenge"));
        };
        let token = self.new_token(&challenge)?;
        *self.token.borrow_mut() = Some(token);
        let answer = send()?;
        if matches!(answer.status, 401 | 403) {
            return Err(denied(url, &answer, "someone who may do this"));
        }
        Ok(answer)
    }

    fn new_token(&self, challenge: &Challenge) -> Result<Zeroizing<String>> {
        let realm = Url::parse(&challenge.realm)?;
        let named = self.login.realm.as_ref().is_some_and(|named| named.same_server(&realm));
        let own = realm.same_host(&self.base) && (realm.is_tls() || !self.base.is_tls());
        if !named && !own {
            let found = format!("{} names the token server {}", self.base.shown(), realm.shown());
            let expected = match &self.login.realm {
                Some(named) => format!("one at {}", named.shown()),
                None => "one on the same host, or one that --realm names".to_owned(),
            };
            return Err(Refusal::new(&rules::TOKEN_REALM, found, expected));
        }
        let actions = match self.want {
            Want::Pull => "pull",
            Want::Push => "push,pull",
        };
        let scope = format!("repository:{}:{actions}", self.collection);
        let url = realm.query(&[("service", &challenge.service), ("scope", &scope)]);
        let basic = match &self.login.keeper {
            Some(keeper) => Some(keeper.open(&self.base)?.basic()),
            None => None,
        };
        let answer = self.web.ask(Ask::get(&url, basic.as_ref().map(|text| text.as_str()), TOKEN))?;
        // It holds a secret: nothing of it is shown.
        let body = Zeroizing::new(answer.body);
        match answer.status {
            200 => {}
            401 | 403 => {
                let found = format!("{}: {} to who asks for a token", url.shown(), answer.status);
                return Err(Refusal::new(&rules::SERVER_LOGIN, found, "credentials that it knows"));
            }
            other => {
                let found = format!("{}: {other}", url.shown());
                return Err(Refusal::new(&rules::SERVER_STATUS, found, "a token"));
            }
        }
        let json = Json::parse(&body).ok();
        let member = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Json::as_str);
        let token = member("token").or_else(|| member("access_token")).unwrap_or_default();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            let found = format!("{}: an answer without a token", url.shown());
            return Err(Refusal::new(&rules::SERVER_STATUS, found, "a token"));
        }
        Ok(Zeroizing::new(token.to_owned()))
    }
}

/// What a backend asks of whoever has no token.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: String,
}

impl Challenge {
    /// Reads `Bearer realm="…",service="…",scope="…"`.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, String::new());
        loop {
            let (name, after) = rest.split_once("=\"")?;
            let (value, after) = after.split_once('"')?;
            match name.trim_matches([' ', ',']) {
                "realm" => realm = Some(value.to_owned()),
                "service" => value.clone_into(&mut service),
                _ => {}
            }
            if after.trim().is_empty() {
                return Some(Self { realm: realm?, service });
            }
            rest = after;
        }
    }
}

/// A status that isn't an answer, with the server's reason.
fn status(url: &Url, answer: &Answer) -> Refusal {
    let found = format!("{}: {} {}", url.shown(), answer.status, reason(&answer.body));
    Refusal::new(&rules::SERVER_STATUS, found.trim_end(), "200, or 404 for a file that it hasn't")
}

fn denied(url: &Url, answer: &Answer, expected: &str) -> Refusal {
    let found = format!("{}: {} {}", url.shown(), answer.status, reason(&answer.body));
    Refusal::new(&rules::SERVER_LOGIN, found.trim_end(), expected)
}

/// Why a server doesn't do what it is asked, in its words: each error's code, message and detail.
pub fn reason(body: &[u8]) -> String {
    let errors = Json::parse(body).ok();
    let errors = errors.as_ref().and_then(|json| json.get("errors")).and_then(Json::as_array);
    let Some(errors) = errors else {
        let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
        return visible(&text);
    };
    let one = |error: &Json| {
        let member = |name: &str| error.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let detail = error.get("detail");
        // An object with the reason in it, or the reason itself.
        let name = detail.and_then(|d| d.as_str().or_else(|| d.get("Name")?.as_str())).unwrap_or_default();
        let said = detail.and_then(|d| d.get("Error")).and_then(|e| e.get("Msg")).and_then(Json::as_str);
        let parts = [member("code"), member("message"), name.to_owned(), said.unwrap_or_default().to_owned()];
        let parts: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(|part| visible(part)).collect();
        parts.join(": ")
    };
    errors.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn challenges_name_a_token_server() {
        let text = "Bearer realm=\"https://a.example.com/token\",service=\"n\",scope=\"repository:x:pull,*\"";
        let read = Challenge::parse(text).unwrap();
        assert_eq!((read.realm.as_str(), read.service.as_str()), ("https://a.example.com/token", "n"));
        for text in ["", "Basic realm=\"a\"", "Bearer", "Bearer realm", "Bearer realm=\"a", "Bearer x=\"y\""]
        {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }

    #[test]
    fn reasons_are_words() {
        let body = br#"{"errors":[{"code":"INVALID_UPDATE","message":"no","detail":{"Name":"ErrBadRoot","Error":{"Msg":"why\n"}}}]}"#;
        assert_eq!(reason(body), "INVALID_UPDATE: no: ErrBadRoot: why\\u{a}");
        assert_eq!(reason(br#"{"errors":[{"code":"VERSION","detail":null}]}"#), "VERSION");
        let role = br#"{"errors":[{"code":"INVALID_ROLE","message":"no role","detail":"targets/A"}]}"#;
        assert_eq!(reason(role), "INVALID_ROLE: no role: targets/A");
        assert_eq!(
            reason(b"<html>\x1b no"),
            "\\u{3c}html\\u{3e}\\u{1b} no".replace("\\u{3c}", "<").replace("\\u{3e}", ">")
        );
    }
}
