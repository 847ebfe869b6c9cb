//! Which step is next, from any place at which a session can be cut off.

use super::world::*;
use crate::ceremony::change::{Change, EnrolledKey, Item, NewKey, Possession, Purpose};
use crate::ceremony::engine::{Next, Progress, Waiting, assemble, next};
use crate::ceremony::facts::Facts;
use crate::ceremony::people::KeyName;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::{Gathered, Standing};
use crate::ceremony::step::{self, Act, PersonAct, RecordAct, Step, TokenAct};
use crate::ceremony::transcript::{
    CeremonyId, Confirmed, Entry, Intent, Outcome, Sealed, TokenSeen, Witnessed,
};
use crate::tuf::digest::Digest;
use crate::tuf::key::KeySpec;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use std::collections::BTreeMap;

const FIRST: CeremonyId = CeremonyId::from_bytes([1; 16]);
const SECOND: CeremonyId = CeremonyId::from_bytes([2; 16]);

fn runbook() -> Runbook {
    let text = concat!(
        "ceremony = \"create-root\"\ntitle = \"The first root\"\n",
        "[people]\nalice = \"administrator\"\nbob = \"witness\"\n",
        "[[before]]\nquestion = \"Camera number\"\n[[after]]\nquestion = \"Bag\"\nprivate = true\n",
    );
    Runbook::parse(text).unwrap()
}

/// A change with its steps, and what has happened to it so far.
struct Table {
    facts: Facts,
    change: Change,
    steps: Vec<Step>,
    entries: Vec<Entry>,
    gathered: Gathered,
    session: CeremonyId,
    wait: bool,
    late: bool,
}

impl Table {
    fn of(facts: Facts, change: Change) -> Self {
        let steps = assemble(&runbook(), step::of(&change, &facts)).unwrap();
        let gathered = Gathered::default();
        Self { facts, change, steps, entries: Vec::new(), gathered, session: FIRST, wait: false, late: false }
    }

    /// A first root by abc, 2 of 3, and targets by t, for the backend of profile notary.
    fn root() -> Self {
        let mut facts = nothing();
        // Steps differ between the profiles in the upload alone.
        facts.trust.profile = Profile::Notary;
        let items = vec![document(&root(1, "abc", 2, "t"), "abc"), document(&targets(1, ""), "t")];
        let change = change(&facts, &[], items);
        Self::of(facts, change)
    }

    fn next(&self, here: &str) -> (String, Vec<Waiting>) {
        let standing = Standing::of(&self.change, &self.gathered, &self.facts).unwrap();
        let here = |key: &KeyName| here.contains(key.as_str());
        let entries: Vec<&Entry> = self.entries.iter().collect();
        let progress = Progress {
            session: self.session,
            change: self.change.digest(),
            entries: &entries,
            standing: &standing,
            here: &here,
            late: self.late,
            wait: self.wait,
        };
        match next(&self.change, &self.steps, &progress) {
            Next::Step(step) => (step.id.to_string(), Vec::new()),
            Next::Adopt(step) => (format!("adopt {}", step.id), Vec::new()),
            Next::MaySeal(step, missing) => (format!("may {}", step.id), missing),
            Next::Waiting(who) => ("waiting".to_owned(), who),
            Next::Stopped(refusal) => (refusal.rule().name.to_owned(), Vec::new()),
            Next::Done => ("done".to_owned(), Vec::new()),
        }
    }

    fn say(&mut self, step: Option<&str>, outcome: Outcome) {
        self.entries.push(Entry {
            ceremony: self.session,
            seq: 0,
            previous: None,
            at: time("2026-11-22"),
            by: None,
            change: Some(self.change.digest()),
            step: step.map(|id| step::StepId(id.to_owned())),
            outcome,
            private: BTreeMap::new(),
        });
    }

