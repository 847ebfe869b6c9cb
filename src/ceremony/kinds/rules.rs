//! The rules of the ceremonies themselves.

crate::rules! {
    CEREMONY_UNKNOWN: "CEREMONY-UNKNOWN", Usage, "runbooks name a ceremony that this keyrite holds", "design",
        "correct the word after ceremony =";
    KEY_UNKNOWN: "KEY-UNKNOWN", Refused, "the keys that a runbook names are in the record", "design",
        "make or enroll the key first, or correct its name";
    KEY_PURPOSE: "KEY-PURPOSE", Refused, "a key serves what it was made for", "design",
        "make a key for this purpose";
    KEY_GONE: "KEY-GONE", Refused, "a key that is lost, compromised or destroyed enters no document", "design",
        "choose another key";
    DECLARED_CEASES: "DECLARED-CEASES", Refused, "a developer's key that targets keys have declared lost or stolen doesn't act again because those leave", "design",
        "write [declared] into the runbook, with lost and compromised: name the keys for which it is true, and root says it from then on; whoever stole a targets key may have said it of others";
    TARGETS_AS_IN: "TARGETS-AS-IN", Refused, "targets goes on from its newest content, or from that of one that a change here made, before something that none made", "design",
        "write that version after as-in =, or leave as-in out and take out what must not stay by without-paths and revoke-delegation";
    KEY_NAME_TAKEN: "KEY-NAME-TAKEN", Refused, "every key has a name of its own, once and for all", "design",
        "choose another name in the runbook";
    KEY_SOFTWARE: "KEY-SOFTWARE", Refused, "production puts no key of a file or a vault into a new root, and elsewhere only where limits allow it", "design",
        "make the key on a token";
    KEY_NOTARY_ROOT: "KEY-NOTARY-ROOT", Refused, "root keys of profile notary are ECDSA or RSA keys with a certificate", "notary-v1 5",
        "make the key with generate-key as p256";
    WRAP_KEY_OTHER: "WRAP-KEY-OTHER", Refused, "a key leaves its token only under the wrap key that it was made for", "threats T25",
        "name that wrap key, or make another key with wrap-key = in a generate-key runbook";
    RESTORE_TOKEN: "RESTORE-TOKEN", Refused, "a key is restored that the record has on the token that was lost", "threats T22",
        "write as lost-token the serial number that `keyrite show` has of the key's token";
    EXPIRY_LIMIT: "EXPIRY-LIMIT", Refused, "documents live no longer than limits allow", "design, threats T11",
        "shorten valid-for in the runbook";
    EXPIRY_PAST: "EXPIRY-PAST", Refused, "a document is still valid on the day it is made", "TUF 5.3.10, threats T11",
        "check today's date, then plan the runbook again";
    ENROLMENT_MISSING: "ENROLMENT-MISSING", Usage, "the file of each key to enroll is at hand", "design",
        "put the file where [enrol] in the device map says, or name it there";
    ENROLMENT_HOLDER: "ENROLMENT-HOLDER", Refused, "an enrolment comes from the holder whom the runbook names", "threats T3",
        "ask the holder; do not take the key in for someone else";
    POSSESSION: "POSSESSION", Refused, "a key's holder has shown that they have it", "threats T3",
        "have the holder make the enrolment with keyrite developer new";
    ROOT_EXISTS: "ROOT-EXISTS", Refused, "a trust has one first root", "TUF 5.3",
        "rotate the root that is there, or make another record";
    ROOT_MISSING: "ROOT-MISSING", Refused, "a root is changed once there is one", "TUF 5.3",
        "hold the first day first, or import the record";
    KEY_LISTED: "KEY-LISTED", Refused, "a key that a runbook puts into a role is new to it", "design",
        "take the key out of add in the runbook";
    KEY_NOT_LISTED: "KEY-NOT-LISTED", Refused, "a key that a runbook takes out of a role is listed there", "design",
        "take the key out of the runbook, or import the newest record";
    QUORUM_LOST: "QUORUM-LOST", Refused, "a root is reached without the keys that are lost or compromised", "TUF 5.3.4",
        "find a key that is thought lost, or begin a new trust that clients are told of by other means";
    RECOVER_NO_WAY: "RECOVER-NO-WAY", Refused, "some way leads from the root that is there to one without the keys that are gone", "design",
        "keyrite guide says what remains";
    CERTIFICATE_ENDS: "CERTIFICATE-ENDS", Refused, "certificates of root keys outlive the root that lists them", "notary-v1 5",
        "renew the certificates with certify-key, or shorten valid-for";
    KEY_STILL_LISTED: "KEY-STILL-LISTED", Refused, "a key is destroyed once no document lists it", "design",
        "take it out of its role first, and publish that";
    THRESHOLD_FLOOR: "THRESHOLD-FLOOR", Refused, "thresholds are no lower than limits say", "design",
        "raise the threshold in the runbook";
    SPARE_KEYS: "SPARE-KEYS", Refused, "root lists as many keys beyond the threshold as limits say", "threats T7",
        "add a key to the root, so that one loss is no disaster";
    DELEGATOR_MISSING: "DELEGATOR-MISSING", Refused, "the document that grants is in the record", "TUF 4.5",
        "hold create-root first, or import it from the backend: an application's own is there once its developer has published";
    DELEGATION_EXISTS: "DELEGATION-EXISTS", Refused, "an application is granted once", "TUF 4.5",
        "choose another name, or change the delegation that is there";
    DELEGATION_PATHS: "DELEGATION-PATHS", Refused, "a delegation covers an application's own folder and no more", "threats T12",
        "write the application's folder as its path";
    DELEGATION_MISSING: "DELEGATION-MISSING", Refused, "what is changed or revoked has been granted", "TUF 4.5",
        "correct the application or track, or import the newest documents from the backend";
    DELEGATION_NO_SPARE: "DELEGATION-NO-SPARE", Warned, "a delegation has a key beyond its threshold", "design",
        "add a spare key of the administrators' with a [more] runbook, so that one loss stops no release";
    DELEGATION_SAME: "DELEGATION-SAME", Refused, "a runbook that changes a delegation asks for something new", "design",
        "name keys or paths that the delegation doesn't have yet, or another threshold";
    BELOW_THRESHOLD: "BELOW-THRESHOLD", Refused, "no delegation is left with fewer keys than its threshold", "TUF 4.5",
        "name other keys in replace-with, or say below-threshold = lower or remove; where a stolen targets key declared keys that are safe, put another in its place first, alone (issue-targets-key)";
    REVOKE_NOTHING: "REVOKE-NOTHING", Refused, "the key or person to be revoked is in the record", "design",
        "correct the name; keyrite status --who lists who may sign what";
    REVOKED_ELSEWHERE: "REVOKED-ELSEWHERE", Refused, "a key that is lost or stolen leaves every delegation at once", "design",
        "leave the application out of the runbook";
    REVOKE_BINS: "REVOKE-BINS", Refused, "a key that goes, goes from everything that clients go by", "TUF 4.5",
        "take it out of the hash bins with the tool that makes them, import what they are then, and hold this again";
    TARGET_MISSING: "TARGET-MISSING", Refused, "what is taken out of a document is in it", "design",
        "correct the path, or import the newest documents from the backend";
    RENEW_SHORT: "RENEW-SHORT", Refused, "what is renewed is not due again at once", "design",
        "lengthen valid-for in the runbook, or shorten within";
    RENEW_NOTHING: "RENEW-NOTHING", Refused, "a renewal that is agreed on renews something", "design",
        "nothing is due; plan it again when something is";
    WITHDRAW_NOTHING: "WITHDRAW-NOTHING", Refused, "what is withdrawn is a signed change of this record", "design",
        "write the title as keyrite status shows it, or import the copy that has the change";
    WITHDRAW_WHICH: "WITHDRAW-WHICH", Refused, "a withdrawal means one change and no other", "design",
        "say which = \"first\", \"last\" or 16 digits of the change's digest in the runbook";
    WITHDRAW_LATE: "WITHDRAW-LATE", Refused, "nothing is withdrawn that clients have, or that a newer root rests on", "design",
        "make the next version instead, by the ceremony that fits";
    DECIDE_NOTHING: "DECIDE-NOTHING", Refused, "nobody decides between files that they haven't got", "design",
        "merge the copies, file by file (cp -rn OTHER/. RECORD), and write what keyrite status names";
    DECIDE_WHICH: "DECIDE-WHICH", Refused, "a decision means one file and no other", "design",
        "write a line that one side alone says, or 16 digits of its digest, as keyrite status shows them";
    ROOT_PUBLISH: "ROOT-PUBLISH", Refused, "root of profile notary is renewed before stock clients stop publishing, six months before its end", "notary-v1 6",
        "renew root first, or together with the rest";
    RELEASE_NOTHING: "RELEASE-NOTHING", Usage, "a release names files, takes files back, or signs again what ends", "design",
        "name the files, or --withdraw NAME, or --renew";
    RELEASE_NAME: "RELEASE-NAME", Refused, "a released file's name is one that its delegation covers and every system takes", "TUF 4.5, threats T12, T15",
        "rename the file, or say the whole name with --name; keyrite status --who shows the paths";
    RELEASE_HIDDEN: "RELEASE-HIDDEN", Refused, "clients that look for a released file come to the document that names it", "TUF 5.6.7",
        "choose another name, or ask the update-service administrator which delegation stands before it";
    RELEASE_URL: "RELEASE-URL", Refused, "a released file has an address that every client reads alike", "notary-v1 3.6",
        "give the file's own address with --url, or its folder's, with a slash at the end";
    RELEASE_KEYS: "RELEASE-KEYS", Refused, "a release asks as many keys as its delegation wants, and no others", "TUF 4.5",
        "put a key of the delegation into the device map; keyrite status --who lists them";
}
