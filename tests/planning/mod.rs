//! The planner's rules once more, and a search that knows nothing of the planner's: over every set
//! of keys and every threshold, whether or not it lies between the two ends.

use keyrite::ceremony::people::KeyName;
use keyrite::ceremony::planner::{Bounds, Key, PlannedRoot, Question, RootKeys, Standing};
use keyrite::tuf::time::{Term, Time, Unit};
use std::collections::BTreeSet;

/// What becomes of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Kept,
    KeptLate,
    Removed,
    RemovedLate,
    Added,
    AddedLate,
    AddedLater,
    Lost,
    Compromised,
    Stolen,
}

pub const FATES: [Fate; 10] = [
    Fate::Kept,
    Fate::KeptLate,
    Fate::Removed,
    Fate::RemovedLate,
    Fate::Added,
    Fate::AddedLate,
    Fate::AddedLater,
    Fate::Lost,
    Fate::Compromised,
    Fate::Stolen,
];

impl Fate {
    pub fn listed(self) -> bool {
        !matches!(self, Self::Added | Self::AddedLate | Self::AddedLater)
    }

    pub fn wanted(self) -> bool {
        !self.listed() || matches!(self, Self::Kept | Self::KeptLate)
    }

    fn standing(self) -> Standing {
        match self {
            Self::Kept | Self::Removed | Self::Added => Standing::AtHand,
            Self::KeptLate | Self::RemovedLate | Self::AddedLate => Standing::From(day(1)),
            Self::AddedLater => Standing::From(day(2)),
            Self::Lost => Standing::Lost,
            Self::Compromised => Standing::Compromised,
            Self::Stolen => Standing::Stolen,
        }
    }
}

/// The three moments of every case.
pub fn day(number: usize) -> Time {
    let today: Time = "2026-11-22T12:00:00Z".parse().unwrap();
    today.plus(Term::new([0, 10, 40][number], Unit::Days)).unwrap()
}

pub fn question(fates: &[Fate], thresholds: (u32, u32), spare: u32, changed: Option<u32>) -> Question {
    let names: Vec<KeyName> = (0..fates.len()).map(|n| format!("k{n}").parse().unwrap()).collect();
    let role = |fits: fn(Fate) -> bool, threshold| RootKeys {
        keys: names.iter().zip(fates).filter(|(_, fate)| fits(**fate)).map(|(n, _)| n.clone()).collect(),
        threshold,
    };
    let key = |(number, fate): (usize, &Fate)| Key {
        holder: format!("p{number}").parse().unwrap(),
        standing: fate.standing(),
        certificate_until: None,
        listed_until: None,
        most_message: None,
        entry_bytes: 300,
    };
    Question {
        keys: names.iter().cloned().zip(fates.iter().enumerate().map(key)).collect(),
        now: role(Fate::listed, thresholds.0),
        version: 1,
        wanted: role(Fate::wanted, thresholds.1),
        today: day(0),
        bounds: Bounds {
            threshold_floor: 2,
            spare_keys: spare,
            keys_changed: changed,
            valid_for: Term::new(20, Unit::Days),
            rest_bytes: 1_000,
            signature_bytes: 260,
            most_bytes: 512_000,
        },
    }
}

/// Every multiset of up to five fates with at least one key on each side.
pub fn cases() -> Vec<Vec<Fate>> {
    let mut all = vec![Vec::new()];
    let mut begun = 0;
    for _ in 1..=5 {
        let before = begun;
        begun = all.len();
        for place in before..begun {
            let last = all[place].last().copied().unwrap_or(Fate::Kept);
            for fate in FATES.into_iter().filter(|fate| *fate >= last) {
                let mut longer: Vec<Fate> = all[place].clone();
                longer.push(fate);
                all.push(longer);
            }
        }
    }
    all.retain(|fates| fates.iter().any(|f| f.listed()) && fates.iter().any(|f| f.wanted()));
    all
}

/// How good a way is, less is better: the day and root by which the last compromised key is out, the
/// roots, the last day.
pub type Cost = (usize, usize, usize, usize);

