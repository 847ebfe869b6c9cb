//! The guide cut off at every question of every way: killed when the next question stands there, and killed
//! right behind the line that answers one. What was answered stays, nothing is half kept, and the runbooks in
//! the end are those that the same answers give without a cut. One step back from every question, likewise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod day;
mod plays;
mod program;

use day::{Day, day, told};
use plays::{Play, map, plays};
use program::on_dumb_terminal;
use rexpect::ReadUntil;
use rexpect::process::Signal;
use rexpect::session::PtySession;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A question as it stands on the terminal, what is typed, and what is on disk of all answers then.
struct Step {
    question: String,
    typed: String,
    kept: String,
}

/// The last question before the offer of what comes next.
const END: &str = "What comes next?";

fn begin(day: &Day) -> PtySession {
    let map = map(day);
    on_dumb_terminal(&day.dir, &["-C", "record", "--devices", &map, "guide"])
}

/// Reads to the next prompt, page by page: the question's last line, and all that was on the screen.
fn asked(pty: &mut PtySession) -> (String, String) {
    let mut seen = String::new();
    loop {
        let marks = ["read on) ", "\n  > ", "] > "].map(|mark| ReadUntil::String(mark.to_owned()));
        let (text, mark) = pty.exp_any(marks.into()).unwrap_or_else(|e| panic!("{e}\n{seen}"));
        seen = seen + &text + &mark;
        if mark != "read on) " {
            break;
        }
        pty.send_line("").unwrap();
    }
    let last = seen.lines().rfind(|line| line.trim_end().ends_with('?'));
    (last.unwrap_or_default().trim().to_owned(), seen)
}

fn kept(day: &Day) -> String {
    fs::read_to_string(day.record.join("private/guide")).unwrap_or_default()
}

/// The same guide again: at the first question that has no answer.
fn again(day: &Day) -> (PtySession, String) {
    let mut pty = begin(day);
    let (mut question, _) = asked(&mut pty);
    if question == "Go on with them?" {
        pty.send_line("1").unwrap();
        question = asked(&mut pty).0;
    }
    (pty, question)
}

/// Goes through a play on a terminal, up to the offer of what comes next.
fn walk(day: &Day, play: &Play) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut pty = begin(day);
    let (mut question, mut seen) = asked(&mut pty);
    let mut types = |typed: &str, question: &mut String, seen: &mut String| {
        let before = kept(day);
        pty.send_line(typed).unwrap();
        let asked_at = std::mem::take(question);
        (*question, *seen) = asked(&mut pty);
        let taken = !seen.contains("Please type a number");
        if taken {
            assert_ne!(kept(day), before, "{asked_at} {typed}: {seen}");
            steps.push(Step { question: asked_at, typed: typed.to_owned(), kept: kept(day) });
        } else {
            *question = asked_at;
        }
        taken
    };
    for line in play.answers.lines() {
        let (id, answer) = line.split_once(" = ").unwrap();
        let answer = answer.trim_matches('"');
        // A text takes all of it; lists are answered one at a time, and what is in none under `other`.
        let parts =
            if types(answer, &mut question, &mut seen) { vec![] } else { answer.split(", ").collect() };
        for part in parts {
            if (part == answer || !types(part, &mut question, &mut seen))
                && (part != "none" || !types("done", &mut question, &mut seen))
            {
                assert!(types("other", &mut question, &mut seen), "{line}: {seen}");
                assert!(types(part, &mut question, &mut seen), "{line}: {seen}");
            }
        }
        let last = kept(day).lines().rfind(|kept| !kept.starts_with("written-to")).unwrap().to_owned();
        assert!(last.starts_with(id), "{line}, and not {last}: {seen}");
        // The next part of a list.
        if question.ends_with("Another one?") {
            assert!(types("done", &mut question, &mut seen), "{line}: {seen}");
        }
    }
    assert_eq!(question, END, "{seen}");
    pty.send_line("later").unwrap();
    pty.exp_eof().unwrap();
    steps
}

