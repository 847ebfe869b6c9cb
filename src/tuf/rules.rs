//! The rules of the `tuf` layer.

crate::rules! {
    // --- form
    JSON: "JSON", Refused, "documents are strict JSON", "TUF 4.1, threats T14",
        "ask who made the file for it again; do not repair it by hand";
    TEXT: "TEXT", Refused, "text that keyrite writes is visible and in Unicode's composed form", "threats T13",
        "type the name again with plain letters";
    DATE: "DATE", Refused, "dates have TUF's form and lie between 1970 and 9999", "TUF 4.2.1",
        "correct the date";
    TERM: "TERM", Usage, "terms are a whole number and a unit", "design",
        "write the term as \"2 years\" or \"90 days\"";
    DIGEST_FORM: "DIGEST-FORM", Refused, "digests are SHA-256 in lower-case hexadecimal", "design",
        "copy the whole digest again";
    PROFILE: "PROFILE", Usage, "the profile is one of the two that keyrite writes", "design",
        "choose \"notary\" for a Notary v1 backend, \"tuf\" for all else";
    ROLE_NAME: "ROLE-NAME", Refused, "role names are what backends and file systems accept", "notary-v1 3.3",
        "choose another name for the application or track";
    KEY_FORM: "KEY-FORM", Refused, "public keys are well-formed and of a known kind", "TUF 4.2",
        "export the public key from the token again";
    KEY_SPEC: "KEY-SPEC", Usage, "keys are of a kind that keyrite makes", "design",
        "choose p256 unless a client demands another";
    TRUST_ID: "TRUST-ID", Refused, "a trust's id is 128 bits in lower-case hexadecimal", "design",
        "take the record from where it was made";
    STATEMENT_FORM: "STATEMENT-FORM", Refused, "statements are of a known kind and have keyrite's own bytes", "design, threats T36",
        "ask who sent the file; a newer keyrite may know its kind";
}
