//! Media that someone hostile prepared: what is on them is named and left, nothing outside the
//! record is touched, nothing blocks (threats T15 to T18).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod kept;

use kept::{Day, folder, put, read, root, sealed, sign, statement, targets, today, tree};
use keyrite::record::manifest::FileName;
use keyrite::record::manifest::Manifest;
use keyrite::record::media::read_file;
use keyrite::record::take_in::ImportReport;
use keyrite::record::{Media, Record};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::{KeyEvent, Sentence};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names that no file of a record or of a backend has, and some that no file can have.
const NAMES: [&str; 64] = [
    "..",
    ".",
    "",
    "/",
    "/etc/passwd",
    "../canary",
    "../../canary",
    "a/../../canary",
    "./canary",
    "..\\canary",
    "\\\\host\\share",
    "C:\\canary",
    "C:canary",
    "~/canary",
    "~root",
    "$HOME",
    "`id`",
    "$(id)",
    "; rm -rf .",
    "| id",
    "-rf",
    "--help",
    "con",
    "CON.json",
    "nul",
    "aux.json",
    "com1",
    "lpt9.json",
    "trust.json ",
    "trust.json.",
    " trust.json",
    "TRUST.JSON",
    "Trust.json",
    "trust.json~",
    ".trust.json",
    "trust.json\n",
    "trust\tjson",
    "trust\u{0}.json",
    "\u{202e}nosj.tsurt",
    "tru\u{200b}st.json",
    "tr\u{fc}st.json",
    "tru\u{308}st.json",
    "\u{1b}[2Jtrust.json",
    "\u{7}",
    "private",
    "private/lock",
    ".git",
    ".git/config",
    ".gitattributes",
    "lost+found",
    "System Volume Information",
    "MANIFEST",
    "README.txt",
    "root.json/",
    "root.json/..",
    "1.root.json.sig",
    "metadata",
    "keys/../trust.json",
    "statements/x.json",
    "changes/change.json",
    ".tmp-x",
    "autorun.inf",
    "%2e%2e%2fcanary",
    "root%00.json",
];

/// A record under a directory with canaries, whose name is beside it.
fn place(test: &str) -> (PathBuf, Day) {
    let dir = folder(test);
    put(&dir, "canary", b"untouched");
    let day = Day::whole(&dir.join("record"));
    (dir, day)
}

fn import(record: &Record, media: &Path) -> ImportReport {
    record.import(&Media::open(media).unwrap(), today()).unwrap()
}

/// The rules by which files were left, sorted.
fn left(report: &ImportReport) -> Vec<&'static str> {
    let mut rules: Vec<_> = report.left.iter().map(|(_, r)| r.rule().name).collect();
    rules.sort_unstable();
    rules
}

#[test]
fn no_name_from_a_medium_becomes_a_path() {
    let (dir, day) = place("names");
    let before = tree(&dir);
    for name in NAMES {
        // As a file on a medium, where a file system can hold such a name.
        let media = folder("names-media");
        if !name.is_empty() && !name.contains(['/', '\0']) && !matches!(name, "." | "..") {
            put(&media, name, b"{}");
            let report = import(&day.record, &media);
            assert_eq!(report.taken, [], "{name:?}");
            for (shown, refusal) in &report.left {
                let text = format!("{shown} {refusal}");
                assert!(
                    text.chars().all(|c| !c.is_control() && c != '\u{202e}' && c != '\u{200b}'),
                    "{text:?}"
                );
            }
        }
        // As a name that a person typed or a runbook has.
        let asked = Media::open(&media.join(".")).unwrap().read(name, 10);
        if name.contains(['/', '\\', '\0']) || matches!(name, "" | "." | "..") {
            assert_eq!(asked.unwrap_err().rule().name, "RECORD-NAME", "{name:?}");
        }
        // As a line of a MANIFEST.
        if name != "MANIFEST" && name != "README.txt" && name.len() > 1 && FileName::parse(name).is_ok() {
            assert!(
                [
                    "metadata",
                    "private",
                    "1.root.json.sig",
                    "TRUST.JSON",
                    "Trust.json",
                    "trust.json~",
                    "%2e%2e%2fcanary",
                    "root%00.json",
                    "autorun.inf"
                ]
                .contains(&name),
                "{name:?}"
            );
        }
        let text = format!(
            "keyrite-upload 1 {} production -\n{}  2  {name}  root\n",
            day.record.trust().id,
            Digest::of(b"{}")
        );
        if let Err(refusal) = Manifest::parse(text.as_bytes()) {
            assert!(
                matches!(refusal.rule().name, "MANIFEST-PATH" | "MANIFEST-FORM" | "ROLE-NAME"),
                "{name:?}: {refusal}"
            );
        } else {
            FileName::parse(name).unwrap();
        }
    }
    assert_eq!(tree(&dir), before);
}

