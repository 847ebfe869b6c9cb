//! `keyrite guide`: from answers to runbooks that hold, one step back, and going on after a cut at any
//! question.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    reason = "a test fails by panicking"
)]

mod day;
mod plays;
mod program;
mod source;

use day::{Day, Upto, day, told};
use keyrite::ceremony::kinds;
use keyrite::ceremony::runbook::Runbook;
use keyrite::cli::guide::ways;
use plays::{LOST, PEOPLE, Play, map, plays};
use program::{answer, on_dumb_terminal};
use rexpect::process::Signal;
use rexpect::session::PtySession;
use source::{Kind, Source, Token};
use std::collections::BTreeSet;
use std::fs;

/// Runs the guide by answers on a copy of the first day.
fn guide(day: &Day, answers: &str) -> std::process::Output {
    let file = day.dir.join("answers.toml");
    fs::write(&file, format!("[answers]\n{answers}")).unwrap();
    let map = map(day);
    day.keyrite(&["--devices", &map, "guide", "--answers", file.to_str().unwrap(), "--unattended"])
}

/// The kinds of a folder's runbooks.
fn kinds_of(day: &Day, folder: &str) -> BTreeSet<String> {
    let texts = day.all(folder, ".toml").into_iter().map(|path| fs::read_to_string(path).unwrap());
    texts.map(|text| Runbook::parse(&text).unwrap().kind).collect()
}

/// Every kind of ceremony comes of some way, of these or of the three that need a past, which the life in
/// `guide_life` plays. Copies of keys have no way: the manual tells how their runbooks are written.
#[test]
fn answers_become_runbooks_that_can_be_held() {
    let mut kinds_made =
        BTreeSet::from(["retire-key", "withdraw", "decide", "back-up", "restore"].map(str::to_owned));
    let mut played = BTreeSet::from(["destroy-key", "withdraw", "copies-differ", "adopt"].map(str::to_owned));
    for Play { upto, answers, folder, lines } in plays() {
        let day = day(upto);
        let before = day.files();
        // Keys that stand in the record already are made again in a rehearsal of the first day, no others.
        let next = if upto == Upto::End { "rehearse" } else { "later" };
        let out = guide(&day, &format!("{answers}next = \"{next}\"\n"));
        assert!(out.status.success(), "{answers}{}", told(&out));
        let held = next == "later" || told(&out).contains("a client accepted what they made");
        assert!(held, "{answers}{}", told(&out));
        kinds_made.extend(kinds_of(&day, folder));
        played.insert(answers.split('"').nth(1).unwrap().to_owned());
        let last = day.all(folder, ".toml").pop().unwrap();
        let last = fs::read_to_string(last).unwrap();
        for line in lines {
            assert!(last.lines().any(|l| l == *line), "{line}\n{last}");
        }
        // Runbooks, the plan's change and the rehearsal's traces, nothing else.
        let folder = day.record.join(folder);
        for path in day.files().keys().filter(|path| !before.contains_key(*path)) {
            let ours = ["rehearsals", "changes"].iter().any(|part| path.starts_with(day.record.join(part)));
            assert!(ours || path.starts_with(&folder), "{}", path.display());
        }
        assert!(!day.record.join("private/guide").exists());
    }
    // A developer's own command makes the runbook of a release.
    let guided = kinds::ALL.iter().map(|kind| kind.name()).filter(|kind| *kind != "release");
    let every: BTreeSet<String> = guided.map(str::to_owned).collect();
    assert_eq!(kinds_made, every, "a kind without a way");
    let ways: BTreeSet<String> = ways::ALL.iter().map(|way| way.name.to_owned()).collect();
    assert_eq!(played, ways, "a way without a play");
}

#[test]
fn what_needs_no_signature_is_said_in_words() {
    let table = [
        (format!("{LOST}what = \"record\"\n"), "whoever has a copy can sign nothing with it"),
        ("ceremony = \"adopt\"\n".to_owned(), "keyrite adopt DIR --into NEW"),
        ("ceremony = \"destroy-key\"\n".to_owned(), "No key can be destroyed"),
        ("ceremony = \"copies-differ\"\n".to_owned(), "Nothing to decide"),
    ];
    for (answers, words) in table {
        let day = day(Upto::End);
        let before = day.files();
        let out = guide(&day, &answers);
        let flat = told(&out).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.status.success() && flat.contains(words), "{answers}{}", told(&out));
        assert_eq!(day.files(), before, "{answers}");
    }
}

