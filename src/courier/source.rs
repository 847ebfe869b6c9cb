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

/// A place that serves metadata.
pub enum Source {
    /// A collection on a Notary backend.
    Notary(Server),
    /// A web server.
    Web(Web, Url),
    /// A directory.
    Folder(Media, String),
}

impl Source {
    /// Of which profile the metadata there is.
    pub const fn profile(&self) -> Profile {
        match self {
            Self::Notary(_) => Profile::Notary,
            Self::Web(..) | Self::Folder(..) => Profile::Tuf,
        }
    }

    /// The place as it is shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Notary(server) => server.base().shown(),
            Self::Web(_, base) => base.shown(),
            Self::Folder(_, shown) => shown.clone(),
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
            Self::Web(web, base) => {
                let url = base.join(name);
                let answer = web.ask(Ask::get(&url, None, limit))?;
                match answer.status {
                    200 => Ok(Some(answer.body)),
                    // A store of files may say 403 of one that it hasn't (TUF 5.3.3: "not available").
                    403 | 404 => Ok(None),
                    other => {
                        let found = format!("{}: {other}", visible(&url.shown()));
                        let expected = "200, or 404 for a file that it hasn't";
                        Err(Refusal::new(&rules::SERVER_STATUS, found, expected))
                    }
                }
            }
            Self::Folder(media, _) => media.find(name, limit),
        }
    }
}