#[test]
fn only_regular_files_are_read() {
    let (dir, day) = place("kinds");
    let before = tree(&dir);
    let media = folder("kinds-media");
    let sha = "0".repeat(64);
    let name = |n: u8| format!("statements/{n}{}.json", &sha[1..]);
    put(&media, "statements/x", b"");
    symlink("/etc/passwd", media.join(name(1))).unwrap();
    symlink("/dev/zero", media.join(name(2))).unwrap();
    symlink("../record/trust.json", media.join("trust.json")).unwrap();
    assert!(Command::new("mkfifo").arg(media.join(name(3))).status().unwrap().success());
    fs::create_dir(media.join(name(4))).unwrap();
    let _socket = UnixListener::bind(media.join("s")).unwrap();
    fs::rename(media.join("s"), media.join(name(5))).unwrap();
    symlink("/", media.join("keys")).unwrap();
    symlink("/etc", media.join("changes")).unwrap();
    let report = import(&day.record, &media);
    assert_eq!(report.taken, []);
    assert_eq!(left(&report), ["MEDIA-KIND"; 8].into_iter().chain(["RECORD-NAME"]).collect::<Vec<_>>());
    for n in 1..=5 {
        let folder = media.join("statements");
        let asked = Media::open(&folder).unwrap().read(&format!("{n}{}.json", &sha[1..]), 1 << 20);
        assert_eq!(asked.unwrap_err().rule().name, "MEDIA-KIND", "{n}");
        assert_eq!(read_file(&media.join(name(n)), 1 << 20).unwrap_err().rule().name, "MEDIA-KIND", "{n}");
    }
    assert_eq!(tree(&dir), before);
    // The same in the record itself.
    symlink("/etc/passwd", day.dir.join(name(1))).unwrap();
    assert_eq!(kept::findings(&day.read()), ["MEDIA-KIND"]);
}

#[test]
fn sizes_are_capped_before_anything_is_read() {
    let (_, day) = place("sizes");
    let media = folder("sizes-media");
    let sha = Digest::of(b"").hex();
    for (name, size) in [
        (format!("statements/{sha}.json"), 64 * 1024 + 1),
        (format!("keys/root-z/{sha}.json"), 1 << 40),
        (format!("limits/2.{sha}.toml"), 256 * 1024 + 1),
        (format!("changes/{sha}/change.json"), 4 * 1024 * 1024 + 1),
        (format!("metadata/root/2.{sha}.json"), 1 << 40),
        (format!("transcripts/{}/000000.{sha}.json", &sha[..32]), 1024 * 1024 + 1),
        (format!("receipts/{sha}.json"), 64 * 1024 + 1),
        ("root.json".to_owned(), 1 << 40),
    ] {
        put(&media, &name, b"");
        // Sparse: it takes no room here, and would take all memory there.
        fs::File::options().write(true).open(media.join(&name)).unwrap().set_len(size).unwrap();
    }
    let report = import(&day.record, &media);
    assert_eq!(report.taken, []);
    assert_eq!(left(&report), ["MEDIA-SIZE"; 8]);
}

