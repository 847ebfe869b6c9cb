//! The courier: `keyrite-courier`, the online half. It brings what ceremonies sealed to where clients get
//! it, and what is served there back to the record.
//!
//! Above every other layer, and named by none: the program that holds ceremonies is built without it
//! (feature `courier`). It has no key and signs nothing, and what it fetches is judged by the record that
//! takes it in. Its refusals are listed with all others, so [`rules`] is there always.
//!
//! Never: an asynchronous runtime, a secret in an argument, a half file under its final name.

pub mod rules;

#[cfg(feature = "courier")]
pub mod agent;
#[cfg(feature = "courier")]
pub mod arguments;
#[cfg(feature = "courier")]
pub mod credentials;
#[cfg(feature = "courier")]
pub mod download;
#[cfg(feature = "courier")]
pub mod fetch;
#[cfg(feature = "courier")]
pub mod first;
#[cfg(feature = "courier")]
pub mod fit;
#[cfg(feature = "courier")]
pub mod folder;
#[cfg(feature = "courier")]
pub mod home;
#[cfg(feature = "courier")]
pub mod kept;
#[cfg(feature = "courier")]
pub mod keys;
#[cfg(feature = "courier")]
pub mod program;
#[cfg(feature = "courier")]
pub mod progress;
#[cfg(feature = "courier")]
pub mod published;
#[cfg(feature = "courier")]
pub mod push;
#[cfg(feature = "courier")]
pub mod release;
#[cfg(feature = "courier")]
pub mod server;
#[cfg(feature = "courier")]
pub mod source;
#[cfg(feature = "courier")]
pub mod told;
#[cfg(feature = "courier")]
pub mod tree;
#[cfg(feature = "courier")]
pub mod tuf_client;
#[cfg(feature = "courier")]
pub mod update;
#[cfg(feature = "courier")]
pub mod upload;
#[cfg(feature = "courier")]
pub mod url;
#[cfg(feature = "courier")]
pub mod watch;
#[cfg(feature = "courier")]
mod watch_told;
#[cfg(feature = "courier")]
pub mod web;
