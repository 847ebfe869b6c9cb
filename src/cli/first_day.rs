//! The first day's runbooks and limits, from what `init` was told: nobody edits TOML to hold it.
//!
//! Each runbook is an ordinary one, for the same ceremonies that are held on any other day; the
//! examples in `ceremonies/first-day` are of the same form. Every one is read back by its kind
//! before it is written.

use crate::ceremony::kinds;
use crate::ceremony::limits::{Limits, PossessionLimit};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::runbook::Runbook;
use crate::tuf::key::KeySpec;
use crate::tuf::profile::Profile;
use crate::tuf::rule::Result;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What the first day is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstDay {
    /// The wire profile.
    pub profile: Profile,
    /// Who leads every ceremony of the day.
    pub administrator: Person,
    /// Root keys and who holds each.
    pub root: Vec<(KeyName, Person)>,
    /// How many of them must sign.
    pub threshold: u32,
    /// What kind of key root and targets are.
    pub algorithm: KeySpec,
    /// The update-service administrator.
    pub targets: Person,
    /// Whether the targets key is one that no token holds: in an encrypted file, or in a vault.
    pub targets_software: bool,
    /// Snapshot and timestamp.
    pub online: Online,
    /// The first application.
    pub application: String,
    /// Its first developer.
    pub developer: Person,
    /// How the developer shows to have the key.
    pub possession: PossessionLimit,
    /// Who watches.
    pub witnesses: Vec<Person>,
}

/// Where the keys of snapshot and timestamp come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Online {
    /// The backend makes and keeps them; their public halves are enrolled.
    Backend,
    /// They are made elsewhere; their public halves are enrolled.
    Elsewhere,
    /// They are made on the first day, as encrypted files.
    Here,
}

/// The name of the first targets key.
pub const TARGETS_KEY: &str = "targets-1";

impl FirstDay {
    /// The names of the keys for snapshot and timestamp.
    pub fn online_keys(&self) -> [&'static str; 2] {
        match self.online {
            Online::Backend => ["backend-snapshot", "backend-timestamp"],
            Online::Elsewhere | Online::Here => ["online-snapshot", "online-timestamp"],
        }
    }

    /// Who holds those keys, as the record has it.
    fn online_holder(&self) -> &str {
        match self.online {
            Online::Backend => "backend",
            Online::Elsewhere => "operations",
            Online::Here => self.targets.as_str(),
        }
    }

    /// What the application's developers may release: its own folder and no more.
    pub fn path(&self) -> String {
        match self.profile {
            Profile::Notary => format!("{}/", self.application),
            Profile::Tuf => format!("{}/*", self.application),
        }
    }

    /// The developer's key's name.
    ///
    /// # Errors
    ///
    /// `NAME` if the person's name is too long for one.
    pub fn developer_key(&self) -> Result<KeyName> {
        format!("dev-{}", self.developer).parse()
    }

    /// The trust's first limits: the built-in ones, with what the answers ask for.
    ///
    /// # Errors
    ///
    /// `LIMITS-FLOOR`, `NAME`.
    pub fn limits(&self) -> Result<Limits> {
        let mut limits = Limits::default_for(self.profile);
        let keys = u32::try_from(self.root.len()).unwrap_or(u32::MAX);
        limits.root.spare_keys = limits.root.spare_keys.min(keys.saturating_sub(self.threshold));
        limits.root.witnesses = u32::from(!self.witnesses.is_empty());
        limits.targets.software_keys = self.targets_software;
        limits.delegations.possession = self.possession;
        if self.profile == Profile::Tuf {
            let [snapshot, timestamp] = self.online_keys();
            limits.online.snapshot.insert(snapshot.parse()?);
            limits.online.timestamp.insert(timestamp.parse()?);
        }
        limits.check_floor()?;
        Ok(limits)
    }

    /// The runbooks in the order of the day: file name and text, each read back by its kind.
    ///
    /// # Errors
    ///
    /// What reading them back refuses.
    pub fn runbooks(&self) -> Result<Vec<(String, String)>> {
        let mut all = vec![("root-keys", self.root_keys()), ("targets-key", self.targets_key())];
        if self.online == Online::Here {
            all.push(("online-keys", self.made_online_keys()));
        }
        all.push(("enroll", self.enroll()?));
        all.push(("root", self.create_root()));
        all.push((self.application.as_str(), self.grant()?));
        let mut files = Vec::new();
        for (number, (name, text)) in all.into_iter().enumerate() {
            kinds::read(&Runbook::parse(&text)?)?;
            files.push((format!("{:02}-{name}.toml", number.saturating_add(1)), text));
        }
        Ok(files)
    }

