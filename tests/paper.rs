//! What is printed: the ceremony's script, looked at as a browser prints it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod browser;
mod day;
mod stage;

use browser::{Page, SIZES, dom, pages, print, scanned};
use day::{Day, Upto, day, told};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use stage::{Stage, shipped, utf8};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = include_str!("../ceremonies/first-day/04-root.toml");

/// Plans the runbook and prints its script; the file, and what `--json` said.
fn script(day: &Day, runbook: &str) -> (PathBuf, serde_json::Value) {
    let file = day.dir.join("root.toml");
    fs::write(&file, runbook).unwrap();
    let html = day.dir.join("script.html");
    let arguments = ["--json", "plan", file.to_str().unwrap(), "--print", html.to_str().unwrap()];
    let out = day.keyrite(&arguments);
    assert!(out.status.success(), "{}", told(&out));
    (html, serde_json::from_slice(&out.stdout).unwrap())
}

/// A page that names nothing outside of itself and runs nothing.
fn self_contained(html: &Path) {
    let text = fs::read_to_string(html).unwrap().to_lowercase();
    for word in [
        "<script", "<link", "<img", "<iframe", "<a ", "src=", "href=", "url(", "@import", "http:", "https:",
        "onload",
    ] {
        assert!(!text.contains(word), "{word} in {}", html.display());
    }
    assert!(text.contains("default-src 'none'"));
}

/// Every word stands within the margins of the paper, and no page is empty.
fn within_margins(pages: &[Page], (size, width, height): (&str, f64, f64)) {
    assert!(!pages.is_empty());
    for (page, number) in pages.iter().zip(1..) {
        assert!((page.width - width).abs() < 1.5 && (page.height - height).abs() < 1.5, "{size}: {page:?}");
        let to_be_filled = page.text().contains("None is written as");
        assert!(
            to_be_filled || page.filled() > 0.25,
            "{size}: page {number} is all but empty: {}",
            page.text()
        );
        assert!(page.overlap().is_none(), "{size}, page {number}: {:?}", page.overlap());
        for word in &page.words {
            // 15 mm at the sides; head and foot stand in the margins above and below.
            let fits = word.left > 42.0
                && word.right < width - 42.0
                && word.top > 14.0
                && word.bottom < height - 14.0;
            assert!(fits, "{size}, page {number}: {word:?}");
        }
        assert!(page.text().contains(&format!("page {number} of {}", pages.len())), "{}", page.text());
    }
}

/// The digest in hexadecimal and in its numbered words, as it is printed.
fn printed(digest: Digest) -> (String, String) {
    let hex = digest.hex();
    let groups: Vec<&str> = (0..8).map(|n| &hex[n * 8..n * 8 + 8]).collect();
    let words = digest.words().iter().zip(1..).map(|(word, n)| format!("{n} {word}")).collect::<Vec<_>>();
    (groups.join(" "), words.join(" "))
}

/// A step is on one page from its number at the left to its name at the end, with its boxes; the
/// heading stands above the first.
fn each_step_on_one_page(pages: &[Page], steps: &[&str], size: &str) {
    let mut met = 0;
    for page in pages {
        let named = |w: &&browser::Word| (60.0..90.0).contains(&w.left) && steps.contains(&w.text.as_str());
        let named: Vec<&str> = page.words.iter().filter(named).map(|word| word.text.as_str()).collect();
        let heading = page.text().contains("Each step is done as it is printed");
        assert_eq!(heading, named.first() == steps.first(), "{size}: {}", page.text());
        if named.is_empty() {
            continue;
        }
        let left = page.words.iter().filter(|word| word.left < 60.0).filter_map(|w| w.text.parse().ok());
        let numbered: Vec<&str> = left.map(|number: usize| steps[number - 1]).collect();
        assert_eq!(named, numbered, "{size}: {}", page.text());
        let boxes = page.words.iter().filter(|w| w.text == "initials" && w.left > 400.0).count();
        assert_eq!(boxes, named.len(), "{}", page.text());
        met += named.len();
    }
    assert_eq!(met, steps.len(), "{size}");
}

