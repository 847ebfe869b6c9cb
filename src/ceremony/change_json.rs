//! `change.json` as bytes: written one way, read strictly, written again to compare.

use super::change::{
    Ask, Base, CertificateTemplate, Change, CopyFrom, Counts, EnrolledKey, Frame, Item, LimitsFile,
    NewCertificate, NewKey, NewShares, Possession, Rehearsal, RestoredKey,
};
use super::members::{self, Reader, base64, digest, number, or_null};
use super::rules;
use super::tool_split::ToolSplit;
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, Members, object};
use crate::tuf::key::{PublicKey, Scheme};
use crate::tuf::profile::Profile;
use crate::tuf::role::RoleName;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::Statement;
use crate::tuf::text::{ours, visible};
use crate::tuf::wire;
use std::collections::BTreeMap;

const SCHEMES: [(Scheme, &str); 5] = [
    (Scheme::EcdsaP256Sha256, "ecdsa-p256-sha256"),
    (Scheme::EcdsaP384Sha384, "ecdsa-p384-sha384"),
    (Scheme::EcdsaP384Sha256, "ecdsa-p384-sha256"),
    (Scheme::Ed25519, "ed25519"),
    (Scheme::RsaPssSha256, "rsa-pss-sha256"),
];

pub(super) fn write(change: &Change) -> Json {
    let frame = &change.frame;
    let people = frame.people.iter().map(|(who, duty)| (who.to_string(), duty.name().into()));
    let base = change.base.documents.iter().map(|(role, (version, payload))| {
        let at = object([("payload", digest(payload)), ("version", number(*version))]);
        (role.as_str().to_owned(), at)
    });
    let keys = change.keys.iter().map(|(name, file)| (name.to_string(), digest(file)));
    let rehearsal = frame.rehearsal.map_or(Json::Null, |r| {
        object([
            ("ceremony", r.ceremony.to_string().into()),
            ("head", digest(&r.head)),
            ("trust", r.trust.to_string().into()),
        ])
    });
    let limits = object([("number", number(change.limits.number)), ("sha", digest(&change.limits.sha))]);
    object([
        ("base", Json::Object(base.collect())),
        ("format", number(1)),
        ("held-at", frame.held_at.to_string().into()),
        ("items", Json::Array(change.items.iter().map(item).collect())),
        ("keys", Json::Object(keys.collect())),
        ("kind", frame.kind.as_str().into()),
        ("limits", limits),
        ("nonce", base16ct::lower::encode_string(&frame.nonce).into()),
        ("people", Json::Object(people.collect())),
        ("rehearsal", rehearsal),
        ("runbook", digest(&frame.runbook)),
        ("sign-by", frame.sign_by.to_string().into()),
        ("summary", Json::Array(change.summary.iter().map(|line| line.as_str().into()).collect())),
        ("title", frame.title.as_str().into()),
        ("trust", change.trust.to_string().into()),
    ])
}

fn item(item: &Item) -> Json {
    match item {
        Item::Document { payload, asked } => object([
            ("item", "document".into()),
            ("asked", Json::Array(asked.iter().map(ask).collect())),
            ("expires", payload.document().header().expires.to_string().into()),
            ("payload", digest(&payload.digest())),
            ("role", payload.role().as_str().into()),
            ("version", number(payload.version())),
        ]),
        Item::Statement { payload, asked } => object([
            ("item", "statement".into()),
            ("asked", Json::Array(asked.iter().map(ask).collect())),
            ("kind", payload.kind().into()),
            ("payload", digest(&Digest::of(payload.bytes()))),
        ]),
        Item::NewKey(new) => {
            let mut members = Members::from([
                ("item".to_owned(), "new-key".into()),
                ("algorithm".to_owned(), new.spec.name().into()),
                ("certificate".to_owned(), new.certificate.as_ref().map_or(Json::Null, template)),
                ("holder".to_owned(), new.holder.as_str().into()),
                ("name".to_owned(), new.name.as_str().into()),
                ("purpose".to_owned(), new.purpose.name().into()),
            ]);
            let under = new.exportable_under.as_ref();
            members.extend(under.map(|under| ("exportable-under".to_owned(), under.as_str().into())));
            Json::Object(members)
        }
        Item::EnrolledKey(key) => object([
            ("item", "enrolled-key".into()),
            ("certificate", key.certificate.as_ref().map_or(Json::Null, |pem| base64(pem.as_bytes()))),
            ("holder", key.holder.as_str().into()),
            ("name", key.name.as_str().into()),
            ("possession", possession(&key.possession)),
            ("purpose", key.purpose.name().into()),
            ("spki", base64(key.public.spki_der())),
        ]),
        Item::Certificate(new) => object([
            ("item", "certificate".into()),
            ("certificate", template(&new.template)),
            ("identity", digest(&new.identity.digest())),
            ("key", new.key.as_str().into()),
            ("replaces", digest(&new.replaces)),
        ]),
        Item::DestroyedKey { key, identity } => object([
            ("item", "destroyed-key".into()),
            ("identity", digest(&identity.digest())),
            ("key", key.as_str().into()),
        ]),
        Item::Shares(new) => object([
            ("item", "shares".into()),
            ("holders", Json::Array(new.holders.iter().map(|who| who.as_str().into()).collect())),
            ("needed", number(new.needed.into())),
            ("title", new.title.as_str().into()),
            ("wrap-key", new.wrap_key.as_str().into()),
        ]),
        Item::KeyCopy { key, identity, wrap_key, shares } => object([
            ("item", "key-copy".into()),
            ("identity", digest(&identity.digest())),
            ("key", key.as_str().into()),
            ("shares", or_null(shares.as_ref())),
            ("wrap-key", wrap_key.as_str().into()),
        ]),
        Item::Restored(back) => restored(back),
    }
}