    /// Performs a step as the loop would, leaving its outcome.
    fn perform(&mut self, id: &str) {
        let step = self.steps.iter().find(|step| step.id.0 == id).unwrap().clone();
        let file = sha("file");
        let outcome = match step.act {
            Act::Person(PersonAct::Show { title, lines }) => Outcome::Show { title, lines },
            Act::Person(PersonAct::ReadBack { what, digest }) => Outcome::ReadBack { what, digest },
            Act::Person(PersonAct::ReadBackKey { key }) => {
                Outcome::ReadBack { what: key.to_string(), digest: public(key.as_str()).identity().digest() }
            }
            Act::Person(PersonAct::Confirm { change, .. }) => {
                Outcome::Confirm { how: Confirmed::Yes, change }
            }
            Act::Person(PersonAct::Note { question, .. }) => {
                Outcome::Note { question, answer: Some("1".to_owned()) }
            }
            Act::Person(PersonAct::Witness { .. }) => {
                Outcome::Witness { witness: person("bob"), how: Witnessed::Words("words".to_owned()) }
            }
            Act::Token(TokenAct::Generate(new)) => {
                let identity = public(new.name.as_str()).identity();
                Outcome::Key { name: new.name, file, identity, adopted: false, token: token() }
            }
            Act::Token(TokenAct::Destroy { key }) => {
                let identity = public(key.as_str()).identity();
                Outcome::Destroy { key, identity, found_gone: false, token: token() }
            }
            Act::Token(TokenAct::Sign { item, key }) => {
                let payload = Digest::of(self.change.items[item].payload_bytes().unwrap());
                self.gathered.signatures.push((public(key.as_str()).identity(), payload));
                Outcome::Sign { key, payload, file, token: token() }
            }
            Act::Record(RecordAct::TakeKey { item }) => {
                let Item::EnrolledKey(key) = &self.change.items[item] else { panic!("no key to take") };
                Outcome::Enrol { name: key.name.clone(), file, identity: key.public.identity() }
            }
            Act::Record(RecordAct::Seal) => {
                Outcome::Seal { documents: BTreeMap::from([(RoleName::Root, Sealed { version: 1, file })]) }
            }
            Act::Record(RecordAct::Upload) => Outcome::Upload { manifest: file },
            act => panic!("no outcome for {act:?}"),
        };
        self.say(Some(id), outcome);
    }

    /// Performs whatever can be performed with these keys, and says what was and how it ended.
    fn run(&mut self, here: &str) -> (Vec<String>, (String, Vec<Waiting>)) {
        let mut done = Vec::new();
        loop {
            let (what, who) = self.next(here);
            let id = what.strip_prefix("adopt ").unwrap_or(&what);
            if !self.steps.iter().any(|step| step.id.0 == id) {
                return (done, (what, who));
            }
            self.perform(id);
            done.push(what);
            assert!(done.len() < 100, "it never ends: {done:?}");
        }
    }
}

fn token() -> TokenSeen {
    TokenSeen { label: "label".to_owned(), serial: "0123".to_owned() }
}

fn waiting(keys: &str) -> Vec<Waiting> {
    names(keys).iter().map(|n| Waiting { holder: holder(n), key: key(n) }).collect()
}

const AGREE: [&str; 4] = ["before.1", "show", "read-back", "confirm"];
const END: [&str; 4] = ["seal", "upload", "after.1", "witness.bob"];