/// What is open stands there with whom it needs, and the lines name the record.
#[test]
fn a_token_that_died_in_a_ceremony_ends_none() {
    let day = day(Upto::End);
    let roll_call = concat!(env!("CARGO_MANIFEST_DIR"), "/ceremonies/roll-call/01-roll-call.toml");
    let map = map(&day);
    let planned = day.keyrite(&["--devices", &map, "plan", roll_call]);
    assert!(planned.status.success(), "{}", told(&planned));
    let before = day.files();
    let out = guide(&day, &format!("{LOST}what = \"token-dead\"\n"));
    let flat = told(&out).split_whitespace().collect::<Vec<_>>().join(" ");
    let record = day.record.to_str().unwrap();
    // A line that is long goes on below, as a shell reads it.
    let flat = flat.replace("\\ ", "");
    for words in [
        "What was signed stays signed.",
        "it still needs: root-a of ada, root-b of bruno, root-c of carla, targets-1 of uma",
        &format!("keyrite -C {record} --devices {map} status"),
        &format!("keyrite -C {record} --devices {map} guide lost-or-stolen"),
    ] {
        assert!(out.status.success() && flat.contains(words), "{words}: {}", told(&out));
    }
    assert_eq!(day.files(), before);
}

fn in_days(days: u64) -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seconds = i64::try_from(since + days * 86_400).unwrap();
    keyrite::tuf::time::Time::from_unix(seconds).unwrap().date()
}

#[test]
fn keys_that_come_late_are_waited_for_only_if_they_are_needed() {
    let day = day(Upto::End);
    let (soon, later) = (in_days(40), in_days(80));
    let answers = format!(
        "ceremony = \"change-root\"\nkeys = \"none\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"3\"\nlate = \"root-b, root-d\"\nfrom.root-b = \"{later}\"\nfrom.root-d = \"{soon}\"\n{PEOPLE}next = \"later\"\n"
    );
    let out = guide(&day, &answers);
    assert!(out.status.success(), "{}", told(&out));
    // Three of a, c and d sign; nobody waits for b.
    assert!(told(&out).contains(&format!("from {soon}")), "{}", told(&out));
    let wrong = answers.replace(&soon, "6 May");
    let out = guide(&day, &wrong);
    assert!(told(&out).contains("GUIDE") && told(&out).contains("a day: 2027-03-31"), "{}", told(&out));
}

/// Both roles lose keys, and the next targets key comes later: root doesn't wait for it, one file for each
/// ceremony.
#[test]
fn root_and_targets_go_on_as_early_as_each_can() {
    let day = day(Upto::End);
    let soon = in_days(40);
    let answers = format!(
        "{LOST}what = \"root-and-targets\"\nkeys = \"root-c\"\nfate.root-c = \"stolen\"\nreplace-with = \"root-d\"\nholder.root-d = \"dora\"\nthreshold = \"2\"\ntargets-keys = \"targets-1\"\nfate.targets-1 = \"copied\"\nnew-key = \"targets-2\"\ntargets-holder = \"uma\"\nlate = \"targets-2\"\nfrom.targets-2 = \"{soon}\"\n{PEOPLE}next = \"later\"\n"
    );
    let out = guide(&day, &answers);
    let flat = told(&out).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(out.status.success(), "{}", told(&out));
    for words in [
        "root 2, from",
        &format!("root 3, from {soon}: its keys stay"),
        "with root 3, in the same change, targets is signed again by targets-2 of uma: targets-2 takes the place of targets-1",
        &format!("waits for targets-2 of uma, at hand from {soon}"),
    ] {
        assert!(flat.contains(words), "{words}: {}", told(&out));
    }
    let files = day.all("lost-or-stolen", ".toml");
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let expected = ["01-root-keys.toml", "02-targets-key.toml", "03-rotate-root.toml", "04-recover.toml"];
    assert_eq!(names, expected);
    let of = |at: usize| fs::read_to_string(&files[at]).unwrap();
    let titles: Vec<String> = (0..4).map(|at| Runbook::parse(&of(at)).unwrap().title).collect();
    assert_eq!(titles[2..], ["Rotate root, 1 of 2", "Go on without what was lost or stolen, 2 of 2"]);
    assert!(of(3).starts_with("# Can be held once these are at hand: targets-2 of uma.\n"), "{}", of(3));
    assert!(of(2).contains("compromised = [\"root-c\"]") && !of(2).contains("targets-"), "{}", of(2));
}

