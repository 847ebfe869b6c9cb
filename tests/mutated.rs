//! Bad bytes of every kind, by the thousand: each reader refuses or takes them, and none panics,
//! overflows or takes long. Whole records with one bad file are read to their end.
//!
//! What is mutated is what the program itself wrote on a rehearsed day, and the runbooks that come
//! with it. The mutations are drawn from a fixed seed, so a failure comes back; `MUTATE=SEED` draws
//! others. A panic is the failure: its message has the seed's name and the round.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says where"
)]

mod day;
mod draw;

use day::{Upto, day, told};
use draw::Draw;
use keyrite::ceremony::answers::Answers;
use keyrite::ceremony::attestation::{Anchors, Key};
use keyrite::ceremony::change::{Change, Frame};
use keyrite::ceremony::facts::Trust;
use keyrite::ceremony::kinds;
use keyrite::ceremony::limits::Limits;
use keyrite::ceremony::runbook::Runbook;
use keyrite::ceremony::transcript::Entry;
use keyrite::cli::devices::DeviceMap;
use keyrite::record::manifest::Manifest;
use keyrite::record::receipt::Receipt;
use keyrite::record::{Contents, Inputs, KeyFile, Record, SignedStatement, TrustFile};
use keyrite::signer::keyfile::KeyFile as PrivateFile;
use keyrite::signer::uri::KeyUri;
use keyrite::tuf::chain::RootChain;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::json::Json;
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::statement::Statement;
use keyrite::tuf::time::{Term, Time};
use keyrite::tuf::wire;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Numbers at the edges of what integers hold, and what is no integer at all.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "0.5",
];
/// Texts that are empty, long, turned around, composed, of control characters, dates and paths.
const TEXTS: [&str; 14] = [
    "",
    " ",
    "\u{0}",
    "\u{1b}[2J",
    "\u{202e}abc",
    "e\u{301}",
    "\u{fe0f}",
    "../../etc/passwd",
    "con",
    "9999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "99999999999 years",
    "-1 days",
    "targets/a/b/c",
];

