//! The backend of a rehearsal, played: for profile `notary` by the model of the server's rules, for
//! profile `tuf` by a folder of files; and a fresh client that fetches from it.

use crate::ceremony::facts::Trust;
use crate::cli::rules;
use crate::cli::session::Session;
use crate::cli::sign_snapshot;
use crate::cli::table::Table;
use crate::tuf::backend_model::{BackendModel, ServerKey};
use crate::tuf::client::{Answer, Caps, Client, Settings, Signatures, State};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::time::Time;
use crate::tuf::wire;
use crate::ui::rehearser::Rehearser;
use std::collections::{BTreeMap, BTreeSet};

/// A played backend.
pub enum Backend {
    /// Profile `notary`: the model.
    Notary(Box<BackendModel>),
    /// Profile `tuf`: what the newest upload holds, by name.
    Files(BTreeMap<String, Vec<u8>>),
}

impl Backend {
    /// A backend without any metadata yet.
    pub fn new(trust: &Trust, session: &Session) -> Result<Self> {
        if trust.profile == Profile::Tuf {
            return Ok(Self::Files(BTreeMap::new()));
        }
        let key = || ServerKey::ed25519(&session.random::<32>()?);
        Ok(Self::Notary(Box::new(BackendModel::new(&trust.collection, key()?, key()?))))
    }

    /// The file by which a backend's own key is enrolled: what its `snapshot.key` answers.
    pub fn public_key_file(&self, purpose: &str) -> Option<Vec<u8>> {
        match (self, purpose) {
            (Self::Notary(model), "snapshot" | "timestamp") => {
                Some(model.key_file(&RoleName::from_name(purpose)))
            }
            _ => None,
        }
    }

    /// The same for one more key, which the backend holds from now on: what it answers when it is
    /// asked for new ones.
    pub fn another_key_file(&mut self, purpose: &str, session: &Session) -> Result<Option<Vec<u8>>> {
        let Self::Notary(model) = self else { return Ok(None) };
        if !matches!(purpose, "snapshot" | "timestamp") {
            return Ok(None);
        }
        let key = ServerKey::ed25519(&session.random::<32>()?)?;
        let entry = wire::key_entry(Profile::Notary, key.public(), None)?;
        model.hold([key]);
        Ok(Some(entry.entry.canonical()))
    }

    /// Hands over whatever is sealed and not there yet.
    pub fn take<W: std::io::Write>(
        &mut self,
        session: &Session,
        table: &mut Table,
        console: &mut Rehearser<W>,
    ) -> Result<()> {
        let contents = table.contents(session)?;
        if contents.facts.roots.is_empty() {
            return Ok(());
        }
        match self {
            Self::Files(files) => {
                if let Some(manifest) = sign_snapshot::make_both(session, table, console)? {
                    let folder = table.record.upload_path(&manifest);
                    for name in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                        let bytes = std::fs::read(name.path()).unwrap_or_default();
                        files.insert(name.file_name().to_string_lossy().into_owned(), bytes);
                    }
                    console.say("    the online keys make snapshot and timestamp; the files are served");
                }
            }
            Self::Notary(model) => {
                let newest = contents.facts.roots.last().into_iter().chain(contents.facts.documents.values());
                let parts: Vec<(String, Vec<u8>)> = newest
                    .filter(|d| {
                        !d.role().is_online() && model.current(d.role()).map(Vec::as_slice) != Some(d.bytes())
                    })
                    .map(|d| (d.role().as_str().to_owned(), d.bytes().to_vec()))
                    .collect();
                if parts.is_empty() {
                    return Ok(());
                }
                let names: Vec<_> = parts.iter().map(|(name, _)| name.clone()).collect();
                model.upload(&parts, session.now()?).map_err(|refused| {
                    Refusal::new(
                        &rules::REHEARSAL_STUCK,
                        refused.to_string(),
                        "an upload that the backend takes",
                    )
                })?;
                console.say(&format!(
                    "    the backend takes {} and makes snapshot and timestamp",
                    names.join(" and ")
                ));
            }
        }
        Ok(())
    }

    fn serve(&mut self, name: &str, now: Time) -> Option<Vec<u8>> {
        match self {
            Self::Files(files) => files.get(name).cloned(),
            Self::Notary(model) => model.get_at(name, now).map(<[u8]>::to_vec),
        }
    }

    /// What a fresh client makes of it, in words. `released` says whether documents of developers
    /// were brought into the shadow.
    pub fn client(&mut self, session: &Session, table: &mut Table, released: bool) -> Result<Vec<String>> {
        let contents = table.contents(session)?;
        let facts = &contents.facts;
        let Some(first) = facts.roots.first() else {
            return Ok(vec!["nothing: there is no root yet".to_owned()]);
        };
        let mut client =
            client(facts.trust.profile, session.now()?, &facts.trust.collection, first.bytes().to_vec())?;
        self.drive(&mut client, session.now()?)?;
        let mut lines = Vec::new();
        for (role, version) in &client.outcome().versions {
            lines.push(format!("it accepts {role} {version}"));
        }
        for (role, refusal) in &client.outcome().skipped {
            lines.push(format!("it leaves {role} out: {refusal}"));
        }
        if released {
            return Ok(lines);
        }
        client.look_up("camera-station/attack.msi")?;
        self.drive(&mut client, session.now()?)?;
        if let Some(Answer::Found { role, .. }) = client.answer() {
            let found = format!("camera-station/attack.msi, which {role} names");
            return Err(Refusal::new(&rules::REHEARSAL_STUCK, found, "nothing released yet"));
        }
        lines.push("it finds no release yet, since no developer has made one".to_owned());
        Ok(lines)
    }

    fn drive(&mut self, client: &mut Client<Signatures>, now: Time) -> Result<()> {
        while let Some(want) = client.want() {
            let name = want.name.clone();
            match self.serve(&name, now) {
                Some(bytes) => client.feed(&bytes)?,
                None => client.missing()?,
            }
        }
        Ok(())
    }
}

fn client(profile: Profile, now: Time, collection: &str, root: Vec<u8>) -> Result<Client<Signatures>> {
    let settings =
        Settings { now, caps: Caps::of(profile), collection: collection.to_owned(), pins: BTreeSet::new() };
    Client::new(profile, settings, State::first(root), Signatures)
}