#[test]
fn answers_that_lead_nowhere_are_refused_and_nothing_is_written() {
    let root = |keys: &str, fates: &str, rest: &str| {
        format!(
            "{LOST}what = \"root-key\"\nkeys = \"{keys}\"\n{fates}{rest}late = \"none\"\n{PEOPLE}next = \"later\"\n"
        )
    };
    let fates = "fate.root-b = \"lost\"\nfate.root-c = \"stolen\"\n";
    let none = "replace-with = \"none\"\nthreshold = \"2\"\n";
    let two = "replace-with = \"root-d, root-e\"\nholder.root-d = \"dora\"\nholder.root-e = \"emil\"\nthreshold = \"2\"\n";
    let table = [
        (root("root-b, root-c", fates, two), "QUORUM-LOST", "If root-b is found"),
        (root("root-c", "fate.root-c = \"lost\"\n", none), "RECOVER-NO-WAY", "no spare keys"),
        (
            root("root-b, root-c", fates, two).replace("\"root-key\"", "\"root-and-targets\"")
                + "targets-keys = \"targets-1\"\nfate.targets-1 = \"lost\"\nnew-key = \"targets-2\"\ntargets-holder = \"uma\"\n",
            "QUORUM-LOST",
            "If root-b is found",
        ),
        (root("root-x", "", none), "GUIDE", "one of root-a, root-b, root-c"),
        (
            root("root-c", "fate.root-c = \"lost\"\n", &two.replace("\"dora\"", "\"back\"")),
            "GUIDE",
            "words of the guide",
        ),
        (
            root("root-c", "fate.root-c = \"lost\"\n", &two.replace("root-d, ", "other, ")),
            "GUIDE",
            "words of the guide",
        ),
        (root("root-c", "fate.root-c = \"lost\"\n", "replace-with = \"targets-1\"\n"), "GUIDE", "a new name"),
        (
            format!(
                "ceremony = \"change-root\"\nkeys = \"none\"\n{none}late = \"none\"\n{PEOPLE}next = \"later\"\n"
            ),
            "GUIDE",
            "comes or goes",
        ),
        (
            format!(
                "{LOST}what = \"developer-key\"\nkey = \"dev-dana\"\nfate.dev-dana = \"stolen\"\nreplace-with = \"none\"\nbelow-threshold = \"stop\"\n{PEOPLE}next = \"later\"\n"
            ),
            "BELOW-THRESHOLD",
            "targets/camera-station",
        ),
        (
            format!(
                "ceremony = \"limits\"\nlimits = \"root.threshold-floor\"\nvalue.root.threshold-floor = \"1\"\n{PEOPLE}next = \"later\"\n"
            ),
            "LIMITS-FLOOR",
            "root",
        ),
        (
            format!(
                "ceremony = \"new-application\"\napplication = \"camera-station\"\n{PEOPLE}next = \"later\"\n"
            ),
            "GUIDE",
            "not granted yet",
        ),
    ];
    for (answers, rule, words) in table {
        let day = day(Upto::End);
        let before = day.files();
        let out = guide(&day, &answers);
        let flat = told(&out).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(rule) && flat.contains(words), "{answers}{}", told(&out));
        assert_eq!(day.files(), before, "{answers}");
    }
}

fn begin(day: &Day) -> PtySession {
    let map = map(day);
    on_dumb_terminal(&day.dir, &["-C", "record", "--devices", &map, "guide"])
}

/// A root key is lost, question by question: what is waited for, and what is typed.
const STEPS: [(&str, &str); 11] = [
    ("What is it about?", "1"),
    ("What was lost or stolen?", "root-key"),
    ("Which root keys?", "root-c"),
    ("Another one?", "done"),
    ("What happened to root-c?", "lost"),
    ("Which keys come in?", "other"),
    ("What shall the new key be called?", "root-d"),
    ("Another one?", "done"),
    ("Who will hold root-d?", "uma"),
    ("How many must sign a root", "2"),
    ("Does any of these come only later?", "done"),
];
const LAST: [(&str, &str); 3] =
    [("Who leads?", "ada"), ("Who watches", "wim"), ("Who watches and records? Another one?", "done")];

/// Types what the rest of the guide asks, up to the offer of what comes next.
fn to_the_end(pty: &mut PtySession, from: usize) {
    for (question, line) in STEPS.iter().chain(&LAST).skip(from) {
        answer(pty, question, line);
    }
    read_on(pty, "What comes next?");
}

