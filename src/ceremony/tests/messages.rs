//! Tokens that don't take a message as long as the root.

use super::root_change::{hold, rooted};
use super::world::*;
use crate::ceremony::facts::{Device, Facts};
use crate::ceremony::messages::{check, keys_too_long, too_long};
use crate::ceremony::planner::{self, Wish};
use crate::ceremony::standing::Gathered;
use crate::tuf::digest::Digest;
use crate::tuf::key::Algorithm;
use crate::tuf::time::{Term, Unit};

/// Facts in which the tokens of these keys take messages of so many bytes.
fn limited(keys: &str, most: usize) -> Facts {
    let mut facts = rooted(&[("abc", 2)]);
    for name in names(keys) {
        facts.devices.insert(key(&name), Device { max_payload: Some(most), software: false });
    }
    facts
}

#[test]
fn a_threshold_of_keys_must_be_able_to_sign() {
    let tables = "[root]\nadd = [\"d\"]\nremove = [\"c\"]\nvalid-for = \"2 years\"\n";
    let change = hold("rotate-root", tables, &limited("", 0)).unwrap();
    let bytes = change.items[0].payload().unwrap().bytes().len();
    // Whose tokens take how many bytes less than the root has; who is left out; whether it can be signed.
    for (keys, less, out, fits) in [
        ("abcd", 0, "", true),
        ("c", 1, "c", true),
        ("d", 1, "d", true),
        ("cd", 1, "cd", true),
        ("ac", 1, "ac", false),
        ("abcd", 1, "abcd", false),
    ] {
        let facts = limited(keys, bytes - less);
        let same = hold("rotate-root", tables, &facts).unwrap();
        assert_eq!(same.to_json(), change.to_json(), "what is signed is no function of devices");
        let found: String = keys_too_long(&same, &facts).iter().map(ToString::to_string).collect();
        assert_eq!(found, out);
        match check(&same, &Gathered::default(), &facts) {
            Ok(()) => assert!(fits, "{keys}"),
            Err(refusal) => {
                assert!(!fits, "{keys}: {refusal}");
                assert_eq!(refusal.rule().name, "MESSAGE-LIMIT");
            }
        }
        for one in too_long(&same, &facts) {
            let name = &one.key;
            assert_eq!(
                one.words(),
                format!(
                    "{name} of of-{name} can't sign root 2: {bytes} bytes, where its token takes {}",
                    bytes - 1
                )
            );
        }
    }
    // A signature that came in from elsewhere is there, whatever one's own token takes.
    let facts = limited("ac", bytes - 1);
    let all: Vec<_> = (0..change.items.len()).map(|item| (item, "a")).collect();
    check(&change, &signed(&change, &all), &facts).unwrap();
}

#[test]
fn schemes_that_sign_a_digest_have_no_limit() {
    let facts = limited("a", 10);
    let limit = |algorithm| facts.longest_message(&key("a"), algorithm);
    assert_eq!((limit(Algorithm::Ed25519), limit(Algorithm::Rsa)), (Some(10), Some(10)));
    assert_eq!((limit(Algorithm::EcdsaP256), limit(Algorithm::EcdsaP384)), (None, None));
    assert_eq!(facts.longest_message(&key("b"), Algorithm::Ed25519), None, "no limit is known");
}

#[test]
fn the_planner_asks_none_whose_token_takes_less() {
    let plan = |keys: &str| {
        let facts = limited(keys, 400);
        let mut wish = Wish::new(Term::new(2, Unit::Years));
        wish.add.insert(key("d"));
        wish.remove.insert(key("c"));
        let question = planner::with_tokens(planner::question(&wish, &facts).unwrap(), &facts);
        planner::explain(&question, &planner::plan(&question)).join("\n")
    };
    let whole = plan("");
    assert!(whole.contains("root 1 signs with 2 of: a of of-a, b of of-b, c of of-c"), "{whole}");
    let without = plan("c");
    assert!(without.contains("root 1 signs with 2 of: a of of-a, b of of-b\n"), "{without}");
    assert!(without.contains("c of of-c can't sign it: its token takes messages of 400 bytes"), "{without}");
    let none = plan("bc");
    assert!(none.contains("There is no way") && none.contains("tokens can't sign so much"), "{none}");
    assert_eq!(Digest::of(whole.as_bytes()), Digest::of(plan("").as_bytes()));
}
