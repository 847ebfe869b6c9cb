//! What a ceremony's process gives up, tested for effect: each thing is done by a process before it
//! gives it up, and refused to the same process after. `SoftHSM` goes on signing; for a smart card service see
//! `tests/piv.rs`.
//!
//! Nobody can take up again what was given up, so each test is a process of its own: this very test
//! program, told by a variable of the environment what to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod pins;
mod program;
mod stage;

use keyrite::ceremony::facts::Stage as Kind;
use keyrite::ceremony::limits::Limits;
use keyrite::cli::devices::DeviceMap;
use keyrite::cli::keyring::Keyring;
use keyrite::signer::backends::{ModulePin, Modules};
use keyrite::signer::randomness::Randomness;
use keyrite::signer::{self, KeyTag};
use keyrite::system::machine::{self, Locked, Needs};
use keyrite::tuf::digest::Digest;
use keyrite::tuf::key::{KeySpec, Scheme};
use keyrite::tuf::payload::Payload;
use keyrite::tuf::profile::Profile;
use keyrite::tuf::statement::{Sentence, Statement, TrustId};
use pins::Pins;
use program::{SOFTHSM, answer, folder, on_terminal, tokens};
use rexpect::ReadUntil;
use rexpect::session::PtySession;
use rustix::net::{AddressFamily, Protocol, SendFlags, SocketType, socket};
use stage::{Done, Stage, shipped, utf8};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a child of this program is to do, and where.
const DEED: &str = "CONFINED_DEED";
const PLACE: &str = "CONFINED_PLACE";
const SERIAL: &str = "CONFINED_SERIAL";

/// Has a process of its own do what [`the_child`] says, in an empty folder.
fn child(deed: &str, place: &Path, serial: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // One thread: a fence stands around the thread that put it up.
    command.args(["the_child", "--exact", "--nocapture", "--test-threads=1"]);
    command
        .env(DEED, deed)
        .env(PLACE, place)
        .env(SERIAL, serial)
        .env("SOFTHSM2_CONF", place.join("softhsm2.conf"));
    command.current_dir(place).output().unwrap()
}

/// Runs a deed that must succeed; what it printed.
fn done(deed: &str, place: &Path, serial: &str) -> String {
    let out = child(deed, place, serial);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{deed}: {text}\n{}", String::from_utf8_lossy(&out.stderr));
    text
}

/// Not a test of its own: the part of the others that happens in a child.
#[test]
fn the_child() {
    let Ok(deed) = std::env::var(DEED) else { return };
    let place = PathBuf::from(std::env::var(PLACE).unwrap());
    match deed.as_str() {
        "session" => session(&place),
        "no local sockets" => no_local_sockets(&place),
        "ports" => ports(&place),
        "usb" => usb(false),
        "usb named" => usb(true),
        "crash" => std::process::abort(),
        "closed crash" => {
            machine::close();
            std::process::abort();
        }
        "limit" => print!("{:?}", rustix::process::getrlimit(rustix::process::Resource::Core).current),
        "closed limit" => {
            machine::close();
            print!("{:?}", rustix::process::getrlimit(rustix::process::Resource::Core).current);
        }
        "closed calls" => {
            assert!(machine::close());
            print!("{}", calls());
        }
        "calls" => print!("{}", calls()),
        "waits" => waits(),
        "closed waits" => {
            assert!(machine::close());
            waits();
        }
        "closed typing" => {
            assert!(machine::close());
            print!("{}", typing());
        }
        "typing" => print!("{}", typing()),
        other => panic!("{other}"),
    }
}

/// Says that it is there, until nobody types any more.
#[expect(clippy::print_stdout, reason = "the test that started this process reads it")]
fn waits() {
    println!("waits");
    std::io::stdin().lines().for_each(drop);
}

/// What can be done, by name: "done", or the system's word.
fn attempts(place: &Path) -> BTreeMap<&'static str, String> {
    let said =
        |result: std::io::Result<()>| result.map_or_else(|e| format!("{:?}", e.kind()), |()| "done".into());
    let open = |family: AddressFamily, kind: SocketType, protocol: Option<Protocol>| {
        said(socket(family, kind, protocol).map(drop).map_err(Into::into))
    };
    let uevent = rustix::net::netlink::KOBJECT_UEVENT;
    BTreeMap::from([
        ("internet", open(AddressFamily::INET, SocketType::STREAM, None)),
        ("internet datagram", open(AddressFamily::INET, SocketType::DGRAM, None)),
        ("internet 6", open(AddressFamily::INET6, SocketType::STREAM, None)),
        ("packet", open(AddressFamily::PACKET, SocketType::RAW, None)),
        ("virtual machines", open(AddressFamily::VSOCK, SocketType::STREAM, None)),
        ("routes", open(AddressFamily::NETLINK, SocketType::RAW, None)),
        ("devices plugged in", open(AddressFamily::NETLINK, SocketType::DGRAM, Some(uevent))),
        ("unix", open(AddressFamily::UNIX, SocketType::STREAM, None)),
        // By the filter: the fence has a word of its own for it (EACCES).
        (
            "a program",
            match Command::new("/bin/true").status() {
                Err(e) if e.raw_os_error() != Some(libc::EPERM) => format!("{e}"),
                ended => said(ended.map(drop)),
            },
        ),
        ("read outside", said(fs::read(place.join("outside/file")).map(drop))),
        ("write outside", said(fs::write(place.join("outside/new"), "x"))),
        ("remove outside", said(fs::remove_file(place.join("outside/new")))),
        ("cut short outside", said(fs::File::create(place.join("outside/short")).map(drop))),
        ("list the root", said(fs::read_dir("/").map(drop))),
        ("read a library", said(fs::read(SOFTHSM).map(drop))),
        ("another process", said(fs::read("/proc/1/status").map(drop))),
        (
            "a library written",
            said(fs::OpenOptions::new().append(true).open(place.join("lib/file")).map(drop)),
        ),
        ("a library read", said(fs::read(place.join("lib/file")).map(drop))),
        ("read the record", said(fs::read(place.join("record/file")).map(drop))),
        ("write the record", said(fs::write(place.join("record/new"), "x"))),
        ("move in the record", said(fs::rename(place.join("record/new"), place.join("record/deep/new")))),
    ])
}

