//! Documents as typed views over the JSON they were read from.
//!
//! A view never changes: a new version is a new document, made by [`super::make`] and read back
//! through the same parser. Unknown members stay in the JSON that the payload keeps, so nothing is
//! lost; what keyrite resolves (`terminating`, `path_hash_prefixes`, succinct roles, optional meta
//! members) has fields here.

use super::digest::Digest;
use super::hashes::Hashes;
use super::json::Json;
use super::key::{KeyId, PublicKey, Scheme};
use super::role::RoleName;
use super::time::Time;
use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

/// What every document has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// TUF's `spec_version`; none in profile `notary`.
    pub spec_version: Option<String>,
    /// 1 and up.
    pub version: NonZeroU64,
    /// When clients stop accepting it (TUF 5.3.10); a fraction of a second is dropped.
    pub expires: Time,
}

/// A key entry of a document, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentKey {
    /// The id under which the document lists it.
    pub id: KeyId,
    /// The entry as received.
    pub entry: Json,
    /// The id that its content has in its profile (TUF 4.2, notary-v1 3.5).
    pub computed: KeyId,
    /// The key inside, or none if keyrite knows no such key: it is kept and never counts.
    pub public: Option<PublicKey>,
    /// How it signs, or none as above.
    pub scheme: Option<Scheme>,
    /// The leaf certificate in PEM, for the x509 key types of profile `notary`.
    pub certificate: Option<String>,
}

impl DocumentKey {
    /// Whether the declared id is the digest of the entry (TUF 4.2). Where it isn't, history may
    /// stand (a named quirk), but keyrite never makes such a document.
    pub fn id_matches(&self) -> bool {
        self.computed == self.id
    }
}

/// Who may sign for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleKeys {
    /// Declared ids, as listed. Thousands of roles share few lists.
    pub keyids: Arc<[KeyId]>,
    /// Distinct public keys that must sign.
    pub threshold: NonZeroU32,
}

impl RoleKeys {
    /// Which list of ids it is: roles for which this is the same list the same, as long as both are there.
    pub(crate) fn list(&self) -> usize {
        self.keyids.as_ptr().addr()
    }
}

/// The key entries of a document, by declared id.
pub type Keys = BTreeMap<KeyId, DocumentKey>;

/// A root document (TUF 4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Version and expiry.
    pub header: Header,
    /// Whether file names carry versions and digests; profile `notary` ignores it.
    pub consistent_snapshot: bool,
    /// Every key that the document lists, used or not.
    pub keys: Keys,
    /// By role name; the four top-level roles are always there, others are kept.
    pub roles: BTreeMap<RoleName, RoleKeys>,
}

/// A targets document: the top-level role's or a delegation's (TUF 4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// Version and expiry.
    pub header: Header,
    /// By target path.
    pub targets: BTreeMap<String, TargetFile>,
    /// Empty if the document has none.
    pub delegations: Delegations,
}

/// What is said of a target file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFile {
    /// Bytes.
    pub length: u64,
    /// Raw digests by algorithm name, decoded from hexadecimal or base64.
    pub hashes: Hashes,
    /// As received.
    pub custom: Option<Json>,
}

/// The delegations of a targets document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delegations {
    /// Key entries by declared id.
    pub keys: Keys,
    /// In the order of search (TUF 5.6.7.2). Two versions of a document share those that stay.
    pub roles: Vec<Arc<DelegatedRole>>,
    /// Hash bins of one shape (TAP 15); excludes `roles`.
    pub succinct: Option<SuccinctRoles>,
    /// Marks of names with their places in `roles`, sorted: there can be thousands, each asked for by
    /// name, and numbers are quicker to sort.
    by_name: Vec<(u64, usize)>,
}

/// One delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegatedRole {
    /// Full name.
    pub name: RoleName,
    /// Who signs for it.
    pub keys: RoleKeys,
    /// Which target paths it may name.
    pub paths: PathRule,
    /// Whether the search ends here (TUF 5.6.7.2.1); always false in profile `notary`.
    pub terminating: bool,
}

/// Which target paths a delegation covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRule {
    /// Shell patterns, `*` and `?` not crossing `/` (TUF 4.5).
    Patterns(Vec<String>),
    /// Prefixes of the SHA-256 of the path, in hexadecimal (TUF 4.5).
    HashPrefixes(Vec<String>),
    /// Plain string prefixes, `""` is everything, none is nothing (notary-v1 3.3).
    Prefixes(Vec<String>),
}