/// One case, with sets as lists of truth.
struct Case {
    n: usize,
    listed: Vec<bool>,
    wanted: Vec<bool>,
    exposed: Vec<bool>,
    gone: Vec<bool>,
    /// From which day, by number; never for what is gone.
    ready: Vec<usize>,
    /// When the certificates end by the root that is there, and by those to come.
    ends: [Vec<Option<Time>>; 2],
    most: Vec<usize>,
    holder: Vec<String>,
}

impl Case {
    fn of(q: &Question) -> Self {
        let keys: Vec<_> = q.keys.iter().collect();
        let number = |time: Time| (0..3).find(|d| day(*d) >= time).unwrap_or(3);
        Self {
            n: keys.len(),
            listed: keys.iter().map(|(name, _)| q.now.keys.contains(*name)).collect(),
            wanted: keys.iter().map(|(name, _)| q.wanted.keys.contains(*name)).collect(),
            exposed: keys.iter().map(|(_, k)| k.standing.is_exposed()).collect(),
            gone: keys.iter().map(|(_, k)| k.standing.is_gone()).collect(),
            ready: keys
                .iter()
                .map(|(_, k)| match k.standing {
                    Standing::AtHand => 0,
                    Standing::From(time) => number(time),
                    _ => 9,
                })
                .collect(),
            ends: [
                keys.iter().map(|(_, k)| k.listed_until).collect(),
                keys.iter().map(|(_, k)| k.certificate_until).collect(),
            ],
            most: keys.iter().map(|(_, k)| k.most_message.unwrap_or(usize::MAX)).collect(),
            holder: keys.iter().map(|(_, k)| k.holder.to_string()).collect(),
        }
    }

    fn has(set: usize, key: usize) -> bool {
        set >> key & 1 == 1
    }

    fn set(&self, list: &[bool]) -> usize {
        (0..self.n).map(|key| usize::from(list[key]) << key).sum()
    }

    fn those(&self, fits: impl Fn(usize) -> bool) -> usize {
        (0..self.n).map(|key| usize::from(fits(key)) << key).sum()
    }

    /// Who can sign on that day, by the certificates of the root that is there or of those to come.
    fn able(&self, on: usize, bytes: usize, to_come: usize) -> usize {
        let valid = |key: usize| self.ends[to_come][key].is_none_or(|end| day(on) < end);
        self.those(|key| self.ready[key] <= on && valid(key) && bytes <= self.most[key])
    }

    /// Whose certificate lasts as long as a root that is made on that day.
    fn lasts(&self, on: usize) -> usize {
        let until = day(on).plus(Term::new(20, Unit::Days)).unwrap();
        self.those(|key| self.ends[1][key].is_none_or(|end| end >= until))
    }
}

