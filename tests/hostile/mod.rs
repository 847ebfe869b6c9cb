//! A web server on loopback that does what a test says: answers slowly, falsely, too much or not at all.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking; not every test uses all of it"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What is answered.
pub enum Reply {
    /// 200 and this.
    Gives(Vec<u8>),
    /// This status, these headers and this.
    Says(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// 200, but the connection ends with the first half.
    Half(Vec<u8>),
    /// 200, byte by byte, ten in a second.
    Drips(Vec<u8>),
    /// 200, and it never ends; without a length, or with one that is a lie.
    Endless(Option<u64>),
    /// Nothing, while the connection stays open.
    Waits,
    /// The connection is closed.
    Closes,
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
}

type Answer = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server.
pub struct Hostile {
    pub url: String,
    answer: Arc<Mutex<Arc<Answer>>>,
    heard: Arc<Mutex<Vec<Asked>>>,
}

impl Hostile {
    pub fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer: Arc<Mutex<Arc<Answer>>> = Arc::new(Mutex::new(Arc::new(answer)));
        let heard = Arc::<Mutex<Vec<Asked>>>::default();
        let (told, kept) = (answer.clone(), heard.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (told, kept) = (told.clone(), kept.clone());
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    let Some(asked) = hear(&stream) else { return };
                    let answer = told.lock().unwrap().clone();
                    kept.lock().unwrap().push(asked.clone());
                    say(stream, answer(&asked));
                });
            }
        });
        Self { url, answer, heard }
    }

    /// Serves these files, 404 for all others.
    pub fn files(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self::new(move |asked| file(&files, asked))
    }

    /// From now on it answers so.
    pub fn now(&self, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
        self.heard.lock().unwrap().clear();
    }

    /// What was asked, in order.
    pub fn heard(&self) -> Vec<Asked> {
        self.heard.lock().unwrap().clone()
    }
}

/// The file of that name, or 404.
pub fn file(files: &BTreeMap<String, Vec<u8>>, asked: &Asked) -> Reply {
    match files.get(asked.path.trim_start_matches('/')) {
        Some(bytes) => Reply::Gives(bytes.clone()),
        None => Reply::Says(404, Vec::new(), b"no such file".to_vec()),
    }
}

/// What a server at `http://…` answers to the same question, with its head, as it came.
pub fn handed_on(url: &str, asked: &Asked) -> Vec<u8> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let headers = asked.headers.iter().filter(|(name, _)| *name != "connection");
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head =
        format!("{} {} HTTP/1.1\r\n{}Connection: close\r\n\r\n", asked.method, asked.path, headers.concat());
    stream.write_all(&[head.as_bytes(), &asked.body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn hear(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|text: &String| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body })
}

fn say(mut stream: TcpStream, reply: Reply) {
    let head = |status: u16, headers: &[(&str, String)], length: Option<u64>| {
        let length = length.map_or(String::new(), |bytes| format!("Content-Length: {bytes}\r\n"));
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        format!("HTTP/1.1 {status} -\r\n{length}{headers}Connection: close\r\n\r\n").into_bytes()
    };
    let size = |bytes: &[u8]| Some(bytes.len() as u64);
    let _ = match reply {
        Reply::Gives(bytes) => stream.write_all(&[head(200, &[], size(&bytes)), bytes].concat()),
        Reply::Says(status, headers, bytes) => {
            stream.write_all(&[head(status, &headers, size(&bytes)), bytes].concat())
        }
        Reply::Half(bytes) => {
            stream.write_all(&[head(200, &[], size(&bytes)), bytes[..bytes.len() / 2].to_vec()].concat())
        }
        Reply::Drips(bytes) => {
            let mut done = stream.write_all(&head(200, &[], size(&bytes)));
            for byte in bytes {
                if done.is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(100));
                done = stream.write_all(&[byte]);
            }
            done
        }
        Reply::Endless(told) => {
            let mut done = stream.write_all(&head(200, &[], told));
            while done.is_ok() {
                done = stream.write_all(&b" ".repeat(65_536));
            }
            done
        }
        Reply::Waits => {
            // Until whoever asked has gone.
            let _ = stream.read(&mut [0]);
            Ok(())
        }
        Reply::Closes => Ok(()),
        Reply::Raw(bytes) => stream.write_all(&bytes),
    };
}
