//! Releases: what developers publish by one delegation's document.

use super::granted::{HEAD, all_signed, asked, held, hold, naming, sealed, titles, world};
use super::notary_world;
use super::world::{facts, frame, holder, key, root, sha, time};
use crate::ceremony::change::Change;
use crate::ceremony::facts::Facts;
use crate::ceremony::kinds;
use crate::ceremony::kinds::release_terms::{Named, Wanted};
use crate::ceremony::runbook::Runbook;
use crate::ceremony::standing::State;
use crate::tuf::document::PathRule;
use crate::tuf::make::{self, Grant, RoleSpec, TargetsEdit};
use crate::tuf::payload::MetadataPayload;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::wire;
use std::num::NonZeroU32;

const CAM: &str = "[release]\napplication = \"cam\"\nvalid-for = \"1 year\"\n";

fn file(name: &str) -> String {
    format!("[[file]]\nname = \"{name}\"\nlength = 5\nsha256 = \"{}\"\n", sha(name))
}

fn summary(change: &Change) -> String {
    change.summary.join("\n")
}

#[test]
fn a_release_is_the_delegations_next_document() {
    let url = "url = \"https://dl.example.com/3?x=1&y=2\"\n";
    let tables = format!("{CAM}withdraw = [\"cam/1\"]\n{}{url}", file("cam/3"));
    let change = hold("release", &tables, &world()).unwrap();
    assert_eq!((titles(&change), asked(&change, 0)), (vec!["cam 4".to_owned()], "xy".to_owned()));
    let document = change.documents().next().unwrap().document();
    assert_eq!(document.header().expires, time("2027-11-22"));
    let targets = document.as_targets().unwrap();
    let names: Vec<&str> = targets.targets.keys().map(String::as_str).collect();
    assert_eq!(names, ["cam/2", "cam/3"]);
    let made = &targets.targets["cam/3"];
    assert_eq!((made.length, made.hashes.get("sha256").unwrap()), (5, &sha("cam/3").as_bytes()[..]));
    let custom = made.custom.as_ref().unwrap().canonical();
    assert_eq!(custom, br#"{"url":"https://dl.example.com/3?x=1&y=2"}"#);
    for part in
        ["cam releases cam/3, 5 bytes", &sha("cam/3").hex(), "from https://dl", "takes back cam/1", "1 of: x"]
    {
        assert!(summary(&change).contains(part), "{part}: {}", summary(&change));
    }
    let bases: Vec<_> = change.base.documents.keys().map(RoleName::as_str).collect();
    assert_eq!(
        bases,
        ["root", "targets", "cam"].map(|name| bases.iter().find(|b| **b == name).copied().unwrap())
    );
    assert!(matches!(all_signed(&change, &world()), State::Complete { everyone: true }));
    // Released again, the file is replaced, and people are told so.
    let after = sealed(&change, &world());
    let again = hold("release", &format!("{CAM}{}", file("cam/3")), &after).unwrap();
    assert!(summary(&again).contains("releases anew cam/3"));
    assert!(
        again.documents().next().unwrap().document().as_targets().unwrap().targets["cam/3"].custom.is_none()
    );
}

#[test]
fn what_is_so_already_is_held() {
    let put = format!("{CAM}{}", file("cam/3"));
    let take = format!("{CAM}withdraw = [\"cam/1\"]\n");
    let renew = format!("{CAM}renew = true\n");
    let longer = renew.replace("1 year", "3 years");
    assert!(!held("release", &put, &world()));
    assert!(!held("release", &take, &world()));
    assert!(held("release", &renew, &world()), "what is there ends later than a year from now");
    assert!(!held("release", &longer, &world()));
    let after = sealed(&hold("release", &put, &world()).unwrap(), &world());
    assert!(held("release", &put, &after));
    assert!(!held("release", &put.replace("length = 5", "length = 6"), &after));
    assert!(!held("release", &format!("{put}url = \"https://dl.example.com/3\"\n"), &after));
    let mut late = after.clone();
    late.today = time("2027-11-22");
    assert!(!held("release", &put, &late), "it has ended");
    // A name that was mistyped must not pass for taken back.
    let after = sealed(&hold("release", &take, &world()).unwrap(), &world());
    assert!(!held("release", &take, &after));
    assert_eq!(hold("release", &take, &after).unwrap_err().rule().name, "TARGET-MISSING");
}

#[test]
fn a_renewal_changes_nothing_but_the_end() {
    let mut world = world();
    world.limits.delegations.max_valid_for = "5 years".parse().unwrap();
    let renew = format!("{CAM}renew = true\n").replace("1 year", "3 years");
    let change = hold("release", &renew, &world).unwrap();
    let (before, now) = (&world.documents[&RoleName::from_name("cam")], change.documents().next().unwrap());
    let (before, now) = (before.document().as_targets().unwrap(), now.document().as_targets().unwrap());
    assert_eq!((&before.targets, &before.delegations), (&now.targets, &now.delegations));
    assert_eq!(now.header.expires, time("2029-11-22"));
    assert!(held("release", &renew, &sealed(&change, &world)));
    let refused = hold("release", &format!("{CAM}renew = true\n"), &world).unwrap_err();
    assert_eq!(refused.rule().name, "RENEW-NOTHING");
}

#[test]
fn what_is_refused_of_a_release() {
    let two = format!("{}{}", file("cam/3"), file("cam/3"));
    let table: &[(&str, String, &str)] = &[
        ("nothing", CAM.to_owned(), "RELEASE-NOTHING"),
        (
            "no delegation",
            format!("{CAM}{}", file("cam/3")).replace("\"cam\"", "\"gone\""),
            "DELEGATION-MISSING",
        ),
        ("no role", format!("{CAM}{}", file("cam/3")).replace("\"cam\"", "\"targets\""), "ROLE-NAME"),
        ("another's folder", format!("{CAM}{}", file("door/3")), "RELEASE-NAME"),
        ("a folder below", format!("{CAM}{}", file("cam/x/3")), "RELEASE-NAME"),
        ("out of the folder", format!("{CAM}{}", file("cam/../3")), "RELEASE-NAME"),
        ("twice", format!("{CAM}{two}"), "RELEASE-NAME"),
        ("put and taken", format!("{CAM}withdraw = [\"cam/3\"]\n{}", file("cam/3")), "RELEASE-NAME"),
        ("not there", format!("{CAM}withdraw = [\"cam/4\"]\n"), "TARGET-MISSING"),
        ("no address", format!("{CAM}{}url = \"dl.example.com\"\n", file("cam/3")), "RELEASE-URL"),
        ("too long", format!("{CAM}{}", file("cam/3")).replace("1 year", "30 years"), "EXPIRY-LIMIT"),
        ("another's key", format!("{CAM}keys = [\"z\"]\n{}", file("cam/3")), "RELEASE-KEYS"),
        ("no key", format!("{CAM}keys = []\n{}", file("cam/3")), "RELEASE-KEYS"),
        (
            "too few keys",
            format!("{CAM}keys = [\"x\"]\n{}", file("door/3")).replace("\"cam\"", "\"door\""),
            "RELEASE-KEYS",
        ),
        ("an odd digest", format!("{CAM}{}sha512 = \"00\"\n", file("cam/3")), "RUNBOOK"),
        ("an unknown member", format!("{CAM}{}size = 5\n", file("cam/3")), "RUNBOOK"),
        ("a secret", format!("{CAM}pin = \"1\"\n"), "RUNBOOK-SECRET"),
    ];
    for (what, tables, rule) in table {
        let runbook = Runbook::parse(&format!("ceremony = \"release\"\n{HEAD}{tables}"));
        let made = runbook.and_then(|runbook| kinds::read(&runbook)?.change(&frame(), &world()));
        assert_eq!(made.unwrap_err().rule().name, *rule, "{what}");
    }
    // Keys that are gone don't count.
    let mut gone = world();
    for name in ["x", "y"] {
        gone.keys
            .get_mut(&key(name))
            .unwrap()
            .life
            .push((crate::tuf::statement::KeyEvent::Lost, time("2026-01-01")));
    }
    let refused = hold("release", &format!("{CAM}{}", file("cam/3")), &gone).unwrap_err();
    assert_eq!(refused.rule().name, "KEY-UNKNOWN");
}

/// Delegations in this order: name, pattern, whether the search ends there.
fn ordered(grants: &[(&str, &str, bool)]) -> MetadataPayload {
    let grant = |(name, pattern, terminating): &(&str, &str, bool)| {
        let keys = vec![wire::key_entry(Profile::Tuf, &super::world::public("x"), None).unwrap()];
        TargetsEdit::Grant(Grant {
            role: RoleName::from_name(name),
            keys: RoleSpec { keys, threshold: NonZeroU32::MIN },
            paths: PathRule::Patterns(vec![(*pattern).to_owned()]),
            terminating: *terminating,
        })
    };
    let edits: Vec<_> = grants.iter().map(grant).collect();
    make::targets(Profile::Tuf, &RoleName::Targets, 4, time("2028-01-01"), None, &edits).unwrap()
}

#[test]
fn what_clients_would_not_find_is_refused() {
    let with = |grants: &[(&str, &str, bool)], other: &[&str]| -> Facts {
        let (root, targets) = (root(1, "abc", 2, "t"), ordered(grants));
        let (cam, door) = (naming("cam", 3, &[]), naming("door", 3, other));
        facts(&[(&root, "abc")], &[(&targets, "t"), (&cam, "x"), (&door, "x")])
    };
    let cam = ("cam", "cam/*", false);
    let table: &[(&str, Facts, bool)] = &[
        ("another says something of it first", with(&[("door", "*/*", false), cam], &["cam/3"]), false),
        ("another says something of it after", with(&[cam, ("door", "*/*", false)], &["cam/3"]), true),
        ("another says nothing of it", with(&[("door", "*/*", false), cam], &["cam/4"]), true),
        ("another ends the search", with(&[("door", "*/*", true), cam], &[]), false),
        ("another ends other searches", with(&[("door", "door/*", true), cam], &[]), true),
    ];
    for (what, facts, found) in table {
        let made = hold("release", &format!("{CAM}{}", file("cam/3")), facts);
        let rule = made.map_or_else(|refused| refused.rule().name, |_| "");
        assert_eq!(rule, if *found { "" } else { "RELEASE-HIDDEN" }, "{what}");
    }
}

#[test]
fn whoever_is_alone_reads_no_digest_to_themselves() {
    let steps = |facts: &Facts, leader: &str| -> Vec<String> {
        let text = format!(
            "ceremony = \"release\"\ntitle = \"t\"\n[people]\n{leader} = \"administrator\"\n{CAM}keys = [\"x\"]\n{}",
            file("cam/3")
        );
        let runbook = Runbook::parse(&text).unwrap();
        let ceremony = kinds::read(&runbook).unwrap();
        let mut frame = frame();
        frame.people.clone_from(&runbook.people);
        let change = ceremony.change(&frame, facts).unwrap();
        ceremony.steps(&change, facts).unwrap().into_iter().map(|step| step.id.0).collect()
    };
    assert_eq!(steps(&world(), holder("x").as_str()), ["show", "confirm", "sign.x.0", "seal"]);
    assert_eq!(steps(&world(), "alice"), ["show", "read-back", "confirm", "sign.x.0", "seal"]);
}

fn wanted(application: &str, files: &[&str]) -> Wanted {
    let named = |name: &&str| Named {
        name: (*name).to_owned(),
        url: Some("https://dl.example.com/2026-11-22/\u{2d}a.msi".to_owned()),
        length: 5,
        sha256: sha(name),
        sha512: Some(vec![7; 64]),
    };
    Wanted {
        application: application.to_owned(),
        track: None,
        valid_for: "90 days".parse().unwrap(),
        withdraw: Vec::new(),
        renew: false,
        files: files.iter().map(named).collect(),
    }
}

#[test]
fn runbooks_are_made_of_what_is_asked_for() {
    // Whose keys are at hand; the application; who leads; the keys asked; the others.
    let table = [
        ("x", "cam", "x", "keys = [\"x\"]", ""),
        ("xyz", "cam", "x", "keys = [\"x\", \"y\"]", "y"),
        ("y", "door", "y", "", "x"),
        ("yx", "door", "x", "keys = [\"x\", \"y\"]", "y"),
    ];
    for (here, application, leader, keys, other) in table {
        let wanted = wanted(application, &[&format!("{application}/2026-11-22.msi")]);
        let text = wanted.runbook(&world(), &|key| here.contains(key.as_str())).unwrap();
        assert!(text.contains(&format!("{} = \"administrator\"", holder(leader))), "{text}");
        assert_eq!(text.contains("keys = "), !keys.is_empty(), "{text}");
        assert!(text.contains(keys), "{text}");
        let custodian = format!("{} = \"custodian\"", holder(if other.is_empty() { "z" } else { other }));
        assert_eq!(text.contains(&custodian), !other.is_empty(), "{text}");
        let runbook = Runbook::parse(&text).unwrap();
        let change = kinds::read(&runbook).unwrap().change(&frame(), &world()).unwrap();
        assert_eq!(titles(&change), [format!("{application} 4")]);
    }
    let refused = wanted("cam", &["cam/a"]).runbook(&world(), &|key| key.as_str() == "z").unwrap_err();
    assert_eq!(refused.rule().name, "RELEASE-KEYS");
    assert!(refused.to_string().contains("x of of-x, y of of-y"), "{refused}");
    // Whatever the names are, the runbook can be read, and its title is one line.
    let odd = "cam/it's \u{e4} [1] {2} #3, 2026-11-22.msi".to_owned();
    for files in [&[odd.as_str()][..], &[&format!("cam/{}", "a".repeat(199))], &["cam/a", "cam/b"]] {
        let text = wanted("cam", files).runbook(&world(), &|_| true).unwrap();
        let runbook = Runbook::parse(&text).unwrap();
        let change = kinds::read(&runbook).unwrap().change(&frame(), &world()).unwrap();
        let made = change.documents().next().unwrap().document().as_targets().unwrap().targets.clone();
        assert!(files.iter().all(|file| made.contains_key(*file)), "{text}");
    }
}

#[test]
fn the_stock_client_is_spared() {
    let facts = notary_world::granted("x", &[]);
    let odd = notary_world::granted("x", &["https://dl.example.com/a?x=1&y=2"]);
    let plain = notary_world::granted("x", &["https://dl.example.com/a"]);
    let release = "[release]\napplication = \"cam\"\nvalid-for = \"1 year\"\n";
    let with = |url: &str| format!("{release}{}url = \"{url}\"\n", file("cam/3"));
    let (good, bad) = (with("https://dl.example.com/3"), with("https://dl.example.com/3?x=1&y=2"));
    let table = [
        ("a plain address", good.clone(), &facts, ""),
        ("a signed address", bad, &facts, "CUSTOM-NOTARY"),
        ("no address", format!("{release}{}", file("cam/3")), &facts, "RELEASE-URL"),
        ("beside a plain one", good.clone(), &plain, ""),
        ("beside one that harms", good.clone(), &odd, "CUSTOM-NOTARY"),
        ("in its place", good.replace("cam/3", "cam/a"), &odd, ""),
        ("and taken back", format!("{release}withdraw = [\"cam/a\"]\n{}", &good[release.len()..]), &odd, ""),
    ];
    for (what, tables, facts, rule) in table {
        let made = hold("release", &tables, facts);
        let found = made.as_ref().map_or_else(|refused| refused.rule().name, |_| "");
        assert_eq!(found, rule, "{what}");
        if what == "beside one that harms" {
            let refused = made.unwrap_err().to_string();
            assert!(refused.contains("cam/a") && refused.contains("--withdraw"), "{refused}");
        }
    }
}
