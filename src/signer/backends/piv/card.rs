//! One YubiKey in one reader: connected, in a transaction, its serial number looked at.
//!
//! Every act is a connection of its own that begins with finding the YubiKey of that serial number
//! among all readers and ends with a reset, which makes the card forget that a PIN was typed: no
//! other program goes on with it. Between acts people swap cards, so nothing is kept (threats T22).
//!
//! Only readers that say YubiKey in their name are asked: other people's cards are left alone. That
//! is what Yubico's own tools do; a YubiKey on an NFC reader is therefore not found.

use super::tlv::low;
use crate::signer::rules;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use pcsc::{Card, Context, Disposition, Error, Protocols, Scope, ShareMode, Transaction};
use std::ffi::CString;
use zeroize::Zeroizing;

/// The registered name of PIV (SP 800-73-4 part 1, 2.2), as far as a YubiKey needs it.
const PIV: [u8; 5] = [0xa0, 0x00, 0x00, 0x03, 0x08];

/// No answer of a YubiKey is longer: objects have at most 3,063 bytes.
const LONGEST_ANSWER: usize = 8192;

/// A status word that is neither "done" nor "more to come".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status(pub u16);

/// A YubiKey in a transaction, PIV selected.
pub(super) struct Open<'a> {
    transaction: Transaction<'a>,
    /// As it says now.
    pub serial: u32,
    /// As it says now.
    pub version: [u8; 3],
}

/// What is found in the readers.
pub(super) struct Found {
    /// Serial number and version.
    pub cards: Vec<(u32, [u8; 3])>,
    /// Readers that don't answer.
    pub problems: Vec<Refusal>,
}

/// Every YubiKey.
///
/// # Errors
///
/// `CARD-SERVICE`.
pub(super) fn all() -> Result<Found> {
    let context = context()?;
    let mut found = Found { cards: Vec::new(), problems: Vec::new() };
    for reader in readers(&context)? {
        match connected(&context, &reader) {
            Ok(None) => {}
            Ok(Some(mut card)) => match Open::new(&mut card) {
                Ok(open) => found.cards.push((open.serial, open.version)),
                Err(e) if e.rule() == &rules::TOKEN_REMOVED => {}
                Err(e) => found.problems.push(at(&reader, e)),
            },
            Err(e) if e.rule() == &rules::TOKEN_REMOVED => {}
            Err(e) => found.problems.push(at(&reader, e)),
        }
    }
    Ok(found)
}

