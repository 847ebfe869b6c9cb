//! Feature `yubihsm` behind a connector that lies: whatever it hands on, changes, repeats, or makes
//! up, nothing of it is believed, nothing is learned from it, and nobody waits for ever. And beside
//! someone else at the device, who leaves traces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod hsms;
mod pins;

use hsms::Hsm;
use keyrite::signer::backends::Modules;
use keyrite::signer::randomness::Randomness;
use keyrite::signer::{self, Generated, KeyTag, Token};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeySpec, PublicKey, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::rule::Result;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use keyrite::tuf::verify::Signature;
use pins::Pins;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const A: u32 = 7_550_060;
const B: u32 = 7_550_061;

const CREATE_SESSION: u8 = 0x03;
const AUTHENTICATE: u8 = 0x04;
const DEVICE_INFO: u8 = 0x06;

type Lie = Box<dyn FnMut(&Exchange) -> Option<Vec<u8>> + Send>;

/// One message, and what the device answered to it.
#[derive(Clone)]
struct Exchange {
    asked: Vec<u8>,
    answer: Vec<u8>,
}

/// A connector before a device's own.
struct Liar {
    address: SocketAddr,
    lie: Arc<Mutex<Lie>>,
    heard: Arc<Mutex<Vec<Exchange>>>,
    /// So many messages are handed on, then one is not, and its connection is cut.
    deaf_after: Arc<Mutex<Option<usize>>>,
}

impl Liar {
    /// Hands everything on.
    fn before(hsm: &Hsm) -> Self {
        let honest: Lie = Box::new(|exchange| Some(exchange.answer.clone()));
        let (lie, heard) = (Arc::new(Mutex::new(honest)), Arc::<Mutex<Vec<Exchange>>>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let device: SocketAddr = hsm.connector().strip_prefix("http://").unwrap().parse().unwrap();
        let deaf_after = Arc::<Mutex<Option<usize>>>::default();
        let (told, kept, deaf) = (lie.clone(), heard.clone(), deaf_after.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let asked = body(&request(&mut stream)).to_vec();
                let left = deaf.lock().unwrap().take();
                *deaf.lock().unwrap() = left.and_then(|left| left.checked_sub(1));
                if left == Some(0) {
                    let _ = stream.shutdown(Shutdown::Both);
                    continue;
                }
                let exchange = Exchange { answer: handed_on(device, &asked), asked };
                let answer = told.lock().unwrap()(&exchange);
                kept.lock().unwrap().push(exchange);
                // None: the connection is cut.
                if let Some(answer) = answer {
                    let begins = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
                    let _ = stream.write_all(&[begins.as_bytes(), &answer].concat());
                }
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        Self { address, lie, heard, deaf_after }
    }

    fn lies(&self, lie: impl FnMut(&Exchange) -> Option<Vec<u8>> + Send + 'static) {
        *self.lie.lock().unwrap() = Box::new(lie);
        self.heard.lock().unwrap().clear();
    }

    fn is_honest(&self) {
        self.lies(|exchange| Some(exchange.answer.clone()));
    }

    fn heard(&self) -> Vec<Exchange> {
        self.heard.lock().unwrap().clone()
    }

    fn opened(&self, serial: u32) -> Result<Box<dyn Token>> {
        self.opened_drawing(serial, Randomness::system())
    }

    fn opened_drawing(&self, serial: u32, randomness: Randomness) -> Result<Box<dyn Token>> {
        let uri = format!("yubihsm:serial={serial:010};connector=http://{}", self.address);
        Modules::drawing(randomness).open(&uri.parse().unwrap(), None)
    }
}

fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut came = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let head = came.windows(4).position(|four| four == b"\r\n\r\n");
        let whole = head.map(|end| {
            let text = String::from_utf8_lossy(&came[..end]).to_lowercase();
            let length = text.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            end + 4 + length.trim().parse::<usize>().unwrap()
        });
        if whole.is_some_and(|whole| came.len() >= whole) {
            return came;
        }
        match stream.read(&mut piece).unwrap() {
            0 => return came,
            read => came.extend(&piece[..read]),
        }
    }
}

fn body(message: &[u8]) -> &[u8] {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    &message[end + 4..]
}

fn handed_on(device: SocketAddr, message: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(device).unwrap();
    let head = format!("POST /connector/api HTTP/1.0\r\nContent-Length: {}\r\n\r\n", message.len());
    stream.write_all(&[head.as_bytes(), message].concat()).unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    body(&came).to_vec()
}

fn pins() -> Pins {
    Pins::new("signs every day", "administers").and_duties("backs it up", "reads the log")
}

fn tag(id: u8) -> KeyTag {
    KeyTag { label: format!("root-{id}"), id: [id; 16], place: None }
}

