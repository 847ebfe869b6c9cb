//! BER-TLV as PIV uses it: tags of one or two bytes, lengths up to 65535.

/// `tag`, length, `value`.
pub fn tlv(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 5);
    if tag > 0xff {
        out.push((tag >> 8) as u8);
    }
    out.push((tag & 0xff) as u8);
    match value.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n @ 0x80..=0xff => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, (n & 0xff) as u8]),
    }
    out.extend(value);
    out
}

/// The members of a template, in order; none if it is broken.
pub fn members(mut rest: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (tag, value, after) = first(rest)?;
        found.push((tag, value));
        rest = after;
    }
    Some(found)
}

/// Tag and value of the first member, and what follows it.
pub fn first(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (tag, rest) = if tag & 0x1f == 0x1f {
        let (&low, rest) = rest.split_first()?;
        (u16::from(tag) << 8 | u16::from(low), rest)
    } else {
        (u16::from(tag), rest)
    };
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), rest.get(2..)?),
        n @ 0..=0x7f => (usize::from(n), rest),
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(length)?;
    Some((tag, value, after))
}

/// The value of the first member called `tag`.
pub fn value(template: &[u8], tag: u16) -> Option<&[u8]> {
    members(template)?.into_iter().find(|(found, _)| *found == tag).map(|(_, value)| value)
}
