//! Keyrite: offline, HSM-backed key ceremonies and rotation for TUF and Notary v1.
//!
//! Layers, each a module that reaches only those below it: [`tuf`] and [`system`], then `signer` and
//! `ceremony`, then `ui` and `record`, then `cli`. Above them all is [`courier`], which alone reaches a network: it
//! is built by a feature of its own, into a program of its own. `tests/architecture.rs` enforces it.

// So that tests/keys serves unit tests and integration tests.
#[cfg(test)]
extern crate self as keyrite;

pub mod ceremony;
pub mod cli;
pub mod courier;
pub mod record;
pub mod signer;
pub mod system;
pub mod tuf;
pub mod ui;
