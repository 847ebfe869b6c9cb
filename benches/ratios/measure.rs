//! Medians, and the table of ratios.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How long `act` takes; its result is thrown away afterwards.
pub fn time<T>(act: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let result = black_box(act());
    let took = began.elapsed();
    drop(result);
    took
}

/// How long a program takes, which must end well.
pub fn run(program: &Path, arguments: &[&str]) -> Duration {
    time(|| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{} {arguments:?}", program.display());
    })
}

/// The medians of two acts over `rounds`, alternating, so that a noisy moment meets both.
pub fn medians(
    rounds: usize,
    mut a: impl FnMut() -> Duration,
    mut b: impl FnMut() -> Duration,
) -> (Duration, Duration) {
    let (mut first, mut second): (Vec<_>, Vec<_>) = (0..rounds).map(|_| (a(), b())).unzip();
    (median(&mut first), median(&mut second))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// What was measured, line by line.
#[derive(Default)]
pub struct Table {
    lines: Vec<[String; 5]>,
    missed: usize,
}

impl Table {
    /// `ours` must take at most `most` times as long as `other`.
    pub fn at_most(&mut self, what: &str, ours: Duration, other: Duration, most: f64) {
        let ratio = ours.as_secs_f64() / other.as_secs_f64();
        self.add(
            what,
            &shown(ours),
            &shown(other),
            &format!("{ratio:.2} times, at most {most}"),
            ratio <= most,
        );
    }

    /// `other` must take at least `least` times as long as `ours`.
    pub fn faster(&mut self, what: &str, ours: Duration, other: Duration, least: f64) {
        let ratio = other.as_secs_f64() / ours.as_secs_f64();
        let told = format!("{ratio:.1} times faster, at least {least}");
        self.add(what, &shown(ours), &shown(other), &told, ratio >= least);
    }

    /// A line of any other kind.
    pub fn add(&mut self, what: &str, ours: &str, other: &str, ratio: &str, met: bool) {
        self.missed += usize::from(!met);
        let verdict = if met { "met" } else { "MISSED" };
        self.lines.push([what, ours, other, ratio, verdict].map(str::to_owned));
    }

    /// Something that could not be measured, which is not the same as met.
    pub fn absent(&mut self, what: &str, why: &str) {
        self.add(what, "-", "-", why, false);
    }

    /// Prints the table; the exit code says whether every target is met.
    pub fn print(&self) -> ExitCode {
        let head = ["what", "keyrite", "the other", "ratio", ""].map(str::to_owned);
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                self.lines.iter().chain([&head]).map(|line| line[column].chars().count()).max().unwrap_or(0)
            })
            .collect();
        for line in [&head].into_iter().chain(&self.lines) {
            let cells: Vec<_> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            println!("{}", cells.join("  ").trim_end());
        }
        if self.missed == 0 {
            println!("every target met");
            ExitCode::SUCCESS
        } else {
            println!("{} of {} targets missed", self.missed, self.lines.len());
            ExitCode::FAILURE
        }
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}