/// The runbooks that a guide has left.
fn runbooks(day: &Day, play: &Play) -> BTreeMap<PathBuf, String> {
    let files = day.all(play.folder, ".toml").into_iter();
    files
        .map(|path| (path.strip_prefix(&day.dir).unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect()
}

type Walked = (Play, Vec<Step>, BTreeMap<PathBuf, String>);

/// Every play with its steps, and the runbooks that the same answers give in one go.
static WALKED: LazyLock<Vec<Walked>> = LazyLock::new(|| {
    let all = plays().into_iter().map(|play| {
        let whole = day(play.upto);
        let steps = walk(&whole, &play);
        let expected = runbooks(&whole, &play);
        let file = day(play.upto);
        let answers = file.dir.join("answers.toml");
        fs::write(&answers, format!("[answers]\n{}next = \"later\"\n", play.answers)).unwrap();
        let map = map(&file);
        let unattended = ["--devices", &map, "guide", "--answers", answers.to_str().unwrap(), "--unattended"];
        let out = file.keyrite(&unattended);
        assert!(out.status.success(), "{}", told(&out));
        assert_eq!(runbooks(&file, &play), expected, "{}", play.answers);
        (play, steps, expected)
    });
    all.collect()
});

fn nothing_written(day: &Day, play: &Play) {
    for entry in fs::read_dir(&day.record).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with(play.folder) && !name.starts_with(".tmp"), "{name}: {}", play.answers);
    }
}

#[test]
fn a_guide_that_is_killed_anywhere_on_any_way_goes_on_there() {
    for (number, (play, steps, expected)) in WALKED.iter().enumerate() {
        let day = day(play.upto);
        let way = &play.answers;
        let mut behind = 0;
        for (at, step) in steps.iter().enumerate() {
            let before = at.checked_sub(1).map_or("", |before| &steps[before].kept);
            let last = at + 1 == steps.len();
            // Right behind the line, at every third: it was taken, or it was not.
            let mut there = before.to_owned();
            if at % 3 == number % 3 {
                let (mut pty, question) = again(&day);
                assert_eq!(question, step.question, "{at} of {way}");
                pty.send_line(&step.typed).unwrap();
                pty.process_mut().kill(Signal::SIGKILL).unwrap();
                drop(pty);
                there = kept(&day);
                assert!(last || there == before || there == step.kept, "{at} of {way}: {there}");
                behind += 1;
            }
            if !last {
                nothing_written(&day, play);
            }
            // Where the next question stands: it was.
            let (mut pty, question) = again(&day);
            if there == before {
                assert_eq!(question, step.question, "{at} of {way}");
                pty.send_line(&step.typed).unwrap();
                let (next, seen) = asked(&mut pty);
                let expected = steps.get(at + 1).map_or(END, |next| &next.question);
                assert_eq!(next, expected, "{at} of {way}: {seen}");
            }
            pty.process_mut().kill(Signal::SIGKILL).unwrap();
            drop(pty);
            assert_eq!(kept(&day), step.kept, "{at} of {way}");
        }
        assert!(behind > 0, "{way}");
        let (mut pty, question) = again(&day);
        assert_eq!(question, END, "{way}");
        pty.send_line("later").unwrap();
        pty.exp_eof().unwrap();
        assert_eq!(runbooks(&day, play), *expected, "{way}");
        assert!(!day.record.join("private/guide").exists());
    }
}

#[test]
fn one_step_back_from_every_question_of_every_way() {
    for (play, steps, expected) in &*WALKED {
        let day = day(play.upto);
        let way = &play.answers;
        let mut pty = begin(&day);
        let mut question = asked(&mut pty).0;
        for (at, step) in steps.iter().enumerate() {
            assert_eq!(question, step.question, "{at} of {way}");
            if let Some(before) = at.checked_sub(1).map(|before| &steps[before]) {
                pty.send_line("back").unwrap();
                let (back, seen) = asked(&mut pty);
                assert_eq!(back, before.question, "back from {at} of {way}: {seen}");
                let kept_then = at.checked_sub(2).map_or("", |earlier| &steps[earlier].kept);
                assert_eq!(kept(&day), kept_then, "back from {at} of {way}");
                pty.send_line(&before.typed).unwrap();
                assert_eq!(asked(&mut pty).0, step.question, "{at} of {way}");
            }
            pty.send_line(&step.typed).unwrap();
            question = asked(&mut pty).0;
        }
        assert_eq!(question, END, "{way}");
        pty.send_line("later").unwrap();
        pty.exp_eof().unwrap();
        assert_eq!(runbooks(&day, play), *expected, "{way}");
    }
}
