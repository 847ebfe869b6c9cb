//! Words as people type them, a few at a time.
//!
//! A word that isn't in the list is told by its place and by the words nearest to it, never by what
//! was typed: that may be a PIN typed at the wrong question. So a refusal gives away one word of one
//! share at most, ten of its bits; no refusal here names more.

use super::list::LIST;
use crate::signer::rules;
use crate::tuf::rule::{Refusal, Result};
use zeroize::Zeroizing;

/// The fewest words of a share: of a secret of 128 bits.
pub const FEWEST: usize = 20;
/// The most that is read: of a secret of 512 bits.
pub const MOST: usize = 59;
/// How many words are named as near.
const NEAR: usize = 3;

/// The words of a share, or the first of them: not shown, wiped on drop.
pub struct Words(Zeroizing<Vec<u16>>);

impl Words {
    /// None yet.
    pub fn none() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(MOST)))
    }

    pub(super) fn of(places: &[u16]) -> Self {
        let mut words = Self::none();
        words.0.extend_from_slice(places);
        words
    }

    /// All the words of a share.
    ///
    /// # Errors
    ///
    /// `SHARE-WORD` as [`Self::add`]; `SHARE-LENGTH` if no share has so many words.
    pub fn read(text: &str) -> Result<Self> {
        let mut words = Self::none();
        words.add(text)?;
        words.whole().map(|()| words)
    }

    /// Adds the words of a line, each whole or its first letters, four or more, in either case.
    ///
    /// # Errors
    ///
    /// `SHARE-WORD` with the place of the first that the list doesn't have and what is near it; those
    /// before it were added. `SHARE-LENGTH` if there are more than any share has.
    pub fn add(&mut self, line: &str) -> Result<()> {
        for typed in line.split_ascii_whitespace() {
            let number = self.0.len().saturating_add(1);
            if number > MOST {
                return Err(length(number));
            }
            let place = place(typed).ok_or_else(|| {
                Refusal::new(
                    &rules::SHARE_WORD,
                    format!("word {number}, which is not in the list"),
                    expected(typed),
                )
            })?;
            self.0.push(place);
        }
        Ok(())
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|place| LIST.get(usize::from(*place)).copied().unwrap_or_default())
    }

    /// The words with one space between, as a commitment has them.
    pub fn text(&self) -> Zeroizing<String> {
        // No word is longer than eight letters, and room that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(self.count().saturating_mul(9)));
        for word in self.iter() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    pub(super) fn places(&self) -> &[u16] {
        &self.0
    }

    /// # Errors
    ///
    /// `SHARE-LENGTH`.
    pub(super) fn whole(&self) -> Result<()> {
        let fits = (FEWEST..=MOST).contains(&self.count()) && super::share::padding(self.count()) <= 8;
        if fits { Ok(()) } else { Err(length(self.count())) }
    }
}

fn length(found: usize) -> Refusal {
    let found = if found > MOST { format!("more than {MOST} words") } else { format!("{found} words") };
    let expected = format!("{FEWEST} to {MOST} words: 20 for 128 bits, 27 for 192, 33 for 256");
    Refusal::new(&rules::SHARE_LENGTH, found, expected)
}

fn place(typed: &str) -> Option<u16> {
    let begins = |word: &&str| word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed));
    let found = LIST.iter().position(begins).filter(|_| typed.len() >= 4)?;
    u16::try_from(found).ok()
}

fn expected(typed: &str) -> String {
    let near = near(typed);
    let list = "one of SLIP-39's 1024 words, whole or its first four letters";
    if near.is_empty() { list.to_owned() } else { format!("{list}; near it: {}", near.join(", ")) }
}

/// The words that the fewest slips of a finger part from what was typed, if two or fewer do.
fn near(typed: &str) -> Vec<&'static str> {
    let typed = Zeroizing::new(typed.bytes().take(12).map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>());
    let slips = LIST.iter().map(|word| (slips(&typed, word.as_bytes()), *word));
    let mut few: Vec<_> = slips.filter(|(count, _)| *count <= 2).collect();
    few.sort_unstable();
    let least = few.first().map_or(0, |(count, _)| *count);
    few.into_iter().filter(|(count, _)| *count == least).map(|(_, word)| word).take(NEAR).collect()
}