#[test]
fn a_file_that_is_not_as_long_as_it_says_is_refused() {
    // The kernel's files say 0 bytes and have more: as one that grows while it is read.
    assert_eq!(read_file(Path::new("/proc/version"), 1 << 20).unwrap_err().rule().name, "MEDIA-CHANGED");
    assert_eq!(read_file(Path::new("/proc/no-such"), 1).unwrap_err().rule().name, "MEDIA-READ");
    assert_eq!(read_file(Path::new("/"), 1).unwrap_err().rule().name, "MEDIA-KIND");
    assert_eq!(Media::open(Path::new("/proc/no-such")).unwrap_err().rule().name, "MEDIA-READ");
}

/// What three custodians post back comes in; what someone planted beside it stays.
#[test]
fn import_takes_what_verifies_and_leaves_the_rest() {
    let dir = folder("take");
    let mut day = Day::begin(&dir.join("record"));
    day.start();
    day.make_keys();
    let change = day.propose();
    let contents = day.read();
    let copy = dir.join("copy");
    let listed = day.record.export(&copy, Some(&"bob".parse().unwrap()), today()).unwrap();
    assert_eq!(listed, tree(&copy).into_keys().collect::<Vec<_>>());
    let theirs = Record::open(&copy).unwrap();
    sign(&theirs, &change, &["root-b"]);

    // Planted on the way back: a signature of root-c that is none, a key, a statement, metadata.
    let (name, good) = tree(&copy).into_iter().find(|(name, _)| name.ends_with(".sig.json")).unwrap();
    let identity = |key: &str| kept::key(key).public().identity().to_string();
    let text = String::from_utf8(good).unwrap();
    let planted = text.replace(&identity("root-b"), &identity("root-c"));
    let planted_name =
        format!("{}.{}.sig.json", &name[..name.len() - 64 - 10], Digest::of(planted.as_bytes()));
    put(&copy, &planted_name, planted.as_bytes());
    let stranger = text.replace(&identity("root-b"), &identity("root-z"));
    put(
        &copy,
        &format!("{}.{}.sig.json", &name[..name.len() - 64 - 10], Digest::of(stranger.as_bytes())),
        stranger.as_bytes(),
    );
    let key =
        day.key_file("root-b", change.digest(), keyrite::ceremony::change::Possession::ByFirstPublication);
    let key = keyrite::record::KeyFile { public: kept::key("root-z").public(), ..key };
    put(&copy, &format!("keys/root-b/{}.json", key.digest()), &key.to_json());
    let lost = Sentence::KeyLife {
        key: kept::key("root-b").public().identity(),
        event: KeyEvent::Lost,
        at: today(),
        root: Digest::of(b""),
    };
    let lost = statement(&contents, "root-z", lost).to_json().unwrap();
    put(&copy, &format!("statements/{}.json", Digest::of(&lost)), &lost);
    let alone = sealed(&root(1, &["root-a", "root-b", "root-c"], None), &["root-b"]);
    put(&copy, &format!("metadata/root/1.{}.json", Digest::of(&alone)), &alone);
    put(&copy, "autorun.inf", b"[autorun]");

    let report = import(&day.record, &copy);
    let taken: Vec<_> = report.taken.iter().map(ToString::to_string).collect();
    assert_eq!(taken.len(), 2, "{taken:?}");
    assert!(taken.iter().all(|name| name.starts_with("changes/") && name.ends_with(".sig.json")));
    assert_eq!(report.by_folder(), [("changes".to_owned(), 2)].into());
    assert_eq!(
        left(&report),
        ["IMPORT-KIND", "KEY-UNWITNESSED", "PLANTED", "RECORD-REST", "ROOT-THRESHOLD-NEW", "SIGNATURE-WRONG"]
    );
    assert!(copy.join("autorun.inf").exists());
    assert_eq!(day.read().findings, []);
    // A second time nothing is new.
    assert_eq!(import(&day.record, &copy).taken, []);
}

