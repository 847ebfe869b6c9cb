//! The rules of the `cli` layer.

crate::rules! {
    USAGE: "USAGE", Usage, "commands and options are those that keyrite has", "design",
        "read keyrite --help, or keyrite help COMMAND";
    RANDOM: "RANDOM", Device, "the operating system gives random bytes", "threats T28",
        "do not go on with this machine";
    COPIES_FOLDER: "COPIES-FOLDER", Usage, "the device map says where copies of keys lie, and the folder is there before the session begins", "design",
        "add [copies] with folder = to the device map: a folder on a medium that is kept apart; mount the medium and make the folder, then run again";
    CARDS_FOLDER: "CARDS-FOLDER", Usage, "pages of share cards are only ever in memory, in a folder of one's own", "threats T25",
        "name such a folder under [cards], by mkdir -m 700 /dev/shm/cards, and switch swap off; without [cards] cards are copied from the screen";
    COPY_FILE: "COPY-FILE", Refused, "a copy of a key is the file that the transcript of its back-up names", "threats T25",
        "bring the medium with the copies of this trust, and name its folder in the device map";
    TOOL_PROOF: "TOOL-PROOF", Refused, "a wrap key from another tool's shares counts once it has opened a copy", "threats T25",
        "compare each share with its paper, look that all are of one set and that the copy is under this wrap key; bring more shares than are needed, with brought = in the runbook, and those that don't fit are named";
    TEXT_FILE: "TEXT-FILE", Usage, "runbooks, answers and device maps are text in UTF-8", "design",
        "save the file as UTF-8";
    FILE_EXISTS: "FILE-EXISTS", Refused, "no file that is there is ever overwritten", "design",
        "choose another name, or move the file away";
    FILE_WRITE: "FILE-WRITE", Device, "files can be written and read back as written", "threats T20",
        "check the disk's space and rights, then run again";

    IMPORT_EMPTY: "IMPORT-EMPTY", Refused, "the folder to import holds something of a record", "design",
        "name the folder that has trust.json, or ask who prepared the medium";
    SHOW_UNKNOWN: "SHOW-UNKNOWN", Usage, "the file to show is of a kind that keyrite knows", "design",
        "show a document, change, key, statement, limits, transcript or MANIFEST file";
    SHOW_AGAINST: "SHOW-AGAINST", Usage, "two documents of one role, or two limits files, are compared", "design",
        "name two versions of one document";

    // --- the device map
    DEVICES: "DEVICES", Usage, "device maps hold known members of known forms", "design",
        "correct the line, or write the map again with keyrite tokens write";
    DEVICES_ELSEWHERE: "DEVICES-ELSEWHERE", Refused, "a device map that nobody named was written on this very machine, where it lies", "machine-id(5)",
        "name the map with --devices FILE if it is your own; whoever prepared a medium must not choose it for you";
    TRUST_OTHER: "TRUST-OTHER", Refused, "one's keys are opened only for the trust that the device map names", "design",
        "use the device map that belongs to this record";
    PIN_FILE: "PIN-FILE", Device, "a PIN's file is its owner's alone", "threats T19",
        "chmod 600 the file, or let a person type the PIN: pin = \"tty\"";

    // --- init
    INIT: "INIT", Usage, "answers make a trust that can be used", "design",
        "answer the question again";

    // --- tokens
    MODULE_NONE: "MODULE-NONE", Usage, "tokens are looked for behind a PKCS#11 module", "PKCS#11 2.40 2.1",
        "name the module with --module, or write a device map";

    // --- holding ceremonies
    KEY_ELSEWHERE: "KEY-ELSEWHERE", Refused, "a key is used where its token is", "design",
        "hand what waits to the key's holder: keyrite export DIR --for NAME";
    TOKEN_OTHER: "TOKEN-OTHER", Device, "a key is used on the token where the record has it", "threats T22",
        "insert the token that the record names";
    EXTERNAL_KEY: "EXTERNAL-KEY", Refused, "a key in a vault comes in by its public half, of the kind that the runbook asks for", "design",
        "fetch the public key from the vault once more, and name its file with --public";
    CONFINEMENT: "CONFINEMENT", Refused, "where limits demand it, a session gives up all that it can before a PIN is asked for", "threats T19",
        "keyrite preflight tells what is missing: for memory, sudo prlimit --memlock=unlimited --pid $$ in the shell that starts keyrite, or sudo swapoff -a; for the rest, a newer kernel";
    CONNECTION: "CONNECTION", Refused, "a module connects to this machine alone, or to an address that the limits in force allow", "threats T19",
        "take connects-to out of the device map; or have the limits allow it: connections under [ceremony], signed by the root keys";
    NETWORK_UP: "NETWORK-UP", Refused, "root is signed, its keys are made, and keys leave and enter tokens, where no network interface is up; so is all else where limits demand it", "threats T19",
        "set the interfaces down, as by: sudo ip link set NAME down; then run the same command again";
    STEP_UNKNOWN: "STEP-UNKNOWN", Refused, "every step is one that this keyrite performs", "design",
        "use the keyrite that planned the change, or a newer one";
    RUNBOOK_MISSING: "RUNBOOK-MISSING", Usage, "there is a runbook to hold", "design",
        "name a runbook, or a folder that holds some";
    RUNBOOK_TWO: "RUNBOOK-TWO", Refused, "a line that names a change by its first digits means one change", "threats T1",
        "name the runbook by the whole digest of its change, as keyrite status or the last session showed it, and put the other folder away";
    CHANGE_RECOMPUTED: "CHANGE-RECOMPUTED", Refused, "whoever signs gets the very same change from the runbook and their own record", "threats T1",
        "sign nothing; compare your copy of the record with the administrator's";
    ANCHOR_FORM: "ANCHOR-FORM", Usage, "an anchor is a root's version and payload digest", "design",
        "copy both from the paper of the last ceremony";
    PROFILE_ONLINE: "PROFILE-ONLINE", Refused, "snapshot and timestamp are made here in profile tuf alone", "design",
        "upload the documents; the Notary backend makes both";
    KEY_ONLINE: "KEY-ONLINE", Refused, "snapshot and timestamp are signed by the keys that limits and root name for them", "design",
        "name the keys in [online] of the limits and put them into the device map";
    SNAPSHOT_LOSES: "SNAPSHOT-LOSES", Refused, "a snapshot lists all that the one before listed", "TUF 5.5.5",
        "import the documents that are missing, then run again";
    REHEARSAL_STUCK: "REHEARSAL-STUCK", Refused, "a rehearsal carries its runbooks out to the end", "design",
        "correct the runbook; the real ceremony would stop at the same place";

    QR_UNKNOWN: "QR-UNKNOWN", Refused, "a code is about what this record has", "design",
        "take in the change, or the key's file, first: by codes or by a medium";

    // --- guide
    GUIDE: "GUIDE", Usage, "a guide's answers fit its questions and the record", "design",
        "answer again; status shows the record's keys and people";
}
