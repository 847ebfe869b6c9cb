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

    /// The same in words, for people who see the name for the first time.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::DateForm => "a date with an offset or a fraction of a second",
            Self::KeyIdDiffers => "a key id that is not the digest of its key",
            Self::KeyTwice => "one key under two ids or in two certificates, which counts once",
            Self::KeyUnknown => "a key of an unknown kind, which never counts",
            Self::KeyHexPoint => "an ECDSA key as a point in hexadecimal",
            Self::KeyTypeCurve => "a key type that names the curve",
            Self::MemberUnknown => "a member that the specification doesn't know",
            Self::RoleExtra => "a role that a root doesn't need",
            Self::RoleKeyTwice => "a role that lists a key id twice, which counts once",
            Self::RoleKeyMissing => "a role that lists a key id without a key",
            Self::ThresholdUnreachable => "a threshold above the number of keys, which can't be met",
            Self::SignatureEmpty => "a signature without bytes, which never counts",
            Self::SignatureForm => "a signature that can't be read, which never counts",
            Self::SignatureTwice => "two signatures under one key id, which count once",
            Self::Terminating => "a delegation that ends the search",
            Self::HashPrefixes => "delegations by prefixes of the path's digest",
            Self::SuccinctRoles => "hash bins of one shape",
            Self::MetaPartial => "documents listed without length or digests",
            Self::SpecVersionMissing => "no spec_version",
        }
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
