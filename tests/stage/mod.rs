//! A stage for whole ceremonies: a record, tokens, device maps and PIN files of its own, and the
//! program itself, spawned once for every line that a person would type.
//!
//! What people answer comes from the file that `plan --write-answers` wrote, filled in as its
//! comments say. Nothing of the program runs in this process but what makes the record, in the
//! place of the questions that `init` asks.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; not every test plays every part"
)]

use keyrite::ceremony::facts::{Stage as Kind, Trust};
use keyrite::ceremony::limits::Limits;
use keyrite::record::upload::{Beside, Upload};
use keyrite::record::{Record, TrustFile, TrustSpec};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use rexpect::session::spawn_command;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where Debian has SoftHSM's module.
pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// Every token's PIN.
pub const PIN: &str = "31415926";
/// Every key file's pass-phrase.
pub const PHRASE: &str = "correct horse battery staple";

/// One test's record and everything around it.
pub struct Stage {
    /// A folder of the test's own, empty at first.
    pub dir: PathBuf,
    /// The record of the ceremony's laptop.
    pub record: PathBuf,
    /// What it is about.
    pub trust: Trust,
}

impl Stage {
    /// A new record in a new folder.
    pub fn new(name: &str, profile: Profile, kind: Kind, limits: &Limits) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stage-{name}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("tokens")).unwrap();
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            dir.join("tokens").display()
        );
        fs::write(dir.join("softhsm2.conf"), conf).unwrap();
        for (file, secret) in [("pin", PIN), ("phrase", PHRASE)] {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(dir.join(file)).unwrap();
            writeln!(file, "{secret}").unwrap();
        }
        let toml = limits.to_toml();
        let rehearsal = if kind == Kind::Rehearsal { "rehearsal.invalid/" } else { "" };
        let spec = TrustSpec {
            profile,
            collection: format!("{rehearsal}updates.example.com/apps"),
            stage: kind,
            limits: Digest::of(toml.as_bytes()),
            shadows: None,
            start: None,
            nonce: *Digest::of(format!("{name} {}", std::process::id()).as_bytes()).as_bytes(),
        };
        let file = TrustFile::new(&spec).unwrap();
        let record = dir.join("record");
        Record::create(&record, &file, toml.as_bytes()).unwrap();
        Self { dir, record, trust: file.trust().clone() }
    }

    /// A path of the stage's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A file of the stage's folder, with this text.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// An upload of these documents (role, version, bytes), in a folder; whoever makes MANIFEST signs nothing.
    pub fn upload(&self, name: &str, documents: &[(&str, u64, &[u8])]) -> PathBuf {
        let documents: BTreeMap<_, _> = documents
            .iter()
            .map(|(role, version, bytes)| (RoleName::from_name(role), (*version, bytes.to_vec())))
            .collect();
        let made = Upload::with(&self.trust, None, &documents, &Beside::default(), None).unwrap();
        let dir = self.path(name);
        fs::create_dir_all(&dir).unwrap();
        for (file, bytes) in made.files() {
            fs::write(dir.join(file.as_str()), bytes).unwrap();
        }
        fs::write(dir.join("MANIFEST"), made.manifest()).unwrap();
        dir
    }

    /// Runs the program with these arguments, without a terminal.
    pub fn keyrite<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
        command.args(arguments).current_dir(&self.dir).env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        // Read by the proxy alone, where a device map names it.
        command.env("KEYRITE_SHIM", self.path("shim.conf"));
        Done::of(&mut command)
    }

    /// Runs the program on one copy of the record, with one person's device map.
    pub fn on(&self, record: &Path, devices: &Path, arguments: &[&str]) -> Done {
        let start = ["-C", utf8(record), "--devices", utf8(devices), "--json"];
        self.keyrite(start.iter().chain(arguments))
    }

    /// A device map by way of the proxy that fails or lies as these lines say (`tests/standins/p11shim`), and
    /// beneath what to run the program.
    pub fn failing(&self, devices: &Path, knobs: &str) -> (PathBuf, [String; 2]) {
        let shim = brought("standins/libp11shim.so");
        let digest = |path: &Path| Digest::of(&fs::read(path).unwrap()).hex();
        let map = fs::read_to_string(devices).unwrap().replace(SOFTHSM, utf8(&shim));
        // Nobody knows where a module of that name writes.
        let folders = format!("{}\"\nfolders = [\"tokens", digest(&shim));
        let map = map.replace(&format!("{}\"", digest(Path::new(SOFTHSM))), &format!("{folders}\"]"));
        let knobs = self.write("shim.conf", &format!("module={SOFTHSM}\n{knobs}"));
        let under = ["env".to_owned(), format!("KEYRITE_SHIM={}", utf8(&knobs))];
        (self.write("failing.toml", &map), under)
    }

    /// Initialises a SoftHSM token with this label; its serial is what the program lists.
    pub fn token(&self, label: &str) -> String {
        let mut command = Command::new("softhsm2-util");
        command.args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "27182818"]);
        command.env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        Done::of(&mut command).ended(0);
        let listed = self.keyrite(["--json", "tokens", "--module", SOFTHSM, "list"]).ended(0).json();
        let tokens = listed["tokens"].as_array().unwrap();
        let found = tokens.iter().find(|token| token["label"] == label);
        let found = found.unwrap_or_else(|| panic!("no token {label} in {listed}"));
        found["serial"].as_str().unwrap().to_owned()
    }

    /// Plans a runbook and holds it unattended, with every prompt of the plan answered; gives the
    /// change's digest and how `run` ended.
    pub fn hold(&self, devices: &Path, runbook: &Path) -> (String, Done) {
        let (change, answers) = self.answers(devices, runbook);
        let run = ["run", utf8(runbook), "--answers", utf8(&answers), "--unattended"];
        (change, self.on(&self.record, devices, &run))
    }

    /// Plans a runbook, with every prompt of the plan answered: the change's digest and the answers.
    pub fn answers(&self, devices: &Path, runbook: &Path) -> (String, PathBuf) {
        let number = fs::read_dir(&self.dir).unwrap().count();
        let answers = self.path(&format!("answers-{number}.toml"));
        let plan = ["plan", utf8(runbook), "--write-answers", utf8(&answers)];
        let plan = self.on(&self.record, devices, &plan).ended(0).json();
        let change = plan["change"].as_str().unwrap_or_else(|| panic!("no change: {plan}")).to_owned();
        let filled = fill(&fs::read_to_string(&answers).unwrap(), &change);
        fs::write(&answers, filled).unwrap();
        (change, answers)
    }

    /// A custodian's part, in a process of their own: compare, agree, sign.
    pub fn sign(&self, copy: &Path, devices: &Path, change: &str) -> Done {
        let name = format!("answers-of-{}", devices.file_name().unwrap().to_str().unwrap());
        let mut text = format!("[answers]\n\"read-back\" = \"same\"\n\"confirm\" = \"{change}\"\n");
        if self.trust.stage == Kind::Production {
            writeln!(text, "\"today\" = \"{}\"", today()).unwrap();
        }
        let answers = self.write(&name, &text);
        self.on(copy, devices, &["sign", "--answers", utf8(&answers), "--unattended"])
    }

    /// The program where an interface is up that is not the machine's own loop.
    pub fn networked(&self, map: &Path, arguments: &[&str]) -> Done {
        let up = "ip link add net0 type dummy || ip link add net0 type ifb || ip tuntap add dev net0 mode tun; \
                  ip link set net0 up; exec \"$@\"";
        let mut command = Command::new("unshare");
        if !rustix::process::getuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args([
            "--net",
            "sh",
            "-c",
            up,
            "sh",
            env!("CARGO_BIN_EXE_keyrite"),
            "-C",
            utf8(&self.record),
        ]);
        command.args(["--devices", utf8(map), "--json"]).args(arguments).current_dir(&self.dir);
        Done::of(command.env("SOFTHSM2_CONF", self.path("softhsm2.conf")))
    }

    /// `developer new`, typed at a terminal: the key file and the enrolment.
    pub fn developer(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
        let trust = self.record.join("trust.json");
        let out = self.path("developers");
        command.args(["developer", "new", name, "--trust", utf8(&trust), "--out", utf8(&out)]);
        let mut session = spawn_command(command, Some(60_000)).unwrap();
        for prompt in ["(not shown) >", "(once more) >"] {
            session.exp_string(prompt).unwrap();
            session.send_line(PHRASE).unwrap();
        }
        session.exp_eof().unwrap();
        let files = [format!("{name}.key"), format!("{name}.enrol.json")].map(|file| out.join(file));
        assert!(files.iter().all(|file| file.exists()), "{files:?}");
        let [key, enrolment] = files;
        (key, enrolment)
    }

    /// A device map for this trust, without a key yet.
    pub fn devices(&self) -> Devices<'_> {
        Devices { stage: self, trust: format!("[trust]\nid = \"{}\"\n", self.trust.id), rest: String::new() }
    }

    /// The version and payload digest of the newest root, as they would stand on paper.
    pub fn root(&self) -> (u64, String) {
        let status = self.keyrite(["-C", utf8(&self.record), "--json", "status"]).ended(0).json();
        let root = &status["root"];
        (root["version"].as_u64().unwrap(), root["payload"].as_str().unwrap().to_owned())
    }

    /// `verify` from the anchor on paper.
    pub fn verify(&self) -> Done {
        let (version, payload) = self.root();
        self.keyrite([
            "-C",
            utf8(&self.record),
            "--json",
            "verify",
            "--anchor",
            &format!("{version}:{payload}"),
        ])
    }
}

