//! Outcomes as JSON: the members of each act, as FORMAT.md lists them.

use super::backups::form_word;
use super::device_log::LogEntry;
use super::members::{Reader, digest, number};
use super::outcome::{Begin, Confirmed, EndState, Intent, Outcome, Sealed, TokenSeen, Way, Witnessed};
use super::people::KeyName;
use super::rules;
use super::share_manifest::{SetId, ShareManifest};
use crate::tuf::json::{Json, Members, object};
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;
use std::collections::BTreeMap;
use std::fmt::Display;

impl Outcome {
    /// What an entry's `outcome` holds.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Begin(begin) => begin.to_json(),
            Self::Intent { key, token, what } => what.to_json(key, token),
            Self::Show { title, lines } => {
                object([("lines", texts(lines)), ("title", title.as_str().into())])
            }
            Self::ReadBack { what, digest: d } => {
                object([("digest", digest(d)), ("what", what.as_str().into())])
            }
            Self::Confirm { how, change } => object([("change", digest(change)), ("how", how.name().into())]),
            Self::Note { question, answer } => {
                let mut members = Members::from([("question".to_owned(), question.as_str().into())]);
                members.extend(answer.iter().map(|a| ("answer".to_owned(), a.as_str().into())));
                Json::Object(members)
            }
            Self::Key { name, file, identity, adopted, token } => object([
                ("adopted", (*adopted).into()),
                ("file", digest(file)),
                ("identity", digest(&identity.digest())),
                ("name", name.as_str().into()),
                ("token", token.to_json()),
            ]),
            Self::Sign { key, payload, file, token } => object([
                ("file", digest(file)),
                ("key", key.as_str().into()),
                ("payload", digest(payload)),
                ("token", token.to_json()),
            ]),
            Self::Destroy { key, identity, found_gone, token } => object([
                ("found-gone", (*found_gone).into()),
                ("identity", digest(&identity.digest())),
                ("key", key.as_str().into()),
                ("token", token.to_json()),
            ]),
            Self::Shares { wrap_key, manifest } => {
                object([("manifest", manifest.as_json()), ("wrap-key", wrap_key.as_str().into())])
            }
            Self::Copy { key, identity, wrap_key, shares, form, file, token } => object([
                ("file", digest(file)),
                ("form", form.as_str().into()),
                ("identity", digest(&identity.digest())),
                ("key", key.as_str().into()),
                ("shares", digest(shares)),
                ("token", token.to_json()),
                ("wrap-key", wrap_key.as_str().into()),
            ]),
            Self::Drill { shares, set, number: share, holder } => object([
                ("holder", holder.as_str().into()),
                ("number", number((*share).into())),
                ("set", set.to_string().into()),
                ("shares", digest(shares)),
            ]),
            Self::Drain { key, token, entries, unaccounted } => {
                let hex = |entry: &LogEntry| Json::Str(base16ct::lower::encode_string(entry.raw()));
                object([
                    ("entries", Json::Array(entries.iter().map(hex).collect())),
                    ("key", key.as_str().into()),
                    ("token", token.to_json()),
                    ("unaccounted", number(*unaccounted)),
                ])
            }
            Self::Enrol { name, file, identity } => object([
                ("file", digest(file)),
                ("identity", digest(&identity.digest())),
                ("name", name.as_str().into()),
            ]),
            Self::Seal { documents } => {
                let sealed = |(role, s): (&RoleName, &Sealed)| {
                    let at = object([("file", digest(&s.file)), ("version", number(s.version))]);
                    (role.as_str().to_owned(), at)
                };
                object([("documents", Json::Object(documents.iter().map(sealed).collect()))])
            }
            Self::Upload { manifest } => object([("manifest", digest(manifest))]),
            Self::Carried { files, statements, .. } => {
                let files = files.iter().map(|(folder, n)| (folder.clone(), number(*n)));
                object([
                    ("files", Json::Object(files.collect())),
                    ("statements", Json::Array(statements.iter().map(digest).collect())),
                ])
            }
            Self::Close { without } => object([("without", texts(without))]),
            Self::Witness { witness, how } => {
                let how = match how {
                    Witnessed::Statement(sha) => ("statement", digest(sha)),
                    Witnessed::Words(words) => ("words", words.as_str().into()),
                };
                object([how, ("witness", witness.as_str().into())])
            }
            Self::Refuse { reason } => object([("reason", reason.as_str().into())]),
            Self::Exception { what } => object([("what", what.as_str().into())]),
            Self::End { state, waiting } => {
                object([("state", state.name().into()), ("waiting", texts(waiting))])
            }
            Self::Unknown { outcome, .. } => outcome.clone(),
        }
    }

    /// Reads an entry's `act` and `outcome`.
    ///
    /// # Errors
    ///
    /// `RECORD-MEMBER` for other members than the act has.
    pub fn from_json(act: &str, json: &Json) -> Result<Self> {
        let mut from = Reader::new(format!("the outcome of {}", visible(act)), json)?;
        let outcome = match act {
            "begin" => Self::Begin(Box::new(Begin::read(&mut from)?)),
            "intent" => Self::Intent {
                key: from.parsed("key")?,
                token: TokenSeen::read(&mut from)?,
                what: Intent::read(&mut from)?,
            },
            "show" => {
                Self::Show { title: from.text("title")?.to_owned(), lines: owned(from.texts("lines")?) }
            }
            "read-back" => {
                Self::ReadBack { what: from.text("what")?.to_owned(), digest: from.parsed("digest")? }
            }
            "confirm" => Self::Confirm {
                how: one_of(from.text("how")?, &Confirmed::ALL, Confirmed::name)?,
                change: from.parsed("change")?,
            },
            "note" => Self::Note {
                question: from.text("question")?.to_owned(),
                answer: if json.get("answer").is_some() {
                    Some(from.text("answer")?.to_owned())
                } else {
                    None
                },
            },
            "key" => Self::Key {
                name: from.parsed("name")?,
                file: from.parsed("file")?,
                identity: from.parsed("identity")?,
                adopted: from.flag("adopted")?,
                token: TokenSeen::read(&mut from)?,
            },
            "sign" => Self::Sign {
                key: from.parsed("key")?,
                payload: from.parsed("payload")?,
                file: from.parsed("file")?,
                token: TokenSeen::read(&mut from)?,
            },
            "destroy" => Self::Destroy {
                key: from.parsed("key")?,
                identity: from.parsed("identity")?,
                found_gone: from.flag("found-gone")?,
                token: TokenSeen::read(&mut from)?,
            },
            "shares" => Self::Shares {
                wrap_key: from.parsed("wrap-key")?,
                manifest: Box::new(ShareManifest::from_json(&from.take("manifest")?.canonical())?),
            },
            "drill" => drilled(&mut from)?,
            "copy" => Self::Copy {
                key: from.parsed("key")?,
                identity: from.parsed("identity")?,
                wrap_key: from.parsed("wrap-key")?,
                shares: from.parsed("shares")?,
                form: form_word(from.text("form")?)?,
                file: from.parsed("file")?,
                token: TokenSeen::read(&mut from)?,
            },
            "drain" => Self::Drain {
                key: from.parsed("key")?,
                token: TokenSeen::read(&mut from)?,
                entries: from.texts("entries")?.into_iter().map(log_entry).collect::<Result<_>>()?,
                unaccounted: from.number("unaccounted")?,
            },
            "enrol" => Self::Enrol {
                name: from.parsed("name")?,
                file: from.parsed("file")?,
                identity: from.parsed("identity")?,
            },
            "seal" => Self::Seal { documents: read_sealed(from.object("documents")?)? },
            "upload" => Self::Upload { manifest: from.parsed("manifest")? },
            "import" => carried(Way::In, &mut from)?,
            "export" => carried(Way::Out, &mut from)?,
            "close" => Self::Close { without: from.all_parsed("without")? },
            "witness" => Self::Witness {
                witness: from.parsed("witness")?,
                how: if json.get("statement").is_some() {
                    Witnessed::Statement(from.parsed("statement")?)
                } else {
                    Witnessed::Words(from.text("words")?.to_owned())
                },
            },
            "refuse" => Self::Refuse { reason: from.text("reason")?.to_owned() },
            "exception" => Self::Exception { what: from.text("what")?.to_owned() },
            "end" => Self::End {
                state: one_of(from.text("state")?, &EndState::ALL, EndState::name)?,
                waiting: from.all_parsed("waiting")?,
            },
            other => return Ok(Self::Unknown { act: other.to_owned(), outcome: json.clone() }),
        };
        from.done()?;
        Ok(outcome)
    }
}

