//! A root signed across an air gap by codes: drawn by the real binary, written as PNG, read back from
//! the images, on SoftHSM; and what codes of others do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod browser;
mod stage;

use keyrite::ceremony::carry::frames::Collected;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use serde_json::{Value, json};
use stage::{Devices, Done, Stage, fill, shipped, utf8};
use std::fs;
use std::path::{Path, PathBuf};

/// A trust with all its keys; of the roots' tokens the administrator has none.
struct Gap {
    stage: Stage,
    ada: String,
    bruno: String,
    map: PathBuf,
    answers: PathBuf,
    change: String,
}

impl Gap {
    fn new(name: &str) -> Self {
        let limits = Limits::default_for(Profile::Notary);
        let stage = Stage::new(name, Profile::Notary, Kind::Production, &limits);
        let serials = ["root-a", "root-b", "root-c", "targets-1"].map(|key| (key, stage.token(key)));
        let (_, enrolment) = stage.developer("dana");
        let devices = |keys: &[usize]| -> Devices<'_> {
            let devices = stage.devices().backend_elsewhere().enrol("dev-dana", &enrolment);
            keys.iter().fold(devices, |all, at| all.on_token(serials[*at].0, &serials[*at].1))
        };
        let all = devices(&[0, 1, 2, 3]).write("all.toml");
        for runbook in ["01-root-keys", "02-targets-key", "03-enroll"] {
            stage.hold(&all, &first_day(runbook)).1.ended(0);
        }
        let map = devices(&[3]).write("devices.toml");
        let answers = stage.path("answers.toml");
        let plan =
            ["plan", utf8(&first_day("04-root")), "--write-answers", utf8(&answers)].map(str::to_owned);
        let plan: Vec<&str> = plan.iter().map(String::as_str).collect();
        let plan = stage.on(&stage.record, &map, &plan).ended(0).json();
        let change = plan["change"].as_str().unwrap().to_owned();
        let filled = fill(&fs::read_to_string(&answers).unwrap(), &change);
        fs::write(&answers, filled).unwrap();
        let (ada, bruno) = (serials[0].1.clone(), serials[1].1.clone());
        Self { stage, ada, bruno, map, answers, change }
    }

    fn run(&self) -> Done {
        let root = first_day("04-root");
        let line = ["run", utf8(&root), "--answers", utf8(&self.answers), "--unattended"];
        self.stage.on(&self.stage.record, &self.map, &line)
    }

    /// What one side shows: codes in a folder, and the digest that people say.
    fn shows(&self, record: &Path, line: &[&str], into: &Path) -> Value {
        let line = [&["-C", utf8(record), "--json", "qr"], line, &["--into", utf8(into)]].concat();
        self.stage.keyrite(line).ended(0).json()
    }

    /// The other side reads it, where the words that they type are those of this digest.
    fn reads(&self, record: &Path, from: &[&Path], digest: &str) -> Done {
        let answers = self.stage.write("words.toml", &format!("[answers]\nwords = \"{digest}\"\n"));
        let from = from.iter().map(|path| utf8(path));
        let line = ["-C", utf8(record), "--json", "qr", "read"].into_iter().chain(from);
        self.stage.keyrite(line.chain(["--answers", utf8(&answers), "--unattended"]))
    }

    fn status(&self) -> Value {
        self.stage.on(&self.stage.record, &self.map, &["status"]).ended(0).json()
    }
}

fn first_day(runbook: &str) -> PathBuf {
    shipped(&format!("first-day/{runbook}.toml"))
}

fn digest(shown: &Value) -> &str {
    shown["digest"].as_str().unwrap()
}

fn rule(done: Done, code: i32) -> String {
    done.ended(code).json()["error"]["rule"].as_str().unwrap().to_owned()
}

