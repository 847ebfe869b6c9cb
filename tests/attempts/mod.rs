//! What someone tries with keys that were taken out of a trust, or with too few of them: the next
//! version of a document, signed as well as they can. The keys are the real ones: on their SoftHSM
//! tokens, or in their developers' files.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking; not every test tries everything"
)]

use crate::stage::{Done, PHRASE, SOFTHSM, Stage, utf8};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use keyrite::signer::keyfile::KeyFile;
use keyrite::signer::secret::Pin;
use keyrite::tuf::document::{Document, Keys};
use keyrite::tuf::json::{Json, object};
use keyrite::tuf::key::{KeyId, PublicKey};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::wire::{self, Envelope};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The child's folder: `label`, `message`, and then `signature`.
const PLACE: &str = "KEYRITE_TEST_SIGNS";

/// The next version of a role's newest document, unchanged otherwise, by these keys of the record.
pub fn next_version(stage: &Stage, role: &RoleName, keys: &[&str]) -> Vec<u8> {
    with_target(stage, role, keys, None)
}

/// The same with a target more of profile `tuf`: its path and what is in it.
pub fn with_target(stage: &Stage, role: &RoleName, keys: &[&str], target: Option<(&str, &[u8])>) -> Vec<u8> {
    let listed = listed(stage, role);
    // Attempts of keys that are gone stay beside what their successors sign, in files of the same version.
    let signed = |held: &Envelope| held.signatures().iter().any(|s| listed.contains(&s.keyid));
    let newest = documents(stage, role).into_iter();
    let newest = newest.max_by_key(|held| (held.payload().version(), signed(held)));
    let newest = newest.expect("a document of the role");
    let text = String::from_utf8(newest.payload().bytes().to_vec()).unwrap().replace('\n', "\\n");
    let Json::Object(mut signed) = Json::parse(text.as_bytes()).unwrap() else { unreachable!() };
    let version = i64::try_from(newest.payload().version() + 1).unwrap();
    signed.insert("version".to_owned(), version.into());
    if let (Some((path, content)), Some(Json::Object(targets))) = (target, signed.get_mut("targets")) {
        let sha256 = base16ct::lower::encode_string(&Sha256::digest(content));
        let length = i64::try_from(content.len()).unwrap();
        let hashes = object([("sha256", sha256.into())]);
        targets.insert(path.to_owned(), object([("hashes", hashes), ("length", length.into())]));
    }
    signed_by(stage, &Json::Object(signed), keys)
}

/// A document's file, signed by these keys of the record.
pub fn signed_by(stage: &Stage, signed: &Json, keys: &[&str]) -> Vec<u8> {
    let profile = stage.trust.profile;
    let entries = keys.iter().map(|key| entry(stage, key, &signed.canonical())).collect();
    match profile {
        // In the order in which Go writes them.
        Profile::Notary => {
            let entries = Json::Array(entries).canonical();
            [b"{\"signed\":", &*signed.canonical(), b",\"signatures\":", &*entries, b"}"].concat()
        }
        Profile::Tuf => {
            let whole = object([("signatures", Json::Array(entries)), ("signed", signed.clone())]);
            String::from_utf8(whole.canonical()).unwrap().replace('\n', "\\n").into_bytes()
        }
    }
}

/// The ids of the keys that the newest targets document lists for a delegation.
fn listed(stage: &Stage, role: &RoleName) -> BTreeSet<KeyId> {
    let targets = documents(stage, &RoleName::Targets).pop().unwrap();
    let delegations = targets.payload().document().as_targets().map(|targets| &targets.delegations);
    let listed = delegations.into_iter().flat_map(|d| &d.roles).find(|listed| listed.name == *role);
    listed.map(|listed| listed.keys.keyids.iter().cloned().collect()).unwrap_or_default()
}

/// Every document of a role, oldest first.
fn documents(stage: &Stage, role: &RoleName) -> Vec<Envelope> {
    let folder = stage.record.join("metadata").join(role.file_name());
    let files = fs::read_dir(folder).unwrap().map(|e| fs::read(e.unwrap().path()).unwrap());
    let mut all: Vec<_> =
        files.map(|bytes| wire::parse(stage.trust.profile, role, &bytes).unwrap()).collect();
    all.sort_by_key(|held| held.payload().version());
    all
}

