//! Nobody releases an application any more.

use super::super::asking::Asking;
use super::super::texts::{Draft, Ending};
use super::developer_joins::application;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;

pub fn walk(asking: &mut Asking<'_>) -> Result<Ending> {
    let found = application(
        asking,
        "Customers no longer find its releases, nor those of its tracks; what they installed stays.",
    )?;
    let people = asking.people()?;
    let known = asking.known();
    let mut draft = Draft::new("application-ends", people);
    let term =
        if found.delegator == RoleName::Targets { known.targets_term() } else { known.delegations_term() };
    let tables =
        format!("[revoke]\n{}because = \"left\"\n\n[delegator]\nvalid-for = \"{term}\"\n", found.members());
    let title = format!("End of {}", found.name);
    let comment = "The product has reached its end; nobody releases it any more.";
    draft.add("revoke", (comment, "revoke-delegation", &title), &known.granting(&found.delegator), &tables);
    draft
        .say(format!("{} is granted no more, its tracks with it. The plan lists what vanishes.", found.name));
    draft.say("Customers keep what they installed, and find nothing new.");
    Ok(Ending::Runbooks(draft))
}