/// Turns pages until a text comes.
fn read_on(pty: &mut PtySession, text: &str) {
    loop {
        let needles = vec![
            rexpect::ReadUntil::String("press Enter to read on) ".to_owned()),
            rexpect::ReadUntil::String(text.to_owned()),
        ];
        let (_, found) = pty.exp_any(needles).unwrap_or_else(|e| panic!("waited for {text}: {e}"));
        if found == text {
            return;
        }
        pty.send_line("").unwrap();
    }
}

fn folders(day: &Day) -> Vec<String> {
    let entries = fs::read_dir(&day.record).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    entries.filter(|name| name.starts_with("lost-or-stolen") || name.starts_with(".tmp")).collect()
}

#[test]
fn a_guide_that_is_killed_at_any_question_goes_on_there() {
    let day = day(Upto::End);
    let all: Vec<_> = STEPS.iter().chain(&LAST).collect();
    for at in 1..all.len() {
        let mut pty = begin(&day);
        if at > 1 {
            answer(&mut pty, "Go on with them?", "1");
        }
        // One question further each time, then gone as by a power cut, or by Ctrl-C.
        let (question, line) = all[at - 1];
        answer(&mut pty, question, line);
        let (next, _) = all[at];
        pty.exp_string(next).unwrap_or_else(|e| panic!("{next}: {e}"));
        pty.exp_string("> ").unwrap();
        if at % 3 == 0 {
            pty.send_control('c').unwrap();
            let rest = pty.exp_eof().unwrap();
            assert!(rest.contains("INTERRUPTED"), "{rest}");
        } else {
            pty.process_mut().kill(Signal::SIGKILL).unwrap();
        }
        assert!(folders(&day).is_empty(), "{at}");
    }
    let mut pty = begin(&day);
    pty.exp_string("keys.1: root-c").unwrap();
    answer(&mut pty, "Go on with them?", "1");
    to_the_end(&mut pty, all.len() - 1);
    // The folder is there: whoever comes back gets the same one, with all that was said of it.
    let said = ["root-d enters; root-c leaves", "First: a token for root-d, of uma"];
    let edited = "The runbooks were changed by hand";
    for (signal, said) in
        [(Signal::SIGKILL, said), (Signal::SIGTERM, said), (Signal::SIGKILL, [edited, said[1]])]
    {
        pty.exp_string("> ").unwrap();
        pty.process_mut().kill(signal).unwrap();
        assert_eq!(folders(&day), ["lost-or-stolen"]);
        if said[0] == edited {
            let runbook = day.all("lost-or-stolen", ".toml").pop().unwrap();
            let text = fs::read_to_string(&runbook).unwrap();
            fs::write(&runbook, format!("# Ada: by telephone.\n{text}")).unwrap();
        }
        pty = begin(&day);
        pty.exp_string("Its runbooks").unwrap();
        answer(&mut pty, "Go on with them?", "1");
        for words in said {
            read_on(&mut pty, words);
        }
        read_on(&mut pty, "What comes next?");
    }
    // A rehearsal that passes comes back to the offer of the run.
    pty.exp_string("> ").unwrap();
    pty.send_line("rehearse").unwrap();
    pty.exp_string("a client accepted what they made").unwrap();
    answer(&mut pty, "What comes next?", "later");
    pty.exp_string("Nothing is signed; the runbooks stay").unwrap();
    pty.exp_eof().unwrap();
    assert_eq!(folders(&day), ["lost-or-stolen"]);
    assert!(!day.record.join("private/guide").exists());
}

/// From the run on it is `status` that says how to go on: the next guide doesn't say that nothing was signed.
#[test]
fn a_run_that_is_cut_off_leaves_no_guide_to_go_on_with() {
    let day = day(Upto::End);
    let mut pty = begin(&day);
    to_the_end(&mut pty, 0);
    pty.exp_string("> ").unwrap();
    assert!(day.record.join("private/guide").exists());
    pty.send_line("run").unwrap();
    // The device map knows no key: it waits for tokens, or refuses, and publishes nothing.
    let begun = std::time::Instant::now();
    while day.record.join("private/guide").exists() && begun.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    pty.process_mut().kill(Signal::SIGKILL).unwrap();
    assert!(!day.record.join("private/guide").exists());
    assert_eq!(folders(&day), ["lost-or-stolen"]);
}