impl Draw {
    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

fn draw() -> Draw {
    let seed = std::env::var("MUTATE").ok().and_then(|seed| seed.parse().ok());
    Draw(seed.unwrap_or(0x6b65_7972_6974_6501_u64).max(1))
}

/// Bytes with a few of them changed, cut, doubled, or replaced by a piece of another seed.
fn bytes(draw: &mut Draw, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..=draw.below(3) {
        let at = draw.below(out.len() + 1);
        let end = (at + draw.below(24)).min(out.len());
        match draw.below(7) {
            0 if !out.is_empty() => {
                let at = at.min(out.len() - 1);
                out[at] ^= 1 << draw.below(8);
            }
            1 => drop(out.drain(at..end)),
            2 => {
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            3 => {
                let from = draw.below(other.len() + 1);
                let to = (from + draw.below(64)).min(other.len());
                out.splice(at..end, other[from..to].iter().copied());
            }
            4 => {
                let number = draw.one_of(&NUMBERS);
                let digits = out[at..].iter().position(u8::is_ascii_digit).map_or(at, |n| at + n);
                let end =
                    out[digits..].iter().position(|b| !b.is_ascii_digit()).map_or(out.len(), |n| digits + n);
                out.splice(digits..end, number.bytes());
            }
            5 => {
                let open = *draw.one_of(&[b'[', b'{', b'"', b'\\', 0xff, b'\n']);
                let many = [1, 40, 20_000][draw.below(3)];
                out.splice(at..at, std::iter::repeat_n(open, many));
            }
            _ => out.truncate(at),
        }
    }
    out
}

/// A JSON text of the same form with one thing in it changed, sorted and spelled as canonical JSON
/// is, so that the readers get past its form.
fn structure(draw: &mut Draw, seed: &Value) -> Vec<u8> {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }
    fn change(draw: &mut Draw, value: &mut Value, at: &mut usize, all: &Value) {
        if *at == 0 {
            *at = usize::MAX;
            let number = draw.one_of(&[0, 1, 2, i64::MAX, i64::MIN, -1, 1 << 32]);
            *value = match draw.below(8) {
                0 => Value::Null,
                1 => Value::from(*number),
                2 => Value::from(*draw.one_of(&TEXTS)),
                3 => Value::Array(vec![]),
                4 => Value::Array(vec![value.clone(), value.clone()]),
                5 => Value::Object(serde_json::Map::new()),
                6 => Value::from("ab".repeat(draw.below(70))),
                _ => all.clone(),
            };
            return;
        }
        *at = at.saturating_sub(1);
        let inner: Vec<&mut Value> = match value {
            Value::Array(items) => items.iter_mut().collect(),
            Value::Object(members) => members.values_mut().collect(),
            _ => return,
        };
        for item in inner {
            let size = count(item);
            if *at < size {
                change(draw, item, at, all);
                return;
            }
            *at -= size;
        }
    }
    let mut value = seed.clone();
    for _ in 0..=draw.below(2) {
        let mut at = draw.below(count(&value));
        if draw.below(4) == 0
            && let Value::Object(members) = &mut value
            && !members.is_empty()
        {
            let name = members.keys().nth(draw.below(members.len())).cloned().unwrap();
            let moved = members.remove(&name).unwrap();
            if draw.below(2) == 0 {
                members.insert(format!("{name}s"), moved);
            }
            continue;
        }
        change(draw, &mut value, &mut at, seed);
    }
    let text = serde_json::to_vec(&value).unwrap();
    Json::parse(&text).map_or(text, |json| json.canonical())
}

/// A text of lines with one value, line or table changed.
fn lines(draw: &mut Draw, seed: &str, other: &str) -> String {
    let mut all: Vec<String> = seed.lines().map(str::to_owned).collect();
    let others: Vec<&str> = other.lines().collect();
    for _ in 0..=draw.below(2) {
        let at = draw.below(all.len());
        let Some(line) = all.get(at).cloned() else { break };
        let value = match draw.below(4) {
            0 => (*draw.one_of(&NUMBERS)).to_owned(),
            1 => format!("\"{}\"", draw.one_of(&TEXTS).escape_debug()),
            2 => format!("[{}]", "\"x\", ".repeat(draw.below(3))),
            _ => format!(
                "\"{} {}\"",
                draw.one_of(&NUMBERS),
                draw.one_of(&["days", "years", "weeks", "months"])
            ),
        };
        match (draw.below(5), line.split_once('=')) {
            (0, _) => drop(all.remove(at)),
            (1, _) => all.insert(at, line),
            (2, _) => all.insert(at, others.get(draw.below(others.len())).copied().unwrap_or("").to_owned()),
            (_, Some((name, _))) => all[at] = format!("{name}= {value}"),
            (_, None) => all.push(format!("x = {value}")),
        }
    }
    all.join("\n")
}

/// Every file beneath a folder whose path ends so.
fn files(folder: &Path, end: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Gives a reader what was mutated of each seed.
fn feed(seeds: &[(PathBuf, Vec<u8>)], rounds: usize, read: impl Fn(&[u8])) {
    assert!(!seeds.is_empty());
    let mut draw = draw();
    for round in 0..rounds {
        let (path, seed) = draw.one_of(seeds);
        let other = &draw.one_of(seeds).1;
        let json: Option<Value> = serde_json::from_slice(seed).ok();
        let bytes = match json {
            Some(json) if draw.below(3) > 0 => structure(&mut draw, &json),
            None if draw.below(3) > 0 && std::str::from_utf8(seed).is_ok() => {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                lines(&mut draw, &text(seed), &text(other)).into_bytes()
            }
            _ => bytes(&mut draw, seed, other),
        };
        let begun = std::time::Instant::now();
        let unwound = Round(path, round);
        read(&bytes);
        std::mem::forget(unwound);
        assert!(begun.elapsed().as_secs() < 10, "{}, round {round}: too long", path.display());
    }
}

/// Says which round it was, if the reader panics in it.
struct Round<'a>(&'a Path, usize);

impl Drop for Round<'_> {
    fn drop(&mut self) {
        eprintln!("the reader panicked: {}, round {}", self.0.display(), self.1);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn trust(record: &Path) -> Trust {
    TrustFile::from_json(&fs::read(record.join("trust.json")).unwrap()).unwrap().trust().clone()
}

/// The records of a rehearsed day, one of each profile.
fn records() -> [PathBuf; 2] {
    let notary = day(Upto::End);
    let tuf = notary.dir.join("tuf");
    let made = day::keyrite(&notary.dir, &["rehearse", "--profile", "tuf", "--into", tuf.to_str().unwrap()]);
    assert!(made.status.success(), "{}", told(&made));
    [notary.record, tuf.join("record")]
}

fn contents(record: &Path) -> Contents {
    let today: Time = "2027-01-01T00:00:00Z".parse().unwrap();
    Record::open(record).unwrap().read_all(today, &Inputs::default()).unwrap()
}

#[test]
fn no_text_that_people_write_panics() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [notary, tuf] = records();
    let facts = [contents(&notary).facts, contents(&tuf).facts];
    let runbooks = files(&root.join("ceremonies"), ".toml");
    feed(&runbooks, 2500, |bytes| {
        let Ok(runbook) = Runbook::parse(&text(bytes)) else { return };
        let Ok(ceremony) = kinds::read(&runbook) else { return };
        for facts in &facts {
            ceremony.held(facts);
            let frame = Frame {
                kind: runbook.kind.clone(),
                title: runbook.title.clone(),
                people: runbook.people.clone(),
                runbook: runbook.digest(),
                held_at: facts.today,
                sign_by: facts.today,
                nonce: [7; 32],
                rehearsal: None,
            };
            if let Ok(change) = ceremony.change(&frame, facts) {
                ceremony.steps(&change, facts).ok();
                keyrite::ceremony::gate::planned(&change, facts).ok();
            }
        }
    });
    let limits = [Profile::Notary, Profile::Tuf]
        .map(|p| (PathBuf::from("limits"), Limits::default_for(p).to_toml().into_bytes()));
    feed(&limits, 3000, |bytes| {
        for profile in [Profile::Notary, Profile::Tuf] {
            if let Ok(limits) = Limits::parse(&text(bytes), profile) {
                assert!(Limits::parse(&limits.to_toml(), profile).is_ok(), "{}", text(bytes));
            }
        }
    });
    let map = "[trust]\nid = \"00112233445566778899aabbccddeeff\"\nroot = { version = 1, payload = \"ab\" }\n[head]\nnewest = \"ab\"\n\
               [backend]\nurl = \"https://x\"\n[module.m]\npath = \"/m\"\nsha256 = \"ab\"\n\
               [key.a]\nuri = \"pkcs11:token=a;serial=b;object=c%20d\"\nmodule = \"m\"\npin = \"tty\"\n[enrol.b]\nfile = \"x\"\n";
    let map = map.replace("\"ab\"", &format!("\"{}\"", "ab".repeat(32)));
    DeviceMap::parse(&map, Path::new(".")).unwrap();
    feed(&[(PathBuf::from("devices.toml"), map.into_bytes())], 3000, |bytes| {
        DeviceMap::parse(&text(bytes), Path::new(".")).ok();
    });
    let answers = b"[answers]\n\"read-back\" = \"same\"\n[01-keys]\nconfirm = \"Yes\"\n".to_vec();
    feed(&[(PathBuf::from("answers"), answers)], 2000, |bytes| drop(Answers::parse(&text(bytes)).ok()));
    let words =
        "pkcs11:token=a;serial=b;object=c%20d?module-path=/x\n2 years\n2026-11-22T13:00:00Z\nfile:a\n";
    feed(&[(PathBuf::from("words"), words.into())], 20_000, |bytes| {
        for line in text(bytes).lines() {
            line.parse::<KeyUri>().ok();
            let time = line.parse::<Time>();
            if let (Ok(term), Ok(time)) = (line.parse::<Term>(), "9999-12-31T23:59:59Z".parse::<Time>()) {
                time.plus(term).ok();
                "0001-01-01T00:00:00Z".parse::<Time>().ok().and_then(|time| time.minus(term).ok());
            }
            if let Ok(time) = time {
                time.date();
                time.days_after("1970-01-01T00:00:00Z".parse().unwrap());
            }
        }
    });
}

#[test]
fn no_file_of_a_record_panics() {
    for record in records() {
        let trust = trust(&record);
        let profile = trust.profile;
        let of = |folder: &str, end: &str| files(&record.join(folder), end);
        feed(&of("metadata", ".json"), 4000, |bytes| {
            for role in [
                RoleName::Root,
                RoleName::Targets,
                RoleName::Snapshot,
                RoleName::Timestamp,
                RoleName::from_name("a"),
            ] {
                if let Ok(envelope) = wire::parse(profile, &role, bytes) {
                    RootChain::start(envelope).ok();
                }
                wire::read_payload(profile, &role, bytes).ok();
            }
            wire::poisonous(bytes).ok();
        });
        feed(&of("keys", ".json"), 3000, |bytes| drop(KeyFile::from_json(bytes).ok()));
        feed(&of("statements", ".json"), 3000, |bytes| {
            SignedStatement::from_json(bytes).ok();
            Statement::from_bytes(bytes).ok();
        });
        feed(&of("transcripts", ".json"), 6000, |bytes| drop(Entry::from_json(bytes).ok()));
        feed(&of("uploads", "MANIFEST"), 3000, |bytes| drop(Manifest::parse(bytes).ok()));
        feed(&of("", "trust.json"), 2000, |bytes| drop(TrustFile::from_json(bytes).ok()));
        feed(&of("changes", "change.json"), 4000, |bytes| {
            let value: Option<Value> = serde_json::from_slice(bytes).ok();
            let items = value.map_or(0, |value| value["items"].as_array().map_or(0, Vec::len));
            let payloads: BTreeMap<usize, Vec<u8>> = (0..items).map(|n| (n, b"{}".to_vec())).collect();
            Change::from_json(bytes, b"x", &payloads, profile).ok();
        });
        let receipt = "{\"at\":\"2026-11-22T13:00:00Z\",\"format\":1,\"manifest\":\"AB\",\"reason\":null,\
             \"result\":\"accepted\",\"served\":{\"targets\":{\"sha256\":\"AB\",\"version\":2}},\"server\":\"https://x\",\"trust\":\"OURS\"}";
        let receipt = receipt.replace("AB", &"ab".repeat(32)).replace("OURS", &trust.id.to_string());
        Receipt::from_json(receipt.as_bytes()).unwrap();
        feed(&[(PathBuf::from("receipt"), receipt.into())], 2000, |bytes| {
            drop(Receipt::from_json(bytes).ok());
        });
        let incoming = record.parent().unwrap().join("incoming");
        feed(&files(&incoming, ""), 3000, |bytes| {
            keyrite::record::enrolment::read(&trust, bytes).ok();
            PublicKey::from_pem(&text(bytes)).ok();
            PublicKey::from_spki_der(bytes).ok();
            PrivateFile::parse(bytes).ok();
        });
    }
    let kept = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keyfiles"), "");
    feed(&kept, 3000, |bytes| drop(PrivateFile::parse(bytes).ok()));
    let others = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), ".json");
    feed(&others, 3000, |bytes| {
        for profile in [Profile::Notary, Profile::Tuf] {
            for role in [RoleName::Root, RoleName::Targets, RoleName::Snapshot] {
                wire::parse(profile, &role, bytes).ok();
            }
        }
    });
}

