//! The search: layer by layer, each root one layer, each state with the earliest day on which it can
//! be reached by that many roots.

use super::{Key, PlannedRoot, Question, RootKeys, Signers, Standing, Why};
use crate::ceremony::people::{KeyName, Person};
use crate::tuf::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The most keys that come, go or stay; beyond it the states are too many to look at.
pub const MOST_KEYS: usize = 16;

/// Up to so many keys, ways are looked at on which a key leaves and comes back, where that can help.
const MOST_FREE: usize = 8;

/// Keys, one bit each.
type Mask = u32;

/// A root. Ordered, so that of ways that are as good the one with the wanted threshold is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    /// The threshold's place in [`Search::thresholds`].
    rank: usize,
    keys: Mask,
    /// Whether it is made on the way, and so lists each key's newest certificate.
    made: bool,
}

/// How a state is reached: on which day, from which state of the layer before.
#[derive(Debug, Clone, Copy)]
struct Reached {
    day: usize,
    from: State,
}

type Layer = BTreeMap<State, Reached>;

/// For which threshold a key is to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// That of the root that is there.
    Start,
    /// That of a root made on the way, seen from the next.
    Before,
    /// The new root's own.
    New,
}

struct Search<'a> {
    question: &'a Question,
    /// The keys that take part, the first has the lowest bit; a key of which nothing is known signs nothing.
    keys: Vec<(&'a KeyName, Option<&'a Key>)>,
    wanted: Mask,
    goal: State,
    /// Keys that someone else may sign with.
    exposed: Mask,
    /// The wanted threshold first, then the one that is there, then all others.
    thresholds: Vec<u32>,
    /// Moments on which something becomes possible, in order; the first is today.
    days: Vec<Time>,
    holders: BTreeMap<&'a Person, Mask>,
    compromised_signs: bool,
    /// The root that is there.
    start: State,
    /// Who is able on each day to sign a message of any length: for the root that is there, for one
    /// that was made on the way, for the new one itself.
    able: Vec<[Mask; 3]>,
    /// Which certificates last on each day as long as a root that is made then.
    certified: Vec<Mask>,
    /// Whether the length of a root matters to any token.
    lengths_matter: bool,
    /// Keys that may leave, and keys that may enter.
    movable: (Mask, Mask),
}

/// The best way; `compromised_signs` lets keys that someone else has as well sign for the root before.
pub(super) fn roots(question: &Question, compromised_signs: bool) -> Result<Vec<PlannedRoot>, Why> {
    let search = Search::new(question, compromised_signs)?;
    if let Err(why) = search.wanted_is_lawful() {
        // Whatever is wanted: without a quorum there is nothing to choose.
        let reason = search.reason();
        return Err(if matches!(reason, Why::Quorum { .. }) { reason } else { why });
    }
    let Some(states) = search.way() else { return Err(search.reason()) };
    Ok(search.told(&states))
}

/// The same root again, on the first day from `from` on.
pub(super) fn again(question: &Question, from: Time) -> Result<PlannedRoot, Why> {
    let mut later = question.clone();
    later.wanted = question.now.clone();
    later.today = from;
    let search = Search::new(&later, false)?;
    let goal = State { made: true, ..search.start };
    let day = (0..search.days.len()).find(|day| search.signable(search.start, goal, *day));
    let day = day.ok_or_else(|| search.reason())?;
    search.told(&[(search.start, day), (goal, day)]).into_iter().next().ok_or(Why::NoWay)
}

