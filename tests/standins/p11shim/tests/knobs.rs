//! Every knob against SoftHSM (Debian: `softhsm2`), in a process of its own: a PKCS#11 module is
//! loaded once per process, and some knobs kill it.
//!
//! `KEYRITE_P11_MODULE` names another place of SoftHSM's library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, Result, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

const SO_PIN: &str = "87654321";
const PIN: &str = "12345678";
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// What the probe did: one word per step, then how it ended.
struct Seen {
    words: Vec<String>,
    status: ExitStatus,
    log: Vec<String>,
    stderr: String,
}

/// Runs `steps` in a child process on a new SoftHSM token called `root-a`, behind the shim.
fn seen(knobs: &str, steps: &str) -> Seen {
    static NTH: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let nth = NTH.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("knobs-{}-{nth}", std::process::id()));
    fs::create_dir_all(dir.join("tokens")).unwrap();
    let softhsm = format!("directories.tokendir = {}/tokens\nobjectstore.backend = file\n", dir.display());
    fs::write(dir.join("softhsm2.conf"), softhsm).unwrap();
    let module = std::env::var("KEYRITE_P11_MODULE").unwrap_or("/usr/lib/softhsm/libsofthsm2.so".to_owned());
    let log = dir.join("log");
    fs::write(dir.join("shim"), format!("module={module}\nlog={}\n{knobs}\n", log.display())).unwrap();
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "probe", "--ignored", "--nocapture"])
        .env("KEYRITE_SHIM", dir.join("shim"))
        .env("SOFTHSM2_CONF", dir.join("softhsm2.conf"))
        .env("STEPS", steps)
        .output()
        .unwrap();
    let stdout = String::from_utf8(out.stdout).unwrap();
    let seen = Seen {
        words: stdout.lines().filter_map(|line| line.strip_prefix("saw ")).map(str::to_owned).collect(),
        status: out.status,
        log: fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect(),
        stderr: String::from_utf8(out.stderr).unwrap(),
    };
    fs::remove_dir_all(&dir).unwrap();
    seen
}

#[test]
fn each_knob_has_its_effect() {
    // knobs, steps, what the steps saw
    for (knobs, steps, expected) in [
        ("", "flags login generate sign sign", "- ok ok good good"),
        ("", "pad", "ArgumentsBad"),
        ("pin-pad=12345678", "flags pad generate sign", "pad ok ok good"),
        ("pin-pad=11111111", "pad", "PinIncorrect"),
        ("pin-pad=12345678\nonly=root-b", "flags pad", "- ArgumentsBad"),
        ("pin-locked=1", "flags login", "locked PinLocked"),
        ("count-low=1", "flags login", "low ok"),
        ("final-try=1\ncount-low=1", "flags login", "low,final ok"),
        ("serial=0123456789abcdef", "serial", "0123456789abcdef"),
        ("serial=YK1", "serial", "YK1"),
        ("", "login generate private public", "ok ok local,sensitive,always local"),
        ("weak=extractable", "login generate private", "ok ok local,sensitive,always,extractable"),
        ("weak=not-local", "login generate private public", "ok ok sensitive,always local"),
        ("weak=not-sensitive", "login generate private", "ok ok local"),
        ("weak=not-local\nweak=not-sensitive", "login generate private", "ok ok -"),
        ("weak=not-local\nonly=root-a", "login generate private", "ok ok sensitive,always"),
        ("sign-fail=0x30:2", "login generate sign sign again sign", "ok ok good DeviceError ok good"),
        ("sign-fail=0x30:2", "login generate sign parts parts", "ok ok good DeviceError OperationActive"),
        ("corrupt=2", "login parts parts parts", "ok good bad good"),
        (
            "sign-fail=0x30:1\nsign-fail=0x32:2",
            "login generate sign again sign",
            "ok ok DeviceError ok DeviceRemoved",
        ),
        ("sign-fail=0x30:1", "login generate sign sign", "ok ok DeviceError OperationActive"),
        (
            "removed-after-sign=2",
            "login generate sign sign sign again serial",
            "ok ok good unchecked DeviceRemoved DeviceRemoved DeviceRemoved",
        ),
        ("corrupt=2", "login generate sign sign sign", "ok ok good bad good"),
        ("corrupt=1\nonly=root-b", "login generate sign", "ok ok good"),
    ] {
        let seen = seen(knobs, steps);
        assert_eq!(
            seen.words.join(" "),
            expected,
            "knobs {knobs:?}, steps {steps:?}, stderr {}",
            seen.stderr
        );
        assert!(seen.status.success(), "{knobs:?}");
    }
}

#[test]
fn the_kill_knobs_leave_no_time_for_anything() {
    use std::os::unix::process::ExitStatusExt;
    // knobs, steps, what the steps saw, the last line of the log
    for (knobs, steps, expected, last) in [
        (
            "kill-before-generate=2",
            "login generate generate",
            "ok ok",
            "C_GenerateKeyPair rv=killed token=root-a",
        ),
        ("kill-after-generate=1", "login generate", "ok", "C_GenerateKeyPair rv=0x0 token=root-a"),
        ("kill-before-sign=2", "login generate sign sign", "ok ok good", "C_Sign rv=killed token=root-a"),
        ("kill-after-sign=1", "login generate sign", "ok ok", "C_Sign rv=0x0 token=root-a"),
        ("kill-after-sign=2", "login parts parts", "ok good", "C_SignFinal rv=0x0 token=root-a"),
    ] {
        let seen = seen(knobs, steps);
        assert_eq!(seen.words.join(" "), expected, "{knobs:?} {}", seen.stderr);
        assert_eq!(seen.status.signal(), Some(9), "{knobs:?}");
        assert_eq!(seen.log.last().map(String::as_str), Some(last), "{knobs:?}");
    }
}