#[test]
fn one_step_back_from_every_question() {
    let day = day(Upto::End);
    let mut pty = begin(&day);
    let all: Vec<_> = STEPS.iter().chain(&LAST).collect();
    answer(&mut pty, all[0].0, all[0].1);
    for at in 1..all.len() {
        answer(&mut pty, all[at].0, "back");
        answer(&mut pty, all[at - 1].0, all[at - 1].1);
        answer(&mut pty, all[at].0, all[at].1);
    }
    read_on(&mut pty, "root-d enters; root-c leaves");
    read_on(&mut pty, "What comes next?");
    pty.exp_string("> ").unwrap();
    pty.send_line("later").unwrap();
    pty.exp_eof().unwrap();
    assert_eq!(folders(&day), ["lost-or-stolen"]);
}

#[test]
fn an_answer_that_cannot_be_is_told_and_asked_again() {
    let day = day(Upto::End);
    let mut pty = begin(&day);
    answer(&mut pty, "What is it about?", "new-application");
    answer(&mut pty, "What is the application called?", "camera-station");
    pty.exp_string("a name that is not granted yet").unwrap();
    answer(&mut pty, "What is the application called?", "Door");
    pty.exp_string("1 to 64 of a-z").unwrap();
    for word in ["done", "other", "none", "new"] {
        answer(&mut pty, "What is the application called?", word);
        pty.exp_string("are words of the guide").unwrap();
    }
    drop(pty);
    // Nothing of the refused answers is kept.
    let kept = fs::read_to_string(day.record.join("private/guide")).unwrap();
    assert_eq!(kept, "ceremony = new-application\n");
}

/// Where questions are made, and whether each is explained where it is made: every expression from
/// `Prompt::new` to its end has a line of help that says something.
fn questions(source: &Source) -> Vec<(usize, bool)> {
    let mark = |token: &Token, text: &str| token.kind == Kind::Mark && token.text == text;
    let word = |token: &Token, text: &str| token.kind == Kind::Word && token.text == text;
    let tokens: Vec<&Token> = source.tokens.iter().filter(|token| !token.test).collect();
    let begins = |at: &usize| {
        let next = |n: usize| tokens.get(at + n);
        word(tokens[*at], "Prompt")
            && next(1).is_some_and(|t| mark(t, "::"))
            && next(2).is_some_and(|t| word(t, "new"))
    };
    let explained = |from: usize| {
        let mut depth = 0;
        for at in from..tokens.len() {
            match tokens[at].text.as_str() {
                "(" | "[" | "{" if tokens[at].kind == Kind::Mark => depth += 1,
                ")" | "]" | "}" if tokens[at].kind == Kind::Mark => depth -= 1,
                ";" if depth == 0 => return false,
                _ => {}
            }
            if depth < 0 {
                return false;
            }
            let help = word(tokens[at], "help") && mark(tokens[at - 1], ".") && depth == 0;
            if help && !(tokens[at + 2].kind == Kind::Text && tokens[at + 2].text.len() < 10) {
                return true;
            }
        }
        false
    };
    (0..tokens.len()).filter(begins).map(|at| (tokens[at].line, explained(at))).collect()
}

#[test]
fn every_question_is_explained() {
    let planted = "fn f() { let a = Prompt::new(\"a\", \"A?\").offer(\"b\", g.help(\"of something else\")); \
                   let b = Prompt::new(\"b\", \"B?\").help(\"\"); let c = h(Prompt::new(\"c\", \"C?\"), 1); \
                   let d = Prompt::new(\"d\", format!(\"{x}?\")).default(\"y\").help(\"It decides all.\"); }";
    let found: Vec<bool> = questions(&source::scan("planted.rs", planted)).into_iter().map(|q| q.1).collect();
    assert_eq!(found, [false, false, false, true]);
    let mut sources = source::sources("src/cli/guide");
    sources.extend(
        source::sources("src/cli")
            .into_iter()
            .filter(|source| ["src/cli/init.rs", "src/cli/interview.rs"].contains(&source.path.as_str())),
    );
    let mut all = 0;
    for source in &sources {
        for (line, explained) in questions(source) {
            all += 1;
            assert!(explained, "{}:{line}: a question without a line of help", source.path);
        }
    }
    // Of every way and of the first day.
    assert!(all > 60, "{all}");
}

