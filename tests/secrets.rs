//! No secret is left anywhere: a whole attended day with PINs and pass-phrases that are unique, then
//! every byte that was written or shown is searched for each of them, raw, in hexadecimal and in
//! base64; while it runs, so are the arguments and environments of every process.
//!
//! A search that finds nothing proves nothing, so the same search must find what is planted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod canaries;
mod program;

use base64ct::{Base64Unpadded, Encoding};
use canaries::{Watch, canary, files, found, hex};
use program::{SOFTHSM, folder, keyrite, tokens};
use rexpect::session::{PtySession, spawn_command};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Nobody waits longer for the next question, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program on a terminal that can't edit a line in place and shows what is typed, as people's do: one of
/// rexpect's begins without, and would hide a secret that the program doesn't.
fn on_echoing_terminal(dir: &Path, arguments: &[&str]) -> PtySession {
    let program = keyrite(dir, arguments);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "stty echo && exec \"$0\" \"$@\""]).arg(program.get_program());
    command.args(program.get_args()).current_dir(dir).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "dumb");
    spawn_command(command, Some(20_000)).unwrap()
}

/// Answers whatever is asked, as people would; gives all that the terminal showed.
fn talk(mut pty: PtySession, answers: &[(&str, &str)]) -> String {
    let (mut all, mut page, mut since) = (String::new(), String::new(), Instant::now());
    let (mut words, mut line) = (BTreeMap::new(), String::new());
    loop {
        while let Some(c) = pty.try_read() {
            all.push(c);
            page.push(c);
            since = Instant::now();
        }
        if ["> ", "press Enter) ", "read on) "].iter().any(|end| page.ends_with(end)) {
            assert_limits(&pid());
            let shown = digest_words(&page);
            words = if shown.len() == 32 { shown } else { words };
            if page.ends_with("press Enter) ") || page.ends_with("read on) ") {
                line.clear();
            } else if !page.contains("(once more)") || page.contains("(not shown)") {
                line = reply(&page, answers, &words);
            }
            page.clear();
            pty.send_line(&line).unwrap();
        }
        let status = format!("{:?}", pty.process().status());
        if !status.contains("StillAlive") {
            all.push_str(&pty.exp_eof().unwrap_or_default());
            assert!(status.contains(", 0)"), "{status}\n{all}");
            return all;
        }
        assert!(since.elapsed() < PATIENCE, "nothing more came, and nothing was asked:\n{all}");
        sleep(Duration::from_millis(5));
    }
}

/// The answer to the question that stands last on the page.
fn reply(page: &str, answers: &[(&str, &str)], words: &BTreeMap<usize, String>) -> String {
    if let Some((_, place)) = page.rsplit_once("  word ") {
        return words[&place.split_whitespace().next().unwrap().parse().unwrap()].clone();
    }
    let last = answers.iter().filter_map(|(asked, answer)| Some((page.rfind(asked)?, answer))).max();
    (*last.unwrap_or_else(|| panic!("nobody knows what to answer:\n{page}")).1).to_owned()
}

/// The numbered words of the digest that a page shows.
fn digest_words(page: &str) -> BTreeMap<usize, String> {
    let cells: Vec<&str> = page.split_whitespace().collect();
    let numbered = |pair: &[&str]| Some((pair[0].parse().ok()?, pair[1].to_owned()));
    cells.windows(2).filter_map(numbered).filter(|(n, _)| (1..=32).contains(n)).collect()
}

/// Held by whoever runs the program, so that the one child of that name is theirs.
static ONE: Mutex<()> = Mutex::new(());

/// The program that this test runs.
fn pid() -> String {
    let parent = std::process::id().to_string();
    let ours = |pid: &String| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // `123 (keyrite) S 77 ...`, or still the test's own name before it has become the program.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(parent.as_str()))
            && !stat.contains("(sh)")
            && !stat.contains("(sleep)")
    };
    let pids = fs::read_dir("/proc").unwrap().map(|p| p.unwrap().file_name().into_string().unwrap());
    pids.filter(ours).last().expect("a program that runs")
}

/// The kernel would write no core file of this process.
fn assert_limits(pid: &str) {
    // It may have ended meanwhile.
    let Ok(limits) = fs::read_to_string(format!("/proc/{pid}/limits")) else { return };
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    let sizes: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert!(limits.is_empty() || sizes == ["0", "0"], "{core}");
}