/// Succinct hash bin delegations (TAP 15): `prefix-00` to `prefix-ff`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccinctRoles {
    /// Who signs for every bin.
    pub keys: RoleKeys,
    /// 1 to 32.
    pub bit_length: u32,
    /// Before the dash and the bin's number.
    pub name_prefix: String,
}

/// What snapshot and timestamp say of another document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaFile {
    /// None in profile `notary`.
    pub version: Option<u64>,
    /// Bytes; optional in profile `tuf`.
    pub length: Option<u64>,
    /// Raw digests by algorithm name; optional in profile `tuf`.
    pub hashes: Hashes,
}

/// A snapshot document (TUF 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Version and expiry.
    pub header: Header,
    /// By role, the `.json` of profile `tuf` taken off.
    pub meta: BTreeMap<RoleName, MetaFile>,
}

/// A timestamp document (TUF 4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// Version and expiry.
    pub header: Header,
    /// What it says of the snapshot.
    pub snapshot: MetaFile,
}

/// Any document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// `_type` root
    Root(Root),
    /// `_type` targets, also a delegation's
    Targets(Targets),
    /// `_type` snapshot
    Snapshot(Snapshot),
    /// `_type` timestamp
    Timestamp(Timestamp),
}

impl Document {
    /// Version and expiry.
    pub fn header(&self) -> &Header {
        match self {
            Self::Root(d) => &d.header,
            Self::Targets(d) => &d.header,
            Self::Snapshot(d) => &d.header,
            Self::Timestamp(d) => &d.header,
        }
    }

    /// The root, if it is one.
    pub fn as_root(&self) -> Option<&Root> {
        if let Self::Root(root) = self { Some(root) } else { None }
    }

    /// The targets document, if it is one.
    pub fn as_targets(&self) -> Option<&Targets> {
        if let Self::Targets(targets) = self { Some(targets) } else { None }
    }
}

impl Delegations {
    /// The first name that two of them have.
    pub(in crate::tuf) fn twice(&self) -> Option<&RoleName> {
        let named = |at: Option<&(u64, usize)>| {
            at.and_then(|(_, place)| self.roles.get(*place)).map(|role| &role.name)
        };
        let pairs = self.by_name.windows(2).filter(|pair| named(pair.first()) == named(pair.last()));
        pairs.filter_map(|pair| named(pair.first())).min()
    }

    /// The delegations of one document.
    pub(in crate::tuf) fn new(
        keys: Keys,
        roles: Vec<Arc<DelegatedRole>>,
        succinct: Option<SuccinctRoles>,
    ) -> Self {
        let mut by_name: Vec<_> =
            roles.iter().enumerate().map(|(place, role)| (mark(&role.name), place)).collect();
        let name = |place: usize| roles.get(place).map(|role| &role.name);
        // Of two of one name, which the reader refuses, the first stays before the other.
        by_name.sort_unstable_by(|(a, at), (b, other)| {
            a.cmp(b).then_with(|| name(*at).cmp(&name(*other))).then(at.cmp(other))
        });
        Self { keys, roles, succinct, by_name }
    }

    /// The delegations that may name `path`, in the order of search, and whether the search ends
    /// with each (TUF 5.6.7.2).
    pub fn roles_for(&self, path: &str) -> Vec<(RoleName, bool)> {
        if let Some(succinct) = &self.succinct {
            // Every path has one bin, so there is nothing to search on for (TAP 15).
            return vec![(succinct.role_for(path), true)];
        }
        let covering = self.roles.iter().filter(|role| role.paths.matches(path));
        covering.map(|role| (role.name.clone(), role.terminating)).collect()
    }

    /// Who signs for a delegation, succinct bins too.
    pub fn signers_of(&self, role: &RoleName) -> Option<&RoleKeys> {
        let listed = self.role(role).map(|r| &r.keys);
        listed.or_else(|| self.succinct.as_ref().filter(|s| s.is_bin(role)).map(|s| &s.keys))
    }

    /// The one of the same name as one of another version of the document, looked for at its place
    /// there first: mostly they are in the same order, and many are shared.
    pub(in crate::tuf) fn role_near(&self, place: usize, other: &DelegatedRole) -> Option<&DelegatedRole> {
        let same = |role: &&DelegatedRole| std::ptr::eq(*role, other) || role.name == other.name;
        self.roles.get(place).map(Arc::as_ref).filter(same).or_else(|| self.role(&other.name))
    }

    /// The delegation of that name; none for bins.
    pub fn role(&self, name: &RoleName) -> Option<&DelegatedRole> {
        self.roles.get(self.place(name)?).map(Arc::as_ref)
    }

