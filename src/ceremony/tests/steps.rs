//! The three views of a step: screen, paper, prompt.

use super::world::*;
use crate::ceremony::change::{CertificateTemplate, Change, Item, NewKey, Purpose};
use crate::ceremony::facts::Facts;
use crate::ceremony::step::{self, Act, Blank, Confirmation, Expect, Line, PersonAct, Step};
use crate::tuf::key::KeySpec;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;

fn world() -> (Facts, Change) {
    let mut facts = facts(&[(&root(1, "abc", 2, "t"), "abc")], &[(&targets(1, ""), "t")]);
    facts.trust.profile = Profile::Notary;
    let a = facts.keys.get_mut(&key("a")).unwrap();
    a.label = "A\u{1b}[31m token".to_owned();
    facts.keys.get_mut(&key("b")).unwrap().label = String::new();
    facts.keys.get_mut(&key("b")).unwrap().serial = String::new();
    let new = Item::NewKey(NewKey {
        name: key("root-d"),
        holder: person("dan"),
        purpose: Purpose::Root,
        spec: KeySpec::EcdsaP256,
        certificate: Some(CertificateTemplate {
            common_name: "updates.example.com/apps".to_owned(),
            serial: [1; 16],
            not_before: time("2026-11-21"),
            not_after: time("2036-11-21"),
        }),
        exportable_under: None,
    });
    let items = vec![new, document(&root(2, "abd", 2, "t"), "ab"), document(&targets(2, "x"), "t")];
    let change = change(&facts, &[RoleName::Root, RoleName::Targets], items);
    (facts, change)
}

fn shown(step: &Step, change: &Change, facts: &Facts) -> Vec<String> {
    let line = |line: Line| match line {
        Line::Title(text) => format!("# {text}"),
        Line::Text(text) => text,
        Line::Do(text) => format!("> {text}"),
        Line::Digest { what, digest } => format!("{what} = {}", &digest.hex()[..8]),
    };
    step.screen(change, facts).into_iter().map(line).collect()
}

#[test]
fn the_steps_of_a_change_follow_from_it() {
    let (facts, change) = world();
    let steps = step::of(&change, &facts);
    let ids: Vec<_> = steps.iter().map(|step| step.id.0.as_str()).collect();
    let expected = [
        "show",
        "read-back",
        "confirm",
        "generate.root-d",
        "read-back.root-d",
        "sign.a.1",
        "sign.b.1",
        "sign.t.2",
        "seal",
        "upload",
    ];
    assert_eq!(ids, expected);
    // All that one key signs stands together, so that its holder comes forward once.
    let items = vec![document(&root(2, "abd", 2, "t"), "ab"), document(&targets(2, "x"), "ta")];
    let ids: Vec<_> =
        step::signatures(&super::world::change(&facts, &[], items)).into_iter().map(|s| s.id.0).collect();
    assert_eq!(ids, ["sign.a.0", "sign.a.1", "sign.b.0", "sign.t.1"]);
}

#[test]
fn root_is_agreed_to_by_words_and_the_rest_by_yes() {
    let (facts, _) = world();
    let how = |items| {
        let change = super::world::change(&facts, &[], items);
        let confirm = step::agreement(&change, &facts).pop().unwrap();
        match confirm.act {
            Act::Person(PersonAct::Confirm { change: digest, how }) => {
                assert_eq!(digest, change.digest());
                how
            }
            act => panic!("{act:?}"),
        }
    };
    assert_eq!(
        how(vec![document(&targets(2, "x"), "t"), document(&root(2, "abd", 2, "t"), "ab")]),
        Confirmation::Words
    );
    assert_eq!(how(vec![document(&targets(2, "x"), "t")]), Confirmation::Yes);
}

