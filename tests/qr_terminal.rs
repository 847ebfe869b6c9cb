//! Codes on a terminal: what a person sees is photographed from a pseudo-terminal's screen and read by
//! the real binary, and a scanner types into it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; screens are small"
)]

mod day;

use day::{Day, Upto, day, told};
use keyrite::ceremony::carry::code::Code;
use keyrite::tuf::digest::Digest;
use rexpect::session::{PtySession, spawn_command};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program on a pseudo-terminal of that size.
fn on_terminal(day: &Day, (columns, rows): (u16, u16), arguments: &[&str]) -> PtySession {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("stty cols {columns} rows {rows}; exec \"$@\""), "sh"]);
    command.arg(env!("CARGO_BIN_EXE_keyrite")).args(["-C", "record"]).args(arguments);
    command.current_dir(&day.dir).env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("LC_ALL");
    command.env("NO_COLOR", "1");
    spawn_command(command, Some(30_000)).unwrap()
}

/// A picture of a screen: two pixels high and one wide for each cell, four times as large, on black.
fn photograph(bytes: &[u8], (columns, rows): (u16, u16), into: &Path) {
    let mut parser = vt100::Parser::new(rows, columns, 0);
    parser.process(bytes);
    let screen = parser.screen();
    let (width, height) = (usize::from(columns) * 4, usize::from(rows) * 8);
    let mut shades = vec![0_u8; width * height];
    for y in 0..height {
        for x in 0..width {
            let cell = screen.cell((y / 8) as u16, (x / 4) as u16).unwrap();
            let white = cell.bgcolor() == vt100::Color::Idx(15) && cell.fgcolor() == vt100::Color::Idx(0);
            let ink = match cell.contents() {
                "\u{2588}" => true,
                "\u{2580}" => y % 8 < 4,
                "\u{2584}" => y % 8 >= 4,
                _ => false,
            };
            shades[y * width + x] = if white && !ink { 255 } else { 0 };
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&shades).unwrap();
    fs::write(into, file).unwrap();
}

fn read(day: &Day, images: &[PathBuf]) -> Value {
    let images = images.iter().map(|path| path.to_str().unwrap());
    let line: Vec<&str> = ["-C", "record", "--json", "qr", "read"].into_iter().chain(images).collect();
    let output = day::keyrite(&day.dir, &line);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)))
}

