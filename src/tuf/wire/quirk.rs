//! Quirks: how real writers' documents depart from what keyrite writes.

use std::fmt;

/// One departure. It is kept with the document, named in reports, and changes no verdict: what it
/// concerns counts if it verifies and doesn't if it doesn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// A date with an offset or a fraction of a second (Go's `time.Time`).
    DateForm,
    /// A key id that is not the digest of the key's content (sigstore root 11).
    KeyIdDiffers,
    /// One public key under two ids, or in two certificates; it counts once.
    KeyTwice,
    /// A key of a type or scheme that keyrite doesn't know, or malformed; it never counts.
    KeyUnknown,
    /// An ECDSA key as a point in hexadecimal, not PEM (go-tuf).
    KeyHexPoint,
    /// A key type that names the curve: `ecdsa-sha2-nistp256` (older python-tuf, go-tuf).
    KeyTypeCurve,
    /// A member that the specification doesn't know, at any depth but in `custom`.
    MemberUnknown,
    /// A role that a root doesn't need: `mirrors`, Notary's `root.1`.
    RoleExtra,
    /// A role lists a key id twice; it counts once.
    RoleKeyTwice,
    /// A role lists a key id that has no key.
    RoleKeyMissing,
    /// A threshold above the role's distinct public keys; it can't be met.
    ThresholdUnreachable,
    /// A signature without bytes (python-tuf's placeholders); it never counts.
    SignatureEmpty,
    /// A signature that is no hexadecimal or base64; it never counts.
    SignatureForm,
    /// Two signatures under one key id; the key counts once.
    SignatureTwice,
    /// A delegation that ends the search, which keyrite doesn't write.
    Terminating,
    /// Delegations by prefixes of the path's digest.
    HashPrefixes,
    /// Hash bins of one shape (TAP 15).
    SuccinctRoles,
    /// Snapshot or timestamp without length or digests.
    MetaPartial,
    /// A document without `spec_version` in profile `tuf`.
    SpecVersionMissing,
}

impl Quirk {
    /// Every quirk, in the order of reports.
    pub const ALL: [Self; 19] = [
        Self::DateForm,
        Self::KeyIdDiffers,
        Self::KeyTwice,
        Self::KeyUnknown,
        Self::KeyHexPoint,
        Self::KeyTypeCurve,
        Self::MemberUnknown,
        Self::RoleExtra,
        Self::RoleKeyTwice,
        Self::RoleKeyMissing,
        Self::ThresholdUnreachable,
        Self::SignatureEmpty,
        Self::SignatureForm,
        Self::SignatureTwice,
        Self::Terminating,
        Self::HashPrefixes,
        Self::SuccinctRoles,
        Self::MetaPartial,
        Self::SpecVersionMissing,
    ];

    /// The permanent name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DateForm => "DATE-FORM",
            Self::KeyIdDiffers => "KEY-ID-DIFFERS",
            Self::KeyTwice => "KEY-TWICE",
            Self::KeyUnknown => "KEY-UNKNOWN",
            Self::KeyHexPoint => "KEY-HEX-POINT",
            Self::KeyTypeCurve => "KEY-TYPE-CURVE",
            Self::MemberUnknown => "MEMBER-UNKNOWN",
            Self::RoleExtra => "ROLE-EXTRA",
            Self::RoleKeyTwice => "ROLE-KEY-TWICE",
            Self::RoleKeyMissing => "ROLE-KEY-MISSING",
            Self::ThresholdUnreachable => "THRESHOLD-UNREACHABLE",
            Self::SignatureEmpty => "SIGNATURE-EMPTY",
            Self::SignatureForm => "SIGNATURE-FORM",
            Self::SignatureTwice => "SIGNATURE-TWICE",
            Self::Terminating => "TERMINATING",
            Self::HashPrefixes => "HASH-PREFIXES",
            Self::SuccinctRoles => "SUCCINCT-ROLES",
            Self::MetaPartial => "META-PARTIAL",
            Self::SpecVersionMissing => "SPEC-VERSION-MISSING",
        }
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
