//! `keyrite developer new`: a developer's key, and the file that enrols it.
//!
//! Runs on the developer's own machine, without a record: all that it knows of the trust is
//! `trust.json`. What leaves the machine is one signed statement, which is no secret. If the key
//! file is there already it is opened and used, so a command that was cut off can be given again.
//! For a key in a vault, see `developer_vault`.
//!
//! Never: an unencrypted key, or a pass-phrase from anywhere but a person.

use super::arguments::{Answers, Developer, DeveloperAct};
use super::developer_vault::{self, Brings};
use super::pins::Pins;
use super::session::{Ended, Session, TEXT_CAP, drawn, shown, typed};
use super::{files, rules};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::{Stage, Trust};
use crate::ceremony::people::{KeyName, Person};
use crate::record::{SignedStatement, TrustFile, media};
use crate::signer::backends::file::FileToken;
use crate::signer::keyfile::{KeyFile, PASSPHRASE_MIN, PrivateKey, notary, pkcs8};
use crate::signer::randomness::Randomness;
use crate::signer::{PinAsk, PinKind, PinSource, Token, Tries};
use crate::tuf::digest::Digest;
use crate::tuf::json::object;
use crate::tuf::key::{KeySpec, PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::{Sentence, Statement};
use crate::tuf::verify::Signature;
use crate::tuf::wire;
use crate::ui::screen::{Screen, Tone};
use std::fs;
use std::path::{Path, PathBuf};

/// What the Notary client is told that the key is for. It knows four roles by name and takes any
/// other word for a delegation's, for every collection (notary-v1 7).
const NOTARY_ROLE: &str = "delegation";

/// The form of a developer's key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// keyrite's own, which OpenSSL reads too.
    Keyrite,
    /// The stock Notary client's.
    Notary,
}

impl Form {
    /// The form for what developers of a profile publish with.
    pub const fn of(profile: Profile) -> Self {
        match profile {
            Profile::Tuf => Self::Keyrite,
            Profile::Notary => Self::Notary,
        }
    }
}

/// What was made for a developer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The encrypted private key.
    pub key_file: PathBuf,
    /// Whether the key was there before.
    pub found: bool,
    /// The public key in PEM.
    pub public_file: PathBuf,
    /// The enrolment: a possession statement, to be sent to the administrator.
    pub enrolment: PathBuf,
    /// SHA-256 of the enrolment.
    pub digest: Digest,
    /// The key.
    pub public: PublicKey,
}

/// Runs the command.
///
/// # Errors
///
/// As [`make`]; what reading `trust.json` refuses; `NO-TERMINAL`.
pub fn run(session: &Session, args: &Developer) -> Result<Ended> {
    let DeveloperAct::New { name, trust: file, out, key, notary, public, take_back } = &args.act;
    let name: Person = name.parse()?;
    let key: KeyName = key.clone().unwrap_or_else(|| format!("dev-{name}")).parse()?;
    let bytes = media::read_file(file, TEXT_CAP)?;
    let trust = TrustFile::from_json(&bytes).map_err(|e| e.at(shown(file)))?.trust().clone();
    if let Some(public) = public {
        let of = if stem(&name, &key) == name.as_str() { String::new() } else { format!(" --key {key}") };
        let line = format!("keyrite developer new {name}{of} --trust {} --out {}", typed(file), typed(out));
        let back = take_back.as_deref();
        let brings = Brings { trust: &trust, name: &name, key: &key, out, public, back, line: &line };
        return developer_vault::run(session, &brings);
    }
    let form = if *notary { Form::Notary } else { Form::of(trust.profile) };
    let mut console = session.console(&Answers::default())?;
    console.show(&opening(&trust, &name))?;
    let made = {
        let mut pins = Pins::new(&mut *console, None).held([(&key, &name)]);
        make(&trust, &name, &key, out, form, &mut pins, &session.randomness())?
    };
    let json = object([
        ("enrolment", shown(&made.enrolment).into()),
        ("enrolment-digest", made.digest.hex().into()),
        ("holder", name.as_str().into()),
        ("identity", made.public.identity().to_string().into()),
        ("key-file", shown(&made.key_file).into()),
        ("key-found", made.found.into()),
        ("name", key.as_str().into()),
        ("public-file", shown(&made.public_file).into()),
        ("trust", trust.id.to_string().into()),
    ]);
    session.report(&closing(&trust, &name, &key, form, &made), json)?;
    Ok(Ended::Done)
}

