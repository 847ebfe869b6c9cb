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
    STATEMENT_KIND: "STATEMENT-KIND", Refused, "statements are of a kind that this keyrite knows", "design",
        "use a newer keyrite; the statement is kept and shown and never acts";
    // --- signatures and certificates
    SIGNATURE_WRONG: "SIGNATURE-WRONG", Refused, "a signature verifies, by two implementations where there are two", "design, threats T37",
        "sign again; if it fails again, stop and take the token out of use";
    SIGNATURE_FORM: "SIGNATURE-FORM", Refused, "a signature is well-formed for its key's kind", "RFC 3279 2.2.3, RFC 8032, RFC 8017",
        "export the signature again, raw or DER";
    CERTIFICATE_FORM: "CERTIFICATE-FORM", Refused, "certificates are X.509 in PEM", "RFC 5280 4.1, notary-v1 5",
        "ask for the certificate again";
    CERTIFICATE_KEY: "CERTIFICATE-KEY", Refused, "root keys of profile notary are ECDSA or RSA", "notary-v1 5",
        "make the root key as p256";
    CERTIFICATE_NAME: "CERTIFICATE-NAME", Refused, "a root certificate names the collection", "notary-v1 5",
        "correct the collection's name";
    CERTIFICATE_TERM: "CERTIFICATE-TERM", Refused, "a certificate ends after it begins", "notary-v1 5",
        "correct the date or the term";
}
