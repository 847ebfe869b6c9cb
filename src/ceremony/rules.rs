//! The rules of the `ceremony` layer.

crate::rules! {
    NAME: "NAME", Usage, "names of people and keys are legal file names everywhere", "design",
        "choose a short name in lower-case letters";
    DUTY: "DUTY", Usage, "people have one of the three duties", "design",
        "write administrator, custodian or witness";

    // --- frame: runbooks, limits, people
    RUNBOOK: "RUNBOOK", Usage, "runbooks hold the members of their kind and no others", "design",
        "correct the line; the manual lists the kind's members";
    RUNBOOK_DATE: "RUNBOOK-DATE", Usage, "runbooks hold no absolute date", "design",
        "write a term, as \"2 years\"; dates are fixed when the plan is frozen";
    RUNBOOK_DIGEST: "RUNBOOK-DIGEST", Usage, "runbooks hold no digest", "design",
        "name keys and documents as the record does";
    RUNBOOK_PLACE: "RUNBOOK-PLACE", Usage, "runbooks hold no path and no key URI", "design",
        "put where things are into the device map";
    RUNBOOK_SECRET: "RUNBOOK-SECRET", Usage, "runbooks hold no secret", "threats T19",
        "take it out and change it: it stood in a file";
    PEOPLE: "PEOPLE", Usage, "exactly one administrator leads a ceremony", "design",
        "name one administrator in [people]";
    WITNESSES: "WITNESSES", Refused, "as many people watch as the limits demand", "design",
        "name more witnesses in [people]";
    WITNESS_SIGNS: "WITNESS-SIGNS", Refused, "a witness signs no document of the ceremony they witness", "threats T32",
        "let someone else witness, or another key sign";
    HOLDER_THRESHOLD: "HOLDER-THRESHOLD", Refused, "no one holds a threshold of root keys", "threats T32",
        "give the keys to more people, or raise the threshold";
    KEYS_CHANGED: "KEYS-CHANGED", Refused, "no more keys of root change at once than limits allow", "design",
        "change them by several roots; keyrite guide plans which";
    PERSON_EXCLUDED: "PERSON-EXCLUDED", Refused, "nobody whom the limits exclude holds a key of root or targets", "design",
        "choose another holder";
    LIMITS_FORM: "LIMITS-FORM", Usage, "limits files hold known members of known forms", "design",
        "correct the line; FORMAT.md lists the members";
    LIMITS_FLOOR: "LIMITS-FLOOR", Refused, "limits are at least as strict as the built-in floor", "design",
        "tighten the member that is named";
    LIMITS_REHEARSED: "LIMITS-REHEARSED", Refused, "an adopted trust demands no rehearsal, since no shadow has its first roots and keys", "design",
        "leave `rehearsed` out of these limits";

    DOCUMENT_OVERTAKEN: "DOCUMENT-OVERTAKEN", Warned, "a sealed document that never went up stays listed where another of its version was published", "design",
        "ask who signed the one that clients have; if none of you published it, keyrite guide lost-or-stolen";

    // --- frame: changes
    // Used by the record layer as well: these names are declared here alone.
    RECORD_FORMAT: "RECORD-FORMAT", Refused, "files of the record say a format that this keyrite knows", "design",
        "use the keyrite that wrote the file, or a newer one";
    RECORD_MEMBER: "RECORD-MEMBER", Refused, "files of the record hold the members that FORMAT.md lists, in canonical form", "design",
        "ask who sent the file; do not repair it by hand";
    CHANGE_RUNBOOK: "CHANGE-RUNBOOK", Refused, "a change comes with the very runbook that it names", "design",
        "ask for the whole folder of the change again";
    CHANGE_PAYLOAD: "CHANGE-PAYLOAD", Refused, "a change's payloads are the very bytes that it lists", "threats T1",
        "sign nothing; ask for the whole folder of the change again";
    BASE_MOVED: "BASE-MOVED", Refused, "a change is sealed against exactly the documents, limits and key files that it starts from", "threats T10",
        "plan the runbook again on the newest record";
    SIGN_BY: "SIGN-BY", Refused, "nobody signs a change after its last day", "threats T10",
        "plan the runbook again";
    CHANGE_WITHDRAWN: "CHANGE-WITHDRAWN", Refused, "a withdrawn change is not signed any more", "design",
        "ask the administrator for the change that replaces it";
    CHANGE_WAITS: "CHANGE-WAITS", Incomplete, "a change that rests on another waits until that one is sealed", "design",
        "gather the signatures of the other change first";
    CHANGE_ROLE: "CHANGE-ROLE", Refused, "every document of a change has a delegator that lists its role", "TUF 5.6.7",
        "ask who planned the change; sign nothing";
    PURPOSE: "PURPOSE", Usage, "keys have one of the six purposes", "design",
        "write root, targets, delegation, snapshot, timestamp or witness";
    STAGE: "STAGE", Refused, "a trust is for production or for rehearsal", "design",
        "take the record from where it was made";

    REHEARSAL_MISSING: "REHEARSAL-MISSING", Refused, "a runbook is rehearsed first where limits demand it", "design",
        "sign nothing; keyrite plan and keyrite run hold the rehearsal first and plan the runbook again";

    MESSAGE_LIMIT: "MESSAGE-LIMIT", Refused, "enough tokens take a message as long as the one that they sign", "RFC 8032, tokens 0.1",
        "replace such a key by one of ECDSA P-256, whose token is given a digest whatever the length";

    // --- the client gate
    CLIENT_LOST: "CLIENT-LOST", Refused, "clients of every root in the field come to the newest state", "TUF 5.3, notary-v1 5, 6",
        "see which root stops them; let keys of older roots sign too, choose keys that these clients read, or give the oldest roots up with set-limits (oldest-root)";
    CLIENT_ROTATIONS: "CLIENT-ROTATIONS", Refused, "clients take as many new roots in one update as lie before them", "TUF 5.3.3, tuf/client/known.rs",
        "ship a newer root with the program, and give the oldest roots up with set-limits (oldest-root)";
    CLIENT_CHILD: "CLIENT-CHILD", Refused, "documents that a change leaves alone still verify under what it makes", "notary-v1 4.2",
        "sign the document again in the same change";
    CLIENT_BACKEND: "CLIENT-BACKEND", Refused, "the backend takes the change", "notary-v1 4.2",
        "look at the backend's answer; fetch what it serves and import it, then plan again";
    CLIENT_DEADLINE: "CLIENT-DEADLINE", Refused, "root and enough of its certificates are valid for more than 6 months", "notary-v1 5, 6",
        "choose a longer valid-for, or renew certificates first with certify-key";

    // --- codes
    QR_TEXT: "QR-TEXT", Refused, "a code holds a text of a form that keyrite reads", "BCR-2020-005, design",
        "show the camera the code that keyrite drew, and nothing else";
    QR_VERSION: "QR-VERSION", Refused, "a code's form is one that this keyrite knows", "design",
        "read it with the keyrite that both sides have agreed on";
    QR_CHECK: "QR-CHECK", Refused, "check digits fit what they stand beside", "BCR-2020-012, design",
        "read the code again; if a scanner types it, set the scanner to the keyboard that this machine has";
    QR_KIND: "QR-KIND", Refused, "codes are of the kinds that keyrite makes", "threats T29",
        "ask whoever showed it what it is; take nothing in";
    QR_SIZE: "QR-SIZE", Refused, "codes, frames and what they carry keep their limits", "threats T29",
        "send fewer files with --besides, a copy of what the other side has, or use a medium";
    QR_MIXED: "QR-MIXED", Refused, "the frames of one reading are of one message", "threats T29",
        "begin again with frames of one message alone";
    QR_MISSING: "QR-MISSING", Incomplete, "there are enough frames for the message", "BCR-2020-005",
        "read the frames that are missing, or any that come after them";
    QR_FILES: "QR-FILES", Refused, "what frames carry is a list of a record's files", "threats T29",
        "ask whoever showed it what it is; take nothing in";

    // --- frame: transcripts and answers
    CEREMONY_ID: "CEREMONY-ID", Refused, "a ceremony's id is 128 bits in lower-case hexadecimal", "design",
        "take the transcript from where it was made";
    TRANSCRIPT_BROKEN: "TRANSCRIPT-BROKEN", Refused, "every entry of a transcript names the one before", "threats T33",
        "compare with another copy of the record and with the witnesses' papers";
    LOG_CHAIN: "LOG-CHAIN", Refused, "a token's log continues the last entry on record, and nothing is missing", "threats T24",
        "bring in the transcripts of the session in which the token was used last; if there is none, someone else used it or read its log: find out who. Its keys are replaced by keyrite guide, or come back on another token by restore, and retire-key resets it";
    LOG_SIGNATURES: "LOG-SIGNATURES", Refused, "a token made the signatures that are on record and no other", "threats T2",
        "treat the keys on the token as given up: nobody knows what else they signed. Replace them by keyrite guide, then retire them, which resets it";
    CLOCK: "CLOCK", Refused, "time does not run backwards from one entry to the next", "threats T11",
        "set the clock right, or type today's date";
    SIDECAR: "SIDECAR", Refused, "private values are the ones that the transcript commits to", "threats T34",
        "take the sidecar from the copy where the ceremony was held";
    ANSWERS: "ANSWERS", Usage, "answers files hold one text for each step", "design",
        "write the file anew with plan --write-answers";
    ANSWER_MISSING: "ANSWER-MISSING", Usage, "every prompt has its answer in the file", "design",
        "add the answer; plan --write-answers lists every prompt";
    ANSWER_WRONG: "ANSWER-WRONG", Usage, "answers are among those that the prompt allows", "design",
        "correct the answer; a change is agreed to by its full digest alone";
    ANSWER_UNUSED: "ANSWER-UNUSED", Usage, "every answer belongs to a prompt", "design",
        "take the answer out, or correct the step's name";

    // --- shares
    WRAP_KEY_SET: "WRAP-KEY-SET", Refused, "a runbook names a wrap key's shares by their manifest, which a transcript has", "threats T25",
        "write shares = with the 16 digits that were shown when the cards were dealt out (keyrite show of the manifest's file has it), or import the copy of the record that has the transcript";
    WRAP_KEY_TAKEN: "WRAP-KEY-TAKEN", Refused, "a wrap key is dealt out again only by people who know of every set before", "threats T25",
        "to use the wrap key that is on the cards, write shares = with 16 digits of its manifest, and neither needed, holders nor title; to deal out a new one of this name, or where nobody has the cards, write instead-of = with all the digits";
    COPY_MISSING: "COPY-MISSING", Refused, "a runbook names the copy of a key that is restored, which a transcript has", "threats T25",
        "write copy = with the 16 digits that its `back-up` showed (keyrite show of the copy's file has it), or import the copy of the record that has the transcript";
    SHARE_MANIFEST: "SHARE-MANIFEST", Refused, "a share manifest says numbers that fit each other", "design, threats T25",
        "ask the administrator for the manifest again; do not repair it by hand";
    SHARE_HOLDERS: "SHARE-HOLDERS", Refused, "no one holds as many shares as bring the secret back", "threats T32",
        "give the cards to more people, or make more of them needed";
    SHARE_FOREIGN: "SHARE-FOREIGN", Refused, "a card is of the set that is asked for", "threats T25",
        "look on the cards for the set's name, and bring the one of this set";
    SHARE_COMMITMENT: "SHARE-COMMITMENT", Refused, "a card has the words and the salt that its manifest was made of", "threats T25",
        "type the salt of this very card; if it stays so, the card is not the one that was dealt: keep it, and tell the administrator";
    SHARE_HOLDER: "SHARE-HOLDER", Refused, "each custodian has their own card", "threats T25",
        "find out who has whose card, and swap them back before witnesses";
    SHARE_CHOICES: "SHARE-CHOICES", Refused, "every choice of enough shares has given the secret before a card is shown", "threats T25",
        "show no card; begin again";
    SHARE_TURN: "SHARE-TURN", Refused, "a card is typed back before the next is shown and before the secret is used", "threats T25",
        "have the card that is named typed back";
    SHARE_GIVEN: "SHARE-GIVEN", Refused, "each card comes once, and as many as are needed", "threats T25, T26",
        "bring the card of somebody else whom the manifest lists";
    SHARE_CHECK: "SHARE-CHECK", Refused, "a secret that was brought back is the one that was split", "threats T25",
        "use it for nothing: cards and manifest are of two makings; look for the right manifest";
}
