//! Pages as a browser prints them: headless Chromium makes a PDF of each paper size, Poppler reads
//! it back word by word.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A paper size: the style's word, and its width and height in points.
pub const SIZES: [(&str, f64, f64); 2] = [("A4", 595.0, 842.0), ("Letter", 612.0, 792.0)];

/// A printed word and where it stands, in points from the page's upper left corner.
#[derive(Debug, Clone)]
pub struct Word {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub text: String,
}

/// One printed page.
#[derive(Debug)]
pub struct Page {
    pub width: f64,
    pub height: f64,
    pub words: Vec<Word>,
}

impl Page {
    /// All that stands on it, in the order of the file, words parted by one space.
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// How far down the page its words go, of 1; head and foot in the margins don't count.
    pub fn filled(&self) -> f64 {
        let inside = self.words.iter().filter(|word| word.top > 50.0 && word.bottom < self.height - 50.0);
        inside.map(|word| word.bottom / self.height).fold(0.0, f64::max)
    }

    /// Two words that are printed over each other.
    pub fn overlap(&self) -> Option<(&Word, &Word)> {
        let over = |a: &Word, b: &Word| {
            let wide = a.right.min(b.right) - a.left.max(b.left);
            let high = a.bottom.min(b.bottom) - a.top.max(b.top);
            wide > 1.0 && high > 0.5 * (a.bottom - a.top).min(b.bottom - b.top)
        };
        let mut pairs = self
            .words
            .iter()
            .enumerate()
            .flat_map(|(at, a)| self.words.iter().skip(at + 1).map(move |b| (a, b)));
        pairs.find(|(a, b)| over(a, b))
    }
}

fn run(command: &mut Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| {
        panic!("{program}: {e}; scripts/test-deps brings it");
    });
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn chromium(file: &Path) -> Command {
    let mut command = Command::new("chromium");
    let profile = file.with_extension("profile");
    // As root it has no sandbox of its own; the page holds no script and is our own file.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.arg(format!("--user-data-dir={}", profile.to_str().unwrap()));
    command
}

fn url(file: &Path) -> String {
    format!("file://{}", file.to_str().unwrap())
}

/// The page as the browser understood it: its elements, written out again.
pub fn dom(file: &Path) -> String {
    run(chromium(file).arg("--dump-dom").arg(url(file)))
}

/// Prints a file on paper of that size, into a PDF beside it. The file itself names no size: the
/// copy that is printed does, as a person's choice in the print dialogue would.
pub fn print(file: &Path, size: &str) -> PathBuf {
    let html = fs::read_to_string(file).unwrap();
    assert!(html.contains("@page { margin"), "a page with margins and no size");
    let sized = file.with_extension(format!("{size}.html"));
    fs::write(&sized, html.replace("@page { margin", &format!("@page {{ size: {size}; margin"))).unwrap();
    let pdf = file.with_extension(format!("{size}.pdf"));
    let mut command = chromium(&sized);
    command.arg("--no-pdf-header-footer").arg(format!("--print-to-pdf={}", pdf.to_str().unwrap()));
    run(command.arg(url(&sized)));
    pdf
}

/// The pages of a PDF.
pub fn pages(pdf: &Path) -> Vec<Page> {
    let xml = run(Command::new("pdftotext").arg("-bbox").arg(pdf).arg("-"));
    let mut pages = Vec::new();
    for line in xml.lines().map(str::trim) {
        let number = |name: &str| -> f64 {
            let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        if line.starts_with("<page ") {
            pages.push(Page { width: number("width"), height: number("height"), words: Vec::new() });
        } else if line.starts_with("<word ") {
            let text = line.split_once('>').unwrap().1.trim_end_matches("</word>");
            let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            pages.last_mut().unwrap().words.push(Word {
                left: number("xMin"),
                top: number("yMin"),
                right: number("xMax"),
                bottom: number("yMax"),
                text: text.replace("&apos;", "'").replace("&amp;", "&"),
            });
        }
    }
    pages
}

/// What the QR code on the first page says.
pub fn scanned(pdf: &Path) -> String {
    let found = DOTS.into_iter().find_map(|dots| zbar(&rendered(pdf, dots, &["-l", "1"])[0]).pop());
    found.unwrap_or_else(|| panic!("no code on the first page of {}", pdf.display()))
}

/// Prints any file that a browser shows, as it is, into a PDF beside it.
pub fn pdf_of(file: &Path) -> PathBuf {
    let pdf = file.with_extension("pdf");
    let mut command = chromium(file);
    command.arg("--no-pdf-header-footer").arg(format!("--print-to-pdf={}", pdf.to_str().unwrap()));
    run(command.arg(url(file)));
    pdf
}

/// The pages of a PDF as images of so many dots an inch.
pub fn images(pdf: &Path, dots: u32) -> Vec<PathBuf> {
    rendered(pdf, dots, &[])
}

fn rendered(pdf: &Path, dots: u32, which: &[&str]) -> Vec<PathBuf> {
    let folder = pdf.with_extension(format!("pages-{dots}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new("pdftoppm");
    command.args(["-r", &dots.to_string(), "-png"]).args(which);
    run(command.args([pdf, &folder.join("page")]));
    let mut pages: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

/// How fine a page is scanned, in dots an inch.
const DOTS: [u32; 5] = [200, 150, 300, 240, 400];

/// A QR code on a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    pub page: usize,
    pub text: String,
}

/// All QR codes on all pages, each once on every page that it stands on whole. A scanner misses one now and
/// then, by how a page's dots fall on those of the scan, so it is given each page in several sizes, as people
/// scan again what was not read.
pub fn all_scanned(pdf: &Path) -> Vec<Code> {
    let mut found = BTreeSet::new();
    for dots in DOTS {
        for (page, png) in images(pdf, dots).into_iter().enumerate() {
            for text in zbar(&png) {
                found.insert(Code { page, text });
            }
        }
    }
    found.into_iter().collect()
}

/// What another program than keyrite reads in an image: nothing is no error.
fn zbar(png: &Path) -> Vec<String> {
    let mut command = Command::new("zbarimg");
    command.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(png).stdin(Stdio::null());
    let out = command.output().unwrap_or_else(|e| panic!("zbarimg: {e}; scripts/test-deps brings it"));
    // 4: no code was found.
    let read = out.status.success() || out.status.code() == Some(4);
    assert!(read, "zbarimg: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}
