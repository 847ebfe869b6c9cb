//! Keys in a vault, by the program as people type it: `sign --external` hands out, openssl signs in
//! the vault's place by the very line of the README, in the folder that was carried there, and what
//! comes back is taken in whatever form a vault gives it.
//!
//! A first day in both profiles, in production (targets and delegation in the vault) and as a
//! rehearsal (root too), up to what the backend takes: a model of it, and the real server for what is
//! oddest. Then everything that may not come back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod stage;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::tuf::backend_model::{BackendModel, ServerKey};
use keyrite::tuf::key::PublicKey;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::role::RoleName;
use keyrite::tuf::time::Time;
use keyrite::tuf::verify::ecdsa_from_der;
use rexpect::session::spawn_command;
use serde_json::{Value, json};
use stage::{Devices, Done, Stage, block, blocks, shell, utf8};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// In which form a vault gives its signatures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As openssl writes them: ECDSA in DER.
    Plain,
    /// r and s one after the other, as bytes.
    Raw,
    /// The same in base64, as `az keyvault key sign` prints them.
    Azure,
    /// The same in base64url without padding, as the service itself answers.
    Url,
    /// The same in hexadecimal.
    Hex,
}

/// A key where keyrite can't reach it.
struct Vault {
    folder: PathBuf,
    form: Form,
}

impl Vault {
    fn new(stage: &Stage, key: &str, algorithm: &str, form: Form) -> Self {
        let folder = stage.path(&format!("vault-{key}"));
        fs::create_dir_all(&folder).unwrap();
        let options: &[&str] = match algorithm {
            "p256" => &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "p384" => &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "rsa-3072" => &["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
            "ed25519" => &["ED25519"],
            other => panic!("{other}"),
        };
        let vault = Self { folder, form };
        vault.openssl(&["genpkey", "-quiet", "-out", "KEY.pem", "-algorithm"], options);
        vault.openssl(&["pkey", "-in", "KEY.pem", "-pubout", "-out", "public.pem"], &[]);
        vault
    }

    fn openssl(&self, first: &[&str], more: &[&str]) {
        Done::of(Command::new("openssl").args(first).args(more).current_dir(&self.folder)).ended(0);
    }

    fn public(&self) -> PathBuf {
        self.folder.join("public.pem")
    }

    /// Signs what a folder holds, by its README; gives the file to take back.
    fn signs(&self, handed: &Path) -> PathBuf {
        let readme = fs::read_to_string(handed.join("README")).unwrap();
        let line = readme.lines().find(|l| l.starts_with("  openssl ")).unwrap();
        fs::copy(self.folder.join("KEY.pem"), handed.join("KEY.pem")).unwrap();
        Done::of(Command::new("sh").args(["-euc", line]).current_dir(handed)).ended(0);
        let file = handed.join("signature");
        let public = PublicKey::from_pem(&fs::read_to_string(self.public()).unwrap()).unwrap();
        let plain = fs::read(&file).unwrap();
        let raw = ecdsa_from_der(&plain, public.algorithm()).unwrap_or_else(|_| plain.clone());
        let given = match self.form {
            Form::Plain => plain,
            Form::Raw => raw,
            Form::Azure => format!("{}\n", Base64::encode_string(&raw)).into_bytes(),
            Form::Url => format!("\"{}\"\r\n", Base64UrlUnpadded::encode_string(&raw)).into_bytes(),
            Form::Hex => base16ct::upper::encode_string(&raw).into_bytes(),
        };
        fs::write(&file, given).unwrap();
        file
    }
}

/// What takes uploads in profile `notary`.
enum Backend {
    /// The model of the server's rules.
    Model(Box<BackendModel>),
    /// Debian's notary-server on loopback.
    Real { dir: PathBuf, url: String },
}

impl Backend {
    fn model(stage: &Stage) -> Self {
        let server = |seed: u8| ServerKey::ed25519(&[seed; 32]).unwrap();
        Self::Model(Box::new(BackendModel::new(&stage.trust.collection, server(1), server(2))))
    }

