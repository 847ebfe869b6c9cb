//! Share cards: what a custodian keeps, on paper or copied from the screen.
//!
//! One card is one page: its words numbered and as a QR code, the salt, and all that tells whose card
//! of which set it is. No card is made that its manifest doesn't know. A page holds a secret: what is
//! given out is wiped on drop, and whoever writes it anywhere writes it where nothing stays.

use super::paper::Paper;
use super::qr;
use super::screen::{Safe, Screen};
use crate::ceremony::share_manifest::{Card, ShareLine, ShareManifest};
use crate::signer::slip39::{Salt, Share, Words};
use crate::tuf::digest::Digest;
use crate::tuf::rule::Result;
use zeroize::Zeroizing;

/// Words in a row of the screen.
const ROW: usize = 4;
/// More than any card's page: the words, and a path of the largest code's modules.
const ROOM: usize = 512 << 10;
const STYLE: &str = "\
.words.share { grid-template-columns: repeat(3, minmax(0, 1fr)); row-gap: 1.2mm; font-size: 13pt; margin: 4mm 0 5mm; }
.words.share b { font-size: 9pt; min-width: 6mm; }
.below { display: grid; grid-template-columns: minmax(0, 1fr) 52mm; column-gap: 8mm; break-inside: avoid; }
.below figure { margin: 0; font-size: 8pt; }
.below .qr { width: 52mm; height: 52mm; margin: 0 0 1mm; }
.salt { font-family: \"DejaVu Sans Mono\", \"Liberation Mono\", Menlo, Consolas, monospace; font-size: 12pt; }
";

/// What a manifest is asked about a card: nothing of it is secret.
pub fn seen(share: &Share, salt: &Salt) -> Card {
    Card {
        identifier: share.set().identifier,
        number: share.member().number,
        commitment: share.commitment(salt),
    }
}

/// One card, of a share that its manifest knows.
pub struct ShareCard<'a> {
    manifest: &'a ShareManifest,
    line: &'a ShareLine,
    /// Of the manifest.
    digest: Digest,
    words: Words,
    salt: Zeroizing<String>,
    rehearsal: bool,
}

impl<'a> ShareCard<'a> {
    /// The card of a share.
    ///
    /// # Errors
    ///
    /// `SHARE-FOREIGN`, `SHARE-COMMITMENT` as [`ShareManifest::recognise`]; what the manifest's own
    /// rules refuse.
    pub fn new(manifest: &'a ShareManifest, share: &Share, salt: &Salt, rehearsal: bool) -> Result<Self> {
        let line = manifest.recognise(&seen(share, salt))?;
        let digest = Digest::of(&manifest.to_json()?);
        Ok(Self { manifest, line, digest, words: share.words(), salt: salt.text(), rehearsal })
    }

    fn which(&self) -> String {
        format!("share {} of {}, held by {}", self.line.number, self.manifest.of(), self.line.holder)
    }

    /// Nothing of it is secret.
    fn facts(&self) -> Screen {
        let manifest = self.manifest;
        Screen::default()
            .fact("set", manifest.set.to_string())
            .fact("trust", manifest.trust.to_string())
            .fact("made", manifest.date.to_string())
            .fact("brings it back", format!("any {} of {} cards", manifest.needed, manifest.of()))
            .fact("form", format!("SLIP-39, {} words, no passphrase", manifest.words))
    }

    fn advice(&self) -> [String; 2] {
        let needed = self.manifest.needed;
        [
            format!(
                "Keep this card sealed and alone: {needed} of them together give the secret to anyone who \
                 has them, with any program that knows SLIP-39. One alone tells nothing."
            ),
            format!(
                "To show that you have it, without showing it: keyrite share drill MANIFEST {}",
                self.line.holder
            ),
        ]
    }

    /// The page to print: one HTML file without a reference to anything outside.
    pub fn html(&self) -> Zeroizing<String> {
        let title = Safe::untrusted(&self.manifest.title);
        let room = (ROOM, STYLE);
        let mut paper = Paper::secret("Share card", title, self.which(), self.rehearsal, room)
            .foot("manifest", self.digest);
        paper.body_of(&self.facts());
        let page = paper.body();
        page.element("div", "words share", |grid| {
            for (number, word) in (1..).zip(self.words.iter()) {
                grid.element("div", "", |cell| {
                    cell.leaf("b", "", usize::to_string(&number));
                    cell.secret(word);
                });
            }
        });
        page.element("div", "below", |below| {
            below.element("div", "", |left| {
                left.leaf("h3", "", "Salt");
                left.element("p", "salt", |salt| salt.secret(&self.salt));
                for line in self.advice() {
                    left.leaf("p", "", line);
                }
            });
            below.element("figure", "", |figure| {
                figure.add(&qr::words(&self.words));
                figure.leaf("figcaption", "", "The words, for a scanner. The salt is not in it.");
            });
        });
        Zeroizing::new(paper.html())
    }

