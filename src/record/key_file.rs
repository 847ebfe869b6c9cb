//! `keys/<name>/<sha>.json`: a public key as it came into the record.

use crate::ceremony::change::{Possession, Purpose};
use crate::ceremony::members::{Reader, same_bytes};
use crate::ceremony::people::{KeyName, Person};
use crate::ceremony::rules::RECORD_MEMBER;
use crate::signer::{Attestation, Evidence, TokenIdentity};
use crate::tuf::digest::Digest;
use crate::tuf::json::{Json, object};
use crate::tuf::key::{KeyIdentity, PublicKey};
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::statement::TrustId;
use crate::tuf::text::{ours, visible};
use base64ct::{Base64, Encoding};
use std::collections::BTreeMap;
use std::path::Path;

/// What can hold a key (FORMAT.md).
const TOKEN_KINDS: [&str; 7] = ["pkcs11", "file", "external", "yubihsm", "piv", "backend", "elsewhere"];

/// A key file. Its later life is statements, never edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The trust that it belongs to.
    pub trust: TrustId,
    /// The record's name.
    pub name: KeyName,
    /// Who holds it.
    pub holder: Person,
    /// What it is for.
    pub purpose: Purpose,
    /// The key.
    pub public: PublicKey,
    /// The certificate in PEM, for root keys of profile `notary`.
    pub certificate: Option<String>,
    /// The digest of the `change.json` that brought it in.
    pub change: Digest,
    /// How its possession is shown.
    pub possession: Possession,
    /// The digest of the file that this one stands for: the same key with another certificate.
    pub replaces: Option<Digest>,
    /// What holds it.
    pub token: TokenNote,
    /// What the token said of how it is kept.
    pub evidence: EvidenceNote,
}

/// What holds a key, as the record has it: safe to show, since the token's own text was escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenNote {
    kind: String,
    label: String,
    serial: String,
    manufacturer: String,
    model: String,
    firmware: String,
}

/// What a token said of a key, as the record has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceNote {
    attributes: BTreeMap<String, String>,
    attestation: Option<Attestation>,
    module: Option<(String, Digest)>,
    exportable_under: Option<String>,
}

impl TokenNote {
    /// What a token says of itself.
    pub fn of(identity: &TokenIdentity) -> Self {
        Self {
            kind: identity.kind.name().to_owned(),
            label: visible(&identity.label),
            serial: visible(&identity.serial),
            manufacturer: visible(&identity.manufacturer),
            model: visible(&identity.model),
            firmware: visible(&identity.firmware),
        }
    }

    /// A key that this record knows only the public half of: `backend` or `elsewhere`.
    pub fn apart(kind: &str) -> Self {
        let none = String::new;
        let kind = kind.to_owned();
        Self { kind, label: none(), serial: none(), manufacturer: none(), model: none(), firmware: none() }
    }

    /// `pkcs11`, `file`, `external`, `yubihsm`, `piv`, `backend` or `elsewhere`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The token's label; empty where it has none.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The token's serial number; empty where it has none.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Manufacturer, model and firmware, as far as they are known.
    pub fn make(&self) -> String {
        let parts = [&self.manufacturer, &self.model, &self.firmware];
        let known: Vec<_> = parts.into_iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
        known.join(" ")
    }

    fn to_json(&self) -> Json {
        object([
            ("firmware", self.firmware.as_str().into()),
            ("kind", self.kind.as_str().into()),
            ("label", self.label.as_str().into()),
            ("manufacturer", self.manufacturer.as_str().into()),
            ("model", self.model.as_str().into()),
            ("serial", self.serial.as_str().into()),
        ])
    }

    fn read(mut fields: Reader<'_>) -> Result<Self> {
        let mut text = |name: &str| -> Result<String> {
            let text = fields.text(name)?;
            ours(&format!("the token's {name}"), text)?;
            Ok(text.to_owned())
        };
        let token = Self {
            kind: text("kind")?,
            label: text("label")?,
            serial: text("serial")?,
            manufacturer: text("manufacturer")?,
            model: text("model")?,
            firmware: text("firmware")?,
        };
        fields.done()?;
        if TOKEN_KINDS.contains(&&*token.kind) {
            return Ok(token);
        }
        Err(Refusal::new(
            &RECORD_MEMBER,
            format!("the token's kind \"{}\"", visible(&token.kind)),
            TOKEN_KINDS.join(", "),
        ))
    }
}

impl EvidenceNote {
    /// What a token says of a key that it made.
    ///
    /// # Errors
    ///
    /// `DIGEST-FORM` for a module's digest that is none.
    pub fn of(evidence: &Evidence) -> Result<Self> {
        let module = match &evidence.module {
            None => None,
            Some((path, sha)) => {
                // The folder says only where one machine keeps it.
                let name = Path::new(path).file_name().unwrap_or_default();
                Some((visible(&name.to_string_lossy()), sha.parse()?))
            }
        };
        let attributes = evidence.attributes.iter().map(|(name, value)| (visible(name), visible(value)));
        Ok(Self {
            attributes: attributes.collect(),
            attestation: evidence.attestation.clone(),
            module,
            exportable_under: None,
        })
    }

    /// The same of a key that may leave its token, wrapped under a key of this name.
    #[must_use]
    pub fn leaving(self, under: Option<&KeyName>) -> Self {
        Self { exportable_under: under.map(ToString::to_string), ..self }
    }

    /// `yes`, `no`, `unknown` or a mechanism's name, by attribute; safe to show.
    pub const fn attributes(&self) -> &BTreeMap<String, String> {
        &self.attributes
    }