/// Two of three, each on a machine of their own: the request by stick or by codes alone to a folder
/// where nothing was, the answer by one code.
#[test]
fn a_root_is_signed_with_sticks_out_and_one_code_back_and_by_codes_alone() {
    for by_codes in [false, true] {
        let gap = Gap::new(if by_codes { "qr-alone" } else { "qr-back" });
        let stage = &gap.stage;
        gap.run().ended(4);
        for (person, key, serial) in [("ada", "root-a", &gap.ada), ("bruno", "root-b", &gap.bruno)] {
            let copy = stage.path(&format!("{person}-copy"));
            if by_codes {
                let frames = stage.path(&format!("{person}-frames"));
                let shown = gap.shows(&stage.record, &["send", "--for", person], &frames);
                assert!(shown["codes"].as_u64().unwrap() > 20, "{shown}");
                // One of them got lost, another is of something else.
                fs::remove_file(frames.join("frame-003.png")).unwrap();
                fs::copy(
                    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/qr/code.jpg"),
                    frames.join("x.txt"),
                )
                .unwrap();
                fs::write(frames.join("note.png"), "no image").unwrap();
                let read = gap.reads(&copy, &[&frames], digest(&shown)).ended(0).json();
                assert_eq!(read["left"][0]["rule"], "QR-IMAGE", "{read}");
                assert_eq!(read["read"][0]["left"], json!([]), "{read}");
            } else {
                stage.on(&stage.record, &gap.map, &["export", utf8(&copy), "--for", person]).ended(0);
            }
            let own = stage.devices().on_token(key, serial).write(&format!("{person}.toml"));
            let signed = stage.sign(&copy, &own, &gap.change).ended(0).json();
            assert_eq!(signed["signed"].as_array().unwrap().len(), 1, "{signed}");

            let back = stage.path(&format!("{person}-back"));
            let shown = gap.shows(&copy, &["signatures", key], &back);
            assert_eq!(shown["codes"], 1, "{shown}");
            let read =
                gap.reads(&stage.record, &[&back.join("signatures.png")], digest(&shown)).ended(0).json();
            // The root's, and that of the limits.
            assert_eq!(read["read"][0]["taken"].as_array().unwrap().len(), 2, "{read}");
        }
        gap.run().ended(0);
        assert_eq!(stage.verify().ended(0).json()["problems"], json!([]));
        assert_eq!(gap.status()["root"]["version"], 1);
    }
}

/// What is read comes in by its words alone, and codes of others do nothing.
#[test]
fn other_codes_and_other_words_take_nothing_in() {
    let gap = Gap::new("qr-other");
    let stage = &gap.stage;
    gap.run().ended(4);
    let copy = stage.path("copy");
    stage.on(&stage.record, &gap.map, &["export", utf8(&copy), "--for", "ada"]).ended(0);
    let own = stage.devices().on_token("root-a", &gap.ada).write("ada.toml");
    stage.sign(&copy, &own, &gap.change).ended(0);
    let back = stage.path("back");
    let shown = gap.shows(&copy, &["signatures", "root-a"], &back);
    let code = back.join("signatures.png");

    let other = "00".repeat(32);
    assert_eq!(rule(gap.reads(&stage.record, &[&code], &other), 2), "ANSWER-WRONG");
    let elsewhere =
        Stage::new("qr-elsewhere", Profile::Notary, Kind::Production, &Limits::default_for(Profile::Notary));
    assert_eq!(rule(gap.reads(&elsewhere.record, &[&code], digest(&shown)), 1), "QR-UNKNOWN");
    assert_eq!(rule(gap.reads(&stage.record, &[&code.with_extension("svg")], &other), 1), "QR-IMAGE");

    // Frames: too few, of two messages, of another trust.
    let (mine, foreign) = (stage.path("mine"), stage.path("foreign"));
    let all = gap.shows(&stage.record, &["send"], &mine);
    let others = gap.shows(&elsewhere.record, &["send"], &foreign);
    let few = [mine.join("frame-001.png"), mine.join("frame-002.png")];
    assert_eq!(rule(gap.reads(&copy, &[&few[0], &few[1]], digest(&all)), 4), "QR-MISSING");
    // One of another message comes first: then its own lack the rest, and it is told why.
    let strange = stage.path("mine/frame-000.png");
    fs::copy(foreign.join("frame-001.png"), &strange).unwrap();
    let refused = gap.reads(&copy, &[&mine], digest(&all)).ended(1).json();
    assert_eq!(refused["error"]["rule"], "QR-MIXED", "{refused}");
    assert!(refused["error"]["found"].as_str().unwrap().contains("of the first message 1 of"), "{refused}");
    fs::remove_file(strange).unwrap();
    let first =
        fs::read_dir(&foreign).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().unwrap() == "png");
    let first = first.unwrap();
    let read = gap.reads(&copy, &[&few[0], &first, &mine], digest(&all)).ended(0).json();
    assert_eq!(read["left"][0]["rule"], "QR-MIXED", "{read}");
    assert_eq!(rule(gap.reads(&copy, &[&foreign], digest(&others)), 1), "RECORD-CONFLICT");
    assert_eq!(rule(gap.reads(&stage.record, &[&stage.path("nowhere.png")], &other), 3), "MEDIA-READ");

    // Only what the other side lacks.
    let less = gap.shows(&stage.record, &["send", "--besides", utf8(&copy)], &stage.path("less"));
    assert!(less["codes"].as_u64() < all["codes"].as_u64(), "{less} {all}");
    on_paper(&gap, &copy, &less, shown["digest"].as_str().unwrap());
    let line = ["-C", utf8(&stage.record), "--json", "qr", "send", "--besides", utf8(&elsewhere.record)];
    let never = stage.path("never");
    let line = [line.as_slice(), &["--into", utf8(&never)]].concat();
    assert_eq!(rule(stage.keyrite(line), 1), "RECORD-OTHER");

    // Keys and digests are told, and nothing is asked.
    let told =
        |of: &str| stage.keyrite(["-C", utf8(&stage.record), "--json", "qr", "read", utf8(&stage.path(of))]);
    let key = gap.shows(&stage.record, &["key", "root-a"], &stage.path("key"));
    let read = told("key").ended(0).json();
    assert_eq!((&read["read"][0]["key"], &read["read"][0]["identity"]), (&json!("root-a"), &key["digest"]));
    gap.shows(&stage.record, &["digest", &gap.change], &stage.path("digest"));
    let read = told("digest").ended(0).json();
    assert!(read["read"][0]["of"].as_str().unwrap().starts_with("the change"), "{read}");
}

