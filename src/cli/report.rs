//! What a run tells: results on stdout, problems on stderr; with `--json` one object on stdout
//! either way, so that a script reads one stream.

use super::host::{Host, Stream};
use super::rules;
use crate::tuf::json::{Json, Members, object};
use crate::tuf::rule::{Exit, Refusal, Result};
use crate::ui;
use crate::ui::layout::{lay_out, wrapped};
use crate::ui::look::Look;
use crate::ui::screen::{Safe, Screen};

/// The number that every JSON report starts with; another one means other members.
const SCHEMA: i64 = 1;

/// Writes a screen to stdout, laid out for where that is.
///
/// # Errors
///
/// `TERMINAL` if stdout is gone.
pub fn screen(host: &dyn Host, screen: &Screen) -> Result<()> {
    // Apart from what was asked and answered above, on a terminal.
    let gap = if host.is_terminal(Stream::Out) { "\n" } else { "" };
    let text = format!("{gap}{}\n", lay_out(screen, &host.look(Stream::Out)).join("\n"));
    out(host, text.as_bytes())
}

/// Writes a JSON report to stdout, with `"schema":1`.
///
/// # Errors
///
/// `TERMINAL` if stdout is gone.
pub fn json(host: &dyn Host, report: Json) -> Result<()> {
    out(host, &json_line(report))
}

/// Writes bytes of a closed form to stdout: completions.
///
/// # Errors
///
/// `TERMINAL` if stdout is gone.
pub fn out(host: &dyn Host, bytes: &[u8]) -> Result<()> {
    match host.write(Stream::Out, bytes) {
        Ok(()) => Ok(()),
        // Who reads through `head` has seen what they wanted.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Refusal::new(&ui::rules::TERMINAL, format!("stdout: {e}"), "an output to write to")),
    }
}

/// Tells a refusal and gives the exit code that it stands for.
pub fn refused(host: &dyn Host, refusal: &Refusal, json: bool) -> u8 {
    let exit = refusal.rule().exit;
    if json {
        let _ = out(host, &json_line(error_json(refusal)));
    } else {
        let text = error_text(refusal, &host.look(Stream::Err));
        let _ = host.write(Stream::Err, text.as_bytes());
    }
    exit.code()
}

/// Tells what clap found wrong with the arguments, or prints the help that was asked for.
pub fn usage(host: &dyn Host, error: &clap::Error, json: bool) -> u8 {
    if !error.use_stderr() {
        let _ = error.print();
        return 0;
    }
    // An argument can be a file's name off a medium, expanded by the shell.
    let lines: Vec<String> = error.to_string().lines().map(|l| Safe::prose(l).to_string()).collect();
    if json {
        let first = lines.iter().map(|l| l.trim()).find(|l| !l.is_empty()).unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        let refusal = Refusal::new(&rules::USAGE, first, "arguments as keyrite --help lists them");
        return refused(host, &refusal, true);
    }
    let _ = host.write(Stream::Err, format!("{}\n", lines.join("\n")).as_bytes());
    Exit::Usage.code()
}

fn json_line(report: Json) -> Vec<u8> {
    let mut members = match shown(report) {
        Json::Object(members) => members,
        other => Members::from([("report".to_owned(), other)]),
    };
    members.insert("schema".to_owned(), Json::Int(SCHEMA));
    let mut bytes = Json::Object(members).canonical();
    bytes.push(b'\n');
    bytes
}

/// Every text made safe to show: a JSON report is read on terminals too, and canonical JSON would
/// write control characters as they are.
fn shown(json: Json) -> Json {
    match json {
        Json::Str(text) => Json::Str(Safe::prose(&text).to_string()),
        Json::Array(items) => Json::Array(items.into_iter().map(shown).collect()),
        Json::Object(members) => {
            Json::Object(members.into_iter().map(|(k, v)| (Safe::prose(&k).to_string(), shown(v))).collect())
        }
        other => other,
    }
}

fn error_json(refusal: &Refusal) -> Json {
    let rule = refusal.rule();
    object([(
        "error",
        object([
            ("exit", i64::from(rule.exit.code()).into()),
            ("expected", refusal.expected().into()),
            ("found", refusal.found().into()),
            ("next", rule.next.into()),
            ("rule", rule.name.into()),
        ]),
    )])
}

fn error_text(refusal: &Refusal, look: &Look) -> String {
    let rule = refusal.rule();
    let word = match rule.exit {
        Exit::Warned => "warning",
        Exit::Refused | Exit::Usage => "refused",
        Exit::Device => "failed",
        Exit::Incomplete => "incomplete",
        Exit::Interrupted => "interrupted",
    };
    let mut text = format!("{word}: {}\n", rule.name);
    for (label, said) in [("found", refusal.found()), ("expected", refusal.expected()), ("next", rule.next)] {
        for (index, line) in wrapped(&Safe::from(said), look, 12).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            text.push_str(format!("  {label:<10}{line}").trim_end());
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::rules::{INTERRUPTED, NOT_CONFIRMED};

    const NARROW: Look = Look { columns: 50, ..Look::PLAIN };

    #[test]
    fn a_refusal_is_four_facts() {
        let refusal = Refusal::new(&NOT_CONFIRMED, "the answer no", "to be agreed to");
        assert_eq!(
            error_text(&refusal, &Look::PLAIN),
            "refused: NOT-CONFIRMED\n\
             \x20 found     the answer no\n\
             \x20 expected  to be agreed to\n\
             \x20 next      compare the digest with another person's screen or paper, then run\n\
             \x20           again\n\
             \n"
        );
        assert_eq!(
            error_text(&refusal, &NARROW),
            "refused: NOT-CONFIRMED\n\
             \x20 found     the answer no\n\
             \x20 expected  to be agreed to\n\
             \x20 next      compare the digest with another\n\
             \x20           person's screen or paper, then run\n\
             \x20           again\n\
             \n"
        );
    }

    #[test]
    fn the_first_word_says_how_it_ended() {
        let text = error_text(&Refusal::new(&INTERRUPTED, "Ctrl-C", "to go on"), &Look::PLAIN);
        assert!(text.starts_with("interrupted: INTERRUPTED\n"), "{text}");
    }

    #[test]
    fn a_refusal_in_json_has_the_same_facts() {
        let refusal = Refusal::new(&NOT_CONFIRMED, "the answer \"no\"", "to be agreed to");
        assert_eq!(
            String::from_utf8(json_line(error_json(&refusal))).ok().as_deref(),
            Some(
                "{\"error\":{\"exit\":1,\"expected\":\"to be agreed to\",\"found\":\"the answer \\\"no\\\"\",\
                 \"next\":\"compare the digest with another person's screen or paper, then run again\",\
                 \"rule\":\"NOT-CONFIRMED\"},\"schema\":1}\n"
            )
        );
    }

    #[test]
    fn no_escape_gets_through_a_report() {
        let dirty = "a\u{1b}[31mb\u{9b}c\u{202e}d\r\n";
        let refusal = Refusal::new(&NOT_CONFIRMED, dirty, dirty);
        for text in [
            error_text(&refusal, &Look::PLAIN),
            String::from_utf8_lossy(&json_line(error_json(&refusal))).into_owned(),
        ] {
            let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(bad), "{text:?}");
            assert!(text.contains("u{202e}"), "{text}");
        }
    }
}
