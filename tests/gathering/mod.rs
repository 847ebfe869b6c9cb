//! Sessions at a terminal to which people bring cards, or from which they take some home.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking; not every test looks at all of it"
)]

use crate::stage::{Stage, utf8};
use keyrite::signer::slip39::{Share, recombine};
use rexpect::ReadUntil;
use rexpect::session::{PtySession, spawn_command};
use std::path::Path;
use std::process::Command;

/// One card as its holder copied it.
#[derive(Clone, PartialEq, Eq)]
pub struct Copied {
    pub words: String,
    pub salt: String,
}

/// What came of a session at a terminal.
pub struct Told {
    pub text: String,
    pub code: i32,
    /// Cards that were shown, in order.
    pub cards: Vec<Copied>,
}

/// Holds a runbook at a terminal. `brought` are the cards that people have with them, in order.
pub fn hold(stage: &Stage, devices: &Path, runbook: &Path, brought: &[Copied]) -> Told {
    held(stage, devices, runbook, &Room { brought, ..Room::default() })
}

/// The same where cards are only brought when they are gathered: what is dealt out is typed as it was
/// shown. `under` is a program and its arguments beneath which the session runs.
pub fn hold_under(
    stage: &Stage,
    devices: &Path,
    runbook: &Path,
    brought: &[Copied],
    under: &[String],
) -> Told {
    held(stage, devices, runbook, &Room { brought, under, gathered_only: true, ..Room::default() })
}

/// The same where cards are printed: `print` gets the path of each page, as it lies there, and gives the
/// card as its holder has it on paper.
pub fn hold_printing(
    stage: &Stage,
    devices: &Path,
    runbook: &Path,
    print: &dyn Fn(&Path) -> Copied,
    (under, stop): (&[String], Option<&str>),
) -> Told {
    held(stage, devices, runbook, &Room { print: Some(print), under, stop, ..Room::default() })
}

/// The same, with people who type what no file has: what they are asked for, and what they type.
pub fn hold_typing(
    stage: &Stage,
    devices: &Path,
    runbook: &Path,
    brought: &[Copied],
    passwords: &[(&str, &str)],
) -> Told {
    held(stage, devices, runbook, &Room { brought, passwords, ..Room::default() })
}

/// The same where shares of another tool are brought: each is typed as often as it is asked for, in order.
pub fn hold_sharing(stage: &Stage, devices: &Path, runbook: &Path, shares: &[&str]) -> Told {
    held(stage, devices, runbook, &Room { shares, ..Room::default() })
}

/// The same beneath a program and its arguments.
pub fn hold_sharing_under(
    stage: &Stage,
    devices: &Path,
    runbook: &Path,
    shares: &[&str],
    under: &[String],
) -> Told {
    held(stage, devices, runbook, &Room { shares, under, ..Room::default() })
}

/// The wrap key that two cards give, split as Vault splits keys, two of any: the shares at these places.
pub fn as_vault_splits(cards: &[Copied], places: [u8; 2]) -> [String; 2] {
    let cards: Vec<Share> = cards.iter().map(|card| Share::read(&card.words).unwrap()).collect();
    let wrap_key = recombine(&cards.iter().collect::<Vec<_>>(), "").unwrap();
    // A line for each byte, through it at 0: the value and, behind all, the place.
    places.map(|x| {
        let value = wrap_key.expose().iter().zip(101..).map(|(byte, slope)| byte ^ times(slope, x));
        base16ct::lower::encode_string(&value.chain([x]).collect::<Vec<u8>>())
    })
}

/// In the field of AES.
fn times(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b > 0 {
        product ^= if b & 1 == 1 { a } else { 0 };
        a = (a << 1) ^ if a & 0x80 == 0 { 0 } else { 0x1b };
        b >>= 1;
    }
    product
}

/// The same until a question with these words, at which someone stops it.
pub fn stop_at(stage: &Stage, devices: &Path, runbook: &Path, words: &str) -> Told {
    held(stage, devices, runbook, &Room { stop: Some(words), ..Room::default() })
}

/// Who is there, and what they have with them.
#[derive(Default)]
struct Room<'a> {
    brought: &'a [Copied],
    passwords: &'a [(&'a str, &'a str)],
    shares: &'a [&'a str],
    stop: Option<&'a str>,
    under: &'a [String],
    gathered_only: bool,
    print: Option<&'a dyn Fn(&Path) -> Copied>,
}

