//! Where metadata comes from: a Notary backend, a web server with a static repository, or a directory
//! that holds one.

use super::rules;
use super::server::Server;
use super::url::Url;
use super::web::{Ask, Web};
use crate::record::Media;
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::cell::RefCell;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// A place that serves metadata.
pub enum Source {
    /// A collection on a Notary backend.
    Notary(Server),
    /// A web server, and what it is told of who asks: a secret.
    Web(Web, Url, Option<Zeroizing<String>>),
    /// A directory.
    Folder(Media, String),
    /// One of the others, asked for each file once.
    Once(Box<Self>, RefCell<BTreeMap<String, Option<Vec<u8>>>>),
}

impl Source {
    /// The same place, asked for each file once: whoever looks again sees what it answered then.
    #[must_use]
    pub fn once(self) -> Self {
        Self::Once(Box::new(self), RefCell::default())
    }

    /// How many files a place was asked for that is asked once.
    pub fn asked(&self) -> usize {
        if let Self::Once(_, answers) = self { answers.borrow().len() } else { 0 }
    }

    /// Of which profile the metadata there is.
    pub fn profile(&self) -> Profile {
        match self {
            Self::Once(place, _) => place.profile(),
            Self::Notary(_) => Profile::Notary,
            Self::Web(..) | Self::Folder(..) => Profile::Tuf,
        }
    }

    /// The place as it is shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Notary(server) => server.base().shown(),
            Self::Web(_, base, _) => base.shown(),
            Self::Folder(_, shown) => shown.clone(),
            Self::Once(place, _) => place.shown(),
        }
    }

    /// The file of that name, whole and at most `limit` bytes; none where there is none.
    ///
    /// # Errors
    ///
    /// `SERVER-STATUS`; as [`Web::ask`], [`Server::get`] and [`Media::read`].
    pub fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Notary(server) => server.get(name, limit),
            Self::Web(web, base, login) => {
                let url = base.join(name);
                let answer = web.ask(Ask::get(&url, login.as_ref().map(|text| text.as_str()), limit))?;
                match answer.status {
                    200 => Ok(Some(answer.body)),
                    // A store of files may say 403 of one that it hasn't (TUF 5.3.3: "not available").
                    403 | 404 => Ok(None),
                    401 => {
                        let found = format!("{}: 401", visible(&url.shown()));
                        Err(Refusal::new(&rules::SERVER_LOGIN, found, "credentials that may read there"))
                    }
                    other => {
                        let found = format!("{}: {other}", visible(&url.shown()));
                        let expected = "200, or 404 for a file that it hasn't";
                        Err(Refusal::new(&rules::SERVER_STATUS, found, expected))
                    }
                }
            }
            Self::Folder(media, _) => media.find(name, limit),
            Self::Once(place, answers) => {
                if let Some(answer) = answers.borrow().get(name) {
                    return Ok(answer.clone());
                }
                let answer = place.get(name, limit)?;
                answers.borrow_mut().insert(name.to_owned(), answer.clone());
                Ok(answer)
            }
        }
    }
}