/// Letters left out, put in, changed, or swapped with the next (Damerau's distance, no letter twice).
fn slips(a: &[u8], b: &[u8]) -> usize {
    let mut rows: [Vec<usize>; 3] = [Vec::new(), Vec::new(), (0..=b.len()).collect()];
    let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX);
    for (i, x) in a.iter().enumerate() {
        rows.rotate_left(1);
        let [before, above, row] = &mut rows;
        row.clear();
        row.push(i.saturating_add(1));
        for (j, y) in b.iter().enumerate() {
            let next = j.saturating_add(1);
            let mut least = at(above, j).saturating_add(usize::from(x != y));
            least = least.min(at(above, next).saturating_add(1)).min(at(row, j).saturating_add(1));
            let (last_a, last_b) = (i.checked_sub(1), j.checked_sub(1));
            if let (Some(p), Some(q)) = (last_a, last_b)
                && a.get(p) == Some(y)
                && b.get(q) == Some(x)
            {
                least = least.min(at(before, q).saturating_add(1));
            }
            row.push(least);
        }
    }
    rows[2].last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_word_is_known_by_its_first_four_letters() {
        for (typed, word) in [
            ("academic", Some("academic")),
            ("acad", Some("academic")),
            ("ACADEm", Some("academic")),
            ("year", Some("year")),
            ("aca", None),
            ("academics", None),
            ("acadeemic", None),
            ("ac\u{e4}demic", None),
            ("", None),
        ] {
            let found = place(typed).and_then(|place| LIST.get(usize::from(place)));
            assert_eq!(found.copied(), word, "{typed}");
        }
    }

    #[test]
    fn slips_of_a_finger_are_counted() {
        for (a, b, count) in [
            ("acid", "acid", 0),
            ("acdi", "acid", 1),
            ("acd", "acid", 1),
            ("accid", "acid", 1),
            ("avid", "acid", 1),
            ("vaid", "acid", 2),
            ("", "acid", 4),
        ] {
            assert_eq!(slips(a.as_bytes(), b.as_bytes()), count, "{a}");
        }
    }

    #[test]
    fn what_is_near_is_named_and_what_was_typed_is_not() {
        for (line, place, near) in [
            ("academic acid akne", "word 3", "near it: acne"),
            ("acadmeic", "word 1", "near it: academic"),
            ("acid qwertyuiop", "word 2", "first four letters"),
            ("correct-horse\u{1b}[31m", "word 1", "first four letters"),
        ] {
            let mut words = Words::none();
            let refused = words.add(line).unwrap_err();
            assert_eq!(refused.rule().name, "SHARE-WORD");
            assert!(refused.found().starts_with(place), "{refused}");
            assert!(refused.expected().ends_with(near), "{refused}");
            let typed = line.split(' ').next_back().unwrap();
            assert!(!refused.to_string().contains(typed), "{refused}");
        }
    }

    #[test]
    fn words_come_a_few_at_a_time_and_no_more_than_a_share_has() {
        let mut words = Words::none();
        words.add("academic  acid\tacne").unwrap();
        assert!(words.add("acquire zzzz").is_err());
        words.add("acro").unwrap();
        assert_eq!(&*words.text(), "academic acid acne acquire acrobat");
        // Between these lengths no secret of whole pairs of bytes fits.
        let between = [21, 24, 26, 29, 32, 34, 37, 40, 42, 45, 48, 50, 53, 56, 58];
        for count in 0..70 {
            let text = vec!["academic"; count].join(" ");
            let name = Words::read(&text).err().map(|e| e.rule().name);
            let fits = (20..=59).contains(&count) && !between.contains(&count);
            assert_eq!(name, (!fits).then_some("SHARE-LENGTH"), "{count}");
        }
    }
}