fn made(liar: &Liar, serial: u32) -> Generated {
    liar.opened(serial).unwrap().generate(KeySpec::EcdsaP256, &tag(1), &mut pins()).unwrap()
}

fn sign(token: &mut dyn Token, public: &PublicKey) -> Result<Signature> {
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a test".into() };
    let payload = Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap());
    let mut pins = pins();
    let mut signer = token.open(public, &mut pins)?;
    signer::sign(&mut *signer, public, Scheme::of(public.algorithm()), &payload, &mut pins)
}

fn rule<T>(result: Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(refusal) => refusal.rule().name,
    }
}

/// What may become of an answer. `before`: the answer to the message before.
fn spoiled(how: usize, exchange: &Exchange, before: &[u8]) -> Option<Vec<u8>> {
    let mut answer = exchange.answer.clone();
    let last = answer.len() - 1;
    match how {
        0 => answer[last] ^= 1,
        1 => answer[last / 2] ^= 0x80,
        2 => answer.truncate(last),
        3 => answer.clear(),
        4 => answer = before.to_vec(),
        5 => answer = vec![0x7f, 0, 1, 0x0b],
        6 => answer = vec![0x7f, 0, 1, 0x04],
        7 => answer[0] = exchange.asked[0],
        8 => answer = [&[exchange.asked[0] | 0x80, 0, 0][..]].concat(),
        9 => answer = [&[exchange.asked[0] | 0x80, 0x0f, 0xfd], &[0xa5; 4093][..]].concat(),
        10 => answer.push(0),
        11 => answer.clone_from(&exchange.asked),
        _ => return None,
    }
    Some(answer)
}
const WAYS: usize = 13;

/// Each answer on the way to a signature, spoiled in each way.
#[test]
fn no_spoiled_answer_is_believed() {
    let dir = hsms::folder("spoiled");
    let mut hsm = Hsm::new(&dir, A);
    let liar = Liar::before(&hsm);
    let key = made(&liar, A);
    liar.is_honest();
    let signed = sign(&mut *liar.opened(A).unwrap(), &key.public).unwrap();
    assert_eq!(signed.key(), key.public.identity());
    let messages = liar.heard();
    let kinds: Vec<u8> = messages.iter().map(|exchange| exchange.asked[0]).collect();
    assert_eq!(kinds[..4], [DEVICE_INFO, DEVICE_INFO, CREATE_SESSION, AUTHENTICATE]);
    let mut seen = std::collections::BTreeSet::new();
    for place in 0..messages.len() {
        // A device keeps a session for 30 seconds that nobody could close.
        hsm.restart();
        for how in 0..WAYS {
            let (mut number, mut before) = (0, Vec::new());
            liar.lies(move |exchange| {
                number += 1;
                let answer = exchange.answer.clone();
                let told =
                    if number == place + 1 { spoiled(how, exchange, &before) } else { Some(answer.clone()) };
                before = answer;
                told
            });
            let began = Instant::now();
            let result = liar.opened(A).and_then(|mut token| sign(&mut *token, &key.public));
            assert!(began.elapsed() < Duration::from_secs(20), "{place} {how}");
            match result {
                // A signature was verified before it came here. Only what nobody relies on may be other
                // than it was: how full the log is, which kinds of keys there are, a session's end.
                Ok(_) => assert!(
                    place == messages.len() - 1
                        || kinds[place] == DEVICE_INFO
                        || messages[place].answer == [AUTHENTICATE | 0x80, 0, 0] && how == 8,
                    "{place} {how}: a spoiled answer was taken"
                ),
                Err(refusal) => drop(seen.insert(refusal.rule().name)),
            }
        }
    }
    let expected = ["CONNECTOR", "HSM-CHANNEL", "HSM-UNPREPARED", "PIN-WRONG", "TOKEN-FAILED"];
    for name in expected {
        assert!(seen.contains(name), "{name} of {seen:?}");
    }
    hsm.restart();
    liar.is_honest();
    sign(&mut *liar.opened(A).unwrap(), &key.public).unwrap();
}