#[test]
fn the_log_has_a_line_per_act_of_the_token() {
    let seen = seen("sign-fail=0x30:2", "login generate sign sign");
    let made = [
        "C_InitToken rv=0x0",
        "C_Login rv=0x0",
        "C_Login rv=0x0",
        "C_GenerateKeyPair rv=0x0",
        "C_Sign rv=0x0",
        "C_Sign rv=0x30",
    ];
    assert_eq!(seen.log, made.map(|line| format!("{line} token=root-a")));
}

#[test]
fn a_misspelt_knob_stops_the_test() {
    for knobs in [
        "pin-paf=1",
        "corrupt=0",
        "pin-locked=yes",
        "weak=very",
        "sign-fail=30:1",
        "serial=12345678901234567",
        "log=",
    ] {
        let seen = seen(knobs, "flags");
        assert!(!seen.status.success(), "{knobs}");
        assert!(seen.stderr.contains(&format!("no knob or no value of it: `{knobs}`")), "{}", seen.stderr);
    }
}

/// The child's part.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn probe() {
    let module = Pkcs11::new(shim_path()).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = module.get_slots_with_token().unwrap()[0];
    module.init_token(slot, &pin(SO_PIN), "root-a").unwrap();
    let mut session = module.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&pin(SO_PIN))).unwrap();
    session.init_pin(&pin(PIN)).unwrap();
    session.logout().unwrap();
    let mut keys = None;
    for step in std::env::var("STEPS").unwrap().split(' ') {
        let word = match step {
            "flags" => {
                let info = module.get_token_info(slot).unwrap();
                words(&[
                    ("pad", info.protected_authentication_path()),
                    ("locked", info.user_pin_locked()),
                    ("low", info.user_pin_count_low()),
                    ("final", info.user_pin_final_try()),
                ])
            }
            "serial" => {
                module.get_token_info(slot).map_or_else(|e| word(&e), |info| info.serial_number().to_owned())
            }
            "login" => outcome(&session.login(UserType::User, Some(&pin(PIN)))),
            "pad" => outcome(&session.login(UserType::User, None)),
            // The login is the process's, and ends with its last session: open before closing.
            "again" => outcome(&module.open_rw_session(slot).map(|new| session = new)),
            "generate" => outcome(&generate(&session).map(|pair| keys = Some(pair))),
            "private" => facts(&session, keys.unwrap().1),
            "public" => facts(&session, keys.unwrap().0),
            "sign" => checked(&session, &Mechanism::Ecdsa, keys.unwrap(), |key, hash| {
                session.sign(&Mechanism::Ecdsa, key, hash)
            }),
            // SoftHSM signs in parts with RSA, not with ECDSA.
            "parts" => {
                let pair = generate_rsa(&session).unwrap();
                checked(&session, &Mechanism::Sha256RsaPkcs, pair, |key, data| {
                    session.sign_init(&Mechanism::Sha256RsaPkcs, key)?;
                    session.sign_update(data)?;
                    session.sign_final()
                })
            }
            other => panic!("no step `{other}`"),
        };
        println!("saw {word}");
    }
}

fn shim_path() -> PathBuf {
    // target/<profile>/deps/knobs-… and target/<profile>/libp11shim.so
    let deps = std::env::current_exe().unwrap();
    deps.ancestors()
        .map(|dir| dir.join("libp11shim.so"))
        .find(|path| path.exists())
        .expect("the shim is built with its tests")
}

fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.to_owned().into())
}

fn word(error: &Error) -> String {
    match error {
        Error::Pkcs11(rv, _) => format!("{rv:?}"),
        other => format!("{other:?}"),
    }
}

fn outcome(result: &Result<()>) -> String {
    result.as_ref().map_or_else(word, |()| "ok".to_owned())
}

fn words(all: &[(&str, bool)]) -> String {
    let set: Vec<_> = all.iter().filter(|(_, is)| *is).map(|(word, _)| *word).collect();
    if set.is_empty() { "-".to_owned() } else { set.join(",") }
}

fn generate(session: &Session) -> Result<(ObjectHandle, ObjectHandle)> {
    let public = [Attribute::Token(true), Attribute::Verify(true), Attribute::EcParams(P256.to_vec())];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
}

fn facts(session: &Session, key: ObjectHandle) -> String {
    let is = |kind| {
        matches!(
            session.get_attributes(key, &[kind]).unwrap_or_default().first(),
            Some(
                Attribute::Local(true)
                    | Attribute::Sensitive(true)
                    | Attribute::AlwaysSensitive(true)
                    | Attribute::Extractable(true)
            )
        )
    };
    words(&[
        ("local", is(AttributeType::Local)),
        ("sensitive", is(AttributeType::Sensitive)),
        ("always", is(AttributeType::AlwaysSensitive)),
        ("extractable", is(AttributeType::Extractable)),
    ])
}

fn generate_rsa(session: &Session) -> Result<(ObjectHandle, ObjectHandle)> {
    let public = [
        Attribute::Verify(true),
        Attribute::ModulusBits(1024.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
    ];
    session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &[Attribute::Sign(true)])
}

fn checked(
    session: &Session,
    mechanism: &Mechanism,
    (public, private): (ObjectHandle, ObjectHandle),
    make: impl Fn(ObjectHandle, &[u8]) -> Result<Vec<u8>>,
) -> String {
    let data = [7; 32];
    match make(private, &data) {
        Err(error) => word(&error),
        Ok(signature) => match session.verify(mechanism, public, &data, &signature) {
            Ok(()) => "good".to_owned(),
            Err(Error::Pkcs11(RvError::SignatureInvalid, _)) => "bad".to_owned(),
            Err(_) => "unchecked".to_owned(),
        },
    }
}
