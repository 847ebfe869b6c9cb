//! MANIFEST: what an upload consists of, line by line.
//!
//! The first line says for which trust and change, then each file has one: SHA-256, size, name,
//! role. Names are plain ([`FileName`]), lines sorted, and the folder holds these files and no
//! other (threats T17, T18).

use super::rules;
use crate::ceremony::facts::Stage;
use crate::tuf::digest::Digest;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::visible;
use std::collections::BTreeMap;

/// The file's name.
pub const NAME: &str = "MANIFEST";

/// What the first line starts with.
const MAGIC: &str = "keyrite-upload";

/// A MANIFEST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The trust.
    pub trust: TrustId,
    /// Practice or the real thing.
    pub stage: Stage,
    /// The change that made it; none for online roles' documents.
    pub change: Option<Digest>,
    /// Its files, by name.
    pub files: BTreeMap<FileName, Line>,
}

/// The plain name of an upload's file, such as a backend or client asks for: `2.root.json`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(String);

impl FileName {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// `MANIFEST-PATH` for anything but 1 to 255 of `a-z A-Z 0-9 . _ % ~ -`, not starting with `.`,
    /// `-` or `~`, and of no device.
    pub fn parse(text: &str) -> Result<Self> {
        let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._%~-".contains(&b));
        let stem = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let numbered = |name: &str| stem.len() == 4 && stem.starts_with(name);
        let device = matches!(&*stem, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt");
        let hidden = text.starts_with(['.', '-', '~']) || text.ends_with('.');
        if text.is_empty() || text.len() > 255 || !letters || hidden || device {
            return Err(Refusal::new(
                &rules::MANIFEST_PATH,
                format!("the file name \"{}\"", visible(text)),
                "the plain name of a file in the same folder",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, which is always safe to show.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a line says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// SHA-256 of the file.
    pub sha: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The role whose document it is; none for `README.txt`.
    pub role: Option<RoleName>,
}

impl Line {
    /// The line of a file with this content.
    pub fn of(bytes: &[u8], role: Option<RoleName>) -> Self {
        Self { sha: Digest::of(bytes), size: u64::try_from(bytes.len()).unwrap_or(u64::MAX), role }
    }
}

impl Manifest {
    /// The file's bytes.
    pub fn to_text(&self) -> String {
        let change = self.change.map_or("-".to_owned(), |sha| sha.hex());
        let mut lines: Vec<_> = self
            .files
            .iter()
            .map(|(name, line)| {
                let role = line.role.as_ref().map_or("-".to_owned(), RoleName::file_name);
                format!("{}  {}  {}  {role}\n", line.sha, line.size, name.as_str())
            })
            .collect();
        lines.sort();
        format!("{MAGIC} 1 {} {} {change}\n{}", self.trust, self.stage.name(), lines.concat())
    }

    /// Reads a MANIFEST.
    ///
    /// # Errors
    ///
    /// `MANIFEST-FORM`; `MANIFEST-PATH` for a name that is not plain; `MANIFEST-MISMATCH` for two
    /// lines of one file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| form("bytes that are no UTF-8"))?;
        let mut lines = text.split_inclusive('\n');
        let head: Vec<_> = lines.next().unwrap_or_default().trim_end_matches('\n').split(' ').collect();
        let [MAGIC, "1", trust, stage, change] = *head else {
            return Err(form(&format!("the first line \"{}\"", visible(&head.join(" ")))));
        };
        let change = if change == "-" { None } else { Some(change.parse()?) };
        let mut made = Self { trust: trust.parse()?, stage: stage.parse()?, change, files: BTreeMap::new() };
        for line in lines {
            let parts: Vec<_> = line.trim_end_matches('\n').split("  ").collect();
            let [sha, size, name, role] = *parts else {
                return Err(form(&format!("the line \"{}\"", visible(line.trim_end_matches('\n')))));
            };
            let name = FileName::parse(name)?;
            let size = size.parse().map_err(|_| form(&format!("the size \"{}\"", visible(size))))?;
            let role = if role == "-" { None } else { Some(RoleName::from_file_name(role)?) };
            if made.files.insert(name.clone(), Line { sha: sha.parse()?, size, role }).is_some() {
                return Err(mismatch(&format!("two lines for \"{}\"", name.as_str())));
            }
        }
        if made.to_text() == text { Ok(made) } else { Err(form("another order or spelling of its lines")) }
    }

    /// Compares the files of a folder with the lines; `files` is everything but MANIFEST.
    ///
    /// # Errors
    ///
    /// `MANIFEST-MISMATCH` with the first file that lacks, differs or is too many.
    pub fn check(&self, files: &BTreeMap<FileName, Vec<u8>>) -> Result<()> {
        for (name, line) in &self.files {
            let Some(bytes) = files.get(name) else {
                return Err(mismatch(&format!("no file \"{}\"", name.as_str())));
            };
            if Line::of(bytes, line.role.clone()) != *line {
                return Err(mismatch(&format!("\"{}\" with other content", name.as_str())));
            }
        }
        match files.keys().find(|name| !self.files.contains_key(name)) {
            Some(extra) => Err(mismatch(&format!("\"{}\", which it doesn't list", extra.as_str()))),
            None => Ok(()),
        }
    }
}

fn form(found: &str) -> Refusal {
    Refusal::new(&rules::MANIFEST_FORM, found, "a MANIFEST as FORMAT.md has it")
}

fn mismatch(found: &str) -> Refusal {
    Refusal::new(&rules::MANIFEST_MISMATCH, found, "one line for each file, and its content")
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::parse(text).unwrap()
    }

    fn manifest() -> (Manifest, BTreeMap<FileName, Vec<u8>>) {
        let files: BTreeMap<_, _> =
            [("README.txt", "read me"), ("root.json", "root"), ("targets%2Fapp.json", "app")]
                .into_iter()
                .map(|(n, content)| (name(n), content.as_bytes().to_vec()))
                .collect();
        let role = |n: &FileName| match n.as_str() {
            "root.json" => Some(RoleName::Root),
            "README.txt" => None,
            _ => Some(RoleName::Delegated("targets/app".to_owned())),
        };
        let lines = files.iter().map(|(n, bytes)| (n.clone(), Line::of(bytes, role(n)))).collect();
        let trust = TrustId::from_bytes([1; 16]);
        let change = Some(Digest::of(b"change"));
        (Manifest { trust, stage: Stage::Production, change, files: lines }, files)
    }

    #[test]
    fn reads_back_what_it_writes() {
        let (manifest, files) = manifest();
        let text = manifest.to_text();
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        manifest.check(&files).unwrap();
        let online = Manifest { change: None, ..manifest };
        assert_eq!(Manifest::parse(online.to_text().as_bytes()).unwrap(), online);
    }

    /// Threats T15, T17: every mutation of a line.
    #[test]
    fn other_lines_are_refused() {
        let text = manifest().0.to_text();
        let root = text.lines().find(|l| l.contains("root.json")).unwrap().to_owned();
        for (from, to, rule) in [
            ("root.json", "../root.json", "MANIFEST-PATH"),
            ("root.json", "/etc/passwd", "MANIFEST-PATH"),
            ("root.json", "..\\root.json", "MANIFEST-PATH"),
            ("root.json", "a/root.json", "MANIFEST-PATH"),
            ("root.json", ".root.json", "MANIFEST-PATH"),
            ("root.json", "-rf", "MANIFEST-PATH"),
            ("root.json", "nul.json", "MANIFEST-PATH"),
            ("root.json", "root\u{202e}.json", "MANIFEST-PATH"),
            ("root.json", "root json", "MANIFEST-PATH"),
            ("root.json", "", "MANIFEST-PATH"),
            ("  4  ", "  04  ", "MANIFEST-FORM"),
            ("  4  ", "  -4  ", "MANIFEST-FORM"),
            ("  4  ", " 4 ", "MANIFEST-FORM"),
            ("  root\n", "  root \n", "ROLE-NAME"),
            ("  root\n", "  root\r\n", "ROLE-NAME"),
            ("  root\n", "  root  x\n", "MANIFEST-FORM"),
            ("  root\n", "  Root\n", "ROLE-NAME"),
            ("keyrite-upload 1", "keyrite-upload 2", "MANIFEST-FORM"),
            ("keyrite-upload 1", "keyrite-upload  1", "MANIFEST-FORM"),
            ("production", "Production", "STAGE"),
            (&root, &format!("{root}\n{root}"), "MANIFEST-MISMATCH"),
            (&root[..1], "Z", "MANIFEST-FORM"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refusal = Manifest::parse(changed.as_bytes()).unwrap_err();
            if to != "Z" {
                assert_eq!(refusal.rule().name, rule, "{from} -> {to}: {refusal}");
            }
        }
        let mut lines: Vec<_> = text.lines().collect();
        lines.swap(1, 2);
        let swapped = format!("{}\n", lines.join("\n"));
        assert_eq!(Manifest::parse(swapped.as_bytes()).unwrap_err().rule(), &rules::MANIFEST_FORM);
        assert_eq!(Manifest::parse(text.trim_end().as_bytes()).unwrap_err().rule(), &rules::MANIFEST_FORM);
    }

    #[test]
    fn the_folder_holds_what_is_listed_and_no_more() {
        let (manifest, files) = manifest();
        let lacks = files.iter().skip(1).map(|(n, c)| (n.clone(), c.clone())).collect();
        let mut differs = files.clone();
        differs.insert(name("root.json"), b"toor".to_vec());
        let mut extra = files.clone();
        extra.insert(name("more.json"), b"more".to_vec());
        for files in [lacks, differs, extra] {
            assert_eq!(manifest.check(&files).unwrap_err().rule(), &rules::MANIFEST_MISMATCH);
        }
    }
}
