//! What uploads hold, and what is taken of others' uploads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]
use super::*;
use crate::tuf::statement::TrustId;

fn trust(profile: Profile, stage: Stage) -> Trust {
    Trust {
        id: TrustId::from_bytes([1; 16]),
        profile,
        collection: "updates.example.com/apps".to_owned(),
        stage,
        shadows: None,
        start: None,
    }
}

fn documents(names: &[&str]) -> BTreeMap<RoleName, (u64, Vec<u8>)> {
    names.iter().map(|name| (RoleName::from_name(name), (3, name.as_bytes().to_vec()))).collect()
}

fn names(upload: &Upload) -> Vec<&str> {
    upload.files().keys().map(FileName::as_str).collect()
}

fn file(upload: &Upload, name: &str) -> String {
    String::from_utf8(upload.files()[&FileName::parse(name).unwrap()].clone()).unwrap()
}

fn text(upload: &Upload) -> String {
    file(upload, README)
}

#[test]
fn notary_is_one_request() {
    let all = documents(&["root", "targets", "targets/camera-station"]);
    let made =
        Upload::new(&trust(Profile::Notary, Stage::Production), None, &all, Some("https://n.example.com"))
            .unwrap();
    let listed = [
        "README.txt",
        "fetch.curl",
        "post.curl",
        "root.json",
        "targets%2Fcamera-station.json",
        "targets.json",
    ];
    assert_eq!(names(&made), listed);
    let text = text(&made);
    for line in [
        "URL='https://n.example.com'",
        "sha256sum -c --quiet &&\n      curl -K post.curl -H \"Authorization: Bearer ${TOKEN-}\"\n",
        "    rm -rf published && curl -K fetch.curl -H \"Authorization: Bearer ${TOKEN-}\"\n",
        "scope=repository:updates.example.com/apps:push,pull",
        "-o snapshot.key",
        "-o timestamp.key",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    let expected = "silent\nshow-error\ngloboff\nfail-with-body\n\
        form = \"files=@root.json;filename=root\"\n\
        form = \"files=@targets.json;filename=targets\"\n\
        form = \"files=@targets%2Fcamera-station.json;filename=targets/camera-station\"\n\
        url = \"https://n.example.com/v2/updates.example.com/apps/_trust/tuf/\"\n";
    assert_eq!(file(&made, POST), expected);
    let manifest = Manifest::parse(made.manifest()).unwrap();
    manifest.check(made.files()).unwrap();
}

#[test]
fn tuf_comes_in_the_order_that_keeps_clients_consistent() {
    let all = documents(&["root", "targets", "snapshot", "timestamp", "camera-station.beta"]);
    let made = Upload::new(&trust(Profile::Tuf, Stage::Production), None, &all, None).unwrap();
    let order = "3.camera-station.beta.json\n3.targets.json\n3.snapshot.json\n3.root.json\ntimestamp.json\n";
    assert_eq!(file(&made, ORDER), order);
    assert!(text(&made).contains("done < ORDER)"), "{}", text(&made));
}

#[test]
fn a_client_that_missed_roots_finds_each_of_them() {
    let trust = trust(Profile::Tuf, Stage::Production);
    let roots = [1, 2, 10].map(|version| (version, format!("root {version}").into_bytes())).into();
    let all = documents(&["targets", "snapshot", "timestamp"]);
    let beside = Beside { roots, ..Beside::default() };
    let made = Upload::with(&trust, None, &all, &beside, None).unwrap();
    let order = "3.targets.json\n3.snapshot.json\n1.root.json\n2.root.json\n10.root.json\ntimestamp.json\n";
    assert_eq!(file(&made, ORDER), order);
    Manifest::parse(made.manifest()).unwrap().check(made.files()).unwrap();
}

#[test]
fn a_rehearsal_goes_to_loopback_and_addresses_are_plain() {
    for (server, stage, rule) in [
        ("http://127.0.0.1:4443", Stage::Rehearsal, None),
        ("https://localhost", Stage::Rehearsal, None),
        ("http://[::1]:80/x", Stage::Rehearsal, None),
        ("https://notary.example.com", Stage::Production, None),
        ("https://notary.example.com", Stage::Rehearsal, Some(&rules::UPLOAD_STAGE)),
        ("https://127.0.0.1.example.com", Stage::Rehearsal, Some(&rules::UPLOAD_STAGE)),
        ("https://localhost.example.com", Stage::Rehearsal, Some(&rules::UPLOAD_STAGE)),
        ("https://127.0.0.1@example.com", Stage::Rehearsal, Some(&rules::UPLOAD_SERVER)),
        ("ftp://127.0.0.1", Stage::Rehearsal, Some(&rules::UPLOAD_SERVER)),
        ("https://", Stage::Production, Some(&rules::UPLOAD_SERVER)),
        ("https://a';rm", Stage::Production, Some(&rules::UPLOAD_SERVER)),
    ] {
        let made = Upload::new(&trust(Profile::Notary, stage), None, &documents(&["root"]), Some(server));
        assert_eq!(made.as_ref().err().map(Refusal::rule), rule, "{server}");
    }
    let rehearsal =
        Upload::new(&trust(Profile::Notary, Stage::Rehearsal), None, &documents(&["root"]), None).unwrap();
    assert!(text(&rehearsal).contains("loopback"));
}

#[test]
fn what_is_fetched_is_every_delegation_that_has_a_plain_name() {
    let names =
        ["targets/camera-station", "targets/a\"\nurl = \"http://evil\"", "targets/../../x", "targets/A"];
    let delegations = names.map(RoleName::from_name).into();
    let trust = trust(Profile::Notary, Stage::Production);
    let beside = Beside { delegations, ..Beside::default() };
    let made = Upload::with(&trust, None, &documents(&["targets"]), &beside, None).unwrap();
    let config = file(&made, FETCH);
    let outputs: Vec<_> = config.lines().filter_map(|line| line.strip_prefix("output = ")).collect();
    let expected = ["targets/camera-station", "root", "targets", "snapshot", "timestamp"];
    assert_eq!(outputs, expected.map(|role| format!("\"published/{role}.json\"")));
    // Nobody has named the backend: the line puts its address in the place of the example.
    let line = "rm -rf published && sed \"s|https://notary.example.com|$URL|\" fetch.curl | curl -K - ";
    assert!(text(&made).contains(line), "{}", text(&made));
    assert!(
        config.contains(
            "url = \"https://notary.example.com/v2/updates.example.com/apps/_trust/tuf/root.json\""
        )
    );
}

#[test]
fn no_other_words_reach_curl_or_a_shell() {
    let all = documents(&["root", "targets", "targets/camera-station"]);
    let own_files = |profile, stage| {
        let trust = trust(profile, stage);
        let all =
            if profile == Profile::Tuf { documents(&["root", "targets", "timestamp"]) } else { all.clone() };
        let delegations = [RoleName::from_name("targets/door")].into();
        let beside = Beside { delegations, ..Beside::default() };
        let made = Upload::with(&trust, None, &all, &beside, None).unwrap();
        (Manifest::parse(made.manifest()).unwrap(), made, trust)
    };
    let judge = |(manifest, made, trust): &(Manifest, Upload, Trust), name: &str, text: &str| {
        let listed = |file: &FileName| manifest.files.get(file).is_none_or(|line| line.role.is_none());
        let mut given = made.files().clone();
        given.retain(|file, _| listed(file));
        given.insert(FileName::parse(name).unwrap(), text.as_bytes().to_vec());
        named(trust, manifest, &given, |_| Some(3), b"root").is_some()
    };
    let notary = own_files(Profile::Notary, Stage::Production);
    let practice = own_files(Profile::Notary, Stage::Rehearsal);
    let tuf = own_files(Profile::Tuf, Stage::Production);
    for (made, name) in
        [(&notary, POST), (&notary, FETCH), (&practice, POST), (&practice, FETCH), (&tuf, ORDER)]
    {
        let text = file(&made.1, name);
        assert!(judge(made, name, &text), "{name}: {text}");
        let hostile = [
            format!("{text}output = \"/etc/passwd\"\n"),
            format!("{text}\n"),
            text.replacen("silent", "upload-file = \"x\"\nsilent", 1),
            text.replacen("https://", "ftp://", 1),
            text.replacen("notary.example.com", "evil.example.com;x", 1),
            text.replacen("//127.0.0.1:4443", "//notary.example.com", 1),
            text.replacen("published/", "../../", 1),
            text.replacen("root.json", "../root.json", 1),
            text.replacen("apps/_trust", "other/_trust", 1),
            text.replacen("targets/door", "targets/../door", 2),
            text.replacen("@root.json", "@/etc/shadow", 1),
            text.replacen("3.targets.json", "3.targets.json; rm -r .", 1),
            text.lines().rev().flat_map(|line| [line, "\n"]).collect(),
            String::new(),
        ];
        for other in hostile.iter().filter(|other| **other != text) {
            assert!(!judge(made, name, other), "{name}: {other}");
        }
    }
    // Neither has a profile that doesn't make it.
    assert!(!judge(&tuf, POST, &file(&notary.1, POST)) && !judge(&notary, ORDER, &file(&tuf.1, ORDER)));
    assert!(!judge(&notary, "other.curl", ""));
    // The address may be any that an administrator could have named, but it is one.
    let moved = |text: String| text.replace("https://notary.example.com", "http://[::1]:4443");
    assert!(!judge(&notary, POST, &moved(file(&notary.1, POST))));
    assert!(!judge(&notary, README, &moved(file(&notary.1, README))));
    let beside = Beside { delegations: [RoleName::from_name("targets/door")].into(), ..Beside::default() };
    let made = Upload::with(&notary.2, None, &all, &beside, Some("http://[::1]:4443")).unwrap();
    let moved = (Manifest::parse(made.manifest()).unwrap(), made, notary.2.clone());
    assert!(judge(&moved, POST, &file(&moved.1, POST)));
}

#[test]
fn a_config_asks_one_backend() {
    let trust = trust(Profile::Notary, Stage::Production);
    let beside = Beside { delegations: [RoleName::from_name("targets/door")].into(), ..Beside::default() };
    let (ours, evil) = (Some("https://n.example.com"), Some("https://evil.example.com"));
    let config =
        |server| file(&Upload::with(&trust, None, &documents(&["targets"]), &beside, server).unwrap(), FETCH);
    for server in [ours, evil, None] {
        for asked in [ours, evil, None] {
            let roles = asks(&trust, asked, &config(server));
            assert_eq!(roles, (server == asked).then(|| beside.delegations.clone()), "{server:?} {asked:?}");
        }
    }
    let one_elsewhere = config(ours).replacen("//n.example", "//evil.example", 1);
    assert_eq!(asks(&trust, ours, &one_elsewhere), None);
}

#[test]
fn a_role_that_the_backend_would_refuse_is_refused_here() {
    let all = documents(&["targets/a b"]);
    let made = Upload::new(&trust(Profile::Notary, Stage::Production), None, &all, None);
    assert_eq!(made.unwrap_err().rule(), &crate::tuf::rules::ROLE_NAME);
}
