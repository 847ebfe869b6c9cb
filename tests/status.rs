//! `status` as the one page to open: every item that it owes, each by an assertion of its own, on a trust in
//! which something is open, something was withdrawn too late, and a roll-call was half answered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod duo;
mod stage;

use duo::Duo;
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::profile::Profile;
use serde_json::json;
use stage::{Stage, utf8};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// A day so many years from today, as pages write it.
fn in_years(years: i32) -> String {
    let done = Command::new("date").args(["-u", "-d", &format!("{years} years"), "+%F"]).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// The rows of a page's table below a heading, each as its words; a row goes on in lines below it whose first
/// column is empty.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let below =
        page.split(&format!("\n  {heading}\n\n")).nth(1).unwrap_or_else(|| panic!("no {heading}: {page}"));
    let lines: Vec<&str> = below.lines().take_while(|line| !line.is_empty()).collect();
    let rule: Vec<char> = lines[1].chars().collect();
    let starts: Vec<usize> =
        (0..rule.len()).filter(|at| rule[*at] != ' ' && (*at == 0 || rule[at - 1] == ' ')).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in &lines[2..] {
        let line: Vec<char> = line.chars().collect();
        let cell = |column: usize| {
            let end = starts.get(column + 1).copied().unwrap_or(line.len()).min(line.len());
            line[starts[column].min(end)..end].iter().collect::<String>().trim().to_owned()
        };
        let cells: Vec<String> = (0..starts.len()).map(cell).collect();
        match rows.last_mut() {
            Some(last) if cells[0].is_empty() => {
                for (whole, more) in last.iter_mut().zip(cells).filter(|(_, more)| !more.is_empty()) {
                    *whole = format!("{whole} {more}");
                }
            }
            _ => rows.push(cells),
        }
    }
    rows
}

fn column<'a>(rows: &'a [Vec<String>], name: &str, at: usize) -> &'a str {
    let row = rows.iter().find(|row| row[0] == name || row[1] == name);
    &row.unwrap_or_else(|| panic!("no {name}: {rows:?}"))[at]
}

#[test]
fn the_page_has_every_item_that_it_owes() {
    let duo = Duo::rooted("status", Kind::Rehearsal);
    let stage = &duo.stage;
    // A grant; a root that was withdrawn when it had its signatures; one that waits for Bruno; a roll-call
    // that one has answered.
    let (_, enrolment) = stage.developer("dana");
    let enrol = duo.all().enrol("dev-dana", &enrolment).knowing(&stage.root()).write("dana.toml");
    let key = "[[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n";
    stage.hold(&enrol, &duo.runbook("Dana", "enroll-key", key)).1.ended(0);
    let grant = "[delegation]\napplication = \"camera-station\"\nkeys = [\"dev-dana\"]\nthreshold = 1\n\
        paths = [\"camera-station/\", \"common/\"]\nvalid-for = \"1 year\"\n";
    duo.holds("Camera station", "grant-delegation", grant);
    duo.everyone(&duo.rotation("Dora for Bruno", "root-d"));
    let loose = stage.root().1;
    duo.everyone(&duo.withdrawal("Dora for Bruno", ""));
    stage.hold(&duo.map(&["root-a"]), &duo.runbook("Call", "roll-call", "[roll-call]\n")).1.ended(4);
    let rotation = duo.rotation("Carla for Bruno", "root-c");
    let (change, waits) = stage.hold(&duo.map(&["root-a"]), &rotation);
    waits.ended(4);

    let calendar = stage.path("due.ics");
    let line = ["-C", utf8(&stage.record), "status"];
    let page = stage.keyrite(line).ended(0).text();
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = stage.keyrite([&line[..], &["--json"]].concat()).ended(0).json();

    // Roles, with thresholds, holders and spares.
    let roles = rows(&page, "Roles");
    let names: Vec<_> = roles.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["root", "targets", "snapshot", "timestamp", "targets/camera-station"]);
    assert_eq!((column(&roles, "root", 2), column(&roles, "targets", 2)), ("2", "1"), "thresholds");
    assert_eq!(column(&roles, "root", 3), "root-a (ada), root-b (bruno)", "holders");
    assert_eq!(column(&roles, "targets/camera-station", 3), "dev-dana (dana)", "holders");
    assert_eq!((column(&roles, "root", 4), column(&roles, "targets", 4)), ("0", "0"), "spares");
    // Certificates and documents, the first to end first.
    let ends = rows(&page, "What ends");
    let days: Vec<_> = ends.iter().map(|row| row[0].clone()).collect();
    assert!(days.is_sorted(), "{ends:?}");
    assert_eq!(column(&ends, "targets", 0), in_years(1), "a document");
    assert_eq!(column(&ends, "root", 0), in_years(2), "a document");
    assert_eq!(column(&ends, "certificate of root-b", 0), in_years(10), "a certificate");
    // The last roll-call, of all who hold keys of root and targets.
    let today = in_years(0);
    assert!(flat.contains(&format!("last roll-call {today}, 1 of 3 keys so far")), "{flat}");
    // What is open, and who is still needed.
    assert!(flat.contains("Open: Carla for Bruno state waits for signatures"), "{flat}");
    assert!(flat.contains("bruno with the key root-b: still needed"), "{flat}");
    assert!(flat.contains("Withdrawn: Dora for Bruno"), "{flat}");
    let open = found["changes"].as_array().unwrap().iter().find(|c| c["title"] == "Carla for Bruno").unwrap();
    assert_eq!(open["needed"], json!(["root-b", "root-c"]), "{open}");
    // What met its threshold and is not to be used.
    assert!(flat.contains("LOOSE-DOCUMENT") && flat.contains("root 2, withdrawn after"), "{flat}");
    assert_eq!(found["loose"], json!([{"role": "root", "version": 2, "payload": loose}]));
    // What comes next, as a line that goes through as it is typed.
    let next = duo.next("goes on with \"Carla for Bruno\"").unwrap();
    let typed = next.split("    ").next().unwrap();
    assert!(typed.contains(&format!("changes/{}", &change[..16])), "{next}");
    let plan = typed.replace(" run ", " plan ").replacen("keyrite", env!("CARGO_BIN_EXE_keyrite"), 1);
    let map = format!(" --devices {} plan ", utf8(&duo.map(&["root-a"])));
    let again = stage::shell(&stage.dir, &plan.replace(" plan ", &map), &[]).ended(0).text();
    assert!(again.contains("Carla for Bruno"), "{again}");

    // Person, application, paths.
    let who = stage.keyrite([&line[..], &["--who"]].concat()).ended(0).text();
    let table: Vec<_> =
        who.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "dana targets/camera-station camera-station/..., dev-dana alone",
        "uma targets everything targets-1 alone",
    ] {
        assert!(table.iter().any(|line| line == row), "{row}: {who}");
    }
    assert!(who.contains("common/..."), "{who}");
    assert!(!who.contains("ada") && !who.contains("backend"), "who releases nothing: {who}");

    // A calendar, in which every ending has its day.
    stage.keyrite([&line[..], &["--calendar", utf8(&calendar)]].concat()).ended(0);
    let ics = fs::read_to_string(&calendar).unwrap();
    assert!(ics.starts_with("BEGIN:VCALENDAR\r\n") && ics.ends_with("END:VCALENDAR\r\n"), "{ics}");
    let unfolded = ics.replace("\r\n ", "");
    for row in &ends {
        let day = row[3].replace('-', "");
        let event =
            unfolded.split("BEGIN:VEVENT").find(|event| event.contains(&row[1]) && event.contains(&day));
        assert!(event.is_some(), "{row:?}: {ics}");
    }
}

