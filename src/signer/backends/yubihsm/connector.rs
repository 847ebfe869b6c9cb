//! Yubico's connector, over HTTP on this machine: one request, one answer, one connection.
//!
//! It answers anyone who reaches it, in the clear, so it is spoken to on a loopback address alone,
//! which is written as a number: a name could lead anywhere (threats T22). HTTP/1.0 is asked for,
//! because its answers are whole or end with the connection and never come in chunks. They may come
//! in many small pieces: each is waited for until one deadline for the whole, and nothing longer than
//! any answer of a device is read.

use super::wire;
use crate::signer::rules;
use crate::signer::yubihsm::Connector;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest that a device takes for a command that keyrite gives it, with room for slow ones.
const PATIENCE: Duration = Duration::from_secs(15);
/// A connector on this machine is there at once or not at all.
const CONNECT: Duration = Duration::from_secs(2);
/// No head of an answer is longer, in bytes.
const LONGEST_HEAD: usize = 4096;

impl Connector {
    /// Hands one message to the device and takes its answer.
    ///
    /// # Errors
    ///
    /// `TOKEN-MISSING` if nobody listens there or no device is behind it, `CONNECTOR`.
    pub fn exchange(self, message: &[u8]) -> Result<Vec<u8>> {
        self.exchange_within(message, PATIENCE)
    }

    /// The same with a deadline of the caller's.
    pub(super) fn exchange_within(self, message: &[u8], patience: Duration) -> Result<Vec<u8>> {
        let deadline = Deadline { at: Instant::now().checked_add(patience), connector: self };
        let mut stream = TcpStream::connect_timeout(&self.address(), CONNECT).map_err(|e| {
            let expected = format!("a YubiHSM connector at {self}");
            Refusal::new(&rules::TOKEN_MISSING, format!("{self}: {e}"), expected)
        })?;
        let mut request = format!(
            "POST /connector/api HTTP/1.0\r\nHost: {}\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.address(),
            message.len()
        )
        .into_bytes();
        request.extend(message);
        // What is asked is hardly secret: whatever is, is encrypted before it comes here.
        stream.set_nodelay(true).map_err(|e| self.failed(&e.to_string()))?;
        stream.set_write_timeout(Some(deadline.left()?)).map_err(|e| self.failed(&e.to_string()))?;
        stream.write_all(&request).map_err(|e| self.failed(&e.to_string()))?;
        self.answer(&mut stream, &deadline)
    }

    fn answer(self, stream: &mut TcpStream, deadline: &Deadline) -> Result<Vec<u8>> {
        let mut came = Vec::new();
        let most = LONGEST_HEAD.saturating_add(wire::LONGEST_ANSWER);
        let (head, begins) = loop {
            if let Some(end) = came.windows(4).position(|four| four == b"\r\n\r\n") {
                let (head, _) = came.split_at(end);
                break (String::from_utf8_lossy(head).into_owned(), end.saturating_add(4));
            }
            if came.len() > LONGEST_HEAD {
                return Err(self.failed("a head that does not end"));
            }
            if !self.more(stream, deadline, &mut came)? {
                return Err(self.failed("the connection ends in the head of the answer"));
            }
        };
        let length = self.length(&head)?;
        let whole = length.map(|length| begins.saturating_add(length));
        while whole.is_none_or(|whole| came.len() < whole) {
            if came.len() > most {
                return Err(self.failed("an answer longer than any of a YubiHSM"));
            }
            if !self.more(stream, deadline, &mut came)? {
                break;
            }
        }
        let body = came.split_off(begins.min(came.len()));
        if length.is_some_and(|length| body.len() != length) {
            return Err(self.failed("an answer of another length than it says"));
        }
        Ok(body)
    }

