//! Two copies of the record contradict each other: people say which of two files stands.

use super::super::asking::Asking;
use super::super::refuse;
use super::super::texts::{Draft, Ending, quoted};
use crate::ceremony::conflict::decider;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::text::visible;
use crate::ui::Console;
use crate::ui::Prompt;
use crate::ui::screen::{Safe, Screen};

/// As many digits as tell one file from another.
const DIGITS: usize = 16;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let facts = asking.facts();
    let open: Vec<_> = facts.conflicts.iter().filter(|(_, conflict)| conflict.kept.is_none()).collect();
    if open.is_empty() {
        let lines = [
            "Nothing in this record stands for the same thing twice, or it is decided already.",
            "Another copy may say otherwise: merge the two file by file, then ask again. Two changes that make one version are ended by `guide withdraw`.",
        ];
        return Ok(Ending::Words {
            title: "Nothing to decide".to_owned(),
            lines: lines.map(str::to_owned).to_vec(),
            next: vec!["cp -rn OTHER/. RECORD".to_owned(), "keyrite -C RECORD status".to_owned()],
        });
    }
    let prompt = Prompt::new("what", "Which contradiction?")
        .help("Each of the files verifies. Nothing that rests on them is used until people have decided.")
        .help("Customers see none of it, unless one of them was published.");
    let prompt = open.iter().fold(prompt, |prompt, (what, _)| prompt.allow(Safe::untrusted(what)));
    let what = asking.choose(&prompt)?;
    let (_, conflict) = open
        .iter()
        .find(|(name, _)| visible(name) == what)
        .ok_or_else(|| refuse(&what, "one of the list"))?;
    let sides =
        conflict.sides.iter().fold(Screen::new(format!("Two files for {what}")), |screen, (side, says)| {
            screen.heading(short(&side.hex())).items(says.iter().map(String::as_str))
        });
    asking.keeping.show(&sides)?;
    let prompt = Prompt::new("keep", "Which one stands?")
        .help("Ask those who made them: only they know which was meant. The other is given up for good.");
    let prompt = conflict.sides.iter().fold(prompt, |prompt, (side, says)| {
        let others = conflict.sides.iter().filter(|(other, _)| *other != side);
        let alike = |line: &&String| others.clone().any(|(_, said)| said.contains(line));
        let own: Vec<_> = says.iter().filter(|line| !alike(line)).map(String::as_str).take(1).collect();
        prompt.offer(short(&side.hex()), format!("{}   {}", short(&side.hex()), own.join("")))
    });
    let keep = asking.choose(&prompt)?;
    let people = asking.people()?;
    let known = asking.known();
    let role = decider(facts, &what);
    let custodians = match known.applications().get(&role) {
        Some(above) => known.holders(&above.keys),
        None if role == RoleName::Targets => known.signers(&RoleName::Targets),
        None => known.signers(&RoleName::Root),
    };
    let mut draft = Draft::new("decide", people);
    let tables = format!("[decide]\nwhat = {}\nkeep = \"{keep}\"\n", quoted(&what));
    let comment = "Of two files that copies made side by side, one stands from here on.";
    draft.add("decide", (comment, "decide", &format!("Which {what} stands")), &custodians, &tables);
    draft.say(format!("Of the files for {what} the one that begins with {keep} stands."));
    draft.say(format!(
        "A threshold of {role} decides. It can't be rehearsed: a rehearsal has no second copy."
    ));
    Ok(Ending::Runbooks(draft))
}

fn short(hex: &str) -> String {
    hex.chars().take(DIGITS).collect()
}
