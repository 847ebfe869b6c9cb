//! The field of 256 elements, reduced by x⁸ + x⁴ + x³ + x + 1 (SLIP-39, "Shamir's secret sharing").
//!
//! Constant time: no table that is read at a secret place, no branch that a secret decides. What
//! tables would save is nothing beside the people who type the words. The masks go through
//! [`black_box`], so that a compiler doesn't make the branches again.
//!
//! Never: an index that is secret. Only values are; where a share lies is printed on its card.

use std::hint::black_box;
use zeroize::Zeroizing;

/// A share's place and, byte by byte, the values of its polynomials there.
pub(super) struct Point<'a> {
    pub(super) x: u8,
    pub(super) y: &'a [u8],
}

/// Eight times: adds `a` where the next bit of `b` is set, and doubles it.
pub(super) fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & black_box(0u8.wrapping_sub(b & 1));
        let carry = black_box(0u8.wrapping_sub(a >> 7));
        a = (a << 1) ^ (0x1b & carry);
        b >>= 1;
    }
    product
}

/// What `a` is multiplied with to give 1, which is a to the power of 254; 0 for 0.
pub(super) fn invert(a: u8) -> u8 {
    // 254 = 2 + 4 + … + 128
    let (mut square, mut power) = (a, 1);
    for _ in 0..7 {
        square = multiply(square, square);
        power = multiply(power, square);
    }
    power
}

/// The values at `x` of the polynomials of least degree through `points` (Lagrange).
///
/// The caller has made sure that no two points have one place and that all have one length.
pub(super) fn interpolate(points: &[Point<'_>], x: u8) -> Zeroizing<Vec<u8>> {
    let length = points.first().map_or(0, |point| point.y.len());
    let mut sum = Zeroizing::new(vec![0; length]);
    for (number, point) in points.iter().enumerate() {
        let mut weight = 1;
        for (_, other) in points.iter().enumerate().filter(|(at, _)| *at != number) {
            weight = multiply(weight, multiply(x ^ other.x, invert(point.x ^ other.x)));
        }
        for (total, y) in sum.iter_mut().zip(point.y) {
            *total ^= multiply(weight, *y);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    /// Every product, against multiplication by adding logarithms to the base x + 1.
    #[test]
    fn products_and_inverses_are_those_of_logarithms() {
        let (mut power, mut log) = ([0u8; 255], [0usize; 256]);
        let mut value = 1u16;
        for (exponent, at) in power.iter_mut().enumerate() {
            *at = u8::try_from(value).unwrap_or(0);
            log[usize::from(value)] = exponent;
            value ^= value << 1;
            if value > 255 {
                value ^= 0x11b;
            }
        }
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                let zero = a == 0 || b == 0;
                let sum = (log[usize::from(a)] + log[usize::from(b)]) % 255;
                assert_eq!(multiply(a, b), if zero { 0 } else { power[sum] }, "{a} {b}");
            }
            assert_eq!(multiply(a, invert(a)), u8::from(a != 0), "{a}");
        }
    }

    proptest! {
        /// A polynomial of degree 2 is found again through any three of its points.
        #[test]
        fn three_points_give_the_parabola(c: [u8; 3], at in prop::array::uniform4(any::<u8>())) {
            let f = |x: u8| [c[0] ^ multiply(x, c[1] ^ multiply(x, c[2]))];
            prop_assume!((0..3).all(|i| (0..i).all(|j| at[i] != at[j])));
            let values = [f(at[0]), f(at[1]), f(at[2])];
            let points: Vec<_> = (0..3).map(|i| Point { x: at[i], y: &values[i] }).collect();
            prop_assert_eq!(&interpolate(&points, at[3])[..], &f(at[3])[..]);
        }
    }
}