/// A device map that is being written.
#[derive(Clone)]
pub struct Devices<'a> {
    stage: &'a Stage,
    trust: String,
    rest: String,
}

impl Devices<'_> {
    /// A key on a SoftHSM token of this label and serial.
    pub fn on_token(mut self, key: &str, serial: &str) -> Self {
        if !self.rest.contains("[module.softhsm]") {
            let sha256 = Digest::of(&fs::read(SOFTHSM).expect("softhsm2 is needed: run scripts/test-deps"));
            writeln!(self.rest, "[module.softhsm]\npath = \"{SOFTHSM}\"\nsha256 = \"{sha256}\"").unwrap();
        }
        let uri = format!("pkcs11:token={key};serial={serial};object={key}");
        writeln!(self.rest, "[key.{key}]\nuri = \"{uri}\"\nmodule = \"softhsm\"\npin = \"pin\"").unwrap();
        self
    }

    /// A key on a YubiKey of this serial number.
    pub fn on_yubikey(mut self, key: &str, serial: u32) -> Self {
        writeln!(self.rest, "[key.{key}]\nuri = \"piv:serial={serial};slot=9c\"\npin = \"pin\"").unwrap();
        self
    }

    /// A key on a simulated YubiHSM, the passwords of its duties in files.
    pub fn on_yubihsm(mut self, key: &str, uri: &str) -> Self {
        writeln!(self.rest, "[key.{key}]\nuri = \"{uri}\"\npin = \"pin\"").unwrap();
        for duty in ["administrator", "backup", "auditor"] {
            writeln!(self.rest, "pin-{duty} = \"pin-{duty}\"").unwrap();
        }
        self
    }

    /// The longest message that the token takes which was named last, in bytes.
    pub fn takes(mut self, bytes: usize) -> Self {
        writeln!(self.rest, "max-payload = {bytes}").unwrap();
        self
    }

    /// Someone who is away until that day.
    pub fn away(mut self, person: &str, until: &str) -> Self {
        writeln!(self.rest, "[away]\n{person} = \"{until}\"").unwrap();
        self
    }

    /// A key in an encrypted file.
    pub fn in_file(mut self, key: &str, file: &str) -> Self {
        writeln!(self.rest, "[key.{key}]\nuri = \"file:{file}\"\npin = \"phrase\"").unwrap();
        self
    }

    /// A key in a vault.
    pub fn in_vault(mut self, key: &str) -> Self {
        writeln!(self.rest, "[key.{key}]\nuri = \"external:{key}\"").unwrap();
        self
    }

    /// A file by which a key is enrolled.
    pub fn enrol(mut self, key: &str, file: &Path) -> Self {
        writeln!(self.rest, "[enrol.{key}]\nfile = \"{}\"", file.display()).unwrap();
        self
    }

    /// The backend's two public keys, of which nobody here has the private ones.
    pub fn backend_elsewhere(self) -> Self {
        ["snapshot", "timestamp"].iter().fold(self, |devices, role| {
            let file = devices.stage.path(&format!("{role}.pem"));
            made_elsewhere(&file);
            devices.enrol(&format!("backend-{role}"), &file)
        })
    }

    /// The backend's address.
    pub fn backend(mut self, url: &str) -> Self {
        writeln!(self.rest, "[backend]\nurl = \"{url}\"").unwrap();
        self
    }

    /// The newest transcript head that its owner wrote down.
    pub fn head(mut self, head: &str) -> Self {
        writeln!(self.rest, "[head]\nnewest = \"{head}\"").unwrap();
        self
    }

    /// The newest root that its owner knows.
    pub fn anchor(mut self, (version, payload): &(u64, String)) -> Self {
        writeln!(self.trust, "root = {{ version = {version}, payload = \"{payload}\" }}").unwrap();
        self
    }

    /// The same keys and files, by someone who has learnt of a root since.
    pub fn knowing(&self, root: &(u64, String)) -> Self {
        let fresh = self.stage.devices().anchor(root);
        Self { stage: self.stage, trust: fresh.trust, rest: self.rest.clone() }
    }

    /// The file.
    pub fn write(&self, name: &str) -> PathBuf {
        self.stage.write(name, &format!("{}{}", self.trust, self.rest))
    }
}