/// One file of a record changed, under the name that its new content demands: reading goes on, and
/// so do the pages that tell of it.
#[test]
fn no_record_with_one_bad_file_panics() {
    let mut draw = draw();
    for record in records() {
        let today: Time = "2027-01-01T00:00:00Z".parse().unwrap();
        let mut all = files(&record, ".json");
        all.extend(files(&record, ".toml"));
        all.extend(files(&record, "MANIFEST"));
        all.retain(|(path, _)| !path.ends_with("trust.json") && !path.starts_with(record.join("private")));
        for round in 0..120 {
            let (path, seed) = draw.one_of(&all).clone();
            let other = draw.one_of(&all).1.clone();
            let changed = match serde_json::from_slice(&seed) {
                Ok(json) if draw.below(8) > 0 => structure(&mut draw, &json),
                _ => bytes(&mut draw, &seed, &other),
            };
            let (from, to) = named(&path, &seed, &changed);
            fs::rename(&from, &to).unwrap();
            let file = path.strip_prefix(&from).map_or_else(
                |_| to.clone(),
                |rest| if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) },
            );
            fs::write(&file, &changed).unwrap();
            let unwound = Round(&path, round);
            if let Ok(contents) = Record::open(&record).unwrap().read_all(today, &Inputs::default()) {
                for stored in contents.changes.values() {
                    if let Ok(standing) = &stored.standing {
                        standing.words();
                    }
                    contents.require_sound(&stored.change).ok();
                    contents.late(stored);
                }
                contents.unpublished_uploads();
                contents.loose_documents();
                contents.loose_heads();
            }
            if round % 25 == 0 {
                for line in [&["status"][..], &["status", "--who"], &["verify"]] {
                    let out = day::keyrite(&record, line);
                    assert!(
                        out.status.code().is_some_and(|code| code != 101),
                        "{}: {}",
                        path.display(),
                        told(&out)
                    );
                }
            }
            std::mem::forget(unwound);
            fs::write(&file, &seed).unwrap();
            fs::rename(&to, &from).unwrap();
        }
    }
}

