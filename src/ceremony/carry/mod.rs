//! What crosses an air gap as pictures: one static code for signatures, a key or a digest, and frames
//! of many for files of the record.
//!
//! A static code is a text of our own, in the alphabet that QR codes hold densest, ended by a sign that is
//! in no other place, so that a scanner that types needs no key of its own ([`code`]). Frames are
//! Uniform Resources of Blockchain Commons (BCR-2020-005, -012, -024), so that other programs put them
//! together too: bytewords, and a fountain of parts of which any sufficient set will do, in any order
//! ([`frames`]). What the frames carry is a list of the record's files ([`files`]).
//!
//! All of it comes from whoever holds a picture before the camera. So each limit is met before
//! anything is allocated: what a header says of its message is compared with [`MOST_FRAMES`] and
//! [`MOST_BYTES`], never obeyed. Nothing here decides what is believed: people compare the words of
//! the whole, which are in no code, and the record judges the files as those of any medium.

mod bytewords;
pub mod code;
pub mod files;
mod fountain;
pub mod frames;

/// The most frames that one message is cut into.
pub const MOST_FRAMES: usize = 200;

/// The largest message in frames, in bytes, and the largest list of files, unpacked.
pub const MOST_BYTES: usize = 64 * 1024;

/// The largest list of files once it is unpacked, in bytes.
pub const MOST_UNPACKED: usize = 1024 * 1024;

/// The longest text of one code, in characters: that of version 40, the largest there is.
pub const LONGEST_TEXT: usize = 4_296;