/// The public half of a key that nobody has.
pub fn made_elsewhere(file: &Path) {
    let line = "openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out";
    Done::of(Command::new("sh").args(["-euc", &format!("{line} {}", utf8(file))])).ended(0);
}

/// How a program ended.
pub struct Done {
    line: String,
    output: Output,
}

impl Done {
    /// Runs a program to its end, with nothing to read.
    pub fn of(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{line}: {e}"));
        Self { line, output }
    }

    /// That it ended with this exit code.
    pub fn ended(self, code: i32) -> Self {
        let all = format!("{}\n{}", self.text(), String::from_utf8_lossy(&self.output.stderr));
        assert_eq!(self.output.status.code(), Some(code), "{}\n{all}", self.line);
        self
    }

    /// What it said on stdout.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it said on stderr.
    pub fn problems(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The bytes it wrote to stdout.
    pub fn bytes(self) -> Vec<u8> {
        self.output.stdout
    }

    /// The JSON report on stdout.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout)
            .unwrap_or_else(|e| panic!("{}: {e}: {}", self.line, self.text()))
    }
}

/// Today's date, as people type it.
pub fn today() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    keyrite::tuf::time::Time::from_unix(i64::try_from(since).unwrap()).unwrap().date()
}

/// Fills an answers file in as its comments allow.
pub fn fill(template: &str, change: &str) -> String {
    let mut allowed = String::new();
    let mut filled = String::new();
    for line in template.lines() {
        let answer = match (line.strip_prefix("# "), line.strip_suffix(" = \"\"")) {
            (Some(comment), _) => {
                comment.clone_into(&mut allowed);
                None
            }
            (None, Some(_)) => Some(match allowed.split_once(": ").unwrap_or((&allowed, "")) {
                ("exactly", word) => word.to_owned(),
                _ if allowed.starts_with("same") => "same".to_owned(),
                _ if allowed.starts_with("a day") => today(),
                _ if allowed.starts_with("the full digest") => {
                    assert!(allowed.contains(change), "another change: {allowed}");
                    change.to_owned()
                }
                _ => "as seen".to_owned(),
            }),
            (None, None) => None,
        };
        match answer {
            Some(answer) => writeln!(filled, "{} = \"{answer}\"", line.trim_end_matches(" = \"\"")).unwrap(),
            None => writeln!(filled, "{line}").unwrap(),
        }
    }
    filled
}