/// While a device is prepared and makes its first key, the connection ends at each message once,
/// before the device has heard it or after, by turns: the next attempt gets there, and nothing is left over.
#[test]
fn a_line_that_is_cut_anywhere_is_gone_on_with() {
    let dir = hsms::folder("line");
    let count = {
        let hsm = Hsm::new(&dir, A);
        let liar = Liar::before(&hsm);
        made(&liar, A);
        liar.heard().len()
    };
    for place in (0..count).step_by(3) {
        let hsm = Hsm::new(&dir, B + u32::try_from(place).unwrap());
        let liar = Liar::before(&hsm);
        if place % 2 == 0 {
            *liar.deaf_after.lock().unwrap() = Some(place);
        } else {
            let mut number = 0;
            liar.lies(move |exchange| {
                number += 1;
                (number != place + 1).then(|| exchange.answer.clone())
            });
        }
        let mut pins = pins();
        let first = liar
            .opened(hsm.serial())
            .and_then(|mut token| token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins));
        liar.is_honest();
        let mut token = liar.opened(hsm.serial()).unwrap();
        let key = match first {
            Ok(key) => key,
            Err(_) => match token.adopt(KeySpec::EcdsaP256, &tag(1), &mut pins).unwrap() {
                Some(key) => key,
                None => token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins).unwrap(),
            },
        };
        sign(&mut *token, &key.public).unwrap();
        assert_eq!(hsm.state()["objects"].as_array().unwrap().len(), 5, "{place}: four duties and one key");
    }
}

/// One device's number with another device behind it, whose people have the same passwords.
#[test]
fn another_device_behind_a_false_number_signs_nothing() {
    let dir = hsms::folder("false");
    let (a, b) = (Hsm::new(&dir, A), Hsm::new(&dir, B));
    let (at_a, at_b) = (Liar::before(&a), Liar::before(&b));
    let key = made(&at_a, A);
    let other = made(&at_b, B);
    at_b.lies(|exchange| {
        let mut answer = exchange.answer.clone();
        if exchange.asked[0] == DEVICE_INFO {
            answer[6..10].copy_from_slice(&A.to_be_bytes());
        }
        Some(answer)
    });
    let mut token = at_b.opened(A).unwrap();
    // In the session it says what it is, whoever is between.
    assert_eq!(rule(sign(&mut *token, &key.public)), "HSM-CHANNEL");
    assert_eq!(rule(token.evidence(&other.public, &mut pins())), "HSM-CHANNEL");
    // And an old firmware does, behind one that passes for newer.
    let old = Hsm::of_firmware(&dir, A + 9, "2.3.2");
    let at_old = Liar::before(&old);
    at_old.lies(|exchange| {
        let mut answer = exchange.answer.clone();
        if exchange.asked[0] == DEVICE_INFO {
            answer[3..6].copy_from_slice(&[2, 4, 0]);
        }
        Some(answer)
    });
    let mut token = at_old.opened(A + 9).unwrap();
    assert_eq!(rule(token.generate(KeySpec::EcdsaP256, &tag(1), &mut pins())), "HSM-CHANNEL");
}

/// Who can't show that they know the password is shown nothing that depends on it: anything that did
/// could be compared with guesses, at leisure.
#[test]
fn a_password_is_not_shown_to_a_stranger() {
    let dir = hsms::folder("stranger");
    let hsm = Hsm::new(&dir, A);
    let liar = Liar::before(&hsm);
    let key = made(&liar, A);
    let mut shown = Vec::new();
    for password in ["signs every day", "signs every night"] {
        liar.lies(|exchange| {
            let mut answer = exchange.answer.clone();
            if exchange.asked[0] == CREATE_SESSION {
                answer[4..].fill(7);
            }
            Some(answer)
        });
        let constant = Randomness::given(|bytes| {
            bytes.fill(9);
            Ok(())
        });
        let mut token = liar.opened_drawing(A, constant).unwrap();
        let mut typed = Pins::new(password, "");
        assert_eq!(rule(token.open(&key.public, &mut typed)), "PIN-WRONG");
        drop(token);
        let proofs: Vec<_> = liar.heard().into_iter().filter(|e| e.asked[0] == AUTHENTICATE).collect();
        assert_eq!(proofs.len(), 1, "and the device closes the session that it opened");
        assert_eq!(proofs[0].answer, [0x7f, 0, 1, 0x04]);
        shown.push(proofs[0].asked[4..].to_vec());
    }
    assert_eq!(shown[0], shown[1]);
}

