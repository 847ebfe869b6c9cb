//! The protocol's numbers (docs.yubico.com, "YubiHSM 2 Reference Materials").

pub mod command {
    pub const ECHO: u8 = 0x01;
    pub const CREATE_SESSION: u8 = 0x03;
    pub const AUTHENTICATE_SESSION: u8 = 0x04;
    pub const SESSION_MESSAGE: u8 = 0x05;
    pub const DEVICE_INFO: u8 = 0x06;
    pub const RESET_DEVICE: u8 = 0x08;
    pub const DEVICE_PUBLIC_KEY: u8 = 0x0a;
    pub const CLOSE_SESSION: u8 = 0x40;
    pub const STORAGE_INFO: u8 = 0x41;
    pub const PUT_OPAQUE: u8 = 0x42;
    pub const GET_OPAQUE: u8 = 0x43;
    pub const PUT_AUTHENTICATION_KEY: u8 = 0x44;
    pub const PUT_ASYMMETRIC_KEY: u8 = 0x45;
    pub const GENERATE_ASYMMETRIC_KEY: u8 = 0x46;
    pub const LIST_OBJECTS: u8 = 0x48;
    pub const EXPORT_WRAPPED: u8 = 0x4a;
    pub const IMPORT_WRAPPED: u8 = 0x4b;
    pub const PUT_WRAP_KEY: u8 = 0x4c;
    pub const GET_LOG_ENTRIES: u8 = 0x4d;
    pub const GET_OBJECT_INFO: u8 = 0x4e;
    pub const SET_OPTION: u8 = 0x4f;
    pub const GET_OPTION: u8 = 0x50;
    pub const GET_PSEUDO_RANDOM: u8 = 0x51;
    pub const GET_PUBLIC_KEY: u8 = 0x54;
    pub const SIGN_ECDSA: u8 = 0x56;
    pub const DELETE_OBJECT: u8 = 0x58;
    pub const GENERATE_WRAP_KEY: u8 = 0x5b;
    pub const SIGN_ATTESTATION: u8 = 0x64;
    pub const SET_LOG_INDEX: u8 = 0x67;
    pub const WRAP_DATA: u8 = 0x68;
    pub const UNWRAP_DATA: u8 = 0x69;
    pub const SIGN_EDDSA: u8 = 0x6a;
    pub const BLINK: u8 = 0x6b;
    pub const CHANGE_AUTHENTICATION_KEY: u8 = 0x6c;
    /// What an answer that is an error is called.
    pub const ERROR: u8 = 0x7f;

    /// Whether each is logged can be set, in the order in which a device lists them ("Set Command
    /// Audit Option").
    pub const AUDITED: &[u8] = &[
        0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x09, 0x08, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x55,
        0x56, 0x48, 0x49, 0x57, 0x4a, 0x4b, 0x4c, 0x4d, 0x67, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x58,
        0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x68, 0x69, 0x6a,
        0x6b, 0x6c, 0x0a, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77,
    ];
    /// Logged only where it was asked for by name.
    pub const QUIET: &[u8] = &[ECHO, SESSION_MESSAGE, DEVICE_INFO, GET_LOG_ENTRIES];
}

pub mod error {
    pub const INVALID_COMMAND: u8 = 0x01;
    pub const INVALID_DATA: u8 = 0x02;
    pub const INVALID_SESSION: u8 = 0x03;
    pub const AUTHENTICATION_FAILED: u8 = 0x04;
    pub const SESSIONS_FULL: u8 = 0x05;
    pub const STORAGE_FAILED: u8 = 0x07;
    pub const WRONG_LENGTH: u8 = 0x08;
    pub const INSUFFICIENT_PERMISSIONS: u8 = 0x09;
    pub const LOG_FULL: u8 = 0x0a;
    pub const OBJECT_NOT_FOUND: u8 = 0x0b;
    pub const INVALID_ID: u8 = 0x0c;
    pub const OBJECT_EXISTS: u8 = 0x11;
}

/// Types of objects.
pub mod kind {
    pub const OPAQUE: u8 = 1;
    pub const AUTHENTICATION_KEY: u8 = 2;
    pub const ASYMMETRIC_KEY: u8 = 3;
    pub const WRAP_KEY: u8 = 4;
}

pub mod algorithm {
    pub const P256: u8 = 12;
    pub const P384: u8 = 13;
    pub const AES128_CCM: u8 = 29;
    pub const OPAQUE_DATA: u8 = 30;
    pub const OPAQUE_CERTIFICATE: u8 = 31;
    pub const AUTHENTICATION: u8 = 38;
    pub const AES192_CCM: u8 = 41;
    pub const AES256_CCM: u8 = 42;
    pub const ECDSA_SHA256: u8 = 43;
    pub const ECDSA_SHA384: u8 = 44;
    pub const ED25519: u8 = 46;
    pub const P256_AUTHENTICATION: u8 = 49;

    pub const ALL: &[u8] = &[
        P256,
        P384,
        AES128_CCM,
        OPAQUE_DATA,
        OPAQUE_CERTIFICATE,
        AUTHENTICATION,
        AES192_CCM,
        AES256_CCM,
        ECDSA_SHA256,
        ECDSA_SHA384,
        ED25519,
    ];
}

/// Bits of a set of capabilities.
pub mod capability {
    pub const GET_OPAQUE: u64 = 1 << 0x00;
    pub const PUT_OPAQUE: u64 = 1 << 0x01;
    pub const PUT_AUTHENTICATION_KEY: u64 = 1 << 0x02;
    pub const PUT_ASYMMETRIC_KEY: u64 = 1 << 0x03;
    pub const GENERATE_ASYMMETRIC_KEY: u64 = 1 << 0x04;
    pub const SIGN_ECDSA: u64 = 1 << 0x07;
    pub const SIGN_EDDSA: u64 = 1 << 0x08;
    pub const EXPORT_WRAPPED: u64 = 1 << 0x0c;
    pub const IMPORT_WRAPPED: u64 = 1 << 0x0d;
    pub const PUT_WRAP_KEY: u64 = 1 << 0x0e;
    pub const GENERATE_WRAP_KEY: u64 = 1 << 0x0f;
    pub const EXPORTABLE_UNDER_WRAP: u64 = 1 << 0x10;
    pub const SET_OPTION: u64 = 1 << 0x11;
    pub const GET_OPTION: u64 = 1 << 0x12;
    pub const GET_PSEUDO_RANDOM: u64 = 1 << 0x13;
    pub const GET_LOG_ENTRIES: u64 = 1 << 0x18;
    pub const RESET_DEVICE: u64 = 1 << 0x1c;
    pub const SIGN_ATTESTATION: u64 = 1 << 0x22;
    pub const WRAP_DATA: u64 = 1 << 0x25;
    pub const UNWRAP_DATA: u64 = 1 << 0x26;
    pub const DELETE_OPAQUE: u64 = 1 << 0x27;
    pub const DELETE_AUTHENTICATION_KEY: u64 = 1 << 0x28;
    pub const DELETE_ASYMMETRIC_KEY: u64 = 1 << 0x29;
    pub const DELETE_WRAP_KEY: u64 = 1 << 0x2a;
    pub const CHANGE_AUTHENTICATION_KEY: u64 = 1 << 0x2e;
    /// All that firmware 2.4 knows.
    pub const ALL: u64 = (1 << 0x38) - 1;
}

/// Where an object's content comes from.
pub mod origin {
    pub const GENERATED: u8 = 0x01;
    pub const IMPORTED: u8 = 0x02;
    /// Added to one of the others.
    pub const UNWRAPPED: u8 = 0x10;
}
