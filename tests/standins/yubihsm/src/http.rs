//! The connector: HTTP/1.1 on loopback, as `yubihsm-connector` speaks it.

use crate::device::Device;
use crate::knobs::Knobs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of a request's head, and of its body.
const HEAD: u64 = 16 << 10;
const BODY: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_mins(1);

struct Request {
    line: String,
    body: Vec<u8>,
    closes: bool,
}

pub fn serve(listener: &TcpListener, device: Device, knobs: Knobs) -> io::Result<()> {
    let port = listener.local_addr()?.port();
    let shared = Arc::new((Mutex::new(device), knobs));
    for stream in listener.incoming() {
        let (stream, shared) = (stream?, shared.clone());
        thread::spawn(move || {
            let _ = talk(&stream, port, &shared.0, &shared.1);
        });
    }
    Ok(())
}

fn talk(stream: &TcpStream, port: u16, device: &Mutex<Device>, knobs: &Knobs) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let words: Vec<_> = request.line.split_whitespace().collect();
        let mut dropped = false;
        let (status, body) = match words.as_slice() {
            ["GET", "/connector/status", _] => ("200 OK", status(port)),
            ["POST", "/connector/api", _] => {
                let mut device = device.lock().unwrap_or_else(PoisonError::into_inner);
                let answer = device.answer(&request.body, knobs);
                dropped = knobs.fires("drop", answer.command);
                ("200 OK", answer.frame)
            }
            ["TOO", "LONG"] => ("413 Content Too Large", Vec::new()),
            [_, "/connector/api" | "/connector/status", _] => ("405 Method Not Allowed", Vec::new()),
            [_, _, _] => ("404 Not Found", Vec::new()),
            _ => ("400 Bad Request", Vec::new()),
        };
        let closes = request.closes || !status.starts_with("200");
        let connection = if closes { "close" } else { "keep-alive" };
        let mut out = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        out.extend(&body);
        if dropped {
            out.truncate(out.len() - body.len().div_ceil(2));
        }
        write(stream, &out, knobs)?;
        if closes || dropped {
            return stream.shutdown(std::net::Shutdown::Both);
        }
    }
    Ok(())
}

fn write(mut stream: &TcpStream, bytes: &[u8], knobs: &Knobs) -> io::Result<()> {
    let (size, pause) = knobs.pieces().unwrap_or((usize::MAX, Duration::ZERO));
    for piece in bytes.chunks(size) {
        stream.write_all(piece)?;
        stream.flush()?;
        if size != usize::MAX {
            // Long enough that the other side reads the piece by itself.
            thread::sleep(pause.max(Duration::from_micros(200)));
        }
    }
    Ok(())
}

fn status(port: u16) -> Vec<u8> {
    let pid = std::process::id();
    format!("status=OK\nserial=*\nversion=3.0.5\npid={pid}\naddress=127.0.0.1\nport={port}\n").into_bytes()
}

/// None at the end of the stream.
fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Request>> {
    let mut head = reader.by_ref().take(HEAD);
    let mut line = String::new();
    if head.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let (mut length, mut closes) = (0, line.trim_end().ends_with("HTTP/1.0"));
    loop {
        let mut field = String::new();
        if head.read_line(&mut field)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = field.trim_end().split_once(':') else {
            if field.trim_end().is_empty() {
                break;
            }
            return Ok(Some(Request { line: String::new(), body: Vec::new(), closes: true }));
        };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "content-length" => length = value.parse().unwrap_or(usize::MAX),
            "transfer-encoding" => length = usize::MAX,
            "connection" => closes |= value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    if length > BODY {
        return Ok(Some(Request { line: "TOO LONG".to_owned(), body: Vec::new(), closes: true }));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { line, body, closes }))
}
