//! Renewals: what is due is signed again together, in time for clients that look ahead.

use super::granted::{HEAD, all_signed, asked, held, hold, sealed, titles, world};
use super::world::{frame, time};
use crate::ceremony::kinds;
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::State;
use crate::tuf::role::RoleName;

#[test]
fn a_waiting_document_is_signed_again_by_a_renewal() {
    let revoke = "[revoke]\napplication = \"cam\"\nkey = \"x\"\nbecause = \"left\"\n";
    let after = sealed(&hold("revoke-delegation", revoke, &world()).unwrap(), &world());
    assert!(after.unvouched.contains_key(&RoleName::from_name("cam")));
    let renew = "[renew]\nwithin = \"30 days\"\nroles = [\"cam\"]\n[delegations]\nvalid-for = \"1 year\"\n";
    assert!(!held("renew", renew, &after));
    let change = hold("renew", renew, &after).unwrap();
    assert_eq!(titles(&change), ["cam 4"]);
    assert_eq!(asked(&change, 0), "y");
    assert!(matches!(all_signed(&change, &after), State::Complete { everyone: true }));
    let document = change.documents().next().unwrap().document().as_targets().unwrap();
    assert_eq!(document.targets.len(), 2);
    let every = "[renew]\nwithin = \"30 days\"\n[delegations]\nvalid-for = \"1 year\"\n";
    assert!(held("renew", every, &after), "what waits is due only when it is named");
}

#[test]
fn what_is_due_is_renewed_together() {
    // Within how long; of which roles; the documents. Everything ends on 2028-01-01, 405 days on.
    let terms = "[targets]\nvalid-for = \"2 years\"\n[delegations]\nvalid-for = \"2 years\"\n";
    let cases: &[(&str, &str, &[&str])] = &[
        ("400 days", "", &[]),
        ("406 days", "", &["targets 5", "cam 4", "door 4", "park 4"]),
        ("406 days", "roles = [\"door\", \"targets\"]\n", &["targets 5", "door 4"]),
    ];
    for (within, roles, made) in cases {
        let tables = format!("[renew]\nwithin = \"{within}\"\n{roles}{terms}");
        assert_eq!(held("renew", &tables, &world()), made.is_empty(), "{within} {roles}");
        match hold("renew", &tables, &world()) {
            Ok(change) => {
                assert_eq!(titles(&change), *made, "{within} {roles}");
                for payload in change.documents() {
                    assert_eq!(payload.document().header().expires, time("2028-11-22"), "{}", payload.role());
                    let before = world().documents[payload.role()].document().as_targets().unwrap().clone();
                    let now = payload.document().as_targets().unwrap();
                    assert_eq!((&now.targets, &now.delegations), (&before.targets, &before.delegations));
                }
                assert!(matches!(all_signed(&change, &world()), State::Complete { everyone: true }));
                assert!(held("renew", &tables, &sealed(&change, &world())));
            }
            Err(refused) => assert_eq!(refused.rule().name, "RENEW-NOTHING"),
        }
    }
    let refused: &[(&str, &str)] = &[
        ("[renew]\nwithin = \"500 days\"\n[targets]\nvalid-for = \"2 years\"\n", "RUNBOOK"),
        (
            "[renew]\nwithin = \"500 days\"\n[targets]\nvalid-for = \"400 days\"\n[delegations]\nvalid-for = \"2 years\"\n",
            "RENEW-SHORT",
        ),
        (
            "[renew]\nwithin = \"500 days\"\n[targets]\nvalid-for = \"9 years\"\n[delegations]\nvalid-for = \"2 years\"\n",
            "EXPIRY-LIMIT",
        ),
        ("[renew]\nwithin = \"500 days\"\nroles = [\"none\"]\n", "DELEGATION-MISSING"),
        ("[renew]\nwithin = \"500 days\"\nroles = [\"snapshot\"]\n", "DELEGATION-MISSING"),
    ];
    for (tables, rule) in refused {
        let found = hold("renew", tables, &world()).unwrap_err();
        assert_eq!(found.rule().name, *rule, "{tables}: {found}");
        assert!(!held("renew", tables, &world()) || *rule == "RENEW-SHORT", "{tables}");
    }
}

#[test]
fn root_is_renewed_in_time_for_stock_clients() {
    use super::notary_world::first_day;
    // Root and targets end on 2028-01-01.
    let terms = "[root]\nvalid-for = \"2 years\"\n[targets]\nvalid-for = \"2 years\"\n";
    let on = |day: &str, tables: &str| {
        let mut facts = first_day();
        facts.today = time(day);
        let runbook = Runbook::parse(&format!("ceremony = \"renew\"\n{HEAD}{tables}{terms}")).unwrap();
        let ceremony = kinds::read(&runbook).unwrap();
        let frame =
            crate::ceremony::change::Frame { held_at: time(day), sign_by: time("2030-01-01"), ..frame() };
        let change = ceremony.change(&frame, &facts);
        let due = change.map(|change| (titles(&change).join(", "), change.summary.join("\n")));
        (ceremony.held(&facts), due)
    };
    let cases: &[(&str, &str, &str)] = &[
        ("2027-03-31", "[renew]\nwithin = \"30 days\"\n", "RENEW-NOTHING"),
        ("2027-04-02", "[renew]\nwithin = \"30 days\"\n", "root 2, the limits statement"),
        ("2027-12-15", "[renew]\nwithin = \"30 days\"\n", "root 2, targets 2, the limits statement"),
        ("2027-06-01", "[renew]\nwithin = \"300 days\"\nroles = [\"targets\"]\n", "targets 2"),
        ("2027-07-02", "[renew]\nwithin = \"300 days\"\nroles = [\"targets\"]\n", "ROOT-PUBLISH"),
    ];
    for (day, tables, expected) in cases {
        let (held, due) = on(day, tables);
        match due {
            Ok((made, _)) => assert_eq!((made.as_str(), held), (*expected, false), "{day} {tables}"),
            Err(refused) => {
                assert_eq!(refused.rule().name, *expected, "{day} {tables}: {refused}");
                assert_eq!(held, *expected == "RENEW-NOTHING", "{day} {tables}");
            }
        }
    }
    let short = on("2027-12-15", "[renew]\nwithin = \"30 days\"\n").1.unwrap();
    assert!(short.1.contains("root 2 of example, valid for 2 years"), "{}", short.1);
}
