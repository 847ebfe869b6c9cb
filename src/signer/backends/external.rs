//! Keys that keyrite can't reach: Azure Key Vault, a cloud KMS, another tool.
//!
//! What is to be signed is handed out as files, with the exact commands; a signature is taken back
//! only if it verifies with the key that the document lists. Both are pure functions, since where
//! the files go is the record layer's business.
//!
//! Never more trust than in a token: whoever holds that key sees the payload itself and computes
//! its digest again.

use crate::signer::{
    Evidence, Generated, KeyTag, PinSource, Signer, Token, TokenIdentity, TokenKey, TokenKind, Tries, rules,
};
use crate::tuf::digest::Digest;
use crate::tuf::key::{Algorithm, KeySpec, PublicKey, Scheme};
use crate::tuf::payload::Payload;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::verify::{Signature, ecdsa_from_der};
use base64ct::{Base64, Base64Url, Encoding};
use sha2::{Digest as _, Sha384};

/// No signature is larger, even as text with line ends (RSA of 8192 bits).
const SIZE_MAX: usize = 4096;

/// The files to hand out, by name: `payload`, its digests (raw: `payload.sha256`, and
/// `payload.sha384` where the scheme has it), the public key as PEM and a README with the exact
/// commands for OpenSSL and Azure Key Vault.
pub fn hand_out(payload: &Payload, public: &PublicKey, scheme: Scheme) -> Vec<(String, Vec<u8>)> {
    let bytes = payload.bytes();
    let mut files = vec![
        ("README".to_owned(), readme(payload, public, scheme).into_bytes()),
        ("payload".to_owned(), bytes.to_vec()),
        ("payload.sha256".to_owned(), Digest::of(bytes).as_bytes().to_vec()),
        ("public.pem".to_owned(), public.spki_pem().into_bytes()),
    ];
    if scheme == Scheme::EcdsaP384Sha384 {
        files.push(("payload.sha384".to_owned(), Sha384::digest(bytes).to_vec()));
    }
    files
}

/// The signature in `bytes`: raw r‖s or DER for ECDSA, raw for Ed25519 and RSA-PSS; also these in
/// hexadecimal, base64 or base64url, as services print them.
///
/// # Errors
///
/// `EXTERNAL-FORM` if it is nothing of these, `SIGNATURE-WRONG` if it does not verify.
pub fn take_back(bytes: &[u8], public: &PublicKey, scheme: Scheme, payload: &Payload) -> Result<Signature> {
    let mut refusal = None;
    for raw in readings(bytes, public) {
        match Signature::check(public, scheme, payload, &raw) {
            Ok(signature) => return Ok(signature),
            Err(e) => refusal = Some(e),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        Refusal::new(
            &rules::EXTERNAL_FORM,
            format!("{} bytes of another form", bytes.len()),
            format!("a signature by {scheme}: its bytes, or their hexadecimal or base64 alone in the file"),
        )
    }))
}

/// Everything that the bytes can mean. DER of ECDSA may by chance be as long as a raw signature of
/// a larger curve, so all are tried; which one is right is not a matter of form.
fn readings(bytes: &[u8], public: &PublicKey) -> Vec<Vec<u8>> {
    let mut candidates = vec![bytes.to_vec()];
    if bytes.len() <= SIZE_MAX
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        let text: String = text.chars().filter(|c| !c.is_ascii_whitespace() && *c != '"').collect();
        let bare = text.trim_end_matches('=');
        let standard = base64ct::Base64Unpadded::decode_vec(bare).or_else(|_| Base64::decode_vec(&text));
        let url = base64ct::Base64UrlUnpadded::decode_vec(bare).or_else(|_| Base64Url::decode_vec(&text));
        candidates.extend(standard.or(url).ok());
        // Hexadecimal digits are base64 too: only one of the two has the length of a signature.
        candidates.extend(base16ct::mixed::decode_vec(&text).ok());
    }
    let length = match public.algorithm() {
        Algorithm::EcdsaP256 | Algorithm::Ed25519 => 64,
        Algorithm::EcdsaP384 => 96,
        Algorithm::Rsa => usize::try_from(public.bits().div_ceil(8)).unwrap_or(usize::MAX),
    };
    let mut readings = Vec::new();
    for candidate in candidates {
        if let Ok(raw) = ecdsa_from_der(&candidate, public.algorithm()) {
            readings.push(raw);
        }
        if candidate.len() == length {
            readings.push(candidate);
        }
    }
    readings
}