impl<'a> Search<'a> {
    fn new(question: &'a Question, compromised_signs: bool) -> Result<Self, Why> {
        let names: Vec<&KeyName> = question.now.keys.union(&question.wanted.keys).collect();
        if names.len() > MOST_KEYS {
            return Err(Why::TooMany(names.len()));
        }
        let mask = |fits: &dyn Fn(&KeyName) -> bool| {
            let bits = names.iter().zip(0..u32::BITS).filter(|(name, _)| fits(name));
            bits.fold(0, |mask, (_, bit)| mask | 1_u32.wrapping_shl(bit))
        };
        let standing = |name: &KeyName| question.keys.get(name).map(|key| key.standing);
        let mut thresholds = vec![question.wanted.threshold, question.now.threshold];
        thresholds.extend(1..=u32::try_from(names.len()).unwrap_or(u32::MAX));
        let mut seen = BTreeSet::new();
        thresholds.retain(|threshold| seen.insert(*threshold));
        let later = names.iter().filter_map(|name| match standing(name) {
            Some(Standing::From(day)) if day > question.today => Some(day),
            _ => None,
        });
        let days: BTreeSet<Time> = later.chain([question.today]).collect();
        let mut holders: BTreeMap<&Person, Mask> = BTreeMap::new();
        for (name, key) in &question.keys {
            *holders.entry(&key.holder).or_default() |= mask(&|other| other == name);
        }
        let wanted = mask(&|name| question.wanted.keys.contains(name));
        let rank = usize::from(question.now.threshold != question.wanted.threshold);
        let mut search = Self {
            question,
            wanted,
            goal: State { rank: 0, keys: wanted, made: true },
            exposed: mask(&|name| standing(name).is_some_and(Standing::is_exposed)),
            thresholds,
            days: days.into_iter().collect(),
            holders,
            compromised_signs,
            start: State { rank, keys: mask(&|name| question.now.keys.contains(name)), made: false },
            able: Vec::new(),
            certified: Vec::new(),
            movable: (0, 0),
            lengths_matter: question.keys.values().any(|key| key.most_message.is_some()),
            keys: names.iter().map(|name| (*name, question.keys.get(*name))).collect(),
        };
        for day in &search.days {
            search.able.push([Side::Start, Side::Before, Side::New].map(|side| search.look(*day, 0, side)));
            let end = day.plus(question.bounds.valid_for).unwrap_or(*day);
            let lasts = |name: &KeyName| {
                let key = question.keys.get(name);
                key.is_some_and(|key| key.certificate_until.is_none_or(|until| until >= end))
            };
            search.certified.push(mask(&lasts));
        }
        // There a root that lists fewer keys for a while can be the way.
        let all = mask(&|_| true);
        let all_last = search.certified.iter().all(|certified| *certified == all);
        let all_fit = !search.lengths_matter && search.file_bytes(all) <= question.bounds.most_bytes;
        let all_apart = search.holders.values().all(|held| held.count_ones() <= 1);
        search.movable = if !(all_fit && all_last && all_apart) && names.len() <= MOST_FREE {
            (all, mask(&|name| standing(name).is_some_and(|s| !s.is_gone())))
        } else {
            (all & !wanted, wanted)
        };
        Ok(search)
    }

    /// By the order in the module's header: the way whose last compromised key is out first, then
    /// the shortest, then the earliest.
    fn way(&self) -> Option<Vec<(State, usize)>> {
        let start = self.start;
        let begin = Layer::from([(start, Reached { day: 0, from: start })]);
        if start.keys & self.exposed == 0 {
            return self.to_goal(begin);
        }
        let mut layers = vec![begin];
        let mut clean: BTreeMap<(usize, usize), Vec<State>> = BTreeMap::new();
        let mut best = BTreeMap::from([(start, 0)]);
        loop {
            let last = layers.last()?;
            let next = self.next(last, &mut best, |state| state.keys & self.exposed != 0);
            if next.is_empty() {
                break;
            }
            let roots = layers.len();
            for (state, reached) in next.iter().filter(|(state, _)| state.keys & self.exposed == 0) {
                clean.entry((reached.day, roots)).or_default().push(*state);
            }
            layers.push(next);
            // Out today by fewer roots than any other way: nothing found later is better.
            if let Some(states) = clean.remove(&(0, roots))
                && let Some(way) = self.on_from(&layers, roots, &states)
            {
                return Some(way);
            }
        }
        clean.into_iter().find_map(|((_, roots), states)| self.on_from(&layers, roots, &states))
    }

    /// On to the goal from states of one layer that are reached on the same day.
    fn on_from(&self, layers: &[Layer], roots: usize, states: &[State]) -> Option<Vec<(State, usize)>> {
        let layer = layers.get(roots)?;
        let begin: Layer = states.iter().filter_map(|state| Some((*state, *layer.get(state)?))).collect();
        let after = self.to_goal(begin)?;
        let mut way = trace(layers.get(..=roots)?, after.first()?.0)?;
        way.extend(after.into_iter().skip(1));
        Some(way)
    }

    /// The shortest, then earliest way from a layer to the goal, its first state included.
    fn to_goal(&self, begin: Layer) -> Option<Vec<(State, usize)>> {
        let mut best: BTreeMap<State, usize> = begin.iter().map(|(state, r)| (*state, r.day)).collect();
        let mut layers = vec![begin];
        while !layers.last()?.contains_key(&self.goal) {
            let last = layers.last()?;
            // The last step is looked for before all others are: most ways are short.
            let mut next = Layer::new();
            self.reach(last, self.goal, &mut next);
            if next.is_empty() {
                next = self.next(last, &mut best, |_| true);
            }
            if next.is_empty() {
                return None;
            }
            layers.push(next);
        }
        trace(&layers, self.goal)
    }

