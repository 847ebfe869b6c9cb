//! Commands and responses (ISO 7816-4): both lengths, both kinds of chaining.

/// A status word.
pub type Status = u16;

/// Done.
pub const OK: Status = 0x9000;

/// One command as it came.
#[derive(Debug)]
pub struct Command {
    pub chained: bool,
    pub ins: u8,
    pub p1: u8,
    pub p2: u8,
    pub data: Vec<u8>,
    /// The longest response that the other side takes.
    pub expected: usize,
}

impl Command {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [class, ins, p1, p2, rest @ ..] = bytes else { return None };
        if class & 0xef != 0 {
            return None;
        }
        let (data, expected) = match rest {
            [] => (&[][..], 256),
            [le] => (&[][..], if *le == 0 { 256 } else { usize::from(*le) }),
            [0, high, low] => (&[][..], long(*high, *low)),
            [0, high, low, rest @ ..] => {
                let (data, le) = rest.split_at_checked(usize::from(*high) << 8 | usize::from(*low))?;
                match le {
                    [] => (data, 65536),
                    [high, low] => (data, long(*high, *low)),
                    _ => return None,
                }
            }
            [lc, rest @ ..] => {
                let (data, le) = rest.split_at_checked(usize::from(*lc))?;
                match le {
                    [] | [0] => (data, 256),
                    [le] => (data, usize::from(*le)),
                    _ => return None,
                }
            }
        };
        let data = data.to_vec();
        Some(Self { chained: class & 0x10 != 0, ins: *ins, p1: *p1, p2: *p2, data, expected })
    }
}

fn long(high: u8, low: u8) -> usize {
    match usize::from(high) << 8 | usize::from(low) {
        0 => 65536,
        n => n,
    }
}

/// Puts chained commands together and hands long responses out in parts.
#[derive(Default)]
pub struct Chains {
    before: Vec<u8>,
    waiting: Vec<u8>,
}

/// Longer commands are refused, as a YubiKey does.
const LONGEST: usize = 3072;

impl Chains {
    /// Forgets both.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The whole command, once its last part is here; or what to answer meanwhile.
    pub fn whole(&mut self, mut part: Command) -> Result<Command, Vec<u8>> {
        if part.ins == 0xc0 {
            return Err(self.part(OK, part.expected));
        }
        self.waiting.clear();
        if self.before.len() + part.data.len() > LONGEST {
            self.clear();
            return Err(0x6700_u16.to_be_bytes().to_vec());
        }
        self.before.append(&mut part.data);
        if part.chained {
            return Err(OK.to_be_bytes().to_vec());
        }
        part.data = std::mem::take(&mut self.before);
        Ok(part)
    }

    /// The first part of a response.
    pub fn answer(&mut self, result: Result<Vec<u8>, Status>, expected: usize) -> Vec<u8> {
        match result {
            Ok(data) => {
                self.waiting = data;
                self.part(OK, expected)
            }
            Err(status) => status.to_be_bytes().to_vec(),
        }
    }

    fn part(&mut self, status: Status, expected: usize) -> Vec<u8> {
        let now = expected.min(self.waiting.len());
        let mut out: Vec<u8> = self.waiting.drain(..now).collect();
        let status = match self.waiting.len() {
            0 => status,
            left => 0x6100 | left.min(0xff) as u16,
        };
        out.extend(status.to_be_bytes());
        out
    }
}
