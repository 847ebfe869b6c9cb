//! What a place publishes, as one whole: the newest timestamp and what it leads to, and every root.
//!
//! Each file is asked for by the name that snapshot or timestamp gives it and compared with what they say
//! of it, so that a place that serves old, mixed or foreign files yields nothing. Whose signatures count
//! is not judged here: `keyrite import` does it, with the record's own trust.

use super::progress::Progress;
use super::rules;
use super::source::Source;
use crate::tuf::client::{Caps, check_listed, listed_name, versioned_name};
use crate::tuf::digest::Digest;
use crate::tuf::document::{Document, MetaFile};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;
use crate::tuf::wire::{self, Envelope};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most files that are fetched at once: two rounds of 16,384 bins, and more.
const FILES: usize = 40_000;
/// The most bytes that are fetched at once; more, `import` doesn't take either.
const BYTES: usize = 1024 * 1024 * 1024;
/// The most questions for it, those that nobody has an answer to included.
const QUESTIONS: usize = 4 * FILES;
/// How many versions in a row may be missing before no older one is asked for.
const GAPS: u32 = 64;

/// A document that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Whose it is.
    pub role: RoleName,
    /// Its version.
    pub version: u64,
    /// When clients stop accepting it.
    pub expires: Time,
    /// Whether clients get it now; else it is of the past.
    pub current: bool,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The documents, by the name under which `import` knows them.
    pub files: BTreeMap<String, Served>,
    /// Applications that somebody may release for and nobody has.
    pub unreleased: BTreeSet<RoleName>,
}

impl Published {
    /// What clients get now, by role.
    pub fn current(&self) -> BTreeMap<&RoleName, &Served> {
        self.files.values().filter(|served| served.current).map(|served| (&served.role, served)).collect()
    }
}

/// Fetches what is published; with `history` also the older versions of targets and delegations.
///
/// # Errors
///
/// `FETCH-NOTHING` if there is no timestamp, `FETCH-MIXED`; why a document can't be read; as
/// [`Source::get`].
pub fn fetch(source: &Source, history: bool, progress: &Progress) -> Result<Published> {
    // Somebody may publish while we read: then a second look finds one whole.
    match Reading::new(source, progress).whole(history) {
        Err(why) if why.rule() == &rules::FETCH_MIXED => {
            std::thread::sleep(std::time::Duration::from_secs(1));
            Reading::new(source, progress).whole(history)
        }
        done => done,
    }
}

/// One look at what is published.
struct Reading<'a> {
    source: &'a Source,
    progress: &'a Progress,
    profile: Profile,
    caps: Caps,
    published: Published,
    bytes: usize,
    asked: Cell<usize>,
}

impl<'a> Reading<'a> {
    fn new(source: &'a Source, progress: &'a Progress) -> Self {
        let profile = source.profile();
        let caps = Caps::of(profile);
        Self {
            source,
            progress,
            profile,
            caps,
            published: Published::default(),
            bytes: 0,
            asked: Cell::new(0),
        }
    }

    fn whole(mut self, history: bool) -> Result<Published> {
        // In profile `tuf` only the newest root says whether names have versions.
        let newest = match self.profile {
            Profile::Notary => None,
            Profile::Tuf => Some(self.walk_roots()?),
        };
        let timestamp = self.get(&RoleName::Timestamp, "timestamp.json", self.caps.timestamp)?;
        let Some(timestamp) = timestamp else {
            let found = format!("no timestamp at {}", self.source.shown());
            return Err(Refusal::new(&rules::FETCH_NOTHING, found, "a timestamp"));
        };
        let Document::Timestamp(document) = timestamp.payload().document() else { return Err(other()) };
        let consistent = newest.as_ref().is_none_or(is_consistent);
        let meta = document.snapshot.clone();
        self.keep(&timestamp, true)?;
        let snapshot = self.listed(&RoleName::Snapshot, &meta, consistent, self.caps.snapshot)?;
        let Document::Snapshot(document) = snapshot.payload().document() else { return Err(other()) };
        let listed = document.meta.clone();
        self.keep(&snapshot, true)?;
        if let Some(newest) = &newest {
            self.keep(newest, true)?;
        } else {
            let root = self.listed_in(&listed, &RoleName::Root, true, self.caps.root)?;
            self.keep(&root, true)?;
            self.roots_before(root.payload().version())?;
        }
        self.targets(&listed, consistent, history)?;
        Ok(self.published)
    }

