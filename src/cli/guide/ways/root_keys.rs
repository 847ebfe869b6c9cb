//! Root keys that come and go, in peace or after an incident: the planner finds the fewest roots.

use super::super::asking::Asking;
use super::super::record::Known;
use super::super::refuse;
use super::super::texts::{Draft, Ending};
use crate::ceremony::change::Purpose;
use crate::ceremony::facts::Facts;
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::planner::{self, Answer, Certified, Question, Wish};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::time::Time;
use crate::ui::Prompt;
use std::collections::BTreeSet;

/// What was asked of root keys.
pub struct Asked {
    pub wish: Wish,
    /// Keys that are still to be made.
    pub new: Vec<(KeyName, Person)>,
    /// Keys of the roots to come that may sign.
    pub able: BTreeSet<KeyName>,
}

impl Asked {
    /// That root's own keys stay.
    pub fn nothing(known: Known<'_>) -> Self {
        let living = known.of_purpose(Purpose::Root);
        let able = known.listed(&RoleName::Root).intersection(&living).cloned().collect();
        Self { wish: Wish::new(known.root_term()), new: Vec::new(), able }
    }

    /// What it puts to the planner, with what the tokens in reach can sign, and keys that come later.
    fn question(&self, late: &[(KeyName, Time)], facts: &Facts) -> Result<Question> {
        let mut wish = self.wish.clone();
        let made = |name: &KeyName| self.new.iter().any(|(new, _)| new == name);
        wish.late.extend(late.iter().filter(|(name, _)| !made(name)).cloned());
        let mut question = planner::question(&wish, facts)?;
        for (name, holder) in &self.new {
            let day = late.iter().find(|(late, _)| late == name).map(|(_, day)| *day);
            question.expect(name, holder, day);
        }
        Ok(planner::with_tokens(question, facts))
    }
}

/// Which root keys go and come, and the threshold.
pub fn ask(asking: &mut Asking<'_>, incident: bool) -> Result<Asked> {
    let mut wish = Wish::new(asking.known().root_term());
    let now = planner::question(&wish, asking.facts())?.now;
    let listed = now.keys;
    let prompt = if incident {
        Prompt::new("keys", "Which root keys?").help(
            "All that are concerned. Customers are in danger only once someone has a threshold of them.",
        )
    } else {
        Prompt::new("keys", "Which root keys leave?")
            .help("Keys that leave in peace still sign the next root, so that customers' agents follow.")
    };
    let keys = asking.keys(prompt, &listed, !incident)?;
    if incident {
        (wish.lost, wish.compromised) = asking.fates(&keys)?;
    } else {
        wish.remove.clone_from(&keys);
    }
    let spare: BTreeSet<KeyName> =
        asking.known().of_purpose(Purpose::Root).difference(&listed).cloned().collect();
    let suggest = asking.known().free_name("root", true);
    let leave = match keys.len() {
        0 => "None leaves. More may come".to_owned(),
        1 => "One leaves. As many should come".to_owned(),
        many => format!("{many} leave. As many should come"),
    };
    let prompt = Prompt::new("replace-with", "Which keys come in?")
        .help(format!("{leave}: a root without spare keys is one loss from its end."));
    let (known, new) = asking.keys_and_new(
        prompt,
        &spare,
        true,
        Some(&suggest),
        "They make it on a token of their own. Nobody may hold enough root keys to sign alone.",
    )?;
    wish.add = known;
    let stay = listed.len().saturating_sub(keys.len());
    let most = stay.saturating_add(wish.add.len()).saturating_add(new.len());
    let prompt = Prompt::new("threshold", "How many must sign a root from then on?")
        .help("At least 2, and fewer than there are keys, so that one loss is no disaster.")
        .help("Customers believe any root that this many have signed.");
    let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
    wish.threshold = Some(asking.number(prompt, 1..=most, now.threshold)?);
    let living = listed.iter().filter(|name| !wish.lost.contains(*name) && !wish.compromised.contains(*name));
    let able = living.chain(&wish.add).chain(new.iter().map(|(name, _)| name)).cloned().collect();
    Ok(Asked { wish, new, able })
}

/// The whole way, to runbooks.
pub fn walk(asking: &mut Asking<'_>, incident: bool) -> Result<Ending> {
    let asked = ask(asking, incident)?;
    let late = asking.late(&asked.able)?;
    let cast = asking.people()?;
    let certified = Certified::of(asked.question(&late, asking.facts())?);
    let question = &certified.question;
    let answer = planner::plan(question);
    let mut words = planner::explain(question, &answer);
    let refusal = match answer {
        Answer::Roots(roots) => {
            let first = certified.runbooks(&cast);
            let runbooks = planner::runbooks(question, &roots, &cast);
            let folder = if incident { super::lost_or_stolen::FOLDER } else { "change-root" };
            let mut draft = Draft::new(folder, cast);
            draft.make_root_keys(&asked.new, asking.known().algorithm(&RoleName::Root));
            for (name, text) in first {
                draft.add_text(&name, text);
            }
            words.extend(certified.words());
            for (_, text) in runbooks {
                draft.add_text("rotate-root", text);
            }
            draft.words = words;
            if !asked.wish.compromised.is_empty() {
                draft.say("Until customers' agents have the last of these roots, whoever has a threshold of the old keys can make one of their own; with fewer, nothing.");
            } else if incident {
                draft.say("Nobody can do anything with a key that is lost.");
            }
            draft.say("Customers notice nothing: their agents go from root to root by themselves.");
            return Ok(Ending::Runbooks(draft));
        }
        Answer::Nothing => refuse("nothing", "a key that comes or goes, or another threshold"),
        Answer::Impossible(impossible) => planner::refused(question, &impossible),
    };
    Err(asking.no_way(refusal, &words))
}
