//! Feature `courier`: whose word counts for which server. The backend's authority is often one's own, and
//! installers lie where anyone's browser gets them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod keys;
mod repository;
mod stage;

use repository::Repository;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stage::{Done, shell};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const APP: &str = "app/one.msi";
/// What [`Repository`] releases as `app/one.msi`.
const BYTES: &str = "app/one.msi of app 1";

/// An authority of this name, and a server's certificate of it.
const MADE: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj '/CN=the authority NAME' -keyout NAME-ca.key -out NAME.crt 2>&1
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -keyout NAME-leaf.key -out NAME-leaf.csr 2>&1
printf 'subjectAltName=IP:127.0.0.1\\n' >NAME.ext
openssl x509 -req -in NAME-leaf.csr -CA NAME.crt -CAkey NAME-ca.key -CAcreateserial -days 30 -sha256 \
    -extfile NAME.ext -out NAME-leaf.crt 2>&1";

const SERVE: &str = "import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()";

/// A file server by TLS.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn up(dir: &Path, authority: &str) -> Self {
        let (certificate, key) = (format!("{authority}-leaf.crt"), format!("{authority}-leaf.key"));
        let mut python = Command::new("python3");
        python.args(["-c", SERVE, "served", &certificate, &key]).current_dir(dir);
        let mut child = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, url: format!("https://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn room() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("courier-authorities");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("served/targets/app")).unwrap();
    for name in ["own", "public"] {
        shell(&dir, &MADE.replace("NAME", name), &[]).ended(0);
    }
    let made = Repository::new();
    for (name, bytes) in &made.files {
        fs::write(dir.join("served").join(name), bytes).unwrap();
    }
    let hash = base16ct::lower::encode_string(&Sha256::digest(BYTES));
    fs::write(dir.join(format!("served/targets/app/{hash}.one.msi")), BYTES).unwrap();
    fs::write(dir.join("root.json"), &made.files["1.root.json"]).unwrap();
    dir
}

/// An update on a machine that has this authority, with these options; the rule that stopped it, or `ok`.
fn update(dir: &Path, machine: &str, server: &str, options: &[&str]) -> String {
    let _ = fs::remove_dir_all(dir.join("out"));
    let _ = fs::remove_dir_all(dir.join("state"));
    fs::create_dir(dir.join("out")).unwrap();
    let mut courier = Command::new(env!("CARGO_BIN_EXE_keyrite-courier"));
    courier.args(["--json", "update", "--trust", "root.json", "--state", "state", "--server", server]);
    courier.args(options).current_dir(dir).env("HOME", dir);
    courier.env("SSL_CERT_FILE", dir.join(format!("{machine}.crt"))).env_remove("SSL_CERT_DIR");
    let done = Done::of(&mut courier);
    let report: Value = done.json();
    let got = fs::read(dir.join("out/one.msi")).ok();
    match report["error"]["rule"].as_str() {
        None => {
            done.ended(0);
            assert_eq!(got, options.contains(&"--target").then(|| BYTES.into()));
            "ok".to_owned()
        }
        Some(rule) => {
            assert_eq!(got, None, "{options:?}");
            rule.to_owned()
        }
    }
}

#[test]
fn an_authority_of_ones_own_is_the_backends_alone_and_takes_none_from_targets() {
    let dir = room();
    let (own, public) = (Server::up(&dir, "own"), Server::up(&dir, "public"));
    let no = "SERVER-CERTIFICATE";
    // The machine's authority; the options; what comes of the backend's server, then of a target's.
    let backends: [(&str, &Server, &[&str], &str); 6] = [
        ("public", &own, &["--ca", "own.crt"], "ok"),
        ("public", &public, &[], "ok"),
        ("public", &own, &[], no),
        ("public", &public, &["--ca", "own.crt"], no),
        ("own", &own, &["--ca", "public.crt"], no),
        ("public", &own, &["--ca", "public.crt"], no),
    ];
    for (machine, server, options, expected) in backends {
        assert_eq!(update(&dir, machine, &server.url, options), expected, "{machine} {options:?}");
    }
    let of_targets: [(&str, &Server, &[&str], &str); 7] = [
        ("public", &public, &[], "ok"),
        ("public", &own, &[], "ok"),
        ("own", &public, &[], no),
        ("public", &own, &["--targets-ca", "public.crt"], no),
        ("public", &public, &["--targets-ca", "own.crt"], no),
        ("own", &public, &["--targets-ca", "public.crt"], "ok"),
        ("public", &public, &["--targets-ca", "own-ca.key"], "CA-FILE"),
    ];
    for (machine, server, options, expected) in of_targets {
        let base = format!("{}/targets", server.url);
        let first = ["--ca", "own.crt", "--target", APP, "--targets", &base, "--out", "out"];
        let all = [&first[..], options].concat();
        assert_eq!(update(&dir, machine, &own.url, &all), expected, "{machine}, {} {options:?}", server.url);
    }
}