/// The page as a browser prints it, and the SVG files, read by another program than keyrite, and by keyrite
/// from the printed page.
fn on_paper(gap: &Gap, copy: &Path, less: &Value, signatures: &str) {
    let stage = &gap.stage;
    let page = stage.path("codes.html");
    let line =
        ["-C", utf8(&stage.record), "--json", "qr", "send", "--besides", utf8(copy), "--print", utf8(&page)];
    let printed = stage.keyrite(line).ended(0).json();
    assert_eq!(printed["digest"], less["digest"]);
    for (size, ..) in browser::SIZES {
        let pdf = browser::print(&page, size);
        let mut collected = Collected::default();
        let codes = browser::all_scanned(&pdf);
        assert_eq!(
            Some(codes.len() as u64),
            printed["codes"].as_u64(),
            "each code once, whole, on one page: {size}"
        );
        for code in &codes {
            collected.take(&code.text).unwrap();
        }
        let message = collected.message().unwrap();
        assert_eq!(Digest::of(&message).hex(), digest(&printed), "{size}");
        // By keyrite, from the pages as images: a code that one scan has not is on the next, as people scan
        // again what was not read.
        let mut own = Collected::default();
        let read = [200, 150, 300, 240, 400].iter().find_map(|dpi| {
            for png in browser::images(&pdf, *dpi) {
                for text in keyrite::ui::qr::read::texts(fs::read(png).unwrap()).unwrap_or_default() {
                    own.take(&text).unwrap();
                }
            }
            own.message().ok()
        });
        assert_eq!(read.as_ref(), Some(&message), "{size}");
    }
    let drawn = browser::all_scanned(&browser::pdf_of(&stage.path("back/signatures.svg")));
    assert_eq!(drawn.len(), 1, "{drawn:?}");
    assert_eq!(Digest::of(drawn[0].text.as_bytes()).hex(), signatures);
}

/// A picture as large as one may be, and more bits a pixel than any camera's.
fn picture(color: png::ColorType, depth: png::BitDepth, noisy: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 5_000, 5_000);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    let bits = color.samples() * if depth == png::BitDepth::Sixteen { 16 } else { 8 };
    let mut seed = 1_u64;
    let mut byte = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if noisy && seed >> 63 == 1 { 0 } else { 0xff }
    };
    let mut stream = writer.stream_writer().unwrap();
    for _ in 0..5_000 {
        let row: Vec<u8> = (0..5_000 * bits / 8).map(|_| byte()).collect();
        std::io::Write::write_all(&mut stream, &row).unwrap();
    }
    stream.finish().unwrap();
    drop(writer);
    file
}

/// The largest pictures that are read at all, in a process that may have no more than 768 MiB of addresses,
/// libraries, stacks and all: they are refused by a rule, or read, and nothing is aborted.
#[test]
fn one_hostile_image_costs_no_more_memory_than_is_set_aside() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("qr-memory", Profile::Notary, Kind::Production, &limits);
    let mut jpeg = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/qr/code.jpg")).unwrap();
    let head = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[head + 5..head + 9].copy_from_slice(&[0x13, 0x88, 0x13, 0x88]); // 5,000 by 5,000
    let images = [
        ("white.png", picture(png::ColorType::Grayscale, png::BitDepth::Eight, false)),
        ("noise.png", picture(png::ColorType::Grayscale, png::BitDepth::Eight, true)),
        ("deep.png", picture(png::ColorType::Rgba, png::BitDepth::Sixteen, false)),
        ("claims.jpg", jpeg),
    ];
    for (name, bytes) in images {
        let path = stage.path(name);
        fs::write(&path, bytes).unwrap();
        let mut command = std::process::Command::new("sh");
        command.args([
            "-c",
            &format!("ulimit -v {}; exec \"$@\"", 768 * 1024),
            "sh",
            env!("CARGO_BIN_EXE_keyrite"),
        ]);
        command.args(["-C", utf8(&stage.record), "--json", "qr", "read", utf8(&path)]);
        let refused = Done::of(&mut command).ended(1).json()["error"]["rule"].clone();
        let rules = ["QR-NONE", "QR-TIME", "QR-IMAGE"];
        assert!(rules.iter().any(|rule| refused == *rule), "{name}: {refused}");
    }
}