/// Anyone can plan a change, and an upload that waits may be what takes a stolen key away.
#[test]
fn an_open_change_hides_no_upload_that_waits() {
    let duo = Duo::rooted("status-waits", Kind::Rehearsal);
    let stage = &duo.stage;
    let next = || {
        let page = stage.keyrite(["-C", utf8(&stage.record), "status", "--json"]).ended(0).json();
        let lines = page["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    let place = |lines: &[String], what: &str| {
        lines.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what}: {lines:#?}"))
    };
    duo.everyone(&duo.rotation("Dora for Bruno", "root-d"));
    let upload = "hand the upload of \"Dora for Bruno\"";
    place(&next(), upload);
    // A roll-call keeps nobody waiting, so it comes after.
    stage.hold(&duo.map(&["root-a"]), &duo.runbook("Call", "roll-call", "[roll-call]\n")).1.ended(4);
    let lines = next();
    assert!(place(&lines, upload) < place(&lines, "goes on with \"Call\""), "{lines:#?}");
    // Any other change is what people were at, and comes first.
    let more = "[root]\nadd = [\"root-c\"]\nvalid-for = \"2 years\"\n";
    stage.hold(&duo.map(&["root-a"]), &duo.runbook("Carla too", "rotate-root", more)).1.ended(4);
    let lines = next();
    assert!(place(&lines, "goes on with \"Carla too\"") < place(&lines, upload), "{lines:#?}");
}

/// Of what waits for signatures that comes first which is to be signed first, whatever the digests.
#[test]
fn what_is_to_be_signed_earliest_is_named_first() {
    let duo = Duo::rooted("status-order", Kind::Rehearsal);
    let stage = &duo.stage;
    let calls: Vec<_> =
        (1..=4).map(|number| duo.runbook(&format!("Call {number}"), "roll-call", "[roll-call]\n")).collect();
    let some = duo.map(&["root-a"]);
    for call in &calls {
        stage.hold(&some, call).1.ended(4);
        // Days to sign are counted from planning, in seconds.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }
    // Planned last, and the first that others may be waiting for.
    let tables = "[renew]\nwithin = \"30 months\"\nroles = [\"root\"]\n[root]\nvalid-for = \"3 years\"\n";
    let renewal = duo.runbook("Once more", "renew", tables);
    stage.hold(&some, &renewal).1.ended(4);
    let all = duo.map(&["root-a", "root-b", "targets-1"]);
    let first = || duo.next("goes on with").unwrap_or_else(|| panic!("{}", duo.status()));
    assert!(first().ends_with("goes on with \"Once more\""), "{}", first());
    stage.hold(&all, &renewal).1.ended(0);
    let knowing = duo.map(&["root-a", "root-b", "targets-1"]);
    for (number, call) in (1..).zip(&calls) {
        assert!(first().ends_with(&format!("goes on with \"Call {number}\"")), "{}", first());
        stage.hold(&knowing, call).1.ended(0);
    }
    assert_eq!(duo.next("goes on with"), None);
}

/// A rehearsal's documents go to this machine alone, which is said before anyone has signed them.
#[test]
fn an_upload_that_may_go_nowhere_is_refused_before_anyone_signs() {
    let duo = Duo::rooted("status-far", Kind::Rehearsal);
    let far = duo.all().backend("https://notary.example.com").knowing(&duo.stage.root()).write("far.toml");
    let (change, done) = duo.stage.hold(&far, &duo.rotation("Dora for Bruno", "root-d"));
    assert_eq!(duo::rule(done), "UPLOAD-STAGE");
    let files = fs::read_dir(duo.stage.record.join("changes").join(change)).unwrap();
    let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.ends_with(".sig.json")), "signed before it was refused");
    assert_eq!(duo.stage.root().0, 1);
}