/// The blocks of lines that a README gives to type.
pub fn blocks(readme: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in readme.lines() {
        match line.strip_prefix("    ") {
            Some(line) => {
                let block = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            None if line.is_empty() || blocks.last().unwrap().is_empty() => blocks.push(String::new()),
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// The first block that has this in it.
pub fn block<'a>(blocks: &'a [String], part: &str) -> &'a str {
    blocks.iter().find(|block| block.contains(part)).unwrap_or_else(|| panic!("no {part} in {blocks:#?}"))
}

/// Types lines into a POSIX shell in a folder.
pub fn shell(folder: &Path, lines: &str, environment: &[(&str, &str)]) -> Done {
    let mut command = Command::new("sh");
    command.args(["-euc", lines]).current_dir(folder).envs(environment.iter().copied());
    Done::of(&mut command)
}

/// What `scripts/test-deps` has put into the target directory.
pub fn brought(path: &str) -> PathBuf {
    // From where this test is (target/debug/deps), since a target directory may be moved.
    let own = std::env::current_exe().unwrap();
    let path = own.ancestors().nth(3).unwrap().join(path);
    assert!(path.exists(), "{} is needed by this test: run scripts/test-deps", path.display());
    path
}

/// A runbook that is shipped.
pub fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies").join(name)
}

/// A path as an argument.
pub fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}