    /// Where in `roles` the delegation of that name is.
    pub(in crate::tuf) fn place(&self, name: &RoleName) -> Option<usize> {
        let named = |place: usize| self.roles.get(place).map(|role| &role.name);
        let wanted = (mark(name), Some(name));
        let before = |(mark, place): &(u64, usize)| {
            mark.cmp(&wanted.0).then_with(|| named(*place).cmp(&wanted.1)).is_lt()
        };
        let (_, place) = self.by_name.get(self.by_name.partition_point(before))?;
        Some(*place).filter(|place| named(*place) == wanted.1)
    }
}

/// The same for equal names; other names mostly have another. Where somebody has chosen names that all
/// have the same, the names themselves are compared.
fn mark(name: &RoleName) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 by the golden ratio: it spreads
    let (words, rest) = name.as_str().as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    let mix =
        |mark: u64, word: &[u8; 8]| (mark.rotate_left(29) ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
    words.iter().chain([&last]).fold(0, mix)
}

impl PathRule {
    /// Whether the rule covers a target path.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|pattern| fits(pattern, path)),
            Self::HashPrefixes(prefixes) => {
                let digest = Digest::of(path.as_bytes()).hex();
                prefixes.iter().any(|prefix| digest.starts_with(prefix.as_str()))
            }
            Self::Prefixes(prefixes) => prefixes.iter().any(|prefix| path.starts_with(prefix.as_str())),
        }
    }
}

/// Part by part, since no wildcard crosses `/` (TUF 4.5). Brackets are letters here.
fn fits(pattern: &str, path: &str) -> bool {
    let mut patterns = pattern.split('/');
    let mut parts = path.split('/');
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_fits(pattern, part) => {}
            _ => return false,
        }
    }
}

/// `*` is any letters, `?` one. Linear in practice and never worse than the product of the
/// lengths: after a mismatch only the last `*` takes one letter more.
fn part_fits(pattern: &str, part: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut part = part.chars();
    let mut last_star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let mut next_pattern = pattern.clone();
        let mut next_part = part.clone();
        match (next_pattern.next(), next_part.next()) {
            (Some('*'), _) => {
                last_star = Some((next_pattern.clone(), part.clone()));
                pattern = next_pattern;
                continue;
            }
            (Some(p), Some(c)) if p == '?' || p == c => {
                pattern = next_pattern;
                part = next_part;
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after_star, mut taken)) = last_star.take() else { return false };
        if taken.next().is_none() {
            return false;
        }
        pattern = after_star.clone();
        part = taken.clone();
        last_star = Some((after_star, taken));
    }
}

impl SuccinctRoles {
    /// The bin of a target path (TAP 15): the first `bit_length` bits of its SHA-256.
    pub fn role_for(&self, path: &str) -> RoleName {
        let digest = Digest::of(path.as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        let bin = u32::from_be_bytes([a, b, c, d])
            .checked_shr(32u32.saturating_sub(self.bit_length))
            .unwrap_or_default();
        RoleName::from_name(&format!("{}-{bin:0width$x}", self.name_prefix, width = self.digits()))
    }

    /// Whether `role` is one of the bins.
    pub fn is_bin(&self, role: &RoleName) -> bool {
        let number = role.as_str().strip_prefix(self.name_prefix.as_str()).and_then(|t| t.strip_prefix('-'));
        number.is_some_and(|text| {
            let bin = u64::from_str_radix(text, 16);
            text.len() == self.digits()
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                && bin.is_ok_and(|bin| bin.checked_shr(self.bit_length) == Some(0))
        })
    }

    /// Hexadecimal digits of the highest bin's number.
    fn digits(&self) -> usize {
        usize::try_from(self.bit_length.div_ceil(4)).unwrap_or(8)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a test fails by panicking"
    )]

    use super::*;

