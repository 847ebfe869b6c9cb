//! Everything that a guide can be about, in the words of the people involved.
//!
//! Each way is one file: it asks and ends in runbooks, or in words where nothing is to be signed. To add
//! a way, write its file and add a line to [`ALL`].

mod application;
mod application_ends;
mod backend;
mod change_root;
mod copies;
mod destroy_key;
mod developer_joins;
mod developer_key;
mod developer_leaves;
mod elsewhere;
mod first_day;
mod limits;
mod lost_or_stolen;
mod person_leaves;
mod renew;
mod roll_call;
mod root_keys;
mod targets_key;
mod withdraw;

pub use elsewhere::adopted;

use super::asking::Asking;
use super::refuse;
use super::texts::Ending;
use crate::tuf::rule::Result;
use crate::ui::Prompt;

/// One way.
pub struct Way {
    /// As it is typed: `keyrite guide new-application`.
    pub name: &'static str,
    /// What people say it is.
    pub words: &'static str,
    /// Whether there is a root already when it is gone.
    rooted: bool,
    walk: fn(&mut Asking<'_>) -> Result<Ending>,
}

const fn way(name: &'static str, words: &'static str, walk: fn(&mut Asking<'_>) -> Result<Ending>) -> Way {
    Way { name, words, rooted: true, walk }
}

/// All of them, the most pressing first.
pub const ALL: [Way; 16] = [
    way("lost-or-stolen", "something was lost, stolen, copied or broken into", lost_or_stolen::walk),
    way("new-application", "a new application, and who may release it", application::walk),
    way("developer-joins", "someone more may release an application", developer_joins::walk),
    way("developer-leaves", "someone no longer releases an application", developer_leaves::walk),
    way("application-ends", "nobody releases an application any more", application_ends::walk),
    way("person-leaves", "someone leaves: root, targets and every application", person_leaves::walk),
    way("change-root", "root keys come or go in peace, or their threshold", change_root::walk),
    way("targets-key", "a new targets key in the place of the old one", targets_key::walk),
    way("renew", "something is going to expire, or has ended", renew::walk),
    way("roll-call", "prove that tokens and PINs still work", roll_call::walk),
    way("destroy-key", "destroy an old key that nothing lists any more", destroy_key::walk),
    way("limits", "change the limits of this trust", limits::walk),
    way("withdraw", "give up a change that was begun", withdraw::walk),
    way("copies-differ", "two copies of the record contradict each other", copies::walk),
    Way {
        rooted: false,
        ..way("first-day", "the first day: the first keys and the first root", first_day::walk)
    },
    Way { rooted: false, ..way("adopt", "take in a repository that other tools made", elsewhere::adopt) },
];

/// All questions, from the first.
///
/// # Errors
///
/// What asking refuses, what the planner refuses; one step back is an error too.
pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let rooted = asking.facts().root().is_some();
    // Before there is a root nothing can be lost that clients know; afterwards the first day is over.
    let open = |way: &&Way| way.name == "adopt" || way.rooted == rooted;
    let prompt = Prompt::new("ceremony", "What is it about?")
        .help("Each way ends in runbooks that you can read, rehearse and hold; nothing is signed here.");
    let prompt = ALL.iter().filter(open).fold(prompt, offer);
    let name = asking.choose(&prompt)?;
    let way = ALL.iter().find(|way| way.name == name).ok_or_else(|| refuse(&name, "one of the list"))?;
    (way.walk)(asking)
}

/// The same where there is no record yet: the first day, or a repository of others.
///
/// # Errors
///
/// What asking refuses.
pub fn without_record() -> Prompt {
    let prompt = Prompt::new("ceremony", "There is no record here yet. What is it about?").help(
        "A record is the folder in which everything that is signed is kept. Customers see nothing of it.",
    );
    ALL.iter().filter(|way| !way.rooted).fold(prompt, offer)
}

fn offer(prompt: Prompt, way: &Way) -> Prompt {
    prompt.offer(way.name, format!("{:16}   {}", way.name, way.words))
}
