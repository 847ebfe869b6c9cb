//! Key files against the programs that others use: `openssl` reads what keyrite writes and the other
//! way round, and the stock Notary client imports and opens what is written for it.
//!
//! Both programs must be installed (`scripts/test-deps`); without them these tests fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod pins;

use keyrite::signer::backends::Modules;
use keyrite::signer::backends::external::{hand_out, take_back};
use keyrite::signer::backends::file::FileToken;
use keyrite::signer::keyfile::{KeyFile, PrivateKey, notary, pkcs8};
use keyrite::signer::randomness::Randomness;
use keyrite::signer::secret::Pin;
use keyrite::signer::{self, KeyTag, PinSource, Signer, Token};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeyId, KeySpec, PublicKey, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::rule::Result;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use keyrite::tuf::wire;
use pins::Pins;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PASS: &str = "correct horse battery";

fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keyfile-{name}"));
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keyfiles")
}

fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned())
}

fn payload() -> Payload {
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a test".into() };
    Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap())
}

/// Runs a program to its end and gives its output; the program must be there and succeed.
fn run(dir: &Path, program: &str, args: &[&str]) -> Vec<u8> {
    let out = Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).output();
    let out = out.unwrap_or_else(|e| panic!("`{program}` is needed by this test (scripts/test-deps): {e}"));
    let (said, complained) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{program} {args:?}: {said}{complained}");
    out.stdout
}

fn openssl(dir: &Path, args: &[&str]) -> Vec<u8> {
    run(dir, "openssl", args)
}

/// That the key signs what its public half verifies.
fn signs(key: &PrivateKey) {
    let scheme = Scheme::of(key.public().algorithm());
    let raw = key.sign(scheme, payload().bytes()).unwrap();
    keyrite::tuf::verify::Signature::check(key.public(), scheme, &payload(), &raw).unwrap();
}

#[test]
fn openssl_reads_what_we_write() {
    let dir = fresh("openssl-reads");
    let pass = format!("pass:{PASS}");
    for spec in KeySpec::ALL {
        let key = PrivateKey::generate(spec, &Randomness::system()).unwrap();
        signs(&key);
        let text = pkcs8::seal(&key, &pin(PASS), "root-a", &[0xab; 16], &Randomness::system()).unwrap();
        fs::write(dir.join("key.pem"), &text).unwrap();
        let public = openssl(&dir, &["pkey", "-in", "key.pem", "-passin", &pass, "-pubout"]);
        assert_eq!(String::from_utf8(public).unwrap(), key.public().spki_pem(), "{spec}");
        openssl(&dir, &["pkey", "-in", "key.pem", "-passin", &pass, "-check", "-noout"]);

        let file = KeyFile::parse(text.as_bytes()).unwrap();
        assert_eq!(file.label(), Some("root-a"));
        assert_eq!(file.id(), Some([0xab; 16]));
        assert_eq!(file.public(), Some(key.public()));
        signs(&file.open(&pin(PASS)).unwrap());
        let wrong = file.open(&pin("incorrect horse battery")).err().unwrap();
        assert_eq!(wrong.rule().name, "PIN-WRONG");
    }
}

