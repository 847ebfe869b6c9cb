//! The rules of the `courier` layer.

crate::rules! {
    // --- addresses and who answers there
    SERVER_ADDRESS: "SERVER-ADDRESS", Usage, "a server's address is http or https, a host and a path, or a directory (profile tuf)", "design",
        "write the address as https://notary.example.com";
    PLAIN_HTTP: "PLAIN-HTTP", Refused, "credentials and tokens go over TLS, or stay on this machine", "threats T19",
        "use the server's https:// address, with --ca FILE if its authority is your own";
    CA_FILE: "CA-FILE", Usage, "a private authority's file holds certificates in PEM, and a machine has some without it", "design",
        "name the authority's certificate with --ca FILE, not the server's own";
    SERVER_CERTIFICATE: "SERVER-CERTIFICATE", Device, "the server's certificate is in force, names the server and leads to an authority that is known", "RFC 5280 6",
        "name the authority's certificate with --ca FILE; if it was right before, ask who runs the server";
    SERVER_UNREACHABLE: "SERVER-UNREACHABLE", Device, "the server answers", "design",
        "check the address and the network, then run the same command again";
    SERVER_TIMEOUT: "SERVER-TIMEOUT", Device, "the server answers in time, to the last byte", "design",
        "run the same command again; if it stays, ask who runs the server or the network";
    SERVER_CUT: "SERVER-CUT", Device, "an answer has as many bytes as it said, in the form of HTTP", "RFC 9112 8",
        "run the same command again; if it stays, ask who runs the server or the network";
    SERVER_SIZE: "SERVER-SIZE", Refused, "no answer is larger than its kind may be", "design",
        "do not use this server; ask who runs it";
    SERVER_REDIRECT: "SERVER-REDIRECT", Refused, "a server leads to no other place than its own, and never out of TLS", "RFC 9110 15.4",
        "check the address, and name the place that it leads to if that is right";
    SERVER_STATUS: "SERVER-STATUS", Device, "the server does what it is asked, or says that it has no such file", "RFC 9110 15",
        "read the server's reason; run the same command again later, or ask who runs the server";

    // --- who asks
    CREDENTIALS: "CREDENTIALS", Usage, "credentials are NAME:PASSWORD in a file of its owner's alone, or come from a credential helper", "threats T19",
        "chmod 600 the file with its one line, or name the helper as in docker-credential-NAME";
    SERVER_LOGIN: "SERVER-LOGIN", Refused, "the server lets whoever asks do this", "notary-v1 4",
        "name credentials that may, with --credentials FILE or --credential-helper NAME";
    TOKEN_REALM: "TOKEN-REALM", Refused, "credentials go to the server's own host, or to the token server that somebody named", "notary-v1 4",
        "if the token server is the right one, name it with --realm";

    // --- what is fetched
    FETCH_NOTHING: "FETCH-NOTHING", Refused, "there is something published to fetch", "notary-v1 4",
        "check the collection and the address; before the first upload there is nothing but keys (--keys DIR)";
    FETCH_MIXED: "FETCH-MIXED", Refused, "what a server serves fits together: each file is the one that snapshot and timestamp list", "notary-v1 3",
        "run again in case somebody was publishing; if it stays, no client can use what is served: see the manual, \"To the backend and back\"";
    FETCH_PLACE: "FETCH-PLACE", Refused, "a folder is replaced only where an earlier fetch made it, and never the one that is fetched from", "design",
        "name an empty folder, or one that does not exist yet, with --into";
    BACKEND_KEY: "BACKEND-KEY", Refused, "the backend's keys are fetched once and kept; a root lists the very same", "notary-v1 4",
        "never replace the file by hand: ask who runs the backend which key is right, and why there is another";

    // --- what is handed over
    UPLOAD_NAME: "UPLOAD-NAME", Refused, "each file of an upload holds the document that its name says", "threats T17",
        "write the upload again from the record";
    UPLOAD_UNFIT: "UPLOAD-UNFIT", Refused, "nothing goes up that the backend, or clients of a web server's tree, would refuse over what is served now", "notary-v1 4, TUF 5",
        "fetch and import what is served now; keyrite status then says whether the upload still waits, or withdraw its change and plan again";
    TREE_TRUST: "TREE-TRUST", Refused, "a web server's tree is one trust's, and takes one upload at a time", "design",
        "name this trust's own tree, or an empty directory, with --server; wait for the other push to end";
    UPLOAD_REFUSED: "UPLOAD-REFUSED", Refused, "a backend takes an upload as a whole", "notary-v1 4",
        "fetch and import what is served now; keyrite status then says whether the upload still waits, or withdraw its change and plan again";
    ROLE_TAKEN: "ROLE-TAKEN", Refused, "a version of a role is one document for good", "threats T10",
        "somebody else has published this version: fetch it, import it, and find out who; then withdraw the change and plan again";
    UPLOAD_UNSEEN: "UPLOAD-UNSEEN", Refused, "what is served after an upload is what went up, or what its keys have signed since", "notary-v1 3",
        "keep the folder as it is, and ask who runs the server; clients may get something else";

    // --- a release in one motion
    RELEASE_ADDRESS: "RELEASE-ADDRESS", Refused, "the address of a file that is released answers with the very file", "design",
        "put the file there first, or add --url-later if it comes there before anyone looks";
    RELEASE_OFFLINE: "RELEASE-OFFLINE", Refused, "the offline program does its part of a release", "design",
        "do what its own rule says, in its manual; name the program with --keyrite if it lies elsewhere";
    RELEASE_DIFFERS: "RELEASE-DIFFERS", Refused, "a release stops before anything goes up where something is other than it was looked at", "design",
        "look at what differs: import the folder by hand and read what it says, or ask who writes to the file; then type the line again";

    // --- what a customer's computer accepts
    UPDATE_STATE: "UPDATE-STATE", Refused, "a folder of trusted metadata belongs to the root that was trusted first, and to one update at a time", "TUF 5.2",
        "name another folder with --state for another root; wait for the other update to end";
    WATCH_DUE: "WATCH-DUE", Incomplete, "what customers get is renewed in time: root of profile notary nine months before its end, its certificates twelve, snapshot and timestamp of profile tuf 7 and 2 days, everything else 90 days, or as --renew says", "design",
        "renew it: keyrite status names the runbook, a delegation is its developer's to renew, and snapshot and timestamp those of the machine that makes them";
    WATCH_BLOCKED: "WATCH-BLOCKED", Refused, "root of profile notary has more than six months left: with less, stock clients publish nothing", "notary-v1 6",
        "rotate root now: until then developers who use the stock client can't release";
    TARGET_UNKNOWN: "TARGET-UNKNOWN", Refused, "a target is named by a role that may name it", "TUF 5.6.7",
        "check the name; if it was there before, it was withdrawn, or its developer's key was revoked";
    TARGET_NAME: "TARGET-NAME", Refused, "a target's last part is a plain file name", "threats T17",
        "release it under another name";
    TARGET_ADDRESS: "TARGET-ADDRESS", Refused, "a target is fetched from its own address, or from below one that somebody named", "design",
        "name the address below which targets are with --targets";
    TARGET_BYTES: "TARGET-BYTES", Refused, "a file has the length and the digests that its role says", "TUF 5.7",
        "do not use what that server has; ask whoever released the file, and who runs the server";
    TARGET_THERE: "TARGET-THERE", Refused, "no other file is overwritten", "design",
        "look at the file that is there, then move it, or name another folder with --out";
}