    /// What the head says of the body's length; none if it lasts as long as the connection.
    fn length(self, head: &str) -> Result<Option<usize>> {
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let code = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        match code {
            Some("200") => {}
            // Yubico's connector says so where no device is plugged in.
            Some("404" | "500" | "502" | "503") => {
                let found = format!("{self} answers \"{}\"", visible(first));
                return Err(Refusal::new(&rules::TOKEN_MISSING, found, "a YubiHSM behind the connector"));
            }
            _ => return Err(self.failed(&format!("the answer \"{}\"", visible(first)))),
        }
        let mut length = None;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(self.failed("an answer in chunks"));
            }
            if name.eq_ignore_ascii_case("content-length") {
                let read: usize = value.trim().parse().map_err(|_| self.failed("a length that is none"))?;
                if read > wire::LONGEST_ANSWER || length.replace(read).is_some() {
                    return Err(self.failed("an answer longer than any of a YubiHSM, or two lengths"));
                }
            }
        }
        Ok(length)
    }

    /// Reads what there is; no if the connection has ended.
    fn more(self, stream: &mut TcpStream, deadline: &Deadline, came: &mut Vec<u8>) -> Result<bool> {
        let mut piece = [0; 4096];
        stream.set_read_timeout(Some(deadline.left()?)).map_err(|e| self.failed(&e.to_string()))?;
        let read = match stream.read(&mut piece) {
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(deadline.passed());
            }
            Err(e) => return Err(self.failed(&e.to_string())),
        };
        came.extend(piece.get(..read).unwrap_or_default());
        Ok(read > 0)
    }

    fn failed(self, found: &str) -> Refusal {
        Refusal::new(&rules::CONNECTOR, format!("{self}: {found}"), "the whole answer of a YubiHSM, in time")
    }
}

struct Deadline {
    at: Option<Instant>,
    connector: Connector,
}

impl Deadline {
    /// What is left; never nothing, which would mean for ever.
    fn left(&self) -> Result<Duration> {
        let left = self.at.and_then(|at| at.checked_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero()).ok_or_else(|| self.passed())
    }

    fn passed(&self) -> Refusal {
        self.connector.failed("no whole answer in time")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A server that answers with these pieces, one after the other.
    fn server(pieces: Vec<Vec<u8>>, pause: Duration) -> Connector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            for piece in pieces {
                if stream.write_all(&piece).is_err() {
                    return;
                }
                thread::sleep(pause);
            }
        });
        Connector::at(address).unwrap()
    }

    fn asked(answer: &[u8], piece: usize, pause: u64, patience: u64) -> Result<Vec<u8>> {
        let pieces = answer.chunks(piece).map(<[u8]>::to_vec).collect();
        let connector = server(pieces, Duration::from_millis(pause));
        connector.exchange_within(b"hello", Duration::from_millis(patience))
    }

    #[test]
    fn answers_come_in_any_pieces() {
        let with_length = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\nX: y\r\n\r\nhello".to_vec();
        let to_the_end = b"HTTP/1.0 200 OK\r\n\r\nhello".to_vec();
        for answer in [with_length, to_the_end] {
            for piece in [1, 3, 19, 4096] {
                assert_eq!(asked(&answer, piece, 1, 5000).unwrap(), b"hello");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", wire::LONGEST_ANSWER + 1);
        let flood = [b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), vec![0; 100_000]].concat();
        for (answer, found, rule) in [
            (b"".to_vec(), "ends in the head", "CONNECTOR"),
            (vec![b'x'; 9000], "does not end", "CONNECTOR"),
            (b"SSH-2.0\r\n\r\n".to_vec(), "SSH-2.0", "CONNECTOR"),
            (b"HTTP/1.1 301 Moved\r\n\r\n".to_vec(), "301", "CONNECTOR"),
            (b"HTTP/1.1 500 No device\r\n\r\n".to_vec(), "500", "TOKEN-MISSING"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), "chunks", "CONNECTOR"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec(), "a length", "CONNECTOR"),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx".to_vec(),
                "two",
                "CONNECTOR",
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell".to_vec(), "another length", "CONNECTOR"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello".to_vec(), "another length", "CONNECTOR"),
            (long.into_bytes(), "longer than any", "CONNECTOR"),
            (flood, "longer than any", "CONNECTOR"),
        ] {
            let refusal = asked(&answer, 1 << 20, 0, 5000).unwrap_err();
            assert_eq!(refusal.rule().name, rule, "{refusal}");
            assert!(refusal.found().contains(found), "{found}: {refusal}");
        }
    }

    #[test]
    fn a_slow_drip_ends_at_the_deadline() {
        let answer = [b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), vec![0; 1000]].concat();
        let began = Instant::now();
        let refusal = asked(&answer, 1, 20, 300).unwrap_err();
        assert!(refusal.found().contains("in time"), "{refusal}");
        assert!(began.elapsed() < Duration::from_secs(3));
        // Nobody listens on a port that was just given back.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = Connector::at(listener.local_addr().unwrap()).unwrap();
        drop(listener);
        assert_eq!(gone.exchange(b"x").unwrap_err().rule().name, "TOKEN-MISSING");
    }
}
