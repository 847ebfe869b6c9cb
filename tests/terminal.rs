//! The terminal as a person meets it: pages, choices, words, secrets, Ctrl-C.
//!
//! The prompts ask the controlling terminal, so each test runs itself again as a child on a
//! pseudo-terminal, where `KEYRITE_STAGE` says what is asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test fails by panicking; a child tells its answers on stdout"
)]

use keyrite::ceremony::confirm::Places;
use keyrite::tuf::digest::Digest;
use keyrite::tuf::rule::Result;
use keyrite::ui::interrupt::Interrupt;
use keyrite::ui::screen::{Safe, Screen};
use keyrite::ui::terminal::Terminal;
use keyrite::ui::{Console, Prompt};
use rexpect::session::PtySession;
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use std::env;
use std::fs::OpenOptions;
use std::process::Command;
use std::time::Duration;

const PLACES: [u8; 3] = [3, 5, 7];

fn digest() -> Digest {
    Digest::of(b"the change")
}

/// What the child asks, and how it tells what was answered.
fn stage(name: &str) -> Result<String> {
    let mut console = Terminal::open(Interrupt::listen()?)?;
    Ok(match name {
        "page" => {
            console.show(&Screen::new("Long").items((1..=60).map(|n| format!("line {n} of sixty"))))?;
            "shown".to_owned()
        }
        "text" => console.ask_text(&Prompt::new("q", "A text?").help("Some help."))?,
        "allowed" => console.ask_text(&Prompt::new("q", "Which?").allow("red").allow("green"))?,
        "default" => console.ask_text(&Prompt::new("q", "A text?").default("mine"))?,
        "choice" => {
            let prompt = Prompt::new("q", "Which?").offer("a", "the first").offer("b", "the second");
            console.ask_choice(&prompt)?.to_string()
        }
        "wide-choice" => {
            let long =
                "a choice that is far too long for one line of the terminal, so it is numbered ".repeat(2);
            console.ask_choice(&Prompt::new("q", "Which?").offer("a", long).allow("b"))?.to_string()
        }
        "yes" => {
            console.confirm_yes(&Prompt::new("q", "Agreed?"), &digest()).map(|()| "agreed".to_owned())?
        }
        "words" => {
            let places = Places::from_random(PLACES);
            console.confirm_words(&Prompt::new("q", "Which words?"), &digest(), places)?;
            "agreed".to_owned()
        }
        "enter" => console.press_enter(&Prompt::new("q", "Ready?")).map(|()| "pressed".to_owned())?,
        "alone" => {
            let card = "share 1 of 3\n\n   1 academic   2 acid\n";
            console.show_alone(card, &Prompt::new("card", "Copied?"))?;
            "copied".to_owned()
        }
        "secret" => {
            echo();
            console.secret(&Prompt::new("q", "The PIN?"))?.expose().escape_default().to_string()
        }
        "early" => {
            // Time to type before the question is asked.
            println!("working");
            std::thread::sleep(Duration::from_millis(700));
            console.confirm_yes(&Prompt::new("q", "Agreed?"), &digest()).map(|()| "agreed".to_owned())?
        }
        "untrusted" => {
            let prompt = Prompt::new("q", Safe::untrusted("role \u{1b}[2J\u{202e}x\u{9b}31m?"));
            console
                .ask_text(&prompt.offer(Safe::untrusted("\u{1b}]0;title\u{7}"), Safe::untrusted("\u{1b}c")))?
        }
        other => panic!("no stage {other}"),
    })
}