impl Begin {
    fn to_json(&self) -> Json {
        let checks = self.host_checks.iter().map(|(name, found)| (name.clone(), found.as_str().into()));
        let people = self.people.iter().map(|(who, duty)| (who.to_string(), duty.name().into()));
        object([
            ("binary", digest(&self.binary)),
            ("heads", Json::Array(self.heads.iter().map(digest).collect())),
            ("host-checks", Json::Object(checks.collect())),
            ("keyrite", self.keyrite.as_str().into()),
            ("people", Json::Object(people.collect())),
            ("runbooks", Json::Array(self.runbooks.iter().map(digest).collect())),
            ("stage", self.stage.name().into()),
        ])
    }

    fn read(from: &mut Reader<'_>) -> Result<Self> {
        let text =
            |json: &Json| json.as_str().map(str::to_owned).ok_or_else(|| unknown("a finding", "no text"));
        let checks = from.object("host-checks")?.iter();
        let people = from.object("people")?.iter();
        Ok(Self {
            keyrite: from.text("keyrite")?.to_owned(),
            binary: from.parsed("binary")?,
            people: people
                .map(|(who, duty)| Ok((who.parse()?, duty.as_str().unwrap_or_default().parse()?)))
                .collect::<Result<_>>()?,
            stage: from.parsed("stage")?,
            runbooks: from.all_parsed("runbooks")?,
            heads: from.all_parsed("heads")?,
            host_checks: checks
                .map(|(name, found)| Ok((name.to_owned(), text(found)?)))
                .collect::<Result<_>>()?,
        })
    }
}

