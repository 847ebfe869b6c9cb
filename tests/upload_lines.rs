//! The lines of an upload's README, typed into a shell: what is fetched is what is served now, however
//! much that is and whatever an earlier fetch left.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

mod stage;

use keyrite::ceremony::facts::{Stage as Kind, Trust};
use keyrite::record::upload::{Beside, Upload};
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::TrustId;
use stage::{block, blocks, shell, utf8};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

/// A web server's folder of a large trust, and a name that is long enough for it.
const SERVED: usize = 40_000;

fn trust(profile: Profile) -> Trust {
    Trust {
        id: TrustId::from_bytes([1; 16]),
        profile,
        collection: "updates.example.com/apps".to_owned(),
        stage: Kind::Rehearsal,
        shadows: None,
        start: None,
    }
}

/// The folder of an upload of one document, with what an earlier fetch left in it; and its lines.
fn carried(name: &str, profile: Profile, server: Option<&str>) -> (PathBuf, Vec<String>) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("upload-lines-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("published/targets")).unwrap();
    for stale in ["published/9.root.json", "published/targets/gone.json", "published/root.json"] {
        fs::write(folder.join(stale), "stale").unwrap();
    }
    let documents = BTreeMap::from([(RoleName::Targets, (3, b"{}".to_vec()))]);
    let delegations = ["targets/camera", "targets/gone"].map(RoleName::from_name).into();
    let beside = Beside { delegations, ..Beside::default() };
    let made = Upload::with(&trust(profile), None, &documents, &beside, server).unwrap();
    for (file, bytes) in made.files() {
        fs::write(folder.join(file.as_str()), bytes).unwrap();
    }
    let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
    (folder, blocks(&readme))
}

/// Every file below a folder, by its path there, with its text.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(below) = open.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = utf8(path.strip_prefix(folder).unwrap()).to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// A backend that serves these documents, 404 for all others, and asks for no token.
fn serves(documents: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let asked = lines.next().unwrap_or_default();
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let path = asked.split(' ').nth(1).unwrap_or_default();
            let name = path.strip_prefix("/v2/updates.example.com/apps/_trust/tuf/").unwrap_or_default();
            let (status, body) =
                if documents.contains(&name) { ("200 OK", name) } else { ("404 Not Found", "") };
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn what_the_backend_no_longer_serves_is_not_fetched() {
    let served = &["root.json", "targets.json", "snapshot.json", "timestamp.json", "targets/camera.json"];
    let address = serves(served);
    let expected: BTreeMap<_, _> =
        served.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    for (name, server) in [("named", Some(address.as_str())), ("typed", None)] {
        let (folder, lines) = carried(name, Profile::Notary, server);
        // Where nobody has named the backend its address is typed, before either line.
        let typed = format!("URL='{address}'\nTOKEN=\n{}", block(&lines, "fetch.curl"));
        for _ in 0..2 {
            shell(&folder, &typed, &[]).ended(0);
            assert_eq!(files(&folder.join("published")), expected, "{name}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_web_server_of_forty_thousand_documents_is_fetched_in_one_line() {
    let (folder, lines) = carried("many", Profile::Tuf, None);
    let kept = folder.join("kept");
    fs::create_dir_all(&kept).unwrap();
    let mut names = BTreeSet::new();
    for number in 0..SERVED {
        let name = format!("{number}.targets%2Fan-application-of-some-name-{number}.json");
        fs::write(kept.join(&name), "{}").unwrap();
        names.insert(name);
    }
    fs::write(kept.join("index.html"), "no metadata").unwrap();
    // Web servers have their newest tree behind a link.
    let repository = folder.join("now of the server");
    std::os::unix::fs::symlink(&kept, &repository).unwrap();
    let most = shell(&folder, "getconf ARG_MAX", &[]).ended(0).text().trim().parse::<usize>().unwrap();
    let line: usize = names.iter().map(|name| utf8(&repository).len() + name.len() + 10).sum();
    assert!(line > most, "{line} bytes of names prove nothing where {most} are allowed");

    let fetch = block(&lines, "find ").replace("/srv/tuf/metadata", &format!("'{}'", utf8(&repository)));
    for _ in 0..2 {
        shell(&folder, &fetch, &[]).ended(0);
        let published: BTreeSet<_> = fs::read_dir(folder.join("published"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(published == names, "{} of {} fetched", published.len(), names.len());
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_line_typed_beside_the_live_repository_deletes_none_of_it() {
    let (folder, lines) = carried("live", Profile::Tuf, None);
    let before = files(&folder);
    let (above, live) = (utf8(&folder), format!("{}/published", utf8(&folder)));
    std::os::unix::fs::symlink("published", folder.join("now")).unwrap();
    for repository in [live.as_str(), "published", "./published/", "now", &format!("{live}/targets")] {
        let fetch = block(&lines, "find ").replace("/srv/tuf/metadata", &format!("'{repository}'"));
        let told = shell(&folder, &fetch, &[]).ended(1).problems();
        assert!(told.contains("REPO is in the folder published"), "{repository}: {told}");
    }
    fs::remove_file(folder.join("now")).unwrap();
    assert!(files(&folder) == before, "something of {above} is gone");
    fs::remove_dir_all(folder).unwrap();
}
