//! Change the limits: only what moves stands in the runbook.

use super::super::asking::Asking;
use super::super::refuse;
use super::super::texts::{Draft, Ending, quoted};
use crate::ceremony::limits::Limits;
use crate::ceremony::people::Person;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::time::Term;
use crate::ui::Prompt;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What an answer has to be, and how it stands in TOML.
#[derive(Clone, Copy)]
enum Form {
    Number,
    YesNo,
    Term,
    People,
    Possession,
}

/// One member that can move: its table and name, what it decides, its form and its value.
type Member = (&'static str, &'static str, &'static str, Form, fn(&Limits) -> String);

const MEMBERS: [Member; 16] = [
    ("root", "rehearsed", "every change of root is rehearsed first", Form::YesNo, |l| yes(l.root.rehearsed)),
    ("root", "witnesses", "how many watch a change of root", Form::Number, |l| l.root.witnesses.to_string()),
    ("root", "threshold-floor", "the fewest that ever sign a root", Form::Number, |l| {
        l.root.threshold_floor.to_string()
    }),
    ("root", "spare-keys", "root keys beyond those that must sign", Form::Number, |l| {
        l.root.spare_keys.to_string()
    }),
    ("root", "keys-changed", "how many root keys change at once", Form::Number, |l| {
        l.root.keys_changed.map_or("any number".to_owned(), |n| n.to_string())
    }),
    ("root", "max-valid-for", "how long a root may be valid", Form::Term, |l| {
        l.root.max_valid_for.to_string()
    }),
    ("root", "attested-keys", "new root keys are proven hardware keys", Form::YesNo, |l| {
        yes(l.root.attested_keys)
    }),
    ("targets", "rehearsed", "every change of targets is rehearsed first", Form::YesNo, |l| {
        yes(l.targets.rehearsed)
    }),
    ("targets", "witnesses", "how many watch a change of targets", Form::Number, |l| {
        l.targets.witnesses.to_string()
    }),
    ("targets", "software-keys", "targets keys in files or a vault", Form::YesNo, |l| {
        yes(l.targets.software_keys)
    }),
    ("targets", "attested-keys", "new targets keys are proven hardware keys", Form::YesNo, |l| {
        yes(l.targets.attested_keys)
    }),
    ("delegations", "software-keys", "developers' keys in files or a vault", Form::YesNo, |l| {
        yes(l.delegations.software_keys)
    }),
    ("delegations", "possession", "how developers show their key", Form::Possession, |l| {
        l.delegations.possession.name().to_owned()
    }),
    ("ceremony", "sign-within", "how long a change may be signed", Form::Term, |l| {
        l.ceremony.sign_within.to_string()
    }),
    ("ceremony", "record-no-older", "how old a copy of the record may be", Form::Term, |l| {
        l.ceremony.record_no_older.to_string()
    }),
    ("ceremony", "excluded", "people without keys of root and targets", Form::People, |l| {
        let names: Vec<_> = l.ceremony.excluded.iter().map(Person::as_str).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    }),
];

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let limits = asking.facts().limits.clone();
    let prompt = Prompt::new("limits", "Which limits change?")
        .help("Rules that you set for yourselves: keyrite refuses what breaks them.")
        .help("What gets looser is shown as such, on every screen. Customers see nothing.");
    let prompt = MEMBERS.iter().fold(prompt, |prompt, (table, name, words, _, now)| {
        let name = format!("{table}.{name}");
        prompt.offer(name.clone(), format!("{name:25} {words}: {}", now(&limits)))
    });
    let names = asking.several(&prompt, false, None)?;
    let mut tables: BTreeMap<&str, String> = BTreeMap::new();
    let mut words = Vec::new();
    for name in &names {
        let member = MEMBERS.iter().find(|(table, member, ..)| format!("{table}.{member}") == *name);
        let Some((table, member, what, form, now)) = member else { continue };
        let now = now(&limits);
        let value = value(asking, name, what, *form, &now)?;
        let text = tables.entry(table).or_default();
        let _ = writeln!(text, "{member} = {value}");
        let then = match value.trim_matches('"') {
            "true" => yes(true),
            "false" => yes(false),
            other => other.to_owned(),
        };
        words.push(format!("{what}: {now} becomes {then}"));
    }
    let people = asking.people()?;
    let mut draft = Draft::new("new-limits", people);
    let tables: Vec<String> =
        tables.iter().map(|(table, text)| format!("[limits.{table}]\n{text}")).collect();
    let tables = format!("[limits]\n\n{}", tables.join("\n"));
    let comment = "Only what moves stands here; all other limits stay.";
    let signers = asking.known().signers(&RoleName::Root);
    draft.add("set-limits", (comment, "set-limits", "Limits changed"), &signers, &tables);
    draft.words = words;
    draft.say("A threshold of root holders signs the limits; nothing is uploaded.");
    Ok(Ending::Runbooks(draft))
}

fn value(asking: &mut Asking<'_>, name: &str, what: &str, form: Form, now: &str) -> Result<String> {
    let prompt = Prompt::new(format!("value.{name}"), format!("{}: what from now on?", capital(what)))
        .help(format!("It is {now} now. The floor that is built in can't be loosened."));
    match form {
        Form::YesNo => Ok(match asking.choose(&prompt.allow("yes").allow("no"))?.as_str() {
            "yes" => "true".to_owned(),
            _ => "false".to_owned(),
        }),
        Form::Possession => {
            let prompt = prompt
                .offer("proved", "proved              by the file that keyrite developer new makes")
                .offer(
                    "first-publication",
                    "first-publication   by the first release, with a stock client's key",
                );
            asking.choose(&prompt).map(|text| quoted(&text))
        }
        Form::Number => asking.text(&prompt.help("A number."), |answer| {
            answer.parse::<u32>().map(|n| n.to_string()).map_err(|_| refuse(answer, "a number"))
        }),
        Form::Term => asking.text(&prompt.help("Such as 30 days, 6 months or 2 years."), |answer| {
            answer.parse::<Term>().map(|term| quoted(&term.to_string()))
        }),
        Form::People => {
            let prompt = prompt
                .help("Short names with commas between, or nobody. Those who build releases, for instance.");
            asking.text(&prompt, |answer| {
                if answer == "nobody" {
                    return Ok("[]".to_owned());
                }
                let people = answer.split(',').map(|name| name.trim().parse::<Person>());
                let people = people.collect::<Result<Vec<_>>>()?;
                let quoted: Vec<String> = people.iter().map(|person| format!("\"{person}\"")).collect();
                Ok(format!("[{}]", quoted.join(", ")))
            })
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