/// One entry of `signatures`, under the id that some document of the record gives the key: the newest, or the
/// first that there was, by its first certificate, of a name after `old `.
fn entry(stage: &Stage, name: &str, message: &[u8]) -> Json {
    let (name, old) = name.strip_prefix("old ").map_or((name, false), |name| (name, true));
    let public = public(stage, name);
    let id = [RoleName::Root, RoleName::Targets].iter().find_map(|role| {
        let keys = |held: &Envelope| -> Keys {
            match held.payload().document() {
                Document::Root(root) => root.keys.clone(),
                Document::Targets(targets) => targets.delegations.keys.clone(),
                _ => Keys::new(),
            }
        };
        let mut held = documents(stage, role);
        if !old {
            held.reverse();
        }
        let ids = held.iter().flat_map(keys);
        ids.into_iter().find(|(_, key)| key.public.as_ref() == Some(&public)).map(|(id, _)| id)
    });
    let id = id.unwrap_or_else(|| panic!("no document has ever listed {name}"));
    let profile = stage.trust.profile;
    let scheme = wire::scheme(profile, &public);
    let file = name.strip_prefix("dev-").map(|developer| stage.path(&format!("developers/{developer}.key")));
    let file = file.or_else(|| Some(stage.path(&format!("keys/{name}.pem"))).filter(|file| file.exists()));
    let raw = match file {
        Some(file) => {
            let key = KeyFile::parse(&fs::read(file).unwrap()).unwrap();
            key.open(&Pin::new(PHRASE.to_owned())).unwrap().sign(scheme, message).unwrap()
        }
        None => on_token(stage, name, message),
    };
    made(profile, scheme, id.as_str(), &raw)
}

fn made(profile: Profile, scheme: keyrite::tuf::key::Scheme, id: &str, raw: &[u8]) -> Json {
    use base64ct::Encoding as _;
    let bytes = wire::signature_to_wire(profile, scheme, raw).unwrap();
    match profile {
        Profile::Tuf => {
            object([("keyid", id.into()), ("sig", base16ct::lower::encode_string(&bytes).into())])
        }
        Profile::Notary => object([
            ("keyid", id.into()),
            ("method", "ecdsa".into()),
            ("sig", base64ct::Base64::encode_string(&bytes).into()),
        ]),
    }
}

/// The public half, from the record.
fn public(stage: &Stage, name: &str) -> PublicKey {
    use base64ct::Encoding as _;
    let file = fs::read_dir(stage.record.join("keys").join(name)).unwrap().next().unwrap().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
    let der = base64ct::Base64::decode_vec(json["spki"].as_str().unwrap()).unwrap();
    PublicKey::from_spki_der(&der).unwrap()
}

/// The token of that label signs, in a process of its own: SoftHSM learns from the environment alone
/// where its tokens are.
fn on_token(stage: &Stage, label: &str, message: &[u8]) -> Vec<u8> {
    let place = stage.path("attempt");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("label"), label).unwrap();
    fs::write(place.join("message"), message).unwrap();
    fs::copy(stage.path("pin"), place.join("pin")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["attempts::signs_on_a_token", "--exact", "--ignored"]);
    child.env("SOFTHSM2_CONF", stage.path("softhsm2.conf")).env(PLACE, utf8(&place));
    Done::of(&mut child).ended(0);
    let signature = fs::read(place.join("signature")).unwrap();
    fs::remove_dir_all(place).unwrap();
    signature
}

#[test]
#[ignore = "the child of the attempts above, which tell it what to sign"]
fn signs_on_a_token() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let read = |name: &str| fs::read_to_string(Path::new(&place).join(name)).unwrap();
    let module = Pkcs11::new(SOFTHSM).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = module.get_slots_with_token().unwrap();
    let label = read("label");
    let slot = slots.iter().find(|slot| module.get_token_info(**slot).unwrap().label() == label);
    let session = module.open_ro_session(*slot.expect("the token")).unwrap();
    session.login(UserType::User, Some(&AuthPin::from(read("pin").trim()))).unwrap();
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
    let digest = Sha256::digest(read("message"));
    let signature = session.sign(&Mechanism::Ecdsa, *keys.last().expect("a key"), &digest).unwrap();
    fs::write(Path::new(&place).join("signature"), signature).unwrap();
}