#[test]
fn we_read_what_openssl_writes() {
    let dir = fresh("we-read");
    for (name, make) in [
        ("p256", vec!["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("p384", vec!["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("ed25519", vec!["genpkey", "-algorithm", "ED25519"]),
        ("rsa", vec!["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
    ] {
        openssl(&dir, &[make, vec!["-out", "plain.pem"]].concat());
        let public = String::from_utf8(openssl(&dir, &["pkey", "-in", "plain.pem", "-pubout"])).unwrap();
        let public = PublicKey::from_pem(&public).unwrap();
        let plain = KeyFile::parse(&fs::read(dir.join("plain.pem")).unwrap()).err().unwrap();
        assert_eq!(plain.rule().name, "KEY-FILE-PLAIN", "{name}");
        for options in [
            vec![],
            vec!["-v2", "aes-128-cbc"],
            vec!["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"],
            vec!["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "50000"],
            vec!["-scrypt"],
        ] {
            let args = [
                vec!["pkcs8", "-topk8", "-in", "plain.pem", "-out", "sealed.pem", "-passout", "pass:short"],
                options.clone(),
            ];
            openssl(&dir, &args.concat());
            let file = KeyFile::parse(&fs::read(dir.join("sealed.pem")).unwrap()).unwrap();
            // A pass-phrase that someone chose elsewhere may be short; we only don't write such.
            let key = file.open(&pin("short")).unwrap_or_else(|e| panic!("{name} {options:?}: {e}"));
            assert_eq!(key.public(), &public, "{name} {options:?}");
            signs(&key);
            assert_eq!(
                file.open(&pin("other")).err().unwrap().rule().name,
                "PIN-WRONG",
                "{name} {options:?}"
            );
        }
    }
}

#[test]
fn reads_the_notary_clients_files() {
    let dir = fixtures().join("notary-0.7");
    for (id, pass) in [
        ("ca3b203d516d5614ca3366662c5f99f8c29258c9459cb461b93a7db08bd77568", "root-pass-1234"),
        ("666e2024f88bac065e7921c76f3d68df089e2be77f5c8998b77416dd0d60c3ef", "targets-pass-1234"),
        ("f01cdf431ccc71edcec575dabdbc847b86518da56cb2c8f12ea39a8b7d318ceb", "delegation-pass-1234"),
        ("3056dd6f569055d81c6f1f9368664af37e2bb7c28fc56ebe7145ec3438613f49", "delegation-pass-1234"),
    ] {
        let file = KeyFile::parse(&fs::read(dir.join(format!("{id}.key"))).unwrap()).unwrap();
        assert!(file.public().is_none() && file.label().is_none());
        assert_eq!(file.open(&pin(PASS)).err().unwrap().rule().name, "PIN-WRONG", "{id}");
        let key = file.open(&pin(pass)).unwrap();
        let entry = wire::key_entry(Profile::Notary, key.public(), None).unwrap();
        assert_eq!(entry.id, KeyId::declared(id));
        signs(&key);

        // The client's own directory is a token: the key is found by its file's name.
        let mut token = FileToken::new(dir.clone());
        let mut pins = Pins::new(pass, "");
        let mut signer = token.open(key.public(), &mut pins).unwrap();
        let scheme = Scheme::of(key.public().algorithm());
        signer::sign(&mut *signer, key.public(), scheme, &payload(), &mut pins).unwrap();
        drop(signer);
        token.open(key.public(), &mut pins).unwrap();
        assert_eq!(pins.asked.len(), 1, "asked once in a process");
        assert_eq!(pins.asked[0].key.as_deref(), Some(id));
    }
}

#[test]
fn reads_files_from_before_0_6() {
    for name in ["root", "targets"] {
        let path = fixtures().join("before-0.6").join(name);
        let file = KeyFile::parse(&fs::read(path.with_extension("key")).unwrap()).unwrap();
        let key = file.open(&pin("before-0.6-pass")).unwrap();
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        assert_eq!(key.public(), &PublicKey::from_pem(&public).unwrap());
        signs(&key);
        assert_eq!(file.open(&pin(PASS)).err().unwrap().rule().name, "PIN-WRONG", "{name}");
    }
    let text = fs::read_to_string(fixtures().join("before-0.6/root.key")).unwrap();
    for (from, to) in [("AES-256-CBC", "DES-EDE3-CBC"), ("DEK-Info", "DEK-Other"), ("BEGIN EC", "BEGIN DSA")]
    {
        let refusal = KeyFile::parse(text.replace(from, to).as_bytes()).err().unwrap();
        assert_eq!(refusal.rule().name, "KEY-FILE-FORM", "{to}");
    }
}

/// The client imports any file without a word; that it opens the key is seen when it changes the
/// pass-phrase. Ed25519 and RSA are those of its kinds that differ most from the standard.
#[test]
fn the_stock_client_opens_what_we_write() {
    let dir = fresh("notary");
    let trust = dir.join("trust");
    for (spec, role, gun) in [
        (KeySpec::EcdsaP256, "targets", "updates.example.com/app"),
        (KeySpec::EcdsaP256, "targets/app", ""),
        (KeySpec::Rsa3072, "targets/app", ""),
        (KeySpec::Ed25519, "targets/app", ""),
    ] {
        let key = PrivateKey::generate(spec, &Randomness::system()).unwrap();
        let id = wire::key_entry(Profile::Notary, key.public(), None).unwrap().id;
        let role = RoleName::from_name(role);
        let text = notary::seal(&key, &pin(PASS), &role, gun, &id, &Randomness::system()).unwrap();
        let again = KeyFile::parse(text.as_bytes()).unwrap();
        assert_eq!(again.open(&pin(PASS)).unwrap().public(), key.public());

        let path = dir.join("key.pem");
        fs::write(&path, &text).unwrap();
        let trust = trust.to_str().unwrap();
        run(&dir, "notary", &["-d", trust, "key", "import", path.to_str().unwrap()]);
        let listed = String::from_utf8(run(&dir, "notary", &["-d", trust, "key", "list"])).unwrap();
        let prefix = &id.as_str()[..20];
        assert!(listed.contains(prefix), "{spec} {role}: {listed}");
        let stored = fs::read(dir.join(format!("trust/private/{}.key", id.as_str()))).unwrap();
        assert_eq!(KeyFile::parse(&stored).unwrap().open(&pin(PASS)).unwrap().public(), key.public());
        opens(&dir, trust, id.as_str(), &role);
    }
    let key = PrivateKey::generate(KeySpec::EcdsaP256, &Randomness::system()).unwrap();
    for (role, gun, id) in [("targets", "", "id"), ("targets", "a gun", "id"), ("targets/a\nb", "g", "id")] {
        let refusal = notary::seal(
            &key,
            &pin(PASS),
            &RoleName::from_name(role),
            gun,
            &KeyId::declared(id),
            &Randomness::system(),
        )
        .err()
        .unwrap();
        assert_eq!(refusal.rule().name, "KEY-FILE-FORM");
    }
}

fn opens(dir: &Path, trust: &str, id: &str, role: &RoleName) {
    let variable = match role {
        RoleName::Targets => "NOTARY_TARGETS_PASSPHRASE",
        _ => "NOTARY_DELEGATION_PASSPHRASE",
    };
    let changed = |pass: &str| {
        Command::new("notary")
            .args(["-d", trust, "key", "passwd", id])
            .env(variable, pass)
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let wrong = changed("wrong horse battery");
    assert!(!wrong.status.success(), "opened by another pass-phrase: {wrong:?}");
    let right = changed(PASS);
    assert!(right.status.success(), "{right:?}");
}

#[test]
fn a_file_token_keeps_one_key_in_a_file() {
    let dir = fresh("token");
    let mut pins = Pins::new(PASS, "");
    let tag = KeyTag { label: "dev-1".into(), id: [5; 16], place: None };
    let at = dir.join("keys/");
    let mut token = FileToken::new(at.clone());
    assert!(token.adopt(KeySpec::Ed25519, &tag, &mut pins).unwrap().is_none());
    let made = token.generate(KeySpec::Ed25519, &tag, &mut pins).unwrap();
    let path = at.join("dev-1.pem");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&at).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&at).unwrap().count(), 1, "no draft is left");
    assert_eq!(made.evidence.attributes["extractable"], "yes");

    // Signing right after needs no second question; another process asks once.
    let mut signer = token.open(&made.public, &mut pins).unwrap();
    signer::sign(&mut *signer, &made.public, Scheme::Ed25519, &payload(), &mut pins).unwrap();
    drop(signer);
    assert_eq!(pins.asked.len(), 1);
    let uri = format!("file:{}", path.display()).parse().unwrap();
    let mut again = Modules::new().open(&uri, None).unwrap();
    assert_eq!(again.keys(&mut pins).unwrap()[0].label, "dev-1");
    assert_eq!(again.adopt(KeySpec::Ed25519, &tag, &mut pins).unwrap().unwrap().public, made.public);
    let other = again.adopt(KeySpec::EcdsaP256, &tag, &mut pins).err().unwrap();
    assert_eq!(other.rule().name, "KEY-ADOPT");
    again.open(&made.public, &mut pins).unwrap();
    assert_eq!(pins.asked.len(), 2);
    let mut wrong = Pins::new("another horse battery", "");
    let mut third = Modules::new().open(&uri, None).unwrap();
    assert_eq!(third.open(&made.public, &mut wrong).err().unwrap().rule().name, "PIN-WRONG");
    assert_eq!(wrong.asked.len(), 1, "never tried again");

    for (label, id) in [("dev-1", [6; 16]), ("dev-2", [5; 16])] {
        let used = KeyTag { label: label.into(), id, place: None };
        let refusal = token.generate(KeySpec::Ed25519, &used, &mut pins).err().unwrap();
        assert_eq!(refusal.rule().name, "LABEL-IN-USE");
    }
    for label in ["../up", "", ".hidden", "a b"] {
        let tag = KeyTag { label: label.into(), id: [9; 16], place: None };
        assert_eq!(
            token.generate(KeySpec::Ed25519, &tag, &mut pins).err().unwrap().rule().name,
            "TOKEN-CANNOT"
        );
    }
    let mut short = Pins::new("eleven char", "");
    let tag = KeyTag { label: "dev-3".into(), id: [9; 16], place: None };
    assert_eq!(
        token.generate(KeySpec::Ed25519, &tag, &mut short).err().unwrap().rule().name,
        "PASSPHRASE-SHORT"
    );
    assert!(!at.join("dev-3.pem").exists());
    assert_eq!(token.initialise("x", &mut pins).err().unwrap().rule().name, "TOKEN-NOT-BLANK");

    let stranger = PrivateKey::generate(KeySpec::Ed25519, &Randomness::system()).unwrap();
    assert_eq!(token.open(stranger.public(), &mut pins).err().unwrap().rule().name, "KEY-NOT-ON-TOKEN");
    token.destroy(&made.public, &mut pins).unwrap();
    assert!(!path.exists());
    assert_eq!(token.open(&made.public, &mut pins).err().unwrap().rule().name, "KEY-NOT-ON-TOKEN");
}

#[test]
fn a_developer_gets_a_file_for_the_stock_client() {
    let dir = fresh("developer");
    let mut pins = Pins::new(PASS, "").and_new("another horse battery");
    let mut token = FileToken::new(dir.join("dev.pem"));
    let tag = KeyTag { label: "dev".into(), id: [5; 16], place: None };
    let made = token.generate(KeySpec::EcdsaP256, &tag, &mut pins).unwrap();
    let id = wire::key_entry(Profile::Notary, &made.public, None).unwrap().id;
    let role = RoleName::from_name("targets/app");
    let to = dir.join("dev.key");
    token.write_for_notary(&made.public, &role, "", &id, &to, &mut pins).unwrap();
    let text = fs::read_to_string(&to).unwrap();
    assert!(
        text.contains("role: targets/app\n") && text.contains(&format!("path: {}\n", id.as_str())),
        "{text}"
    );
    let key = KeyFile::parse(text.as_bytes()).unwrap().open(&pin("another horse battery")).unwrap();
    assert_eq!(key.public(), &made.public);
    let refusal = token.write_for_notary(&made.public, &role, "", &id, &to, &mut pins).err().unwrap();
    assert_eq!(refusal.rule().name, "KEY-FILE-EXISTS");
    assert_eq!(fs::read_to_string(&to).unwrap(), text);
}

/// CBC notices no tampering, so the public key is what tells (crates 13).
#[test]
fn another_private_key_beside_a_public_one_is_refused() {
    let a = PrivateKey::generate(KeySpec::EcdsaP256, &Randomness::system()).unwrap();
    let b = PrivateKey::generate(KeySpec::EcdsaP256, &Randomness::system()).unwrap();
    let text = pkcs8::seal(&a, &pin(PASS), "a", &[1; 16], &Randomness::system()).unwrap();
    let swapped = text.replace(&a.public().spki_pem(), &b.public().spki_pem());
    assert_ne!(text, swapped);
    let refusal = KeyFile::parse(swapped.as_bytes()).unwrap().open(&pin(PASS)).err().unwrap();
    assert_eq!(refusal.rule().name, "KEY-FILE-PUBLIC");

    // The same for a file that has no public key beside it and is asked for one.
    let dir = fresh("swapped");
    let id = KeyId::declared("id");
    let sealed = notary::seal(&a, &pin(PASS), &RoleName::Root, "", &id, &Randomness::system()).unwrap();
    fs::write(dir.join("root.key"), sealed).unwrap();
    let mut token = FileToken::new(dir.join("root.key"));
    let refusal = token.open(b.public(), &mut Pins::new(PASS, "")).err().unwrap();
    assert_eq!(refusal.rule().name, "KEY-FILE-PUBLIC");
}

#[test]
fn refuses_files_that_are_no_key_files() {
    let dir = fresh("refused");
    let a = PrivateKey::generate(KeySpec::EcdsaP256, &Randomness::system()).unwrap();
    let good = pkcs8::seal(&a, &pin(PASS), "a", &[1; 16], &Randomness::system()).unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("no text", vec![0xff; 64]),
        ("two keys", format!("{good}{good}").into_bytes()),
        ("a certificate beside", format!("{good}{certificate}").into_bytes()),
        ("a public key alone", a.public().spki_pem().into_bytes()),
    ] {
        let refusal = KeyFile::parse(&bytes).err().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(refusal.rule().name, "KEY-FILE-FORM", "{name}");
    }
    fs::write(dir.join("huge.pem"), vec![b'a'; 70_000]).unwrap();
    let refusal = FileToken::new(dir.join("huge.pem")).keys(&mut Pins::default()).err().unwrap();
    assert_eq!(refusal.rule().name, "KEY-FILE-FORM");
    run(&dir, "mkfifo", &["pipe.pem"]);
    let refusal = FileToken::new(dir.join("pipe.pem")).keys(&mut Pins::default()).err().unwrap();
    assert_eq!(refusal.rule().name, "KEY-FILE-FORM");
    // One bad file in a directory doesn't hide the others.
    fs::write(dir.join("good.pem"), good).unwrap();
    assert_eq!(FileToken::new(dir.clone()).keys(&mut Pins::default()).unwrap().len(), 1);
    let missing = dir.join("no/such/dir/key.pem");
    let tag = KeyTag { label: "x".into(), id: [1; 16], place: None };
    let refusal =
        FileToken::new(missing).generate(KeySpec::Ed25519, &tag, &mut Pins::new(PASS, "")).err().unwrap();
    assert_eq!(refusal.rule().name, "KEY-FILE-IO");
}

/// What a token signs is limited, by module and firmware; a real signer with such a limit.
struct Limited<'a>(Box<dyn Signer + 'a>);

impl Signer for Limited<'_> {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn max_payload(&self, _scheme: Scheme) -> Option<usize> {
        Some(payload().bytes().len() - 1)
    }

    fn sign(&mut self, _: Scheme, _: &Payload, _: &mut dyn PinSource) -> Result<Vec<u8>> {
        panic!("asked to sign more than it can")
    }
}

