//! What a person would copy from screen or paper into a file: the places that a golden folder's
//! TOML files leave for it.

use super::{Played, Tree};
use jiff::Timestamp;
use keyrite::record::TrustFile;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What has been learnt so far.
#[derive(Clone, Default)]
pub struct Values {
    /// The change that appeared last.
    change: Option<String>,
    /// Every change by its title.
    titles: BTreeMap<String, String>,
    /// The transcript that appeared last ends with this file.
    head: Option<String>,
    /// The newest root that any record has had: who knows it doesn't forget it.
    root: Option<(u64, String)>,
}

impl Values {
    /// Learns from the files that a line has added.
    pub fn learn(&mut self, before: &Tree, after: &Tree) {
        let mut last = 0;
        for path in after.keys().filter(|path| !before.contains_key(*path)) {
            let parts: Vec<&str> = path.split('/').collect();
            match parts.as_slice() {
                [.., "changes", change, "change.json"] => {
                    let json: serde_json::Value = serde_json::from_slice(&after[path]).unwrap();
                    self.titles.insert(json["title"].as_str().unwrap().to_owned(), (*change).to_owned());
                    self.change = Some((*change).to_owned());
                }
                [.., "transcripts", _, entry] => {
                    let mut parts = entry.split('.');
                    let number: u64 = parts.next().unwrap().parse().unwrap();
                    if number >= last {
                        (last, self.head) = (number, parts.next().map(str::to_owned));
                    }
                }
                _ => {}
            }
        }
    }

    /// A pattern of a path with the change's digest in its place.
    pub fn filled(&self, pattern: &str) -> String {
        pattern.replace("{change}", self.change.as_deref().unwrap_or_default())
    }

    /// A text with every place filled. A line with a place for what isn't known yet is left out.
    pub fn fill(&mut self, text: &str, record: &Path, now: Timestamp) -> String {
        let needs = |place: &str| text.contains(place);
        if needs("{root}") {
            self.root = self.root.take().max(root(record, now));
        }
        let root = self.root.as_ref().map(|(_, root)| root.clone());
        let trust = if needs("{trust}") { trust(record) } else { None };
        let values = [
            ("{change}", self.change.clone()),
            ("{head}", self.head.clone()),
            ("{root}", root),
            ("{trust}", trust),
        ];
        let titles =
            self.titles.iter().map(|(title, change)| (format!("{{change:{title}}}"), change.clone()));
        let text = titles.fold(text.to_owned(), |text, (place, value)| text.replace(&place, &value));
        let mut filled = String::new();
        'lines: for line in text.lines() {
            if line.contains("{change:") {
                continue;
            }
            let mut line = line.to_owned();
            for (place, value) in &values {
                match value {
                    Some(value) => line = line.replace(place, value),
                    None if line.contains(place) => continue 'lines,
                    None => {}
                }
            }
            filled.push_str(&line);
            filled.push('\n');
        }
        filled
    }
}

fn trust(record: &Path) -> Option<String> {
    let bytes = fs::read(record.join("trust.json")).ok()?;
    Some(TrustFile::from_json(&bytes).unwrap().trust().id.to_string())
}

/// The newest root, as `status` tells it and a person writes it into their device map.
fn root(record: &Path, now: Timestamp) -> Option<(u64, String)> {
    let (code, out, _) =
        Played::new("root", now).run(&["keyrite", "-C", record.to_str()?, "--json", "status"]);
    if code != 0 {
        return None;
    }
    let status: serde_json::Value = serde_json::from_str(&out).unwrap();
    let payload = status["root"]["payload"].as_str()?;
    let version = status["root"]["version"].as_u64()?;
    Some((version, format!("{{ version = {version}, payload = \"{payload}\" }}")))
}
