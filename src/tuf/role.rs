//! Role names: the four top-level roles and delegations.

use super::profile::Profile;
use super::rule::{Refusal, Result};
use super::rules;
use super::text::visible;
use std::fmt;

/// A role of the trust. Ordered as people read them: root first, delegations last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    /// The root of trust.
    Root,
    /// The top-level targets role.
    Targets,
    /// The backend's snapshot role.
    Snapshot,
    /// The backend's timestamp role.
    Timestamp,
    /// A delegation, by its full name as the delegator's document has it:
    /// `targets/camera-station` in `notary`, `camera-station` in `tuf`.
    Delegated(String),
}

impl RoleName {
    /// The four top-level roles.
    pub const TOP: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// The role of that name.
    pub fn from_name(name: &str) -> Self {
        match name {
            "root" => Self::Root,
            "targets" => Self::Targets,
            "snapshot" => Self::Snapshot,
            "timestamp" => Self::Timestamp,
            other => Self::Delegated(other.to_owned()),
        }
    }

    /// The name as documents have it; escape a delegation's before showing it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
            Self::Delegated(name) => name,
        }
    }

    /// Whether the backend holds this role's keys in profile `notary`, and an online key does in
    /// profile `tuf`.
    pub const fn is_online(&self) -> bool {
        matches!(self, Self::Snapshot | Self::Timestamp)
    }

    /// The role of an application, or of a track below it, as keyrite names delegations that it
    /// grants: `targets/APP` and `targets/APP/TRACK` in `notary`, `APP` and `APP.TRACK` in `tuf`.
    ///
    /// # Errors
    ///
    /// `ROLE-NAME` unless both are 1 to 64 of `a-z 0-9 -`, starting with a letter or digit, and
    /// no top-level role's name.
    pub fn application(profile: Profile, app: &str, track: Option<&str>) -> Result<Self> {
        for part in [Some(app), track].into_iter().flatten() {
            let letters = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            let reserved = Self::TOP.iter().any(|top| top.as_str() == part);
            if part.is_empty() || part.len() > 64 || !letters || part.starts_with('-') || reserved {
                return Err(Refusal::new(
                    &rules::ROLE_NAME,
                    format!("\"{}\"", visible(part)),
                    "1 to 64 of a-z, 0-9 and \"-\", not starting with \"-\", and no top-level role",
                ));
            }
        }
        Ok(Self::Delegated(match (profile, track) {
            (Profile::Notary, None) => format!("targets/{app}"),
            (Profile::Notary, Some(track)) => format!("targets/{app}/{track}"),
            (Profile::Tuf, None) => app.to_owned(),
            (Profile::Tuf, Some(track)) => format!("{app}.{track}"),
        }))
    }

    /// The name in file names of the record: bytes outside `a-z 0-9 _ -` as `%XX`.
    pub fn file_name(&self) -> String {
        let mut out = String::new();
        for byte in self.as_str().bytes() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => out.push(char::from(byte)),
                other => out.push_str(&format!("%{other:02X}")),
            }
        }
        out
    }

    /// The role whose file name this is.
    ///
    /// # Errors
    ///
    /// `ROLE-NAME` if [`Self::file_name`] never writes it.
    pub fn from_file_name(text: &str) -> Result<Self> {
        let refuse =
            || Refusal::new(&rules::ROLE_NAME, format!("\"{}\"", visible(text)), "a role's file name");
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            if *first == b'%' {
                let (digits, tail) = tail.split_at_checked(2).ok_or_else(refuse)?;
                let byte = base16ct::upper::decode_vec(digits).map_err(|_| refuse())?;
                bytes.extend(byte);
                rest = tail;
            } else {
                bytes.push(*first);
                rest = tail;
            }
        }
        let role = Self::from_name(&String::from_utf8(bytes).map_err(|_| refuse())?);
        if role.file_name() == text { Ok(role) } else { Err(refuse()) }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(self.as_str()))
    }
}