impl TokenSeen {
    fn to_json(&self) -> Json {
        object([("label", self.label.as_str().into()), ("serial", self.serial.as_str().into())])
    }

    fn read(from: &mut Reader<'_>) -> Result<Self> {
        let mut token = from.reader("token")?;
        let seen = Self { label: token.text("label")?.to_owned(), serial: token.text("serial")?.to_owned() };
        token.done()?;
        Ok(seen)
    }
}

impl Intent {
    fn to_json(&self, key: &KeyName, token: &TokenSeen) -> Json {
        let mut members =
            Members::from([("key".to_owned(), key.as_str().into()), ("token".to_owned(), token.to_json())]);
        let mut put = |name: &str, value: Json| members.insert(name.to_owned(), value);
        match self {
            Self::Generate { label, id } => {
                put("what", "generate".into());
                put("label", label.as_str().into());
                put("id", base16ct::lower::encode_string(id).into());
            }
            Self::Sign { payload } => {
                put("what", "sign".into());
                put("payload", digest(payload));
            }
            Self::Destroy => {
                put("what", "destroy".into());
            }
            Self::Copy { wrap_key } => {
                put("what", "copy".into());
                put("wrap-key", wrap_key.as_str().into());
            }
            Self::Restore { wrap_key } => {
                put("what", "restore".into());
                put("wrap-key", wrap_key.as_str().into());
            }
        }
        Json::Object(members)
    }

    fn read(from: &mut Reader<'_>) -> Result<Self> {
        match from.text("what")? {
            "generate" => Ok(Self::Generate { label: from.text("label")?.to_owned(), id: from.hex("id")? }),
            "sign" => Ok(Self::Sign { payload: from.parsed("payload")? }),
            "destroy" => Ok(Self::Destroy),
            "copy" => Ok(Self::Copy { wrap_key: from.parsed("wrap-key")? }),
            "restore" => Ok(Self::Restore { wrap_key: from.parsed("wrap-key")? }),
            other => Err(unknown("the intent", other)),
        }
    }
}

fn log_entry(text: &str) -> Result<LogEntry> {
    let mut raw = [0; 32];
    match base16ct::lower::decode(text.as_bytes(), &mut raw) {
        Ok(read) if read.len() == 32 => Ok(LogEntry::new(raw)),
        _ => Err(unknown("the log entry", text)),
    }
}

fn carried(way: Way, from: &mut Reader<'_>) -> Result<Outcome> {
    let mut files = BTreeMap::new();
    for (folder, count) in from.object("files")? {
        let count = count.as_int().and_then(|n| u64::try_from(n).ok());
        files.insert(folder.to_owned(), count.ok_or_else(|| unknown("a number of files", folder))?);
    }
    Ok(Outcome::Carried { way, files, statements: from.all_parsed("statements")? })
}

fn drilled(from: &mut Reader<'_>) -> Result<Outcome> {
    let share = from.number("number")?;
    let number = u8::try_from(share)
        .map_err(|_| Refusal::new(&rules::SHARE_MANIFEST, format!("share {share}"), "a number below 256"))?;
    Ok(Outcome::Drill {
        shares: from.parsed("shares")?,
        set: SetId::from_bytes(from.hex("set")?),
        number,
        holder: from.parsed("holder")?,
    })
}

fn read_sealed(members: &Members) -> Result<BTreeMap<RoleName, Sealed>> {
    let mut documents = BTreeMap::new();
    for (role, json) in members {
        let mut at = Reader::new("a sealed document", json)?;
        let sealed = Sealed { version: at.number("version")?, file: at.parsed("file")? };
        at.done()?;
        documents.insert(RoleName::from_name(role), sealed);
    }
    Ok(documents)
}

fn texts<T: Display>(items: &[T]) -> Json {
    Json::Array(items.iter().map(|item| Json::Str(item.to_string())).collect())
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

fn one_of<T: Copy>(word: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T> {
    all.iter().copied().find(|one| name(*one) == word).ok_or_else(|| unknown("the word", word))
}

fn unknown(what: &str, found: &str) -> Refusal {
    Refusal::new(&rules::RECORD_MEMBER, format!("{what} \"{}\"", visible(found)), "one that FORMAT.md lists")
}
