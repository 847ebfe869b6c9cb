//! A YubiHSM 2 on USB, with no connector between.
//!
//! Vendor 0x1050, product 0x0030, one interface with two bulk endpoints, one out and one in. A message
//! is one transfer, and so is its answer. A transfer ends with a packet that is not full, so that an
//! empty one follows a message of whole packets (`lib/yubihsm_libusb.c` of yubihsm-shell 2.7). What an
//! earlier program asked and never fetched still waits in the device: it is thrown away first.
//!
//! A device is taken for one exchange and given back, as a connection to a connector is, so that two
//! keys on one device need not know of each other, and one that starts again after a reset is found
//! anew, by its serial number.
//!
//! [`Bus`] and [`Pipe`] are what is asked of USB. [`Machine`] asks the kernel (usbfs) by the crate
//! `nusb`, which needs no library of the system; tests have a bus of their own, with a simulated
//! YubiHSM on it. No real device was ever at hand.
//!
//! Never: a device told apart by where it is plugged in, a driver of the kernel's put aside, a wait
//! without an end.

use super::wire;
use crate::signer::rules;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use nusb::transfer::{Buffer, Bulk, In, Out, TransferError};
use nusb::{DeviceInfo, Endpoint, ErrorKind, MaybeFuture as _};
use std::fmt;
use std::time::Duration;

/// Yubico's number (USB vendor ids).
const VENDOR: u16 = 0x1050;
/// The YubiHSM 2's.
const PRODUCT: u16 = 0x0030;
const INTERFACE: u8 = 0;
const OUT: u8 = 0x01;
const IN: u8 = 0x81;
/// The longest that a device takes for a command that keyrite gives it, with room for slow ones.
const PATIENCE: Duration = Duration::from_secs(15);
/// What still waits in a device is there at once.
const STALE: Duration = Duration::from_millis(5);
/// No earlier program left more transfers.
const LEFT: usize = 4;

/// What has YubiHSMs plugged in.
pub trait Bus: fmt::Debug + Sync {
    /// The serial numbers of all YubiHSMs on it, in order.
    ///
    /// # Errors
    ///
    /// `TOKEN-MISSING` if there is no USB.
    fn serials(&self) -> Result<Vec<u32>>;

    /// The way to the YubiHSM of a serial number, for nobody else until it is dropped.
    ///
    /// # Errors
    ///
    /// `TOKEN-MISSING`, `HSM-USB`.
    fn open(&self, serial: u32) -> Result<Box<dyn Pipe>>;
}

/// A device's two endpoints.
pub trait Pipe {
    /// How many bytes a full packet has.
    fn packet(&self) -> usize;

    /// Hands packets over, which end the transfer if the last is not full; of nothing, an empty one.
    ///
    /// # Errors
    ///
    /// Why it could not.
    fn write(&mut self, bytes: &[u8], patience: Duration) -> std::result::Result<(), Broken>;

    /// Takes one transfer; none if nothing comes in that time.
    ///
    /// # Errors
    ///
    /// Why it could not.
    fn read(&mut self, patience: Duration) -> std::result::Result<Option<Vec<u8>>, Broken>;
}

/// Why a transfer failed.
#[derive(Debug)]
pub enum Broken {
    /// The device was pulled out, or starts again.
    Gone,
    /// Anything else, in the system's words.
    Failed(String),
}

/// Hands one message to a device and takes its answer.
///
/// # Errors
///
/// `TOKEN-MISSING`, `HSM-USB`.
pub fn exchange(bus: &dyn Bus, serial: u32, message: &[u8]) -> Result<Vec<u8>> {
    exchange_within(bus, serial, message, PATIENCE)
}

/// The same, in a time of the caller's.
fn exchange_within(bus: &dyn Bus, serial: u32, message: &[u8], patience: Duration) -> Result<Vec<u8>> {
    let broken = |broken| match broken {
        Broken::Gone => missing(serial, "which was there a moment ago"),
        Broken::Failed(why) => refused(serial, &why),
    };
    let mut pipe = bus.open(serial)?;
    let mut left = 0_usize;
    while pipe.read(STALE).map_err(broken)?.is_some() {
        left = left.saturating_add(1);
        if left > LEFT {
            return Err(refused(serial, "it answers though nothing was asked"));
        }
    }
    pipe.write(message, patience).map_err(broken)?;
    if message.len().checked_rem(pipe.packet()) == Some(0) {
        pipe.write(&[], patience).map_err(broken)?;
    }
    match pipe.read(patience).map_err(broken)? {
        Some(answer) if answer.len() <= wire::LONGEST_ANSWER => Ok(answer),
        Some(_) => Err(refused(serial, "an answer longer than any of a YubiHSM")),
        None => Err(refused(serial, "no whole answer in time")),
    }
}

