//! The members of a JSON object: a sorted list, which is smaller and quicker to fill than a map. A
//! document has tens of thousands of objects with a handful of members each, and mostly they come
//! sorted.

use super::json::Json;
use std::borrow::Cow;

/// Members of an object, in bytewise order of their names, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members(Vec<(Name, Json)>);

/// A member's name; those that every document has take no room of their own.
pub(super) type Name = Cow<'static, str>;

/// The name, as it is kept.
pub(super) fn name(text: &str) -> Name {
    // By length first, since it is asked for every member of every object.
    let known: &[&'static str] = match text.len() {
        3 => &["sig"],
        4 => &["keys", "meta", "name"],
        5 => &["_type", "keyid", "paths", "roles"],
        6 => &[
            "custom", "hashes", "keyids", "keyval", "length", "method", "public", "scheme", "sha256",
            "sha512", "signed",
        ],
        7 => &["expires", "keytype", "targets", "version"],
        9 => &["threshold"],
        10 => &["signatures"],
        11 => &["delegations", "terminating"],
        12 => &["spec_version"],
        _ => &[],
    };
    match known.iter().find(|known| **known == text) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(text.to_owned()),
    }
}

impl Members {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Members in any order.
    ///
    /// # Errors
    ///
    /// A name that stands there twice.
    pub(super) fn each_once(mut all: Vec<(Name, Json)>) -> std::result::Result<Self, String> {
        if !all.is_sorted_by(|(a, _), (b, _)| a < b) {
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            let twice = all.windows(2).find_map(|pair| match pair {
                [(a, _), (b, _)] if a == b => Some(a.to_string()),
                _ => None,
            });
            if let Some(name) = twice {
                return Err(name);
            }
        }
        Ok(Self(all))
    }

    fn place(&self, name: &str) -> std::result::Result<usize, usize> {
        self.0.binary_search_by(|(there, _)| (**there).cmp(name))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.place(name).ok().and_then(|place| self.0.get(place)).map(|(_, value)| value)
    }

    /// The value of a member, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.place(name).ok().and_then(|place| self.0.get_mut(place)).map(|(_, value)| value)
    }

    /// Whether there is such a member.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Puts a member in, in the place of one of that name, whose value comes back.
    pub fn insert(&mut self, name: String, value: Json) -> Option<Json> {
        match self.place(&name) {
            Ok(place) => self.0.get_mut(place).map(|(_, there)| std::mem::replace(there, value)),
            Err(place) => {
                self.0.insert(place, (Cow::Owned(name), value));
                None
            }
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.place(name).ok().map(|place| self.0.remove(place).1)
    }

    /// Takes out those for which `stays` is false.
    pub fn retain(&mut self, mut stays: impl FnMut(&str, &Json) -> bool) {
        self.0.retain(|(name, value)| stays(name, value));
    }

    /// Takes all of them out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Each, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> + Clone {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The values, by name.
    pub fn values(&self) -> impl Iterator<Item = &Json> + Clone {
        self.0.iter().map(|(_, value)| value)
    }
}

impl FromIterator<(String, Json)> for Members {
    /// Of two of one name the later one stands.
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(all: I) -> Self {
        let mut members = Self::new();
        members.extend(all);
        members
    }
}

impl<const N: usize> From<[(String, Json); N]> for Members {
    fn from(all: [(String, Json); N]) -> Self {
        all.into_iter().collect()
    }
}

impl Extend<(String, Json)> for Members {
    /// A later one of a name stands.
    fn extend<I: IntoIterator<Item = (String, Json)>>(&mut self, all: I) {
        self.0.extend(all.into_iter().map(|(name, value)| (Cow::Owned(name), value)));
        if !self.0.is_sorted_by(|(a, _), (b, _)| a < b) {
            // Stable: the last of a name comes first from behind.
            self.0.reverse();
            self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
            self.0.dedup_by(|(later, _), (first, _)| later == first);
        }
    }
}

impl IntoIterator for Members {
    type Item = (String, Json);
    type IntoIter = std::iter::Map<std::vec::IntoIter<(Name, Json)>, fn((Name, Json)) -> (String, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(name, value)| (name.into_owned(), value))
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = (&'a str, &'a Json);
    type IntoIter =
        std::iter::Map<std::slice::Iter<'a, (Name, Json)>, fn(&'a (Name, Json)) -> (&'a str, &'a Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn listed(members: &Members) -> String {
        let each: Vec<_> =
            members.iter().map(|(name, value)| format!("{name}{}", value.as_int().unwrap())).collect();
        each.concat()
    }

    fn all(text: &str) -> Vec<(String, Json)> {
        let number = |(at, name): (usize, char)| (name.to_string(), Json::Int(i64::try_from(at).unwrap()));
        text.chars().enumerate().map(number).collect()
    }

    fn named(text: &str) -> Vec<(Name, Json)> {
        all(text).into_iter().map(|(text, value)| (name(&text), value)).collect()
    }

    #[test]
    fn members_stand_sorted_and_once() {
        for (given, stands) in
            [("", ""), ("abc", "a0b1c2"), ("cba", "a2b1c0"), ("abab", "a2b3"), ("ba", "a1b0")]
        {
            assert_eq!(listed(&all(given).into_iter().collect()), stands, "{given}");
            assert_eq!(Members::each_once(named(given)).is_ok(), given != "abab", "{given}");
        }
        assert_eq!(Members::each_once(named("cbac")).unwrap_err(), "c");
    }

    #[test]
    fn members_come_and_go_by_name() {
        let mut members: Members = all("bd").into_iter().collect();
        assert_eq!(members.insert("c".to_owned(), Json::Int(7)), None);
        assert_eq!(members.insert("b".to_owned(), Json::Int(8)), Some(Json::Int(0)));
        members.extend(all("ad"));
        assert_eq!(listed(&members), "a0b8c7d1");
        assert_eq!((members.remove("c"), members.remove("x")), (Some(Json::Int(7)), None));
        assert_eq!(
            (members.contains_key("c"), members.get("d"), members.len()),
            (false, Some(&Json::Int(1)), 3)
        );
        members.retain(|name, _| name == "b");
        assert_eq!(members.keys().collect::<Vec<_>>(), ["b"]);
    }
}
