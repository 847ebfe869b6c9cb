//! What `keyrite-courier update` asks for where nothing is new, counted by the server: a static repository,
//! and a Notary server with a collection of its stock client.

use crate::courier;
use crate::hostile::{Hostile, Reply, handed_on};
use crate::measure::Table;
use crate::repository::Repository;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const COLLECTION: &str = "updates.example.com/apps";

pub fn measure(scratch: &Path, table: &mut Table) {
    let what = |profile| format!("requests of an update with nothing new, profile {profile}");
    let (notary, tuf) = (what("notary"), what("tuf"));
    let Some(courier) = courier::program() else {
        for what in [notary, tuf] {
            table.absent(&what, "BENCH_COURIER is not set: run scripts/bench");
        }
        return;
    };
    let made = Repository::new();
    let root = scratch.join("1.root.json");
    fs::write(&root, &made.files["1.root.json"]).unwrap();
    let server = Hostile::files(made.files);
    say(table, &tuf, &asked(scratch, &courier, "tuf", &root, &server), 2);

    let backend = Backend::up(scratch);
    let root = backend.initialised(scratch);
    let url = backend.url.clone();
    let server = Hostile::new(move |asked| Reply::Raw(handed_on(&url, asked)));
    say(table, &notary, &asked(scratch, &courier, "notary", &root, &server), 1);
}

/// What a second update asks for.
fn asked(scratch: &Path, courier: &Path, profile: &str, root: &Path, server: &Hostile) -> Vec<String> {
    let state = scratch.join(format!("state-{profile}"));
    let mut before = 0;
    for _ in 0..2 {
        before = server.heard().len();
        let mut command = Command::new(courier);
        command.arg("update").arg("--trust").arg(root).arg("--state").arg(&state);
        if profile == "notary" {
            command.args(["--collection", COLLECTION]);
        }
        quiet(command.args(["--server", &server.url]));
    }
    server.heard()[before..].iter().map(|asked| asked.path.clone()).collect()
}

fn say(table: &mut Table, what: &str, asked: &[String], wanted: usize) {
    let ours = asked.len().to_string();
    let told = format!("{ours}, to be {wanted}");
    table.add(what, &ours, &wanted.to_string(), &told, asked.len() == wanted);
}

fn quiet(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Debian's notary-server, until it goes out of scope.
struct Backend {
    folder: PathBuf,
    url: String,
}

impl Backend {
    fn up(scratch: &Path) -> Self {
        let folder = scratch.join("backend");
        // It goes on when this script has ended: nothing of it may wait for that end.
        let log = fs::File::create(scratch.join("backend.log")).unwrap();
        let mut command = Self::script();
        command.arg("up").arg(&folder).arg("local").stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        assert!(command.status().unwrap().success(), "scripts/notary up");
        let url = fs::read_to_string(folder.join("url")).unwrap().trim().to_owned();
        Self { folder, url }
    }

    fn script() -> Command {
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/notary"))
    }

    /// Its root, once the stock client has put a collection there.
    fn initialised(&self, scratch: &Path) -> PathBuf {
        let own = scratch.join("stock");
        let mut command = Command::new("notary");
        command.args(["-s", &self.url, "-d"]).arg(&own).args(["init", COLLECTION, "--publish"]);
        for role in ["ROOT", "TARGETS", "SNAPSHOT", "DELEGATION"] {
            command.env(format!("NOTARY_{role}_PASSPHRASE"), "correct horse battery staple");
        }
        quiet(&mut command);
        own.join("tuf").join(COLLECTION).join("metadata/root.json")
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = Self::script().arg("down").arg(&self.folder).status();
    }
}