fn restored(back: &RestoredKey) -> Json {
    let (copy, shares, split) = match &back.from {
        CopyFrom::Cards { shares, copy } => (digest(copy), digest(shares), None),
        CopyFrom::Tool { split, copy } => {
            (copy.to_string().into(), Json::Null, Some(("split", split.to_json())))
        }
    };
    let members = [
        ("item", "restored-key".into()),
        ("copy", copy),
        ("identity", digest(&back.identity.digest())),
        ("key", back.key.as_str().into()),
        ("replaces", digest(&back.replaces)),
        ("shares", shares),
        ("wrap-key", back.wrap_key.as_str().into()),
    ];
    Json::Object(members.into_iter().chain(split).map(|(name, value)| (name.to_owned(), value)).collect())
}

fn read_copy(from: &mut Reader<'_>) -> Result<CopyFrom> {
    Ok(match from.parsed_or_null("shares")? {
        Some(shares) => CopyFrom::Cards { shares, copy: from.parsed("copy")? },
        None => CopyFrom::Tool { split: ToolSplit::read(from.reader("split")?)?, copy: from.parsed("copy")? },
    })
}

fn ask(ask: &Ask) -> Json {
    let counts = ask.counts.iter().map(|counts| match counts {
        Counts::Old => "old".into(),
        Counts::New => "new".into(),
        Counts::Historic(version) => format!("historic-{version}").into(),
    });
    let scheme = SCHEMES.iter().find(|(scheme, _)| *scheme == ask.scheme).map_or("", |(_, word)| word);
    object([
        ("counts", Json::Array(counts.collect())),
        ("holder", ask.holder.as_str().into()),
        ("key", ask.key.as_str().into()),
        ("scheme", scheme.into()),
        ("spki", base64(ask.public.spki_der())),
    ])
}

fn template(template: &CertificateTemplate) -> Json {
    object([
        ("common-name", template.common_name.as_str().into()),
        ("not-after", template.not_after.to_string().into()),
        ("not-before", template.not_before.to_string().into()),
        ("serial", base16ct::lower::encode_string(&template.serial).into()),
    ])
}

/// As in key files, too.
pub(super) fn possession(possession: &Possession) -> Json {
    match possession {
        Possession::Proved(sha) => object([("by", "statement".into()), ("statement", digest(sha))]),
        Possession::ByFirstPublication => object([("by", "first-publication".into())]),
        Possession::BackendReadBack => object([("by", "backend-read-back".into())]),
        Possession::TrustedDocument(payload) => {
            object([("by", "trusted-document".into()), ("payload", digest(payload))])
        }
    }
}

pub(super) fn read(
    bytes: &[u8],
    runbook: &[u8],
    payloads: &BTreeMap<usize, Vec<u8>>,
    profile: Profile,
) -> Result<Change> {
    let json = Json::parse(bytes)?;
    let mut top = Reader::file("change.json", &json)?;
    let change = Change {
        base: base(top.object("base")?)?,
        items: items(top.array("items")?, payloads, profile)?,
        keys: files(top.object("keys")?)?,
        limits: limits(top.reader("limits")?)?,
        summary: top.texts("summary")?.into_iter().map(str::to_owned).collect(),
        trust: top.parsed("trust")?,
        frame: frame(&mut top)?,
    };
    top.done()?;
    for line in change.summary.iter().chain([&change.frame.title, &change.frame.kind]) {
        ours("a line of change.json", line)?;
    }
    members::same_bytes("change.json", bytes, &change.to_json())?;
    let read = Digest::of(runbook);
    if read != change.frame.runbook {
        return Err(Refusal::new(
            &rules::CHANGE_RUNBOOK,
            format!("a runbook of digest {read}"),
            format!("{}", change.frame.runbook),
        ));
    }
    Ok(change)
}

