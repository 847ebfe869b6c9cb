//! Import: takes from a medium only what parses, verifies and fits the layout.
//!
//! Each file is read once, into memory, and judged there beside the record's own by the same code
//! that reads a record (`record::read`); what is written afterwards is what was judged (threats
//! T16). A medium may hold a copy of the record, a part of one, or what a backend published.
//! Everything else is listed by its escaped name and stays where it is (threats T18).

use super::contents::Inputs;
use super::create::{Access, Existing};
use super::dir::{Dir, Kind, regular};
use super::files::{Files, find};
use super::hand_out::last_things_last;
use super::names::Place;
use super::{Media, Record, TrustFile, read, rules};
use crate::tuf::digest::Digest;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::tuf::time::Time;
use crate::tuf::wire;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The most bytes that one import takes, and that are read of a medium in place.
pub(super) const MOST: u64 = 1024 * 1024 * 1024;

/// What became of a medium's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// What was new, in the order of the layout.
    pub taken: Vec<Place>,
    /// How many files were already here.
    pub known: usize,
    /// What the medium had as a backend publishes it and is in the record now, by role: version
    /// and digest. Files of another copy of the record are not among them.
    pub served: BTreeMap<RoleName, (u64, Digest)>,
    /// What stays on the medium: the name as it may be shown, and why.
    pub left: Vec<(String, Refusal)>,
}

impl ImportReport {
    /// How many files came in, by folder of the record: what a transcript's `import` says.
    pub fn by_folder(&self) -> BTreeMap<String, u64> {
        let mut folders = BTreeMap::new();
        for place in &self.taken {
            let count: &mut u64 =
                folders.entry(place.folder().unwrap_or("trust.json").to_owned()).or_default();
            *count = count.saturating_add(1);
        }
        folders
    }

    /// The digests of the statements that came in.
    pub fn statements(&self) -> Vec<Digest> {
        let statements = self.taken.iter().filter(|place| matches!(place, Place::Statement(_)));
        statements.filter_map(Place::digest).collect()
    }
}

/// What is taken from a medium into memory.
struct Load<'a> {
    files: Files<'a>,
    report: ImportReport,
    /// By place, the name on the medium.
    names: BTreeMap<Place, String>,
    /// Documents that lie there as a backend publishes them.
    loose: Vec<Place>,
    /// Files of the record that it doesn't use itself, torn ones among them: the right ones may
    /// take their place.
    unused: BTreeSet<Place>,
    left: u64,
    profile: Profile,
}

impl Record {
    /// Takes in what `media` holds. A bad file is left and named; the others come in.
    ///
    /// # Errors
    ///
    /// `RECORD-OTHER` if the medium holds another trust's record; `MEDIA-READ`, `MEDIA-SIZE` if it
    /// can't be listed; `RECORD-BUSY`, `RECORD-WRITE`; as [`Record::read_all`].
    pub fn import(&self, media: &Media, today: Time) -> Result<ImportReport> {
        self.take_in(today, |load| load.fill(&media.dir))
    }

    /// The same of files that are in memory already, by their paths in the layout: what came in codes.
    ///
    /// # Errors
    ///
    /// As [`Self::import`].
    pub fn import_files(&self, files: BTreeMap<String, Vec<u8>>, today: Time) -> Result<ImportReport> {
        self.take_in(today, |load| {
            for (path, bytes) in files {
                let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                match Place::parse(&path.split('/').collect::<Vec<_>>()) {
                    Ok(place) if size > place.cap() => {
                        let found = format!("{size} bytes");
                        let refusal =
                            Refusal::new(&rules::MEDIA_SIZE, found, format!("at most {}", place.cap()));
                        load.report.left.push((visible(&path), refusal));
                    }
                    Ok(place) => {
                        let bytes = place.check(&bytes).map(|()| bytes);
                        load.take(&place, visible(&path), bytes);
                    }
                    Err(refusal) => load.report.left.push((visible(&path), refusal)),
                }
            }
            Ok(())
        })
    }