/// Makes a developer's key in `folder`, encrypted, and enrols it for `trust` under the name `key`.
/// The key, its salt and the nonce are drawn from `randomness`.
///
/// # Errors
///
/// `FILE-EXISTS` if there is an enrolment already, `FILE-WRITE`; `PASSPHRASE-SHORT`, and what the
/// source of the pass-phrase refuses; `PIN-WRONG`, `KEY-FILE-FORM` and `KEY-FILE-PLAIN` for a key
/// file that was there before.
pub fn make(
    trust: &Trust,
    name: &Person,
    key: &KeyName,
    folder: &Path,
    form: Form,
    pins: &mut dyn PinSource,
    randomness: &Randomness,
) -> Result<Made> {
    let place = |end: &str| folder.join(format!("{}.{end}", stem(name, key)));
    let (key_file, public_file, enrolment) = (place("key"), place("pub.pem"), place("enrol.json"));
    if fs::symlink_metadata(&enrolment).is_ok() {
        let found = format!("{} is there already", shown(&enrolment));
        return Err(Refusal::new(&rules::FILE_EXISTS, found, "a name that is free, or another folder"));
    }
    let found = fs::symlink_metadata(&key_file).is_ok();
    let private =
        if found { open(key, &key_file, pins)? } else { new(trust, key, &key_file, form, pins, randomness)? };
    let public = private.public().clone();
    let statement = Statement::new(
        trust.id,
        Sentence::Possession {
            key: public.identity(),
            name: key.to_string(),
            holder: name.to_string(),
            purpose: Purpose::Delegation.name().to_owned(),
            nonce: Digest::from_bytes(drawn(randomness)?),
        },
    )?;
    let bytes = signed(&statement, &private)?;
    files::create(&public_file, public.spki_pem().as_bytes())?;
    files::create(&enrolment, &bytes)?;
    Ok(Made { key_file, found, public_file, enrolment, digest: Digest::of(&bytes), public })
}

/// What a developer's files are called: by their own name, a second key's by the key's. So the file of a
/// key that was given up is never opened again for the next one.
pub(super) fn stem<'a>(name: &'a Person, key: &'a KeyName) -> &'a str {
    if key.as_str().strip_prefix("dev-") == Some(name.as_str()) { name.as_str() } else { key.as_str() }
}

/// Makes a key and its file. The file is opened again before anything rests on it.
fn new(
    trust: &Trust,
    key: &KeyName,
    file: &Path,
    form: Form,
    pins: &mut dyn PinSource,
    randomness: &Randomness,
) -> Result<PrivateKey> {
    let passphrase = pins.pin(&ask(key, file, PinKind::NewUser))?;
    let private = PrivateKey::generate(KeySpec::EcdsaP256, randomness)?;
    let public = private.public();
    let text = match form {
        Form::Keyrite => {
            let mut id = [0; 16];
            for (to, from) in id.iter_mut().zip(public.identity().digest().as_bytes()) {
                *to = *from;
            }
            pkcs8::seal(&private, &passphrase, key.as_str(), &id, randomness)?
        }
        Form::Notary => {
            let id = wire::key_entry(Profile::Notary, public, None)?.id;
            let role = RoleName::from_name(NOTARY_ROLE);
            notary::seal(&private, &passphrase, &role, &trust.collection, &id, randomness)?
        }
    };
    files::create_private(file, text.as_bytes())?;
    let again = read(file)?.open(&passphrase).map_err(|e| e.at(shown(file)))?;
    crate::signer::keyfile::expect_public(&again, public).map_err(|e| e.at(shown(file)))?;
    Ok(again)
}

/// Opens a key that was there before.
fn open(key: &KeyName, file: &Path, pins: &mut dyn PinSource) -> Result<PrivateKey> {
    let sealed = read(file)?;
    let passphrase = pins.pin(&ask(key, file, PinKind::User))?;
    sealed.open(&passphrase).map_err(|e| e.at(shown(file)))
}

