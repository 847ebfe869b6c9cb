//! The questions that `init` asks: about a dozen, each with a line on what it is for.
//!
//! An answer that can't be is told and asked again; in an unattended run it ends the run. Nothing
//! is written before the last question.

use super::devices::{DeviceKey, backend_url};
use super::first_day::{FirstDay, Online, TARGETS_KEY};
use super::guide::{named, no_word};
use super::rules;
use super::session::{Session, shown};
use super::tokens::{absolute, choose, limit, limit_of, on_token, on_yubihsm};
use crate::ceremony::facts::Stage;
use crate::ceremony::limits::PossessionLimit;
use crate::ceremony::people::{KeyName, Person};
use crate::record::trust_file::{REHEARSAL, TrustFile, TrustSpec};
use crate::record::upload::check_server;
use crate::signer::TokenIdentity;
use crate::signer::backends::{Listing, ModulePin};
use crate::signer::uri::KeyUri;
use crate::signer::yubihsm::{Connector, Way};
use crate::tuf::digest::Digest;
use crate::tuf::key::KeySpec;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use crate::ui::screen::Safe;
use crate::ui::{Console, Prompt, ask_until, tokens};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// PKCS#11 libraries where Debian and their makers put them.
const MODULES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/libykcs11.so",
    "/usr/lib/x86_64-linux-gnu/pkcs11/yubihsm_pkcs11.so",
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/libykcs11.so",
];

/// Where key files are made, under `private/`, which no export ever copies.
pub const KEY_FILES: &str = "private/keys";

/// Everything that was answered.
#[derive(Debug)]
pub struct Interview {
    /// The collection; a rehearsal's starts as one.
    pub collection: String,
    /// Practice or the real thing.
    pub stage: Stage,
    /// The runbooks' part.
    pub day: FirstDay,
    /// One's own keys, with the module each is behind.
    pub keys: Vec<(KeyName, DeviceKey, Option<ModulePin>)>,
    /// Files of keys to be enrolled.
    pub enrolments: Vec<(KeyName, PathBuf)>,
    /// The backend's address.
    pub backend: Option<String>,
}

/// Asks everything.
///
/// # Errors
///
/// What asking refuses; unattended, what the answers are refused for.
pub fn hold(session: &Session, console: &mut dyn Console) -> Result<Interview> {
    let mut asking = Asking { session, console, used: BTreeSet::new(), module: None };
    let profile = asking.profile()?;
    let stage = asking.stage()?;
    let collection = asking.collection(profile, stage)?;
    let administrator = asking.person(
        "administrator",
        "Who leads the ceremonies?",
        "Their short name in the record: lower-case letters, digits and \"-\". Usually you.",
    )?;
    let root = asking.root_holders()?;
    let threshold = asking.threshold(root.len())?;
    let algorithm = asking.algorithm(profile)?;
    let mut keys = Vec::new();
    for (name, holder) in &root {
        keys.extend(asking.place(name, holder, stage == Stage::Rehearsal)?);
    }
    let targets = asking.person(
        "targets-holder",
        "Who is the update-service administrator?",
        "They hold the targets key, which grants and revokes developers in daily work.",
    )?;
    let place = asking.place(&TARGETS_KEY.parse()?, &targets, true)?;
    let targets_software = place.as_ref().is_some_and(|(_, key, _)| key.uri.is_software());
    keys.extend(place);
    let online = asking.online(profile)?;
    let backend = if online == Online::Backend { asking.backend(&collection, stage)? } else { None };
    let application = asking.application(profile)?;
    let developer = asking.person(
        "developer",
        "Who is its first developer?",
        "They make their own key; you take in its public half.",
    )?;
    let possession = asking.possession(profile, &developer)?;
    let busy: BTreeSet<&Person> =
        root.iter().map(|(_, holder)| holder).chain([&administrator, &targets, &developer]).collect();
    let witnesses = asking.witnesses(stage, &busy)?;
    let day = FirstDay {
        profile,
        administrator,
        root,
        threshold,
        algorithm,
        targets,
        targets_software,
        online,
        application,
        developer,
        possession,
        witnesses,
    };
    let enrolments = enrolments(&day)?;
    if online == Online::Here {
        for name in day.online_keys() {
            keys.push((name.parse()?, file_key(name), None));
        }
    }
    Ok(Interview { collection, stage, day, keys, enrolments, backend })
}

