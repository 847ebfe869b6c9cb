//! Root certificates as OpenSSL sees them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod keys;

use keyrite::tuf::certificate::CertificatePayload;
use keyrite::tuf::payload::Payload;
use keys::TestKey;
use std::process::Command;

fn openssl(arguments: &[&str]) -> String {
    let run = Command::new("openssl").args(arguments).output().expect("openssl is needed: scripts/test-deps");
    let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
    assert!(run.status.success(), "openssl {arguments:?}: {text}");
    text
}

#[test]
fn openssl_verifies_certificates_of_every_kind_of_key() {
    let dir = std::env::temp_dir().join(format!("keyrite-certificate-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let table = [
        ("p256", TestKey::p256(1), "Signature Algorithm: ecdsa-with-SHA256"),
        ("p384", TestKey::p384(1), "Signature Algorithm: ecdsa-with-SHA384"),
        ("rsa", TestKey::rsa(), "Signature Algorithm: rsassaPss"),
    ];
    for (name, key, algorithm) in table {
        let made = CertificatePayload::new(
            key.public(),
            "updates.example.com/apps",
            [0; 16],
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2066-01-01T00:00:00Z".parse().unwrap(),
        )
        .unwrap();
        let signature = key.signature(made.scheme(), &Payload::Certificate(made.clone()));
        let path = dir.join(format!("{name}.pem"));
        std::fs::write(&path, made.assemble(&signature).unwrap()).unwrap();
        let path = path.to_str().unwrap();

        let shown = openssl(&["x509", "-in", path, "-noout", "-text"]);
        for expected in [
            algorithm,
            "Version: 3 (0x2)",
            "Issuer: CN = updates.example.com/apps",
            "Subject: CN = updates.example.com/apps",
            "Not Before: Jan  1 00:00:00 2026 GMT",
            "Not After : Jan  1 00:00:00 2066 GMT",
            "X509v3 Basic Constraints: critical",
            "CA:FALSE",
            "X509v3 Key Usage: critical",
            "Digital Signature",
        ] {
            assert!(shown.contains(expected), "{name}: no \"{expected}\" in\n{shown}");
        }
        assert!(!shown.contains("Extended Key Usage"), "{name}");
        if name == "rsa" {
            assert!(shown.contains("Salt Length: 0x20"), "{shown}");
        }
        // At a moment within its term, its own signature looked at.
        openssl(&["verify", "-check_ss_sig", "-attime", "1800000000", "-CAfile", path, path]);
    }
    std::fs::remove_dir_all(dir).unwrap();
}
