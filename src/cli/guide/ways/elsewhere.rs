//! What needs no signature: said in words.

use super::super::asking::Asking;
use super::super::texts::Ending;
use crate::tuf::rule::Result;

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
