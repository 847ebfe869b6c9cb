//! The wire to vpcd: messages with a length of two bytes before them; those of one byte control
//! the card, all others are commands to it (vsmartcard, vpcd.c).
//!
//! vpcd listens and the card connects. The other way round doesn't do: the driver of Debian 12 never
//! connects twice. vpcd listens on every interface, so both belong into a network namespace that has
//! none but loopback: scripts/pcscd sees to it.

use crate::knobs::{Knobs, Leaves};
use rustix::net::sockopt::set_tcp_quickack;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(20);

/// A YubiKey 5's ATR over contacts.
const ATR: [u8; 23] = [
    0x3b, 0xfd, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x80, 0x73, 0xc0, 0x21, 0xc0, 0x57, 0x59, 0x75,
    0x62, 0x69, 0x4b, 0x65, 0x79, 0x40,
];

/// What is behind the contacts.
pub trait Card {
    /// Into a reader.
    fn insert(&mut self);
    /// Power off and on.
    fn reset(&mut self);
    /// A command's response, its status word last.
    fn command(&mut self, bytes: &[u8], knobs: &Knobs) -> Vec<u8>;
}

/// Serves until it is killed.
pub fn serve(dir: &Path, port: u16, mut card: impl Card) -> io::Result<()> {
    let knobs = Knobs::new(dir);
    loop {
        if !knobs.is_out()
            && let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        {
            card.insert();
            // The reader going away is the card going out: nothing to complain about.
            let _ = talk(stream, &mut card, &knobs);
            card.reset();
            knobs.powered(false)?;
        }
        std::thread::sleep(POLL);
    }
}

fn talk(mut stream: TcpStream, card: &mut impl Card, knobs: &Knobs) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(POLL))?;
    while let Some(message) = message(&mut stream, knobs)? {
        let answer = match message.as_slice() {
            [control @ 0..=2] => {
                card.reset();
                if *control > 0 {
                    knobs.powered(true)?;
                }
                continue;
            }
            [4] => ATR.to_vec(),
            command => {
                let leaves = knobs.leaves_at(command.get(1).copied().unwrap_or_default());
                if leaves == Leaves::Before {
                    knobs.leave();
                    return Ok(());
                }
                let answer = card.command(command, knobs);
                if leaves == Leaves::After {
                    knobs.leave();
                    return Ok(());
                }
                answer
            }
        };
        stream.write_all(&u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
    Ok(())
}

/// The next message; none if the card was taken out.
fn message(stream: &mut TcpStream, knobs: &Knobs) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    // vpcd sends the length alone, and the rest only once that is acknowledged: without this,
    // which the kernel forgets each time, every command takes 40 ms.
    let _ = set_tcp_quickack(&*stream, true);
    if !fill(stream, &mut length, knobs)? {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    Ok(fill(stream, &mut bytes, knobs)?.then_some(bytes))
}

fn fill(stream: &mut TcpStream, bytes: &mut [u8], knobs: &Knobs) -> io::Result<bool> {
    let mut at = 0;
    while at < bytes.len() {
        match stream.read(&mut bytes[at..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => at += n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if knobs.is_out() {
                    return Ok(false);
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}
