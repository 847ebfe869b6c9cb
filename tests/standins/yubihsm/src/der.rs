//! As much DER as certificates need.

/// A value under a tag.
pub fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n @ 0x80..=0xff => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend(value);
    out
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

/// The shortest form of a number that is not negative.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let mut value = bytes[start..].to_vec();
    if value.first().is_none_or(|&byte| byte >= 0x80) {
        value.insert(0, 0);
    }
    tlv(0x02, &value)
}

/// Takes the first element, header included, off the front.
pub fn next<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8], &'a [u8])> {
    let bytes = *rest;
    let (&tag, after) = bytes.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        0x81 => (usize::from(*after.first()?), after.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?])), after.get(2..)?),
        _ => return None,
    };
    let (value, left) = after.split_at_checked(length)?;
    *rest = left;
    Some((tag, value, &bytes[..bytes.len() - left.len()]))
}

/// PEM of a certificate.
pub fn pem(der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut letters = String::new();
    for part in der.chunks(3) {
        let byte = |n: usize| u32::from(part.get(n).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place)) as usize & 0x3f];
            letters.push(if place > part.len() { '=' } else { char::from(letter) });
        }
    }
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in letters.as_bytes().chunks(64) {
        out.extend(line.iter().map(|&letter| char::from(letter)));
        out.push('\n');
    }
    out + "-----END CERTIFICATE-----\n"
}
