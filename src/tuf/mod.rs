//! What TUF and Notary say: documents, keys, payloads, trust rules, the client workflow and a model
//! of the backend's rules.
//!
//! Pure: no token, terminal, disk, network or clock. Time, bytes and randomness are arguments.

mod algorithm;
mod apart;
pub mod backend_model;
pub mod bulk;
mod bytes;
pub mod certificate;
pub mod chain;
pub mod client;
pub mod diff;
pub mod digest;
pub mod document;
pub mod evidence;
pub(crate) mod halves;
pub mod hashes;
pub mod json;
pub mod key;
mod leaf;
pub mod make;
mod members;
pub mod payload;
pub mod profile;
pub mod role;
pub mod rule;
pub mod rules;
pub mod statement;
mod statement_form;
pub mod text;
pub mod threshold;
pub mod time;
pub mod unknown;
pub mod verify;
pub mod wire;
pub mod words;

#[cfg(test)]
#[path = "../../tests/keys/mod.rs"]
pub(crate) mod test_keys;
