//! Reads the fields of a message, whatever its sender put into it.

use crate::codes::error;

/// A field, or the number of the error that is answered.
pub type Result<T> = std::result::Result<T, u8>;

pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(error::WRONG_LENGTH)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes(N)?.try_into().map_err(|_| error::WRONG_LENGTH)
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(error::WRONG_LENGTH) }
    }
}

/// Command or answer, length, content.
pub fn frame(code: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![code];
    out.extend((content.len() as u16).to_be_bytes());
    out.extend(content);
    out
}

/// The reverse of `frame`, where the length is right.
pub fn unframe(bytes: &[u8]) -> Result<(u8, &[u8])> {
    let mut fields = Fields::of(bytes);
    let (code, length) = (fields.u8()?, fields.u16()?);
    let content = fields.rest();
    if content.len() == usize::from(length) { Ok((code, content)) } else { Err(error::WRONG_LENGTH) }
}