    /// The certificates by which the device attested the key, not judged.
    pub const fn attestation(&self) -> Option<&Attestation> {
        self.attestation.as_ref()
    }

    /// The module that spoke to the token: file name without folder, safe to show, and SHA-256.
    pub const fn module(&self) -> Option<&(String, Digest)> {
        self.module.as_ref()
    }

    /// The wrap key under which the token lets the key out, if it does.
    pub fn exportable_under(&self) -> Option<&str> {
        self.exportable_under.as_deref()
    }

    fn to_json(&self) -> Json {
        let attributes = self.attributes.iter().map(|(n, v)| (n.clone(), v.as_str().into()));
        let ders = self.attestation.as_ref().map(Attestation::leaf_first).unwrap_or_default();
        let attestation = ders.into_iter().map(|der| Base64::encode_string(der).into());
        let module = self.module.as_ref().map_or(Json::Null, |(name, sha)| {
            object([("name", name.as_str().into()), ("sha256", sha.hex().into())])
        });
        object([
            ("attestation", attestation.collect::<Vec<Json>>().into()),
            ("attributes", Json::Object(attributes.collect())),
            ("exportable-under", self.exportable_under.as_deref().map_or(Json::Null, Into::into)),
            ("module", module),
        ])
    }

    fn read(mut fields: Reader<'_>) -> Result<Self> {
        let mut attributes = BTreeMap::new();
        for (name, value) in fields.object("attributes")? {
            let value = value.as_str().unwrap_or_default();
            ours("an attribute", name)?;
            ours("an attribute's value", value)?;
            attributes.insert(name.to_owned(), value.to_owned());
        }
        let decode = |text: &str| {
            Base64::decode_vec(text).map_err(|_| {
                Refusal::new(&RECORD_MEMBER, "an attestation that is no base64", "base64 of DER")
            })
        };
        let ders: Vec<_> = fields.texts("attestation")?.into_iter().map(decode).collect::<Result<_>>()?;
        let attestation = attested(ders.into_iter())?;
        let module = match fields.reader_or_null("module")? {
            None => None,
            Some(mut module) => {
                let name = module.text("name")?;
                ours("the module's name", name)?;
                let read = (name.to_owned(), module.parsed("sha256")?);
                module.done()?;
                Some(read)
            }
        };
        let exportable_under = fields.text_or_null("exportable-under")?;
        if let Some(under) = exportable_under {
            ours("a wrap key's name", under)?;
        }
        let exportable_under = exportable_under.map(str::to_owned);
        fields.done()?;
        Ok(Self { attributes, attestation, module, exportable_under })
    }
}

/// Certificates that a key file holds, if a device could have given them.
fn attested(mut ders: std::vec::IntoIter<Vec<u8>>) -> Result<Option<Attestation>> {
    let Some(leaf) = ders.next() else { return Ok(None) };
    let attestation = Attestation::new(leaf, ders.collect());
    attestation.map(Some).map_err(|e| Refusal::new(&RECORD_MEMBER, e.found(), e.expected()))
}

impl KeyFile {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// `RECORD-FORMAT`, `RECORD-MEMBER`, `JSON`, `NAME`, `KEY-FORM`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let json = Json::parse(bytes)?;
        let mut fields = Reader::file("the key file", &json)?;
        let spki = Base64::decode_vec(fields.text("spki")?)
            .map_err(|_| Refusal::new(&RECORD_MEMBER, "an spki that is no base64", "base64 of DER"))?;
        let file = Self {
            trust: fields.parsed("trust")?,
            name: fields.parsed("name")?,
            holder: fields.parsed("holder")?,
            purpose: fields.parsed("purpose")?,
            public: PublicKey::from_spki_der(&spki)?,
            certificate: fields.base64_text_or_null("certificate")?,
            change: fields.parsed("change")?,
            possession: Possession::from_json(fields.take("possession")?)?,
            replaces: fields.parsed_or_null("replaces")?,
            token: TokenNote::read(fields.reader("token")?)?,
            evidence: EvidenceNote::read(fields.reader("evidence")?)?,
        };
        let identity: KeyIdentity = fields.parsed("identity")?;
        let algorithm = fields.text("algorithm")?;
        if identity != file.public.identity() || algorithm != file.public.describe() {
            return Err(Refusal::new(
                &RECORD_MEMBER,
                format!("a key called {identity}, \"{}\"", visible(algorithm)),
                format!("{}, \"{}\", as its spki is", file.public.identity(), file.public.describe()),
            ));
        }
        fields.done()?;
        same_bytes("the key file", bytes, &file.to_json())?;
        Ok(file)
    }

    /// The file's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        object([
            ("algorithm", self.public.describe().into()),
            (
                "certificate",
                self.certificate
                    .as_ref()
                    .map_or(Json::Null, |pem| Base64::encode_string(pem.as_bytes()).into()),
            ),
            ("change", self.change.hex().into()),
            ("evidence", self.evidence.to_json()),
            ("format", 1.into()),
            ("holder", self.holder.as_str().into()),
            ("identity", self.public.identity().to_string().into()),
            ("name", self.name.as_str().into()),
            ("possession", self.possession.to_json()),
            ("purpose", self.purpose.name().into()),
            ("replaces", self.replaces.map_or(Json::Null, |sha| sha.hex().into())),
            ("spki", Base64::encode_string(self.public.spki_der()).into()),
            ("token", self.token.to_json()),
            ("trust", self.trust.to_string().into()),
        ])
        .canonical()
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }
}
