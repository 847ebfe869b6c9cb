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
        "sign again, with the very key that is asked for; if it fails again, stop and take its token, vault or key file out of use";
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
    // --- documents
    DOCUMENT_FORM: "DOCUMENT-FORM", Refused, "documents have the members of the specification", "TUF 4.2 to 4.6, notary-v1 3",
        "ask who made the file for it again; do not repair it by hand";
    DOCUMENT_TYPE: "DOCUMENT-TYPE", Refused, "a document is of the type that its role asks for", "TUF 4.2",
        "check that the file is the one for this role and this profile";
    SPEC_VERSION: "SPEC-VERSION", Refused, "documents of profile tuf follow version 1 of the specification", "TUF 4.2",
        "use a newer keyrite for documents of a later specification";
    PAYLOAD_FORM: "PAYLOAD-FORM", Refused, "what is signed is canonical and as keyrite makes it", "design, threats T1",
        "do not sign; ask who made the change";
    SEAL: "SEAL", Refused, "a sealed file holds signatures over its payload, by keys that documents list", "design",
        "gather the signatures for this very change";
    NOTARY_BYTES: "NOTARY-BYTES", Refused, "a Notary server writes an uploaded file again byte for byte", "notary-v1 3.6",
        "do not upload: no client could read the collection any more";
    CUSTOM_NOTARY: "CUSTOM-NOTARY", Refused, "custom data of targets survives the stock Notary client", "notary-v1 3.6",
        "leave <, >, &, \\, quotation marks and line separators out; publish the file at an address without a query, such as a public path that leads on to the signed address, and name that one";
    NUMBER: "NUMBER", Refused, "integers in documents lie within 2^53, versions from 1", "notary-v1 3.6, RFC 8259 6",
        "correct the number";
    PATHS: "PATHS", Refused, "delegated paths and target paths read the same in every client", "TUF 4.5, threats T12, T15",
        "write the path with letters, digits, - _ . and / only";
    EDIT: "EDIT", Refused, "what is removed from a document is there, and what is added fits", "design",
        "look at the newest document and correct the runbook";
    // --- keys and thresholds
    KEY_ID: "KEY-ID", Refused, "key ids in documents that keyrite makes are computed from the key", "TUF 4.2, threats T8",
        "do not sign; ask who made the document";
    KEY_DUPLICATE: "KEY-DUPLICATE", Refused, "a role lists each public key once, whatever its ids and certificates", "threats T7",
        "use another key for one of the two";
    KEY_TWO_ROLES: "KEY-TWO-ROLES", Refused, "keys of root and of backend roles serve one role alone", "design",
        "make or enroll another key for one of the two roles";
    KEY_PROFILE: "KEY-PROFILE", Refused, "keys are of a kind that the profile's clients accept in that role", "notary-v1 3.5, 5",
        "use another kind of key, or generate-key for a root key with its certificate";
    THRESHOLD_RANGE: "THRESHOLD-RANGE", Refused, "thresholds lie between 1 and the role's distinct keys", "TUF 4.3, threats T7",
        "correct the threshold, or add keys";
    ROOT_THRESHOLD_OLD: "ROOT-THRESHOLD-OLD", Refused, "enough keys of the root before have signed a new root", "TUF 5.3.4",
        "call the custodians of the root before";
    ROOT_THRESHOLD_NEW: "ROOT-THRESHOLD-NEW", Refused, "enough of a root's own keys have signed it", "TUF 5.3.4",
        "call the custodians that the new root lists";
    ROOT_VERSION: "ROOT-VERSION", Refused, "a root's version is that of the root before plus one", "TUF 5.3.5, threats T10",
        "start again from the newest root";
    ROLE_UNDECLARED: "ROLE-UNDECLARED", Refused, "a document's role is listed by its delegator", "TUF 5.6.7",
        "grant the delegation first";
    ROLE_THRESHOLD: "ROLE-THRESHOLD", Refused, "enough of the keys that the delegator lists have signed", "TUF 5.4.2, 5.5.3, 5.6.3",
        "gather the missing signatures, or check which root or delegation is in force";
    EXPIRED: "EXPIRED", Refused, "a document is valid at the given time", "TUF 5.3.10, 5.4.4, 5.5.6, 5.6.5",
        "check the clock; if it is right, renew the document";
    ANCHOR: "ANCHOR", Refused, "the chain of roots holds the root that a person knows", "design, threats T3",
        "compare the digest on paper; bring the record up to date, or take it for forged";
    // --- clients
    ROLLBACK: "ROLLBACK", Refused, "a client never goes back to an older version", "TUF 5.4.3, 5.5.5, notary-v1 6",
        "look at what the backend serves; someone replays old documents, or a copy was restored";
    FREEZE: "FREEZE", Refused, "snapshot and timestamp are renewed in time", "TUF 5.4.4, 5.5.6",
        "check the clock; if it is right, see why the backend has stopped signing";
    SNAPSHOT_HASH: "SNAPSHOT-HASH", Refused, "a file has the length and digest that snapshot or timestamp list", "TUF 5.5.2, 5.6.2, notary-v1 3.6",
        "fetch again; if it stays, the backend serves other bytes than it listed";
    META_MISMATCH: "META-MISMATCH", Refused, "a document has the version that snapshot or timestamp list", "TUF 5.5.4, 5.6.4",
        "fetch again; if it stays, the backend mixes documents of different times";
    SIZE_CAP: "SIZE-CAP", Refused, "a file is no larger than clients take", "TUF 5.1, threats T14",
        "look at what the backend serves; a document of this size would reach no client";
    FILE_MISSING: "FILE-MISSING", Refused, "the repository has every file that its documents list", "TUF 5.4.1, 5.5.1, 5.6.1",
        "upload the whole change again, or wait until the backend has it";
    SEARCH_LIMIT: "SEARCH-LIMIT", Refused, "a client reaches what it looks for within its limits", "TUF 5.3.3, 5.6.7.1",
        "delegate to the target more directly, or update more than once";
    CLIENT_STATE: "CLIENT-STATE", Refused, "a client begins from what an earlier update left and goes on in order", "TUF 5.2",
        "begin from the root that came with the program";
    CLIENT_FORM: "CLIENT-FORM", Refused, "a root is of a form that the clients in use can read", "tuf/client/known.rs",
        "use another kind of key, or see which clients the limits name";
    CERTIFICATE_EXPIRED: "CERTIFICATE-EXPIRED", Refused, "enough signers of a root have certificates that are valid now", "notary-v1 5",
        "rotate root to renewed certificates while the old ones are valid; afterwards clients must begin anew";
    PINNED: "PINNED", Refused, "on first contact enough signers of a root are pinned", "notary-v1 6",
        "publish the ids of the new root's certificates to fresh clients";
}