/// Every root that may be, and every way of so many roots from the first to the wanted one: the
/// least cost, or none.
pub fn best(q: &Question) -> Option<Cost> {
    let case = Case::of(q);
    let bounds = q.bounds;
    let first = (case.set(&case.listed), q.now.threshold, false);
    let goal = (case.set(&case.wanted), q.wanted.threshold, true);
    let mut roots = vec![];
    for set in 0..1_usize << case.n {
        let count = set.count_ones();
        for threshold in bounds.threshold_floor..=count.saturating_sub(bounds.spare_keys) {
            let held = |key: usize| {
                (0..case.n).filter(|k| Case::has(set, *k) && case.holder[*k] == case.holder[key]).count()
            };
            let together = (0..case.n).any(|k| Case::has(set, k) && held(k) >= threshold as usize);
            let bytes =
                bounds.rest_bytes + 300 * count as usize + 2 * bounds.signature_bytes * count as usize;
            if !together && bytes <= bounds.most_bytes {
                // Made on the way, with every key's newest certificate.
                roots.push((set, threshold, true));
            }
        }
    }
    if !roots.contains(&goal) || case.set(&case.gone) & goal.0 != 0 {
        return None;
    }
    // Who is able to sign each root, by day: as a key of the first root, as one of those to come.
    let bytes = |set: usize| bounds.rest_bytes + 300 * set.count_ones() as usize;
    let able = |set: usize| [0, 1, 2].map(|day| [0, 1].map(|to_come| case.able(day, bytes(set), to_come)));
    let able: Vec<_> = roots.iter().map(|root| able(root.0)).collect();
    let lasts = [0, 1, 2].map(|day| case.lasts(day));
    let exposed = case.set(&case.exposed);
    // Where one can be: root, day, and by which day and root the compromised keys were out.
    let out = |set: usize, day, made| (set & exposed == 0).then_some((day, made));
    let mut at = BTreeSet::from([(first, 0_usize, out(first.0, 0, 0))]);
    let mut seen = at.clone();
    let mut found: Option<Cost> = None;
    for made in 1.. {
        let mut next = BTreeSet::new();
        for (from, since, was_out) in &at {
            for (to, able) in roots.iter().zip(&able) {
                let (enter, leave) = (to.0 & !from.0, from.0 & !to.0);
                let changed = enter.count_ones().max(leave.count_ones());
                if to == from || bounds.keys_changed.is_some_and(|most| changed > most) {
                    continue;
                }
                for day in *since..3 {
                    let [was, is] = able[day];
                    let old = if *from == first { was } else { is };
                    let signed = (from.0 & old).count_ones() >= from.1
                        && (to.0 & is).count_ones() >= to.1
                        && enter & !is == 0
                        && to.0 & !lasts[day] == 0;
                    // A compromised key that comes back was not out.
                    let is_out = out(to.0, day, made).and(was_out.or(out(to.0, day, made)));
                    let place = (*to, day, is_out);
                    if signed && seen.insert(place) {
                        next.insert(place);
                    }
                }
            }
        }
        for (root, day, is_out) in &next {
            if *root == goal {
                let (out_day, out_root) = is_out.unwrap();
                let cost = (out_day, out_root, made, *day);
                found = Some(found.map_or(cost, |best| best.min(cost)));
            }
        }
        if next.is_empty() {
            return found;
        }
        at = next;
    }
    found
}

/// The cost of the planner's way, its every root checked by the rules.
pub fn cost(q: &Question, way: &[PlannedRoot]) -> Cost {
    let exposed = |root: &RootKeys| root.keys.iter().any(|k| q.keys[k].standing.is_exposed());
    let mut before = q.now.clone();
    let mut since = q.today;
    let mut out = if exposed(&before) { None } else { Some((0, 0)) };
    for (made, root) in way.iter().enumerate() {
        assert_eq!(root.version, q.version + 1 + made as u64);
        assert!(root.day >= since);
        assert_eq!(root.enter, root.root.keys.difference(&before.keys).cloned().collect());
        assert_eq!(root.leave, before.keys.difference(&root.root.keys).cloned().collect());
        let changed = root.enter.len().max(root.leave.len());
        assert!(q.bounds.keys_changed.is_none_or(|most| changed <= most as usize));
        assert!(root.root.threshold >= q.bounds.threshold_floor);
        assert!(root.root.keys.len() >= (root.root.threshold + q.bounds.spare_keys) as usize);
        for name in root.old.able.iter().chain(&root.new.able).chain(&root.enter) {
            let key = &q.keys[name];
            match key.standing {
                Standing::AtHand => {}
                Standing::From(time) => assert!(time <= root.day),
                other => panic!("{name}, {other:?}, is asked"),
            }
        }
        let until = root.day.plus(q.bounds.valid_for).unwrap();
        assert!(root.root.keys.iter().all(|k| q.keys[k].certificate_until.is_none_or(|end| end >= until)));
        assert!(root.old.able.is_subset(&before.keys) && root.new.able.is_subset(&root.root.keys));
        assert_eq!((root.old.need, root.new.need), (before.threshold, root.root.threshold));
        let fewest = root.fewest();
        for side in [&root.old, &root.new] {
            assert!(side.able.len() >= side.need as usize);
            assert!(fewest.intersection(&side.able).count() >= side.need as usize);
        }
        since = root.day;
        before = root.root.clone();
        if out.is_none() && !exposed(&before) {
            out = Some((number(since), made + 1));
        }
    }
    assert_eq!(before, q.wanted);
    let (day, root) = out.unwrap();
    (day, root, way.len(), number(since))
}

fn number(time: Time) -> usize {
    (0..3).find(|d| day(*d) == time).unwrap()
}