/// Everything up to a text, as bytes: the session takes every byte for a letter.
fn until(session: &mut PtySession, text: &str) -> Vec<u8> {
    let before = session.exp_string(text).unwrap();
    before.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

/// What a keyboard or a scanner types.
fn types(session: &mut PtySession, text: &str) {
    session.send(text).unwrap();
    session.flush().unwrap();
}

#[test]
fn what_stands_on_a_terminal_is_read_from_its_picture() {
    let day = day(Upto::End);
    let size = (80, 24);
    let digest = Digest::of(b"what people compare").hex();
    let mut session = on_terminal(&day, size, &["qr", "digest", &digest]);
    let seen = until(&mut session, "Enter ends it");
    types(&mut session, "\r");
    session.exp_eof().unwrap();
    let picture = day.dir.join("digest.png");
    photograph(&seen, size, &picture);
    let told = read(&day, &[picture]);
    assert_eq!(told["read"][0]["digest"], digest.as_str(), "{told}");

    // A root's signature and that of its limits take more than 24 lines; there is room on a larger one.
    let mut session = on_terminal(&day, size, &["qr", "signatures", "root-a"]);
    session.exp_string("QR-SCREEN").unwrap();
    let size = (100, 40);
    let mut session = on_terminal(&day, size, &["qr", "signatures", "root-a"]);
    let seen = until(&mut session, "Enter ends it");
    session.send_control('c').unwrap();
    session.exp_string("INTERRUPTED").unwrap();
    let picture = day.dir.join("signatures.png");
    photograph(&seen, size, &picture);
    let texts = keyrite::ui::qr::read::texts(fs::read(picture).unwrap()).unwrap();
    assert!(
        matches!(Code::parse(&texts[0]), Ok(Code::Signatures { signatures, .. }) if signatures.len() == 2)
    );
}

/// Answers the three questions for words of a digest.
fn type_words(session: &mut PtySession, words: &[&str]) {
    let mut typed = Vec::new();
    while typed.len() < 3 {
        let asked = session.exp_regex(r"word +([0-9]+) ").unwrap().1;
        let number: usize = asked.trim().trim_start_matches("word").trim().parse().unwrap();
        // A line is drawn again once it is typed.
        if !typed.contains(&number) {
            session.send_line(words[number - 1]).unwrap();
            typed.push(number);
        }
    }
}

/// Whoever shows a code whose words are others on the other side says so, and is told that it failed.
#[test]
fn what_the_other_side_has_is_confirmed_where_it_was_shown() {
    let day = day(Upto::End);
    for no in [true, false] {
        let mut session = on_terminal(&day, (100, 40), &["qr", "signatures", "root-a"]);
        until(&mut session, "Enter ends it");
        types(&mut session, "\r");
        session.exp_string("on the other screen").unwrap();
        if no {
            session.exp_regex(r"word +[0-9]+ ").unwrap();
            session.send_line("no").unwrap();
        } else {
            for _ in 0..3 {
                type_words(&mut session, &Digest::of(b"another code").words());
                session.exp_string("These are not the words").unwrap();
            }
        }
        session.exp_string("NOT-CONFIRMED").unwrap();
        session.exp_eof().unwrap();
        assert!(format!("{:?}", session.process().wait().unwrap()).ends_with(", 1)"));
    }
}

/// Codes that went by hand: whoever made them compares later, by what their own record has and not by what
/// was carried. A file is never enough, and no code is drawn.
#[test]
fn what_went_on_paper_is_confirmed_where_it_was_made() {
    let day = day(Upto::End);
    let into = day.dir.join("carried");
    for line in [&["qr", "send"][..], &["qr", "signatures", "root-a"]] {
        let _ = fs::remove_dir_all(&into);
        let made = [&["-C", "record"], line, &["--into", into.to_str().unwrap()]].concat();
        let made = day::keyrite(&day.dir, &made);
        assert!(made.status.success(), "{made:?}");
        let said = String::from_utf8(made.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("the same line with --compare"), "{said}");
        let mut collected = keyrite::ceremony::carry::frames::Collected::default();
        let mut files: Vec<_> = fs::read_dir(&into).unwrap().map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "png"));
        files.sort();
        let mut one = None;
        for file in &files {
            let text = keyrite::ui::qr::read::texts(fs::read(file).unwrap()).unwrap().remove(0);
            if Code::parse(&text).is_ok() {
                one = Some(text.into_bytes());
            } else {
                collected.take(&text).unwrap();
            }
        }
        let message = one.unwrap_or_else(|| collected.message().unwrap());
        let (words, other) = (Digest::of(&message).words(), Digest::of(b"another code").words());
        // Someone has changed what was carried: it is not looked at.
        for file in &files {
            fs::write(file, b"").unwrap();
        }
        let compare = [line, &["--compare"]].concat();
        for right in [true, false] {
            let mut session = on_terminal(&day, (100, 40), &compare);
            let shown = session.exp_string("on the other screen").unwrap();
            assert!(!shown.contains('\u{2588}') && !shown.contains('\u{2580}'), "{shown}");
            for _ in 0..if right { 1 } else { 3 } {
                type_words(&mut session, if right { &words } else { &other });
            }
            let said = session.exp_eof().unwrap();
            let told = if right { "the other side has what you have shown" } else { "NOT-CONFIRMED" };
            assert!(said.contains(told), "{said}");
            let code = format!("{:?}", session.process().wait().unwrap());
            assert!(code.ends_with(if right { ", 0)" } else { ", 1)" }), "{code}");
        }
        // Nobody to ask, and nothing to draw.
        let alone = day::keyrite(&day.dir, &[&["-C", "record"], &compare[..]].concat());
        assert!(!alone.status.success(), "{alone:?}");
        let drawn = [&["-C", "record"], &compare[..], &["--into", "elsewhere"]].concat();
        assert_eq!(day::keyrite(&day.dir, &drawn).status.code(), Some(2));
    }
}