/// Does something with the one YubiKey of this serial number, and makes it forget the PIN after.
///
/// # Errors
///
/// `TOKEN-MISSING`, `TOKEN-SERIAL` if there are only others, `TOKEN-AMBIGUOUS`, `CARD-SERVICE`; what
/// `act` refuses.
pub(super) fn with<T>(serial: u32, act: &mut dyn FnMut(&mut Open<'_>) -> Result<T>) -> Result<T> {
    let context = context()?;
    let mut ours = Vec::new();
    let mut others = Vec::new();
    let mut problems = Vec::new();
    for reader in readers(&context)? {
        let Some(mut card) = connected(&context, &reader).transpose() else { continue };
        match card.as_mut().map_err(|e| e.clone()).and_then(|card| Open::new(card).map(|open| open.serial)) {
            Ok(found) if found == serial => ours.extend(card.ok()),
            Ok(found) => others.push(found.to_string()),
            // Pulled just now, which the reader didn't know yet.
            Err(e) if e.rule() == &rules::TOKEN_REMOVED => {}
            Err(e) => problems.push(at(&reader, e)),
        }
    }
    let expected = format!("one YubiKey with serial {serial}");
    if ours.len() > 1 {
        return Err(Refusal::new(&rules::TOKEN_AMBIGUOUS, format!("{} of them", ours.len()), expected));
    }
    let Some(mut card) = ours.pop() else {
        if let Some(problem) = problems.pop() {
            return Err(problem);
        }
        return Err(match others.as_slice() {
            [] => Refusal::new(&rules::TOKEN_MISSING, "no YubiKey", expected),
            others => Refusal::new(
                &rules::TOKEN_SERIAL,
                format!("YubiKeys with serial {}", others.join(", ")),
                expected,
            ),
        });
    };
    let mut open = Open::new(&mut card)?;
    // Within the transaction nobody else can put another card's answers in between.
    let done = if open.serial == serial {
        act(&mut open)
    } else {
        Err(Refusal::new(&rules::TOKEN_REMOVED, format!("a YubiKey with serial {}", open.serial), expected))
    };
    // A card that has gone has forgotten its PIN as well.
    drop(open.transaction.end(Disposition::ResetCard));
    done
}

fn context() -> Result<Context> {
    Context::establish(Scope::User).map_err(|e| said("be reached", e))
}

fn readers(context: &Context) -> Result<Vec<CString>> {
    let names = match context.list_readers_owned() {
        Ok(names) => names,
        Err(Error::NoReadersAvailable) => Vec::new(),
        Err(e) => return Err(said("list its readers", e)),
    };
    let yubikey = |name: &CString| name.to_string_lossy().to_ascii_lowercase().contains("yubikey");
    Ok(names.into_iter().filter(yubikey).collect())
}

/// The card in a reader, if there is one.
fn connected(context: &Context, reader: &CString) -> Result<Option<Card>> {
    match context.connect(reader, ShareMode::Shared, Protocols::ANY) {
        Ok(card) => Ok(Some(card)),
        Err(Error::NoSmartcard | Error::RemovedCard | Error::UnknownReader | Error::ReaderUnavailable) => {
            Ok(None)
        }
        Err(e) => Err(said("open", e)),
    }
}

fn at(reader: &CString, refusal: Refusal) -> Refusal {
    refusal.at(visible(&reader.to_string_lossy()))
}

/// What an error of the smart card service means to a person: `doing` completes "asked to …".
fn said(doing: &str, error: Error) -> Refusal {
    let (rule, expected) = match error {
        Error::NoService | Error::ServiceStopped => (&rules::CARD_SERVICE, "pcscd, running"),
        Error::SharingViolation => (
            &rules::TOKEN_FAILED,
            "a YubiKey that no other program keeps for itself, as GnuPG's scdaemon does",
        ),
        Error::RemovedCard
        | Error::NoSmartcard
        | Error::ReaderUnavailable
        | Error::UnknownReader
        | Error::UnpoweredCard
        | Error::UnresponsiveCard
        | Error::ResetCard
        | Error::NotTransacted
        | Error::CommError => (&rules::TOKEN_REMOVED, "the YubiKey, still inserted"),
        _ => (&rules::TOKEN_FAILED, "a YubiKey that answers"),
    };
    Refusal::new(rule, format!("asked to {doing}: {error}"), expected)
}

impl Status {
    /// The refusal of something that has no meaning of its own for this status.
    pub fn refused(self, doing: &str) -> Refusal {
        let (rule, expected) = match self.0 {
            0x6a81 | 0x6a86 | 0x6d00 => (&rules::TOKEN_CANNOT, "a YubiKey that can"),
            _ => (&rules::TOKEN_FAILED, "a YubiKey that does it"),
        };
        Refusal::new(rule, format!("asked to {doing}: status {:04X}", self.0), expected)
    }
}

impl<'a> Open<'a> {
    fn new(card: &'a mut Card) -> Result<Self> {
        let transaction = card.transaction().map_err(|e| said("begin", e))?;
        let mut open = Self { transaction, serial: 0, version: [0; 3] };
        open.done("select PIV", 0xa4, [4, 0], &PIV)?;
        let version = open.done("tell its version", 0xfd, [0, 0], &[])?;
        let serial = open.done("tell its serial number", 0xf8, [0, 0], &[])?;
        let short =
            || Refusal::new(&rules::TOKEN_FAILED, "a serial number or version of odd length", "a YubiKey's");
        open.version = version.as_slice().try_into().map_err(|_| short())?;
        open.serial = u32::from_be_bytes(serial.as_slice().try_into().map_err(|_| short())?);
        Ok(open)
    }

    /// One instruction; anything but "done" is a failure.
    pub fn done(
        &mut self,
        doing: &str,
        ins: u8,
        [p1, p2]: [u8; 2],
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.ask(doing, ins, [p1, p2], data)?.map_err(|status| status.refused(doing))
    }

    /// One instruction: what the card answers, or its status word. Long data goes in parts, and
    /// long answers come so (ISO 7816-4 5.1.1, 7.6.1).
    ///
    /// # Errors
    ///
    /// `TOKEN-REMOVED`, `TOKEN-FAILED`.
    pub fn ask(
        &mut self,
        doing: &str,
        ins: u8,
        [p1, p2]: [u8; 2],
        data: &[u8],
    ) -> Result<std::result::Result<Zeroizing<Vec<u8>>, Status>> {
        let mut parts = data.chunks(255).peekable();
        let mut answer = Zeroizing::new(Vec::with_capacity(LONGEST_ANSWER));
        loop {
            let part = parts.next().unwrap_or_default();
            let more = parts.peek().is_some();
            let class = if more { 0x10 } else { 0 };
            let mut command = Zeroizing::new(Vec::with_capacity(261));
            command.extend([class, ins, p1, p2]);
            if !part.is_empty() {
                command.push(low(part.len()));
                command.extend(part);
            }
            command.push(0);
            let status = self.exchange(doing, &command, &mut answer)?;
            match status {
                0x9000 if more => {}
                0x9000 => break,
                0x6100..=0x61ff => break self.rest(doing, status, &mut answer)?,
                other => return Ok(Err(Status(other))),
            }
        }
        Ok(Ok(answer))
    }

    fn rest(&mut self, doing: &str, mut status: u16, answer: &mut Zeroizing<Vec<u8>>) -> Result<()> {
        while status & 0xff00 == 0x6100 {
            let [_, left] = status.to_be_bytes();
            status = self.exchange(doing, &[0, 0xc0, 0, 0, left], answer)?;
        }
        if status == 0x9000 { Ok(()) } else { Err(Status(status).refused(doing)) }
    }

    /// Sends one command, adds what comes back to `answer`, and tells the status word.
    fn exchange(&mut self, doing: &str, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<u16> {
        let mut buffer = Zeroizing::new([0; 258]);
        let came = self.transaction.transmit(command, &mut buffer[..]).map_err(|e| said(doing, e))?;
        // A reader whose card is just being pulled has been seen to answer nothing.
        let Some((data, status)) = came.split_last_chunk::<2>() else {
            let found = format!("asked to {doing}: no answer");
            return Err(Refusal::new(&rules::TOKEN_REMOVED, found, "the YubiKey, still inserted"));
        };
        if answer.len().saturating_add(data.len()) > LONGEST_ANSWER {
            let found = format!("asked to {doing}: more than {LONGEST_ANSWER} bytes");
            return Err(Refusal::new(&rules::TOKEN_FAILED, found, "an answer of a YubiKey"));
        }
        answer.extend(data);
        Ok(u16::from_be_bytes(*status))
    }
}
