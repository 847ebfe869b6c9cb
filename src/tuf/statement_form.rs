//! The form of statements: how each sentence is written as the body of canonical JSON, and read back.

use super::digest::Digest;
use super::json::{Json, object};
use super::rule::{Refusal, Result};
use super::rules;
use super::statement::{KeyEvent, Sentence};
use super::text::{ours, visible};

/// The body as it is signed: every member of the sentence, and no other.
///
/// # Errors
///
/// `TEXT` for a name or reason that [`ours`] refuses, `STATEMENT-FORM` for a number that JSON has no room for.
pub(super) fn body(sentence: &Sentence) -> Result<Json> {
    let hex = |d: &Digest| Json::Str(d.hex());
    let number = |n: u64| {
        i64::try_from(n)
            .map(Json::Int)
            .map_err(|_| Refusal::new(&rules::STATEMENT_FORM, n.to_string(), "a number below 2^63"))
    };
    Ok(match sentence {
        Sentence::Possession { key, name, holder, purpose, nonce } => {
            ours("a key's name", name)?;
            ours("a holder's name", holder)?;
            ours("a purpose", purpose)?;
            object([
                ("holder", holder.as_str().into()),
                ("key", hex(&key.digest())),
                ("name", name.as_str().into()),
                ("nonce", hex(nonce)),
                ("purpose", purpose.as_str().into()),
            ])
        }
        Sentence::KeyLife { key, event, at, root } => object([
            ("at", at.to_string().into()),
            ("event", event.name().into()),
            ("key", hex(&key.digest())),
            ("root", hex(root)),
        ]),
        Sentence::Limits { number: n, limits, chain } => {
            object([("chain", hex(chain)), ("limits", hex(limits)), ("number", number(*n)?)])
        }
        Sentence::Decision { what, keep, over } => {
            ours("what is decided", what)?;
            let over = over.iter().map(hex).collect::<Vec<_>>();
            object([("keep", hex(keep)), ("over", over.into()), ("what", what.as_str().into())])
        }
        Sentence::Withdrawal { change, reason } | Sentence::Refusal { change, reason } => {
            ours("a reason", reason)?;
            object([("change", hex(change)), ("reason", reason.as_str().into())])
        }
        Sentence::RollCall { key, nonce } => object([("key", hex(&key.digest())), ("nonce", hex(nonce))]),
        Sentence::TranscriptHead { ceremony, sequence, head, witness } => {
            ours("a witness's name", witness)?;
            ours("a ceremony's id", ceremony)?;
            object([
                ("ceremony", ceremony.as_str().into()),
                ("head", hex(head)),
                ("sequence", number(*sequence)?),
                ("witness", witness.as_str().into()),
            ])
        }
    })
}

/// A body that is read; what it holds beyond the sentence's own members is found when it is made again.
pub(super) struct Fields<'a>(pub(super) &'a Json);

impl Fields<'_> {
    fn text(&self, name: &str) -> Result<&str> {
        self.0.get(name).and_then(Json::as_str).ok_or_else(|| {
            Refusal::new(
                &rules::STATEMENT_FORM,
                format!("no text \"{name}\" in the body"),
                "a statement as keyrite writes it",
            )
        })
    }

    fn digest(&self, name: &str) -> Result<Digest> {
        self.text(name)?.parse()
    }

    fn digests(&self, name: &str) -> Result<Vec<Digest>> {
        let items = self.0.get(name).and_then(Json::as_array).unwrap_or_default();
        items.iter().map(|item| item.as_str().unwrap_or_default().parse()).collect()
    }

    fn number(&self, name: &str) -> Result<u64> {
        self.0.get(name).and_then(Json::as_int).and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
            Refusal::new(
                &rules::STATEMENT_FORM,
                format!("no number \"{name}\" in the body"),
                "a statement as keyrite writes it",
            )
        })
    }

    /// What a statement of this kind says.
    ///
    /// # Errors
    ///
    /// `STATEMENT-KIND` for a kind that this keyrite doesn't know, `STATEMENT-FORM` otherwise.
    pub(super) fn sentence(&self, kind: &str) -> Result<Sentence> {
        Ok(match kind {
            "possession" => Sentence::Possession {
                key: self.text("key")?.parse()?,
                name: self.text("name")?.to_owned(),
                holder: self.text("holder")?.to_owned(),
                purpose: self.text("purpose")?.to_owned(),
                nonce: self.digest("nonce")?,
            },
            "key-life" => {
                let word = self.text("event")?;
                let event = KeyEvent::ALL.iter().find(|(_, name)| *name == word).map(|(event, _)| *event);
                Sentence::KeyLife {
                    key: self.text("key")?.parse()?,
                    event: event.ok_or_else(|| {
                        Refusal::new(
                            &rules::STATEMENT_FORM,
                            format!("the event \"{}\"", visible(word)),
                            "retired, lost, compromised or destroyed",
                        )
                    })?,
                    at: self.text("at")?.parse()?,
                    root: self.digest("root")?,
                }
            }
            "limits" => Sentence::Limits {
                number: self.number("number")?,
                limits: self.digest("limits")?,
                chain: self.digest("chain")?,
            },
            "decision" => Sentence::Decision {
                what: self.text("what")?.to_owned(),
                keep: self.digest("keep")?,
                over: self.digests("over")?,
            },
            "withdrawal" => Sentence::Withdrawal {
                change: self.digest("change")?,
                reason: self.text("reason")?.to_owned(),
            },
            "refusal" => {
                Sentence::Refusal { change: self.digest("change")?, reason: self.text("reason")?.to_owned() }
            }
            "roll-call" => {
                Sentence::RollCall { key: self.text("key")?.parse()?, nonce: self.digest("nonce")? }
            }
            "transcript-head" => Sentence::TranscriptHead {
                ceremony: self.text("ceremony")?.to_owned(),
                sequence: self.number("sequence")?,
                head: self.digest("head")?,
                witness: self.text("witness")?.to_owned(),
            },
            other => {
                return Err(Refusal::new(
                    &rules::STATEMENT_KIND,
                    format!("the kind \"{}\"", visible(other)),
                    "a kind that this keyrite knows",
                ));
            }
        })
    }
}
