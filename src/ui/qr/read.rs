//! Finds the codes in an image.
//!
//! The decoder is someone else's and is fed by whoever holds a picture before the camera, so it works
//! in a thread of its own: when it is not done by [`DEADLINE`] the image is refused and the thread left
//! to itself, and if it panics the image is refused too. Cameras' images are made smaller first; the
//! whole is tried after that, and then black for white, as a dark terminal without colours has it.

use super::image::Grey;
use crate::tuf::rule::{Refusal, Result};
use crate::ui::rules;
use std::collections::BTreeSet;
use std::panic;
use std::sync::{Once, mpsc};
use std::thread;
use std::time::Duration;

/// How long one image may take.
pub const DEADLINE: Duration = Duration::from_secs(15);
/// The thread's name, whose panics are a refusal and no noise.
const THREAD: &str = "qr";
/// A side on which the decoder is quick and finds what cameras see, in pixels.
const SIDE: usize = 1_600;
/// The most codes in one image.
const MOST_CODES: usize = 64;

/// The texts of all codes in an image file, in the order in which they are found; equal ones once.
///
/// # Errors
///
/// `QR-IMAGE`, `QR-NONE`, `QR-TIME`.
pub fn texts(file: Vec<u8>) -> Result<Vec<String>> {
    texts_within(DEADLINE, file)
}

/// The same in less time, as what is left of that of many images.
///
/// # Errors
///
/// As [`texts`].
pub fn texts_within(left: Duration, file: Vec<u8>) -> Result<Vec<String>> {
    within(left.min(DEADLINE), move || {
        let image = Grey::read(&file)?;
        let found = codes(&image);
        if found.is_empty() {
            return Err(Refusal::new(&rules::QR_NONE, "no code that can be read", "a code, whole and sharp"));
        }
        Ok(found)
    })
}

fn within<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(THREAD) {
                others(info);
            }
        }));
    });
    let (send, receive) = mpsc::channel();
    let failed = |found: &str| Refusal::new(&rules::QR_IMAGE, found, "an image that the decoder stands");
    let spawned = thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        let _ = send.send(work());
    });
    spawned.map_err(|e| failed(&e.to_string()))?;
    match receive.recv_timeout(deadline) {
        Ok(done) => done,
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(failed("an image on which the decoder gave up")),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            let found = format!("an image that takes longer than {} s", deadline.as_secs());
            Err(Refusal::new(&rules::QR_TIME, found, "one that is read at once"))
        }
    }
}

fn codes(image: &Grey) -> Vec<String> {
    let factor = image.width.max(image.height).div_ceil(SIDE);
    let small = image.smaller(factor);
    // Each costs as much as all before together at most, and is tried only where they found nothing.
    let tries: [&dyn Fn() -> Grey; 7] = [
        &|| small.clone(),
        &|| small.softened(),
        &|| small.softened().softened(),
        &|| small.smaller(2),
        &|| image.smaller((factor / 2).max(1)),
        &|| small.inverted(),
        &|| image.clone(),
    ];
    let mut found = Vec::new();
    for attempt in tries {
        let (texts, all) = decoded(&attempt());
        found.extend(texts);
        // One that was seen and not read may be read another way.
        if all && !found.is_empty() {
            break;
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|text: &String| seen.insert(text.clone()));
    found
}

/// The texts that can be read, and whether those are all codes that were seen.
fn decoded(image: &Grey) -> (Vec<String>, bool) {
    let shade = |x: usize, y: usize| {
        let at = y.saturating_mul(image.width).saturating_add(x);
        image.shades.get(at).copied().unwrap_or(u8::MAX)
    };
    if image.width < 21 || image.height < 21 {
        return (Vec::new(), true);
    }
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(image.width, image.height, shade);
    let grids = prepared.detect_grids();
    let read = grids.iter().take(MOST_CODES).map(|grid| grid.decode().ok().map(|(_, text)| text));
    let read: Vec<Option<String>> = read.collect();
    let all = read.iter().all(Option::is_some);
    (read.into_iter().flatten().collect(), all)
}

#[cfg(test)]
mod tests;
