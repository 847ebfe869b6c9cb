//! The answers file to be filled in: every prompt that is known ahead, with its meaning and what may
//! be answered, and no answer.

use super::answers::allowed;
use super::step::Prompt;
use crate::tuf::text::{ours, visible};

/// The file that `plan --write-answers` writes, a table for each part of the session: every prompt
/// with its meaning and what is allowed as comments, and nothing filled in. A prompt left empty
/// counts as unanswered.
pub fn template(parts: &[(&str, &[Prompt])]) -> String {
    let mut lines = vec![
        "# Answers for an unattended run: one for each prompt, in the order in which they are asked."
            .to_owned(),
        "# PINs stand elsewhere: in files of mode 0600 that the device map names.".to_owned(),
    ];
    for (at, (name, prompts)) in parts.iter().enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        lines.push(if bare { format!("[{name}]") } else { format!("[{}]", quoted(name)) });
        for prompt in *prompts {
            lines.push(String::new());
            let who = prompt.who.as_ref().map_or_else(String::new, |who| format!("{who}: "));
            lines.push(format!("# {who}{}", shown(&prompt.meaning)));
            lines.push(format!("# {}", allowed(&prompt.expect)));
            lines.push(format!("{} = \"\"", quoted(&prompt.id.0)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A meaning is safe to show already, but a comment that ended early would be an answer.
fn shown(text: &str) -> String {
    if ours("a meaning", text).is_ok() { text.to_owned() } else { visible(text) }
}

/// A quoted key of TOML: quotes and backslashes are the only characters of step names that a basic
/// string would not take as they are.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )]

    use super::*;
    use crate::ceremony::answers::{ALONE, Answers};
    use crate::ceremony::step::{Confirmation, Expect, StepId};
    use crate::tuf::digest::Digest;

    fn prompt(name: &str, expect: Expect) -> Prompt {
        Prompt {
            id: StepId(name.to_owned()),
            who: Some("alice".parse().unwrap()),
            meaning: format!("what is {name}?"),
            expect,
        }
    }

    fn agree(how: Confirmation) -> Expect {
        Expect::Agree { digest: Digest::of(b"change"), how }
    }

    #[test]
    fn each_part_gets_a_table_that_is_read_again() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let prompts = [prompt("confirm", Expect::Same)];
        let written = template(&[("01-keys", &prompts), ("of \"x\"", &prompts)]);
        assert!(written.contains("\"confirm\" = \"\"\n\n[\"of \\\"x\\\"\"]\n"), "{written}");
        Answers::parse(&written).unwrap().parts(&names(&["01-keys", "of \"x\""]), &[]).unwrap();
    }

    #[test]
    fn the_template_names_every_prompt_and_answers_none() {
        let mut question = prompt("before.1", Expect::Text);
        question.meaning = "Camera \"A\"?\u{202e}\n[answers]".to_owned();
        question.who = None;
        let prompts =
            [question, prompt("confirm", agree(Confirmation::Words)), prompt("odd\"\\", Expect::Same)];
        let written = template(&[(ALONE, &prompts)]);
        let expected = format!(
            r#"# Answers for an unattended run: one for each prompt, in the order in which they are asked.
# PINs stand elsewhere: in files of mode 0600 that the device map names.
[answers]

# Camera "A"?\u{{202e}}\u{{a}}[answers]
# a text of letters, digits and printable ASCII
"before.1" = ""

# alice: what is confirm?
# the full digest, {}
"confirm" = ""

# alice: what is odd"\?
# same, once the digest has been compared
"odd\"\\" = ""
"#,
            Digest::of(b"change")
        );
        assert_eq!(written, expected);
        let mut answers = Answers::parse(&written).unwrap();
        for prompt in &prompts {
            assert_eq!(answers.take(prompt).unwrap_err().rule().name, "ANSWER-MISSING");
        }
        // A name is a name, whatever stands in it.
        Answers::parse(&written.replace("\"odd\\\"\\\\\" = \"\"", "\"odd\\\"\\\\\" = \"same\""))
            .unwrap()
            .take(&prompts[2])
            .unwrap();
    }
}