fn frame(top: &mut Reader<'_>) -> Result<Frame> {
    let mut people = BTreeMap::new();
    for (who, duty) in top.object("people")? {
        people.insert(who.parse()?, duty.as_str().unwrap_or_default().parse()?);
    }
    let rehearsal = match top.reader_or_null("rehearsal")? {
        None => None,
        Some(mut r) => {
            let (ceremony, head, trust) = (r.parsed("ceremony")?, r.parsed("head")?, r.parsed("trust")?);
            r.done()?;
            Some(Rehearsal { trust, ceremony, head })
        }
    };
    Ok(Frame {
        kind: top.text("kind")?.to_owned(),
        title: top.text("title")?.to_owned(),
        people,
        runbook: top.parsed("runbook")?,
        held_at: top.parsed("held-at")?,
        sign_by: top.parsed("sign-by")?,
        nonce: top.hex("nonce")?,
        rehearsal,
    })
}

fn base(members: &Members) -> Result<Base> {
    let mut documents = BTreeMap::new();
    for (role, at) in members {
        let mut at = Reader::new("change.json base", at)?;
        documents.insert(RoleName::from_name(role), (at.number("version")?, at.parsed("payload")?));
        at.done()?;
    }
    Ok(Base { documents })
}

fn files(members: &Members) -> Result<BTreeMap<super::people::KeyName, Digest>> {
    members.iter().map(|(name, sha)| Ok((name.parse()?, sha.as_str().unwrap_or_default().parse()?))).collect()
}

fn limits(mut from: Reader<'_>) -> Result<LimitsFile> {
    let limits = LimitsFile { number: from.number("number")?, sha: from.parsed("sha")? };
    from.done()?;
    Ok(limits)
}

fn items(array: &[Json], payloads: &BTreeMap<usize, Vec<u8>>, profile: Profile) -> Result<Vec<Item>> {
    let items = array.iter().enumerate().map(|(at, json)| {
        let mut from = Reader::new(format!("change.json item {at}"), json)?;
        let item = read_item(&mut from, payloads.get(&at), profile)?;
        from.done()?;
        Ok(item)
    });
    let items = items.collect::<Result<Vec<_>>>()?;
    for at in payloads.keys() {
        if items.get(*at).and_then(Item::payload_bytes).is_none() {
            return Err(Refusal::new(
                &rules::CHANGE_PAYLOAD,
                format!("{at}.payload.json, which no item of the change has"),
                "the payloads that change.json lists, and no others",
            ));
        }
    }
    Ok(items)
}

