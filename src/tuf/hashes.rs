//! Digests of a file by the names of their algorithms, kept small: a trust says them of hundreds of
//! thousands of files, and of nearly every one it says SHA-256 alone.

use std::collections::BTreeMap;

/// Raw digests by algorithm name, sorted by name, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hashes(Box<[(Name, Box<[u8]>)]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Sha256,
    Sha512,
    Other(Box<str>),
}

impl Name {
    fn of(text: &str) -> Self {
        match text {
            "sha256" => Self::Sha256,
            "sha512" => Self::Sha512,
            other => Self::Other(other.into()),
        }
    }

    const fn text(&self) -> &str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Other(other) => other,
        }
    }
}

impl Hashes {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digest by that algorithm.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(there, _)| *there == name).map(|(_, digest)| digest)
    }

    /// Each algorithm's name and digest, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, digest)| (name.text(), &**digest))
    }
}

impl FromIterator<(String, Vec<u8>)> for Hashes {
    /// Of two of one name the later one counts.
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(all: I) -> Self {
        let sorted: BTreeMap<String, Vec<u8>> = all.into_iter().collect();
        sorted.into()
    }
}

impl From<BTreeMap<String, Vec<u8>>> for Hashes {
    fn from(sorted: BTreeMap<String, Vec<u8>>) -> Self {
        let entry = |(name, digest): (String, Vec<u8>)| (Name::of(&name), digest.into_boxed_slice());
        Self(sorted.into_iter().map(entry).collect())
    }
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
    }
}
