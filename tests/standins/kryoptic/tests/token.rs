//! What we need of this token and no other software token has: a PIN that really locks, and a
//! second opinion on everything that is done with SoftHSM.

use std::fs;
use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

#[test]
fn a_token_is_made_signs_and_locks_its_pin() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("token-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let config = dir.join("token.conf");
    fs::write(
        &config,
        format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = \"{}/1.sql\"\n", dir.display()),
    )
    .unwrap();
    // SAFETY: the only test of this binary; nothing else reads the environment yet.
    unsafe { std::env::set_var("KRYOPTIC_CONF", &config) };

    let own = std::env::current_exe().unwrap();
    let library =
        own.ancestors().map(|dir| dir.join("libkryoptic_pkcs11.so")).find(|path| path.exists()).unwrap();
    let module = Pkcs11::new(library).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = module.get_slots_with_token().unwrap()[0];
    module.init_token(slot, &pin("87654321"), "root-k").unwrap();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&pin("87654321"))).unwrap();
    session.init_pin(&pin("12345678")).unwrap();
    session.logout().unwrap();

    session.login(UserType::User, Some(&pin("12345678"))).unwrap();
    let public = [Attribute::Token(true), Attribute::Verify(true), Attribute::EcParams(P256.to_vec())];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let (public, private) = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
    let signature = session.sign(&Mechanism::Ecdsa, private, &[7; 32]).unwrap();
    assert_eq!(signature.len(), 64);
    session.verify(&Mechanism::Ecdsa, public, &[7; 32], &signature).unwrap();
    let eddsa = module.get_mechanism_list(slot).unwrap().contains(&MechanismType::EDDSA);
    assert!(!eddsa, "the header says that this build has no Ed25519");
    session.logout().unwrap();

    let mut last = None;
    for _ in 0..12 {
        last = session.login(UserType::User, Some(&pin("00000000"))).err();
        if matches!(last, Some(Error::Pkcs11(RvError::PinLocked, _))) {
            break;
        }
    }
    assert!(matches!(last, Some(Error::Pkcs11(RvError::PinLocked, _))), "{last:?}");
    let right = session.login(UserType::User, Some(&pin("12345678")));
    assert!(matches!(right, Err(Error::Pkcs11(RvError::PinLocked, _))), "{right:?}");
    assert!(module.get_token_info(slot).unwrap().user_pin_locked());
    fs::remove_dir_all(&dir).unwrap();
}

fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.to_owned().into())
}
