//! Where random bytes come from: the operating system, or, in a test that compares every byte, a
//! source of the test's own.
//!
//! Only a program that links this library can give another source; the `keyrite` program always
//! takes the system's, and no argument, file or variable of the environment changes that
//! (`tests/architecture.rs`). RSA keys and signatures draw inside aws-lc and from the system alone.

use std::fmt;
use std::rc::Rc;
use zeroize::Zeroizing;

type Fill = dyn Fn(&mut [u8]) -> Result<(), String>;

/// A source of random bytes.
#[derive(Clone)]
pub struct Randomness(Rc<Fill>);

impl Randomness {
    /// The operating system's.
    pub fn system() -> Self {
        Self::given(|bytes| getrandom::fill(bytes).map_err(|e| e.to_string()))
    }

    /// A source of the caller's own: each call fills all the bytes that it is given, or says why not.
    pub fn given(fill: impl Fn(&mut [u8]) -> Result<(), String> + 'static) -> Self {
        Self(Rc::new(fill))
    }

    /// `N` bytes, wiped on drop.
    ///
    /// # Errors
    ///
    /// What the source says of itself if it gives none.
    pub fn bytes<const N: usize>(&self) -> Result<Zeroizing<[u8; N]>, String> {
        let mut bytes = Zeroizing::new([0; N]);
        (self.0)(&mut bytes[..])?;
        Ok(bytes)
    }

    /// `count` bytes, wiped on drop.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub fn many(&self, count: usize) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut bytes = Zeroizing::new(vec![0; count]);
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness")
    }
}
