//! The device at its port: a frame in, a frame out.

use crate::codes::{algorithm, command, error, kind};
use crate::commands::{self, Call};
use crate::keys;
use crate::knobs::Knobs;
use crate::log::{Event, NONE};
use crate::read::{Fields, Result, frame, unframe};
use crate::session::Sessions;
use crate::state::State;
use std::time::{Duration, Instant};

/// An answer, and the command that it answers: of a session's message, the one inside.
pub struct Answer {
    pub frame: Vec<u8>,
    pub command: u8,
}

pub struct Device {
    pub state: State,
    sessions: Sessions,
    started: Instant,
}

/// The longest frame, in bytes.
fn longest(firmware: [u8; 3]) -> usize {
    if firmware < [2, 4, 0] { 2047 } else { 3135 }
}

impl Device {
    pub fn new(state: State, idle: Duration) -> Self {
        Self { state, sessions: Sessions::new(idle), started: Instant::now() }
    }

    fn tick(&self) -> u32 {
        self.started.elapsed().as_millis() as u32
    }

    /// Answers, having kept what changed.
    pub fn answer(&mut self, message: &[u8], knobs: &Knobs) -> Answer {
        self.sessions.expire();
        let answered = if message.len() > longest(self.state.firmware) {
            Err(error::WRONG_LENGTH)
        } else {
            unframe(message)
        };
        let answer = match answered {
            Ok((command::SESSION_MESSAGE, body)) => self.in_session(message, body, knobs),
            Ok((command, body)) => {
                let answered = self.plain(command, message, body);
                Ok(Answer { frame: reply(command, &answered), command })
            }
            Err(code) => Err(code),
        };
        self.state.keep();
        answer
            .unwrap_or_else(|code| Answer { frame: frame(command::ERROR, &[code]), command: command::ERROR })
    }

    fn plain(&mut self, command: u8, message: &[u8], body: &[u8]) -> Result<Vec<u8>> {
        let mut event = Event {
            command,
            length: body.len() as u16,
            session: NONE,
            target: NONE,
            second: NONE,
            result: 0,
        };
        let answered = match command {
            command::ECHO => Ok(body.to_vec()),
            command::DEVICE_INFO => self.info(body),
            command::DEVICE_PUBLIC_KEY => {
                let public = keys::public(algorithm::P256, &self.state.device_key);
                Ok([&[algorithm::P256_AUTHENTICATION], public].concat())
            }
            command::CREATE_SESSION => self.create(body, &mut event.target),
            command::AUTHENTICATE_SESSION => self.authenticate(message, body, &mut event.target),
            _ => return Err(error::INVALID_COMMAND),
        };
        event.result = answered.as_ref().map_or_else(|code| *code, |_| command | 0x80);
        self.state.log.record(&event, self.tick());
        answered
    }

    fn info(&self, body: &[u8]) -> Result<Vec<u8>> {
        match body {
            [] | [0] => {
                let mut out = self.state.firmware.to_vec();
                out.extend(self.state.serial.to_be_bytes());
                out.extend([crate::log::SIZE as u8, self.state.log.used()]);
                out.extend(algorithm::ALL);
                Ok(out)
            }
            [1] if self.state.firmware >= [2, 4, 0] => Ok(b"SIMULATED".to_vec()),
            _ => Err(error::INVALID_DATA),
        }
    }

    fn create(&mut self, body: &[u8], target: &mut u16) -> Result<Vec<u8>> {
        let mut fields = Fields::of(body);
        let (id, challenge) = (fields.u16()?, fields.array::<8>()?);
        fields.end()?;
        *target = id;
        let key = self.state.object(kind::AUTHENTICATION_KEY, id, 0xffff)?;
        self.sessions.create(id, &key.data, challenge)
    }

    fn authenticate(&mut self, message: &[u8], body: &[u8], target: &mut u16) -> Result<Vec<u8>> {
        let &[id, ..] = body else { return Err(error::WRONG_LENGTH) };
        if body.len() != 17 {
            return Err(error::WRONG_LENGTH);
        }
        *target = self.sessions.key(id)?;
        self.sessions.authenticate(id, message)?;
        Ok(Vec::new())
    }

    fn in_session(&mut self, message: &[u8], body: &[u8], knobs: &Knobs) -> Result<Answer> {
        let &[id, ..] = body else { return Err(error::WRONG_LENGTH) };
        let opened = self.sessions.open(id, message)?;
        let (command, body) = match unframe(&opened.content) {
            Ok(read) => read,
            Err(code) => {
                let sealed = opened.seal(command::SESSION_MESSAGE | 0x80, id, &reply(0, &Err(code)));
                return Ok(Answer { frame: sealed, command: command::ERROR });
            }
        };
        knobs.dies("before", command);
        let mut call = Call { key: opened.key, target: NONE, second: NONE };
        let stays = knobs.fires("stays", command).then(|| self.state.objects.clone());
        let lie = knobs.lie(command);
        let truth = (lie.as_deref() == Some("key")).then(|| self.state.objects.clone());
        if truth.is_some() {
            self.state.another_key(body);
        }
        let answered = match knobs.error(command) {
            Some(code) => Err(code),
            None => self.run(command, body, &mut call),
        };
        if let Some(objects) = truth {
            self.state.objects = objects;
        } else if let Some(lie) = lie {
            self.state.other_than_asked(&lie, call.target);
        }
        if let Some(objects) = stays {
            self.state.objects = objects;
        }
        let event = Event {
            command,
            length: body.len() as u16,
            session: opened.key,
            target: call.target,
            second: call.second,
            result: answered.as_ref().map_or_else(|code| *code, |_| command | 0x80),
        };
        // What RESET DEVICE wipes, it wipes of itself too.
        if command != command::RESET_DEVICE || answered.is_err() {
            self.state.log.record(&event, self.tick());
        }
        let mut sealed = opened.seal(command::SESSION_MESSAGE | 0x80, id, &reply(command, &answered));
        if knobs.fires("mac", command)
            && let Some(last) = sealed.last_mut()
        {
            *last ^= 1;
        }
        if answered.is_ok() {
            self.end_sessions(command, id, call.target);
        }
        self.state.keep();
        knobs.dies("after", command);
        Ok(Answer { frame: sealed, command })
    }

    fn run(&mut self, command: u8, body: &[u8], call: &mut Call) -> Result<Vec<u8>> {
        self.state.log.admits(command)?;
        match command {
            command::ECHO => Ok(body.to_vec()),
            command::DEVICE_INFO => self.info(body),
            command::CLOSE_SESSION if body.is_empty() => Ok(Vec::new()),
            _ => commands::run(&mut self.state, command, body, call),
        }
    }

    fn end_sessions(&mut self, command: u8, id: u8, target: u16) {
        match command {
            command::CLOSE_SESSION => self.sessions.close(id),
            command::RESET_DEVICE => {
                self.sessions.close_all();
                self.started = Instant::now();
            }
            command::DELETE_OBJECT
                if self.state.object(kind::AUTHENTICATION_KEY, target, 0xffff).is_err() =>
            {
                self.sessions.close_of(target);
            }
            _ => {}
        }
    }
}

fn reply(command: u8, answered: &Result<Vec<u8>>) -> Vec<u8> {
    match answered {
        Ok(content) => frame(command | 0x80, content),
        Err(code) => frame(command::ERROR, &[*code]),
    }
}