fn read_item(from: &mut Reader<'_>, payload: Option<&Vec<u8>>, profile: Profile) -> Result<Item> {
    Ok(match from.text("item")? {
        "document" => {
            let bytes = listed(from.parsed("payload")?, payload)?;
            // Expiry and version stand in the payload: that they agree is checked over the whole.
            let (role, _) = (RoleName::from_name(from.text("role")?), from.text("expires")?);
            from.number("version")?;
            let payload = wire::read_payload(profile, &role, bytes)?;
            Item::Document { payload, asked: read_asked(from.array("asked")?)? }
        }
        "statement" => {
            let bytes = listed(from.parsed("payload")?, payload)?;
            from.text("kind")?;
            Item::Statement {
                payload: Statement::from_bytes(bytes)?,
                asked: read_asked(from.array("asked")?)?,
            }
        }
        "new-key" => Item::NewKey(NewKey {
            name: from.parsed("name")?,
            holder: from.parsed("holder")?,
            purpose: from.parsed("purpose")?,
            spec: from.parsed("algorithm")?,
            certificate: from.reader_or_null("certificate")?.map(read_template).transpose()?,
            exportable_under: from.parsed_if_there("exportable-under")?,
        }),
        "enrolled-key" => Item::EnrolledKey(EnrolledKey {
            name: from.parsed("name")?,
            holder: from.parsed("holder")?,
            purpose: from.parsed("purpose")?,
            public: PublicKey::from_spki_der(&from.base64("spki")?)?,
            certificate: from.base64_text_or_null("certificate")?,
            possession: read_possession(from.reader("possession")?)?,
        }),
        "certificate" => Item::Certificate(NewCertificate {
            key: from.parsed("key")?,
            identity: from.parsed("identity")?,
            template: read_template(from.reader("certificate")?)?,
            replaces: from.parsed("replaces")?,
        }),
        "destroyed-key" => {
            Item::DestroyedKey { key: from.parsed("key")?, identity: from.parsed("identity")? }
        }
        "shares" => {
            let (needed, title) = (from.number("needed")?, from.text("title")?.to_owned());
            ours("a title", &title)?;
            Item::Shares(NewShares {
                wrap_key: from.parsed("wrap-key")?,
                title,
                needed: u8::try_from(needed)
                    .map_err(|_| unknown("the number", &needed.to_string(), "a number below 256"))?,
                holders: from.all_parsed("holders")?,
            })
        }
        "key-copy" => Item::KeyCopy {
            key: from.parsed("key")?,
            identity: from.parsed("identity")?,
            wrap_key: from.parsed("wrap-key")?,
            shares: from.parsed_or_null("shares")?,
        },
        "restored-key" => Item::Restored(RestoredKey {
            key: from.parsed("key")?,
            identity: from.parsed("identity")?,
            wrap_key: from.parsed("wrap-key")?,
            from: read_copy(from)?,
            replaces: from.parsed("replaces")?,
        }),
        other => return Err(unknown("the item", other, "an item that FORMAT.md lists")),
    })
}

fn listed(sha: Digest, payload: Option<&Vec<u8>>) -> Result<&[u8]> {
    let bytes = payload.ok_or_else(|| {
        Refusal::new(&rules::CHANGE_PAYLOAD, "no file for a payload", format!("the bytes of digest {sha}"))
    })?;
    let read = Digest::of(bytes);
    if read == sha {
        Ok(bytes)
    } else {
        Err(Refusal::new(&rules::CHANGE_PAYLOAD, format!("bytes of digest {read}"), sha.to_string()))
    }
}

fn read_asked(array: &[Json]) -> Result<Vec<Ask>> {
    let asked = array.iter().map(|json| {
        let mut from = Reader::new("change.json asked", json)?;
        let word = from.text("scheme")?;
        let scheme = SCHEMES.iter().find(|(_, name)| *name == word).map(|(scheme, _)| *scheme);
        let ask = Ask {
            key: from.parsed("key")?,
            holder: from.parsed("holder")?,
            public: PublicKey::from_spki_der(&from.base64("spki")?)?,
            scheme: scheme.ok_or_else(|| unknown("the scheme", word, "a scheme that FORMAT.md lists"))?,
            counts: from.texts("counts")?.into_iter().map(read_counts).collect::<Result<_>>()?,
        };
        from.done()?;
        Ok(ask)
    });
    asked.collect()
}

fn read_counts(word: &str) -> Result<Counts> {
    let historic = word.strip_prefix("historic-").and_then(|version| version.parse().ok());
    match (word, historic) {
        ("old", _) => Ok(Counts::Old),
        ("new", _) => Ok(Counts::New),
        (_, Some(version)) => Ok(Counts::Historic(version)),
        _ => Err(unknown("the threshold", word, "old, new or historic- and a root's version")),
    }
}

fn read_template(mut from: Reader<'_>) -> Result<CertificateTemplate> {
    let common_name = from.text("common-name")?.to_owned();
    ours("a common name", &common_name)?;
    let template = CertificateTemplate {
        common_name,
        serial: from.hex("serial")?,
        not_before: from.parsed("not-before")?,
        not_after: from.parsed("not-after")?,
    };
    from.done()?;
    Ok(template)
}

pub(super) fn read_possession(mut from: Reader<'_>) -> Result<Possession> {
    let possession = match from.text("by")? {
        "statement" => Possession::Proved(from.parsed("statement")?),
        "first-publication" => Possession::ByFirstPublication,
        "backend-read-back" => Possession::BackendReadBack,
        "trusted-document" => Possession::TrustedDocument(from.parsed("payload")?),
        other => return Err(unknown("the possession", other, "one that FORMAT.md lists")),
    };
    from.done()?;
    Ok(possession)
}

fn unknown(what: &str, found: &str, expected: &str) -> Refusal {
    Refusal::new(&rules::RECORD_MEMBER, format!("{what} \"{}\"", visible(found)), expected)
}
