//! The rotation planner against a search of its own, and its answers before python-tuf.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod keys;
mod planning;
mod repository;

use base64ct::{Base64, Encoding as _};
use keyrite::ceremony::people::KeyName;
use keyrite::ceremony::planner::{Answer, Question, plan};
use keyrite::ceremony::planner::{Bounds, Key, PlannedRoot, RootKeys, Standing, explain};
use keyrite::tuf::make::{self, RootSpec};
use keyrite::tuf::profile::Profile;
use planning::{FATES, Fate, best, cases, cost, day, question};
use repository::{LATER, sealed, spec, time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Each case in all its thresholds and limits.
fn questions(fates: &[Fate], mut each: impl FnMut(&Question)) {
    let count = |fits: fn(&Fate) -> bool| fates.iter().filter(|f| fits(f)).count() as u32;
    for old in 1..=count(|f| f.listed()) {
        for new in 2..=count(|f| f.wanted()).max(2) {
            for spare in [0, 1] {
                for changed in [None, Some(1), Some(2)] {
                    each(&question(fates, (old, new), spare, changed));
                }
            }
        }
    }
}

/// Ways by their shape: the files that sign them, and the same with a signature less.
type Shapes = BTreeMap<String, (Vec<Vec<u8>>, Vec<Vec<u8>>)>;

/// What all cases came to: how many have a way, how many none, and the ways' shapes.
static COMPARED: LazyLock<(usize, usize, Shapes)> = LazyLock::new(|| {
    let all = cases();
    // Two halves, for two cores.
    let half = |half: usize| {
        let fates: Vec<_> = all.iter().skip(half).step_by(2).cloned().collect();
        std::thread::spawn(move || compare(&fates))
    };
    let [one, two] = [half(0), half(1)].map(|half| half.join().unwrap());
    let mut shapes = one.2;
    shapes.extend(two.2);
    (one.0 + two.0, one.1 + two.1, shapes)
});

fn compare(cases: &[Vec<Fate>]) -> (usize, usize, Shapes) {
    let (mut ways, mut none, mut shapes) = (0, 0, Shapes::new());
    for fates in cases {
        questions(fates, |q| match (plan(q), best(q)) {
            (Answer::Roots(way), expected) => {
                ways += 1;
                assert_eq!(Some(cost(q, &way)), expected, "{fates:?} {q:#?}");
                shapes.entry(shape(q, &way)).or_insert_with(|| chain(q, &way));
            }
            (Answer::Nothing, _) => assert_eq!(q.now, q.wanted),
            (Answer::Impossible(why), expected) => {
                none += 1;
                assert_eq!(expected, None, "{fates:?} {q:#?} {why:?}");
            }
        });
    }
    (ways, none, shapes)
}

#[test]
fn no_search_finds_a_better_way() {
    // These numbers change with the cases alone.
    assert_eq!((COMPARED.0, COMPARED.1), (33888, 46284));
}

/// Numbers that look drawn and are the same in every run.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// Drawn questions with certificates, tokens, holders and sizes: how many answers differ from those without,
/// and the ways' shapes.
static DRAWN: LazyLock<(usize, Shapes)> = LazyLock::new(|| {
    let mut drawn = Drawn(3);
    let (mut ways, mut minded, mut shapes) = (0, 0, Shapes::new());
    while ways < 400 {
        let fates: Vec<Fate> = (0..2 + drawn.below(4)).map(|_| FATES[drawn.below(FATES.len())]).collect();
        let thresholds = (1 + drawn.below(3) as u32, 2 + drawn.below(2) as u32);
        let changed = [None, Some(1), Some(2)][drawn.below(3)];
        let plain = question(&fates, thresholds, drawn.below(2) as u32, changed);
        if plain.now.keys.len() < thresholds.0 as usize {
            continue;
        }
        let mut q = plain.clone();
        for key in q.keys.values_mut() {
            let ends = [None, None, Some(day(0)), Some(day(1)), Some(day(2))];
            key.listed_until = ends[drawn.below(5)];
            key.certificate_until = [None, key.listed_until][drawn.below(2)];
            key.most_message = [None, None, None, Some(2_000)][drawn.below(4)];
            key.holder = ["ada", "bruno", "carla", "dora", "emil", "fritz"][drawn.below(6)].parse().unwrap();
        }
        q.bounds.most_bytes = [4_000, 5_000, 512_000][drawn.below(3)];
        let answer = plan(&q);
        match &answer {
            Answer::Roots(way) => {
                ways += 1;
                assert_eq!(Some(cost(&q, way)), best(&q), "{q:#?}");
                shapes.entry(shape(&q, way)).or_insert_with(|| chain(&q, way));
            }
            Answer::Nothing => assert_eq!(q.now, q.wanted),
            Answer::Impossible(why) => assert_eq!(best(&q), None, "{q:#?} {why:?}"),
        }
        minded += usize::from(answer != plan(&plain));
    }
    (minded, shapes)
});

#[test]
fn certificates_tokens_holders_and_sizes_are_minded() {
    let minded = DRAWN.0;
    assert!(minded > 200, "only {minded} answers differ from those without certificates and tokens");
}

/// Each root of a way, its keys and its signers by number.
fn shape(q: &Question, way: &[PlannedRoot]) -> String {
    let roots = || std::iter::once((&q.now, None)).chain(way.iter().map(|r| (&r.root, Some(r.fewest()))));
    let mut keys: Vec<String> = q
        .keys
        .keys()
        .map(|name| {
            roots()
                .map(|(root, signers)| {
                    match (root.keys.contains(name), signers.is_some_and(|s| s.contains(name))) {
                        (true, true) => 'S',
                        (true, false) => 'l',
                        (false, true) => 's',
                        (false, false) => '-',
                    }
                })
                .collect()
        })
        .collect();
    keys.sort();
    let thresholds: Vec<String> = roots().map(|(root, _)| root.threshold.to_string()).collect();
    format!("{} at {}", keys.join(" "), thresholds.join(" "))
}

#[test]
fn python_tuf_takes_every_way_and_none_with_a_signature_less() {
    // The drawn ones as well, of which some have shapes that no plain case has.
    let own = DRAWN.1.keys().filter(|shape| !COMPARED.2.contains_key(*shape)).count();
    assert!(own > 10, "only {own} shapes are drawn alone");
    let shapes: Shapes =
        COMPARED.2.iter().chain(&DRAWN.1).map(|(name, files)| (name.clone(), files.clone())).collect();
    let shapes = &shapes;
    let roots: usize = shapes.values().map(|(roots, _)| roots.len() - 1).sum();
    let mut lines = String::new();
    for (name, (roots, refused)) in shapes {
        let list = |files: &[Vec<u8>]| {
            files
                .iter()
                .map(|bytes| format!("\"{}\"", Base64::encode_string(bytes)))
                .collect::<Vec<_>>()
                .join(",")
        };
        let (roots, refused) = (list(roots), list(refused));
        let _ = writeln!(lines, "{{\"name\":\"{name}\",\"roots\":[{roots}],\"refused\":[{refused}]}}");
    }
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-venv/bin/python");
    assert!(python.exists(), "no {}: run scripts/test-deps python", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python_tuf_chains.py");
    let mut run = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Where it stops early, it says why.
    let _ = std::io::Write::write_all(&mut run.stdin.take().unwrap(), lines.as_bytes());
    let done = run.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(said.trim(), format!("{{\"taken\": {roots}, \"refused\": {roots}}}"));
    assert!(shapes.len() > 100, "only {} shapes", shapes.len());
}

/// The roots of a way, each signed by the fewest keys, and each again with one signature less.
fn chain(q: &Question, way: &[PlannedRoot]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let numbers: BTreeMap<&KeyName, u8> = q.keys.keys().zip(20..).collect();
    let number = |names: &BTreeSet<KeyName>| names.iter().map(|name| numbers[name]).collect::<Vec<_>>();
    let root = |version, root: &RootKeys| {
        let other = |key| spec(&[key], 1);
        let root = spec(&number(&root.keys), root.threshold);
        let (targets, snapshot, timestamp) = (other(10), other(11), other(12));
        let spec = RootSpec { version, expires: time(LATER), root, targets, snapshot, timestamp };
        make::root(Profile::Tuf, &spec, None).unwrap()
    };
    // Whoever has the keys of the first root made it, lost and stolen ones included.
    let mut roots = vec![sealed(&root(1, &q.now), &number(&q.now.keys))];
    let mut refused = Vec::new();
    let mut before = &q.now;
    for planned in way {
        let payload = root(planned.version, &planned.root);
        let signers = planned.fewest();
        roots.push(sealed(&payload, &number(&signers)));
        // One that counts by its key alone: python-tuf knows no certificate that has ended.
        let without = |key: &KeyName| signers.iter().filter(|other| *other != key).cloned().collect();
        let short = |some: &BTreeSet<KeyName>, of: &RootKeys| {
            some.intersection(&of.keys).count() < of.threshold as usize
        };
        let mut fewer = signers.iter().map(without);
        let fewer = fewer.find(|some| short(some, before) || short(some, &planned.root));
        refused.push(sealed(&payload, &number(&fewer.expect("nobody signs for nothing"))));
        before = &planned.root;
    }
    (roots, refused)
}

/// What administrators ask, and the answer as they read it.
#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn the_answer_in_words() {
    use Fate::{Added, AddedLate, Compromised, Kept, Lost, Removed, Stolen};

    let with = |q: &mut Question, name: &str, standing| {
        q.keys.get_mut(&name.parse::<KeyName>().unwrap()).unwrap().standing = standing;
    };
    let bounds = |q: &mut Question, ease: fn(&mut Bounds)| ease(&mut q.bounds);
    let three = [Kept, Kept, Removed, Added];
    let asked = |fates: &[Fate], thresholds, spare, changed| question(fates, thresholds, spare, changed);
    let mut large = asked(&three, (2, 2), 1, None);
    bounds(&mut large, |b| b.most_bytes = 2_000);
    let mut one_holder = asked(&three, (2, 2), 1, None);
    for key in one_holder.keys.values_mut() {
        *key = Key { holder: "ada".parse().unwrap(), ..key.clone() };
    }
    let mut certificates = asked(&[Kept, Kept, Lost, AddedLate], (2, 3), 0, None);
    for key in certificates.keys.values_mut().take(2) {
        key.listed_until = Some(day(1));
    }
    let mut ended = asked(&three, (2, 2), 1, None);
    if let Some(mut key) = ended.keys.first_entry() {
        key.get_mut().certificate_until = Some(day(1));
    }
    let mut again = asked(&three, (2, 2), 1, None);
    with(&mut again, "k3", Standing::Lost);
    let many: Vec<Fate> = std::iter::repeat_n(Kept, 17).collect();
    let table: &[(&str, Question, &str)] = &[
        ("one replaced", asked(&three, (2, 2), 1, None), "\
1 root, from 2026-11-22
root 2, from 2026-11-22: k3 enters; k2 leaves
  any 2 of: k0 of p0, k1 of p1, k3 of p3
  root 1 signs with 2 of: k0 of p0, k1 of p1, k2 of p2
  root 2 signs with 2 of: k0 of p0, k1 of p1, k3 of p3
  at the least: k0 of p0, k1 of p1"),
        ("one lost, its successor in ten days", asked(&[Kept, Kept, Lost, AddedLate], (2, 2), 1, None), "\
1 root, from 2026-12-02
root 2, from 2026-12-02: k3 enters; k2 leaves
  any 2 of: k0 of p0, k1 of p1, k3 of p3
  root 1 signs with 2 of: k0 of p0, k1 of p1
  root 2 signs with 2 of: k0 of p0, k1 of p1, k3 of p3
  at the least: k0 of p0, k1 of p1
  waits for k3 of p3, at hand from 2026-12-02
  plan it no earlier, since the days in which it can be signed count from its planning"),
        ("one stolen and no spare: out today, its successor later", asked(&[Kept, Kept, Stolen, AddedLate], (2, 2), 0, None), "\
2 roots, the last from 2026-12-02
root 2, from 2026-11-22: k2 leaves
  any 2 of: k0 of p0, k1 of p1
  root 1 signs with 2 of: k0 of p0, k1 of p1
  root 2 signs with 2 of: k0 of p0, k1 of p1
  at the least: k0 of p0, k1 of p1
root 3, from 2026-12-02: k3 enters
  any 2 of: k0 of p0, k1 of p1, k3 of p3
  root 2 signs with 2 of: k0 of p0, k1 of p1
  root 3 signs with 2 of: k0 of p0, k1 of p1, k3 of p3
  at the least: k0 of p0, k1 of p1
  waits for k3 of p3, at hand from 2026-12-02
  plan it no earlier, since the days in which it can be signed count from its planning"),
        ("two stolen, one key at a time", asked(&[Kept, Kept, Added, Added, Stolen, Stolen], (2, 2), 1, Some(1)), "\
2 roots, the last from 2026-11-22
root 2, from 2026-11-22: k2 enters; k5 leaves
  any 2 of: k0 of p0, k1 of p1, k2 of p2, k4 of p4
  root 1 signs with 2 of: k0 of p0, k1 of p1
  root 2 signs with 2 of: k0 of p0, k1 of p1, k2 of p2
  at the least: k0 of p0, k1 of p1
  still lists k4, which someone else may sign with
root 3, from 2026-11-22: k3 enters; k4 leaves
  any 2 of: k0 of p0, k1 of p1, k2 of p2, k3 of p3
  root 2 signs with 2 of: k0 of p0, k1 of p1, k2 of p2
  root 3 signs with 2 of: k0 of p0, k1 of p1, k2 of p2, k3 of p3
  at the least: k0 of p0, k1 of p1"),
        ("threshold up", asked(&[Kept, Kept, Kept], (2, 3), 0, None), "\
1 root, from 2026-11-22
root 2, from 2026-11-22: the threshold becomes 3
  any 3 of: k0 of p0, k1 of p1, k2 of p2
  root 1 signs with 2 of: k0 of p0, k1 of p1, k2 of p2
  root 2 signs with 3 of: k0 of p0, k1 of p1, k2 of p2
  at the least: k0 of p0, k1 of p1, k2 of p2"),
        ("as it is", asked(&[Kept, Kept, Kept], (2, 2), 1, None), "Root 1 is as it is wanted: nothing to do."),
        ("quorum lost", asked(&[Kept, Lost, Lost, Added, Added], (2, 2), 1, None), "\
There is no way: root 1 wants 2 signatures, and only k0 can ever sign again.
If k1 is found: 1 root, from 2026-11-22.
If k2 is found: 1 root, from 2026-11-22.
Otherwise a new trust: its root reaches agents by a way of its own, as a new version of the agent."),
        ("quorum only with a compromised key", asked(&[Kept, Compromised, Stolen, Added, Added], (2, 2), 1, None), "\
There is no way: root 1 wants 2 signatures, and only k0 can ever sign again.
Only with compromised keys' signatures: 1 root, from 2026-11-22. Whoever else has them may do the same, and agents follow whichever root reaches them first.
Otherwise a new trust: its root reaches agents by a way of its own, as a new version of the agent."),
        ("all lost", asked(&[Lost, Lost, Lost, Added, Added], (3, 2), 0, None), "\
There is no way: root 1 wants 3 signatures, and none can ever sign again.
Otherwise a new trust: its root reaches agents by a way of its own, as a new version of the agent."),
        ("no spare left", asked(&[Kept, Kept, Lost], (2, 2), 1, None), "\
There is no way: 2 keys at a threshold of 2, where limits want 1 to spare.
With limits that demand no spare keys: 1 root, from 2026-11-22."),
        ("below the floor", asked(&[Kept, Kept, Removed], (2, 1), 1, None), "\
There is no way: a threshold of 1, where limits want at least 2."),
        ("more than all", asked(&[Kept, Kept, Added], (2, 4), 0, None), "There is no way: a threshold of 4 of 3 keys is none."),
        ("too large", large, "There is no way: the wanted root has 3460 bytes, where clients read 2000."),
        ("all with one person", one_holder, "There is no way: ada would hold a threshold of the wanted root."),
        ("a lost key as the new one", again, "\
There is no way: k3 is lost or compromised and enters no root.
If k3 is found: 1 root, from 2026-11-22."),
        ("listed certificates end before the new key comes", certificates, "\
2 roots, the last from 2026-12-02
root 2, from 2026-11-22: k2 leaves
  any 2 of: k0 of p0, k1 of p1
  root 1 signs with 2 of: k0 of p0, k1 of p1
  root 2 signs with 2 of: k0 of p0, k1 of p1
  at the least: k0 of p0, k1 of p1
root 3, from 2026-12-02: k3 enters
  any 3 of: k0 of p0, k1 of p1, k3 of p3
  root 2 signs with 2 of: k0 of p0, k1 of p1
  root 3 signs with 3 of: k0 of p0, k1 of p1, k3 of p3
  at the least: k0 of p0, k1 of p1, k3 of p3
  waits for k3 of p3, at hand from 2026-12-02
  plan it no earlier, since the days in which it can be signed count from its planning"),
        ("a certificate ends before the root would", ended, "\
There is no way: the certificate of k0 ends before the root would: renew it first, by certify-key."),
        ("too many", asked(&many, (2, 3), 0, None), "There is no way: 17 keys come, go and stay, where 16 can be planned."),
    ];
    for (what, q, words) in table {
        assert_eq!(explain(q, &plan(q)).join("\n"), *words, "{what}");
    }
}