#[test]
fn the_script_prints_whole_on_a4_and_letter() {
    let day = day(Upto::Keys);
    let (html, json) = script(&day, ROOT);
    self_contained(&html);
    let change: Digest = json["change"].as_str().unwrap().parse().unwrap();
    let steps: Vec<&str> = json["steps"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert!(steps.contains(&"sign.root-a.0") && steps.contains(&"witness.wim"), "{steps:?}");
    let folder = day.record.join("changes").join(change.hex());
    let payloads: Vec<Digest> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".payload.json"))
        .map(|path| Digest::of(&fs::read(path).unwrap()))
        .collect();
    assert_eq!(payloads.len(), 3, "root, targets, limits");
    for size in SIZES {
        let pdf = print(&html, size.0);
        let pages = pages(&pdf);
        within_margins(&pages, size);
        let first = pages[0].text();
        for said in [
            "REHEARSAL",
            "Root of trust",
            "ada administrator root-a",
            "bruno custodian root-b",
            "wim witness",
            "place begun, date and time",
        ] {
            assert!(first.contains(said), "{}: no {said} on the first page: {first}", size.0);
        }
        let (hex, words) = printed(change);
        assert!(first.contains(&hex) && first.contains(&words), "{first}");
        assert_eq!(scanned(&pdf), change.hex(), "{}", size.0);
        each_step_on_one_page(&pages, &steps, size.0);
        let whole = pages.iter().map(Page::text).collect::<Vec<_>>().join(" ");
        for payload in &payloads {
            let (hex, words) = printed(*payload);
            assert!(whole.contains(&hex) && whole.contains(&words), "{}: {hex}", size.0);
        }
        for row in [
            "root 1 any 2 root-a, root-b, root-c",
            "targets 1 any 1 targets-1",
            "the limits statement any 2 root-a, root-b, root-c",
            "gets a dash in both boxes",
        ] {
            assert!(whole.contains(row), "{}: {row} in {whole}", size.0);
        }
        for sheet in ["What customers' clients will make of it", "Exceptions", "At the end", "Signatures"] {
            assert!(whole.contains(sheet), "{}: {sheet}", size.0);
        }
    }
}

/// A trust after its first day, in which these runbooks have been rehearsed since; and its device map.
fn after(first: &Path, name: &str, runbooks: &[&str]) -> (PathBuf, PathBuf) {
    let dir = first.parent().unwrap().join(name);
    let into = dir.to_str().unwrap();
    let mut line = vec!["rehearse", "--from", first.to_str().unwrap(), "--into", into];
    let paths: Vec<_> = runbooks.iter().map(|runbook| shipped(runbook)).collect();
    line.extend(paths.iter().map(|path| utf8(path)));
    let out = day::keyrite(first.parent().unwrap(), &line);
    assert!(out.status.success(), "{}", told(&out));
    let record = dir.join("record");
    let out = day::keyrite(&dir, &["-C", utf8(&record), "--json", "status"]);
    let status: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let trust = fs::read(record.join("trust.json")).unwrap();
    let trust: serde_json::Value = serde_json::from_slice(&trust).unwrap();
    let (version, payload) = (&status["root"]["version"], &status["root"]["payload"]);
    let map = record.join("devices.toml");
    let root =
        format!("[trust]\nid = {}\nroot = {{ version = {version}, payload = {payload} }}\n", trust["id"]);
    fs::write(&map, root).unwrap();
    (record, map)
}

/// A name, what is rehearsed before, what is printed, who signs on the title page, and what is needed.
type Printed =
    (&'static str, &'static [&'static str], &'static str, &'static [&'static str], &'static [&'static str]);

