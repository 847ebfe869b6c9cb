//! Where well-known modules keep what they write: a fence has to leave them that. Of others the device
//! map says it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// No configuration is longer, in bytes.
const MOST: u64 = 64 * 1024;

/// The folders of a PKCS#11 module that is known by its file's name: `SoftHSM`'s tokens are where its
/// configuration says (softhsm2.conf(5)).
pub fn folders(module: &Path) -> Vec<PathBuf> {
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with("libsofthsm2.so") {
        return Vec::new();
    }
    let own = env::var_os("HOME").map(|home| PathBuf::from(home).join(".config/softhsm2/softhsm2.conf"));
    let files = match env::var_os("SOFTHSM2_CONF") {
        Some(file) => vec![PathBuf::from(file)],
        None => own.into_iter().chain([PathBuf::from("/etc/softhsm/softhsm2.conf")]).collect(),
    };
    let small = |file: &&PathBuf| fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() <= MOST);
    let text = files.iter().find(small).and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    tokens(&text).into_iter().collect()
}

/// The last `directories.tokendir` of a configuration.
fn tokens(text: &str) -> Option<PathBuf> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let pairs = lines.filter_map(|line| line.split_once('='));
    let mut values =
        pairs.filter(|(name, _)| name.trim() == "directories.tokendir").map(|(_, value)| value.trim());
    values.rfind(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softhsm_says_where_its_tokens_are() {
        for (text, found) in [
            ("", None),
            ("# directories.tokendir = /a\nlog.level = ERROR\n", None),
            ("directories.tokendir = \n", None),
            ("directories.tokendir = /var/lib/softhsm/tokens/ # here\n", Some("/var/lib/softhsm/tokens/")),
            ("directories.tokendir=/a\nobjectstore.backend = file\ndirectories.tokendir = /b", Some("/b")),
        ] {
            assert_eq!(tokens(text), found.map(PathBuf::from), "{text}");
        }
        assert!(folders(Path::new("/usr/lib/pkcs11/libykcs11.so")).is_empty());
    }
}
