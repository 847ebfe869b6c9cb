//! Simulated YubiHSMs behind connectors of a test's own: tests/standins/yubihsm.

#![allow(dead_code, reason = "not every test plays with every knob")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// One device, until it is dropped.
pub struct Hsm {
    process: Child,
    state: PathBuf,
    address: SocketAddr,
    serial: u32,
}

/// An empty folder for a test's devices.
pub fn folder(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("yubihsm-{test}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn program() -> PathBuf {
    let standins = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("standins");
    let program = standins.join("yubihsm-standin");
    assert!(program.exists(), "{}: scripts/test-deps yubihsm makes it", program.display());
    program
}

impl Hsm {
    /// A device as from the factory, in a folder that all devices of a vendor share.
    pub fn new(dir: &Path, serial: u32) -> Self {
        Self::of_firmware(dir, serial, "2.4.0")
    }

    /// The same with another firmware.
    pub fn of_firmware(dir: &Path, serial: u32, firmware: &str) -> Self {
        let state = dir.join(format!("{serial}.json"));
        let (process, address) = start(&state, serial, firmware, "127.0.0.1:0");
        Self { process, state, address, serial }
    }

    /// Without power, and with it again at the same port.
    pub fn restart(&mut self) {
        self.stop();
        let (process, address) = start(&self.state, self.serial, "2.4.0", &self.address.to_string());
        self.process = process;
        self.address = address;
    }

    /// Without power.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// `http://127.0.0.1:PORT`.
    pub fn connector(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URI of a key on it.
    pub fn uri(&self) -> String {
        format!("yubihsm:serial={:010};connector={}", self.serial, self.connector())
    }

    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// What goes wrong from now on, a line each: see `knobs` of the stand-in.
    pub fn faults(&self, lines: &str) {
        fs::write(self.state.with_extension("faults"), lines).unwrap();
    }

    /// Faults that have not come to pass.
    pub fn faults_left(&self) -> String {
        fs::read_to_string(self.state.with_extension("faults")).unwrap_or_default()
    }

    /// Someone else at the device, with Yubico's own client: tests/interop/hsm/other.py says what they
    /// can do. `key`: the authentication key whose password they know.
    pub fn other(&self, key: u16, password: &str, act: &[&str]) -> Output {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-venv/bin/python");
        assert!(python.exists(), "{}: scripts/test-deps python makes it", python.display());
        Command::new(python)
            .args(["-B", "tests/interop/hsm/other.py", &self.connector(), &key.to_string(), password])
            .args(act)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Someone had the device in their hands and changed it.
    pub fn tamper(&mut self, change: impl Fn(&mut serde_json::Value)) {
        self.stop();
        let mut state = self.state();
        change(&mut state);
        fs::write(&self.state, serde_json::to_vec(&state).unwrap()).unwrap();
        self.restart();
    }

    /// The whole device, as the stand-in keeps it.
    pub fn state(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(&self.state).unwrap()).unwrap()
    }
}

impl Drop for Hsm {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(state: &Path, serial: u32, firmware: &str, listen: &str) -> (Child, SocketAddr) {
    let mut process = Command::new(program())
        .args(["--listen", listen, "--serial", &serial.to_string(), "--firmware", firmware, "--state"])
        .arg(state)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening ").unwrap_or_else(|| panic!("{line:?}"));
    (process, address.parse().unwrap())
}