    fn real(stage: &Stage) -> Self {
        let dir = stage.path("backend");
        let url =
            Done::of(Command::new(Self::script()).arg("up").arg(&dir)).ended(0).text().trim().to_owned();
        Self::Real { dir, url }
    }

    fn script() -> &'static str {
        concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/notary")
    }

    fn key_file(&self, collection: &str, role: &RoleName) -> Vec<u8> {
        match self {
            Self::Model(model) => model.key_file(role),
            Self::Real { url, .. } => {
                let key = format!("{url}/v2/{collection}/_trust/tuf/{role}.key");
                Done::of(Command::new("curl").args(["-fsS", &key])).ended(0).bytes()
            }
        }
    }

    fn takes(&mut self, folder: &Path, roles: &[&str]) {
        match self {
            Self::Model(model) => {
                let part = |role: &&str| {
                    ((*role).to_owned(), fs::read(folder.join(format!("{role}.json"))).unwrap())
                };
                model.upload(&roles.iter().map(part).collect::<Vec<_>>(), now()).unwrap();
            }
            Self::Real { url, .. } => {
                let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
                let lines = blocks(&readme);
                let lines = format!("URL={url}\n{}", block(&lines, "post.curl"));
                assert_eq!(shell(folder, &lines, &[]).ended(0).text(), "");
            }
        }
    }