fn session(place: &Path) {
    let modules = Modules::new();
    let pin = ModulePin { path: SOFTHSM.into(), sha256: None };
    // Roots of trust of the machine itself are no one's to read.
    assert!(machine::close());
    modules.load(&pin).unwrap();
    let interfaces = machine::interfaces();
    assert!(interfaces.up.is_some());
    let before = attempts(place);
    assert!(before.values().all(|said| said == "done"), "{before:?}");
    let mut write = vec![place.join("record")];
    write.extend(machine::folders(Path::new(SOFTHSM)));
    assert_eq!(write[1..], [place.join("tokens")]);
    let needs = Needs { read: vec![place.join("lib")], write, local: true, ..Needs::default() };
    let findings = machine::confine(&needs).findings();
    #[expect(clippy::print_stdout, reason = "the test that started this process reads it")]
    {
        println!("{findings:?}");
    }
    let free = ["unix", "read a library", "a library read", "read the record", "write the record"];
    let free = [&free[..], &["move in the record"]].concat();
    for (what, said) in attempts(place) {
        let expected = if free.contains(&what) { "done" } else { "PermissionDenied" };
        // A file that could not be written before is not there.
        assert!(said == expected || (what == "remove outside" && said != "done"), "{what}: {said}");
    }
    // No socket can be had to ask for them, but what was asked once can be asked again.
    assert_eq!(machine::interfaces().up, interfaces.up);
    // The token is reached, a key is made on it and signs.
    let serial = std::env::var(SERIAL).unwrap();
    let uri = format!("pkcs11:token=a;serial={serial};object=root-a").parse().unwrap();
    let mut token = modules.open(&uri, Some(&pin)).unwrap();
    let mut pins = Pins::new("1234", "87654321");
    let tag = KeyTag { label: "root-a".into(), id: [1; 16], place: None };
    let key = token.generate(KeySpec::EcdsaP256, &tag, &mut pins).unwrap();
    let sentence = Sentence::Withdrawal { change: Digest::of(b"change"), reason: "a test".into() };
    let payload = Payload::Statement(Statement::new(TrustId::from_bytes([7; 16]), sentence).unwrap());
    let mut signer = token.open(&key.public, &mut pins).unwrap();
    let scheme = Scheme::of(key.public.algorithm());
    signer::sign(&mut *signer, &key.public, scheme, &payload, &mut pins).unwrap();
}

#[test]
fn a_confined_process_reaches_its_token_and_nothing_outside() {
    let place = folder("confined-session");
    let serial = tokens(&place, &["a"]).remove(0);
    for (path, text) in [
        ("outside/file", "x"),
        ("outside/short", "x"),
        ("lib/file", "x"),
        ("record/file", "x"),
        ("record/deep/file", "x"),
    ] {
        fs::create_dir_all(place.join(path).parent().unwrap()).unwrap();
        fs::write(place.join(path), text).unwrap();
    }
    let text = done("session", &place, &serial);
    assert!(text.contains("fenced in") && !text.contains("NOT fenced"), "{text}");
    assert!(text.contains("\"system calls\": \"filtered\""), "{text}");
    assert_eq!(fs::read_dir(place.join("outside")).unwrap().count(), 2, "nothing was left outside");
}

/// Where the devices on USB are, in a `/dev` of [`on_usb`].
const KEYBOARD: &str = "/dev/bus/usb/001/002";

fn usb(named: bool) {
    let attempts = || {
        let device = fs::OpenOptions::new().read(true).write(true).open(KEYBOARD).is_ok();
        let uevent = Some(rustix::net::netlink::KOBJECT_UEVENT);
        [device, socket(AddressFamily::NETLINK, SocketType::DGRAM, uevent).is_ok()]
    };
    assert!(machine::close());
    assert_eq!(attempts(), [true; 2]);
    machine::confine(&Needs { usb: named, ..Needs::default() });
    assert_eq!(attempts(), [named; 2]);
    // Anything else there stays out of reach.
    assert!(fs::read("/dev/other").is_err());
}