/// The first questions of a trust that adopts what others made.
///
/// # Errors
///
/// As [`hold`].
pub fn stage_and_collection(
    session: &Session,
    console: &mut dyn Console,
    profile: Profile,
) -> Result<(Stage, String)> {
    let mut asking = Asking { session, console, used: BTreeSet::new(), module: None };
    let stage = asking.stage()?;
    let collection = asking.collection(profile, stage)?;
    Ok((stage, collection))
}

fn file_key(name: &str) -> DeviceKey {
    DeviceKey::new(KeyUri::File(Path::new(KEY_FILES).join(format!("{name}.pem"))))
}

struct Asking<'a> {
    session: &'a Session,
    console: &'a mut dyn Console,
    /// Tokens that hold a key already, by serial.
    used: BTreeSet<String>,
    module: Option<PathBuf>,
}

impl Asking<'_> {
    fn profile(&mut self) -> Result<Profile> {
        let prompt = Prompt::new("profile", "Who reads the signed metadata?")
            .help("It decides how every document looks, and can't be changed later.")
            .offer("notary", "notary   a Notary v1 server and its clients")
            .offer("tuf", "tuf      any TUF 1.0 client: python-tuf, tough, go-tuf");
        Ok(if self.console.ask_choice(&prompt)? == 0 { Profile::Notary } else { Profile::Tuf })
    }

    fn stage(&mut self) -> Result<Stage> {
        let prompt = Prompt::new("stage", "Is this the real thing?")
            .help("A rehearsal is stamped as one everywhere, and no real backend takes it.")
            .offer("production", "production   keys that protect customers")
            .offer("rehearsal", "rehearsal    throw-away keys, to practise");
        Ok(if self.console.ask_choice(&prompt)? == 0 { Stage::Production } else { Stage::Rehearsal })
    }

    fn collection(&mut self, profile: Profile, stage: Stage) -> Result<String> {
        let prompt = match profile {
            Profile::Notary => Prompt::new("collection", "What is the collection called?")
                .help("Notary's GUN, exactly as clients name it: updates.example.com/apps"),
            Profile::Tuf => Prompt::new("collection", "What is the repository called?")
                .help("A name for people and certificates: updates.example.com/apps"),
        };
        ask_until(self.console, &prompt, |typed| {
            let whole = match stage {
                Stage::Rehearsal if !typed.starts_with(REHEARSAL) => format!("{REHEARSAL}{typed}"),
                _ => typed.to_owned(),
            };
            // Made only to be judged; the trust itself is made when all is agreed to.
            TrustFile::new(&TrustSpec {
                profile,
                collection: whole.clone(),
                stage,
                limits: Digest::of(b""),
                shadows: None,
                start: None,
                nonce: [0; 32],
            })?;
            Ok(whole)
        })
    }

    fn person(&mut self, id: &str, text: &str, help: &str) -> Result<Person> {
        let prompt = Prompt::new(id, text).help(help);
        ask_until(self.console, &prompt, named)
    }

    fn root_holders(&mut self) -> Result<Vec<(KeyName, Person)>> {
        let prompt = Prompt::new("root-holders", "Who holds a root key?")
            .help("Their short names with commas between, at least two: ada, bruno, carla")
            .help("Each makes one key on a token of their own: root-a, root-b, root-c and so on.");
        ask_until(self.console, &prompt, |typed| {
            let people = names(typed)?;
            if !(2..=26).contains(&people.len()) {
                let found = format!("{} people", people.len());
                return Err(Refusal::new(
                    &rules::INIT,
                    found,
                    "2 to 26 people, since no one may hold a threshold",
                ));
            }
            let letters = 'a'..='z';
            letters.zip(people).map(|(l, person)| Ok((format!("root-{l}").parse()?, person))).collect()
        })
    }

    fn threshold(&mut self, holders: usize) -> Result<u32> {
        let default = if holders > 3 { holders.div_ceil(2) } else { 2 };
        let prompt = Prompt::new("root-threshold", format!("How many of the {holders} must sign a root?"))
            .help("At least 2. With fewer than all, one lost token is no disaster.")
            .default(default.to_string());
        let most = u32::try_from(holders).unwrap_or(u32::MAX);
        ask_until(self.console, &prompt, |typed| {
            typed.parse().ok().filter(|n| (2..=most).contains(n)).ok_or_else(|| {
                Refusal::new(
                    &rules::INIT,
                    format!("\"{}\"", visible(typed)),
                    if most == 2 { "2".to_owned() } else { format!("a number from 2 to {most}") },
                )
            })
        })
    }

    fn algorithm(&mut self, profile: Profile) -> Result<KeySpec> {
        let mut prompt = Prompt::new("algorithm", "What kind of keys?")
            .help("p256 is what every token and every client knows.")
            .default("p256");
        // Notary's clients read no Ed25519 root (notary-v1 5).
        let known = |spec: &KeySpec| profile == Profile::Tuf || *spec != KeySpec::Ed25519;
        let specs: Vec<KeySpec> = KeySpec::ALL.into_iter().filter(known).collect();
        for spec in &specs {
            prompt = prompt.allow(spec.name());
        }
        let place = self.console.ask_choice(&prompt)?;
        Ok(specs.get(place).copied().unwrap_or(KeySpec::EcdsaP256))
    }

    /// Where someone's key is or will be made; none if not on this machine. `software`: whether it
    /// may be one that no token holds, in a file or in a vault.
    fn place(
        &mut self,
        key: &KeyName,
        holder: &Person,
        software: bool,
    ) -> Result<Option<(KeyName, DeviceKey, Option<ModulePin>)>> {
        let mut prompt = Prompt::new(format!("token.{key}"), format!("Where will {holder}'s key {key} be?"))
            .help("Nothing is made yet. On the day the key is made there, and nowhere else.")
            .offer("token", "token       on a PKCS#11 token at this machine");
        if cfg!(feature = "piv") {
            prompt =
                prompt.offer("yubikey", "yubikey     on a YubiKey at this machine, made without a module");
        }
        if cfg!(feature = "yubihsm") {
            prompt =
                prompt.offer("yubihsm", "yubihsm     on a YubiHSM 2 at this machine, made without a module");
        }
        prompt = prompt.offer("elsewhere", "elsewhere   at their own machine, with their own token");
        if software {
            prompt = prompt
                .offer("external", "external    in a vault that keyrite can't reach")
                .offer("file", "file        in an encrypted file at this machine");
        }
        let place = self.console.ask_choice(&prompt)?;
        match prompt.allowed.get(place).map(Safe::as_str) {
            Some("token") => self.on_token(key, holder).map(Some),
            Some("yubikey") => self.on_yubikey(key, holder).map(Some),
            Some("yubihsm") => self.on_yubihsm(key, holder).map(Some),
            Some("external") => {
                let uri = KeyUri::External(key.to_string());
                Ok(Some((key.clone(), DeviceKey::new(uri), None)))
            }
            Some("file") => Ok(Some((key.clone(), file_key(key.as_str()), None))),
            _ => Ok(None),
        }
    }

    fn on_token(
        &mut self,
        key: &KeyName,
        holder: &Person,
    ) -> Result<(KeyName, DeviceKey, Option<ModulePin>)> {
        // The library that was named last, or else the first behind which a token answers.
        let known = self.module.clone().or_else(|| {
            let mut there = MODULES.iter().map(PathBuf::from).filter(|m| m.exists()).peekable();
            let first = there.peek().cloned();
            there.find(|m| tokens_behind(self.session, m).is_ok()).or(first)
        });
        let mut prompt = Prompt::new(format!("module.{key}"), "Which PKCS#11 library speaks to it?")
            .help("The path of the library that came with the token.");
        if let Some(path) = known {
            prompt = prompt.default(path.to_string_lossy());
        }
        let session = self.session;
        let (module, ready) =
            ask_until(self.console, &prompt, |typed| tokens_behind(session, Path::new(typed)))?;
        self.module = Some(module.path.clone());
        // A token that holds someone else's key is offered only if no other is left.
        let mut free: Vec<TokenIdentity> =
            ready.iter().filter(|t| !self.used.contains(&t.serial)).cloned().collect();
        if free.is_empty() {
            free = ready;
        }
        let prompt = Prompt::new(format!("serial.{key}"), format!("Which token is {holder}'s?"))
            .help("By its serial number, which is printed on most tokens.");
        let prompt = match free.iter().find(|token| token.label == key.as_str()) {
            Some(token) => prompt.default(visible(&token.serial)),
            None => prompt,
        };
        let token = choose(self.console, prompt, &free)?;
        self.used.insert(token.serial.clone());
        self.console
            .progress(&Safe::from(format!("{key}: {}", tokens::named(&token, Some(holder.as_str())))));
        let max_payload = limit_of(session, &module, &token);
        Ok((key.clone(), DeviceKey { max_payload, ..on_token(&token, key, "")? }, Some(module)))
    }

    fn on_yubikey(
        &mut self,
        key: &KeyName,
        holder: &Person,
    ) -> Result<(KeyName, DeviceKey, Option<ModulePin>)> {
        let listing = self.session.modules.yubikeys()?;
        let all = listing.tokens.iter().map(|token| token.identity());
        let free: Vec<TokenIdentity> = all.filter(|t| !self.used.contains(&t.serial)).cloned().collect();
        if free.is_empty() {
            let missing = || {
                let found = format!("{} YubiKeys, all taken by other keys", listing.tokens.len());
                Refusal::new(&crate::signer::rules::TOKEN_MISSING, found, "a YubiKey of the holder's own")
            };
            return Err(listing.problems.into_iter().next().unwrap_or_else(missing));
        }
        let prompt = Prompt::new(format!("serial.{key}"), format!("Which YubiKey is {holder}'s?"))
            .help("By its serial number, which is printed on it.");
        let token = choose(self.console, prompt, &free)?;
        self.used.insert(token.serial.clone());
        self.console
            .progress(&Safe::from(format!("{key}: {}", tokens::named(&token, Some(holder.as_str())))));
        let chosen = listing.tokens.iter().find(|found| *found.identity() == token);
        let max_payload = chosen.and_then(|found| limit(found.as_ref()));
        Ok((key.clone(), DeviceKey { max_payload, ..on_token(&token, key, "")? }, None))
    }

    fn on_yubihsm(
        &mut self,
        key: &KeyName,
        holder: &Person,
    ) -> Result<(KeyName, DeviceKey, Option<ModulePin>)> {
        let session = self.session;
        let behind = |way: Way| -> Result<Listing> {
            let mut listing = Listing { tokens: Vec::new(), problems: Vec::new() };
            for (_, found) in session.modules.yubihsms(&[way].into()) {
                listing.tokens.extend(found.tokens);
                listing.problems.extend(found.problems);
            }
            match listing.problems.pop() {
                None if listing.tokens.is_empty() => Err(Refusal::new(
                    &crate::signer::rules::TOKEN_MISSING,
                    format!("no YubiHSM by {way}"),
                    "a YubiHSM that is plugged in, on USB or with its connector running",
                )),
                None => Ok(listing),
                Some(problem) => Err(problem),
            }
        };
        let usual = if behind(Way::Usb).is_ok() { Way::Usb } else { Way::Connector(Connector::default()) };
        let prompt = Prompt::new(format!("connector.{key}"), "Which connector reaches it?")
            .help("The address of Yubico's yubihsm-connector on this machine; or usb, without one.")
            .default(usual.to_string());
        let (way, listing) = ask_until(self.console, &prompt, |typed| {
            let way: Way = typed.parse()?;
            behind(way).map(|listing| (way, listing))
        })?;
        let all: Vec<TokenIdentity> = listing.tokens.iter().map(|token| token.identity().clone()).collect();
        let prompt = Prompt::new(format!("serial.{key}"), format!("Which YubiHSM is {holder}'s?"))
            .help("By its serial number, which is printed on it.");
        let token = choose(self.console, prompt, &all)?;
        self.used.insert(token.serial.clone());
        self.console
            .progress(&Safe::from(format!("{key}: {}", tokens::named(&token, Some(holder.as_str())))));
        let chosen = listing.tokens.iter().find(|found| *found.identity() == token);
        let max_payload = chosen.and_then(|found| limit(found.as_ref()));
        Ok((key.clone(), DeviceKey { max_payload, ..on_yubihsm(&token, way)? }, None))
    }

    fn online(&mut self, profile: Profile) -> Result<Online> {
        if profile == Profile::Notary {
            return Ok(Online::Backend);
        }
        let prompt = Prompt::new("online-keys", "Where are the keys of snapshot and timestamp made?")
            .help("They sign without people; losing them lets no one ship a release.")
            .offer("here", "here        on the first day, as encrypted files")
            .offer("elsewhere", "elsewhere   their public keys come in as PEM files");
        Ok(if self.console.ask_choice(&prompt)? == 0 { Online::Here } else { Online::Elsewhere })
    }

    fn backend(&mut self, collection: &str, stage: Stage) -> Result<Option<String>> {
        let prompt = Prompt::new("backend", "What is the Notary server's address?")
            .help(match stage {
                Stage::Production => {
                    "For the lines that upload and fetch its keys: https://notary.example.com"
                }
                Stage::Rehearsal => "A rehearsal goes to this machine only: http://127.0.0.1:4443",
            })
            .help(format!("The collection there is {}.", visible(collection)))
            .help("Answer none to fill it in later.")
            .default("none");
        ask_until(self.console, &prompt, |typed| match typed {
            "none" => Ok(None),
            url => {
                let url = backend_url(url)?;
                check_server(stage, Some(&url))?;
                Ok(Some(url))
            }
        })
    }

    fn application(&mut self, profile: Profile) -> Result<String> {
        let prompt = Prompt::new("application", "What is the first application called?")
            .help("Its developers get a delegation of their own: camera-station");
        ask_until(self.console, &prompt, |typed| {
            no_word(typed)?;
            RoleName::application(profile, typed, None).map(|_| typed.to_owned())
        })
    }

    fn possession(&mut self, profile: Profile, developer: &Person) -> Result<PossessionLimit> {
        if profile == Profile::Tuf {
            return Ok(PossessionLimit::Proved);
        }
        let prompt = Prompt::new("developer-proof", format!("How does {developer} show to have the key?"))
            .help("It becomes a limit of the trust, for every developer.")
            .offer("proved", "proved               by the file that keyrite developer new makes")
            .offer(
                "first-publication",
                "first-publication    by the first release, with a key of the stock client",
            );
        Ok(match self.console.ask_choice(&prompt)? {
            0 => PossessionLimit::Proved,
            _ => PossessionLimit::FirstPublication,
        })
    }

    fn witnesses(&mut self, stage: Stage, busy: &BTreeSet<&Person>) -> Result<Vec<Person>> {
        let prompt = Prompt::new("witnesses", "Who watches and records?")
            .help("Names with commas between. A witness signs nothing and leads nothing.");
        let prompt = match stage {
            Stage::Production => prompt.help("A production root needs at least one."),
            Stage::Rehearsal => prompt.help("Or none.").default("none"),
        };
        ask_until(self.console, &prompt, |typed| {
            if typed == "none" && stage == Stage::Rehearsal {
                return Ok(Vec::new());
            }
            let people = names(typed)?;
            match people.iter().find(|person| busy.contains(person)) {
                Some(person) => Err(Refusal::new(
                    &crate::ceremony::rules::WITNESS_SIGNS,
                    format!("{person}, who leads or holds a key"),
                    "someone who only watches",
                )),
                None => Ok(people),
            }
        })
    }
}