fn read(file: &Path) -> Result<KeyFile> {
    KeyFile::parse(&media::read_file(file, TEXT_CAP)?).map_err(|e| e.at(shown(file)))
}

fn ask(key: &KeyName, file: &Path, secret: PinKind) -> PinAsk {
    let token = FileToken::new(file.to_owned()).identity().clone();
    PinAsk { token, key: Some(key.to_string()), secret, tries: Tries::Unknown }
}

/// The enrolment file's bytes.
fn signed(statement: &Statement, private: &PrivateKey) -> Result<Vec<u8>> {
    let public = private.public().clone();
    let scheme = Scheme::of(public.algorithm());
    let payload = Payload::Statement(statement.clone());
    let raw = private.sign(scheme, payload.bytes()).unwrap_or_default();
    let signature = Signature::check(&public, scheme, &payload, &raw)?;
    SignedStatement::new(statement.clone(), public, &signature)?.to_json()
}

fn opening(trust: &Trust, name: &Person) -> Screen {
    Screen::new(format!("A key for {name}"))
        .rehearsal(trust.stage == Stage::Rehearsal)
        .fact("collection", &trust.collection)
        .fact("trust", trust.id.to_string())
        .fact("profile", trust.profile.name())
        .text(format!(
            "keyrite makes a key that stays on this machine, in a file encrypted with a pass-phrase of \
             {PASSPHRASE_MIN} characters or more, and a file that proves that you have it."
        ))
        .callout(
            Tone::Careful,
            "Compare the trust's number with the administrator by telephone: the file trust.json could be \
             anyone's.",
        )
}

