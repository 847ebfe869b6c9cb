//! BER-TLV as PIV uses it (SP 800-73-4): tags of one or two bytes, lengths up to 65535. What a card
//! sends is untrusted: anything broken is none.

use zeroize::Zeroizing;

/// `tag`, length, `value`, wiped on drop because some values are secrets; empty if the value is longer
/// than the form allows.
pub(super) fn tlv(tag: u8, value: &[u8]) -> Zeroizing<Vec<u8>> {
    // All of it at once: a vector that grows leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(value.len().saturating_add(4)));
    match value.len() {
        n @ 0..=0x7f => out.extend([tag, low(n)]),
        n @ 0x80..=0xff => out.extend([tag, 0x81, low(n)]),
        n @ 0x100..=0xffff => out.extend([tag, 0x82, low(n >> 8), low(n)]),
        _ => return out,
    }
    out.extend(value);
    out
}

/// The low byte of a number.
pub(super) fn low(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

/// The value of the first member called `tag` of a template.
pub(super) fn member(mut template: &[u8], tag: u16) -> Option<&[u8]> {
    while !template.is_empty() {
        let (found, value, rest) = first(template)?;
        if found == tag {
            return Some(value);
        }
        template = rest;
    }
    None
}

fn first(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (tag, rest) = if tag & 0x1f == 0x1f {
        let (&low, rest) = rest.split_first()?;
        (u16::from_be_bytes([tag, low]), rest)
    } else {
        (u16::from(tag), rest)
    };
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match (length, rest) {
        (0..=0x7f, rest) => (usize::from(length), rest),
        (0x81, [n, rest @ ..]) => (usize::from(*n), rest),
        (0x82, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn lengths_of_every_form_are_read_back() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xbff, 0xffff] {
            let value = vec![7; length];
            let mut bytes = tlv(0x53, &value).to_vec();
            bytes.extend(tlv(0x70, &[1]).iter());
            assert_eq!(member(&bytes, 0x53).unwrap(), value, "{length}");
            assert_eq!(member(&bytes, 0x70).unwrap(), [1], "{length}");
            assert_eq!(member(&bytes, 0x71), None);
        }
        assert!(tlv(0x53, &vec![0; 0x1_0000]).is_empty());
        assert_eq!(member(&[0x7f, 0x49, 2, 0x86, 0], 0x7f49).unwrap(), [0x86, 0]);
    }

    #[test]
    fn what_is_cut_off_is_none() {
        for bytes in
            [&[0x53][..], &[0x7f], &[0x53, 2, 0], &[0x53, 0x81], &[0x53, 0x82, 1], &[0x53, 0x83, 0, 0, 1]]
        {
            assert_eq!(member(bytes, 0x53), None, "{bytes:02x?}");
        }
    }
}