fn all(before: &[&str], between: &[&str], after: &[&str]) -> Vec<String> {
    [before, between, after].concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn with_every_key_at_hand_all_steps_are_done_in_order() {
    let mut table = Table::root();
    let (done, end) = table.run("abct");
    assert_eq!(done, all(&AGREE, &["sign.a.0", "sign.b.0", "sign.c.0", "sign.t.1"], &END));
    assert_eq!(end.0, "done");
    // Held: another session asks nobody anything.
    table.session = SECOND;
    assert_eq!(table.run("abct"), (Vec::new(), ("done".to_owned(), Vec::new())));
}

#[test]
fn in_profile_tuf_the_upload_comes_later() {
    let mut table = Table::root();
    table.facts.trust.profile = Profile::Tuf;
    let mut table = Table::of(table.facts, table.change);
    assert!(!table.run("abct").0.contains(&"upload".to_owned()));
}

#[test]
fn what_is_elsewhere_is_waited_for_and_never_done_twice() {
    let mut table = Table::root();
    let (done, end) = table.run("at");
    assert_eq!(done, all(&AGREE, &["sign.a.0", "sign.t.1"], &["after.1", "witness.bob"]));
    assert_eq!(end, ("waiting".to_owned(), waiting("bc")));

    // Another copy, another session: whoever acts there reads and agrees for themselves.
    table.session = SECOND;
    let (done, end) = table.run("b");
    assert_eq!(done, all(&AGREE, &["sign.b.0"], &[]));
    assert_eq!(end, ("may seal".to_owned(), waiting("c")));

    // Wait, close, or have the last one sign after all.
    table.wait = true;
    assert_eq!(table.run("b").1, ("waiting".to_owned(), waiting("c")));
    table.wait = false;
    let mut closed =
        Table { entries: table.entries.clone(), gathered: table.gathered.clone(), ..Table::root() };
    closed.session = SECOND;
    closed.say(None, Outcome::Close { without: vec![key("c")] });
    assert_eq!(closed.run("c"), (all(&["seal", "upload"], &[], &[]), ("done".to_owned(), Vec::new())));
    assert_eq!(table.run("c").0, all(&["sign.c.0", "seal", "upload"], &[], &[]));
}

#[test]
fn a_session_without_any_of_the_keys_asks_nobody_anything() {
    let mut table = Table::root();
    assert_eq!(table.run("xyz"), (Vec::new(), ("waiting".to_owned(), waiting("abct"))));
}

#[test]
fn a_session_cut_off_anywhere_goes_on_where_it_was() {
    let mut whole = Table::root();
    let (steps, _) = whole.run("abct");
    for cut in 0..=steps.len() {
        let mut table = Table::root();
        for step in &steps[..cut] {
            table.perform(step);
        }
        assert_eq!(
            table.run("abct"),
            (steps[cut..].to_vec(), ("done".to_owned(), Vec::new())),
            "cut at {cut}"
        );

        // In another session people agree again, but no token and no record act is done twice.
        let mut table = Table::root();
        for step in &steps[..cut] {
            table.perform(step);
        }
        table.session = SECOND;
        let (again, end) = table.run("abct");
        assert_eq!(end.0, "done");
        let acts = |ids: &[String]| {
            let act = |id: &&String| id.starts_with("sign.") || *id == "seal" || *id == "upload";
            ids.iter().filter(act).cloned().collect::<Vec<_>>()
        };
        assert_eq!(acts(&again), acts(&steps[cut..]), "cut at {cut}");
        let left = steps[cut..].iter().any(|id| !id.starts_with("after") && !id.starts_with("witness"));
        let agreed = again.starts_with(&AGREE.map(str::to_owned));
        assert_eq!(agreed, left, "cut at {cut}: {again:?}");
    }
}

type Touch = fn(&mut Entry);

#[test]
fn outcomes_of_other_changes_and_other_answers_do_not_count() {
    let mut table = Table::root();
    for step in AGREE {
        table.perform(step);
    }
    assert_eq!(table.next("abct").0, "sign.a.0");
    let good = table.entries.clone();
    let touches: [(Touch, &str); 5] = [
        (|e| e.change = Some(sha("another change")), "before.1"),
        (|e| e.change = None, "before.1"),
        (|e| e.step = Some(step::StepId("another".to_owned())), "before.1"),
        (|e| e.ceremony = SECOND, "before.1"),
        (|e| e.outcome = Outcome::Refuse { reason: "no".to_owned() }, "before.1"),
    ];
    for (touch, expected) in touches {
        table.entries.clone_from(&good);
        table.entries.iter_mut().for_each(touch);
        assert_eq!(table.next("abct").0, expected);
    }
    table.entries.clone_from(&good);
    table.entries[3].outcome = Outcome::Confirm { how: Confirmed::Yes, change: sha("another change") };
    assert_eq!(table.next("abct").0, "confirm");
    table.entries.clone_from(&good);
    table.entries[2].outcome = Outcome::ReadBack { what: "the change".to_owned(), digest: sha("another") };
    assert_eq!(table.next("abct").0, "read-back");
    // A signature counts because it is on record, not because a transcript speaks of it.
    table.entries = good;
    table.perform("sign.a.0");
    table.gathered = Gathered::default();
    assert_eq!(table.next("abct").0, "sign.a.0");
}

fn keys() -> Table {
    let facts = nothing();
    let new = |name: &str| {
        Item::NewKey(NewKey {
            name: key(name),
            holder: holder(name),
            purpose: Purpose::Root,
            spec: KeySpec::EcdsaP256,
            certificate: None,
            exportable_under: None,
        })
    };
    let enrolled = Item::EnrolledKey(EnrolledKey {
        name: key("s"),
        holder: holder("s"),
        purpose: Purpose::Snapshot,
        public: public("s"),
        certificate: None,
        possession: Possession::BackendReadBack,
    });
    let change = change(&facts, &[], vec![new("k"), new("l"), enrolled]);
    Table::of(facts, change)
}

#[test]
fn keys_are_made_read_back_and_taken_in() {
    let made = ["generate.k", "read-back.k", "generate.l", "read-back.l", "read-back.s", "enrol.s"];
    let (done, end) = keys().run("kl");
    assert_eq!(done, all(&AGREE, &made, &["after.1", "witness.bob"]));
    assert_eq!(end.0, "done");

    // One token is elsewhere.
    let mut table = keys();
    let (done, end) = table.run("k");
    assert_eq!(
        done,
        all(&AGREE, &["generate.k", "read-back.k", "read-back.s", "enrol.s"], &["after.1", "witness.bob"])
    );
    assert_eq!(end, ("waiting".to_owned(), waiting("l")));
    table.session = SECOND;
    // What was made elsewhere is read back here as well: entries prove nothing to those who are here.
    assert_eq!(
        table.run("l").0,
        all(
            &AGREE,
            &["read-back.k", "generate.l", "read-back.l", "read-back.s"],
            &["after.1", "witness.bob"]
        )
    );
}

#[test]
fn a_key_that_may_exist_is_looked_for() {
    let intent = |table: &mut Table, name: &str| {
        let what = Intent::Generate { label: name.to_owned(), id: [0; 16] };
        table.say(Some("generate.k"), Outcome::Intent { key: key(name), token: token(), what });
    };
    let mut table = keys();
    for step in AGREE {
        table.perform(step);
    }
    intent(&mut table, "k");
    assert_eq!(table.next("kl").0, "adopt generate.k");
    assert_eq!(table.next("l").0, "generate.l", "its token is elsewhere");
    table.perform("generate.k");
    assert_eq!(table.next("kl").0, "read-back.k");
    // Also in another session, and even if only the reading back is left.
    table.session = SECOND;
    table.perform("generate.l");
    table.perform("enrol.s");
    table.perform("read-back.l");
    table.session = CeremonyId::from_bytes([3; 16]);
    let again = ["read-back.k", "read-back.l", "read-back.s"];
    assert_eq!(table.run("kl").0, all(&AGREE, &again, &["after.1", "witness.bob"]));

    let mut table = keys();
    intent(&mut table, "k");
    table.session = SECOND;
    assert_eq!(table.run("kl").0[4], "adopt generate.k");
}

#[test]
fn a_change_that_cannot_go_on_stops() {
    let mut table = Table::root();
    table.facts.today = time("2026-12-23");
    assert_eq!(table.next("abct").0, "SIGN-BY");

    // Enough had signed by then: nobody signs any more, and it is sealed.
    let mut table = Table::root();
    for step in ["sign.a.0", "sign.b.0", "sign.t.1"] {
        table.perform(step);
    }
    table.facts.today = time("2026-12-23");
    assert_eq!(table.run("abct").0, all(&AGREE, &[], &END));

    let mut table = Table::root();
    table.gathered.withdrawals =
        ["a", "b"].map(|n| (public(n).identity(), "we change our minds".to_owned())).into();
    assert_eq!(table.next("abct").0, "CHANGE-WITHDRAWN");

    let other = root(1, "def", 2, "t");
    let mut table = Table::root();
    table.facts = facts(&[(&other, "def")], &[]);
    assert_eq!(table.next("abct").0, "BASE-MOVED");
}

/// A change that destroys the key d, which these keys say; the kind puts it after the signatures.
fn destroying(signers: &str) -> Table {
    let facts = facts(&[(&root(1, "abc", 2, "t"), "abc")], &[]);
    let life = crate::tuf::statement::Sentence::KeyLife {
        key: public("d").identity(),
        event: crate::tuf::statement::KeyEvent::Destroyed,
        at: time("2026-11-22"),
        root: facts.roots[0].payload().digest(),
    };
    let gone = Item::DestroyedKey { key: key("d"), identity: public("d").identity() };
    let change = change(&facts, &[RoleName::Root], vec![statement(life, signers), gone]);
    let mut table = Table::of(facts, change);
    let at = table.steps.iter().position(|step| step.id.0 == "destroy.d").unwrap();
    let destroy = table.steps.remove(at);
    let at = table.steps.iter().position(|step| step.id.0 == "seal").unwrap();
    table.steps.insert(at, destroy);
    table
}

#[test]
fn what_cannot_be_undone_comes_last() {
    let mut table = destroying("ab");
    for step in AGREE {
        table.perform(step);
    }
    table.perform("sign.a.0");
    let (done, end) = table.run("d");
    assert_eq!(done, all(&["after.1", "witness.bob"], &[], &[]));
    assert_eq!(end, ("waiting".to_owned(), waiting("b")));
    table.perform("sign.b.0");
    assert_eq!(table.next("d").0, "destroy.d");
    // Nothing says of a key that it is destroyed before it is.
    assert_eq!(table.next(""), ("waiting".to_owned(), waiting("d")));
    // Cut off while it was being destroyed: the token is looked at.
    let what = Intent::Destroy;
    table.say(Some("destroy.d"), Outcome::Intent { key: key("d"), token: token(), what });
    assert_eq!(table.next("d").0, "adopt destroy.d");
    table.perform("destroy.d");
    assert_eq!(table.next("").0, "seal");
    table.perform("seal");
    assert_eq!(table.next("").0, "done");
}

#[test]
fn a_key_is_destroyed_without_those_who_need_not_sign() {
    let mut table = destroying("abc");
    for step in AGREE.iter().copied().chain(["sign.a.0", "sign.b.0"]) {
        table.perform(step);
    }
    assert_eq!(table.next("d"), ("may destroy.d".to_owned(), waiting("c")));
    table.say(Some("destroy.d"), Outcome::Close { without: vec![key("c")] });
    assert_eq!(table.next("d").0, "destroy.d");
}

#[test]
fn two_steps_of_one_name_are_refused() {
    let table = Table::root();
    let own = step::of(&table.change, &table.facts);
    let twice = [own.clone(), own].concat();
    let refusal = assemble(&runbook(), twice).unwrap_err();
    assert_eq!(refusal.rule().name, "RUNBOOK");
    assert!(refusal.found().contains("\"show\""), "{refusal}");
}
