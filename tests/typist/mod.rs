//! Whoever sits at the terminal while a ceremony is held, and answers what it asks as the others in the
//! room would want it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::stage::today;
use keyrite::tuf::digest::Digest;
use rexpect::{ReadUntil, session::spawn_command};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs a line that holds a ceremony, every question answered: everything that was on the screen.
pub fn holds(command: Command, record: &Path) -> String {
    ends(command, record, 0)
}

/// The same of a line that ends with this code.
pub fn ends(mut command: Command, record: &Path, code: i32) -> String {
    command.env("TERM", "dumb");
    let mut pty = spawn_command(command, Some(240_000)).unwrap();
    let plain = [
        ("read on) ", ""),
        ("(press Enter) ", ""),
        ("(Yes or no) ", "Yes"),
        ("(same or no) ", "same"),
        ("(wim or no) ", "wim"),
    ];
    let date = "A wrong clock would date everything wrong.";
    let numbers: Vec<String> = (1..=32).map(|number| format!("word {number:>2} ")).collect();
    let marks =
        || plain.iter().map(|(mark, _)| *mark).chain([date]).chain(numbers.iter().map(String::as_str));
    let mut seen = String::new();
    loop {
        let ways = marks().map(|mark| ReadUntil::String(mark.to_owned())).chain([ReadUntil::EOF]);
        let (before, mark) = pty.exp_any(ways.collect()).unwrap_or_else(|e| panic!("{e}\n{seen}"));
        seen.push_str(&before);
        seen.push_str(&mark);
        let answer = if mark.contains(date) {
            pty.exp_string("> ").unwrap();
            today()
        } else if let Some((_, answer)) = plain.iter().find(|(text, _)| mark.contains(text)) {
            (*answer).to_owned()
        } else if let Some(number) = numbers.iter().position(|text| mark.contains(text)) {
            newest_change(record).words()[number].to_owned()
        } else {
            break;
        };
        pty.send_line(&answer).unwrap();
    }
    let status = format!("{:?}", pty.process().wait().unwrap());
    assert!(status.ends_with(&format!(", {code})")), "{status}: {seen}");
    seen
}

/// The change that came into the record last: what everyone compares on paper.
fn newest_change(record: &Path) -> Digest {
    let all = fs::read_dir(record.join("changes")).unwrap().map(|e| e.unwrap().path());
    let newest = all.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap();
    newest.file_name().unwrap().to_str().unwrap().parse().unwrap()
}
