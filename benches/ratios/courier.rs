//! The courier: an installer that is there already hashed against its role's digest, beside
//! `sha256sum`; and its start.

use crate::measure::{Table, medians, run};
use crate::repository::{Repository, listed, sealed, time};
use keyrite::tuf::document::TargetFile;
use keyrite::tuf::hashes::Hashes;
use keyrite::tuf::make::{self, TargetsEdit};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROUNDS: usize = 7;
const BYTES: usize = 256 * 1024 * 1024;
const TARGET: &str = "app/one.msi";

/// The program, where scripts/bench has built it.
pub fn program() -> Option<PathBuf> {
    std::env::var_os("BENCH_COURIER").map(PathBuf::from)
}

pub fn measure(scratch: &Path, table: &mut Table) {
    let what = format!("update with an installer of {} MiB / sha256sum of it", BYTES / 1024 / 1024);
    let Some(courier) = program() else {
        return table.absent(&what, "BENCH_COURIER is not set: run scripts/bench");
    };
    let installer: Vec<u8> = (0..BYTES).map(|place| ((place * place) >> 7).to_le_bytes()[0]).collect();
    let folder = scratch.join("served");
    serve(&folder, &installer);
    let out = scratch.join("out");
    fs::create_dir(&out).unwrap();
    let file = out.join("one.msi");
    fs::write(&file, installer).unwrap();

    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (root, state) = (path(&folder.join("1.root.json")), path(&scratch.join("state")));
    let (folder, out, file) = (path(&folder), path(&out), path(&file));
    let mut line = vec!["update", "--trust", &root, "--server", &folder, "--state", &state];
    // Nothing is asked of that server: the file is there.
    line.extend(["--target", TARGET, "--out", &out, "--targets", "http://127.0.0.1:1"]);
    let (ours, theirs) =
        medians(ROUNDS, || run(&courier, &line), || run("sha256sum".as_ref(), &[file.as_str()]));
    table.at_most(&what, ours, theirs, 1.2);
}

/// A repository that names the installer.
fn serve(folder: &Path, installer: &[u8]) {
    let hashes = Hashes::from([("sha256".to_owned(), Sha256::digest(installer).to_vec())]);
    let file = TargetFile { length: installer.len() as u64, hashes, custom: None };
    let edit = TargetsEdit::PutTarget { path: TARGET.to_owned(), file };
    let role = RoleName::from_name("app");
    let until = time("2099-01-01T00:00:00Z");
    let app = sealed(&make::targets(Profile::Tuf, &role, 1, until, None, &[edit]).unwrap(), &[30]);
    let mut made = Repository::new();
    let targets = &made.files["1.targets.json"];
    let meta = BTreeMap::from([(RoleName::Targets, listed(1, targets)), (role, listed(1, &app))]);
    made.files.insert("1.app.json".to_owned(), app);
    made.write_snapshot(&meta);
    fs::create_dir(folder).unwrap();
    for (name, bytes) in &made.files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}