    fn root_keys(&self) -> String {
        let holders: Vec<&Person> = self.root.iter().map(|(_, holder)| holder).collect();
        let mut text = self.head(
            "Each custodian makes one root key, on their own token.",
            "generate-key",
            "Root keys",
            &holders,
        );
        for (name, holder) in &self.root {
            text.push_str(&key(name.as_str(), holder.as_str(), "root", Some(self.algorithm)));
        }
        text
    }

    fn targets_key(&self) -> String {
        let mut text = self.head(
            "The update-service administrator's key: it grants and revokes developers.",
            "issue-targets-key",
            "Targets key",
            &[&self.targets],
        );
        let (holder, algorithm) = (&self.targets, self.algorithm);
        let _ = write!(
            text,
            "\n[targets-key]\nname = \"{TARGETS_KEY}\"\nholder = \"{holder}\"\nalgorithm = \"{algorithm}\"\n"
        );
        text
    }

    fn made_online_keys(&self) -> String {
        let mut text = self.head(
            "The keys that sign snapshot and timestamp without people.",
            "generate-key",
            "Online keys",
            &[&self.targets],
        );
        let [snapshot, timestamp] = self.online_keys();
        text.push_str(&key(snapshot, self.online_holder(), "snapshot", Some(KeySpec::EcdsaP256)));
        text.push_str(&key(timestamp, self.online_holder(), "timestamp", Some(KeySpec::EcdsaP256)));
        text
    }

    fn enroll(&self) -> Result<String> {
        let (what, title) = match self.online {
            Online::Backend => (
                "the backend's two, and the first developer's",
                "Keys of the backend and of the first developer",
            ),
            Online::Elsewhere => {
                ("the two online keys, and the first developer's", "Online keys and the first developer")
            }
            Online::Here => ("the first developer's", "Key of the first developer"),
        };
        let mut text = self.head(&format!("Keys made elsewhere: {what}."), "enroll-key", title, &[]);
        if self.online != Online::Here {
            let [snapshot, timestamp] = self.online_keys();
            text.push_str(&key(snapshot, self.online_holder(), "snapshot", None));
            text.push_str(&key(timestamp, self.online_holder(), "timestamp", None));
        }
        text.push_str(&key(self.developer_key()?.as_str(), self.developer.as_str(), "delegation", None));
        Ok(text)
    }

    fn create_root(&self) -> String {
        let mut people: Vec<&Person> = self.root.iter().map(|(_, holder)| holder).collect();
        people.push(&self.targets);
        let mut text = self.head(
            "Root 1 and targets 1, agreed on and sealed together.",
            "create-root",
            "Root of trust",
            &people,
        );
        let keys: Vec<String> = self.root.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let (keys, threshold) = (keys.join(", "), self.threshold);
        let [snapshot, timestamp] = self.online_keys();
        let _ = write!(
            text,
            "\n[root]\nkeys = [{keys}]\nthreshold = {threshold}\nvalid-for = \"2 years\"\n\
             \n[targets]\nkeys = [\"{TARGETS_KEY}\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
             \n[snapshot]\nkeys = [\"{snapshot}\"]\nthreshold = 1\n\
             \n[timestamp]\nkeys = [\"{timestamp}\"]\nthreshold = 1\n"
        );
        text
    }

    fn grant(&self) -> Result<String> {
        let mut people = vec![&self.targets];
        // In `tuf` the developer signs the delegation's empty first document.
        if self.profile == Profile::Tuf {
            people.push(&self.developer);
        }
        let mut text = self.head(
            "The first application: its developer may release what its path covers.",
            "grant-delegation",
            &format!("Application {}", self.application),
            &people,
        );
        let (application, key, path) = (&self.application, self.developer_key()?, quoted(&self.path()));
        let _ = write!(
            text,
            "\n[delegation]\napplication = \"{application}\"\nkeys = [\"{key}\"]\nthreshold = 1\npaths = [{path}]\n\
             valid-for = \"1 year\"\n"
        );
        Ok(text)
    }

    /// The part that every runbook has.
    fn head(&self, comment: &str, ceremony: &str, title: &str, custodians: &[&Person]) -> String {
        let mut people: BTreeMap<&Person, &str> = BTreeMap::new();
        people.extend(self.witnesses.iter().map(|person| (person, "witness")));
        people.extend(custodians.iter().map(|person| (*person, "custodian")));
        people.insert(&self.administrator, "administrator");
        let mut text =
            format!("# {comment}\nceremony = \"{ceremony}\"\ntitle = {}\n\n[people]\n", quoted(title));
        for duty in ["administrator", "custodian", "witness"] {
            for (person, _) in people.iter().filter(|(_, d)| **d == duty) {
                let _ = writeln!(text, "{person} = \"{duty}\"");
            }
        }
        text
    }
}

fn key(name: &str, holder: &str, purpose: &str, algorithm: Option<KeySpec>) -> String {
    let mut text = format!("\n[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\n");
    if let Some(algorithm) = algorithm {
        let _ = writeln!(text, "algorithm = \"{algorithm}\"");
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