    /// Makes a copy of a record in `path` out of files that are in memory, by their paths: one for
    /// someone who had none. A directory that holds one of this trust already takes them in.
    ///
    /// # Errors
    ///
    /// `RECORD-MISSING` if `trust.json` is not among them; `RECORD-OTHER`, `RECORD-CONFLICT` if there
    /// is another trust's record; as [`Self::import`].
    pub fn receive(
        path: &Path,
        files: BTreeMap<String, Vec<u8>>,
        today: Time,
    ) -> Result<(Self, ImportReport)> {
        let trust = Place::Trust.to_string();
        let bytes = files.get(&trust).ok_or_else(|| {
            Refusal::new(&rules::RECORD_MISSING, "files without trust.json", "files of a whole record")
        })?;
        TrustFile::from_json(bytes).map_err(|refusal| refusal.at(&trust))?;
        Dir::open_or_make(path)?.create(&trust, bytes, Access::Public, Existing::Stands)?;
        let record = Self::open(path)?;
        let report = record.import_files(files, today)?;
        Ok((record, report))
    }

    /// Takes in what `fill` proposes.
    fn take_in(&self, today: Time, fill: impl FnOnce(&mut Load<'_>) -> Result<()>) -> Result<ImportReport> {
        self.lock()?;
        let profile = self.trust().profile;
        let here = |change: &Digest| self.sealed_here(change);
        let own = read::contents(&self.files()?, self.trust_file(), today, &Inputs::default(), &here);
        let unused = own.map(|(_, verdicts)| verdicts.refused.into_keys().collect()).unwrap_or_default();
        let mut load = Load {
            files: self.files()?,
            unused,
            report: ImportReport::default(),
            names: BTreeMap::new(),
            loose: Vec::new(),
            left: MOST,
            profile,
        };
        fill(&mut load)?;
        if let Some((_, refusal)) = load.report.left.iter().find(|(_, r)| r.rule() == &rules::RECORD_OTHER) {
            return Err(refusal.clone());
        }
        let (_, verdicts) = read::contents(&load.files, self.trust_file(), today, &Inputs::default(), &here)?;
        let mut report = load.report;
        for place in load.files.proposed().keys() {
            let name = load.names.get(place).cloned().unwrap_or_else(|| place.to_string());
            if verdicts.accepted.contains(place) {
                report.taken.push(place.clone());
            } else {
                let refusal = verdicts.refused.get(place).cloned();
                report.left.push((name, refusal.unwrap_or_else(unfit)));
            }
        }
        for place in &load.loose {
            let here = verdicts.accepted.contains(place) || !load.files.proposed().contains_key(place);
            if let (true, Place::Metadata(role, version, file)) = (here, place) {
                // A folder of profile `tuf` holds older roots too; clients get the newest.
                let served = report.served.entry(role.clone()).or_insert((*version, *file));
                if *version >= served.0 {
                    *served = (*version, *file);
                }
            }
        }
        for place in last_things_last(report.taken.clone()) {
            if let Some(bytes) = load.files.proposed().get(&place) {
                self.put(&place, bytes)?;
            }
        }
        report.left.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(report)
    }
}

impl Load<'_> {
    fn fill(&mut self, dir: &Dir) -> Result<()> {
        let found = find(dir)?;
        for place in found.places {
            let bytes = read_place(dir, &place).and_then(|bytes| place.check(&bytes).map(|()| bytes));
            self.take(&place, place.to_string(), bytes);
        }
        for name in found.others {
            let bytes = dir.read(&name, 64 * 1024 * 1024).map(Option::unwrap_or_default);
            self.published(&name, bytes);
        }
        let mut strays = found.strays;
        // A stock Notary client and our own README keep delegations in this folder.
        if self.profile == Profile::Notary
            && let Ok(Some(folder)) = dir.folder("targets")
        {
            strays.retain(|(name, _)| name != "targets");
            self.delegations(&folder, "targets", 2);
        }
        self.report.left.extend(strays);
        Ok(())
    }