fn closing(trust: &Trust, name: &Person, key: &KeyName, form: Form, made: &Made) -> Screen {
    let done = if made.found {
        "The key was there before; its enrolment is written."
    } else {
        "Your key and its enrolment are written."
    };
    let mut screen = Screen::new(format!("The key {key} of {name}"))
        .rehearsal(trust.stage == Stage::Rehearsal)
        .callout(Tone::Done, done)
        .fact("your key", format!("{}: keep it to yourself, and a copy of it", shown(&made.key_file)))
        .fact("to be sent", format!("{}: no secret", shown(&made.enrolment)))
        .fact("public key", shown(&made.public_file))
        .fact("kind", made.public.describe())
        .digest(format!("the public key {key} of {name}"), made.public.identity().digest())
        .next(format!(
            "Send {} to the update-service administrator of {}.",
            shown(&made.enrolment),
            trust.collection
        ))
        .next("Read the words above to them by telephone: the ceremony shows the same words of the key that it takes \
             in, so that nobody can put another one in its place.")
        .next(format!(
            "They name the file under [enrol.{key}] in their device map and take the key in with an \
             enroll-key runbook."
        ));
    if form == Form::Notary {
        screen = screen
            .text("Once your key is granted a role, the Notary client takes it with this line:")
            .exact([format!("notary key import {}", typed(&made.key_file))]);
    }
    screen
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
    use crate::record::{TrustSpec, enrolment};
    use crate::signer::TokenIdentity;
    use crate::signer::secret::Pin;
    use std::os::unix::fs::PermissionsExt;

    /// Types the same each time, and counts what it was asked for.
    struct Types(&'static str, Vec<PinKind>);

    impl PinSource for Types {
        fn pin(&mut self, ask: &PinAsk) -> Result<Pin> {
            assert_eq!(ask.key.as_deref(), Some("dev-dana"));
            self.1.push(ask.secret);
            Ok(Pin::new(self.0.to_owned()))
        }

        fn pin_pad(&mut self, _ask: &PinAsk) -> Result<()> {
            panic!("a file has no PIN pad")
        }

        fn touch(&mut self, _token: &TokenIdentity) {}
    }

    const PHRASE: &str = "correct horse battery staple";

    fn trust(profile: Profile, nonce: u8) -> Trust {
        let spec = TrustSpec {
            profile,
            collection: "updates.example.com/apps".to_owned(),
            stage: Stage::Production,
            limits: Digest::of(b"limits"),
            shadows: None,
            start: None,
            nonce: [nonce; 32],
        };
        TrustFile::new(&spec).unwrap().trust().clone()
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("keyrite-developer-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn make_in(folder: &Path, trust: &Trust, form: Form, types: &mut Types) -> Result<Made> {
        let (name, key) = ("dana".parse().unwrap(), "dev-dana".parse().unwrap());
        let sevens = Randomness::given(|bytes| {
            bytes.fill(7);
            Ok(())
        });
        make(trust, &name, &key, folder, form, types, &sevens)
    }

    #[test]
    fn both_forms_enrol_a_key_that_opens() {
        for (profile, form) in [(Profile::Tuf, Form::Keyrite), (Profile::Notary, Form::Notary)] {
            let folder = folder(profile.name());
            let trust = trust(profile, 1);
            let mut types = Types(PHRASE, Vec::new());
            let made = make_in(&folder, &trust, form, &mut types).unwrap();
            assert_eq!(types.1, [PinKind::NewUser], "asked once, which asks twice");
            let text = fs::read_to_string(&made.key_file).unwrap();
            assert_eq!(text.contains("role: delegation\n"), form == Form::Notary, "{text}");
            assert!(!text.contains("gun:"), "{text}");
            assert_eq!(fs::metadata(&made.key_file).unwrap().permissions().mode() & 0o777, 0o600);
            let bytes = fs::read(&made.enrolment).unwrap();
            assert_eq!(Digest::of(&bytes), made.digest);
            let (enrolled, statement) = enrolment::read(&trust, &bytes).unwrap();
            assert_eq!(enrolled.public, made.public);
            assert_eq!(enrolled.holder.unwrap().as_str(), "dana");
            let says = statement.unwrap().statement().sentence().clone();
            let expected = Sentence::Possession {
                key: made.public.identity(),
                name: "dev-dana".to_owned(),
                holder: "dana".to_owned(),
                purpose: "delegation".to_owned(),
                nonce: Digest::from_bytes([7; 32]),
            };
            assert_eq!(says, expected);
            let pem = fs::read_to_string(&made.public_file).unwrap();
            assert_eq!(PublicKey::from_pem(&pem).unwrap(), made.public);
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn a_cut_off_command_goes_on_with_the_same_key() {
        let folder = folder("again");
        let first =
            make_in(&folder, &trust(Profile::Tuf, 1), Form::Keyrite, &mut Types(PHRASE, vec![])).unwrap();
        let refusal =
            make_in(&folder, &trust(Profile::Tuf, 1), Form::Keyrite, &mut Types(PHRASE, vec![])).unwrap_err();
        assert_eq!(refusal.rule().name, "FILE-EXISTS");
        fs::remove_file(&first.enrolment).unwrap();
        let wrong = &mut Types("another horse entirely", vec![]);
        let refusal = make_in(&folder, &trust(Profile::Tuf, 1), Form::Keyrite, wrong).unwrap_err();
        assert_eq!(refusal.rule().name, "PIN-WRONG");
        let mut types = Types(PHRASE, Vec::new());
        let second = make_in(&folder, &trust(Profile::Tuf, 1), Form::Notary, &mut types).unwrap();
        assert_eq!(types.1, [PinKind::User]);
        assert!(second.found && !first.found);
        assert_eq!(second.public, first.public);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_written_under_a_short_pass_phrase() {
        for form in [Form::Keyrite, Form::Notary] {
            let folder = folder("short");
            let mut types = Types("elevenchars", Vec::new());
            let refusal = make_in(&folder, &trust(Profile::Notary, 1), form, &mut types).unwrap_err();
            assert_eq!(refusal.rule().name, "PASSPHRASE-SHORT");
            assert!(!folder.exists());
        }
    }

    #[test]
    fn an_enrolment_serves_one_trust() {
        let folder = folder("other");
        let made =
            make_in(&folder, &trust(Profile::Tuf, 1), Form::Keyrite, &mut Types(PHRASE, vec![])).unwrap();
        let bytes = fs::read(&made.enrolment).unwrap();
        let refusal = enrolment::read(&trust(Profile::Tuf, 2), &bytes).unwrap_err();
        assert_eq!(refusal.rule().name, "RECORD-OTHER");
        fs::remove_dir_all(folder).unwrap();
    }
}