/// Not a test of its own: what the others run as a child.
#[test]
fn child() {
    let Ok(name) = env::var("KEYRITE_STAGE") else { return };
    if let Ok(size) = env::var("KEYRITE_SIZE") {
        let (columns, rows) = size.split_once('x').unwrap();
        let size = Winsize {
            ws_row: rows.parse().unwrap(),
            ws_col: columns.parse().unwrap(),
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(OpenOptions::new().read(true).open("/dev/tty").unwrap(), size).unwrap();
    }
    match stage(&name) {
        Ok(answer) => println!("\n<<{answer}>>"),
        Err(refusal) => println!("\n<<{}>>", refusal.rule().name),
    }
}

/// Has the terminal show what is typed, as people's do: these sessions begin without it, and would hide
/// a secret that the program doesn't.
fn echo() {
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty").unwrap();
    let mut settings = tcgetattr(&tty).unwrap();
    settings.local_modes.insert(LocalModes::ECHO);
    tcsetattr(&tty, OptionalActions::Now, &settings).unwrap();
}

fn start(name: &str, size: &str, settings: &[(&str, &str)]) -> PtySession {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env_clear();
    command.envs([("KEYRITE_STAGE", name), ("KEYRITE_SIZE", size), ("TERM", "xterm"), ("LANG", "C.UTF-8")]);
    command.envs(settings.iter().copied());
    rexpect::session::spawn_command(command, Some(20_000)).unwrap()
}

/// What the child answered, and all that the terminal showed on the way.
fn told(mut pty: PtySession) -> (String, String) {
    let seen = pty.exp_string("<<").unwrap();
    (pty.exp_string(">>").unwrap(), seen)
}

fn type_at(pty: &mut PtySession, mark: &str, line: &str) {
    pty.exp_string(mark).unwrap_or_else(|e| panic!("waited for {mark:?}: {e}"));
    pty.send_line(line).unwrap();
}

#[test]
fn a_long_screen_is_shown_page_by_page_and_whole() {
    for (size, pages) in [("80x24", 3), ("120x40", 2), ("80x200", 1), ("20x10", 9)] {
        let mut pty = start("page", size, &[]);
        let mut seen = String::new();
        for page in 1..pages {
            seen.push_str(&pty.exp_string("press Enter to read on").unwrap());
            assert!(!seen.contains("line 60 of sixty"), "{size}: page {page}");
            pty.exp_string(") ").unwrap();
            pty.send_line("").unwrap();
        }
        let (answer, rest) = told(pty);
        seen.push_str(&rest);
        assert_eq!(answer, "shown", "{size}");
        let flat: String = console::strip_ansi_codes(&seen).split_whitespace().collect::<Vec<_>>().join(" ");
        for n in 1..=60 {
            assert!(flat.contains(&format!("line {n} of sixty")), "{size}: line {n}: {flat}");
        }
    }
}

#[test]
fn a_screen_of_one_window_stays_in_it() {
    for (columns, rows) in [(80u16, 24u16), (120, 40)] {
        let size = format!("{columns}x{rows}");
        let (_, seen) = {
            let mut pty = start("page", &size, &[]);
            let seen = pty.exp_string("press Enter to read on").unwrap();
            pty.exp_string(") ").unwrap();
            pty.send_control('c').unwrap();
            (told(pty), seen)
        };
        let mut screen = vt100::Parser::new(rows, columns, 1000);
        screen.process(seen.as_bytes());
        let top: Vec<String> = screen.screen().rows(0, columns).map(|r| r.trim_end().to_owned()).collect();
        assert!(top.iter().any(|line| line == "  Long"), "{size}: the title is still in the window: {top:?}");
        assert!(top.iter().any(|line| line == "  - line 1 of sixty"), "{size}: {top:?}");
    }
}

/// A secret shown alone is nowhere once it is off: not in the window, not above it.
#[test]
fn what_is_shown_alone_is_gone_afterwards() {
    for (stop, expected) in [(false, "copied"), (true, "INTERRUPTED")] {
        let mut pty = start("alone", "80x24", &[]);
        let mut seen = pty.exp_string("(press Enter) ").unwrap();
        let look = |seen: &str| {
            let mut screen = vt100::Parser::new(24, 80, 1000);
            screen.process(seen.as_bytes());
            let now = screen.screen().contents();
            screen.screen_mut().set_scrollback(1000);
            (now, screen.screen().contents())
        };
        assert!(look(&seen).0.contains("   1 academic   2 acid"), "{}", look(&seen).0);
        if stop {
            pty.send_control('c').unwrap();
        } else {
            pty.send_line("").unwrap();
        }
        let (answer, rest) = told(pty);
        seen.push_str("(press Enter) ");
        seen.push_str(&rest);
        assert_eq!(answer, expected);
        let (now, above) = look(&seen);
        assert!(!now.contains("acad") && !above.contains("acad"), "{now}\n{above}");
    }
    for (size, term) in [("80x24", "dumb"), ("80x6", "xterm"), ("20x24", "xterm")] {
        let (answer, seen) = told(start("alone", size, &[("TERM", term)]));
        assert_eq!(answer, "SHOWN-ALONE", "{size} {term}");
        assert!(!seen.contains("acad"), "{seen}");
    }
}

#[test]
fn answers_are_asked_again_until_they_can_be() {
    for (name, lines, expected) in [
        ("text", &["", "  an answer  "][..], "an answer"),
        ("text", &["\u{e9}e\u{301}", "plain"], "plain"),
        ("default", &[""], "mine"),
        ("allowed", &["blue", "green"], "green"),
        ("yes", &["yes", "YES", "Yes"], "agreed"),
        ("yes", &["no"], "NOT-CONFIRMED"),
        ("wide-choice", &["3", "x", "2"], "1"),
        ("wide-choice", &["b"], "1"),
        ("enter", &[""], "pressed"),
    ] {
        for term in ["xterm", "dumb"] {
            let mut pty = start(name, "80x24", &[("TERM", term)]);
            for line in lines {
                type_at(&mut pty, if name == "enter" { "(press Enter) " } else { "> " }, line);
            }
            assert_eq!(told(pty).0, expected, "{name} {lines:?} on {term}");
        }
    }
}

#[test]
fn a_choice_is_made_by_arrows_or_by_number() {
    let mut pty = start("choice", "80x24", &[]);
    pty.exp_string("> the first").unwrap();
    pty.send_line("\u{1b}[B").unwrap();
    assert_eq!(told(pty).0, "1");
    for (line, place) in [("2", "1"), ("b", "1"), ("1", "0")] {
        let mut pty = start("choice", "80x24", &[("TERM", "dumb")]);
        pty.exp_string("2. the second").unwrap();
        type_at(&mut pty, "> ", line);
        assert_eq!(told(pty).0, place);
    }
}

#[test]
fn a_change_is_agreed_to_by_the_words_at_three_places() {
    let words = digest().words();
    let numbers = Places::from_random(PLACES).numbers();
    let right: Vec<String> = numbers.iter().map(|n| words[n - 1].to_lowercase()).collect();
    let wrong = vec!["aardvark".to_owned(); 3];
    let swapped = vec![right[1].clone(), right[0].clone(), right[2].clone()];
    let no = vec!["no".to_owned()];
    for (rounds, expected) in [
        (vec![&right], "agreed"),
        (vec![&wrong, &swapped, &right], "agreed"),
        (vec![&wrong, &swapped, &wrong], "NOT-CONFIRMED"),
        (vec![&wrong, &no], "NOT-CONFIRMED"),
    ] {
        let mut pty = start("words", "80x24", &[]);
        for round in &rounds {
            for (number, word) in numbers.iter().zip(*round) {
                type_at(&mut pty, &format!("word {number:>2} > "), word);
            }
        }
        assert_eq!(told(pty).0, expected, "{rounds:?}");
    }
}

#[test]
fn a_secret_is_edited_unseen() {
    for (keys, expected) in [
        ("1234\r", "1234"),
        ("12x\u{7f}34\r", "1234"),
        ("wrong\u{15}1234\r", "1234"),
        ("p\u{e4}\u{e9}\u{7f}ss\r", "p\\u{e4}ss"),
        ("a b\t\r", "a b"),
        ("12\u{3}", "INTERRUPTED"),
        ("\u{4}", "TERMINAL"),
    ] {
        let mut pty = start("secret", "80x24", &[]);
        pty.exp_string("(not shown) > ").unwrap();
        pty.send(keys).unwrap();
        pty.flush().unwrap();
        let (answer, seen) = told(pty);
        assert_eq!(answer, expected, "{keys:?}");
        assert_eq!(seen.trim(), "", "nothing of it is shown: {keys:?}");
    }
}

#[test]
fn keys_pressed_before_the_question_answer_nothing() {
    let mut pty = start("early", "80x24", &[]);
    pty.exp_string("working").unwrap();
    pty.send_line("Yes").unwrap();
    pty.exp_string("(Yes or no) > ").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    pty.send_line("no").unwrap();
    assert_eq!(told(pty).0, "NOT-CONFIRMED");
}

#[test]
fn ctrl_c_ends_every_kind_of_prompt() {
    for (name, mark) in [
        ("text", "> "),
        ("choice", "> the first"),
        ("yes", "> "),
        ("words", "> "),
        ("enter", "(press Enter) "),
        ("secret", "> "),
        ("page", "read on) "),
    ] {
        for term in ["xterm", "dumb"] {
            let mark = if (name, term) == ("choice", "dumb") { "> " } else { mark };
            let mut pty = start(name, "80x24", &[("TERM", term)]);
            pty.exp_string(mark).unwrap();
            pty.send_control('c').unwrap();
            let (answer, seen) = told(pty);
            assert_eq!(answer, "INTERRUPTED", "{name} on {term}");
            assert!(!seen.contains("\u{1b}[?25l"), "{name}: the cursor stays hidden");
        }
    }
}

#[test]
fn without_colour_nothing_is_coloured_and_nothing_is_lost() {
    let seen = |settings: &[(&str, &str)]| {
        let mut pty = start("text", "80x24", settings);
        type_at(&mut pty, "> ", "x");
        // Before the prompt: from there on the line is edited in place.
        told(pty).1
    };
    let question = |settings: &[(&str, &str)]| {
        let mut pty = start("text", "80x24", settings);
        let before = pty.exp_string("> ").unwrap();
        pty.send_line("x").unwrap();
        assert_eq!(told(pty).0, "x");
        before
    };
    assert!(question(&[]).contains("\u{1b}[1m"));
    for settings in [&[("NO_COLOR", "1")][..], &[("TERM", "dumb")]] {
        let plain = question(settings);
        assert!(!plain.contains("\u{1b}[1m") && !plain.contains("\u{1b}[2m"), "{plain:?}");
        assert!(plain.contains("A text?") && plain.contains("Some help."), "{plain:?}");
    }
    assert!(!seen(&[("TERM", "dumb")]).contains('\u{1b}'), "a dumb terminal gets no escapes at all");
}

#[test]
fn names_from_outside_move_no_cursor() {
    for term in ["xterm", "dumb"] {
        let mut pty = start("untrusted", "80x24", &[("TERM", term), ("NO_COLOR", "1")]);
        let before = pty.exp_string("> ").unwrap();
        assert!(before.contains("role \\u{1b}[2J\\u{202e}x\\u{9b}31m?"), "{before:?}");
        assert!(!before.contains(|c: char| (c.is_control() && !"\r\n".contains(c)) || c == '\u{202e}'));
        pty.send_line("x").unwrap();
        let again = pty.exp_string("Please type one of: ").unwrap() + &pty.exp_string(".").unwrap();
        assert!(again.contains("\\u{1b}]0;title\\u{7}"), "{again:?}");
        pty.send_control('c').unwrap();
    }
}