    /// Targets and every delegation that a delegation leads to.
    fn targets(
        &mut self,
        listed: &BTreeMap<RoleName, MetaFile>,
        consistent: bool,
        history: bool,
    ) -> Result<()> {
        let mut seen = BTreeSet::from([RoleName::Targets]);
        let mut queue = VecDeque::from([RoleName::Targets]);
        while let Some(role) = queue.pop_front() {
            let released = role == RoleName::Targets || listed.contains_key(&role);
            if !released {
                self.published.unreleased.insert(role);
                continue;
            }
            let held = self.listed_in(listed, &role, consistent, self.caps.targets)?;
            if history {
                self.versions_before(&role, held.payload().version())?;
            }
            let Some(document) = held.payload().document().as_targets() else { return Err(other()) };
            let mut below: Vec<RoleName> =
                document.delegations.roles.iter().map(|role| role.name.clone()).collect();
            if let Some(bins) = &document.delegations.succinct {
                // Only what the snapshot lists is there.
                below.extend(listed.keys().filter(|role| bins.is_bin(role)).cloned());
            }
            for role in below {
                if askable(self.profile, &role) && seen.insert(role.clone()) {
                    queue.push_back(role);
                }
            }
            self.keep(&held, true)?;
        }
        Ok(())
    }

    /// Profile `tuf`: every root, from the first on, and the newest.
    fn walk_roots(&mut self) -> Result<Envelope> {
        let mut newest: Option<Envelope> = None;
        for version in 1.. {
            let name = format!("{version}.root.json");
            let Some(root) = self.get(&RoleName::Root, &name, self.caps.root)? else { break };
            self.roots(version)?;
            same_version(&root, version)?;
            if let Some(before) = newest.replace(root) {
                self.keep(&before, false)?;
            }
        }
        newest.ok_or_else(|| {
            let found = format!("no 1.root.json at {}", self.source.shown());
            Refusal::new(&rules::FETCH_NOTHING, found, "a repository's first root")
        })
    }