/// What someone does with a password that they should not have, by Yubico's own client, is seen by
/// whoever reads the log and looks at what there is.
#[test]
fn someone_else_leaves_traces() {
    let dir = hsms::folder("traces");
    let hsm = Hsm::new(&dir, A);
    let liar = Liar::before(&hsm);
    let act = |key: u16, password: &str, act: &[&str]| {
        let out = hsm.other(key, password, act);
        let said = String::from_utf8_lossy(if out.status.success() { &out.stdout } else { &out.stderr });
        said.trim().to_owned()
    };
    // Before the ceremony, where the factory's password is enough for all: gone by the reset.
    let theirs = act(1, "password", &["key", "0x8000", "rogue"]);
    assert!(theirs.parse::<u16>().is_ok(), "{theirs}");
    let key = made(&liar, A);
    let mut token = liar.opened(A).unwrap();
    sign(&mut *token, &key.public).unwrap();
    assert_eq!(act(1, "password", &["list"]), "YubiHsmDeviceError: OBJECT_NOT_FOUND (error code 0x0b)");

    let log = token.audit_log().unwrap();
    let signatures = |entries: &[keyrite::signer::AuditEntry]| {
        entries.iter().filter(|entry| entry.raw[2] == 0x56 && entry.raw[11] == 0xd6).count()
    };
    let before = log.read(&mut pins()).unwrap();
    assert_eq!((signatures(&before.entries), before.lost), (1, 0));
    assert!(log.inventory(&mut pins()).unwrap().iter().all(|held| held.prepared || held.public.is_some()));

    // A signature behind everyone's back, by the signer's password.
    assert_eq!(act(3, "signs every day", &["sign", "0x0101"]), "");
    assert_eq!(signatures(&log.read(&mut pins()).unwrap().entries), 2);
    // The signer can neither take keys out nor silence the log.
    let refused = "YubiHsmDeviceError: INSUFFICIENT_PERMISSIONS (error code 0x09)";
    for attempt in [&["forget"][..], &["key", "1", "rogue"], &["wrap", &"00".repeat(32)]] {
        assert_eq!(act(3, "signs every day", attempt), refused, "{attempt:?}");
    }
    // A key in a domain that nobody uses, by the administrator's.
    let rogue: u16 = act(2, "administers", &["key", "0x8000", "rogue"]).parse().unwrap();
    let held = log.inventory(&mut pins()).unwrap();
    let strange = held.iter().find(|held| held.what == format!("asymmetric key 0x{rogue:04x}")).unwrap();
    assert!(!strange.prepared && strange.public.is_none(), "no key of the record is there");
    // Who knows the auditor's password can have the log forgotten, and leaves a gap.
    assert_eq!(act(5, "reads the log", &["forget"]), "");
    let after = log.read(&mut pins()).unwrap().entries;
    assert!(after[0].number > before.entries.last().unwrap().number + 1);
}

/// What each authentication key may, by the words of Yubico's own client: what the manual says of its
/// duty, and nothing more.
#[test]
fn each_duty_may_what_it_needs_and_no_more() {
    let dir = hsms::folder("duties-told");
    let hsm = Hsm::new(&dir, A);
    let liar = Liar::before(&hsm);
    made(&liar, A);
    let told = hsm.other(5, "reads the log", &["duties"]);
    assert!(told.status.success(), "{told:?}");
    let signing = "EXPORTABLE_UNDER_WRAP,SIGN_ECDSA,SIGN_EDDSA";
    let moved = "EXPORTABLE_UNDER_WRAP,EXPORT_WRAPPED,IMPORT_WRAPPED,SIGN_ECDSA,SIGN_EDDSA";
    let expected = [
        format!(
            "2 administrator 0xffff DELETE_ASYMMETRIC_KEY,DELETE_AUTHENTICATION_KEY,GENERATE_ASYMMETRIC_KEY,\
             GET_OPAQUE,GET_OPTION,RESET_DEVICE,SIGN_ATTESTATION_CERTIFICATE {signing}"
        ),
        "3 signer 0x0001 SIGN_ECDSA,SIGN_EDDSA nothing".to_owned(),
        format!(
            "4 backup 0x0001 DELETE_WRAP_KEY,EXPORT_WRAPPED,GET_PSEUDO_RANDOM,IMPORT_WRAPPED,PUT_WRAP_KEY {moved}"
        ),
        "5 auditor 0xffff GET_LOG_ENTRIES nothing".to_owned(),
    ];
    let told = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

/// The factory's authentication key goes by the word of the new administrator, who has so shown to be let
/// in, and not by its own: what the device's log says of each change, and by which key.
#[test]
fn the_factorys_key_is_deleted_by_the_new_administrator() {
    let dir = hsms::folder("handed-over");
    let hsm = Hsm::new(&dir, A);
    let liar = Liar::before(&hsm);
    made(&liar, A);
    let log = liar.opened(A).unwrap().audit_log().unwrap().read(&mut pins()).unwrap();
    let changes: Vec<_> = log
        .entries
        .iter()
        .filter(|entry| [0x44, 0x4f, 0x58].contains(&entry.raw[2]))
        .map(|entry| (entry.raw[2], u16::from_be_bytes([entry.raw[5], entry.raw[6]])))
        .collect();
    // Four keys and two options by the factory's key; then its end, by the administrator's.
    let expected = [(0x4f, 1), (0x4f, 1), (0x44, 1), (0x44, 1), (0x44, 1), (0x44, 1), (0x58, 2)];
    assert_eq!(changes[changes.len() - 5..], expected[2..], "{changes:?}");
    assert!(changes.iter().all(|change| expected.contains(change)), "{changes:?}");
}
