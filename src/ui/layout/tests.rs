//! Screens of every width, and text that would move a cursor.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use super::*;
use crate::ui::table::Table;

/// Escape sequences, C1 controls, bidirectional and zero-width marks, a wide letter, a tab.
const DIRTY: &str = "a\u{1b}[31mred\u{9b}2J\u{202e}txt\u{2066}\u{200b}\u{7}\tx\u{6f22}\r\nend\\";

fn everything(text: &str) -> Screen {
    Screen::new(text)
        .rehearsal(true)
        .text(text)
        .heading(text)
        .items([text, text])
        .fact(text, text)
        .fact("short", text)
        .table(Table::new([text, "b", "c"]).row([text, text, text]).row(["x", "y", "z"]))
        .digest(text, Digest::of(b"x"))
        .callout(Tone::Careful, text)
        .exact([text])
        .next(text)
}

#[test]
fn no_escape_gets_through_a_screen() {
    for look in [
        Look::PLAIN,
        Look { colour: true, ..Look::PLAIN },
        Look { utf8: false, ..Look::PLAIN },
        Look { columns: 30, ..Look::PLAIN },
    ] {
        for safe in [Safe::untrusted(DIRTY), Safe::prose(DIRTY)] {
            let lines = lay_out(&everything(safe.as_str()), &look);
            let text = lines.join("\n");
            // Our own colours are escapes of one form; nothing else may look like one.
            let text = console::strip_ansi_codes(&text).into_owned();
            let bad = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!text.contains(bad), "{text:?}");
            assert!(look.utf8 || text.is_ascii(), "{text:?}");
        }
    }
}

#[test]
fn a_line_below_an_item_stands_under_it() {
    let screen = Screen::default().items(["root 1", "  any 2 of: root-a, root-b", "limits 1"]);
    let look = Look { columns: 24, ..Look::PLAIN };
    assert_eq!(
        lay_out(&screen, &look),
        ["  - root 1", "      any 2 of: root-a,", "      root-b", "  - limits 1"]
    );
}

#[test]
fn text_that_is_indented_stays_so_where_it_is_wrapped() {
    let screen = Screen::default().text("  root-a of ada: at hand today").text("and root-b");
    let look = Look { columns: 24, ..Look::PLAIN };
    assert_eq!(lay_out(&screen, &look), ["    root-a of ada: at", "    hand today", "", "  and root-b"]);
}

#[test]
fn no_page_ends_with_a_heading() {
    let three = |n: usize| Screen::default().items(vec!["x"; n]).heading("What").items(["y", "z"]).next("w");
    // Lines above the heading (a gap among them), and where pages end at eight lines each.
    for (above, ends) in [(1, vec![7, 2]), (3, vec![8, 3]), (5, vec![6, 7]), (6, vec![7, 7]), (7, vec![8, 7])]
    {
        let look = Look::PLAIN;
        let all = pages(&three(above), &look, 8);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), ends, "{above}: {all:?}");
        assert_eq!(all.concat(), lay_out(&three(above), &look));
        for page in &all {
            let last = page.iter().rev().find(|line| !line.is_empty()).unwrap();
            assert!(!last.contains("What") && !last.contains("Next"), "{above}: {all:?}");
        }
    }
    // A digest is read aloud from one page, and its heading stands above it.
    let read = Screen::default().items(["x", "x"]).heading("What").digest("", Digest::of(b"x"));
    let lengths = |most| pages(&read, &Look::PLAIN, most).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!((lengths(11), lengths(8)), (vec![3, 11], vec![8, 6]));
    // One that is longer than a page is no reason to stop.
    let long = Screen::default().heading("word ".repeat(200)).text("end");
    assert!(pages(&long, &Look::PLAIN, 5).iter().all(|page| page.len() <= 5 && !page.is_empty()));
}

#[test]
fn nothing_is_cut_and_no_line_is_too_long() {
    let long = "one two three four five six seven eight nine ten eleven twelve \
                3f2a91c05d7e11aa09b8c3d43f2a91c05d7e11aa09b8c3d43f2a91c05d7e11aa09b8c3d4 end";
    for columns_at_hand in [24, 40, 80, 100, 120, 300] {
        let look = Look { columns: columns_at_hand, ..Look::PLAIN };
        let mut screen = everything(long);
        screen.blocks.retain(|b| !matches!(b, Block::Exact(_)));
        let lines = lay_out(&screen, &look);
        for line in &lines {
            assert!(columns(line) < columns_at_hand.max(24), "{columns_at_hand}: {line}");
        }
        let kept: String = lines.concat().split_whitespace().collect();
        let times = kept.matches("onetwothree").count();
        assert!(times >= 6 || columns_at_hand < 80, "{columns_at_hand}: {times}\n{}", lines.join("\n"));
    }
}

