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
        Self::top(name).unwrap_or_else(|| Self::Delegated(name.to_owned()))
    }

    /// The same of a text that is at hand.
    pub(in crate::tuf) fn named(name: String) -> Self {
        Self::top(&name).unwrap_or(Self::Delegated(name))
    }

    fn top(name: &str) -> Option<Self> {
        Self::TOP.into_iter().find(|role| role.as_str() == name)
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
                other => out.extend([format!("%{other:02X}")]),
            }
        }
        out
    }

    /// The role whose file name this is.
    ///
    /// # Errors
    ///
    /// `ROLE-NAME` if [`Self::file_name`] never writes it, or it is empty or over 255 bytes.
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
        let usable = !text.is_empty() && text.len() <= 255;
        if usable && role.file_name() == text { Ok(role) } else { Err(refuse()) }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(self.as_str()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn file_names() {
        let table = [
            ("root", "root"),
            ("targets/camera-station", "targets%2Fcamera-station"),
            ("camera_station.beta", "camera_station%2Ebeta"),
            ("../../etc/passwd", "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd"),
            ("Caf\u{e9}", "%43af%C3%A9"),
            ("50%", "50%25"),
            ("con\0", "con%00"),
        ];
        for (role, file) in table {
            assert_eq!(RoleName::from_name(role).file_name(), file);
            assert_eq!(RoleName::from_file_name(file).unwrap(), RoleName::from_name(role));
        }
    }

    #[test]
    fn role_name_for_file_names_that_are_never_written() {
        let long = "a".repeat(256);
        for text in [
            "", ".", "..", "a/b", "a.json", "A", "%2f", "%61", "%", "%2", "%zz", "%FF", "a b", "\u{e9}",
            &long,
        ] {
            assert_eq!(RoleName::from_file_name(text).unwrap_err().rule().name, "ROLE-NAME", "{text}");
        }
    }

    #[test]
    fn applications_and_tracks() {
        let name =
            |profile, app, track| RoleName::application(profile, app, track).map(|r| r.as_str().to_owned());
        assert_eq!(name(Profile::Notary, "camera-station", None).unwrap(), "targets/camera-station");
        assert_eq!(
            name(Profile::Notary, "camera-station", Some("beta")).unwrap(),
            "targets/camera-station/beta"
        );
        assert_eq!(name(Profile::Tuf, "camera-station", None).unwrap(), "camera-station");
        assert_eq!(name(Profile::Tuf, "camera-station", Some("beta")).unwrap(), "camera-station.beta");
        let long = "a".repeat(65);
        for app in [
            "",
            "-a",
            "A",
            "a/b",
            "a.b",
            "a_b",
            "..",
            "a b",
            "root",
            "targets",
            "snapshot",
            "timestamp",
            "caf\u{e9}",
            &long,
        ] {
            for profile in [Profile::Tuf, Profile::Notary] {
                assert_eq!(name(profile, app, None).unwrap_err().rule().name, "ROLE-NAME", "{app}");
                assert_eq!(name(profile, "ok", Some(app)).unwrap_err().rule().name, "ROLE-NAME", "{app}");
            }
        }
    }

    #[test]
    fn a_name_is_shown_escaped() {
        assert_eq!(RoleName::from_name("a\u{1b}[2J").to_string(), "a\\u{1b}[2J");
    }

    proptest! {
        /// No name from a document leaves the record's directory or meets another's file, also
        /// where case doesn't count.
        #[test]
        fn file_names_read_back_and_are_safe(name in "\\PC{1,24}") {
            let role = RoleName::from_name(&name);
            let file = role.file_name();
            prop_assert!(file.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-%".contains(&b)));
            if file.len() <= 255 {
                prop_assert_eq!(RoleName::from_file_name(&file).unwrap(), role);
            }
        }

        #[test]
        fn two_names_have_two_files(a in "[a-cA-C%/.]{1,4}", b in "[a-cA-C%/.]{1,4}") {
            let (x, y) = (RoleName::from_name(&a).file_name(), RoleName::from_name(&b).file_name());
            prop_assert_eq!(a == b, x.to_lowercase() == y.to_lowercase());
        }
    }
}