    /// Profile `notary`: the roots before this one; a collection may begin with version 2 (notary-v1 4).
    fn roots_before(&mut self, newest: u64) -> Result<()> {
        self.roots(newest)?;
        let mut any = false;
        for version in 1..newest {
            let name = format!("{version}.root.json");
            match self.get(&RoleName::Root, &name, self.caps.root)? {
                Some(root) => {
                    same_version(&root, version)?;
                    self.keep(&root, false)?;
                    any = true;
                }
                None if any => {
                    let found = format!("no {name} at {}", self.source.shown());
                    return Err(Refusal::new(&rules::FETCH_MIXED, found, "every root up to the newest"));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Refuses more roots than a client ever walks: a server can claim any number.
    fn roots(&self, newest: u64) -> Result<()> {
        let most = u64::from(self.caps.rotations).saturating_mul(8);
        if newest <= most {
            return Ok(());
        }
        let found = format!("root version {newest} at {}", self.source.shown());
        Err(Refusal::new(&rules::SERVER_SIZE, found, format!("at most {most} roots")))
    }

    fn versions_before(&mut self, role: &RoleName, newest: u64) -> Result<()> {
        let mut gaps = 0_u32;
        for version in (1..newest).rev() {
            let name = match self.profile {
                Profile::Notary => format!("{version}.{}.json", role.as_str()),
                Profile::Tuf => versioned_name(role, version),
            };
            if let Some(held) = self.get(role, &name, self.caps.targets)? {
                same_version(&held, version)?;
                self.keep(&held, false)?;
                gaps = 0;
                continue;
            }
            // Versions may have gaps, but a server can claim any number.
            gaps = gaps.saturating_add(1);
            if gaps >= GAPS {
                break;
            }
        }
        Ok(())
    }

    fn listed_in(
        &self,
        listed: &BTreeMap<RoleName, MetaFile>,
        role: &RoleName,
        consistent: bool,
        cap: u64,
    ) -> Result<Envelope> {
        let meta = listed.get(role).ok_or_else(|| {
            let found = format!("a snapshot that doesn't list {role}");
            Refusal::new(&rules::FETCH_MIXED, found, "one that lists it")
        })?;
        self.listed(role, meta, consistent, cap)
    }

    /// A file that snapshot or timestamp lists, if it is the one.
    fn listed(&self, role: &RoleName, meta: &MetaFile, consistent: bool, cap: u64) -> Result<Envelope> {
        let name = listed_name(self.profile, role, meta, consistent)?;
        let limit = meta.length.unwrap_or(cap).min(cap);
        let mixed = |why: &Refusal| Refusal::new(&rules::FETCH_MIXED, why.found(), why.expected());
        let Some(bytes) = self.bytes_of(&name, limit)? else {
            return Err(self.unserved(role, meta, &name, cap));
        };
        check_listed(self.profile, role, meta, &bytes).map_err(|why| mixed(&why))?;
        let held = wire::parse(self.profile, role, &bytes)?;
        match meta.version {
            Some(version) => same_version(&held, version).map(|()| held),
            None => Ok(held),
        }
    }

    /// Why a listed file isn't there. A Notary backend serves what was uploaded under its plain name also
    /// where its snapshot lists another digest, which no client gets past (notary-v1 3).
    fn unserved(&self, role: &RoleName, meta: &MetaFile, name: &str, cap: u64) -> Refusal {
        let plain = format!("{}.json", role.as_str());
        let found = match (self.profile, self.bytes_of(&plain, cap)) {
            (Profile::Notary, Ok(Some(bytes))) => format!("{role} with SHA-256 {}", Digest::of(&bytes)),
            _ => format!("no {name} at {}", self.source.shown()),
        };
        let sha256 = meta.hashes.get("sha256").map(base16ct::lower::encode_string).unwrap_or_default();
        let expected = match self.profile {
            Profile::Notary => format!("the one that the snapshot lists, {sha256}"),
            Profile::Tuf => "the file that is listed".to_owned(),
        };
        Refusal::new(&rules::FETCH_MIXED, found, expected)
    }

    fn get(&self, role: &RoleName, name: &str, cap: u64) -> Result<Option<Envelope>> {
        let bytes = self.bytes_of(name, cap)?;
        bytes.map(|bytes| wire::parse(self.profile, role, &bytes)).transpose()
    }

    fn bytes_of(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.asked.set(self.asked.get().saturating_add(1));
        if self.asked.get() > QUESTIONS {
            return Err(Refusal::new(
                &rules::SERVER_SIZE,
                format!("more than {QUESTIONS} questions"),
                "fewer",
            ));
        }
        self.progress.say(&format!("{} files, now {name}", self.published.files.len()));
        self.source.get(name, limit)
    }

    fn keep(&mut self, held: &Envelope, current: bool) -> Result<()> {
        let payload = held.payload();
        let (role, version) = (payload.role().clone(), payload.version());
        let plain = current && (self.profile == Profile::Notary || role == RoleName::Timestamp);
        let name = if plain {
            format!("{}.json", role.file_name())
        } else {
            format!("{version}.{}.json", role.file_name())
        };
        let bytes = held.bytes().to_vec();
        self.bytes = self.bytes.saturating_add(bytes.len());
        let files = self.published.files.len();
        if files >= FILES || self.bytes > BYTES {
            let found = format!("more than {FILES} files, or more than {BYTES} bytes");
            return Err(Refusal::new(&rules::SERVER_SIZE, found, "fewer"));
        }
        let expires = payload.document().header().expires;
        self.published.files.insert(name, Served { role, version, expires, current, bytes });
        Ok(())
    }
}

fn is_consistent(root: &Envelope) -> bool {
    root.payload().document().as_root().is_some_and(|root| root.consistent_snapshot)
}

/// Whether a role has a name that can be asked for: a Notary backend takes no others.
fn askable(profile: Profile, role: &RoleName) -> bool {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_/".contains(&b);
    profile == Profile::Tuf || role.as_str().bytes().all(letters)
}

fn same_version(held: &Envelope, version: u64) -> Result<()> {
    let (role, found) = (held.payload().role(), held.payload().version());
    if found == version {
        return Ok(());
    }
    let found = format!("{role} version {found}");
    Err(Refusal::new(&rules::FETCH_MIXED, found, format!("version {version}, as it was asked for")))
}

fn other() -> Refusal {
    Refusal::new(&rules::FETCH_MIXED, "a document of another role", "the one that was asked for")
}
