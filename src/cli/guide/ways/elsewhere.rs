//! What needs no signature: said in words.

use super::super::asking::Asking;
use super::super::texts::Ending;
use crate::ceremony::standing::Standing;
use crate::cli::sign::going_on;
use crate::tuf::rule::Result;
use crate::tuf::text::visible;

/// A repository that other tools made is taken in by a command of its own.
#[allow(clippy::unnecessary_wraps, reason = "one form for every way")]
pub fn adopt(_: &mut Asking<'_>) -> Result<Ending> {
    Ok(adopted())
}

/// The line that takes in a repository of other tools.
pub fn adopted() -> Ending {
    let lines = [
        "A repository that python-tuf, tuftool or Notary made comes in with its whole root history: a folder with every N.root.json and with what clients get now.",
        "keyrite shows its roots and every quirk by name, and asks whose keys they are. Customers notice nothing.",
        "It goes into a folder of its own, in the place of NEW below; a record that is there already stays as it is.",
        "Then the root keys sign its limits, by the runbook ceremonies/adopted/01-limits.toml with your people in it, or by `guide limits` there.",
    ];
    Ending::Words {
        title: "A repository that other tools made".to_owned(),
        lines: lines.map(str::to_owned).to_vec(),
        next: vec!["keyrite adopt DIR --into NEW".to_owned(), "keyrite -C NEW guide".to_owned()],
    }
}

/// A token has died while a ceremony was being held: that one goes on first.
pub fn token_dead(asking: &Asking<'_>) -> Ending {
    let mut lines = vec![
        "What was signed stays signed. Take the dead token's [key.NAME] out of the device map and type the line of that ceremony again: it asks whoever is left.".to_owned(),
    ];
    for stored in asking.contents.changes.values().filter(|stored| going_on(stored)) {
        let needed = stored.standing.as_ref().map(Standing::needed).unwrap_or_default();
        let needed: Vec<_> =
            needed.iter().map(|asked| format!("{} of {}", asked.key, asked.holder)).collect();
        let needed = if needed.is_empty() { "nobody".to_owned() } else { needed.join(", ") };
        let (title, until) = (visible(&stored.change.frame.title), stored.change.frame.sign_by.date());
        lines.push(format!("\"{title}\" is open until {until}; it still needs: {needed}"));
    }
    lines.extend([
        "If the others meet every threshold, it is sealed without the dead one. If they don't, it waits until its last day, and another custodian may still sign it anywhere.",
        "A key that was being made when its token died has no file in the record: make another one, under another name.",
        "Then the dead token's key leaves, as lost: choose it by `guide lost-or-stolen` again. A token that is sent away for repair counts as stolen. Customers notice nothing of either.",
    ].map(str::to_owned));
    Ending::Words {
        title: "First the ceremony goes on, then the key leaves".to_owned(),
        lines,
        next: vec![
            "keyrite status    has the line by which what is open goes on".to_owned(),
            "keyrite guide lost-or-stolen    once it is sealed".to_owned(),
        ],
    }
}

/// A laptop or a copy of the record is gone, and no key with it.
pub fn record_copy() -> Ending {
    let lines = [
        "The record holds public files only: whoever has a copy can sign nothing with it, and customers are in no danger.",
        "Its folder private/ may hold private answers, and key files under private/keys: those count as stolen, encrypted or not. Choose their keys then, by `guide lost-or-stolen` again.",
        "A file with a PIN or a pass-phrase that the device map named counts as the key that it opens.",
        "A medium that was on its way is the same: what it carried is public, and what was signed on it counts only when it is imported.",
        "Take the newest copy that someone else has. Compare it with the words on paper before you go on: the newest root's digest, and the head of the last transcript.",
        "What only the lost copy had, signatures that were never handed on among them, is asked for again: run the same runbooks.",
    ];
    Ending::Words {
        title: "No key was on it: nothing to sign".to_owned(),
        lines: lines.map(str::to_owned).to_vec(),
        next: vec![
            "keyrite -C COPY verify --anchor VERSION:DIGEST-FROM-PAPER    checks the other copy".to_owned(),
            "keyrite -C COPY status    says what was open".to_owned(),
        ],
    }
}
