//! The field of 256 elements, in which secrets are shared byte by byte.
//!
//! There is one such field and several ways to write it down; two are met among shares. SLIP-39 reduces
//! by x⁸ + x⁴ + x³ + x + 1 ("Shamir's secret sharing"), as AES does and most other tools.
//!
//! Constant time: no table that is read at a secret place, no branch that a secret decides. What
//! tables would save is nothing beside the people who type the words. The masks go through
//! [`black_box`], so that a compiler doesn't make the branches again.
//!
//! Never: an index that is secret. Only values are; where a share lies is printed on its card.

use std::hint::black_box;
use zeroize::Zeroizing;

/// By which polynomial products are reduced: its bits below x⁸.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field(u8);

impl Field {
    /// x⁸ + x⁴ + x³ + x + 1: that of AES and SLIP-39.
    pub(super) const AES: Self = Self(0x1b);
    /// x⁸ + x⁴ + x³ + x² + 1: that of Reed and Solomon's codes.
    pub(super) const CODES: Self = Self(0x1d);
}

/// A share's place and, byte by byte, the values of its polynomials there.
pub(super) struct Point<'a> {
    pub(super) x: u8,
    pub(super) y: &'a [u8],
}

impl Field {
    /// Eight times: adds `a` where the next bit of `b` is set, and doubles it.
    pub(super) fn multiply(self, mut a: u8, mut b: u8) -> u8 {
        let mut product = 0;
        for _ in 0..8 {
            product ^= a & black_box(0u8.wrapping_sub(b & 1));
            let carry = black_box(0u8.wrapping_sub(a >> 7));
            a = (a << 1) ^ (self.0 & carry);
            b >>= 1;
        }
        product
    }

    /// What `a` is multiplied with to give 1, which is a to the power of 254; 0 for 0.
    pub(super) fn invert(self, a: u8) -> u8 {
        // 254 = 2 + 4 + … + 128
        let (mut square, mut power) = (a, 1);
        for _ in 0..7 {
            square = self.multiply(square, square);
            power = self.multiply(power, square);
        }
        power
    }

    /// The values at `x` of the polynomials of least degree through `points` (Lagrange).
    ///
    /// The caller has made sure that no two points have one place and that all have one length.
    pub(super) fn interpolate(self, points: &[Point<'_>], x: u8) -> Zeroizing<Vec<u8>> {
        let length = points.first().map_or(0, |point| point.y.len());
        let mut sum = Zeroizing::new(vec![0; length]);
        for (number, point) in points.iter().enumerate() {
            let mut weight = 1;
            for (_, other) in points.iter().enumerate().filter(|(at, _)| *at != number) {
                weight = self.multiply(weight, self.multiply(x ^ other.x, self.invert(point.x ^ other.x)));
            }
            for (total, y) in sum.iter_mut().zip(point.y) {
                *total ^= self.multiply(weight, *y);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    /// Every product, against multiplication by adding logarithms to a base whose powers are all elements:
    /// x + 1 for AES, x for codes.
    #[test]
    fn products_and_inverses_are_those_of_logarithms() {
        for (field, polynomial, base) in [(Field::AES, 0x11b, 3u16), (Field::CODES, 0x11d, 2)] {
            let (mut power, mut log) = ([0u8; 255], [0usize; 256]);
            let mut value = 1u16;
            for (exponent, at) in power.iter_mut().enumerate() {
                *at = u8::try_from(value).unwrap_or(0);
                log[usize::from(value)] = exponent;
                value = (value << 1) ^ (if base == 3 { value } else { 0 });
                if value > 255 {
                    value ^= polynomial;
                }
            }
            for a in 0..=255u8 {
                for b in 0..=255u8 {
                    let zero = a == 0 || b == 0;
                    let sum = (log[usize::from(a)] + log[usize::from(b)]) % 255;
                    assert_eq!(field.multiply(a, b), if zero { 0 } else { power[sum] }, "{field:?} {a} {b}");
                }
                assert_eq!(field.multiply(a, field.invert(a)), u8::from(a != 0), "{field:?} {a}");
            }
        }
    }

    proptest! {
        /// A polynomial of degree 2 is found again through any three of its points.
        #[test]
        fn three_points_give_the_parabola(c: [u8; 3], at in prop::array::uniform4(any::<u8>())) {
            for field in [Field::AES, Field::CODES] {
                let f = |x: u8| [c[0] ^ field.multiply(x, c[1] ^ field.multiply(x, c[2]))];
                prop_assume!((0..3).all(|i| (0..i).all(|j| at[i] != at[j])));
                let values = [f(at[0]), f(at[1]), f(at[2])];
                let points: Vec<_> = (0..3).map(|i| Point { x: at[i], y: &values[i] }).collect();
                prop_assert_eq!(&field.interpolate(&points, at[3])[..], &f(at[3])[..]);
            }
        }
    }
}
