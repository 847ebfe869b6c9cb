//! What came to a terminal, looked at byte by byte, before anything is taken out of it.
//!
//! Never: the program's own idea of what is harmless.

/// Every sequence that the program may send: plain, bold, dim, and the colours of callouts; a line drawn
/// again; the cursor hidden, shown, and some lines up or down.
fn ours(sequence: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.len() < 4 && text.bytes().all(|b| b.is_ascii_digit());
    let ends = |end| sequence.strip_suffix(end).is_some_and(number);
    let listed = ["0m", "1m", "2m", "31m", "32m", "33m", "2K", "?25l", "?25h"];
    listed.contains(&sequence) || ends('A') || ends('B')
}

/// What came to a terminal: printable ASCII, the rule below titles, line ends, and sequences of [`ours`].
/// Gives the text.
pub fn plain(raw: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(raw).map_err(|e| e.to_string())?;
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{1b}' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |at| at + 1);
                let sequence = rest[..end].strip_prefix('[').filter(|sequence| ours(sequence));
                sequence.ok_or_else(|| format!("an escape and {:?}", &rest[..end]))?;
                rest = &rest[end..];
            }
            '\n' | '\r' | ' '..='~' | '\u{2500}' => plain.push(c),
            c => return Err(format!("{c:?}, after {:?}", plain.lines().next_back())),
        }
    }
    Ok(plain)
}
