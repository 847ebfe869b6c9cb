//! System calls that no ceremony needs are refused by the kernel (seccomp(2)), by two filters that
//! can't be taken off again.
//!
//! [`never`], when the program begins: looking into other processes, typing on the
//! terminal in a person's place, and what could go round a filter.
//! [`in_session`], once the modules are loaded and before a PIN is asked for: any network, the sockets
//! of the file system where no module and no smart card service needs them (a desktop's session bus
//! would start programs for us), and the start of any program. A socket of a family is refused when it
//! is made; what is open already stays.
//!
//! Numbers of the x32 form of a call are refused as well, since a filter sees those as others.

use super::Needs;
use libc::{AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, EPERM, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Set in the numbers of x32 calls (`__X32_SYSCALL_BIT`, asm/unistd.h).
const X32: c_long = 0x4000_0000;
/// Tells libusb that a device was plugged in (linux/netlink.h).
const KOBJECT_UEVENT: u64 = 15;
/// The kinds of socket but for `SOCK_STREAM`, and the bits that hold the kind.
const NO_STREAM: [u64; 6] = [2, 3, 4, 5, 6, 10];
const KIND: u64 = 0xf;
/// What connects while it sends (`MSG_FASTOPEN`, linux/socket.h), past a fence that knows connect(2).
const FAST_OPEN: u64 = 0x2000_0000;
/// The only protocol with the ports that a fence knows; 0 stands for it as well.
const TCP: u64 = 6;

/// Refuses what no command needs. False if the kernel won't have it.
pub fn never() -> bool {
    let mut rules = Rules::new();
    for call in [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_kexec_load,
        libc::SYS_kexec_file_load,
    ] {
        refuse(&mut rules, call, &[]);
    }
    // What is typed for a terminal's shell outlives this process and every filter.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| vec![(1, SeccompCmpOp::Eq, request)]);
    refuse(&mut rules, libc::SYS_ioctl, &typing);
    apply(rules)
}

/// Refuses programs, and every socket but those that are needed. False if the kernel won't have it.
pub fn in_session(needs: &Needs) -> bool {
    let tcp = &needs.tcp;
    let mut rules = Rules::new();
    refuse(&mut rules, libc::SYS_execve, &[]);
    refuse(&mut rules, libc::SYS_execveat, &[]);
    let wanted = [
        (AF_UNIX, needs.local),
        // Tells of what is plugged in.
        (AF_NETLINK, needs.usb),
        (AF_INET, !tcp.is_empty()),
        (AF_INET6, !tcp.is_empty()),
    ];
    let mut others: Vec<_> = wanted
        .iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(family, _)| (0, SeccompCmpOp::Ne, word(*family)))
        .collect();
    if others.is_empty() {
        // A family that no kernel has: a list without conditions is none.
        others.push((0, SeccompCmpOp::Ne, u64::from(u16::MAX)));
    }
    let mut all = vec![others];
    all.push(vec![(0, SeccompCmpOp::Eq, word(AF_NETLINK)), (2, SeccompCmpOp::Ne, KOBJECT_UEVENT)]);
    if !tcp.is_empty() {
        // A port is taken by listening alone, without bind(2), which the fence knows.
        refuse(&mut rules, libc::SYS_listen, &[]);
        for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            refuse(&mut rules, call, &[vec![(flags, SeccompCmpOp::MaskedEq(FAST_OPEN), FAST_OPEN)]]);
        }
        for family in [AF_INET, AF_INET6] {
            let other = [0, TCP].map(|protocol| (2, SeccompCmpOp::Ne, protocol));
            all.push([vec![(0, SeccompCmpOp::Eq, word(family))], other.to_vec()].concat());
            for kind in NO_STREAM {
                let is = (1, SeccompCmpOp::MaskedEq(KIND), kind);
                all.push(vec![(0, SeccompCmpOp::Eq, word(family)), is]);
            }
        }
    }
    refuse(&mut rules, libc::SYS_socket, &all);
    apply(rules)
}

/// Refuses a call; where there are conditions, if all of any list are met: argument, comparison, value.
fn refuse(rules: &mut Rules, call: c_long, any: &[Vec<(u8, SeccompCmpOp, u64)>]) {
    let one = |(argument, how, value): &(u8, SeccompCmpOp, u64)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, how.clone(), *value).ok()
    };
    let all: Vec<SeccompRule> =
        any.iter().filter_map(|list| SeccompRule::new(list.iter().filter_map(one).collect()).ok()).collect();
    for number in [call, call | X32] {
        rules.insert(number, all.clone());
    }
}

fn apply(rules: Rules) -> bool {
    let Ok(architecture) = std::env::consts::ARCH.try_into() else { return false };
    let answer = SeccompAction::Errno(EPERM.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture)
        .and_then(BpfProgram::try_from)
        .map_err(seccompiler::Error::from)
        .and_then(|program| apply_filter_all_threads(&program))
        .is_ok()
}

fn word(family: i32) -> u64 {
    u64::from(family.cast_unsigned())
}