/// A dozen frames go by, each drawn over the one before, and each is whole on the screen.
#[test]
fn frames_go_by_on_a_terminal_until_they_are_enough() {
    let day = day(Upto::End);
    // What the other side lacks: one change.
    let other = day.dir.join("other");
    let copied = Command::new("cp").arg("-r").arg(&day.record).arg(&other).status().unwrap();
    assert!(copied.success());
    let change = fs::read_dir(other.join("changes")).unwrap().next().unwrap().unwrap().path();
    fs::remove_dir_all(change).unwrap();
    let size = (100, 45);
    let mut session = on_terminal(&day, size, &["qr", "send", "--besides", "other"]);
    let (mut all, mut collected) = (Vec::new(), keyrite::ceremony::carry::frames::Collected::default());
    for number in 1..200 {
        all.extend(until(&mut session, &format!("code {number}; ")));
        let picture = day.dir.join("frame.png");
        photograph(&all, size, &picture);
        for text in keyrite::ui::qr::read::texts(fs::read(picture).unwrap()).unwrap() {
            collected.take(&text).unwrap();
        }
        if collected.message().is_ok() {
            break;
        }
    }
    let message = collected.message().unwrap();
    // Then the other side reads its words out: others are refused, and what was shown is confirmed.
    types(&mut session, "\r");
    session.exp_string("on the other screen").unwrap();
    let (words, other) = (Digest::of(&message).words(), Digest::of(b"what someone else has shown").words());
    type_words(&mut session, &other);
    session.exp_string("These are not the words").unwrap();
    type_words(&mut session, &words);
    let said = session.exp_eof().unwrap();
    assert!(said.contains("the other side has what you have shown"), "{said}");
    assert!(format!("{:?}", session.process().wait().unwrap()).ends_with(", 0)"));
    let files = keyrite::ceremony::carry::files::unpack(&message).unwrap();
    assert!(files.keys().any(|path| path.ends_with("/change.json")), "{:?}", files.keys());
}

/// The scanner types the code, its Enter, and goes on typing what would agree: it agrees to nothing. The
/// words that a person types then do.
#[test]
fn a_scanner_types_codes_and_answers_nothing() {
    let day = day(Upto::End);
    let into = day.dir.join("code");
    let line = ["-C", "record", "--json", "qr", "signatures", "root-a", "--into", into.to_str().unwrap()];
    assert!(day::keyrite(&day.dir, &line).status.success());
    let texts = keyrite::ui::qr::read::texts(fs::read(into.join("signatures.png")).unwrap()).unwrap();
    let (code, words) = (&texts[0], Digest::of(texts[0].as_bytes()).words());

    let mut session = on_terminal(&day, (100, 40), &["qr", "read"]);
    session.exp_string("Enter alone ends it").unwrap();
    session.exp_string("The scanner must type").unwrap();
    // Another keyboard's letters first: refused by name, and asked on.
    types(&mut session, &format!("{}\r", code.replace('A', "Q")));
    session.exp_string("QR-CHECK").unwrap();
    types(&mut session, &format!("{code}\r\n"));
    // One that types slowly goes on where the next question would stand by then.
    for letter in format!("Yes\rsame\r{}\r", &code[..4]).chars() {
        std::thread::sleep(std::time::Duration::from_millis(100));
        types(&mut session, &letter.to_string());
    }
    session.exp_string("Which words").unwrap();
    type_words(&mut session, &words);
    // It was in the record before.
    let report = session.exp_eof().unwrap();
    assert!(report.contains("known before") && !report.contains("not the words"), "{report}");

    // Enter alone ends it with nothing read.
    let mut session = on_terminal(&day, (100, 40), &["qr", "read"]);
    session.exp_string("The scanner must type").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400)); // not as the end of a code
    types(&mut session, "\r");
    session.exp_string("QR-NONE").unwrap();
}
