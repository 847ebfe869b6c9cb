//! What a released file is called, and where it may be fetched from.

use super::rules;
use crate::tuf::document::PathRule;
use crate::tuf::json::Json;
use crate::tuf::profile::Profile;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::rules::CUSTOM_NOTARY;
use crate::tuf::text::{ours, visible};
use crate::tuf::wire::breaks_stock_client;
use std::collections::BTreeSet;

/// The longest name of a file, in bytes: a client adds an ending of its own while it downloads.
const LONGEST: usize = 200;
/// The longest address, in bytes.
const LONGEST_URL: usize = 2000;

/// The name under which a delegation of these paths releases a file of that name: in the folder that the
/// delegation covers.
///
/// # Errors
///
/// `RELEASE-NAME` if there is no such name, or more than one.
pub fn name_for(paths: &PathRule, file: &str) -> Result<String> {
    let (PathRule::Patterns(listed) | PathRule::Prefixes(listed)) = paths else {
        return Err(refuse(file, "the whole name, with --name: the delegation goes by digests of names"));
    };
    let folder =
        |path: &str| path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
    let mut fitting = BTreeSet::new();
    for path in listed {
        let inside = format!("{}{file}", folder(path));
        let after = matches!(paths, PathRule::Prefixes(_)).then(|| format!("{path}{file}"));
        let each = [Some(inside), after].into_iter().flatten();
        fitting.extend(each.into_iter().find(|name| paths.matches(name)));
    }
    let mut all = fitting.into_iter();
    match (all.next(), all.next()) {
        (Some(name), None) => Ok(name),
        (None, _) => Err(refuse(file, &covered(paths))),
        (Some(one), Some(other)) => {
            let expected = format!("--name, as \"{}\" or \"{}\"", visible(&one), visible(&other));
            Err(refuse(file, &expected))
        }
    }
}

fn refuse(file: &str, expected: &str) -> Refusal {
    Refusal::new(&rules::RELEASE_NAME, format!("a name for the file \"{}\"", visible(file)), expected)
}

/// What a delegation covers, in words.
pub fn covered(paths: &PathRule) -> String {
    let all = |listed: &[String]| listed.iter().map(|p| visible(p)).collect::<Vec<_>>().join(", ");
    match paths {
        PathRule::Patterns(listed) => format!("a name that fits: {}", all(listed)),
        PathRule::Prefixes(listed) => format!("a name that begins with: {}", all(listed)),
        PathRule::HashPrefixes(listed) => {
            format!("a name whose SHA-256 begins with: {}", all(listed))
        }
    }
}

/// Refuses a name by which some client couldn't keep the file: every part of it is a file's name on
/// every system.
///
/// # Errors
///
/// `RELEASE-NAME`, `TEXT`.
pub fn check_name(name: &str) -> Result<()> {
    ours("a name", name)?;
    let odd = |c: char| c.is_control() || r#"\:*?"<>|&"#.contains(c);
    let part = |part: &str| {
        !part.is_empty() && part.len() <= LONGEST && !part.starts_with('.') && !part.ends_with(['.', ' '])
    };
    if name.split('/').all(part) && !name.contains(odd) {
        return Ok(());
    }
    Err(Refusal::new(
        &rules::RELEASE_NAME,
        format!("the name \"{}\"", visible(name)),
        format!(
            "parts of 1 to {LONGEST} bytes that every system takes as a file's name, not beginning with \".\""
        ),
    ))
}

/// Refuses an address that clients don't read as it is meant, and in profile `notary` one that harms the
/// stock client, or none: its server keeps no files.
///
/// # Errors
///
/// `CUSTOM-NOTARY`, `RELEASE-URL`.
pub fn check_url(profile: Profile, name: &str, url: Option<&str>) -> Result<()> {
    let refuse = |found: String| {
        let expected = "an address as https://files.example.com/setup.msi, without spaces, quotes or \"#\"";
        Err(Refusal::new(&rules::RELEASE_URL, found, expected))
    };
    let Some(url) = url else {
        return match profile {
            Profile::Tuf => Ok(()),
            Profile::Notary => refuse(format!("no address of \"{}\"", visible(name))),
        };
    };
    if profile == Profile::Notary && breaks_stock_client(&Json::from(url)).is_some() {
        return Err(Refusal::new(
            &CUSTOM_NOTARY,
            format!("the address \"{}\"", visible(url)),
            "one without <, >, &, \\ and quotation marks",
        ));
    }
    if is_address(url) { Ok(()) } else { refuse(format!("\"{}\"", visible(url))) }
}

/// What the courier reads as an address of a file: http or https, a host, perhaps a port, a path.
fn is_address(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    let Some((authority, path)) = rest.split_once('/') else { return false };
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
    let letters = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0);
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b);
    url.len() <= LONGEST_URL
        && !host.is_empty()
        && host.bytes().all(letters)
        && port
        && !path.is_empty()
        && path.bytes().all(plain)
}