/// What carries a file's digest in its name, as it is and as it has to be: the file, or its folder.
fn named(path: &Path, old: &[u8], new: &[u8]) -> (PathBuf, PathBuf) {
    let (old, new) = (Digest::of(old).hex(), Digest::of(new).hex());
    let whole = path.to_str().unwrap();
    let Some(at) = whole.rfind(&old) else { return (path.to_owned(), path.to_owned()) };
    let end = whole[at..].find('/').map_or(whole.len(), |n| at + n);
    (PathBuf::from(&whole[..end]), PathBuf::from(format!("{}{new}{}", &whole[..at], &whole[at + 64..end])))
}

/// Certificates that devices gave, in the place of the key's and of its issuers: a real chain whose
/// every rule but that of the firmware holds, so that nothing on the way is left out.
#[test]
fn no_attestation_panics_or_proves() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/piv-attestations");
    let der = |path: &PathBuf| pem::parse(fs::read_to_string(path).unwrap()).unwrap().into_contents();
    let seeds: Vec<(PathBuf, Vec<u8>)> =
        files(&folder, "_cert.pem").into_iter().map(|(path, _)| (path.clone(), der(&path))).collect();
    let of = |end: &str| der(&folder.join(format!("13078778/13078778_{end}.pem")));
    let (own, device, public) =
        (of("key_cert"), of("device_cert"), PublicKey::from_spki_der(&of("pubkey")).unwrap());
    let anchors = Anchors::pinned();
    let judged = |certificates: Vec<&[u8]>| {
        let (serial, token) = ("13078778", "piv");
        let key = Key { public: &public, token, serial, certificates, exportable_under: None, at: None };
        key.judge(&anchors)
    };
    let right = judged(vec![&own, &device]);
    assert!(right.words().ends_with("fails ATTESTATION-FIRMWARE"), "{}", right.words());
    feed(&seeds, 40_000, |bytes| {
        assert!(bytes == own || judged(vec![bytes, &device]) != right);
        assert!(bytes == device || judged(vec![&own, bytes]) != right);
        assert!(!judged(vec![&own, &device, bytes]).is_proven());
    });
}