/// The USB of this machine.
#[derive(Debug)]
pub struct Machine;

impl Bus for Machine {
    fn serials(&self) -> Result<Vec<u32>> {
        let mut serials: Vec<u32> = plugged_in()?.iter().filter_map(serial_of).collect();
        serials.sort_unstable();
        serials.dedup();
        Ok(serials)
    }

    fn open(&self, serial: u32) -> Result<Box<dyn Pipe>> {
        let all = plugged_in()?;
        let device = all.iter().find(|device| serial_of(device) == Some(serial));
        let device = device.ok_or_else(|| missing(serial, "on USB"))?;
        let failed = |e: nusb::Error| match e.kind() {
            ErrorKind::Disconnected => missing(serial, "which was there a moment ago"),
            ErrorKind::Busy => refused(serial, "another program has it"),
            ErrorKind::PermissionDenied => refused(serial, "this user may not use it"),
            _ => refused(serial, &e.to_string()),
        };
        let opened = device.open().wait().map_err(failed)?;
        let interface = opened.claim_interface(INTERFACE).wait().map_err(failed)?;
        let out = interface.endpoint(OUT).map_err(failed)?;
        let back = interface.endpoint(IN).map_err(failed)?;
        Ok(Box::new(Endpoints { out, back }))
    }
}

/// YubiHSMs on USB: the kernel knows their serial numbers without one being opened.
fn plugged_in() -> Result<Vec<DeviceInfo>> {
    let all = nusb::list_devices().wait().map_err(|e| {
        let found = format!("no USB: {}", visible(&e.to_string()));
        Refusal::new(&rules::TOKEN_MISSING, found, "a YubiHSM on USB")
    })?;
    Ok(all.filter(|device| (device.vendor_id(), device.product_id()) == (VENDOR, PRODUCT)).collect())
}

fn serial_of(device: &DeviceInfo) -> Option<u32> {
    device.serial_number().and_then(serial_in)
}

/// The number in a device's string: ten digits.
fn serial_in(text: &str) -> Option<u32> {
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|serial| digits && *serial != 0)
}

/// The endpoints of a real device.
struct Endpoints {
    out: Endpoint<Bulk, Out>,
    back: Endpoint<Bulk, In>,
}

impl Pipe for Endpoints {
    fn packet(&self) -> usize {
        self.out.max_packet_size()
    }

    fn write(&mut self, bytes: &[u8], patience: Duration) -> std::result::Result<(), Broken> {
        let done = self.out.transfer_blocking(bytes.to_vec().into(), patience);
        done.status.map_err(Broken::of)?;
        if done.actual_len == bytes.len() {
            Ok(())
        } else {
            Err(Broken::Failed("it took a part of the message".to_owned()))
        }
    }

    fn read(&mut self, patience: Duration) -> std::result::Result<Option<Vec<u8>>, Broken> {
        // Whole packets, and room for one more than any answer has, so that its end is seen.
        let packets = wire::LONGEST_ANSWER.checked_div(self.back.max_packet_size()).unwrap_or_default();
        let room = packets.saturating_add(1).saturating_mul(self.back.max_packet_size());
        let done = self.back.transfer_blocking(Buffer::new(room), patience);
        match done.status {
            Ok(()) => Ok(Some(done.buffer.into_vec())),
            // Its time was over; what had come by then has no end.
            Err(TransferError::Cancelled) if done.actual_len == 0 => Ok(None),
            Err(TransferError::Cancelled) => Err(Broken::Failed("an answer without an end".to_owned())),
            Err(e) => Err(Broken::of(e)),
        }
    }
}

impl Broken {
    fn of(error: TransferError) -> Self {
        match error {
            TransferError::Disconnected => Self::Gone,
            other => Self::Failed(other.to_string()),
        }
    }
}

fn missing(serial: u32, what: &str) -> Refusal {
    Refusal::new(
        &rules::TOKEN_MISSING,
        format!("no YubiHSM with serial {serial:010} {what}"),
        "that YubiHSM, plugged in",
    )
}