#[test]
fn the_scripts_of_other_kinds_print_whole_too() {
    let day = day(Upto::End);
    let kinds: [Printed; 3] = [
        (
            "rotate",
            &["rotate-root/01-root-key.toml"],
            "rotate-root/02-rotate.toml",
            &["ada administrator root-a", "carla custodian root-c", "dora custodian root-d", "wim witness"],
            &[
                "root 2 any 2, as the root before demands root-a, root-b, root-c",
                "root 2 any 2 root-a, root-b, root-d",
            ],
        ),
        (
            "person",
            &["person-revoked/01-keys.toml"],
            "person-revoked/02-revoke.toml",
            &["nora custodian root-d", "bruno brings a token"],
            &[
                "root 2 any 2, as the root before demands root-a, root-b, root-c",
                "root 2 any 2 root-a, root-c, root-d",
            ],
        ),
        (
            "lost",
            &["break-glass/root-key-lost/01-root-key.toml"],
            "break-glass/root-key-lost/02-recover.toml",
            &["dora custodian root-d", "wim witness"],
            &[
                "root 2 any 2, as the root before demands root-a, root-b",
                "the key-life statement any 2 root-a, root-b, root-d",
            ],
        ),
    ];
    for (name, before, runbook, people, needed) in kinds {
        let (record, map) = after(&day.record, name, before);
        let html = record.with_extension("html");
        let line = ["-C", utf8(&record), "--devices", utf8(&map), "--json", "plan"];
        let runbook = shipped(runbook);
        // A map beside the record that had to be named is named in what comes next, too.
        let out =
            day::keyrite(&day.dir, &["-C", utf8(&record), "--devices", utf8(&map), "plan", utf8(&runbook)]);
        let said = told(&out).replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
        let next = format!("keyrite -C {} --devices {} run {}", utf8(&record), utf8(&map), utf8(&runbook));
        assert!(said.contains(&next), "{next} in {said}");
        let line: Vec<_> = line.into_iter().chain([utf8(&runbook), "--print", utf8(&html)]).collect();
        let out = day::keyrite(&day.dir, &line);
        assert!(out.status.success(), "{}", told(&out));
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let steps: Vec<&str> =
            json["steps"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        self_contained(&html);
        for size in SIZES {
            let pdf = print(&html, size.0);
            let pages = pages(&pdf);
            within_margins(&pages, size);
            each_step_on_one_page(&pages, &steps, size.0);
            for person in people {
                assert!(
                    pages[0].text().contains(person),
                    "{name}, {}: {person} in {}",
                    size.0,
                    pages[0].text()
                );
            }
            let whole = pages.iter().map(Page::text).collect::<Vec<_>>().join(" ");
            for row in needed {
                assert!(whole.contains(row), "{name}, {}: {row} in {whole}", size.0);
            }
            assert_eq!(scanned(&pdf), json["change"].as_str().unwrap(), "{name}, {}", size.0);
        }
    }
}

#[test]
fn many_people_with_long_names_and_titles_have_room() {
    let day = day(Upto::Keys);
    let title = "The root of trust of every update service of the northern and the southern works";
    let mut runbook = ROOT.replace("Root of trust", title);
    let names: Vec<String> = ('a'..='i')
        .map(|c| format!("{c}-person-of-a-name-as-long-as-the-record-can-have-one-and-no-longer"))
        .collect();
    let names: Vec<&str> = names.iter().map(|name| &name[..64]).collect();
    let mut people = String::new();
    for name in &names {
        writeln!(people, "{name} = \"custodian\"").unwrap();
    }
    runbook = runbook.replace("[people]\n", &format!("[people]\n{people}"));
    let (html, json) = script(&day, &runbook);
    let steps: Vec<&str> = json["steps"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    for size in SIZES {
        let pages = pages(&print(&html, size.0));
        within_margins(&pages, size);
        each_step_on_one_page(&pages, &steps, size.0);
        let whole: String =
            pages.iter().flat_map(|page| page.words.iter()).map(|word| word.text.as_str()).collect();
        assert!(names.iter().all(|name| whole.contains(name)), "{}: {whole}", size.0);
    }
}

#[test]
fn the_script_is_made_once_and_the_same_again() {
    let day = day(Upto::Keys);
    let (html, _) = script(&day, ROOT);
    let first = fs::read(&html).unwrap();
    script(&day, ROOT);
    assert_eq!(fs::read(&html).unwrap(), first, "the same open change prints the same script");
    fs::write(&html, "somebody's notes").unwrap();
    let runbook = day.dir.join("root.toml");
    let out = day.keyrite(&["plan", runbook.to_str().unwrap(), "--print", html.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1));
    assert!(told(&out).contains("FILE-EXISTS"), "{}", told(&out));
    assert_eq!(fs::read(&html).unwrap(), b"somebody's notes");
}

#[test]
fn a_hostile_title_is_only_text() {
    let title = "<script>alert(1)</script> & \\\"quoted' <b onclick=x>&lt;</style>";
    let day = day(Upto::Keys);
    let runbook = ROOT.replace("Root of trust", title);
    assert_ne!(runbook, ROOT);
    let note = "[[before]]\nquestion = \"</p></body><img src=x onerror=alert(2)>\"\n";
    let (html, _) = script(&day, &format!("{runbook}\n{note}"));
    let understood = dom(&html);
    for tag in ["<script", "<img", "<b onclick", "<b>onclick"] {
        assert!(!understood.to_lowercase().contains(tag), "{tag} in\n{understood}");
    }
    assert_eq!(understood.matches("</body>").count(), 1);
    let text = pages(&print(&html, "A4")).iter().map(Page::text).collect::<Vec<_>>().join(" ");
    for said in [
        "<script>alert(1)</script> & \"quoted' <b onclick=x>&lt;</style>",
        "</p></body><img src=x onerror=alert(2)>",
    ] {
        assert!(text.contains(said), "{said} in\n{text}");
    }
}

/// A trust of profile `tuf` whose keys are in files, with its first root; and the device map.
fn rooted() -> (Stage, PathBuf) {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    limits.online.timestamp.insert("online-timestamp".parse().unwrap());
    let stage = Stage::new("paper-folder", Profile::Tuf, Kind::Rehearsal, &limits);
    fs::create_dir_all(stage.path("keys")).unwrap();
    let mut devices = stage.devices();
    let people = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
    let mut keys = format!("ceremony = \"generate-key\"\ntitle = \"Keys\"\n{people}");
    for (key, holder, purpose) in [
        ("root-a", "ada", "root"),
        ("root-b", "bruno", "root"),
        ("root-c", "carla", "root"),
        ("targets-1", "uma", "targets"),
        ("online-snapshot", "operations", "snapshot"),
        ("online-timestamp", "operations", "timestamp"),
    ] {
        devices = devices.in_file(key, &format!("keys/{key}.pem"));
        writeln!(keys, "[[key]]\nname = \"{key}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"").unwrap();
    }
    let devices = devices.in_file("root-d", "keys/root-d.pem");
    let runbook = stage.write("keys.toml", &keys);
    let map = devices.write("first.toml");
    stage.hold(&map, &runbook).1.ended(0);
    stage.hold(&map, &shipped("first-day-tuf/04-root.toml")).1.ended(0);
    let map = devices.knowing(&stage.root()).write("devices.toml");
    (stage, map)
}

#[test]
fn a_folder_is_printed_as_far_as_it_can_be_known_and_the_rest_when_it_can() {
    let (stage, map) = rooted();
    let folder = stage.path("rotate");
    fs::create_dir_all(&folder).unwrap();
    for name in ["01-root-key.toml", "02-rotate.toml"] {
        fs::copy(shipped(&format!("rotate-root/{name}")), folder.join(name)).unwrap();
    }
    // As people type it, where the record is: what is next is what they read.
    let plan = |code| {
        let line = ["-C", "record", "--devices", utf8(&map), "plan", "rotate", "--print", "script.html"];
        stage.keyrite(line).ended(code).text()
    };
    let read = |said: &str, line: &str| {
        let said: Vec<_> = said.split_whitespace().filter(|word| *word != "\\").collect();
        let said = said.join(" ");
        assert!(said.contains(line), "{line}\n{said}");
    };
    let said = plan(4);
    let keyrite = format!("keyrite -C record --devices {}", utf8(&map));
    for line in [
        "print script.01-root-key.html from a browser, on A4 or Letter".to_owned(),
        format!("{keyrite} run rotate/01-root-key.toml holds what is printed"),
        format!("{keyrite} plan rotate --print script.html then prints the rest"),
    ] {
        read(&said, &line);
    }
    assert!(!said.contains("script.02") && !said.contains("NAME"), "{said}");
    let first = stage.path("script.01-root-key.html");
    self_contained(&first);
    for size in SIZES {
        let pages = pages(&print(&first, size.0));
        within_margins(&pages, size);
        let text = pages.iter().map(Page::text).collect::<Vec<_>>().join(" ");
        for said in ["What comes after this part", "known only when this part is held"] {
            assert!(text.contains(said), "{}: {said}\n{text}", size.0);
        }
        let later = pages.iter().find(|page| page.text().contains("What comes after this part")).unwrap();
        let row = "Root key D for root key C rotate-root ada, bruno, carla, dora, wim";
        assert!(later.text().contains(row), "{}: {row}\n{}", size.0, later.text());
    }

    stage.hold(&map, &folder.join("01-root-key.toml")).1.ended(0);
    let said = plan(0);
    read(&said, "print script.02-rotate.html from a browser, on A4 or Letter");
    read(&said, &format!("{keyrite} run rotate holds it"));
    assert!(!said.contains("script.01"), "what is held is not printed again: {said}");
    let text = pages(&print(&stage.path("script.02-rotate.html"), "A4"));
    let text = text.iter().map(Page::text).collect::<Vec<_>>().join(" ");
    assert!(!text.contains("What comes after") && text.contains("dora"), "{text}");
    stage.hold(&map, &folder.join("02-rotate.toml")).1.ended(0);
    assert_eq!(stage.root().0, 2);
}
