//! Digests of a file by the names of their algorithms, kept small: a trust says them of hundreds of
//! thousands of files, and of nearly every one it says SHA-256 alone.

use std::collections::BTreeMap;

/// Raw digests by algorithm name, sorted by name, each name once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes(Held);

/// An algorithm's name and its digest.
type Entry = (Box<str>, Box<[u8]>);

/// One form for the same digests, so that equal ones compare equal.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    Sha256([u8; 32]),
    Others(Box<[Entry]>),
}

impl Hashes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The digest by that algorithm.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(there, _)| *there == name).map(|(_, digest)| digest)
    }

    /// Each algorithm's name and digest, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let (alone, others) = match &self.0 {
            Held::Sha256(digest) => (Some(("sha256", digest.as_slice())), &[][..]),
            Held::Others(others) => (None, &**others),
        };
        alone.into_iter().chain(others.iter().map(|(name, digest)| (&**name, &**digest)))
    }
}

impl Default for Hashes {
    fn default() -> Self {
        Self(Held::Others(Box::default()))
    }
}

impl FromIterator<(String, Vec<u8>)> for Hashes {
    /// Of two of one name the later one counts.
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(all: I) -> Self {
        all.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl From<BTreeMap<String, Vec<u8>>> for Hashes {
    fn from(sorted: BTreeMap<String, Vec<u8>>) -> Self {
        let alone = sorted.get("sha256").filter(|_| sorted.len() == 1);
        match alone.and_then(|digest| digest.as_slice().try_into().ok()) {
            Some(digest) => Self(Held::Sha256(digest)),
            None => Self(Held::Others(boxed(sorted))),
        }
    }
}

fn boxed(all: impl IntoIterator<Item = (String, Vec<u8>)>) -> Box<[Entry]> {
    all.into_iter().map(|(name, digest)| (name.into_boxed_str(), digest.into_boxed_slice())).collect()
}

impl<const N: usize> From<[(String, Vec<u8>); N]> for Hashes {
    fn from(all: [(String, Vec<u8>); N]) -> Self {
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_stand_by_name_whatever_the_algorithm() {
        let hashes = Hashes::from([
            ("sha512".to_owned(), vec![5; 64]),
            ("blake2b-256".to_owned(), vec![2; 32]),
            ("sha256".to_owned(), vec![9; 32]),
            ("sha256".to_owned(), vec![3; 32]),
        ]);
        let names: Vec<_> = hashes.iter().map(|(name, digest)| (name, digest.len())).collect();
        assert_eq!(names, [("blake2b-256", 32), ("sha256", 32), ("sha512", 64)]);
        assert_eq!(hashes.get("sha256"), Some(&[3; 32][..]));
        assert_eq!(hashes.get("sha1"), None);
        assert!(Hashes::default().is_empty() && !hashes.is_empty());
        for length in [0, 31, 32, 33] {
            let alone = Hashes::from([("sha256".to_owned(), vec![8; length])]);
            assert_eq!(alone.get("sha256"), Some(&vec![8; length][..]));
            assert_eq!(alone.iter().count(), 1);
            assert_eq!(alone, Hashes::from([("sha256".to_owned(), vec![8; length])]));
            assert_ne!(alone, Hashes::from([("sha512".to_owned(), vec![8; length])]));
        }
    }
}
