//! Shares that other tools made of a wrap key, taken in so that nobody has to keep those tools for it.
//!
//! Who needs it: a company that exported keys of a YubiHSM 2 under a wrap key before it had keyrite, and
//! split that key with what its vendor gives for it (yubihsm-setup, later yubihsm-manager), or that keeps
//! a wrapping key of another HSM as Vault splits keys. They have files, and papers in safes. Everyone
//! else has SLIP-39 cards, which are better in each point below; keyrite writes none of these forms.
//!
//! All three share each byte by a polynomial over the field of 256 elements, with the secret at 0. They
//! differ in the field, in how a share is written, and in what is split: Yubico's tools put the wrap
//! key's number, domains and capabilities in front of it. What none of them has: a checksum in a share, a
//! name of the set, a digest of the secret. Any shares give some secret. So here
//!
//! - a share is held against its form, character by character ([`ToolShare::read`]);
//! - whoever has people type one has it typed twice ([`same`]);
//! - shares beyond those needed have to lie on the same polynomials: if one doesn't, the places in which
//!   they part are named, and with two beyond also the share ([`Together::secret`]);
//! - what Yubico's tools put in front has to be a wrap key's, which finds a share of another set, though
//!   not a slip in the key's own part.
//!
//! That is evidence and no proof. The proof is another's part: the secret opens a copy, by the token's own
//! check of it, and the key in it signs as the one on record.
//!
//! Never: a form that is guessed, a share or a character of one in a refusal, a table or a branch on
//! secret bytes but for the digits themselves.

mod form;
#[cfg(test)]
mod tests;
mod together;

pub use form::{Form, ToolShare, same};
pub use together::Together;
