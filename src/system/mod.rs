//! What is asked of the operating system beyond Rust's standard library: the lowest layer beside
//! [`tuf`](crate::tuf), and the only one that knows which system it is on.
//!
//! It is written for Linux. Everything above is standard Rust and portable crates, which
//! `tests/architecture.rs` holds to; so another platform needs these files anew, and no others.
//! Errors are the system's own ([`std::io::Error`]): what is refused for them, by which rule and in
//! which words, is said above.

pub mod beneath;
pub mod files;
pub mod machine;
pub mod signals;
pub mod terminal;

#[cfg(not(target_os = "linux"))]
compile_error!("src/system is written for Linux: another platform needs these files anew, and no others");