    /// Proposes a file, while there is room for it.
    fn take(&mut self, place: &Place, name: String, bytes: Result<Vec<u8>>) {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(refusal) => return self.report.left.push((name, refusal)),
        };
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(size) else {
            let refusal = Refusal::new(&rules::MEDIA_SIZE, format!("more than {MOST} bytes in all"), "fewer");
            return self.report.left.push((name, refusal));
        };
        self.left = left;
        // Two whole files in one place: the record's own stands.
        if self.files.has(place) && !self.unused.contains(place) {
            match self.files.bytes(place) {
                Ok(own) if *own == bytes => {}
                Ok(_) => return self.report.left.push((name, elsewhere(place))),
                Err(_) => {
                    self.unused.insert(place.clone());
                }
            }
        }
        if self.files.propose(place.clone(), bytes) {
            self.names.insert(place.clone(), name);
        } else {
            self.report.known = self.report.known.saturating_add(1);
        }
    }

    /// A file that may be a document as a backend or a client has it.
    fn published(&mut self, path: &str, bytes: Result<Vec<u8>>) {
        let shown = visible(path);
        let Some(role) = role_of(self.profile, path) else {
            return self.report.left.push((shown, unfit()));
        };
        let read = bytes.and_then(|bytes| {
            let envelope = wire::parse(self.profile, &role, &bytes)?;
            let place = Place::Metadata(role.clone(), envelope.payload().version(), Digest::of(&bytes));
            // A name longer than file systems take never came from us.
            Place::parse(&place.path().iter().map(String::as_str).collect::<Vec<_>>())?;
            Ok((place, bytes))
        });
        match read {
            Ok((place, bytes)) => {
                self.loose.push(place.clone());
                self.take(&place, shown, Ok(bytes));
            }
            Err(refusal) => self.report.left.push((shown, refusal)),
        }
    }

    fn delegations(&mut self, dir: &Dir, path: &str, depth: usize) {
        let entries = match dir.entries() {
            Ok(entries) => entries,
            Err(refusal) => return self.report.left.push((visible(path), refusal)),
        };
        for entry in entries {
            let shown = format!("{}/{}", visible(path), entry.shown());
            let Ok(name) = &entry.name else {
                self.report.left.push((shown, unfit()));
                continue;
            };
            let path = format!("{path}/{name}");
            match (entry.kind, dir.folder(name)) {
                (Kind::Folder, Ok(Some(folder))) if depth > 1 => {
                    self.delegations(&folder, &path, depth.saturating_sub(1));
                }
                (Kind::File, _) => {
                    let bytes = dir.read(name, 64 * 1024 * 1024).map(Option::unwrap_or_default);
                    self.published(&path, bytes);
                }
                (kind, _) => {
                    let refusal = regular(kind, &shown).err().unwrap_or_else(unfit);
                    self.report.left.push((shown, refusal));
                }
            }
        }
    }
}

/// The role that a published document's name stands for: `root.json`, `3.root.json`,
/// `targets%2Fapp.json`, `targets/app.json`.
pub(super) fn role_of(profile: Profile, path: &str) -> Option<RoleName> {
    let stem = path.strip_suffix(".json")?;
    let stem = match stem.split_once('.') {
        Some((version, rest)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => stem,
    };
    let mut name = Vec::new();
    let mut rest = stem.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| tail.split_at_checked(2)).flatten();
        if let Some((digits, tail)) = escaped {
            name.extend(base16ct::mixed::decode_vec(digits).ok()?);
            rest = tail;
        } else {
            name.push(*first);
            rest = tail;
        }
    }
    let name = String::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    let role = RoleName::from_name(&name);
    let nested = name.starts_with("targets/");
    let delegated = matches!(role, RoleName::Delegated(_));
    (profile == Profile::Tuf || !delegated || nested).then_some(role)
}

fn read_place(dir: &Dir, place: &Place) -> Result<Vec<u8>> {
    let path = place.path();
    let gone =
        || Refusal::new(&rules::MEDIA_CHANGED, format!("\"{place}\" is gone again"), "a medium at rest");
    let (name, folders) = path.split_last().ok_or_else(gone)?;
    let mut folder: Option<Dir> = None;
    for part in folders {
        folder = Some(folder.as_ref().unwrap_or(dir).folder(part)?.ok_or_else(gone)?);
    }
    folder.as_ref().unwrap_or(dir).read(name, place.cap())?.ok_or_else(gone)
}

/// The refusal of a file where the record has another one.
fn elsewhere(place: &Place) -> Refusal {
    let rule = if *place == Place::Trust { &rules::RECORD_OTHER } else { &rules::RECORD_CONFLICT };
    Refusal::new(rule, format!("another \"{place}\""), "this record's own")
}

fn unfit() -> Refusal {
    Refusal::new(
        &rules::IMPORT_KIND,
        "a file that is none of these",
        "a file of the record, or a document as a backend publishes it",
    )
}