fn readme(payload: &Payload, public: &PublicKey, scheme: Scheme) -> String {
    let (openssl, azure) = match scheme {
        Scheme::EcdsaP256Sha256 => (dgst("sha256", ""), vault("ES256", "sha256")),
        Scheme::EcdsaP384Sha384 => (dgst("sha384", ""), vault("ES384", "sha384")),
        Scheme::EcdsaP384Sha256 => (
            dgst("sha256", ""),
            "Azure Key Vault signs with P-384 over SHA-384 only, not as needed here.".to_owned(),
        ),
        Scheme::Ed25519 => (
            "openssl pkeyutl -sign -rawin -inkey KEY.pem -in payload -out signature".to_owned(),
            "Azure Key Vault has no Ed25519 keys.".to_owned(),
        ),
        Scheme::RsaPssSha256 => (
            dgst(
                "sha256",
                " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sigopt rsa_mgf1_md:sha256",
            ),
            vault("PS256", "sha256"),
        ),
        Scheme::RsaPkcs1Sha256 => ("Not signed by keyrite.".to_owned(), "Not signed by keyrite.".to_owned()),
    };
    let mut lines = vec![
        "One signature is asked for, with the key in public.pem.".to_owned(),
        String::new(),
        format!("  key      {}, {}", public.describe(), public.identity()),
        format!("  scheme   {scheme}"),
        format!("  payload  {} bytes", payload.bytes().len()),
        format!("  SHA-256  {}", payload.digest()),
    ];
    for words in payload.digest().words().chunks(8) {
        lines.push(format!("           {}", words.join(" ")));
    }
    lines.extend([
        String::new(),
        "Before you sign: read the file payload (it is text, unless it is a certificate), check that it"
            .to_owned(),
        "says what was agreed, and compare the words above with those who asked, by telephone.".to_owned(),
        "  sha256sum payload".to_owned(),
        String::new(),
        "With OpenSSL 3, where KEY.pem is the private key:".to_owned(),
        format!("  {openssl}"),
        String::new(),
        "With Azure Key Vault, where VAULT and KEY are its names there:".to_owned(),
        format!("  {azure}"),
        String::new(),
        "With anything else: sign the file payload itself by the scheme above. ECDSA may come back as"
            .to_owned(),
        "DER or as r and s one after the other; anything also as hexadecimal or base64 alone in a file."
            .to_owned(),
        String::new(),
        "Send back the file signature, nothing else. It is taken only if it verifies.".to_owned(),
        String::new(),
    ]);
    lines.join("\n")
}

fn dgst(hash: &str, options: &str) -> String {
    format!("openssl dgst -{hash}{options} -sign KEY.pem -out signature payload")
}

fn vault(algorithm: &str, hash: &str) -> String {
    format!(
        "az keyvault key sign --vault-name VAULT --name KEY --algorithm {algorithm} \\\n    \
         --digest \"$(base64 -w0 payload.{hash})\" --query signature -o tsv >signature"
    )
}

/// The token that stands for such a key. By itself it tells who it is and signs nothing; with
/// signatures that came back it plays them, each for the very payload that it was made over.
pub struct ExternalToken {
    identity: TokenIdentity,
    brought: Option<Brought>,
}

/// What came back from a vault, every signature verified.
pub struct Brought {
    /// The key.
    pub public: PublicKey,
    /// Its signatures.
    pub signatures: Vec<Signature>,
}

impl ExternalToken {
    /// By the name in its URI.
    pub fn new(name: String) -> Self {
        let identity = TokenIdentity {
            kind: TokenKind::External,
            label: name,
            serial: String::new(),
            manufacturer: String::new(),
            model: String::new(),
            firmware: String::new(),
        };
        Self { identity, brought: None }
    }

    /// The same with what came back.
    pub fn holding(name: String, brought: Brought) -> Self {
        Self { brought: Some(brought), ..Self::new(name) }
    }

    fn elsewhere<T>(&self) -> Result<T> {
        Err(Refusal::new(
            &rules::EXTERNAL_ELSEWHERE,
            format!("external:{}", crate::tuf::text::visible(&self.identity.label)),
            "a token or a key file that keyrite can reach",
        ))
    }
}

impl Token for ExternalToken {
    fn identity(&self) -> &TokenIdentity {
        &self.identity
    }

    fn is_blank(&self) -> bool {
        false
    }

    fn pin_pad(&self) -> bool {
        false
    }

    fn tries(&mut self) -> Result<Tries> {
        Ok(Tries::Unknown)
    }

    fn initialise(&mut self, _label: &str, _pins: &mut dyn PinSource) -> Result<()> {
        self.elsewhere()
    }

    fn keys(&mut self, _pins: &mut dyn PinSource) -> Result<Vec<TokenKey>> {
        Ok(Vec::new())
    }

    /// Nothing is made: the key was there, and whoever calls has it prove its possession.
    fn generate(&mut self, _spec: KeySpec, _tag: &KeyTag, _pins: &mut dyn PinSource) -> Result<Generated> {
        match &self.brought {
            Some(Brought { public, .. }) => {
                Ok(Generated { public: public.clone(), evidence: Evidence::default() })
            }
            None => self.elsewhere(),
        }
    }

    fn adopt(
        &mut self,
        _spec: KeySpec,
        _tag: &KeyTag,
        _pins: &mut dyn PinSource,
    ) -> Result<Option<Generated>> {
        // Nothing is left behind by a session that was cut off: the key comes in as at first.
        Ok(None)
    }

    fn open(&mut self, _public: &PublicKey, _pins: &mut dyn PinSource) -> Result<Box<dyn Signer + '_>> {
        match &self.brought {
            Some(brought) => Ok(Box::new(Replay { token: self, brought })),
            None => self.elsewhere(),
        }
    }

    fn destroy(&mut self, _public: &PublicKey, _pins: &mut dyn PinSource) -> Result<()> {
        self.elsewhere()
    }

    fn evidence(&mut self, _public: &PublicKey, _pins: &mut dyn PinSource) -> Result<Evidence> {
        Ok(Evidence::default())
    }
}

struct Replay<'a> {
    token: &'a ExternalToken,
    brought: &'a Brought,
}

impl Signer for Replay<'_> {
    fn public_key(&self) -> &PublicKey {
        &self.brought.public
    }

    fn max_payload(&self, _scheme: Scheme) -> Option<usize> {
        None
    }

    fn sign(&mut self, scheme: Scheme, payload: &Payload, _pins: &mut dyn PinSource) -> Result<Vec<u8>> {
        let made = |s: &&Signature| s.scheme() == scheme && s.payload() == payload.digest();
        match self.brought.signatures.iter().find(made) {
            Some(signature) => Ok(signature.raw().to_vec()),
            None => self.token.elsewhere(),
        }
    }
}