/// What is sealed is no use to anybody before clients are led to it: in profile `tuf` by the online keys.
#[test]
fn what_no_snapshot_lists_yet_is_said_until_one_does() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.online.snapshot.insert("online-snapshot".parse().unwrap());
    limits.online.timestamp.insert("online-timestamp".parse().unwrap());
    let stage = Stage::new("status-unlisted", Profile::Tuf, Kind::Rehearsal, &limits);
    fs::create_dir_all(stage.path("keys")).unwrap();
    let people = "[people]\nada = \"administrator\"\nwim = \"witness\"\n";
    let runbook = |title: &str, kind: &str, tables: &str| {
        let text = format!("ceremony = \"{kind}\"\ntitle = \"{title}\"\n{people}{tables}");
        stage.write(&format!("{}.toml", title.replace(' ', "-")), &text)
    };
    let (key, enrolment) = stage.developer("dana");
    let mut devices = stage.devices().in_file("dev-dana", utf8(&key)).enrol("dev-dana", &enrolment);
    let mut keys = String::new();
    for (name, holder, purpose) in [
        ("root-a", "ada", "root"),
        ("root-b", "bruno", "root"),
        ("root-c", "carla", "root"),
        ("root-d", "dora", "root"),
        ("targets-1", "uma", "targets"),
        ("online-snapshot", "operations", "snapshot"),
        ("online-timestamp", "operations", "timestamp"),
    ] {
        devices = devices.in_file(name, &format!("keys/{name}.pem"));
        writeln!(keys, "[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"").unwrap();
    }
    let holds = |runbook: &std::path::Path| {
        let rooted = stage.record.join("metadata/root").exists();
        let map = if rooted { devices.knowing(&stage.root()) } else { devices.clone() }.write("map.toml");
        stage.hold(&map, runbook).1.ended(0);
    };
    // What is next, and what of it makes clients see something.
    let says = || {
        let map = devices.knowing(&stage.root()).write("map.toml");
        let page = stage.on(&stage.record, &map, &["status"]).ended(0).json();
        let lines = page["next"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
        lines.filter(|line| line.contains("clients don't see")).collect::<Vec<_>>()
    };
    // The line is typed as it stands.
    let signs = |line: &str| {
        let (typed, _) = line.split_once("    ").unwrap();
        let typed = typed.replacen("keyrite", env!("CARGO_BIN_EXE_keyrite"), 1);
        stage::shell(&stage.dir, &typed, &[]).ended(0);
        assert_eq!(says(), Vec::<String>::new());
    };
    holds(&runbook("Keys", "generate-key", &keys));
    holds(&runbook(
        "Dana",
        "enroll-key",
        "[[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n",
    ));
    holds(&stage::shipped("first-day-tuf/04-root.toml"));
    for (what, runbook) in [
        ("root 1, targets 1", None),
        ("targets 2, camera-station 1", Some(stage::shipped("first-day-tuf/05-camera-station.toml"))),
        (
            "root 2",
            Some(runbook("Dora", "rotate-root", "[root]\nadd = [\"root-d\"]\nvalid-for = \"2 years\"\n")),
        ),
    ] {
        if let Some(runbook) = runbook {
            holds(&runbook);
        }
        let lines = says();
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        let named = format!(
            "sign-snapshot --unattended    where the online keys are: clients don't see {what} before"
        );
        assert!(lines[0].ends_with(&named), "{named}: {lines:?}");
        signs(&lines[0]);
    }
}