/// The address of a file in a folder of that address, which ends with a slash; its name quoted.
pub fn below(folder: &str, file: &str) -> String {
    let mut url = folder.to_owned();
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.extend([format!("%{byte:02X}")]);
        }
    }
    url
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn names_follow_from_the_paths_of_the_delegation() {
        let prefixes = |paths: &[&str]| PathRule::Prefixes(paths.iter().map(|p| (*p).to_owned()).collect());
        let patterns = |paths: &[&str]| PathRule::Patterns(paths.iter().map(|p| (*p).to_owned()).collect());
        let table = [
            (prefixes(&["cam/"]), "a.msi", Ok("cam/a.msi")),
            (prefixes(&["cam/beta-"]), "beta-2.bin", Ok("cam/beta-2.bin")),
            (prefixes(&["cam/beta-"]), "2.bin", Ok("cam/beta-2.bin")),
            (prefixes(&["cam"]), "a.msi", Ok("cama.msi")),
            (prefixes(&[""]), "a.msi", Ok("a.msi")),
            (
                prefixes(&["cam/", "cam/more/"]),
                "a.msi",
                Err("--name, as \"cam/a.msi\" or \"cam/more/a.msi\""),
            ),
            (prefixes(&[]), "a.msi", Err("begins with: ")),
            (patterns(&["cam/*"]), "a.msi", Ok("cam/a.msi")),
            (patterns(&["cam/*.msi"]), "a.msi", Ok("cam/a.msi")),
            (patterns(&["cam/*.msi", "cam/*.deb"]), "a.deb", Ok("cam/a.deb")),
            (patterns(&["cam/*.msi"]), "a.exe", Err("fits: cam/*.msi")),
            (patterns(&["*/x/*"]), "a.exe", Ok("*/x/a.exe")),
            (PathRule::HashPrefixes(vec!["00".to_owned()]), "a", Err("--name")),
        ];
        for (paths, file, name) in table {
            match (name_for(&paths, file), name) {
                (Ok(found), Ok(name)) => assert_eq!(found, name),
                (Err(refusal), Err(expected)) => {
                    assert_eq!(refusal.rule().name, "RELEASE-NAME");
                    assert!(refusal.to_string().contains(expected), "{refusal}");
                }
                (found, _) => panic!("{paths:?} {file}: {found:?}"),
            }
        }
    }

    #[test]
    fn names_are_files_everywhere() {
        for name in ["a", "cam/a b.msi", "cam/v2.1/a_(x64).tar.gz", "cam/\u{e4}.deb"] {
            check_name(name).unwrap();
        }
        let long = "a".repeat(LONGEST.saturating_add(1));
        for name in [
            "", "/a", "a/", "a//b", ".", "../a", "a/.b", "a/b.", "a/b ", "a\\b", "a:b", "a*", "a?", "a\"b",
            "a<b", "a>b", "a|b", "a&b", &long,
        ] {
            assert_eq!(check_name(name).unwrap_err().rule().name, "RELEASE-NAME", "{name}");
        }
        assert_eq!(check_name("a\u{202e}b").unwrap_err().rule().name, "TEXT");
    }

    #[test]
    fn addresses_are_what_every_client_reads() {
        let (tuf, notary) = (Profile::Tuf, Profile::Notary);
        for url in ["https://dl.example.com/a.msi", "http://10.0.0.1:8080/x/a%20b?version=2"] {
            for profile in [tuf, notary] {
                check_url(profile, "a", Some(url)).unwrap();
            }
        }
        let odd = [
            (notary, "https://dl.example.com/a?x=1&y=2", "CUSTOM-NOTARY"),
            (tuf, "https://dl.example.com/a?x=1&y=2", ""),
            (notary, "https://dl.example.com/<a>", "CUSTOM-NOTARY"),
            (notary, "https://dl.example.com/a\u{2028}", "CUSTOM-NOTARY"),
            (notary, "https://dl.example.com/a\u{2029}", "CUSTOM-NOTARY"),
            (notary, "https://dl.example.com/a\"b", "CUSTOM-NOTARY"),
            (tuf, "https://dl.example.com/<a>", "RELEASE-URL"),
            (tuf, "https://dl.example.com/a\u{2028}", "RELEASE-URL"),
            (tuf, "https://dl.example.com", "RELEASE-URL"),
            (tuf, "https://dl.example.com/", "RELEASE-URL"),
            (tuf, "ftp://dl.example.com/a", "RELEASE-URL"),
            (tuf, "dl.example.com/a", "RELEASE-URL"),
            (tuf, "https:///a", "RELEASE-URL"),
            (tuf, "https://user:word@dl.example.com/a", "RELEASE-URL"),
            (tuf, "https://dl.example.com:0/a", "RELEASE-URL"),
            (tuf, "https://dl.example.com:/a", "RELEASE-URL"),
            (tuf, "https://dl.example.com:+1/a", "RELEASE-URL"),
            (tuf, "https://dl.example.com/a b", "RELEASE-URL"),
            (tuf, "https://dl.example.com/a#b", "RELEASE-URL"),
            (tuf, "https://dl.example.com/\u{e4}", "RELEASE-URL"),
        ];
        for (profile, url, rule) in odd {
            let found = check_url(profile, "a", Some(url)).map_or_else(|e| e.rule().name, |()| "");
            assert_eq!(found, rule, "{url}");
        }
        check_url(tuf, "a", None).unwrap();
        assert_eq!(check_url(notary, "a", None).unwrap_err().rule().name, "RELEASE-URL");
    }

    #[test]
    fn a_file_in_a_folder_has_an_address() {
        let url = below("https://dl.example.com/cam/", "a b+\u{e4}.msi");
        assert_eq!(url, "https://dl.example.com/cam/a%20b%2B%C3%A4.msi");
        check_url(Profile::Notary, "a", Some(&url)).unwrap();
    }
}
