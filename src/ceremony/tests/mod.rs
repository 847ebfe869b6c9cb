//! Tests of what several files of this layer do together.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod change;
mod delegations;
mod due;
mod engine;
mod granted;
mod hardware;
mod incident;
mod key_care;
mod kinds;
mod leaving;
mod messages;
mod notary_world;
mod people;
mod planned;
mod recover;
mod release;
mod renewals;
mod revoked;
mod root_change;
mod sharing;
mod standing;
mod steps;
mod transcript;
mod unmade;
mod withdraw;
mod world;