    /// The states that one more root reaches earlier than fewer roots do.
    fn next(
        &self,
        layer: &Layer,
        best: &mut BTreeMap<State, usize>,
        goes_on: impl Fn(&State) -> bool,
    ) -> Layer {
        let mut next = Layer::new();
        for (state, reached) in layer.iter().filter(|(state, _)| goes_on(state)) {
            let (leaving, entering) = (state.keys & self.movable.0, self.movable.1 & !state.keys);
            for leave in subsets(leaving) {
                for enter in subsets(entering) {
                    let keys = state.keys & !leave | enter;
                    for rank in 0..self.thresholds.len() {
                        self.step(*state, reached.day, State { rank, keys, made: true }, &mut next);
                    }
                }
            }
        }
        next.retain(|state, reached| best.get(state).is_none_or(|day| reached.day < *day));
        best.extend(next.iter().map(|(state, reached)| (*state, reached.day)));
        next
    }

    /// One state, from any of a layer.
    fn reach(&self, layer: &Layer, to: State, next: &mut Layer) {
        for (from, reached) in layer {
            self.step(*from, reached.day, to, next);
        }
    }

    fn step(&self, from: State, since: usize, to: State, next: &mut Layer) {
        let known = next.get(&to).map_or(usize::MAX, |reached| reached.day);
        if from == to || since >= known || !self.changes_few(from, to) || !self.lawful(to) {
            return;
        }
        if let Some(day) = (since..self.days.len()).find(|day| self.signable(from, to, *day))
            && day < known
        {
            next.insert(to, Reached { day, from });
        }
    }

    fn changes_few(&self, from: State, to: State) -> bool {
        let changed = (from.keys & !to.keys).count_ones().max((to.keys & !from.keys).count_ones());
        self.question.bounds.keys_changed.is_none_or(|most| changed <= most)
    }

    fn threshold(&self, state: State) -> u32 {
        self.thresholds.get(state.rank).copied().unwrap_or(u32::MAX)
    }

    fn lawful(&self, state: State) -> bool {
        let (bounds, threshold) = (&self.question.bounds, self.threshold(state));
        let spare = state.keys.count_ones().checked_sub(threshold);
        threshold >= bounds.threshold_floor.max(1)
            && spare.is_some_and(|spare| spare >= bounds.spare_keys)
            && self.holder_of(state).is_none()
            && self.file_bytes(state.keys) <= bounds.most_bytes
    }