#[test]
fn the_screen_says_who_and_which_token() {
    let (facts, change) = world();
    let digest = change.digest().hex()[..8].to_owned();
    let root = root(2, "abd", 2, "t").digest().hex()[..8].to_owned();
    let expected = [
        ("read-back", vec![
            "# Read back: the change".to_owned(),
            format!("the change = {digest}"),
            "> alice: say the words aloud while another compares them with paper or a second screen".to_owned(),
        ]),
        ("confirm", vec![
            "# Agree: The first root".to_owned(),
            format!("the change = {digest}"),
            "> alice: type the three words that are asked for, from paper or another's screen".to_owned(),
        ]),
        ("generate.root-d", vec![
            "# Make the key root-d".to_owned(),
            "p256 for root, to be held by dan.".to_owned(),
            "It is made on the token and never leaves it.".to_owned(),
            "It signs its own certificate for updates.example.com/apps, valid from 2026-11-21 to 2036-11-21.".to_owned(),
            "> dan: connect the token for root-d".to_owned(),
        ]),
        ("sign.a.1", vec![
            "# Sign root 2 with a".to_owned(),
            "a is held by of-a, on the token labelled \"A\\u{1b}[31m token\", serial 0123.".to_owned(),
            format!("root 2 = {root}"),
            "> of-a: connect the token of a".to_owned(),
        ]),
        ("sign.b.1", vec![
            "# Sign root 2 with b".to_owned(),
            "b is held by of-b, kept as: pkcs11.".to_owned(),
            format!("root 2 = {root}"),
            "> of-b: connect the token of b".to_owned(),
        ]),
        ("seal", vec![
            "# Seal".to_owned(),
            "root 2".to_owned(),
            "targets 2".to_owned(),
            "Every signature is checked again; then the documents are written.".to_owned(),
        ]),
    ];
    let steps = step::of(&change, &facts);
    for (id, lines) in expected {
        let step = steps.iter().find(|step| step.id.0 == id).unwrap();
        assert_eq!(shown(step, &change, &facts), lines, "{id}");
    }
}

#[test]
fn what_changes_is_shown_in_words() {
    let (facts, change) = world();
    let show = &step::of(&change, &facts)[0];
    let lines = shown(show, &change, &facts);
    assert_eq!(lines[..2], ["# The first root".to_owned(), "what changes".to_owned()]);
    let text = lines.join("\n");
    for word in ["d of of-d", "c of of-c", "app-x"] {
        assert!(text.contains(word), "{word} is not in:\n{text}");
    }
    assert_eq!(lines.last().unwrap(), "> alice: everyone reads this");
}

#[test]
fn paper_and_screen_say_the_same() {
    let (facts, change) = world();
    for step in step::of(&change, &facts) {
        let row = step.paper(&change, &facts);
        let screen = step.screen(&change, &facts);
        assert_eq!(row.id, step.id);
        assert_eq!(row.who, step.actor.as_ref().unwrap().as_str());
        let text = |line: &Line| if let Line::Text(text) = line { Some(text.clone()) } else { None };
        assert_eq!(row.lines, screen.iter().filter_map(text).collect::<Vec<_>>());
        let digest = |line: &Line| if let Line::Digest { digest, .. } = line { Some(*digest) } else { None };
        assert_eq!(row.digest, screen.iter().find_map(digest));
        for line in row.lines.iter().chain([&row.sentence()]) {
            assert!(!line.chars().any(char::is_control), "{}: {line}", step.id);
        }
    }
}

#[test]
fn every_question_is_known_before_the_first_is_asked() {
    let (facts, change) = world();
    let asked: Vec<_> = step::of(&change, &facts).iter().filter_map(Step::prompt).collect();
    let agree = Expect::Agree { digest: change.digest(), how: Confirmation::Words };
    let found: Vec<_> = asked.iter().map(|p| (p.id.0.as_str(), p.expect.clone())).collect();
    assert_eq!(found, [("read-back", Expect::Same), ("confirm", agree), ("read-back.root-d", Expect::Same)]);
    assert_eq!(asked[2].who, Some(person("dan")));

    let note = PersonAct::Note { question: "Bag number".to_owned(), private: true };
    let note = Step::new("after.1", None, Act::Person(note));
    let prompt = note.prompt().unwrap();
    assert_eq!((prompt.meaning.as_str(), prompt.expect), ("Bag number", Expect::Text));
    assert_eq!(note.paper(&change, &facts).blank, Some(Blank::Line("the answer".to_owned())));
    let bob = person("bob");
    let witness = Step::new("witness.bob", Some(&bob), Act::Person(PersonAct::Witness { key: None }));
    assert_eq!(witness.prompt().unwrap().expect, Expect::Exactly("bob".to_owned()));
}
