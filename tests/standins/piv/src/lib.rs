//! What a card that stands in for a YubiKey is made of: the PIV applet of our own (`applet`, `keys`,
//! `state`), and what any card behind vpcd needs: the wire to it, a person's hands (`knobs`), commands in
//! parts (`apdu`), the management key, and attestation by a simulated vendor.
//!
//! Written from NIST SP 800-73-4, Yubico's published PIV extensions, and what clients do. It
//! refuses what a real one refuses as far as that is documented. Not here: RSA, 3DES, key
//! agreement, NFC, and timing.

#![allow(missing_docs, reason = "a test program in two binaries, not an interface")]

pub mod apdu;
pub mod applet;
pub mod attest;
pub mod keys;
pub mod knobs;
pub mod management;
pub mod state;
pub mod tlv;
pub mod wire;