/// Where the files of keys to be enrolled are looked for: beside the device map, under the names
/// that the next steps give them.
fn enrolments(day: &FirstDay) -> Result<Vec<(KeyName, PathBuf)>> {
    let mut all = Vec::new();
    let [snapshot, timestamp] = day.online_keys();
    for (key, role) in [(snapshot, "snapshot"), (timestamp, "timestamp")] {
        match day.online {
            Online::Backend => all.push((key.parse()?, format!("{role}.key").into())),
            Online::Elsewhere => all.push((key.parse()?, format!("{role}.pem").into())),
            Online::Here => {}
        }
    }
    let ending = match day.possession {
        PossessionLimit::Proved => "enrol.json",
        PossessionLimit::FirstPublication => "crt",
    };
    all.push((day.developer_key()?, format!("{}.{ending}", day.developer).into()));
    Ok(all)
}

/// A module, pinned as it is now, and the prepared tokens behind it.
fn tokens_behind(session: &Session, path: &Path) -> Result<(ModulePin, Vec<TokenIdentity>)> {
    let pin = ModulePin { path: absolute(path), sha256: None };
    let module = ModulePin { sha256: Some(session.modules.load(&pin)?), ..pin };
    let mut listing = session.modules.list(std::slice::from_ref(&module));
    listing.tokens.retain(|token| !token.is_blank());
    if listing.tokens.is_empty() {
        let found = match listing.problems.first() {
            Some(problem) => problem.to_string(),
            None => format!("no prepared token behind {}", shown(path)),
        };
        return Err(Refusal::new(
            &crate::signer::rules::TOKEN_MISSING,
            found,
            "a token with a label and a PIN",
        ));
    }
    let mut ready: Vec<TokenIdentity> = listing.tokens.iter().map(|t| t.identity().clone()).collect();
    ready.sort();
    Ok((module, ready))
}

/// Names with commas between, each once.
fn names(text: &str) -> Result<Vec<Person>> {
    let mut people: Vec<Person> = Vec::new();
    for name in text.split(',') {
        let person: Person = named(name.trim())?;
        if people.contains(&person) {
            return Err(Refusal::new(&rules::INIT, format!("{person} twice"), "each person once"));
        }
        people.push(person);
    }
    Ok(people)
}