    /// What a fresh stock client makes of it.
    fn client(&self, stage: &Stage) {
        if let Self::Real { url, .. } = self {
            let own = stage.path("client");
            let list = ["-s", url, "-d", utf8(&own), "list", &stage.trust.collection];
            let listed = Done::of(Command::new("notary").args(list)).ended(0).text();
            assert!(listed.contains("No targets present"), "{listed}");
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Self::Real { dir, .. } = self {
            let _ = Command::new(Self::script()).arg("down").arg(dir).status();
        }
    }
}

/// A stage with its vault and the device map of its one laptop.
struct Day {
    stage: Stage,
    vaults: BTreeMap<&'static str, Vault>,
    backend: Backend,
    devices: PathBuf,
    /// Whether the developer makes an enrolment of the vault's key, on a machine of their own.
    brought: bool,
    /// Whether who signs does so on a stick that was handed to them, away from the laptop.
    sticks: bool,
}

fn now() -> Time {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Time::from_unix(i64::try_from(seconds).unwrap()).unwrap()
}

const ROOT: [(&str, &str); 3] = [("root-a", "ada"), ("root-b", "bruno"), ("root-c", "carla")];
const PEOPLE: &str = "[people]\nada = \"administrator\"\nbruno = \"custodian\"\ncarla = \"custodian\"\n\
                      uma = \"custodian\"\ndana = \"custodian\"\nwim = \"witness\"\n";

impl Day {
    /// `vault`: which keys are there, of which kind, in which form signatures come.
    fn new(name: &str, profile: Profile, kind: Kind, vault: &[(&'static str, &str, Form)]) -> Self {
        let mut limits = Limits::default_for(profile);
        limits.targets.software_keys = true;
        if profile == Profile::Tuf {
            limits.online.snapshot.insert("online-snapshot".parse().unwrap());
            limits.online.timestamp.insert("online-timestamp".parse().unwrap());
        }
        let stage = Stage::new(&format!("external-{name}"), profile, kind, &limits);
        // P-384 keys are where the profile differs most from what vaults do: the server itself.
        let odd = profile == Profile::Notary && vault.iter().any(|(_, algorithm, _)| *algorithm == "p384");
        let backend = if odd { Backend::real(&stage) } else { Backend::model(&stage) };
        let vaults =
            vault.iter().map(|(key, algorithm, form)| (*key, Vault::new(&stage, key, algorithm, *form)));
        let mut day = Self {
            vaults: vaults.collect(),
            stage,
            backend,
            devices: PathBuf::new(),
            brought: false,
            sticks: false,
        };
        day.devices = day.map().write("devices.toml");
        day
    }

    fn map(&self) -> Devices<'_> {
        let mut map = self.stage.devices();
        for (key, _) in ROOT {
            map = if self.vaults.contains_key(key) {
                map.in_vault(key)
            } else if self.stage.trust.stage == Kind::Production {
                let serial = self.stage.token(key);
                map.on_token(key, &serial)
            } else {
                map.in_file(key, &format!("{key}.pem"))
            };
        }
        for key in ["targets-1", "dev-dana"] {
            map = if self.vaults.contains_key(key) {
                map.in_vault(key)
            } else {
                map.in_file(key, &format!("{key}.pem"))
            };
        }
        if self.stage.trust.profile == Profile::Tuf {
            return map.in_file("online-snapshot", "s.pem").in_file("online-timestamp", "t.pem");
        }
        for (key, role) in
            [("online-snapshot", RoleName::Snapshot), ("online-timestamp", RoleName::Timestamp)]
        {
            let file = self.stage.path(&format!("{key}.key"));
            fs::write(&file, self.backend.key_file(&self.stage.trust.collection, &role)).unwrap();
            map = map.enrol(key, &file);
        }
        map
    }

    fn runbook(&self, name: &str, ceremony: &str, tables: &str) -> PathBuf {
        let text = format!("ceremony = \"{ceremony}\"\ntitle = \"{name}\"\n{PEOPLE}{tables}");
        self.stage.write(&format!("{name}.toml"), &text)
    }

    fn on(&self, arguments: &[&str]) -> Done {
        self.stage.on(&self.stage.record, &self.devices, arguments)
    }

    /// Hands out what waits for a key: the folders.
    fn handed_out(&self, record: &Path, key: &str, answers: &Path, more: &[&str]) -> Vec<PathBuf> {
        let start = ["sign", "--external", key, "--answers", utf8(answers), "--unattended"];
        let report = self.stage.on(record, &self.devices, &[&start, more].concat()).ended(4).json();
        let handed = report["handed-out"].as_array().unwrap();
        handed.iter().map(|h| self.stage.path(h["folder"].as_str().unwrap())).collect()
    }

    /// One key's turn: out, to the vault, back.
    fn vault_signs(&self, key: &str, holder: &str, answers: &Path, new: bool) -> Value {
        let away = self.sticks && !new;
        let stick = self.stage.path(&format!("stick-{}", fs::read_dir(&self.stage.dir).unwrap().count()));
        let record = if away { &stick } else { &self.stage.record };
        if away {
            self.on(&["export", utf8(&stick), "--for", holder]).ended(0);
        }
        let vault = &self.vaults[key];
        let public = vault.public();
        let named: &[&str] = if new { &["--public", utf8(&public)] } else { &[] };
        // Handed out twice: what is there already stays.
        let handed = self.handed_out(record, key, answers, named);
        assert_eq!(self.handed_out(record, key, answers, named), handed);
        let files: Vec<PathBuf> = handed.iter().map(|folder| vault.signs(folder)).collect();
        let mut line = vec!["sign", "--external", key, "--answers", utf8(answers), "--unattended"];
        line.extend(named);
        line.extend(files.iter().flat_map(|file| ["--take-back", utf8(file)]));
        let done = self.stage.on(record, &self.devices, &line);
        let report = done.ended(if new { self.left(key) } else { 0 }).json();
        if away {
            self.on(&["import", utf8(&stick)]).ended(0);
        }
        report
    }

    /// How a session ends that has made this key: others in the vault may still be waited for.
    fn left(&self, key: &str) -> i32 {
        let last = self.vaults.keys().rfind(|k| k.starts_with("root"));
        if key.starts_with("root") && last.is_some_and(|last| *last != key) { 4 } else { 0 }
    }

    /// Holds a runbook, with the vault's keys in their turn; gives the last report.
    fn holds(&self, runbook: &Path) -> Value {
        let (_, answers) = self.stage.answers(&self.devices, runbook);
        let run = ["run", utf8(runbook), "--answers", utf8(&answers), "--unattended"];
        let first = self.on(&run);
        let new = fs::read_to_string(runbook).unwrap().contains("-key\"");
        let Some(waiting) = first.json()["waiting"].as_array().cloned().filter(|w| !w.is_empty()) else {
            return first.ended(0).json();
        };
        first.ended(4);
        for who in &waiting {
            let (key, holder) = (who["key"].as_str().unwrap(), who["holder"].as_str().unwrap());
            let report = self.vault_signs(key, holder, &answers, new);
            if new {
                assert!(report["head"].is_string(), "a session of its own: {report}");
            }
        }
        let last = self.on(&run).ended(0).json();
        if new {
            assert_eq!(last["already-held"].as_array().unwrap().len(), 1, "{last}");
        }
        last
    }

    /// The whole first day, what goes up taken by the backend.
    fn first_day(&mut self, algorithms: &BTreeMap<&str, &str>) {
        let kind = |key: &str| algorithms.get(key).copied().unwrap_or("p256");
        let key = |name: &str, holder: &str, purpose: &str, made: bool| {
            let table =
                format!("[[key]]\nname = \"{name}\"\nholder = \"{holder}\"\npurpose = \"{purpose}\"\n");
            if made { format!("{table}algorithm = \"{}\"\n", kind(name)) } else { table }
        };
        let roots: String = ROOT.iter().map(|(name, holder)| key(name, holder, "root", true)).collect();
        self.holds(&self.runbook("roots", "generate-key", &roots));
        let table = format!(
            "[targets-key]\nname = \"targets-1\"\nholder = \"uma\"\nalgorithm = \"{}\"\n",
            kind("targets-1")
        );
        self.holds(&self.runbook("targets", "issue-targets-key", &table));
        let made = !self.brought;
        if self.brought {
            self.developer_brings();
        }
        let developer = key("dev-dana", "dana", "delegation", made);
        self.holds(&self.runbook("developer", if made { "generate-key" } else { "enroll-key" }, &developer));
        let made = self.stage.trust.profile == Profile::Tuf;
        let online =
            ["snapshot", "timestamp"].map(|role| key(&format!("online-{role}"), "uma", role, made)).concat();
        self.holds(&self.runbook("online", if made { "generate-key" } else { "enroll-key" }, &online));
        let root = "[root]\nkeys = [\"root-a\", \"root-b\", \"root-c\"]\nthreshold = 2\nvalid-for = \"2 years\"\n\
                    [targets]\nkeys = [\"targets-1\"]\nthreshold = 1\nvalid-for = \"1 year\"\n\
                    [snapshot]\nkeys = [\"online-snapshot\"]\nthreshold = 1\n\
                    [timestamp]\nkeys = [\"online-timestamp\"]\nthreshold = 1\n";
        let sealed = self.holds(&self.runbook("root", "create-root", root));
        self.goes_up(&sealed, &["root", "targets"]);

        let paper = self.stage.root();
        self.devices = self.stage.write("devices-2.toml", &{
            let text = fs::read_to_string(&self.devices).unwrap();
            let known = format!("root = {{ version = {}, payload = \"{}\" }}\n", paper.0, paper.1);
            let (trust, rest) = text.split_at(
                text.find("[key.").map_or(text.len(), |at| text.find("[module.").unwrap_or(at).min(at)),
            );
            format!("{trust}{known}{rest}")
        });
        let path = if made { "camera-station/*" } else { "camera-station/" };
        let grant = format!(
            "[delegation]\napplication = \"camera-station\"\nkeys = [\"dev-dana\"]\nthreshold = 1\npaths = [\"{path}\"]\nvalid-for = \"1 year\"\n"
        );
        let granted = self.holds(&self.runbook("grant", "grant-delegation", &grant));
        self.goes_up(&granted, &["targets"]);
        if made {
            let line = ["sign-snapshot", "--unattended"];
            self.on(&line).ended(0);
        }
        let verified = self.stage.verify().ended(0).json();
        assert_eq!(verified["problems"], json!([]));
        self.what_the_record_says();
    }

    fn goes_up(&mut self, report: &Value, roles: &[&str]) {
        if self.stage.trust.profile == Profile::Tuf {
            return;
        }
        let upload = report["uploads"].as_array().unwrap().last().unwrap_or_else(|| panic!("{report}"));
        let folder = self.stage.record.join(upload.as_str().unwrap());
        self.backend.takes(&folder, roles);
        self.backend.client(&self.stage);
    }

    /// The developer's own machine: the statement out and back, and the enrolment into the map.
    fn developer_brings(&mut self) {
        let vault = &self.vaults["dev-dana"];
        let (out, public) = (self.stage.path("developers"), vault.public());
        let trust = self.stage.record.join("trust.json");
        let line = ["--json", "developer", "new", "dana", "--trust", utf8(&trust), "--out", utf8(&out)];
        let says =
            |more: &[&str]| self.stage.keyrite([&line[..], &["--public", utf8(&public)], more].concat());
        let none = says(&["--take-back", utf8(&public)]).ended(1).json();
        assert_eq!(none["error"]["rule"], "EXTERNAL-KEY", "nothing was handed out: {none}");
        let first = says(&[]).ended(4).json();
        assert_eq!(says(&[]).ended(4).json(), first, "the same again, nonce and all");
        let signature = vault.signs(Path::new(first["folder"].as_str().unwrap()));
        let wrong = says(&["--take-back", utf8(&public)]).ended(1).json();
        assert_eq!(wrong["error"]["rule"], "EXTERNAL-FORM", "{wrong}");
        let other = self.vaults["targets-1"].public();
        let wrong = self.stage.keyrite([&line[..], &["--public", utf8(&other)]].concat()).ended(1).json();
        assert_eq!(wrong["error"]["rule"], "EXTERNAL-KEY", "another key's statement is there: {wrong}");
        let enrolment = out.join("dana.enrol.json");
        assert!(!enrolment.exists());
        let done = says(&["--take-back", utf8(&signature)]).ended(0).json();
        assert_eq!(done["enrolment"], utf8(&enrolment));
        let again = says(&["--take-back", utf8(&signature)]).ended(1).json();
        assert_eq!(again["error"]["rule"], "FILE-EXISTS", "{again}");
        let map = fs::read_to_string(&self.devices).unwrap();
        let map = format!("{map}[enrol.dev-dana]\nfile = \"{}\"\n", utf8(&enrolment));
        self.devices = self.stage.write("devices-with-dana.toml", &map);
    }

    /// A vault's key is on record as one, with a proof of possession that names its change.
    fn what_the_record_says(&self) {
        for (key, vault) in &self.vaults {
            let brought = self.brought && *key == "dev-dana";
            let folder = self.stage.record.join("keys").join(key);
            let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
            let file: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
            assert_eq!(file["token"]["kind"], if brought { "elsewhere" } else { "external" });
            let public = PublicKey::from_pem(&fs::read_to_string(vault.public()).unwrap()).unwrap();
            assert_eq!(file["identity"], public.identity().to_string());
            let proof = file["possession"]["statement"].as_str().unwrap();
            let proof = self.stage.record.join(format!("statements/{proof}.json"));
            let proof: Value = serde_json::from_slice(&fs::read(proof).unwrap()).unwrap();
            assert_eq!(proof["statement"]["body"]["nonce"] == file["change"], !brought);
            let certified = key.starts_with("root") && self.stage.trust.profile == Profile::Notary;
            assert_eq!(file["certificate"].is_string(), certified);
        }
    }
}

fn hold(name: &str, profile: Profile, kind: Kind, vault: &[(&'static str, &'static str, Form)]) {
    let mut day = Day::new(name, profile, kind, vault);
    day.first_day(&vault.iter().map(|(key, algorithm, _)| (*key, *algorithm)).collect());
}

#[test]
fn a_notary_day_with_targets_and_a_developer_in_a_vault() {
    let vault = [("targets-1", "p256", Form::Azure), ("dev-dana", "rsa-3072", Form::Plain)];
    hold("notary", Profile::Notary, Kind::Production, &vault);
}

#[test]
fn a_notary_day_with_a_p384_key_that_signs_over_two_hashes() {
    // Its possession is SHA-384 and DER, targets is SHA-256 and raw.
    let vault = [("targets-1", "p384", Form::Plain), ("dev-dana", "ed25519", Form::Hex)];
    hold("notary-p384", Profile::Notary, Kind::Production, &vault);
}

#[test]
fn a_tuf_day_with_targets_and_a_developer_in_a_vault() {
    let vault = [("targets-1", "p384", Form::Url), ("dev-dana", "rsa-3072", Form::Azure)];
    let mut day = Day::new("tuf", Profile::Tuf, Kind::Production, &vault);
    day.brought = true;
    day.first_day(&BTreeMap::from([("targets-1", "p384"), ("dev-dana", "rsa-3072")]));
}

#[test]
fn a_rehearsal_with_a_certified_root_in_a_vault() {
    let vault = [
        ("root-a", "p256", Form::Plain),
        ("root-c", "rsa-3072", Form::Hex),
        ("targets-1", "p256", Form::Raw),
    ];
    hold("notary-root", Profile::Notary, Kind::Rehearsal, &vault);
}

#[test]
fn a_rehearsal_with_a_mixed_root_in_a_vault() {
    let vault =
        [("root-a", "ed25519", Form::Url), ("root-b", "p384", Form::Raw), ("dev-dana", "p256", Form::Azure)];
    let mut day = Day::new("tuf-root", Profile::Tuf, Kind::Rehearsal, &vault);
    day.sticks = true;
    day.first_day(&vault.iter().map(|(key, algorithm, _)| (*key, *algorithm)).collect());
}

/// Every file of a folder but those of `private/`, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("private") {
                folders.push(path);
            } else if path.is_file() {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

impl Day {
    /// That the line is refused by this rule, with nothing written.
    fn refused(&self, arguments: &[&str], rule: &str, code: i32, case: &str) {
        let before = files(&self.stage.record);
        let report = self.on(arguments).ended(code).json();
        assert_eq!(report["error"]["rule"], rule, "{case}: {report}");
        assert!(files(&self.stage.record) == before, "{case} has written into the record");
    }

    /// A change that waits for the targets key, and answers for it.
    fn waits_for_targets(&self) -> PathBuf {
        let table = "[targets-key]\nname = \"targets-1\"\nholder = \"uma\"\nalgorithm = \"p256\"\n";
        self.stage.answers(&self.devices, &self.runbook("targets", "issue-targets-key", table)).1
    }
}

#[test]
fn what_is_not_the_signature_asked_for_is_refused_by_name_and_nothing_is_written() {
    let vault = [("targets-1", "p256", Form::Plain), ("dev-dana", "p256", Form::Plain)];
    let day = Day::new("refused", Profile::Tuf, Kind::Rehearsal, &vault);
    let sign = ["sign", "--external", "targets-1"];
    day.refused(&sign, "KEY-ELSEWHERE", 1, "nothing waits for the key yet");
    let answers = day.waits_for_targets();
    let public = day.vaults["targets-1"].public();
    let mut with = sign.to_vec();
    with.extend(["--answers", utf8(&answers), "--unattended"]);
    let with = |more: &[&'static str]| -> Vec<String> {
        with.iter().chain(more).map(|part| (*part).to_owned()).collect()
    };
    let refused = |line: Vec<String>, rule: &str, code: i32, case: &str| {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        day.refused(&line, rule, code, case);
    };
    let named = |public: &Path, back: &[&Path]| {
        let mut line = with(&[]);
        line.extend(["--public".to_owned(), utf8(public).to_owned()]);
        line.extend(back.iter().flat_map(|file| ["--take-back".to_owned(), utf8(file).to_owned()]));
        line
    };

    // The public half.
    refused(with(&[]), "EXTERNAL-KEY", 1, "which key it is, nobody said");
    let other = Vault::new(&day.stage, "other-kind", "p384", Form::Plain);
    refused(named(&other.public(), &[]), "EXTERNAL-KEY", 1, "a key of another kind");
    let text = day.stage.write("no-key.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    refused(named(&text, &[]), "KEY-FORM", 1, "no key");

    // The signature.
    let line = ["--public", utf8(&public)];
    let handed = day.handed_out(&day.stage.record, "targets-1", &answers, &line).remove(0);
    let signature = day.vaults["targets-1"].signs(&handed);
    let stranger = Vault::new(&day.stage, "stranger", "p256", Form::Plain);
    let carried = day.stage.path("carried-to-a-stranger");
    Done::of(Command::new("cp").arg("-r").arg(&handed).arg(&carried)).ended(0);
    let wrong = stranger.signs(&carried);
    refused(named(&public, &[&wrong]), "SIGNATURE-WRONG", 1, "another key's signature");
    refused(named(&stranger.public(), &[&signature]), "SIGNATURE-WRONG", 1, "for another key");
    let garbage = day.stage.write("garbage", "the vault is closed on Sundays");
    refused(named(&public, &[&garbage]), "EXTERNAL-FORM", 1, "an error message in the signature's place");
    refused(named(&public, &[&handed.join("payload")]), "EXTERNAL-FORM", 1, "the payload itself");
    let other = day.stage.write("payload-of-another", "a payload that no change lists");
    let line = format!(
        "openssl dgst -sha256 -sign {} -out other.sig {}",
        utf8(&handed.join("KEY.pem")),
        utf8(&other)
    );
    shell(&day.stage.dir, &line, &[]).ended(0);
    refused(named(&public, &[&day.stage.path("other.sig")]), "SIGNATURE-WRONG", 1, "over something else");
    refused(named(&public, &[&signature, &signature]), "EXTERNAL-FORM", 1, "twice the same");
    refused(named(&public, &[&day.stage.path("nowhere")]), "MEDIA-READ", 3, "no file");
    // A file that was handed out is never written over.
    fs::write(handed.join("payload.sha256"), "changed on the way").unwrap();
    let again = named(&public, &[]);
    let report = day.on(&again.iter().map(String::as_str).collect::<Vec<_>>()).ended(1).json();
    assert_eq!(report["error"]["rule"], "FILE-EXISTS", "{report}");
    assert_eq!(fs::read(handed.join("payload.sha256")).unwrap(), b"changed on the way");

    // After all that, the right one.
    let line = named(&public, &[&signature]);
    day.on(&line.iter().map(String::as_str).collect::<Vec<_>>()).ended(0);
    refused(named(&public, &[&signature]), "KEY-ELSEWHERE", 1, "nothing waits any more");

    // The same public key for another role; a signature made for the change before.
    let table = "[[key]]\nname = \"dev-dana\"\nholder = \"dana\"\npurpose = \"delegation\"\n";
    let runbook = day.runbook("developer", "generate-key", table);
    let (_, answers) = day.stage.answers(&day.devices, &runbook);
    let developer = day.vaults["dev-dana"].public();
    for (public, back, rule) in
        [(&public, None, "KEY-TWO-ROLES"), (&developer, Some(&signature), "SIGNATURE-WRONG")]
    {
        let mut line = vec!["sign", "--external", "dev-dana", "--answers", utf8(&answers), "--unattended"];
        line.extend(["--public", utf8(public)]);
        line.extend(back.into_iter().flat_map(|file| ["--take-back", utf8(file)]));
        day.refused(&line, rule, 1, "for another change");
    }
}

#[test]
fn a_vault_is_refused_where_it_may_not_be() {
    let vault = [("root-a", "p256", Form::Plain), ("online-snapshot", "p256", Form::Plain)];
    let mut day = Day::new("where", Profile::Tuf, Kind::Production, &vault);
    let runbook = |day: &Day, name: &str, purpose: &str| {
        let table = format!("[[key]]\nname = \"{name}\"\nholder = \"ada\"\npurpose = \"{purpose}\"\n");
        day.runbook(name, "generate-key", &table)
    };
    // By the device map it is not even planned; without it, `sign --external` says the same.
    let root = runbook(&day, "root-a", "root");
    day.refused(&["plan", utf8(&root)], "KEY-SOFTWARE", 1, "a production root in a vault");
    let online = runbook(&day, "online-snapshot", "snapshot");
    day.devices = day.stage.devices().write("nothing.toml");
    for (key, runbook, rule, code) in
        [("root-a", &root, "KEY-SOFTWARE", 1), ("online-snapshot", &online, "EXTERNAL-ELSEWHERE", 2)]
    {
        let (_, answers) = day.stage.answers(&day.devices, runbook);
        let public = day.vaults[key].public();
        let line = [
            "sign",
            "--external",
            key,
            "--public",
            utf8(&public),
            "--answers",
            utf8(&answers),
            "--unattended",
        ];
        day.refused(&line, rule, code, key);
    }
    // A key that the device map has in a file is no vault's.
    day.devices = day.stage.devices().in_file("targets-1", "targets-1.pem").write("file.toml");
    let answers = day.waits_for_targets();
    let vault = Vault::new(&day.stage, "targets-1", "p256", Form::Plain);
    let public = vault.public();
    let line = [
        "sign",
        "--external",
        "targets-1",
        "--public",
        utf8(&public),
        "--answers",
        utf8(&answers),
        "--unattended",
    ];
    day.refused(&line, "KEY-ELSEWHERE", 1, "the map has it in a file");
}

/// Types answers at a terminal, each after the text that asks for it; gives what came after them.
fn typed(day: &Day, arguments: &[&str], answers: &[(&str, &str)], code: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite"));
    command.args(["-C", utf8(&day.stage.record), "--devices", utf8(&day.devices)]).args(arguments);
    command.current_dir(&day.stage.dir);
    let mut session = spawn_command(command, Some(60_000)).unwrap();
    for (asked, answer) in answers {
        session.exp_string(asked).unwrap_or_else(|e| panic!("{asked}: {e}"));
        session.send_line(answer).unwrap();
    }
    let rest = session.exp_eof().unwrap();
    let status = format!("{:?}", session.process().wait().unwrap());
    assert!(status.ends_with(&format!(", {code})")), "{status}: {rest}");
    rest
}

/// The lines that the screens print are the lines that work: each is typed as it stood there.
#[test]
fn people_follow_the_screens_from_run_to_the_recorded_key() {
    let vault = [("targets-1", "p256", Form::Azure)];
    let day = Day::new("terminal", Profile::Tuf, Kind::Rehearsal, &vault);
    let table = "[targets-key]\nname = \"targets-1\"\nholder = \"uma\"\nalgorithm = \"p256\"\n";
    let runbook = day.runbook("targets", "issue-targets-key", table);
    // A command too long for a line goes on after a backslash.
    let one_line =
        |screen: &str| screen.split_whitespace().filter(|word| *word != "\\").collect::<Vec<_>>().join(" ");

    let stopped = one_line(&typed(&day, &["run", utf8(&runbook)], &[], "4"));
    let own = format!("keyrite -C {} --devices {} sign", utf8(&day.stage.record), utf8(&day.devices));
    assert!(stopped.contains(&format!("{own} --external targets-1 --public FILE")), "{stopped}");
    assert!(!stopped.contains("export DIR"), "nobody else is needed: {stopped}");

    let public = day.vaults["targets-1"].public();
    let out = ["sign", "--external", "targets-1", "--public", utf8(&public)];
    let agree = [("(press Enter)", ""), ("(same or no) >", "same"), ("(Yes or no) >", "Yes")];
    typed(&day, &out, &[("(press Enter)", ""), ("(same or no) >", "no")], "1");
    let folders = || {
        fs::read_dir(&day.stage.dir)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("external-"))
            .count()
    };
    assert_eq!(folders(), 0, "nothing goes out that was not agreed to");
    let handed = one_line(&typed(&day, &out, &agree, "4"));
    let back = handed.split("--take-back ").nth(1).unwrap().split(' ').next().unwrap();
    let signature = day.vaults["targets-1"].signs(day.stage.path(back).parent().unwrap());
    assert_eq!(signature, day.stage.path(back));

    let mut take = out.to_vec();
    take.extend(["--take-back", back]);
    let mut answers = agree.to_vec();
    // The new key is read back, and the witness types their name.
    answers.extend([("(same or no) >", "same"), ("once the words are on paper", "wim")]);
    let taken = one_line(&typed(&day, &take, &answers, "0"));
    assert!(taken.contains("targets Everyone writes these words"), "{taken}");
    let held = one_line(&typed(&day, &["run", utf8(&runbook)], &[], "0"));
    assert!(held.contains("already held: targets"), "{held}");
}