#[test]
fn a_whole_day_leaves_no_secret_anywhere() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    for verbosity in ["", "-v", "-vv"] {
        day(verbosity);
    }
}

/// Tokens prepared, a trust made, a developer's key made, the first day held: all on a terminal.
fn day(verbosity: &str) {
    let dir = folder(&format!("secrets{verbosity}"));
    tokens(&dir, &[]);
    let labels = ["root-a", "root-b", "root-c"];
    let mut secrets = BTreeMap::<String, String>::new();
    for name in labels {
        secrets.insert(name.to_owned(), canary("pin"));
        secrets.insert(format!("officer of {name}"), canary("so"));
    }
    for name in ["targets-1", "online-snapshot", "online-timestamp", "dev-dana"] {
        secrets.insert(name.to_owned(), canary("phrase with spaces"));
    }
    let watch = Watch::over(&secrets);
    let mut shown = String::new();
    let mut typed = |arguments: &[&str], answers: &[(&str, &str)]| {
        let mut arguments = arguments.to_vec();
        arguments.extend([verbosity].iter().filter(|v| !v.is_empty()));
        let said = talk(on_echoing_terminal(&dir, &arguments), answers);
        shown.push_str(&said);
        said
    };
    for label in labels {
        let answers = [
            ("Which token?", "1"),
            ("Its label?", label),
            ("New security officer's PIN", secrets[&format!("officer of {label}")].as_str()),
            ("New PIN", secrets[label].as_str()),
        ];
        typed(&["tokens", "--module", SOFTHSM, "prepare"], &answers);
    }
    typed(&["init", "trust"], &INIT);
    let phrase = [("pass-phrase", secrets["dev-dana"].as_str())];
    typed(&["developer", "new", "dana", "--trust", "trust/trust.json", "--out", "trust"], &phrase);
    // In profile tuf she signs her role's first document; here, on the same machine.
    let own = "\n[key.dev-dana]\nuri = \"file:dana.key\"\npin = \"tty\"\n";
    let map = dir.join("trust/devices.toml");
    fs::write(&map, fs::read_to_string(&map).unwrap() + own).unwrap();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let today = keyrite::tuf::time::Time::from_unix(now).unwrap().date();
    let mut answers = vec![
        ("Type same once every word", "same"),
        ("Type Yes to agree", "Yes"),
        ("Type your name once", "wim"),
        ("today's date", today.as_str()),
    ];
    let asked: Vec<(String, &str)> =
        secrets.iter().map(|(n, s)| (format!("opens the key \"{n}\""), s.as_str())).collect();
    answers.extend(asked.iter().map(|(asked, secret)| (asked.as_str(), *secret)));
    let said = typed(&["-C", "trust", "run", "trust/first-day"], &answers);
    // By scripts, PINs come from files: the only ones in which they may be found.
    fs::create_dir(dir.join("pins")).unwrap();
    let mut text = fs::read_to_string(&map).unwrap();
    for name in ["online-snapshot", "online-timestamp"] {
        let pin = dir.join("pins").join(name);
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&pin).unwrap();
        file.write_all(secrets[name].as_bytes()).unwrap();
        let (before, after) = text.split_once(&format!("[key.{name}]")).unwrap();
        let after = after.replacen("\"tty\"", &format!("\"{}\"", pin.display()), 1);
        text = format!("{before}[key.{name}]{after}");
    }
    // What the session's last page tells to do.
    let root = said.lines().map(str::trim).find(|line| line.starts_with("root = {")).unwrap();
    fs::write(&map, text.replacen("[trust]\n", &format!("[trust]\n{root}\n"), 1)).unwrap();
    typed(&["-C", "trust", "sign-snapshot", "--unattended"], &[]);
    typed(&["-C", "trust", "status"], &[]);
    let (seen, looks) = watch.end();

    assert!(seen.is_empty(), "{seen:?}");
    assert!(looks > 20, "the program was hardly looked at: {looks}");
    assert!(shown.contains("payload of root 1"), "the day was not held: {shown}");
    assert_eq!(found(&secrets, shown.as_bytes()), [""; 0], "on the terminal");
    let files = files(&dir);
    for part in ["devices.toml", "private/", "transcripts/", "uploads/", "dana.key", "tokens/"] {
        assert!(files.iter().any(|f| f.to_string_lossy().contains(part)), "no {part} in {files:#?}");
    }
    for file in files {
        let found = found(&secrets, &fs::read(&file).unwrap());
        if file.parent().is_some_and(|folder| folder.ends_with("pins")) {
            assert_eq!(found.len(), 1, "in {}", file.display());
        } else {
            assert_eq!(found, [""; 0], "in {}", file.display());
        }
    }
}

