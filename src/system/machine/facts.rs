//! What the machine tells of itself: swap, the clock's source, randomness, where core files would go.

use super::named;
use crate::tuf::text::visible;
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All of it, by name.
pub(super) fn all() -> BTreeMap<String, String> {
    let clock = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let pattern = read("/proc/sys/kernel/core_pattern");
    named([
        ("swap", swap(&read("/proc/swaps").unwrap_or_default(), &uuid_of)),
        ("clock source", clock.map_or_else(|| "unknown".to_owned(), |name| visible(name.trim()))),
        ("core pattern", pattern.map_or_else(|| "unknown".to_owned(), |text| visible(text.trim()))),
        ("entropy", entropy()),
    ])
}

/// Where what is in a folder is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In memory that no swap takes (ramfs).
    Memory,
    /// In memory that goes where swap is (tmpfs).
    Swappable,
    /// On a disk or over a network, or the kernel doesn't say.
    Elsewhere,
}

/// Where the files of a folder are kept (statfs(2)).
pub fn memory_of(folder: &Path) -> Kept {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    // Its type is another integer on other machines.
    match rustix::fs::statfs(folder).ok().and_then(|found| u64::try_from(found.f_type).ok()) {
        Some(RAMFS) => Kept::Memory,
        Some(TMPFS) => Kept::Swappable,
        _ => Kept::Elsewhere,
    }
}

/// Whether pages could go to a disk in clear, or the kernel doesn't say.
pub fn swaps_to_disk() -> bool {
    in_clear(&swap(&read("/proc/swaps").unwrap_or_default(), &uuid_of))
}

/// A name of this machine that no other machine knows, if it has one.
pub fn secret_name() -> Option<String> {
    // A machine that was installed has the first, any other the second until it is restarted.
    ["/etc/machine-id", "/proc/sys/kernel/random/boot_id"].into_iter().find_map(|file| {
        let name = read(file)?.trim().to_owned();
        (name.len() >= 32).then_some(name)
    })
}

fn in_clear(words: &str) -> bool {
    let safe = |device: &str| device.ends_with(" (in memory)") || device.ends_with(" (encrypted)");
    words != "none" && !words.strip_prefix("ON: ").is_some_and(|list| list.split(", ").all(safe))
}

/// The devices of `/proc/swaps`, whose first line is a heading. `uuid` gives the device mapper's name
/// for one, by which dm-crypt tells that it encrypts it.
fn swap(table: &str, uuid: &dyn Fn(&str) -> String) -> String {
    let mut found: Vec<String> = Vec::new();
    let devices = table.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    for device in devices {
        let how = match device.strip_prefix("/dev/") {
            Some(name) if name.starts_with("zram") => " (in memory)",
            Some(name) if uuid(name).starts_with("CRYPT-") => " (encrypted)",
            _ => "",
        };
        found.push(format!("{}{how}", visible(device)));
    }
    match (table.is_empty(), found.is_empty()) {
        (true, _) => "unknown".to_owned(),
        (false, true) => "none".to_owned(),
        (false, false) => format!("ON: {}", found.join(", ")),
    }
}

fn uuid_of(device: &str) -> String {
    // What a table of the kernel calls a device is no path of anyone's choice.
    let plain = device.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| read(&format!("/sys/block/{device}/dm/uuid"))).flatten().unwrap_or_default()
}

/// Whether the kernel's generator has been seeded: until then getrandom(2) would wait.
fn entropy() -> String {
    let mut byte = [0; 1];
    match getrandom(&mut byte, GetRandomFlags::NONBLOCK) {
        Ok(_) => "the system's generator is seeded".to_owned(),
        Err(_) => "NOT YET SEEDED: wait, or move the mouse".to_owned(),
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_read_from_the_kernels_table() {
        let heading = "Filename\t\t\t\tType\t\tSize\n";
        let uuid = |name: &str| if name == "dm-1" { "CRYPT-PLAIN-swap" } else { "" }.to_owned();
        assert_eq!(swap("", &uuid), "unknown");
        assert_eq!(swap(heading, &uuid), "none");
        let table = format!(
            "{heading}/dev/dm-1  partition  8388604\n/dev/dm-2 partition 9\n/dev/zram0 partition 9\n/swap\\040file file 1\n"
        );
        assert_eq!(
            swap(&table, &uuid),
            "ON: /dev/dm-1 (encrypted), /dev/dm-2, /dev/zram0 (in memory), /swap\\u{5c}040file"
        );
        assert_eq!(uuid_of("../../etc"), "");
        for (words, clear) in [
            ("none", false),
            ("unknown", true),
            ("ON: /dev/zram0 (in memory), /dev/dm-1 (encrypted)", false),
            ("ON: /dev/zram0 (in memory), /dev/sda2", true),
        ] {
            assert_eq!(in_clear(words), clear, "{words}");
        }
    }

    #[test]
    fn this_machine_is_told_by_name() {
        let names: Vec<_> = all().into_keys().collect();
        assert_eq!(names, ["clock source", "core pattern", "entropy", "swap"]);
    }
}
