//! The rules of the `record` layer.

crate::rules! {
    ADOPT_NOTHING: "ADOPT-NOTHING", Refused, "what is adopted has a root", "design",
        "name the directory with the repository's metadata, every N.root.json in it";
    RECORD_NAME: "RECORD-NAME", Refused, "files of the record have the names that FORMAT.md gives them", "design, threats T15",
        "ask who sent the file; take it from another copy of the record";
    RECORD_TORN: "RECORD-TORN", Refused, "files of the record have the content that name, folder, change or MANIFEST says", "design, threats T20",
        "run the same command again, which writes it anew, or import it from another copy of the record";
    RECORD_CONFLICT: "RECORD-CONFLICT", Refused, "no two files of the record stand for one name, version or sequence", "design",
        "merge the copies, file by file (cp -rn OTHER/. RECORD); keyrite status then names both sides, and a ceremony of the kind decide or withdraw ends it";
    RECORD_BUSY: "RECORD-BUSY", Refused, "one program at a time writes into a copy of the record", "design",
        "wait until the other keyrite has ended, then run again";
    RECORD_MISSING: "RECORD-MISSING", Usage, "the directory is a record", "design",
        "go to the record's directory or name it with -C, or make one with keyrite init";
    RECORD_OTHER: "RECORD-OTHER", Refused, "files that come in belong to this record's trust", "design",
        "take them into the record that they belong to";
    RECORD_WRITE: "RECORD-WRITE", Device, "the record can be written to and reads back as written", "design, threats T20",
        "check the disk's space and rights, then run again";
    RECORD_REST: "RECORD-REST", Refused, "everything that a file of the record rests on is in the record", "design",
        "import the rest from another copy of the record";
    MEDIA_KIND: "MEDIA-KIND", Refused, "only regular files are read: no link, pipe, device or directory in a file's place", "threats T16",
        "do not use this medium; ask who prepared it";
    MEDIA_SIZE: "MEDIA-SIZE", Refused, "files, and how many there are, stay under FORMAT.md's caps", "threats T16",
        "do not use this medium; ask who prepared it";
    MEDIA_CHANGED: "MEDIA-CHANGED", Device, "a file does not change while it is read", "threats T16",
        "take the medium out and in, check it, then run again";
    MEDIA_READ: "MEDIA-READ", Device, "files can be read", "threats T20",
        "check the medium and its rights, then run again";
    MANIFEST_FORM: "MANIFEST-FORM", Refused, "a MANIFEST has one line a file, sorted, as FORMAT.md says", "threats T17",
        "write the upload again from the record";
    MANIFEST_PATH: "MANIFEST-PATH", Refused, "a MANIFEST names plain files beside it and nothing else", "threats T15, T17",
        "do not use this upload; write it again from the record";
    MANIFEST_MISMATCH: "MANIFEST-MISMATCH", Refused, "the files beside a MANIFEST are exactly those that it lists", "threats T17, T18",
        "write the upload again from the record";
    STALE_RECORD: "STALE-RECORD", Refused, "the record is as new as what people and the backend have seen", "design",
        "keyrite import DIR with the newest copy of the record, or with the backend's documents";
    TRUST_UNBOUND: "TRUST-UNBOUND", Refused, "a threshold of the newest root has signed limits for this very trust and chain", "design",
        "after adopt, hold set-limits or rotate-root; else import the newest copy of the record, and if it stays, this record is not yours";
    COLLECTION: "COLLECTION", Usage, "a collection has a plain name, and a rehearsal's one of its own", "design",
        "choose a name as updates.example.com/apps";
    RECEIPT: "RECEIPT", Refused, "receipts say what a backend answered, in FORMAT.md's words", "design",
        "note the backend's answer again";
    LIMITS_UNSIGNED: "LIMITS-UNSIGNED", Refused, "limits are in force only when a threshold of the newest root signed them", "design",
        "hold a ceremony that signs the limits, or take the file out";
    KEY_POSSESSION: "KEY-POSSESSION", Refused, "a key's record is proved by the key itself, for this name and holder", "threats T3",
        "do not use the key; have its holder enrol it again";
    KEY_UNWITNESSED: "KEY-UNWITNESSED", Refused, "a key's record stands in an unbroken transcript", "threats T3",
        "finish the ceremony that makes the key, or import its transcript";
    PLANTED: "PLANTED", Refused, "a statement counts only when those signed it who may", "design",
        "nothing to do: it is shown and does not act; ask where the file came from";
    ROLE_FORK: "ROLE-FORK", Refused, "a key signs one payload for each version of a role", "design",
        "hold a ceremony of the kind withdraw for the other change, then sign again";
    LOOSE_DOCUMENT: "LOOSE-DOCUMENT", Warned, "documents that were withdrawn fully signed stay listed for good", "design",
        "publish the next version soon; clients that have it take this one no more";
    UPLOAD_STAGE: "UPLOAD-STAGE", Refused, "a rehearsal's documents go to loopback only", "design",
        "name a backend on 127.0.0.1, ::1 or localhost";
    UPLOAD_SERVER: "UPLOAD-SERVER", Usage, "a backend's address is http or https, a host and a path", "design",
        "write the address as https://notary.example.com";
    IMPORT_KIND: "IMPORT-KIND", Refused, "import takes what the record is made of and what backends publish", "threats T18",
        "leave the file where it is; keys come in by a ceremony, backups by restore";
}
