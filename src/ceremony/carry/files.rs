//! The files of a record that frames carry: their paths and bytes, packed.
//!
//! `KRF1`, then zlib (RFC 1950) of the files one after another, sorted by path: the path's length in
//! two bytes, the path, the content's length in four, the content; numbers with their high byte first.
//! Records are hexadecimal and JSON, so packing leaves a quarter of them. Unpacking ends at
//! [`MOST_UNPACKED`], whatever is claimed. Paths are texts here; the record parses each as one of the
//! forms of its layout before it is used.

use super::MOST_UNPACKED;
use crate::ceremony::rules;
use crate::tuf::rule::{Refusal, Result};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use std::collections::BTreeMap;

const BEGIN: &[u8] = b"KRF1";
/// The longest path, in bytes: the layout's longest has fewer.
const LONGEST_PATH: usize = 512;
/// The most files.
const MOST_FILES: usize = 1_000;
/// As small as it gets: every frame less is a frame less to be read.
const LEVEL: u8 = 10;

/// Packs files: path to content.
///
/// # Errors
///
/// `QR-SIZE` for more than is unpacked again.
pub fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut list = Vec::new();
    let too_large = |found: String| Refusal::new(&rules::QR_SIZE, found, most());
    for (path, content) in files {
        let sizes = (u16::try_from(path.len()), u32::try_from(content.len()));
        let (Ok(path_size), Ok(size)) = sizes else { return Err(too_large(format!("\"{path}\""))) };
        list.extend(path_size.to_be_bytes());
        list.extend(path.as_bytes());
        list.extend(size.to_be_bytes());
        list.extend(content);
    }
    if list.len() > MOST_UNPACKED || files.len() > MOST_FILES {
        return Err(too_large(format!("{} files of {} bytes in all", files.len(), list.len())));
    }
    Ok([BEGIN, &compress_to_vec_zlib(&list, LEVEL)].concat())
}

/// The files of a message, as [`pack`] makes it.
///
/// # Errors
///
/// `QR-VERSION`, `QR-SIZE`; `QR-FILES` for anything but a list of files, sorted, each path once.
pub fn unpack(message: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let odd = |found: &str| Refusal::new(&rules::QR_FILES, found, "files of a record, packed by keyrite");
    let packed = match message.split_at_checked(BEGIN.len()) {
        Some((BEGIN, packed)) => packed,
        Some(([b'K', b'R', b'F', version], _)) if version.is_ascii_digit() => {
            let found = format!("files of form {}", char::from(*version));
            return Err(Refusal::new(&rules::QR_VERSION, found, "form 1"));
        }
        _ => return Err(odd("a message of another program")),
    };
    let list = decompress_to_vec_zlib_with_limit(packed, MOST_UNPACKED).map_err(|e| match e.status {
        miniz_oxide::inflate::TINFLStatus::HasMoreOutput => {
            Refusal::new(&rules::QR_SIZE, "files that unpack to more", most())
        }
        _ => odd("what does not unpack"),
    })?;
    let (mut rest, mut files) = (list.as_slice(), BTreeMap::new());
    while !rest.is_empty() {
        let (path, content) = next(&mut rest).ok_or_else(|| odd("a list that ends early"))?;
        let path = String::from_utf8(path.to_vec()).map_err(|_| odd("a path that is no UTF-8"))?;
        if path.len() > LONGEST_PATH || files.len() >= MOST_FILES {
            return Err(Refusal::new(&rules::QR_SIZE, "more files, or longer paths", most()));
        }
        if files.last_key_value().is_some_and(|(before, _)| *before >= path) {
            return Err(odd("paths twice or out of order"));
        }
        files.insert(path, content.to_vec());
    }
    Ok(files)
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (size, after) = rest.split_first_chunk::<2>()?;
    let (path, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
    let (size, after) = after.split_first_chunk::<4>()?;
    let (content, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)?;
    *rest = after;
    Some((path, content))
}

fn most() -> String {
    format!("at most {MOST_FILES} files, {LONGEST_PATH} bytes a path, {MOST_UNPACKED} bytes in all")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    fn packed(list: &[u8]) -> Vec<u8> {
        [BEGIN, &compress_to_vec_zlib(list, LEVEL)].concat()
    }

    #[test]
    fn other_messages_are_refused_by_their_rules() {
        let good = packed(b"\0\x01a\0\0\0\x01x");
        assert_eq!(unpack(&good).unwrap(), [("a".to_owned(), b"x".to_vec())].into());
        assert_eq!(pack(&unpack(&good).unwrap()).unwrap(), good);
        let cut = good.get(..good.len() - 5).unwrap();
        let bomb = packed(&vec![0; MOST_UNPACKED + 1]);
        assert!(bomb.len() < 2_000, "a megabyte of noughts packs to {}", bomb.len());
        let long = packed(&[[2, 1].as_slice(), &[b'a'; 513], &[0; 4]].concat());
        let table: [(&str, &[u8], &str); 11] = [
            ("nothing", b"", "QR-FILES"),
            ("another program's", b"\xd8\x25\x01\x02\x03", "QR-FILES"),
            ("a later form", b"KRF2aaaa", "QR-VERSION"),
            ("what is not packed", b"KRF1aaaa", "QR-FILES"),
            ("cut off", cut, "QR-FILES"),
            ("more than there may be", &bomb, "QR-SIZE"),
            ("a list that ends early", &packed(b"\0\x01a\0\0\0\x02x"), "QR-FILES"),
            ("a size of 4 billion", &packed(b"\0\x01a\xff\xff\xff\xffx"), "QR-FILES"),
            ("a path twice", &packed(b"\0\x01a\0\0\0\0\0\x01a\0\0\0\0"), "QR-FILES"),
            ("a path that is no UTF-8", &packed(b"\0\x01\xff\0\0\0\0"), "QR-FILES"),
            ("a long path", &long, "QR-SIZE"),
        ];
        for (what, message, rule) in table {
            let refused = unpack(message).unwrap_err();
            assert_eq!(refused.rule().name, rule, "{what}: {refused}");
        }
        let large = [("a".to_owned(), vec![0; MOST_UNPACKED])].into();
        assert_eq!(pack(&large).unwrap_err().rule().name, "QR-SIZE");
    }

    proptest! {
        #[test]
        fn files_come_back(files in proptest::collection::btree_map("[a-z/.0-9]{0,40}",
            proptest::collection::vec(any::<u8>(), 0..300), 0..20)) {
            prop_assert_eq!(unpack(&pack(&files).unwrap()).unwrap(), files);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = unpack(&[BEGIN, bytes.as_slice()].concat());
            let _ = unpack(&packed(&bytes));
        }
    }
}
