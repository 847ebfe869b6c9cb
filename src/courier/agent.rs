//! An update agent: the workflow of the profile's clients ([`crate::tuf::client`]) over a network and a
//! disk.
//!
//! It trusts the root that it is given, and from then on what that led to. What a step has proved is kept
//! before the next is asked for, also where the update then fails; a look at everything takes many
//! delegations in one step.
//!
//! Never: a file asked for that nothing trusted leads to, a person's consent in place of a signature.

use super::kept::Kept;
use super::progress::Progress;
use super::rules;
use super::source::Source;
use super::url::Url;
use crate::cli::host::{Host as _, System};
use crate::tuf::client::{Answer, Caps, Client, Outcome, Settings, Signatures, State};
use crate::tuf::document::TargetFile;
use crate::tuf::evidence::Trusted;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::collections::BTreeSet;

/// What an update of this profile is run with that begins now.
///
/// # Errors
///
/// `DATE` if the clock stands before 1970 or after 9999.
pub fn settings(profile: Profile, collection: &str) -> Result<Settings> {
    let (now, caps) = (System.now()?, Caps::of(profile));
    Ok(Settings { now, caps, collection: collection.to_owned(), pins: BTreeSet::new() })
}

/// An update in progress: the client, what it asks, and what it keeps.
pub struct Agent<'a> {
    client: Client<Signatures>,
    source: &'a Source,
    kept: Option<Kept>,
    asked: u64,
}

impl<'a> Agent<'a> {
    /// Begins an update of this profile now, from a state; what comes of it is kept where somebody keeps it.
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn new(source: &'a Source, kept: Option<Kept>, state: State, settings: Settings) -> Result<Self> {
        let client = Client::new(source.profile(), settings, state, Signatures)?;
        Ok(Self { client, source, kept, asked: 0 })
    }

    /// Goes on until the client wants nothing more.
    ///
    /// # Errors
    ///
    /// Why the client refuses; what servers and files refuse.
    pub fn go_on(&mut self, progress: &Progress) -> Result<()> {
        self.keep()?;
        loop {
            let wants = self.client.wants();
            if wants.is_empty() {
                return Ok(());
            }
            let mut answers = Vec::new();
            let mut failed = None;
            for want in wants {
                progress.say(&format!("{} files asked for, now {}", self.asked, want.name));
                self.asked = self.asked.saturating_add(1);
                match self.source.get(&want.name, want.limit) {
                    Ok(answer) => answers.push((want, answer)),
                    Err(why) => {
                        failed = Some(why);
                        break;
                    }
                }
            }
            let fed = self.client.feed_all(answers);
            self.keep()?;
            fed?;
            failed.map_or(Ok(()), Err)?;
        }
    }

    /// What is said of a target, and by whom.
    ///
    /// # Errors
    ///
    /// `TARGET-UNKNOWN`; as [`Self::go_on`].
    pub fn find(&mut self, path: &str, progress: &Progress) -> Result<(RoleName, TargetFile)> {
        self.client.look_up(path)?;
        self.go_on(progress)?;
        if let Some(Answer::Found { role, file }) = self.client.answer() {
            return Ok((role.clone(), file.clone()));
        }
        let found = format!("nobody names \"{}\"", visible(path));
        Err(Refusal::new(&rules::TARGET_UNKNOWN, found, "a target that a role names"))
    }

    /// The address of a target below a base: where names have digests, its first part is one (TUF 6.2).
    ///
    /// # Errors
    ///
    /// `TARGET-ADDRESS` for a path that leads elsewhere.
    pub fn address(&self, base: &Url, path: &str, file: &TargetFile) -> Result<Url> {
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            let found = format!("\"{}\"", visible(path));
            return Err(Refusal::new(&rules::TARGET_ADDRESS, found, "a path without \".\" and \"..\""));
        }
        let root = self.client.trusted(&RoleName::Root);
        let root = root.as_ref().and_then(|root| root.payload().document().as_root());
        let named = self.source.profile() == Profile::Tuf && root.is_some_and(|r| r.consistent_snapshot);
        let digest = ["sha256", "sha512"].iter().find_map(|name| file.hashes.get(name)).filter(|_| named);
        let (above, name) = path.rsplit_once('/').map_or(("", path), |(above, name)| (above, name));
        let above = if above.is_empty() { String::new() } else { format!("{above}/") };
        Ok(match digest {
            Some(digest) => base.below(&format!("{above}{}.{name}", base16ct::lower::encode_string(digest))),
            None => base.below(path),
        })
    }

    /// Looks at every delegation for which somebody has published.
    ///
    /// # Errors
    ///
    /// As [`Self::go_on`].
    pub fn look_around(&mut self, progress: &Progress) -> Result<()> {
        self.client.look_around()?;
        self.go_on(progress)
    }

    /// Where the update is.
    pub fn outcome(&self) -> Outcome {
        self.client.outcome()
    }

    /// The trusted document of a role, if this update accepted one.
    pub fn trusted(&self, role: &RoleName) -> Option<Trusted> {
        self.client.trusted(role)
    }

    /// How many files were asked for.
    pub const fn asked(&self) -> u64 {
        self.asked
    }

    fn keep(&mut self) -> Result<()> {
        let changes = self.client.changes();
        let kept = self.kept.iter();
        kept.flat_map(|kept| changes.iter().map(move |change| kept.write(change))).collect()
    }
}