/// Whatever order media come in, and whatever each one lacks, the record ends the same.
#[test]
fn media_come_in_in_any_order() {
    let dir = folder("orders");
    let mut day = Day::begin(&dir.join("start"));
    day.start();
    day.make_keys();
    let change = day.propose();
    for name in ["root-a", "root-b", "targets-a"] {
        let copy = dir.join(name);
        day.record.export(&copy, None, today()).unwrap();
        sign(&Record::open(&copy).unwrap(), &change, &[name]);
        drop(Record::open(&copy).unwrap());
    }
    let mut ends = Vec::new();
    for order in [
        ["root-a", "root-b", "targets-a"],
        ["targets-a", "root-b", "root-a"],
        ["root-b", "root-a", "targets-a"],
    ] {
        let record = dir.join(format!("to-{}", order.join("-")));
        day.record.export(&record, None, today()).unwrap();
        for name in order {
            let report = import(&Record::open(&record).unwrap(), &dir.join(name));
            assert_eq!(report.left, []);
        }
        ends.push(tree(&record));
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_medium_of_another_trust_is_refused_whole() {
    let (dir, day) = place("other");
    let (trust, limits) = kept::trust();
    let spec = keyrite::record::TrustSpec {
        profile: keyrite::tuf::profile::Profile::Tuf,
        collection: "updates.example.com/other".to_owned(),
        stage: keyrite::ceremony::facts::Stage::Production,
        limits: trust.limits(),
        shadows: None,
        start: None,
        nonce: [1; 32],
    };
    let other = keyrite::record::TrustFile::new(&spec).unwrap();
    Record::create(&dir.join("other"), &other, limits.as_bytes()).unwrap();
    let media = Media::open(&dir.join("other")).unwrap();
    let refusal = day.record.import(&media, today()).unwrap_err();
    assert_eq!(refusal.rule().name, "RECORD-OTHER");
    // Nor is another's record written into.
    let refusal = day.record.export(&dir.join("other"), None, today()).unwrap_err();
    assert_eq!(refusal.rule().name, "RECORD-CONFLICT");
}

/// A torn file gives way to the right one; a whole one never does.
#[test]
fn import_mends_what_is_torn() {
    let dir = folder("mends");
    let day = Day::whole(&dir.join("record"));
    let copy = dir.join("copy");
    day.record.export(&copy, None, today()).unwrap();
    let whole = tree(&day.dir);
    for start in
        ["statements/", "keys/", "changes/", "transcripts/", "metadata/targets/", "uploads/", "limits/"]
    {
        for name in whole.keys().filter(|name| name.starts_with(start)).take(3) {
            put(&day.dir, name, b"torn");
            let report = import(&day.record, &copy);
            assert_eq!(report.taken.iter().map(ToString::to_string).collect::<Vec<_>>(), [name.as_str()]);
            assert_eq!(tree(&day.dir), whole, "{name}");
        }
    }
    // The other way round: what is torn on the medium stays there.
    for name in whole.keys().filter(|name| name.contains('/')).step_by(4) {
        let good = fs::read(copy.join(name)).unwrap();
        put(&copy, name, b"torn");
        let report = import(&day.record, &copy);
        assert_eq!((report.taken, report.left.len()), (Vec::new(), 1), "{name}");
        assert!(
            matches!(report.left[0].1.rule().name, "RECORD-TORN" | "RECORD-CONFLICT"),
            "{:?}",
            report.left
        );
        put(&copy, name, &good);
    }
    assert_eq!(tree(&day.dir), whole);
}

/// A transcript comes in whole or as the continuation of what is here, never as another story.
#[test]
fn a_transcript_comes_in_only_as_a_continuation() {
    let dir = folder("continuation");
    let mut day = Day::begin(&dir.join("record"));
    day.start();
    let copy = dir.join("copy");
    day.record.export(&copy, None, today()).unwrap();
    day.make_keys();
    day.end();
    let longer = dir.join("longer");
    day.record.export(&longer, None, today()).unwrap();

    assert_eq!(import(&Record::open(&copy).unwrap(), &longer).left, []);
    assert_eq!(tree(&copy), tree(&longer));

    // Another end, by someone who has the record: the own stands.
    let other = dir.join("other");
    day.record.export(&other, None, today()).unwrap();
    let (name, last) = tree(&other).into_iter().rfind(|(name, _)| name.starts_with("transcripts/")).unwrap();
    let changed = String::from_utf8(last).unwrap().replace("\"done\"", "\"refused\"");
    fs::remove_file(other.join(&name)).unwrap();
    let folder = name.rsplit_once('/').unwrap().0.to_owned();
    let seq = name.rsplit_once('/').unwrap().1.split('.').next().unwrap().to_owned();
    put(&other, &format!("{folder}/{seq}.{}.json", Digest::of(changed.as_bytes())), changed.as_bytes());
    let report = import(&day.record, &other);
    assert_eq!(left(&report), ["RECORD-CONFLICT"]);
    assert!(day.read().broken.is_empty());
}

/// A document that verifies, beside the record's own of that version: the own stands.
#[test]
fn a_twin_stays_on_the_medium() {
    let dir = folder("twin");
    let day = Day::whole(&dir.join("record"));
    let expires = kept::time("2027-10-01T13:00:00Z");
    let profile = keyrite::tuf::profile::Profile::Tuf;
    let twin = keyrite::tuf::make::targets(profile, &RoleName::Targets, 1, expires, None, &[]).unwrap();
    let bytes = sealed(&twin, &["targets-a"]);
    put(&dir, "media/targets.json", &bytes);
    let root = root(1, &["root-a", "root-b"], None);
    put(&dir, "media/1.root.json", &sealed(&root, &["root-a", "root-b"]));
    let before = tree(&day.dir);
    let report = import(&day.record, &dir.join("media"));
    assert_eq!(report.taken, []);
    assert_eq!(left(&report), ["RECORD-CONFLICT", "RECORD-CONFLICT"]);
    assert_eq!(tree(&day.dir), before);
    // Copied in by hand it is named, and the one that clients have stands.
    put(&day.dir, &format!("metadata/targets/1.{}.json", Digest::of(&bytes)), &bytes);
    let contents = day.read();
    assert_eq!(kept::findings(&contents), ["RECORD-CONFLICT"]);
    assert_ne!(contents.facts.documents[&RoleName::Targets].bytes(), bytes);
}

/// What a backend serves comes in as it is, if the chain vouches for it.
#[test]
fn published_documents_come_in() {
    let dir = folder("published");
    let day = Day::whole(&dir.join("record"));
    let media = dir.join("media");
    let contents = day.read();
    put(&media, "1.root.json", contents.facts.roots[0].bytes());
    put(&media, "targets.json", contents.facts.documents[&RoleName::Targets].bytes());
    put(&media, "7.targets.json", &sealed(&targets(7), &["targets-a"]));
    put(&media, "targets%2Fapp.json", &sealed(&targets(3), &["targets-a"]));
    put(&media, "9.targets.json", &sealed(&targets(9), &["root-a"]));
    put(&media, "x.root.json", b"{}");
    let report = import(&day.record, &media);
    let taken: Vec<_> = report.taken.iter().map(ToString::to_string).collect();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].starts_with("metadata/targets/7."), "{taken:?}");
    assert_eq!(report.known, 2);
    assert_eq!(report.left.len(), 3);
    assert_eq!(read(&day.dir).facts.documents[&RoleName::Targets].version(), 7);
}