    #[test]
    fn wildcards_stay_within_a_part_of_the_path() {
        // Pattern, paths that it covers, paths that it doesn't.
        let table: &[(&str, &[&str], &[&str])] = &[
            ("*", &["a", "", "a.b"], &["a/b", "/"]),
            ("a/*", &["a/b", "a/"], &["a", "a/b/c", "b/a"]),
            ("*/b", &["a/b", "/b"], &["b", "a/a/b"]),
            ("a?c", &["abc", "aéc"], &["ac", "abbc", "a/c"]),
            ("a*b*c", &["abc", "aXbYc", "abbcbc"], &["ab", "aXc", "abcd"]),
            ("*.tgz", &["a.tgz", ".tgz"], &["a.tgz.sig", "d/a.tgz"]),
            ("targets/*.tgz", &["targets/a.tgz"], &["targets/a/b.tgz", "targets/a.txt"]),
            ("[ab]", &["[ab]"], &["a", "b"]),
            ("", &[""], &["a"]),
            ("**", &["a", ""], &["a/b"]),
        ];
        for (pattern, covered, others) in table {
            let rule = PathRule::Patterns(vec![(*pattern).to_owned()]);
            for path in *covered {
                assert!(rule.matches(path), "{pattern} {path}");
            }
            for path in *others {
                assert!(!rule.matches(path), "{pattern} {path}");
            }
        }
        // A pattern that makes careless matchers take minutes.
        let stars = PathRule::Patterns(vec![format!("{}b", "*a".repeat(200))]);
        assert!(!stars.matches(&"a".repeat(2000)));
    }

    /// Names that all have one mark, made on purpose.
    fn alike(many: usize) -> Vec<RoleName> {
        let half = |text: &[u8]| u64::from_le_bytes(text.try_into().unwrap());
        let mixed = |text: &[u8]| half(text).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let wanted = mixed(b"aaaaaaaa") ^ half(b"bbbbbbbb");
        let name = |number: u64| {
            let first = format!("{number:08}");
            let last = (mixed(first.as_bytes()) ^ wanted).to_le_bytes();
            let text = last.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(&last))?;
            Some(RoleName::from_name(&format!("{first}{text}")))
        };
        (0..).filter_map(name).take(many).collect()
    }

    #[test]
    fn delegations_are_found_by_name_whatever_their_marks() {
        let keys = RoleKeys { keyids: Arc::default(), threshold: NonZeroU32::MIN };
        let role = |name: &RoleName| {
            let (name, keys, paths) = (name.clone(), keys.clone(), PathRule::Patterns(Vec::new()));
            Arc::new(DelegatedRole { name, keys, paths, terminating: false })
        };
        let mut names = alike(40);
        assert!(names.iter().all(|name| mark(name) == mark(&names[0])));
        let absent = names.pop().unwrap();
        let usual = ["", "a", "a\0", "application-1", "application-10", "aaaaaaaabbbbbbbb", "\u{e9}"];
        names.extend(usual.map(RoleName::from_name));
        names.reverse();
        let delegations =
            |names: &[RoleName]| Delegations::new(Keys::new(), names.iter().map(role).collect(), None);
        let all = delegations(&names);
        for (place, name) in names.iter().enumerate() {
            assert_eq!(all.place(name), Some(place), "{name}");
        }
        for name in [&absent, &RoleName::Targets, &RoleName::from_name("b")] {
            assert_eq!(all.place(name), None, "{name}");
        }
        assert_eq!(all.twice(), None);
        for place in 0..names.len() {
            let again = [&names[..], &[names[place].clone()]].concat();
            let all = delegations(&again);
            assert_eq!((all.twice(), all.place(&names[place])), (Some(&names[place]), Some(place)));
        }
    }

    #[test]
    fn prefixes_are_plain_and_none_is_nothing() {
        let rule = |prefixes: &[&str]| PathRule::Prefixes(prefixes.iter().map(|p| (*p).to_owned()).collect());
        assert!(rule(&["app1/", "common/"]).matches("common/a/b"));
        assert!(!rule(&["app1/"]).matches("app10/a"));
        assert!(rule(&[""]).matches("anything"));
        assert!(!rule(&[]).matches("anything"));
        assert!(!rule(&["a*"]).matches("ab"));
    }

    /// Bins as python-tuf 7.0.1 names them.
    #[test]
    fn every_path_has_one_bin() {
        let keys = RoleKeys { keyids: Arc::default(), threshold: NonZeroU32::MIN };
        for (bit_length, path, bin) in [
            (1, "path-14", "bin-0"),
            (1, "path-0", "bin-1"),
            (4, "path-14", "bin-0"),
            (5, "path-14", "bin-01"),
            (8, "path-14", "bin-0f"),
            (9, "path-14", "bin-01f"),
            (32, "path-14", "bin-0fab4376"),
        ] {
            let bins = SuccinctRoles { keys: keys.clone(), bit_length, name_prefix: "bin".to_owned() };
            let role = bins.role_for(path);
            assert_eq!(role.as_str(), bin, "{bit_length} bits");
            assert!(bins.is_bin(&role));
        }
    }
}