/// Has a process of its own do it where `/dev` has a device on USB, which this machine need not have.
fn on_usb(deed: &str, place: &Path) -> Output {
    let dev = "mkdir -p dev/bus/usb/001; echo x >dev/bus/usb/001/002; echo x >dev/other\n\
               for f in null random urandom tty; do touch dev/$f; mount --bind /dev/$f dev/$f; done\n\
               mount --rbind dev /dev; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-euc", dev, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["the_child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(DEED, deed).env(PLACE, place).current_dir(place).output().unwrap()
}

/// A device there is as good as typing on the keyboard and reading the disk.
#[test]
fn devices_on_usb_are_out_of_reach_where_no_token_needs_them() {
    for deed in ["usb", "usb named"] {
        let out = on_usb(deed, &folder("confined-usb"));
        assert!(out.status.success(), "{deed}: {out:?}");
    }
}

/// Someone who listens in the file system, as a desktop's session bus does, and in the kernel's own names.
fn no_local_sockets(place: &Path) {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
    let bus = place.join("bus");
    let _listens = UnixListener::bind(&bus).unwrap();
    let name = SocketAddr::from_abstract_name(format!("keyrite-test-{}", std::process::id())).unwrap();
    let _named = UnixListener::bind_addr(&name).unwrap();
    UnixStream::connect(&bus).unwrap();
    UnixStream::connect_addr(&name).unwrap();
    let tcp = if place.ends_with("confined-local-tcp") {
        BTreeMap::from([(1, "it".into())])
    } else {
        BTreeMap::new()
    };
    assert!(machine::close());
    let confined = machine::confine(&Needs { write: vec![place.to_owned()], tcp, ..Needs::default() });
    assert_eq!(confined.findings()["local sockets"], "none");
    for refused in [
        UnixStream::connect(&bus).map(drop),
        UnixStream::connect_addr(&name).map(drop),
        UnixDatagram::unbound().map(drop),
        UnixListener::bind(place.join("mine")).map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    }
}

#[test]
fn where_no_module_needs_them_no_socket_of_this_machine_is_spoken_to() {
    for place in ["confined-local", "confined-local-tcp"] {
        done("no local sockets", &folder(place), "");
    }
}

/// What a device map doesn't need is not asked for.
#[test]
fn a_session_needs_what_its_device_map_names() {
    let place = folder("confined-needs");
    let trust = format!("[trust]\nid = \"{}\"\n", "0".repeat(32));
    let module = format!(
        "[module.m]\npath = \"{SOFTHSM}\"\nsha256 = \"{}\"\n[key.a]\nuri = \"pkcs11:token=a;serial=1;object=a\"\nmodule = \"m\"\npin = \"tty\"\n",
        "0".repeat(64)
    );
    let key = |uri: &str| format!("[key.a]\nuri = \"{uri}\"\npin = \"tty\"\n");
    for (keys, local, usb, ports) in [
        (String::new(), false, false, 0),
        (key("file:keys/a.pem"), false, false, 0),
        (key("external:a"), false, false, 0),
        (key("piv:serial=1;slot=9c"), true, false, 0),
        (key("yubihsm:serial=1"), false, true, 0),
        (key("yubihsm:serial=1;connector=http://127.0.0.1:12345"), false, false, 1),
        (module, true, true, 0),
    ] {
        let map = DeviceMap::parse(&format!("{trust}{keys}"), &place);
        let map = map.unwrap_or_else(|e| panic!("{keys}: {e}"));
        let needs = Keyring::new(Some(map), Randomness::system()).needs(&place, None);
        assert_eq!((needs.local, needs.usb, needs.tcp.len()), (local, usb, ports), "{keys}");
    }
}

fn ports(place: &Path) {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (allowed, other) = (listen(), listen());
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    // As the device map of someone whose module speaks to an appliance has it.
    let text = format!(
        "[trust]\nid = \"{}\"\n[module.m]\npath = \"{SOFTHSM}\"\nsha256 = \"{}\"\nconnects-to = \"127.0.0.1:{}\"\n\
         [key.a]\nuri = \"pkcs11:token=a;serial=1;object=a\"\nmodule = \"m\"\npin = \"tty\"\n",
        "0".repeat(32),
        "0".repeat(64),
        port(&allowed)
    );
    let map = DeviceMap::parse(&text, place).unwrap();
    let elsewhere = TcpListener::bind(("127.0.0.2", port(&allowed))).unwrap();
    let needs = Keyring::new(Some(map), Randomness::system()).needs(place, None);
    assert!(needs.local, "whatever a module needs beside");
    assert!(machine::close());
    let confined = machine::confine(&needs);
    let words = format!("no other than to TCP port {0}, for 127.0.0.1:{0}", port(&allowed));
    assert_eq!(confined.findings()["connections"], words);
    TcpStream::connect(allowed.local_addr().unwrap()).unwrap();
    // The kernel knows ports and not hosts: told in the manual, and so in the words above.
    TcpStream::connect(elsewhere.local_addr().unwrap()).unwrap();
    assert!(TcpStream::connect(other.local_addr().unwrap()).is_err(), "another port");
    assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_err(), "no datagrams");
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).is_err(), "nobody is listened for");
    // What the fence doesn't see: another protocol with ports, listening unbound, sending that connects.
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        assert!(socket(family, SocketType::STREAM, rustix::net::ipproto::MPTCP.into()).is_err(), "MPTCP");
        let stream = socket(family, SocketType::STREAM, rustix::net::ipproto::TCP.into()).unwrap();
        assert_eq!(rustix::net::listen(&stream, 1), Err(rustix::io::Errno::PERM));
    }
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let fast = SendFlags::from_bits_retain(0x2000_0000);
    let to = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port(&other)));
    let refused = Err(rustix::io::Errno::PERM);
    assert_eq!(rustix::net::sendto(&stream, b"x", fast, &to), refused);
    let mut none = rustix::net::SendAncillaryBuffer::default();
    let bytes = [std::io::IoSlice::new(b"x")];
    assert_eq!(rustix::net::sendmsg_addr(&stream, &to, &bytes, &mut none, fast), refused);
}