const INIT: [(&str, &str); 20] = [
    ("Who reads the signed metadata?", "tuf"),
    ("Is this the real thing?", "production"),
    ("What is the repository called?", "updates.example.com/apps"),
    ("Who leads the ceremonies?", "ada"),
    ("Who holds a root key?", "ada, bruno, carla"),
    ("must sign a root?", "2"),
    ("What kind of keys?", "p256"),
    ("key root-a be?", "token"),
    ("key root-b be?", "token"),
    ("key root-c be?", "token"),
    ("Which PKCS#11 library", SOFTHSM),
    // Its default is the token of the key's own label.
    ("Which token is", ""),
    ("Who is the update-service administrator?", "uma"),
    ("key targets-1 be?", "file"),
    ("keys of snapshot and timestamp made?", "here"),
    ("What is the first application called?", "camera-station"),
    ("Who is its first developer?", "dana"),
    ("Who watches and records?", "wim"),
    ("Shall it be made so?", "Yes"),
    ("How does dana show", "proved"),
];

#[test]
fn what_is_planted_is_found() {
    let dir = folder("secrets-planted");
    let secret = canary("planted");
    let secrets = BTreeMap::from([("planted".to_owned(), secret.clone())]);
    assert!(found(&secrets, b"nothing of the kind").is_empty());
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{secret} and more");
        let planted = [
            text.clone(),
            hex(text.as_bytes()),
            hex(text.as_bytes()).to_uppercase(),
            Base64Unpadded::encode_string(text.as_bytes()),
        ];
        for bytes in planted {
            fs::write(dir.join("file"), &bytes).unwrap();
            let read: Vec<_> = files(&dir).iter().flat_map(|file| fs::read(file).unwrap()).collect();
            assert_eq!(found(&secrets, &read), ["planted"], "{bytes}");
        }
    }
    let watch = Watch::over(&secrets);
    let mut argument = Command::new("sh").args(["-c", "sleep 2; :", &secret]).spawn().unwrap();
    let mut environment = Command::new("sleep").arg("2").env("SECRET", &secret).spawn().unwrap();
    assert!(argument.wait().unwrap().success() && environment.wait().unwrap().success());
    assert_eq!(watch.end().0, ["planted in cmdline", "planted in environ"]);
}

/// A process that can't be dumped belongs to root, whoever runs it. Root itself steps down to see.
#[test]
fn others_of_the_same_user_do_not_look_into_its_memory() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = folder("secrets-memory");
    let arguments = ["developer", "new", "dana", "--trust", "trust.json", "--out", "."];
    let trust = dir.join("trust.json");
    fs::write(&trust, trust_file()).unwrap();
    let root = rustix::process::geteuid().is_root();
    let down = |mut command: Command| {
        if root {
            command.uid(65534).gid(65534);
        }
        command
    };
    // A program of an ordinary kind, which the same user may look into.
    let mut plain = Command::new("sleep");
    plain.arg("60");
    let mut plain = down(plain).spawn().unwrap();
    let owner = |pid: &str| fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid();
    assert_ne!(owner(&plain.id().to_string()), 0);
    plain.kill().unwrap();
    plain.wait().unwrap();

    let mut pty = spawn_command(down(keyrite(&dir, &arguments)), Some(60_000)).unwrap();
    pty.exp_string("(not shown) > ").unwrap();
    let pid = pid();
    assert_eq!(owner(&pid), 0);
    assert_limits(&pid);
    pty.send_control('c').unwrap();
    pty.exp_string("INTERRUPTED").unwrap();
}

fn trust_file() -> Vec<u8> {
    let spec = keyrite::record::TrustSpec {
        profile: keyrite::tuf::profile::Profile::Tuf,
        collection: "updates.example.com/apps".to_owned(),
        stage: keyrite::ceremony::facts::Stage::Production,
        limits: keyrite::tuf::digest::Digest::of(b"limits"),
        shadows: None,
        start: None,
        nonce: [1; 32],
    };
    keyrite::record::TrustFile::new(&spec).unwrap().to_json()
}
