//! What a person does to the card, as files in its folder.
//!
//! `touch`      `now` (or no such file): touched at once; `never`: the card gives up after a
//!              second; a number: touched after so many milliseconds
//! `touches`    written here: one line for each time that the card waited for a touch
//! `out`        while it is there, the card is out of its reader
//! `in`         written here: there while the card is in a reader that has given it power
//! `out-at`     an instruction in hexadecimal, like `87`: when it comes, the card is out before it
//!              answers; with `:after` behind it, when its work is done and nobody was told

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Knobs {
    dir: PathBuf,
}

/// When a pulled card leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    Stays,
    Before,
    After,
}

impl Knobs {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Waits for the finger; false if it does not come.
    pub fn touched(&self) -> bool {
        let path = self.dir.join("touches");
        let line = fs::OpenOptions::new().create(true).append(true).open(path);
        let _ = line.and_then(|mut file| file.write_all(b"touch\n"));
        let word = fs::read_to_string(self.dir.join("touch")).unwrap_or_default();
        match word.trim() {
            "" | "now" => true,
            "never" => {
                std::thread::sleep(Duration::from_secs(1));
                false
            }
            wait => {
                std::thread::sleep(Duration::from_millis(wait.parse().unwrap_or(0)));
                true
            }
        }
    }

    /// Says whether the card is in a reader that has given it power.
    pub fn powered(&self, on: bool) -> io::Result<()> {
        let path = self.dir.join("in");
        if on { fs::write(path, "") } else { fs::remove_file(path).or(Ok(())) }
    }

    pub fn is_out(&self) -> bool {
        self.dir.join("out").exists()
    }

    /// Whether the card is pulled at this instruction. Once: it is put back by taking `out` away.
    pub fn leaves_at(&self, ins: u8) -> Leaves {
        let path = self.dir.join("out-at");
        let word = fs::read_to_string(&path).unwrap_or_default();
        let (at, when) = word.trim().split_once(':').unwrap_or((word.trim(), "before"));
        if u8::from_str_radix(at, 16) != Ok(ins) {
            return Leaves::Stays;
        }
        let _ = fs::remove_file(path);
        if when == "after" { Leaves::After } else { Leaves::Before }
    }

    /// Takes the card out.
    pub fn leave(&self) {
        let _ = fs::write(self.dir.join("out"), "");
    }
}