#[test]
fn a_payload_that_is_too_large_never_reaches_the_token() {
    let mut pins = Pins::new(PASS, "");
    let mut token = FileToken::new(fresh("limited").join("key.pem"));
    let tag = KeyTag { label: "dev".into(), id: [5; 16], place: None };
    let made = token.generate(KeySpec::Ed25519, &tag, &mut pins).unwrap();
    let mut limited = Limited(token.open(&made.public, &mut pins).unwrap());
    let refusal = signer::sign(&mut limited, &made.public, Scheme::Ed25519, &payload(), &mut pins);
    assert_eq!(refusal.err().unwrap().rule().name, "PAYLOAD-TOO-LARGE");
}

/// The commands in the README that is handed out, run as they stand there.
#[test]
fn a_key_elsewhere_signs_by_the_readmes_command() {
    let dir = fresh("external");
    for (spec, scheme) in [
        (KeySpec::EcdsaP256, Scheme::EcdsaP256Sha256),
        (KeySpec::EcdsaP384, Scheme::EcdsaP384Sha384),
        (KeySpec::EcdsaP384, Scheme::EcdsaP384Sha256),
        (KeySpec::Ed25519, Scheme::Ed25519),
        (KeySpec::Rsa3072, Scheme::RsaPssSha256),
    ] {
        let key = PrivateKey::generate(spec, &Randomness::system()).unwrap();
        let sealed = pkcs8::seal(&key, &pin(PASS), "k", &[1; 16], &Randomness::system()).unwrap();
        fs::write(dir.join("sealed.pem"), sealed).unwrap();
        let pass = format!("pass:{PASS}");
        openssl(&dir, &["pkey", "-in", "sealed.pem", "-passin", &pass, "-out", "KEY.pem"]);
        for (name, bytes) in hand_out(&payload(), key.public(), scheme) {
            fs::write(dir.join(name), bytes).unwrap();
        }
        let readme = fs::read_to_string(dir.join("README")).unwrap();
        let command = readme.lines().find(|l| l.starts_with("  openssl ")).unwrap();
        run(&dir, "sh", &["-c", command]);
        let signature = fs::read(dir.join("signature")).unwrap();
        let taken = take_back(&signature, key.public(), scheme, &payload()).unwrap();
        assert_eq!(taken.key(), key.public().identity());

        // In the other forms that tools have.
        let raw = taken.raw().to_vec();
        take_back(&raw, key.public(), scheme, &payload()).unwrap();
        fs::write(dir.join("raw"), &raw).unwrap();
        let base64 = String::from_utf8(run(&dir, "base64", &["-w0", "raw"])).unwrap();
        let url = base64.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned();
        let hex = base16ct::lower::encode_string(&raw);
        for text in
            [base64.clone(), format!("{base64}\n"), format!("\"{url}\"\r\n"), url, hex.to_uppercase(), hex]
        {
            take_back(text.as_bytes(), key.public(), scheme, &payload()).unwrap();
        }

        let mut wrong = raw;
        wrong[10] ^= 1;
        let refusal = take_back(&wrong, key.public(), scheme, &payload()).err().unwrap();
        assert_eq!(refusal.rule().name, "SIGNATURE-WRONG", "{scheme}");
        for bytes in [&b""[..], b"no signature", &[0; 17]] {
            let refusal = take_back(bytes, key.public(), scheme, &payload()).err().unwrap();
            assert_eq!(refusal.rule().name, "EXTERNAL-FORM", "{scheme}");
        }
    }
    let mut token = Modules::new().open(&"external:vault".parse().unwrap(), None).unwrap();
    let key = PrivateKey::generate(KeySpec::EcdsaP256, &Randomness::system()).unwrap();
    let refusal = token.open(key.public(), &mut Pins::default()).err().unwrap();
    assert_eq!(refusal.rule().name, "EXTERNAL-ELSEWHERE");
}