fn held(stage: &Stage, devices: &Path, runbook: &Path, room: &Room<'_>) -> Told {
    let Room { brought, passwords, shares, stop, under, gathered_only, print } = *room;
    let mut shares = shares.iter();
    let mut command = Command::new("sh");
    // People's terminals show what is typed; one of rexpect's begins without, and would hide a secret.
    let line = "stty echo rows 40 cols 100 && exec \"$0\" \"$@\"";
    command.args(["-c", line]).args(under).arg(env!("CARGO_BIN_EXE_keyrite"));
    command.args(["-C", utf8(&stage.record), "--devices", utf8(devices), "run", utf8(runbook)]);
    // Whoever types secrets also wants to know what the program tells when it is asked to tell all.
    command.args((!passwords.is_empty()).then_some("-vv"));
    command.current_dir(&stage.dir).env("TERM", "xterm").env("LANG", "C.UTF-8");
    command.env("SOFTHSM2_CONF", stage.path("softhsm2.conf"));
    let mut pty = spawn_command(command, Some(60_000)).unwrap();
    // The line editor draws a line again as it is typed: questions are known by their words.
    let prompts = [
        "(once more) > ",
        "(press Enter) ",
        "to read on) ",
        "(not shown) > ",
        "Type same once",
        "Reset YubiHSM",
        "Do you agree",
        "What is today's date",
        "Type your name once",
    ];
    let mut told = Told { text: String::new(), code: -1, cards: Vec::new() };
    let mut brought = brought.iter();
    let mut typing: Option<Copied> = None;
    let mut typed = String::new();
    loop {
        let needles = prompts.iter().map(|p| ReadUntil::String((*p).to_owned()));
        let needles = needles.chain([ReadUntil::EOF]).collect();
        let (before, found) = pty.exp_any(needles).unwrap_or_else(|e| panic!("{e} after\n{}", told.text));
        told.text.push_str(&before);
        told.text.push_str(&found);
        if !prompts.contains(&found.as_str()) {
            break;
        }
        if stop.is_some_and(|words| before.contains(words)) {
            pty.send_control('c').unwrap();
            continue;
        }
        let answer = match found.as_str() {
            // Whoever brings shares has every password in a file.
            "(not shown) > " if !room.shares.is_empty() => {
                (*shares.next().expect("a share to type")).to_owned()
            }
            "(not shown) > " if before.contains("Words 1 to 33") => {
                let dealt = brought.len() == 0 || gathered_only && !before.contains("can bring one");
                let card = told.cards.last().filter(|_| dealt).cloned();
                let card = card.or_else(|| brought.next().cloned()).expect("a card to type");
                typing.insert(card).words.clone()
            }
            // A word of it was none: the right one stands behind.
            "(not shown) > " if before.contains(" to 33") => {
                let from = before.rsplit("Words ").next().unwrap().split(' ').next().unwrap();
                let card = typing.as_ref().unwrap().words.replace("hunter-2:", "");
                let rest: Vec<&str> = card.split(' ').skip(from.parse::<usize>().unwrap() - 1).collect();
                rest.join(" ")
            }
            "(not shown) > " if before.contains("The salt") => typing.take().unwrap().salt,
            "Type same once"
            | "Reset YubiHSM"
            | "Do you agree"
            | "What is today's date"
            | "Type your name once" => {
                told.text.push_str(&pty.exp_string("> ").unwrap());
                match found.as_str() {
                    "Type same once" => "same".to_owned(),
                    "Reset YubiHSM" => "reset".to_owned(),
                    "What is today's date" => crate::stage::today(),
                    "Type your name once" => "wim".to_owned(),
                    _ => "Yes".to_owned(),
                }
            }
            "(once more) > " => typed.clone(),
            "(not shown) > " => {
                let asked = passwords.iter().filter_map(|(asked, word)| Some((before.rfind(asked)?, word)));
                let last = asked.max_by_key(|(place, _)| *place);
                let word = last.unwrap_or_else(|| panic!("a question without an answer:\n{}", told.text)).1;
                (*word).clone_into(&mut typed);
                typed.clone()
            }
            _ => {
                if before.contains("Copy every word") {
                    told.cards.push(copied(&before));
                }
                if let Some((_, place)) =
                    before.split_once("Print ").filter(|_| before.contains("once, and take"))
                {
                    let page = Path::new(place.split(" once").next().unwrap());
                    told.cards.push(print.expect("a printer")(page));
                }
                String::new()
            }
        };
        pty.send_line(&answer).unwrap();
    }
    told.code = ended(&pty);
    told
}

/// A card as someone copies it from the screen: numbers and words in turn, then the salt.
fn copied(screen: &str) -> Copied {
    let card = screen.split("\u{1b}[H").last().unwrap().replace("\r\n", "\n");
    let mut parts = card.split("\n\n").skip(1);
    let words: Vec<&str> = parts.next().unwrap().split_whitespace().skip(1).step_by(2).collect();
    assert_eq!(words.len(), 33, "{card}");
    let salt = parts.next().unwrap().trim().strip_prefix("salt ").unwrap();
    Copied { words: words.join(" "), salt: salt.to_owned() }
}

fn ended(session: &PtySession) -> i32 {
    // `Exited(Pid(4711), 1)`: the type itself is not public.
    let status = format!("{:?}", session.process().wait().unwrap());
    let code = status.strip_prefix("Exited(").and_then(|s| s.trim_end_matches(')').rsplit(' ').next());
    code.and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{status}"))
}