/// Another process that types on its terminal, under the filter that it inherits: what was typed, or the
/// system's word.
fn typing() -> String {
    let text = "import fcntl, sys\nfor name, number in ('TIOCSTI', 0x5412), ('TIOCLINUX', 0x541c):\n    \
                try: fcntl.ioctl(0, number, b'\\0'); said = 0\n    except OSError as e: said = e.errno\n    \
                print(name, 'EPERM' if said == 1 else said)\n";
    let null = fs::File::open("/dev/null").unwrap();
    let out = Command::new("/usr/bin/python3").args(["-c", text]).stdin(null).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn nobody_types_on_the_terminal_in_a_persons_place() {
    let place = folder("confined-typing");
    // No terminal: whatever comes before the kernel looks at that is the filter.
    assert!(done("typing", &place, "").contains("TIOCSTI 25"));
    let closed = done("closed typing", &place, "");
    assert!(closed.contains("TIOCSTI EPERM") && closed.contains("TIOCLINUX EPERM"), "{closed}");
}

#[test]
fn the_port_of_a_module_stays_and_no_other() {
    done("ports", &folder("confined-ports"), "");
}

#[test]
fn a_module_connects_where_the_device_map_and_the_limits_say() {
    for allowed in [false, true] {
        let mut limits = Limits::default_for(Profile::Notary);
        if allowed {
            limits.ceremony.connections = ["192.0.2.7:1792".parse().unwrap()].into();
        }
        let name = format!("connections-{allowed}");
        let stage = Stage::new(&name, Profile::Notary, Kind::Production, &limits);
        let serial = stage.token("targets-1");
        let map = stage.devices().on_token("targets-1", &serial).write("devices.toml");
        let text = fs::read_to_string(&map).unwrap();
        let to = |address: &str| {
            let text = text.replace("[key.", &format!("connects-to = \"{address}\"\n[key."));
            stage.write("connects.toml", &text)
        };
        let runbook = shipped("first-day/02-targets-key.toml");
        let appliance = to("192.0.2.7:1792");
        let plan = stage.on(&stage.record, &appliance, &["plan", utf8(&runbook)]);
        let problems = stage.on(&stage.record, &appliance, &["preflight"]).json()["problems"].clone();
        if !allowed {
            assert_eq!(plan.ended(1).json()["error"]["rule"], "CONNECTION");
            assert_eq!(problems[0]["rule"], "CONNECTION", "{problems}");
            // A frozen change is no way round.
            let here = to("127.0.0.1:1792");
            let (_, answers) = stage.answers(&here, &runbook);
            let appliance = to("192.0.2.7:1792");
            let run = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
            let refused = stage.on(&stage.record, &appliance, &run).ended(1).json();
            assert_eq!(refused["error"]["rule"], "CONNECTION", "{refused}");
            assert_eq!(checks(&stage).len(), 0, "nothing was begun");
            // What is on this machine needs no limit.
            stage.hold(&to("127.0.0.1:1792"), &runbook).1.ended(0);
            let found = checks(&stage).pop().unwrap();
            assert_eq!(found["connections"], "no other than to TCP port 1792, for 127.0.0.1:1792");
            continue;
        }
        let plan = plan.ended(0).json();
        assert_eq!(plan["connections"][0], "the module softhsm connects to 192.0.2.7:1792", "{plan}");
        assert_eq!(problems, serde_json::json!([]));
        let seen = stage.on(&stage.record, &appliance, &["preflight"]).ended(0).json();
        let words = "no other than to TCP port 1792, for 192.0.2.7:1792";
        assert_eq!(seen["machine"]["connections"], words, "{seen}");
        stage.hold(&appliance, &runbook).1.ended(0);
        assert_eq!(checks(&stage).pop().unwrap()["connections"], words);
        // Another port of the same host is another connection.
        let refused = stage.on(&stage.record, &to("192.0.2.7:1793"), &["preflight"]).ended(1).json();
        assert!(
            refused["problems"][0]["expected"].as_str().unwrap().ends_with("192.0.2.7:1792"),
            "{refused}"
        );
    }
}

/// Calls that look into other processes or go round a filter, made by a program that a process starts
/// before its session: filters are inherited.
fn calls() -> String {
    let numbers: [(&str, i64); 6] = [
        ("ptrace", libc::SYS_ptrace),
        ("process_vm_readv", libc::SYS_process_vm_readv),
        ("io_uring_setup", libc::SYS_io_uring_setup),
        ("bpf", libc::SYS_bpf),
        ("userfaultfd", libc::SYS_userfaultfd),
        ("setns", libc::SYS_setns),
    ];
    // `PTRACE_TRACEME` is 0, as are all the other arguments.
    let text = "import ctypes, sys\nc = ctypes.CDLL(None, use_errno=True)\nfor pair in sys.argv[1:]:\n    \
                name, number = pair.split('=')\n    said = c.syscall(ctypes.c_long(int(number)), 0, 0, 0, 0, 0, 0)\n    \
                print(name, 'refused' if said == -1 and ctypes.get_errno() == 1 else 'let through')\n";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", text]).args(numbers.map(|(name, number)| format!("{name}={number}")));
    let out = command.output().unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn no_command_looks_into_other_processes() {
    let place = folder("confined-calls");
    let (open, closed) = (done("calls", &place, ""), done("closed calls", &place, ""));
    assert!(open.contains("ptrace let through"), "{open}");
    assert_eq!(closed.matches(" refused").count(), 6, "{closed}");
    assert_eq!(closed.matches(" let through").count(), 0, "{closed}");
}

#[test]
fn no_core_file_is_written() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    // Someone who lets programs leave core files, as large as they are.
    let lets = |deed: &str, place: &Path| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"]);
        command.arg(std::env::current_exe().unwrap());
        command.args(["the_child", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(DEED, deed).env(PLACE, place).current_dir(place).output().unwrap()
    };
    for (deed, left) in [("crash", true), ("closed crash", false)] {
        let place = folder(&format!("confined-{}", deed.replace(' ', "-")));
        let out = lets(deed, &place);
        assert!(!out.status.success(), "{deed}: {out:?}");
        let files: Vec<_> = fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
        if left && (pattern.starts_with(['|', '/']) || files.is_empty()) {
            skipped("no_core_file_is_written: core files go elsewhere, so an open process's is not seen");
            continue;
        }
        assert_eq!(!files.is_empty(), left, "{deed}: {files:?}");
    }
    // A process that can't be dumped writes none either: the limit holds by itself.
    let place = folder("confined-limit");
    let limit = |deed: &str| String::from_utf8(lets(deed, &place).stdout).unwrap();
    if limit("limit").contains("Some(0)") {
        skipped("no_core_file_is_written: nobody may write one here, so the limit of one's own is not seen");
    }
    assert!(limit("closed limit").contains("Some(0)"), "{}", limit("closed limit"));
}

#[test]
fn memory_is_locked_as_far_as_the_limit_lets() {
    // What is left out counts where there is swap in clear.
    for (locked, words, without, with) in [
        (Locked::Whole, "locked", true, true),
        (Locked::SoFar, "locked but for what is allocated later", true, false),
        (
            Locked::Nothing(Some(8 << 20)),
            "NOT locked: no more than 8192 KiB may be (ulimit -l)",
            false,
            false,
        ),
        (Locked::Nothing(None), "NOT locked: the system refuses", false, false),
    ] {
        assert_eq!(locked.words(), words);
        assert_eq!((locked.reached(false), locked.reached(true)), (without, with), "{words}");
    }
}

/// Says what was left out, past cargo, which keeps what a passing test prints to itself; scripts/test counts
/// these lines.
fn skipped(what: &str) {
    std::io::stderr().write_all(format!("SKIPPED {what}\n").as_bytes()).unwrap();
}

/// A process that waits, of a user who is nobody here, and what another one of that user's sees of it.
fn looked_into(deed: &str) -> Output {
    let place = folder(&format!("confined-{}", deed.replace(' ', "-")));
    let someone = |program: &Path| {
        let mut command = Command::new("setpriv");
        if rustix::process::getuid().is_root() {
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        }
        command.arg(program).current_dir("/").env_clear();
        command
    };
    let mut waits = someone(&std::env::current_exe().unwrap())
        .args(["the_child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DEED, deed)
        .env(PLACE, &place)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(waits.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("waits")), "{deed}");
    let seen = someone(Path::new("/bin/cat")).arg(format!("/proc/{}/environ", waits.id())).output().unwrap();
    drop(waits.stdin.take());
    assert!(waits.wait().unwrap().success());
    seen
}

#[test]
fn no_other_program_of_the_same_user_looks_into_this_one() {
    let open = looked_into("waits");
    assert!(open.status.success() && !open.stdout.is_empty(), "{open:?}");
    let closed = looked_into("closed waits");
    assert!(!closed.status.success() && closed.stdout.is_empty(), "{closed:?}");
    assert!(String::from_utf8_lossy(&closed.stderr).contains("Permission denied"), "{closed:?}");
}

/// What the kernel says of the only process that has this text among its arguments.
fn status_of(argument: &Path, what: &str) -> String {
    let has = |pid: &Path| {
        let line = fs::read(pid.join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == utf8(argument).as_bytes())
    };
    let pids = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let pid = pids.into_iter().find(|pid| has(pid)).expect("a program that runs");
    let text = fs::read_to_string(pid.join("status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what}: {text}"));
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// What sessions found of the machine, in order of time.
fn checks(stage: &Stage) -> Vec<serde_json::Value> {
    let mut found = Vec::new();
    for session in fs::read_dir(stage.record.join("transcripts")).into_iter().flatten() {
        let mut files: Vec<_> =
            fs::read_dir(session.unwrap().path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let begin: serde_json::Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
        found.push((begin["at"].as_str().unwrap().to_owned(), begin["outcome"]["host-checks"].clone()));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|(_, checks)| checks).collect()
}

/// A record, the tokens of three root keys, and a device map whose PINs people type.
fn typed_pins(name: &str) -> (Stage, PathBuf) {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new(name, Profile::Notary, Kind::Production, &limits);
    let serials = ["root-a", "root-b", "root-c"].map(|key| (key, stage.token(key)));
    let devices = serials.iter().fold(stage.devices(), |map, (key, serial)| map.on_token(key, serial));
    let text = fs::read_to_string(devices.write("files.toml")).unwrap();
    let map = stage.write("devices.toml", &text.replace("pin = \"pin\"", "pin = \"tty\""));
    (stage, map)
}

/// Answers whatever is asked until a text comes.
fn answered_until(pty: &mut PtySession, end: &str) {
    let asked = ["(press Enter) ", "Type same once", "Do you agree", end];
    loop {
        let needles = asked.iter().map(|text| ReadUntil::String((*text).to_owned())).collect();
        match pty.exp_any(needles).unwrap().1.as_str() {
            "Type same once" => answer(pty, "", "same"),
            "Do you agree" => answer(pty, "", "Yes"),
            "(press Enter) " => pty.send_line("").map(drop).unwrap(),
            _ => break,
        }
    }
}

/// What stands where a PIN is typed.
const UNSEEN: &str = "(not shown) > ";

#[test]
fn memory_is_locked_while_a_session_has_secrets() {
    let (stage, map) = typed_pins("confined-memory");
    let runbook = shipped("first-day/01-root-keys.toml");
    let mut pty =
        on_terminal(&stage.dir, &["-C", utf8(&stage.record), "--devices", utf8(&map), "run", utf8(&runbook)]);
    answer(&mut pty, "What is today's date", &stage::today());
    // The first PIN is typed and its token open when the second is asked for.
    answered_until(&mut pty, UNSEEN);
    pty.send_line(stage::PIN).unwrap();
    answered_until(&mut pty, UNSEEN);
    let kib = |what: &str| status_of(&runbook, what).parse::<u64>().unwrap();
    let (locked, resident) = (kib("VmLck:"), kib("VmRSS:"));
    // All that there is of it, libraries and the module too.
    assert!(locked >= resident && locked > 10_000, "{locked} KiB of {resident} locked");
    pty.send_control('c').unwrap();
    pty.exp_eof().unwrap();
}

#[test]
fn a_session_is_confined_before_it_asks_and_its_transcript_says_how_far() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("confined", Profile::Notary, Kind::Production, &limits);
    let serial = stage.token("targets-1");
    let map = stage.devices().on_token("targets-1", &serial).write("devices.toml");
    let runbook = shipped("first-day/02-targets-key.toml");
    let mut pty =
        on_terminal(&stage.dir, &["-C", utf8(&stage.record), "--devices", utf8(&map), "run", utf8(&runbook)]);
    pty.exp_string("What is today's date").unwrap();
    for (what, value) in [("NoNewPrivs:", "1"), ("Seccomp:", "2"), ("Seccomp_filters:", "3")] {
        assert_eq!(status_of(&runbook, what), value, "{what}");
    }
    pty.send_control('c').unwrap();
    pty.exp_eof().unwrap();

    stage.hold(&map, &runbook).1.ended(0);
    let checks = checks(&stage).pop().unwrap();
    let said = |name: &str| checks[name].as_str().unwrap_or_else(|| panic!("{name} in {checks}"));
    let module = Digest::of(&fs::read(SOFTHSM).unwrap()).hex();
    assert_eq!(said("module softhsm"), module);
    assert_eq!((said("system calls"), said("connections")), ("filtered", "none"));
    assert_eq!(said("local sockets"), "open, for modules and the smart card service");
    assert!(said("files").contains("fenced in (Landlock "), "{checks}");
    assert!(said("network").starts_with("none is up"), "{checks}");
    assert!(said("memory lock").contains("locked"), "{checks}");
    // Whoever may lock no more than a little memory reaches less, and reads so.
    let later = said("memory lock").ends_with("later") && said("swap") != "none";
    let missing =
        if said("memory lock").starts_with("NOT") || later { "NOT full: memory lock" } else { "full" };
    assert_eq!(said("confinement"), missing);
    for name in ["swap", "entropy", "core pattern", "clock source", "core dumps", "memory"] {
        assert!(checks[name].is_string(), "{name} in {checks}");
    }
}

#[test]
fn root_is_made_and_signed_offline_alone_and_other_ceremonies_tell_of_the_network() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("networked", Profile::Notary, Kind::Production, &limits);
    let mut devices = stage.devices();
    for key in ["root-a", "root-b", "root-c", "targets-1"] {
        let serial = stage.token(key);
        devices = devices.on_token(key, &serial);
    }
    let (_, enrolment) = stage.developer("dana");
    let map = devices.backend_elsewhere().enrol("dev-dana", &enrolment).write("devices.toml");
    let first_day = |name: &str| shipped(&format!("first-day/{name}.toml"));
    let held = |runbook: &Path| {
        let (_, answers) = stage.answers(&map, runbook);
        let run = ["run", utf8(runbook), "--answers", utf8(&answers), "--unattended"];
        stage.networked(&map, &run)
    };
    let refused = |runbook: &Path| {
        let begun = checks(&stage).len();
        let refused = held(runbook).ended(1).json();
        assert_eq!(refused["error"]["rule"], "NETWORK-UP", "{refused}");
        assert!(refused["error"]["found"].as_str().unwrap().ends_with("UP: net0"), "{refused}");
        assert_eq!(checks(&stage).len(), begun, "nothing was begun");
    };
    for name in ["02-targets-key", "03-enroll"] {
        held(&first_day(name)).ended(0);
    }
    let found: Vec<_> = checks(&stage).into_iter().map(|checks| checks["network"].clone()).collect();
    assert_eq!(found, ["UP: net0"; 2]);
    // Nor are keys of root made there.
    refused(&first_day("01-root-keys"));
    stage.hold(&map, &first_day("01-root-keys")).1.ended(0);

    let root = first_day("04-root");
    refused(&root);
    // Nor by a custodian elsewhere, though they may look at it and refuse.
    let answers = stage.write("none.toml", "[answers]\n");
    let sign = ["sign", "--answers", utf8(&answers), "--unattended"];
    assert_eq!(stage.networked(&map, &sign).ended(1).json()["error"]["rule"], "NETWORK-UP");

    stage.hold(&map, &root).1.ended(0);
    let found: Vec<_> = checks(&stage).iter().map(|checks| checks["network"].clone()).collect();
    let offline = found.iter().filter(|said| said.as_str().unwrap().starts_with("none is up")).count();
    assert_eq!((found.len(), offline), (4, 2), "{found:?}");
}

/// A cable is put in while people type PINs: the key that is being made is the last one.
#[test]
fn a_cable_put_in_between_stops_what_comes_next() {
    let (stage, map) = typed_pins("networked-later");
    let runbook = shipped("first-day/01-root-keys.toml");
    let down = "ip link add net0 type dummy || ip link add net0 type ifb || ip tuntap add dev net0 mode tun; \
                exec \"$@\"";
    let mut command = Command::new("unshare");
    let root = rustix::process::getuid().is_root();
    command.args(if root { &["--net"][..] } else { &["--user", "--map-root-user", "--net"] });
    command.args(["sh", "-c", down, "sh", env!("CARGO_BIN_EXE_keyrite"), "-C", utf8(&stage.record)]);
    command.args(["--devices", utf8(&map), "run", utf8(&runbook)]).current_dir(&stage.dir);
    command.env("SOFTHSM2_CONF", stage.path("softhsm2.conf")).env("TERM", "dumb");
    let mut pty = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
    answer(&mut pty, "What is today's date", &stage::today());
    answered_until(&mut pty, UNSEEN);
    pty.send_line(stage::PIN).unwrap();
    answered_until(&mut pty, UNSEEN);
    let mut cable = Command::new("nsenter");
    cable.args(["--target", &status_of(&runbook, "Pid:"), "--net"]);
    if !root {
        cable.args(["--user", "--preserve-credentials"]);
    }
    assert!(cable.args(["ip", "link", "set", "net0", "up"]).status().unwrap().success());
    pty.send_line(stage::PIN).unwrap();
    answered_until(&mut pty, "NETWORK-UP");
    let said = pty.exp_eof().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("UP: net0"), "{said}");
    let mut made: Vec<_> =
        fs::read_dir(stage.record.join("keys")).unwrap().map(|key| key.unwrap().file_name()).collect();
    made.sort();
    assert_eq!(made, ["root-a", "root-b"], "{said}");
}

/// The program where 64 KiB of memory may be locked, whoever runs it.
fn unlocked(stage: &Stage, map: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new("setpriv");
    if rustix::process::getuid().is_root() {
        command.args(["--bounding-set", "-ipc_lock,-sys_resource", "--inh-caps", "-ipc_lock,-sys_resource"]);
    }
    command.args([
        "prlimit",
        "--memlock=65536:65536",
        env!("CARGO_BIN_EXE_keyrite"),
        "-C",
        utf8(&stage.record),
    ]);
    command.args(["--devices", utf8(map), "--json"]).args(arguments).current_dir(&stage.dir);
    Done::of(command.env("SOFTHSM2_CONF", stage.path("softhsm2.conf")))
}

#[test]
fn limits_demand_all_that_a_process_can_give_up_and_that_nobody_is_online() {
    let mut limits = Limits::default_for(Profile::Notary);
    (limits.ceremony.confined, limits.ceremony.offline) = (true, true);
    let stage = Stage::new("confined-limits", Profile::Notary, Kind::Production, &limits);
    let serial = stage.token("targets-1");
    let map = stage.devices().on_token("targets-1", &serial).write("devices.toml");
    let runbook = shipped("first-day/02-targets-key.toml");
    let (_, answers) = stage.answers(&map, &runbook);
    let run = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
    let refused = |done: Done, rule: &str, found: &str| {
        let error = done.ended(1).json()["error"].clone();
        assert_eq!(error["rule"], rule, "{error}");
        assert!(error["found"].as_str().unwrap().contains(found), "{error}");
    };
    refused(stage.networked(&map, &run), "NETWORK-UP", "UP: net0");
    refused(unlocked(&stage, &map, &run), "CONFINEMENT", "not reached here: memory lock");
    assert!(!stage.record.join("transcripts").exists(), "nothing was begun");
    let problems = unlocked(&stage, &map, &["preflight"]).ended(1).json();
    assert_eq!(problems["problems"][0]["rule"], "CONFINEMENT", "{problems}");
    let before = stage.on(&stage.record, &map, &["preflight"]).json();
    if before["machine"]["confinement"] == "full" {
        stage.on(&stage.record, &map, &run).ended(0);
    } else {
        skipped("limits_demand_all: full confinement is not reached here, so no session under it was held");
    }
}

#[test]
fn preflight_sees_what_a_ceremony_would_and_writes_nothing() {
    let limits = Limits::default_for(Profile::Notary);
    let stage = Stage::new("preflight", Profile::Notary, Kind::Production, &limits);
    let serial = stage.token("targets-1");
    let map = stage.devices().on_token("targets-1", &serial).write("devices.toml");
    let before = fs::read_dir(&stage.record).unwrap().count();
    let seen = stage.on(&stage.record, &map, &["preflight"]).ended(0).json();
    assert_eq!(seen["tokens"][format!("targets-1, serial {serial}")], "SoftHSM v2", "{seen}");
    let machine = &seen["machine"];
    assert_eq!(machine["module softhsm"], Digest::of(&fs::read(SOFTHSM).unwrap()).hex());
    assert!(machine["clock"].as_str().unwrap().ends_with("the record has no session yet"), "{machine}");
    let names =
        ["confinement", "core dumps", "core pattern", "entropy", "files", "memory", "memory lock", "swap"];
    for name in names.iter().chain(&["network", "system calls"]) {
        assert!(machine[name].is_string(), "{name} in {machine}");
    }
    assert_eq!(seen["problems"], serde_json::json!([]));
    let program = Digest::of(&fs::read(env!("CARGO_BIN_EXE_keyrite")).unwrap()).hex();
    assert_eq!(seen["program"]["sha256"], program);

    let networked = stage.networked(&map, &["preflight"]).ended(1).json();
    assert_eq!(networked["problems"][0]["rule"], "NETWORK-UP", "{networked}");
    assert_eq!(fs::read_dir(&stage.record).unwrap().count(), before);
    // Without a record and a map it tells of the machine alone.
    let alone = stage.keyrite(["-C", "nowhere", "preflight"]).ended(0).text();
    assert!(alone.contains("nothing here would stop a ceremony"), "{alone}");
}

#[test]
fn the_folder_of_copies_is_there_before_a_back_up_begins() {
    let mut limits = Limits::default_for(Profile::Tuf);
    limits.root.witnesses = 0;
    let stage = Stage::new("confined-copies", Profile::Tuf, Kind::Production, &limits);
    let serial = stage.token("t1");
    let map = stage.devices().on_token("t1", &serial).write("devices.toml");
    let head =
        "title = \"t\"\n[people]\nada = \"administrator\"\nbruno = \"custodian\"\numa = \"custodian\"\n";
    let key = "[[key]]\nname = \"t1\"\nholder = \"uma\"\npurpose = \"targets\"\nwrap-key = \"wrap-1\"\n";
    let first = stage.write("1.toml", &format!("ceremony = \"generate-key\"\n{head}{key}"));
    stage.hold(&map, &first).1.ended(0);
    let text = format!(
        "ceremony = \"back-up\"\n{head}[wrap-key]\nname = \"wrap-1\"\ntitle = \"W\"\nneeded = 2\n\
         holders = [\"bruno\", \"carol\", \"dana\"]\n[[key]]\nname = \"t1\"\n"
    );
    let text = text.replace("uma = ", "carol = \"custodian\"\ndana = \"custodian\"\numa = ");
    let runbook = stage.write("2.toml", &text);
    let medium = stage.path("medium/copies");
    let map = format!("{}\n[copies]\nfolder = \"medium/copies\"\n", fs::read_to_string(&map).unwrap());
    let map = stage.write("copies.toml", &map);
    let sessions = checks(&stage).len();
    let refused = stage.hold(&map, &runbook).1.ended(2).json();
    assert_eq!(refused["error"]["rule"], "COPIES-FOLDER", "{refused}");
    assert!(refused["error"]["found"].as_str().unwrap().contains("medium/copies"), "{refused}");
    assert_eq!(checks(&stage).len(), sessions, "nothing was begun");
    assert!(!stage.path("medium").exists());
    fs::create_dir_all(&medium).unwrap();
    // No key leaves a token, and no wrap key is dealt out, where an interface is up.
    let (_, answers) = stage.answers(&map, &runbook);
    let run = ["run", utf8(&runbook), "--answers", utf8(&answers), "--unattended"];
    let refused = stage.networked(&map, &run).ended(1).json();
    assert_eq!(refused["error"]["rule"], "NETWORK-UP", "{refused}");
    assert_eq!(checks(&stage).len(), sessions, "nothing was begun");
    // Then only what a script can't do is left: cards are shown to people alone.
    let said = stage.hold(&map, &runbook).1.text();
    assert!(!said.contains("COPIES-FOLDER"), "{said}");
    assert!(said.contains("ANSWER-MISSING") || said.contains("SHOWN-ALONE"), "{said}");
}
