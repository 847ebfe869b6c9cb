//! Signing on SoftHSM: keyrite's way, which checks each signature twice in software, against a
//! loop of `C_Sign` and the same two checks.
//!
//! Each side runs in a process of its own and says how long it took; making the token is apart.

use crate::measure::{Table, medians};
use aws_lc_rs::signature as lc;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use keyrite::signer::backends::{ModulePin, Modules};
use keyrite::signer::secret::Pin;
use keyrite::signer::{self, KeyTag, PinAsk, PinSource, Token, TokenIdentity};
use keyrite::tuf::key::KeySpec;
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::{make, wire};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const SIGNATURES: usize = 300;
const ROUNDS: usize = 7;
const LABEL: &str = "bench";
const PIN: &str = "1234-bench";
const MODULES: &[&str] =
    &["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];

pub fn measure(scratch: &Path, table: &mut Table) {
    let what = "signing on SoftHSM / C_Sign and two checks";
    let Some(module) = MODULES.iter().find(|path| Path::new(path).exists()) else {
        return table.absent(what, "no SoftHSM: run scripts/test-deps");
    };
    let tokens = scratch.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let configuration = scratch.join("softhsm2.conf");
    let lines = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    std::fs::write(&configuration, lines).unwrap();
    let run = |side: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let run =
            command.args(["--signing", side, module]).env("SOFTHSM2_CONF", &configuration).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        Duration::from_secs_f64(String::from_utf8(run.stdout).unwrap().trim().parse().unwrap_or(0.0))
    };
    run("prepare");
    let (ours, bare) = medians(ROUNDS, || run("keyrite"), || run("bare"));
    table.at_most(&format!("{SIGNATURES} times {what}"), ours, bare, 1.2);
}

/// One side of the comparison; prints its seconds.
pub fn side(side: &str, module: &str) {
    match side {
        "prepare" => prepare(module),
        "keyrite" => println!("{}", keyrite(module).as_secs_f64()),
        "bare" => println!("{}", bare(module).as_secs_f64()),
        other => panic!("no side {other}"),
    }
}

struct Pins;

impl PinSource for Pins {
    fn pin(&mut self, _ask: &PinAsk) -> Result<Pin> {
        Ok(Pin::new(PIN.to_owned()))
    }

    fn pin_pad(&mut self, _ask: &PinAsk) -> Result<()> {
        Ok(())
    }

    fn touch(&mut self, _token: &TokenIdentity) {}
}

fn token(modules: &Modules, module: &str, wanted: impl Fn(&dyn Token) -> bool) -> Box<dyn Token> {
    let pin = ModulePin { path: module.into(), sha256: None };
    modules.list(&[pin]).tokens.into_iter().find(|token| wanted(token.as_ref())).unwrap()
}

fn prepare(module: &str) {
    let modules = Modules::new();
    token(&modules, module, |token| token.is_blank()).initialise(LABEL, &mut Pins).unwrap();
    let mut made = token(&modules, module, |token| token.identity().label == LABEL);
    let tag = KeyTag { label: LABEL.to_owned(), id: [1; 16], place: None };
    made.generate(KeySpec::EcdsaP256, &tag, &mut Pins).unwrap();
}

/// About as long as a first root.
fn payload() -> Payload {
    let expires = "2099-01-01T00:00:00Z".parse().unwrap();
    let edits: Vec<_> = (0..12)
        .map(|number| make::TargetsEdit::PutTarget {
            path: format!("camera/firmware-{number}.bin"),
            file: keyrite::tuf::document::TargetFile {
                length: 1000,
                hashes: [("sha256".to_owned(), vec![number; 32])].into(),
                custom: None,
            },
        })
        .collect();
    Payload::Metadata(make::targets(Profile::Tuf, &RoleName::Targets, 1, expires, None, &edits).unwrap())
}

fn keyrite(module: &str) -> Duration {
    let modules = Modules::new();
    let mut token = token(&modules, module, |token| token.identity().label == LABEL);
    let public = token.keys(&mut Pins).unwrap().remove(0).public.unwrap();
    let scheme = wire::scheme(Profile::Tuf, &public);
    let payload = payload();
    let mut open = token.open(&public, &mut Pins).unwrap();
    let began = Instant::now();
    for _ in 0..SIGNATURES {
        signer::sign(open.as_mut(), &public, scheme, &payload, &mut Pins).unwrap();
    }
    began.elapsed()
}

fn bare(module: &str) -> Duration {
    let context = Pkcs11::new(module).unwrap();
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = *context
        .get_slots_with_initialized_token()
        .unwrap()
        .iter()
        .find(|slot| context.get_token_info(**slot).unwrap().label() == LABEL)
        .unwrap();
    let session = context.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&AuthPin::new(PIN.into()))).unwrap();
    let private = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap()[0];
    let public = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)]).unwrap()[0];
    let attributes = session.get_attributes(public, &[cryptoki::object::AttributeType::EcPoint]).unwrap();
    let Some(Attribute::EcPoint(point)) = attributes.first() else { panic!("no point") };
    // SoftHSM wraps the point: an OCTET STRING's tag and length come first.
    let point = &point[point.len() - 65..];
    let first = lc::UnparsedPublicKey::new(&lc::ECDSA_P256_SHA256_FIXED, point);
    let second = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    let payload = payload();
    let began = Instant::now();
    for _ in 0..SIGNATURES {
        let digest = Sha256::digest(payload.bytes());
        let raw = session.sign(&Mechanism::Ecdsa, private, &digest).unwrap();
        first.verify(payload.bytes(), &raw).unwrap();
        second.verify_prehash(&digest, &p256::ecdsa::Signature::from_slice(&raw).unwrap()).unwrap();
    }
    began.elapsed()
}
