//! Delegations whose text is as keyrite writes it, read without a tree of JSON: nearly all of them, of
//! which there can be thousands.
//!
//! A text of that one form is canonical by itself, has no member twice and none that is unknown. Of any
//! other text nothing is said here: [`Json`](crate::tuf::json::Json) reads it, or refuses it.
//!
//! Never: a refusal; a view that the plain way through JSON would not give.

use super::ours;
use crate::tuf::bytes;
use crate::tuf::document::{DelegatedRole, Keys, PathRule, RoleKeys};
use crate::tuf::key::KeyId;
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

/// What one says, as text.
struct Text<'a> {
    keyids: &'a str,
    name: &'a str,
    paths: &'a str,
    terminating: Option<bool>,
    threshold: NonZeroU32,
}

/// The items of the first array of delegations in a text, of which each is in that form but may end the
/// search: what stands before them, they, and what stands after them. None if there is no such array.
pub(in crate::tuf) fn listed(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    let before = "\"roles\":[";
    let from = text.find(&format!("{before}{FIRST}"))?.checked_add(before.len())?;
    let (before, mut rest) = text.split_at_checked(from)?;
    let mut items = Vec::new();
    loop {
        let (_, after) = Text::first(rest)?;
        items.push(rest.get(..rest.len().checked_sub(after.len())?)?);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.starts_with(']').then_some((before, items, after)),
        }
    }
}

/// How each begins.
const FIRST: &str = "{\"keyids\":[";

/// Reads them, each list of keys once: thousands of delegations have few.
pub(super) struct Plain<'a, 'k> {
    profile: Profile,
    /// Whether they are of a document of ours.
    ours: bool,
    keys: &'k Keys,
    lists: HashMap<&'a str, Arc<[KeyId]>>,
}

impl<'a, 'k> Plain<'a, 'k> {
    /// Those of one document, with its keys.
    pub(super) fn of(profile: Profile, ours: bool, keys: &'k Keys) -> Self {
        Self { profile, ours, keys, lists: HashMap::new() }
    }

    /// The delegation of this text; none if the text has another form.
    pub(super) fn read(&mut self, text: &'a str) -> Option<DelegatedRole> {
        let found = Text::of(self.profile, text)?;
        let name = RoleName::from_name(found.name);
        let known = self.lists.get(found.keyids).map(Arc::clone);
        if RoleName::TOP.contains(&name) || (self.ours && !self.fits(&found, known.is_some())) {
            return None;
        }
        let keyids = known.unwrap_or_else(|| self.list(found.keyids));
        let paths = strings(found.paths).map(str::to_owned).collect();
        let paths = match self.profile {
            Profile::Tuf => PathRule::Patterns(paths),
            Profile::Notary => PathRule::Prefixes(paths),
        };
        let keys = RoleKeys { keyids, threshold: found.threshold };
        Some(DelegatedRole { name, keys, paths, terminating: false })
    }

    fn list(&mut self, text: &'a str) -> Arc<[KeyId]> {
        let keys = self.keys;
        let id = |text| match keys.get_key_value(text) {
            Some((id, _)) => id.clone(),
            None => KeyId::declared(text),
        };
        let list: Arc<[KeyId]> = strings(text).map(id).collect();
        self.lists.insert(text, Arc::clone(&list));
        list
    }

    /// Whether the texts are such as stand in documents of ours.
    fn fits(&self, found: &Text<'_>, known: bool) -> bool {
        let ids = (!known).then(|| strings(found.keyids)).into_iter().flatten();
        let mut texts = ids.chain([found.name]).chain(strings(found.paths));
        texts.all(|text| ours::check_delegation_text(self.profile, text).is_ok())
    }
}

impl<'a> Text<'a> {
    /// The delegation of that text, unless it ends the search.
    fn of(profile: Profile, text: &'a str) -> Option<Self> {
        let (found, rest) = Self::first(text)?;
        let usual = match profile {
            Profile::Tuf => found.terminating != Some(true),
            Profile::Notary => found.terminating.is_none(),
        };
        (usual && rest.is_empty()).then_some(found)
    }

    /// The delegation with which a text begins, and what stands after it.
    fn first(text: &'a str) -> Option<(Self, &'a str)> {
        let (keyids, rest) = list(text.strip_prefix(FIRST)?)?;
        let (name, rest) = string(rest.strip_prefix(",\"name\":\"")?)?;
        let (paths, rest) = list(rest.strip_prefix(",\"paths\":[")?)?;
        let (terminating, rest) = match rest.strip_prefix(",\"terminating\":") {
            None => (None, rest),
            Some(rest) => match rest.strip_prefix("false") {
                Some(rest) => (Some(false), rest),
                None => (Some(true), rest.strip_prefix("true")?),
            },
        };
        let (digits, rest) = rest.strip_prefix(",\"threshold\":")?.split_once('}')?;
        let plain = digits.len() < 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain || digits.starts_with('0') {
            return None;
        }
        Some((Self { keyids, name, paths, terminating, threshold: digits.parse().ok()? }, rest))
    }
}