#[test]
fn lines_break_at_spaces_and_keep_the_others() {
    for (text, width, expected) in [
        ("", 10, vec![""]),
        ("one two", 10, vec!["one two"]),
        ("one two", 7, vec!["one two"]),
        ("one two", 6, vec!["one", "two"]),
        ("onetwothree", 4, vec!["onet", "woth", "ree"]),
        ("a onetwothree", 4, vec!["a", "onet", "woth", "ree"]),
        ("a  b", 10, vec!["a  b"]),
        ("\u{6f22}\u{6f22}\u{6f22}", 4, vec!["\u{6f22}\u{6f22}", "\u{6f22}"]),
    ] {
        assert_eq!(wrap(text, width), expected, "{text:?} at {width}");
    }
}

#[test]
fn a_digest_has_the_same_lines_on_every_screen() {
    let screen = Screen::new("").digest("Change", Digest::of(b"x"));
    let at = |columns| lay_out(&screen, &Look { columns, ..Look::PLAIN });
    assert_eq!(at(80), at(120));
    assert_eq!(at(80).len(), 10, "a label, the hexadecimal, eight lines of four words");
}

#[test]
fn a_command_too_long_for_a_line_can_be_typed_as_it_stands() {
    let line = format!("keyrite -C records/apps verify --anchor {}    checks it all", "4".repeat(40));
    let screen = |text: &str| Screen::new("").next(text.to_owned());
    let page = |text: &str| lay_out(&screen(text), &Look { columns: 60, ..Look::PLAIN });
    let lines = page(&line);
    assert_eq!(
        lines[1..],
        [
            "    - keyrite -C records/apps verify --anchor \\".to_owned(),
            format!("        {}", "4".repeat(40)),
            "          checks it all".to_owned()
        ]
    );
    let typed = lines[1..3].join("\n").replace("    - ", "").replace("\\\n", " ");
    assert_eq!(
        typed.split_whitespace().collect::<Vec<_>>(),
        line.split("    ").next().unwrap().split(' ').collect::<Vec<_>>()
    );
    assert_eq!(page("keyrite status    what is due")[1], "    - keyrite status    what is due");
    // What stands between quotes is one word: a space more in it would be another.
    let lines = page(
        "rm -rf published && curl -K /records/uploads/fetch.curl -H \"Authorization: Bearer ${TOKEN-}\"    asks",
    );
    assert_eq!(
        lines[1..],
        [
            "    - rm -rf published && curl -K \\",
            "        /records/uploads/fetch.curl -H \\",
            "        \"Authorization: Bearer ${TOKEN-}\"",
            "          asks"
        ]
    );
    // So in single quotes, whatever stands there.
    let lines =
        page("keyrite -C '/media/u/A \"B    C; D' --devices '/home/u/it'\\''s mine' status    it all");
    assert_eq!(
        lines[1..],
        [
            "    - keyrite -C '/media/u/A \"B    C; D' --devices \\",
            "        '/home/u/it'\\''s mine' status",
            "          it all"
        ]
    );
    // A word that fits on no line is broken as any text is.
    assert!(page(&format!("keyrite -C {}    x", "d".repeat(80))).iter().all(|l| columns(l) <= 60));
}

#[test]
fn a_screen_reads_like_this() {
    let screen = Screen::new("Create the root")
        .rehearsal(true)
        .fact("Collection", "rehearsal.invalid/apps")
        .fact("Signed", "1 of 2")
        .text("The first root of the trust is about to be signed by the three keys that it lists.")
        .callout(Tone::Careful, "This can't be taken back once clients have seen it.")
        .table(Table::new(["key", "holder", "token"]).row(["root-a", "ada", "\"a\" (serial 12)"]))
        .next("bruno signs with root-b: keyrite sign");
    assert_eq!(
        lay_out(&screen, &Look { utf8: false, columns: 60, ..Look::PLAIN }).join("\n"),
        "  REHEARSAL - Create the root
  ---------------------------------------------------------

  Collection  rehearsal.invalid/apps
  Signed      1 of 2

  The first root of the trust is about to be signed by the
  three keys that it lists.

  Careful: This can't be taken back once clients have seen
  it.

  key     holder  token
  ------  ------  ---------------
  root-a  ada     \"a\" (serial 12)

  Next
    - bruno signs with root-b: keyrite sign"
    );
}

#[test]
fn colour_adds_nothing_but_colour() {
    let screen = everything("text");
    let plain = lay_out(&screen, &Look::PLAIN).join("\n");
    let coloured = lay_out(&screen, &Look { colour: true, ..Look::PLAIN }).join("\n");
    assert_ne!(plain, coloured);
    assert_eq!(plain, console::strip_ansi_codes(&coloured));
}