#[test]
fn without_a_record_the_first_day_begins_with_init() {
    let dir = program::folder("guide-first-day");
    let line = ["-C", "trust", "guide"];
    let mut pty = on_dumb_terminal(&dir, &line);
    answer(&mut pty, "There is no record here yet.", "first-day");
    answer(&mut pty, "Who reads the signed metadata?", "notary");
    answer(&mut pty, "Is this the real thing?", "back");
    answer(&mut pty, "Who reads the signed metadata?", "tuf");
    answer(&mut pty, "Is this the real thing?", "rehearsal");
    answer(&mut pty, "What is the repository called?", "apps");
    pty.exp_string("Who leads the ceremonies?").unwrap();
    pty.process_mut().kill(Signal::SIGKILL).unwrap();
    let mut pty = on_dumb_terminal(&dir, &line);
    answer(&mut pty, "Go on with them?", "1");
    for (question, line) in [
        ("Who leads the ceremonies?", "ada"),
        ("Who holds a root key?", "ada, bruno, carla"),
        ("must sign a root?", "2"),
        ("What kind of keys?", "p256"),
        ("key root-a be?", "file"),
        ("key root-b be?", "file"),
        ("key root-c be?", "file"),
        ("Who is the update-service administrator?", "uma"),
        ("key targets-1 be?", "file"),
        ("Where are the keys of snapshot and timestamp made?", "here"),
        ("What is the first application called?", "camera-station"),
        ("Who is its first developer?", "dana"),
        ("Who watches and records?", "wim"),
    ] {
        answer(&mut pty, question, line);
    }
    read_on(&mut pty, "Shall it be made so?");
    pty.exp_string("> ").unwrap();
    pty.send_line("Yes").unwrap();
    read_on(&mut pty, "What comes next?");
    pty.exp_string("> ").unwrap();
    pty.send_line("rehearse").unwrap();
    pty.exp_string("a client accepted what they made").unwrap();
    answer(&mut pty, "What comes next?", "later");
    pty.exp_eof().unwrap();
    assert!(dir.join("trust/first-day/01-root-keys.toml").exists());
    assert!(!dir.join("trust/private/guide").exists());
}

/// What lies in files, and names as long as they may be, draw nothing but themselves.
#[test]
fn hostile_text_brings_no_escape_and_long_names_are_not_cut() {
    let day = day(Upto::End);
    fs::create_dir_all(day.record.join("private")).unwrap();
    let hostile =
        "ceremony = \u{1b}[2J\u{1b}]0;owned\u{7}lost\u{202e}\u{9b}31m\nwritten-to = ../\u{1b}c\u{202e}x\n";
    fs::write(day.record.join("private/guide"), hostile).unwrap();
    let mut pty = begin(&day);
    let before = pty.exp_string("Go on with them?").unwrap();
    // rexpect gives every byte as a letter: an escape, or the first byte of what turns text around.
    assert!(before.contains("\\u{1b}[2J") && before.contains("\\u{202e}"), "{before:?}");
    assert!(!before.contains(['\u{1b}', '\u{7}']) && !before.contains("\u{e2}\u{80}\u{ae}"), "{before:?}");
    pty.exp_string("> ").unwrap();
    pty.send_line("no").unwrap();
    let (key, holder, soon) = ("k".repeat(64), "h".repeat(64), in_days(30));
    for (question, line) in [
        ("What is it about?", "change-root"),
        ("Which root keys leave?", "done"),
        ("Which keys come in?", "other"),
        ("What shall the new key be called?", key.as_str()),
        ("Another one?", "done"),
        ("Who will hold", "other"),
        ("What are they called here?", holder.as_str()),
        ("How many must sign a root", "2"),
        ("Does any of these come only later?", key.as_str()),
        ("Another one?", "done"),
        ("From which day", &soon),
        ("Who leads?", "ada"),
        ("Who watches", "wim"),
        ("Another one?", "done"),
    ] {
        answer(&mut pty, question, line);
    }
    let mut seen = String::new();
    loop {
        let needles = ["press Enter to read on) ", "What comes next?"];
        let needles = needles.map(|text| rexpect::ReadUntil::String(text.to_owned()));
        let (text, found) = pty.exp_any(needles.into()).unwrap();
        seen.push_str(&text);
        seen.push('\n');
        if found == "What comes next?" {
            break;
        }
        pty.send_line("").unwrap();
    }
    assert!(seen.contains(&key) && seen.contains(&holder), "{seen}");
    let bytes: Vec<u8> = seen.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let text = String::from_utf8(bytes).unwrap();
    for line in text.split(['\n', '\r']) {
        assert!(!line.contains(char::is_control), "{line:?}");
        // A runbook's line is copied as it stands, with the longest names that there are.
        let whole = line.starts_with("    ") && (line.contains(&key) || line.contains(&holder));
        assert!(whole || line.chars().count() < 80, "{line}");
    }
}
