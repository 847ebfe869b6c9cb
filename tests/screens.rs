//! The pages that people read most, on a pseudo-terminal of 80 by 24 and of 120 by 40: no line is
//! cut, and nothing that the narrow one shows is missing on the wide one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod day;
mod raw;

use day::{Day, Upto, day};
use rexpect::session::spawn_command;
use std::process::Command;

/// What the program shows on a terminal of that size, line by line, without colours.
fn shown(day: &Day, size: (usize, usize), arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("sh");
    let (columns, rows) = size;
    command.args(["-c", &format!("stty cols {columns} rows {rows}; exec \"$@\""), "sh"]);
    command.arg(env!("CARGO_BIN_EXE_keyrite")).args(["-C", "record"]).args(arguments);
    command.current_dir(&day.dir).env("TERM", "xterm").env("LANG", "C.UTF-8").env_remove("LC_ALL");
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    // It takes every byte for a letter.
    let bytes: Vec<u8> = session.exp_eof().unwrap().chars().map(|c| u8::try_from(c).unwrap()).collect();
    let text = raw::plain(&bytes).unwrap_or_else(|found| panic!("{arguments:?}, {columns}: {found}"));
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Every character but spaces and rules, in order of the alphabet: wrapped text has the same.
fn ink(lines: &[String]) -> String {
    let mut ink: Vec<char> = lines.iter().flat_map(|line| line.chars()).collect();
    ink.retain(|c| !c.is_whitespace() && *c != '\u{2500}');
    ink.sort_unstable();
    ink.into_iter().collect()
}

#[test]
fn no_line_is_cut_at_80_by_24_and_at_120_by_40() {
    let (end, keys) = (day(Upto::End), day(Upto::Keys));
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/ceremonies/first-day/04-root.toml");
    let anchor = end.anchor();
    // The same change both times.
    assert!(keys.keyrite(&["plan", root]).status.success());
    let table: [(&Day, &[&str], &str); 5] = [
        (&end, &["status", "--who"], "camera-station/..."),
        (&end, &["verify", "--anchor", &anchor], "every signature, digest, threshold"),
        (&keys, &["plan", root], "What changes"),
        (&end, &["status"], "renew from"),
        (&keys, &["status"], "bruno with the key root-b: still needed"),
    ];
    for (day, arguments, said) in table {
        let pages = [(80, 24), (120, 40)].map(|size| (size, shown(day, size, arguments)));
        for ((columns, _), lines) in &pages {
            let text = lines.join("\n");
            assert!(
                text.split_whitespace().collect::<Vec<_>>().join(" ").contains(said),
                "{said} in\n{text}"
            );
            for line in lines {
                assert!(line.chars().count() < *columns, "{columns}: {line}");
            }
        }
        let [(_, narrow), (_, wide)] = pages;
        // The clock goes on between the two.
        let still = |lines: &[String]| {
            let kept = lines.iter().filter(|line| !line.trim_start().starts_with("today"));
            // A long command goes on after a backslash.
            let kept = kept.map(|line| line.trim_end_matches(" \\").to_owned());
            ink(&kept.collect::<Vec<_>>())
        };
        assert_eq!(still(&narrow), still(&wide), "{arguments:?}");
        assert!(narrow.len() >= wide.len(), "{arguments:?}");
    }
}