    fn holder_of(&self, state: State) -> Option<&'a Person> {
        let too_many = |held: &Mask| (held & state.keys).count_ones() >= self.threshold(state);
        self.holders.iter().find(|(_, held)| too_many(held)).map(|(person, _)| *person)
    }

    fn wanted_is_lawful(&self) -> Result<(), Why> {
        let (bounds, wanted) = (&self.question.bounds, &self.question.wanted);
        let gone = |name: &&KeyName| self.question.keys.get(*name).is_none_or(|k| k.standing.is_gone());
        if let Some(name) = wanted.keys.iter().find(gone) {
            return Err(Why::Gone(name.clone()));
        }
        let Some(spare) = self.wanted.count_ones().checked_sub(wanted.threshold) else {
            return Err(Why::Threshold);
        };
        if wanted.threshold == 0 {
            return Err(Why::Threshold);
        }
        if wanted.threshold < bounds.threshold_floor {
            return Err(Why::Floor);
        }
        if spare < bounds.spare_keys {
            return Err(Why::Spare);
        }
        if let Some(person) = self.holder_of(self.goal) {
            return Err(Why::Holder(person.clone()));
        }
        let bytes = self.file_bytes(self.wanted);
        if bytes > bounds.most_bytes {
            return Err(Why::Size(bytes));
        }
        // Today is the best day for it: the root of any other ends later.
        let ended = self.wanted & !self.certified.first().copied().unwrap_or_default();
        self.set(ended).into_iter().next().map_or(Ok(()), |name| Err(Why::Certificate(name)))
    }

    /// The root without signatures, in bytes.
    fn bytes(&self, keys: Mask) -> usize {
        let entries = self.of(keys).filter_map(|(_, key)| key).map(|key| key.entry_bytes);
        entries.fold(self.question.bounds.rest_bytes, usize::saturating_add)
    }

    /// The root with a signature of each of its keys; and as many old ones again.
    fn file_bytes(&self, keys: Mask) -> usize {
        let signatures = usize::try_from(keys.count_ones()).unwrap_or(usize::MAX).saturating_mul(2);
        self.bytes(keys).saturating_add(signatures.saturating_mul(self.question.bounds.signature_bytes))
    }

    /// Whether the keys that are able on that day meet both thresholds.
    fn signable(&self, from: State, to: State, day: usize) -> bool {
        let bytes = self.bytes(to.keys);
        let new = self.able(day, bytes, Side::New);
        let old = self.able(day, bytes, self.before(from));
        to.keys & !self.certified.get(day).copied().unwrap_or_default() == 0
            && (to.keys & !from.keys) & !new == 0
            && (from.keys & old).count_ones() >= self.threshold(from)
            && (to.keys & new).count_ones() >= self.threshold(to)
    }

    fn before(&self, from: State) -> Side {
        if from == self.start { Side::Start } else { Side::Before }
    }

    fn able(&self, day: usize, bytes: usize, side: Side) -> Mask {
        if self.lengths_matter {
            return self.days.get(day).map_or(0, |day| self.look(*day, bytes, side));
        }
        self.able.get(day).and_then(|sides| sides.get(side as usize)).copied().unwrap_or_default()
    }

    fn look(&self, day: Time, bytes: usize, side: Side) -> Mask {
        let able = |key: &Key| {
            let at_hand = match key.standing {
                Standing::AtHand => true,
                Standing::From(from) => from <= day,
                Standing::Compromised => self.compromised_signs && side != Side::New,
                Standing::Lost | Standing::Stolen | Standing::NotAsked => false,
            };
            let until = if side == Side::Start { key.listed_until } else { key.certificate_until };
            at_hand
                && until.is_none_or(|until| day < until)
                && key.most_message.is_none_or(|most| bytes <= most)
        };
        let bits = self.keys.iter().zip(0..u32::BITS).filter(|((_, key), _)| key.is_some_and(able));
        bits.fold(0, |mask, (_, bit)| mask | 1_u32.wrapping_shl(bit))
    }

    fn of(&self, mask: Mask) -> impl Iterator<Item = (&'a KeyName, Option<&'a Key>)> {
        let listed = self.keys.iter().zip(0..u32::BITS);
        listed.filter(move |(_, bit)| mask & 1_u32.wrapping_shl(*bit) != 0).map(|(key, _)| *key)
    }

    fn set(&self, keys: Mask) -> BTreeSet<KeyName> {
        self.of(keys).map(|(name, _)| name.clone()).collect()
    }

    /// Why no way was found, from the ends.
    fn reason(&self) -> Why {
        let ever = |root: &RootKeys, side| {
            let able = self.days.iter().map(|day| self.set(self.look(*day, 0, side)));
            let able = able.map(|able| able.intersection(&root.keys).cloned().collect::<BTreeSet<_>>());
            able.max_by_key(BTreeSet::len).unwrap_or_default()
        };
        let short = |able: &BTreeSet<KeyName>, root: &RootKeys| {
            u32::try_from(able.len()).is_ok_and(|n| n < root.threshold)
        };
        let (now, wanted) = (ever(&self.question.now, Side::Start), ever(&self.question.wanted, Side::New));
        if short(&now, &self.question.now) {
            Why::Quorum { able: now }
        } else if short(&wanted, &self.question.wanted) {
            Why::WantedQuorum { able: wanted }
        } else {
            Why::NoWay
        }
    }

    fn told(&self, way: &[(State, usize)]) -> Vec<PlannedRoot> {
        let mut from = self.start;
        let mut roots = Vec::new();
        for ((state, day), version) in way.iter().skip(1).zip(self.question.version.saturating_add(1)..) {
            let bytes = self.bytes(state.keys);
            let signers = |of: State, side| Signers {
                need: self.threshold(of),
                able: self.set(of.keys & self.able(*day, bytes, side)),
            };
            roots.push(PlannedRoot {
                version,
                day: self.days.get(*day).copied().unwrap_or(self.question.today),
                root: RootKeys { keys: self.set(state.keys), threshold: self.threshold(*state) },
                enter: self.set(state.keys & !from.keys),
                leave: self.set(from.keys & !state.keys),
                old: signers(from, self.before(from)),
                new: signers(*state, Side::New),
            });
            from = *state;
        }
        roots
    }
}

/// Every subset, the empty one first.
fn subsets(of: Mask) -> impl Iterator<Item = Mask> {
    // Counts in the places of `of`'s bits alone.
    let after = move |last: &Mask| (*last != of).then(|| last.wrapping_sub(of) & of);
    std::iter::successors(Some(0), after)
}

/// The states from the first layer to `to` in the last, with their days.
fn trace(layers: &[Layer], to: State) -> Option<Vec<(State, usize)>> {
    let mut way = Vec::new();
    let mut at = to;
    for layer in layers.iter().rev() {
        let reached = layer.get(&at)?;
        way.push((at, reached.day));
        at = reached.from;
    }
    way.reverse();
    Some(way)
}
