//! What the first day's kinds make of runbooks and facts: changes that come out the same for
//! everyone, and refusals before a token is touched.

use super::world::{before_root as before, facts, frame, holder, key, public, root, sha, targets, time};
use crate::ceremony::change::{Change, Counts, Item};
use crate::ceremony::facts::{Device, Enrolment, Facts, Stage};
use crate::ceremony::kinds;
use crate::ceremony::limits::PossessionLimit;
use crate::ceremony::runbook::Runbook;
use crate::tuf::document::Document;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::statement::KeyEvent;

const HEAD: &str = "title = \"t\"\n[people]\nalice = \"administrator\"\nbob = \"witness\"\n";
const ROOT: &str = "[root]\nkeys = [\"a\", \"b\", \"c\"]\nthreshold = 2\nvalid-for = \"2 years\"\n\
    [targets]\nkeys = [\"t\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
    [snapshot]\nkeys = [\"s\"]\nthreshold = 1\n[timestamp]\nkeys = [\"m\"]\nthreshold = 1\n";
const GRANT: &str = "[delegation]\napplication = \"door\"\nkeys = [\"x\"]\nthreshold = 1\npaths = [\"door/*\"]\nvalid-for = \"90 days\"\n";

fn hold(kind: &str, tables: &str, facts: &Facts) -> Result<Change> {
    let runbook = Runbook::parse(&format!("ceremony = \"{kind}\"\n{HEAD}{tables}")).unwrap();
    kinds::read(&runbook).unwrap().change(&frame(), facts)
}

/// Facts with a root, and targets that delegate.
fn after() -> Facts {
    let (root, targets) = (root(1, "abc", 2, "t"), targets(1, "xy"));
    let mut facts = facts(&[(&root, "abc")], &[(&targets, "t")]);
    facts.limits.targets.max_valid_for = "3 years".parse().unwrap();
    facts
}

type Spoil = fn(&mut Facts);

#[test]
fn facts_that_forbid_a_first_root() {
    let cases: &[(&str, Spoil, &str)] = &[
        (
            "a stolen key",
            |f| f.keys.get_mut(&key("b")).unwrap().life.push((KeyEvent::Compromised, time("2026-01-01"))),
            "KEY-GONE",
        ),
        (
            "a lost key",
            |f| f.keys.get_mut(&key("b")).unwrap().life.push((KeyEvent::Lost, time("2026-01-01"))),
            "KEY-GONE",
        ),
        (
            "a software key in root",
            |f| f.keys.get_mut(&key("c")).unwrap().token = "file".to_owned(),
            "KEY-SOFTWARE",
        ),
        (
            "a software targets key",
            |f| f.keys.get_mut(&key("t")).unwrap().token = "file".to_owned(),
            "KEY-SOFTWARE",
        ),
        (
            "a vault's key in root",
            |f| f.keys.get_mut(&key("c")).unwrap().token = "external".to_owned(),
            "KEY-SOFTWARE",
        ),
        (
            "a vault's targets key",
            |f| f.keys.get_mut(&key("t")).unwrap().token = "external".to_owned(),
            "KEY-SOFTWARE",
        ),
        (
            "a root key that someone brought",
            |f| f.keys.get_mut(&key("c")).unwrap().token = "elsewhere".to_owned(),
            "KEY-SOFTWARE",
        ),
        (
            "one key for two roles",
            |f| f.keys.get_mut(&key("t")).unwrap().public = public("a"),
            "KEY-TWO-ROLES",
        ),
        (
            "one key under two names",
            |f| f.keys.get_mut(&key("b")).unwrap().public = public("a"),
            "KEY-DUPLICATE",
        ),
        (
            "one holder of a threshold",
            |f| f.keys.get_mut(&key("b")).unwrap().holder = holder("a"),
            "HOLDER-THRESHOLD",
        ),
        ("an excluded holder", |f| f.limits.ceremony.excluded.extend([holder("a")]), "PERSON-EXCLUDED"),
        ("a day years later", |f| f.today = time("2030-01-01"), "EXPIRY-PAST"),
    ];
    assert!(hold("create-root", ROOT, &before()).is_ok());
    for (case, spoil, rule) in cases {
        let mut facts = before();
        spoil(&mut facts);
        assert_eq!(hold("create-root", ROOT, &facts).unwrap_err().rule().name, *rule, "{case}");
    }
}

#[test]
fn practice_may_use_software_keys() {
    let mut facts = before();
    facts.trust.stage = Stage::Rehearsal;
    facts.keys.get_mut(&key("a")).unwrap().token = "file".to_owned();
    assert!(hold("create-root", ROOT, &facts).is_ok());
}

#[test]
fn a_root_key_is_not_even_made_in_a_file() {
    let mut facts = before();
    facts.devices.insert(key("n"), Device { max_payload: None, software: true });
    let tables = "[[key]]\nname = \"n\"\nholder = \"of-n\"\npurpose = \"root\"\n";
    assert_eq!(hold("generate-key", tables, &facts).unwrap_err().rule().name, "KEY-SOFTWARE");
    facts.trust.stage = Stage::Rehearsal;
    assert!(hold("generate-key", tables, &facts).is_ok());
}

#[test]
fn a_key_in_a_file_or_a_vault_is_made_only_where_a_role_would_take_it() {
    let cases = [
        ("targets", false, "KEY-SOFTWARE"),
        ("targets", true, ""),
        ("delegation", false, "KEY-SOFTWARE"),
        ("delegation", true, ""),
        ("witness", false, ""),
    ];
    for (purpose, allowed, rule) in cases {
        let mut facts = before();
        facts.limits.targets.software_keys = allowed;
        facts.limits.delegations.software_keys = allowed;
        facts.devices.insert(key("n"), Device { max_payload: None, software: true });
        let tables = format!("[[key]]\nname = \"n\"\nholder = \"of-n\"\npurpose = \"{purpose}\"\n");
        let found = hold("generate-key", &tables, &facts).map_or_else(|e| e.rule().name, |_| "");
        assert_eq!(found, rule, "{purpose}");
    }
}

#[test]
fn a_first_root_comes_with_targets_and_the_limits() {
    let change = hold("create-root", ROOT, &before()).unwrap();
    let titles: Vec<_> = change.items.iter().map(Item::title).collect();
    assert_eq!(titles, ["root 1", "targets 1", "the limits statement"]);
    assert_eq!(change.items[0].asked().len(), 3, "every root key is asked, not a threshold alone");
    assert!(change.items[0].asked().iter().all(|ask| ask.counts == [Counts::New]));
    assert_eq!(change.keys.len(), 6, "every key that a document lists");
    assert_eq!(change, hold("create-root", ROOT, &before()).unwrap());
}

#[test]
fn enrolments_and_their_holders() {
    let tables = "[[key]]\nname = \"n\"\nholder = \"nora\"\npurpose = \"delegation\"\n";
    let enrolment = |holder: Option<&str>, proved: bool| Enrolment {
        public: public("n"),
        certificate: None,
        holder: holder.map(|h| h.parse().unwrap()),
        named: None,
        statement: proved.then(|| sha("statement")),
    };
    let cases = [
        ("proved by its holder", enrolment(Some("nora"), true), PossessionLimit::Proved, ""),
        ("proved by someone else", enrolment(Some("eve"), true), PossessionLimit::Proved, "ENROLMENT-HOLDER"),
        ("a bare key", enrolment(None, false), PossessionLimit::Proved, "POSSESSION"),
        ("a bare key, limits accept it", enrolment(None, false), PossessionLimit::FirstPublication, ""),
    ];
    for (case, enrolment, limit, rule) in cases {
        let mut facts = before();
        facts.limits.delegations.possession = limit;
        facts.enrolments.insert(key("n"), enrolment);
        let found = hold("enroll-key", tables, &facts).map_or_else(|e| e.rule().name, |_| "");
        assert_eq!(found, rule, "{case}");
    }
}

#[test]
fn a_grant_keeps_what_is_there_and_carries_the_first_document_in_tuf() {
    let mut facts = after();
    facts.limits.delegations.software_keys = true;
    let change = hold("grant-delegation", GRANT, &facts).unwrap();
    let documents: Vec<_> = change.documents().collect();
    assert_eq!(documents.len(), 2);
    let Document::Targets(targets) = documents[0].document() else { panic!("no targets") };
    let before = after().documents[&RoleName::Targets].document().as_targets().unwrap().clone();
    assert_eq!(targets.header.version.get(), before.header.version.get() + 1);
    assert_eq!(targets.delegations.roles.len(), before.delegations.roles.len() + 1);
    assert_eq!(*documents[1].role(), RoleName::Delegated("door".to_owned()));
    assert!(change.base.documents.contains_key(&RoleName::Targets));
    // There a path is a pattern: the folder alone would look granted and reach nobody.
    let folder = hold("grant-delegation", &GRANT.replace("door/*", "door/"), &facts).unwrap();
    assert_eq!(folder.items, change.items);
}

#[test]
fn a_grant_on_an_expired_document_renews_it_or_is_refused() {
    let mut facts = after();
    facts.today = time("2030-01-01");
    assert_eq!(hold("grant-delegation", GRANT, &facts).unwrap_err().rule().name, "EXPIRY-PAST");
}

#[test]
fn notary_roles_keep_to_prefixes() {
    let mut facts = after();
    facts.trust.profile = Profile::Notary;
    for (paths, rule) in
        [("[]", "DELEGATION-PATHS"), ("[\"/\"]", "DELEGATION-PATHS"), ("[\"../x\"]", "DELEGATION-PATHS")]
    {
        let tables = GRANT.replace("[\"door/*\"]", paths);
        assert_eq!(hold("grant-delegation", &tables, &facts).unwrap_err().rule().name, rule, "{paths}");
    }
    let terminating = format!("{GRANT}terminating = true\n");
    assert_eq!(hold("grant-delegation", &terminating, &facts).unwrap_err().rule().name, "DELEGATION-PATHS");
}