/// What stands before a string's end, and after it.
fn string(text: &str) -> Option<(&str, &str)> {
    let (string, rest) = text.split_once('"')?;
    let odd = bytes::controls(string.as_bytes()) || bytes::has(string.as_bytes(), b'\\');
    (!odd).then_some((string, rest))
}

/// The strings of an array with what is between them, and what stands after it.
fn list(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    if !rest.starts_with(']') {
        loop {
            rest = string(rest.strip_prefix('"')?)?.1;
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
    }
    let strings = text.get(..text.len().checked_sub(rest.len())?)?;
    Some((strings, rest.strip_prefix(']')?))
}

/// Those strings.
fn strings(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::tuf::json::Json;
    use crate::tuf::test_keys::TestKey;
    use crate::tuf::wire::fields::Quirks;
    use crate::tuf::wire::{key_entry, read};
    use proptest::prelude::*;

    const PROFILES: [Profile; 2] = [Profile::Tuf, Profile::Notary];

    /// Whether the text is read; then as through JSON, in canonical form, fit for us where we ask.
    fn read(profile: Profile, ours: bool, text: &str) -> bool {
        let key = key_entry(profile, &TestKey::ed25519(1).public(), None).unwrap();
        let keys = Keys::from([(KeyId::declared("k"), key)]);
        let mut plain = Plain::of(profile, ours, &keys);
        let Some(quick) = plain.read(text) else { return false };
        assert_eq!(plain.read(text).as_ref(), Some(&quick), "{text}");
        let value = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(value.canonical(), text.as_bytes());
        assert!(!ours || ours::check_delegation(profile, &value).is_ok(), "{text}");
        let mut quirks = Quirks::new();
        let slow = read::delegated_role(profile, value, &keys, &mut quirks).unwrap();
        assert_eq!((slow, quirks), (quick, Quirks::new()), "{text}");
        true
    }

    #[test]
    fn one_form_alone_is_read_plainly() {
        let form = r#"{"keyids":["k","l"],"name":"a","paths":["a/*","b"],"terminating":false,"threshold":2}"#;
        let table = [
            ("", "", true),
            (r#"["k","l"]"#, "[]", true),
            (r#"["a/*","b"]"#, "[]", true),
            (r#","terminating":false"#, "", true),
            ("\"a\"", "\"caf\u{e9}\"", true),
            (":2}", ":999999999}", true),
            (":2}", ":1000000000}", false),
            (":2}", ":02}", false),
            (":2}", ":0}", false),
            (":2}", ":-2}", false),
            (":2}", ":2.0}", false),
            (":2}", ":}", false),
            (":2}", ":2} ", false),
            (":2}", ": 2}", false),
            (":2}", ":2,\"x\":1}", false),
            (":2}", ":2,\"threshold\":1}", false),
            (":false", ":true", false),
            ("\"a\"", "\"root\"", false),
            ("\"a\"", "\"a\\\"\"", false),
            ("\"a\"", "\"\\u0061\"", false),
            ("\"a\"", "\"a\n\"", false),
            ("\"b\"]", "\"b\",]", false),
            ("\"b\"]", "\"b\"\"c\"]", false),
            ("\"b\"]", "\"b\"", false),
            ("\"b\"]", "\"b\",1]", false),
            ("\"b\"]", ",\"b\"]", false),
            ("paths", "path_hash_prefixes", false),
            ("keyids", "keyIds", false),
        ];
        for (from, to, expected) in table {
            let text = form.replacen(from, to, 1);
            let without = text.replace(",\"terminating\":false", "");
            assert_eq!(read(Profile::Tuf, true, &text), expected, "{text}");
            assert_eq!(read(Profile::Notary, true, &text), expected && text == without, "{text}");
        }
        for (text, [anyone, tuf, notary]) in [
            ("\u{202e}", [true, false, false]),
            ("e\u{301}", [true, false, false]),
            ("<", [true, true, false]),
        ] {
            for place in ["[\"k", "\"a", "a/*"] {
                let end = format!("{place}{text}");
                let text = form.replacen(place, &end, 1).replace(",\"terminating\":false", "");
                assert!(PROFILES.iter().all(|profile| read(*profile, false, &text) == anyone), "{text}");
                let found = PROFILES.map(|profile| read(profile, true, &text));
                assert_eq!(found, [tuf, notary], "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_read_plainly_is_as_through_json(
            keyids in "[\\[\\]{}:,\"kl\\\\ ]{0,12}|\"k\"(,\"[kl<\u{301}]\"){0,3}",
            name in "[a-c.%/<\u{301}\u{202e}\"\\\\]{0,3}|root",
            paths in "[\\[\\]{}:,\"ab\\\\ \n]{0,12}|\"a\"(,\"[ab*<\u{301}]\"){0,3}",
            end in "(,\"terminating\":(false|true|0))?,\"threshold\":[-0-9.e]{0,11}[}\\] ]{0,2}",
            ours: bool,
        ) {
            let text = format!("{{\"keyids\":[{keyids}],\"name\":\"{name}\",\"paths\":[{paths}]{end}");
            for profile in PROFILES {
                read(profile, ours, &text);
            }
        }
    }
}