fn refused(serial: u32, found: &str) -> Refusal {
    Refusal::new(
        &rules::HSM_USB,
        format!("the YubiHSM {serial:010}: {}", visible(found)),
        "a YubiHSM that this program has for itself, and its whole answer in time",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::super::YubiHsmToken;
    use super::super::link::Link;
    use super::*;
    use crate::signer::randomness::Randomness;
    use crate::signer::secret::Pin;
    use crate::signer::yubihsm::Connector;
    use crate::signer::{self, KeyTag, PinAsk, PinKind, PinSource, Token as _, TokenIdentity};
    use crate::tuf::digest::Digest;
    use crate::tuf::key::{KeySpec, Scheme};
    use crate::tuf::payload::Payload;
    use crate::tuf::statement::{Sentence, Statement, TrustId};
    use std::collections::VecDeque;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::{Arc, Mutex};

    const PACKET: usize = 64;

    type Answers = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

    /// A bus with one device, which speaks in packets of 64 bytes, as a YubiHSM does.
    struct Desk {
        serial: u32,
        taken: bool,
        wire: Arc<Mutex<Wire>>,
    }

    struct Wire {
        answers: Answers,
        coming: Vec<u8>,
        waiting: VecDeque<Vec<u8>>,
    }

    impl fmt::Debug for Desk {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a desk with {}", self.serial)
        }
    }

    impl Desk {
        fn with(
            serial: u32,
            answers: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static,
        ) -> &'static Self {
            let answers: Answers = Box::new(answers);
            let wire = Wire { answers, coming: Vec::new(), waiting: VecDeque::new() };
            Box::leak(Box::new(Self { serial, taken: false, wire: Arc::new(Mutex::new(wire)) }))
        }

        /// An answer to what nobody here asked.
        fn left(&self, answer: &[u8]) {
            self.wire.lock().unwrap().answer(answer);
        }
    }

    impl Bus for Desk {
        fn serials(&self) -> Result<Vec<u32>> {
            Ok(vec![self.serial])
        }

        fn open(&self, serial: u32) -> Result<Box<dyn Pipe>> {
            match (serial == self.serial, self.taken) {
                (true, false) => Ok(Box::new(Plug(Arc::clone(&self.wire)))),
                (true, true) => Err(refused(serial, "another program has it")),
                (false, _) => Err(missing(serial, "on USB")),
            }
        }
    }

    struct Plug(Arc<Mutex<Wire>>);

    impl Wire {
        fn answer(&mut self, bytes: &[u8]) {
            self.waiting.extend(bytes.chunks(PACKET).map(<[u8]>::to_vec));
            if bytes.len().is_multiple_of(PACKET) {
                self.waiting.push_back(Vec::new());
            }
        }
    }

    impl Pipe for Plug {
        fn packet(&self) -> usize {
            PACKET
        }

        fn write(&mut self, bytes: &[u8], _: Duration) -> std::result::Result<(), Broken> {
            let mut wire = self.0.lock().unwrap();
            wire.coming.extend(bytes);
            if bytes.is_empty() || !bytes.len().is_multiple_of(PACKET) {
                let message = std::mem::take(&mut wire.coming);
                match (wire.answers)(&message) {
                    Some(answer) => wire.answer(&answer),
                    None => return Err(Broken::Gone),
                }
            }
            Ok(())
        }

        fn read(&mut self, _: Duration) -> std::result::Result<Option<Vec<u8>>, Broken> {
            let mut wire = self.0.lock().unwrap();
            let end = wire.waiting.iter().position(|packet| packet.len() < PACKET);
            Ok(end.map(|end| wire.waiting.drain(..=end).flatten().collect()))
        }
    }

    #[test]
    fn messages_of_every_length_are_whole() {
        for length in [1, 2, 63, 64, 65, 127, 128, 129, 2048, 3136, wire::LONGEST_ANSWER] {
            let desk = Desk::with(7, |message| Some(message.iter().rev().copied().collect()));
            let message: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let answer: Vec<u8> = message.iter().rev().copied().collect();
            // Twice, since the end of one could be taken for the beginning of the next.
            for _ in 0..2 {
                assert_eq!(exchange(desk, 7, &message).unwrap(), answer, "{length}");
            }
        }
    }

    #[test]
    fn what_nobody_asked_is_no_answer() {
        let desk = Desk::with(7, |message| Some(message.to_vec()));
        desk.left(b"an answer to a program that was killed");
        desk.left(&[0; 128]);
        assert_eq!(exchange(desk, 7, b"hello").unwrap(), b"hello");
        (0..=LEFT).for_each(|_| desk.left(b"again"));
        let refusal = exchange(desk, 7, b"hello").unwrap_err();
        assert!(refusal.rule().name == "HSM-USB" && refusal.found().contains("nothing was asked"));
    }

    #[test]
    fn what_is_no_device_s_answer_is_refused() {
        let long = vec![0; wire::LONGEST_ANSWER + 1];
        let flood = Desk::with(7, move |_| Some(long.clone()));
        let gone = Desk::with(7, |_| None);
        let taken: &'static Desk =
            Box::leak(Box::new(Desk { serial: 7, taken: true, wire: Arc::clone(&gone.wire) }));
        for (desk, serial, rule, found) in [
            (flood, 7, "HSM-USB", "longer than any"),
            (gone, 7, "TOKEN-MISSING", "a moment ago"),
            (taken, 7, "HSM-USB", "another program"),
            (flood, 8, "TOKEN-MISSING", "0000000008 on USB"),
        ] {
            let refusal = exchange(desk, serial, b"hello").unwrap_err();
            assert_eq!(refusal.rule().name, rule, "{refusal}");
            assert!(refusal.found().contains(found), "{found}: {refusal}");
        }
        // A message of whole packets without the empty one is not over, and nothing comes.
        let desk = Desk::with(7, |message| Some(message.to_vec()));
        let mut plug = desk.open(7).unwrap();
        plug.write(&[0; 64], STALE).unwrap();
        assert!(plug.read(STALE).unwrap().is_none());
    }

    #[test]
    fn a_serial_number_is_ten_digits_and_no_other_text() {
        for (text, serial) in [
            ("0007550054", Some(7_550_054)),
            ("7550054", Some(7_550_054)),
            ("", None),
            ("0000000000", None),
            ("+7550054", None),
            ("00007550054", None),
            ("4294967296", None),
            ("7550054 ", None),
        ] {
            assert_eq!(serial_in(text), serial, "{text}");
        }
        // Whatever is plugged in here, it is asked for without a fault.
        let refusal = Machine.open(u32::MAX).map(drop).unwrap_err();
        assert_eq!(refusal.rule().name, "TOKEN-MISSING", "{refusal}");
    }

    /// Whoever knows every password.
    struct Typed;

    impl PinSource for Typed {
        fn pin(&mut self, ask: &PinAsk) -> Result<Pin> {
            let password = match ask.secret {
                PinKind::User | PinKind::NewUser => "signs every day",
                PinKind::SecurityOfficer | PinKind::NewSecurityOfficer => "administers",
                PinKind::Backup | PinKind::NewBackup => "backs it up",
                PinKind::Auditor | PinKind::NewAuditor => "reads the log",
            };
            Ok(Pin::new(password.to_owned()))
        }

        fn pin_pad(&mut self, ask: &PinAsk) -> Result<()> {
            self.pin(ask).map(drop)
        }

        fn touch(&mut self, _: &TokenIdentity) {}
    }

    struct Standin(Child);

    impl Drop for Standin {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A simulated YubiHSM (tests/standins/yubihsm) and its connector.
    fn standin(serial: u32) -> (Standin, Connector) {
        let target = std::env::current_exe().unwrap();
        let target = target.ancestors().nth(3).unwrap();
        let dir = target.join("tmp/yubihsm-usb");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let mut child = Command::new(target.join("standins/yubihsm-standin"))
            .args(["--listen", "127.0.0.1:0", "--serial", &serial.to_string(), "--state"])
            .arg(dir.join("state.json"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{e}: scripts/test-deps yubihsm makes it"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").unwrap().parse().unwrap();
        (Standin(child), Connector::at(address).unwrap())
    }

    /// From the factory to a signature and its log, a packet at a time.
    #[test]
    fn a_yubihsm_on_usb_is_prepared_and_signs() {
        const SERIAL: u32 = 7_550_054;
        let (_device, connector) = standin(SERIAL);
        let desk = Desk::with(SERIAL, move |message| connector.exchange(message).ok());
        let link = Link::Usb(desk, SERIAL);
        let mut token = YubiHsmToken::new(link, &link.device().unwrap(), &Randomness::system());
        assert_eq!(token.identity().serial, "0007550054");
        for (id, spec) in [(1, KeySpec::EcdsaP256), (2, KeySpec::Ed25519)] {
            let tag = KeyTag { label: format!("root-{id}"), id: [id; 16], place: None };
            let public = token.generate(spec, &tag, &mut Typed).unwrap().public;
            for letters in [1, 500, 2500] {
                let sentence =
                    Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a".repeat(letters) };
                let payload =
                    Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap());
                let mut signer = token.open(&public, &mut Typed).unwrap();
                let scheme = Scheme::of(public.algorithm());
                signer::sign(&mut *signer, &public, scheme, &payload, &mut Typed).unwrap();
                drop(signer);
                let log = token.audit_log().unwrap();
                let last = log.read(&mut Typed).unwrap().entries.last().unwrap().number;
                log.acknowledge(last, &mut Typed).unwrap();
            }
        }
    }
}