    /// The same to copy by hand from the screen, at most 72 columns wide, ASCII alone.
    pub fn text(&self) -> Zeroizing<String> {
        // Room for the most words, and for the lines around them.
        let mut text = Zeroizing::new(String::with_capacity(4096));
        let mut line = |parts: &[&str]| {
            for part in parts {
                text.push_str(part);
            }
            text.push('\n');
        };
        line(&[if self.rehearsal { "REHEARSAL  " } else { "" }, "Share card: ", &self.which()]);
        line(&["set ", &self.manifest.set.to_string()]);
        line(&[]);
        let rows = self.words.count().div_ceil(ROW);
        for row in 0..rows {
            let mut parts = Vec::with_capacity(ROW.saturating_mul(3));
            let numbers: Vec<String> = (0..ROW)
                .map(|column| {
                    format!("{:>4} ", row.saturating_mul(ROW).saturating_add(column).saturating_add(1))
                })
                .collect();
            let words = self.words.iter().skip(row.saturating_mul(ROW)).take(ROW);
            for (number, word) in numbers.iter().zip(words) {
                let pad = "          ".get(word.len()..).unwrap_or(" ");
                parts.extend([number.as_str(), word, pad]);
            }
            parts.pop();
            line(&parts);
        }
        line(&[]);
        line(&["salt ", &self.salt]);
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;
    use crate::ceremony::share_manifest::{SetId, ShareUse};
    use crate::signer::randomness::Randomness;
    use crate::signer::slip39::{Scheme, Secret, split};
    use crate::tuf::statement::TrustId;
    use std::cell::Cell;

    /// Shares of a secret with their salts and manifest; the same every time.
    fn dealt() -> (ShareManifest, Vec<(Share, Salt)>) {
        let drawn = Cell::new(0u8);
        let random = Randomness::given(move |bytes| {
            for byte in bytes {
                drawn.set(drawn.get().wrapping_mul(5).wrapping_add(3));
                *byte = drawn.get();
            }
            Ok(())
        });
        let secret = Secret::new(Zeroizing::new(vec![7; 32])).ok().unwrap();
        let shares = split(&secret, Scheme::new(2, 3).unwrap(), &random).unwrap();
        let cards: Vec<_> = shares.into_iter().map(|share| (share, Salt::draw(&random).unwrap())).collect();
        let line = |((share, salt), holder): (&(Share, Salt), &str)| ShareLine {
            number: share.member().number,
            holder: holder.parse().unwrap(),
            commitment: share.commitment(salt),
        };
        let manifest = ShareManifest {
            trust: TrustId::from_bytes([7; 16]),
            set: SetId::from_bytes([9; 16]),
            date: "2026-11-22T13:00:00Z".parse().unwrap(),
            purpose: ShareUse::WrapKey,
            title: "Wrap key <of> the HSMs".to_owned(),
            identifier: cards[0].0.set().identifier,
            words: 33,
            needed: 2,
            check: secret.check_value(),
            shares: cards.iter().zip(["bruno", "carol", "dana"]).map(line).collect(),
        };
        manifest.to_json().unwrap();
        (manifest, cards)
    }

    #[test]
    fn a_page_holds_all_of_one_card_and_nothing_of_another() {
        let (manifest, cards) = dealt();
        for (at, (share, salt)) in cards.iter().enumerate() {
            let html = ShareCard::new(&manifest, share, salt, true).ok().unwrap().html();
            for (number, word) in (1..).zip(share.words().iter()) {
                let cell = format!("<div><b>{}</b>\n{word}</div>", usize::to_string(&number));
                assert!(html.contains(&cell), "{cell}");
            }
            let holder = manifest.shares[at].holder.as_str();
            let which = format!("share {} of 3, held by {holder}", manifest.shares[at].number);
            let salt = salt.text();
            for said in [
                which.as_str(),
                &salt,
                "Wrap key &lt;of&gt; the HSMs",
                "09090909090909090909090909090909",
                "any 2 of 3 cards",
                "REHEARSAL",
                "<svg class=\"qr\"",
            ] {
                assert!(html.contains(said), "{said}");
            }
            for (other, (_, salt)) in cards.iter().enumerate().filter(|(other, _)| *other != at) {
                assert!(!html.contains(&*salt.text()));
                assert!(!html.contains(manifest.shares[other].holder.as_str()));
            }
            for word in ["<script", "src=", "http:", "https:", "url("] {
                assert!(!html.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn a_card_on_the_screen_can_be_read_back() {
        let (manifest, cards) = dealt();
        let (share, salt) = &cards[1];
        let text = ShareCard::new(&manifest, share, salt, false).ok().unwrap().text();
        assert!(text.lines().all(|line| line.is_ascii() && line.len() <= 72), "{}", &*text);
        assert!(text.starts_with("Share card: share 2 of 3, held by carol\n"), "{}", &*text);
        // Between the two empty lines numbers and words take turns; the last line is the salt.
        let middle = text.split("\n\n").nth(1).unwrap();
        let parts: Vec<&str> = middle.split_whitespace().collect();
        let mut words = Words::none();
        for (number, pair) in (1usize..).zip(parts.chunks(2)) {
            assert_eq!(pair[0], number.to_string());
            words.add(pair[1]).unwrap();
        }
        let read = Share::of_words(&words).ok().unwrap();
        let salt: Salt = text.lines().last().unwrap().strip_prefix("salt ").unwrap().parse().ok().unwrap();
        assert_eq!(manifest.recognise(&seen(&read, &salt)).unwrap().number, 2);
    }

    #[test]
    fn no_card_is_made_that_its_manifest_does_not_know() {
        let (manifest, cards) = dealt();
        let card = ShareCard::new(&manifest, &cards[0].0, &cards[1].1, false);
        assert_eq!(card.err().unwrap().rule().name, "SHARE-COMMITMENT");
        let other = ShareManifest { identifier: 1, ..manifest.clone() };
        let card = ShareCard::new(&other, &cards[0].0, &cards[0].1, false);
        assert_eq!(card.err().unwrap().rule().name, "SHARE-FOREIGN");
    }
}
