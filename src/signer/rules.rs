//! The rules of the `signer` layer.

crate::rules! {
    // --- key URIs
    URI_FORM: "URI-FORM", Usage, "key URIs are pkcs11:, piv:, yubihsm:, file: or external:, with known attributes", "RFC 7512 2.3",
        "have `keyrite tokens --write` write the line, or correct it by the operator's manual";
    URI_PIN: "URI-PIN", Usage, "a key URI holds no PIN and no way to one", "threats T19, RFC 7512 2.4",
        "take the attribute out, change the PIN if it was real, and say where it comes from by `pin =`";
    URI_BACKEND: "URI-BACKEND", Usage, "the backend that a key URI names is part of this build", "design",
        "reach the token through its PKCS#11 module by a pkcs11: URI, or take the program with feature `piv` or `yubihsm`";
    URI_TOKEN: "URI-TOKEN", Usage, "a pkcs11: URI names its token by label and serial", "tokens 1.1, threats T22",
        "add token= and serial= as `keyrite tokens` shows them";
    // --- modules
    MODULE: "MODULE", Device, "the PKCS#11 module loads and answers", "PKCS#11 2.40 5.4",
        "check the path in the device map and that the token's software is installed whole";
    MODULE_PIN: "MODULE-PIN", Refused, "the PKCS#11 module is the file that the device map names by SHA-256", "threats T30",
        "find out why the file changed; after an update that was agreed, write the device map again";
    // --- tokens
    TOKEN_MISSING: "TOKEN-MISSING", Device, "the token is inserted", "tokens 1.1",
        "insert the token and run again";
    TOKEN_SERIAL: "TOKEN-SERIAL", Device, "the token of that label has the serial that the device map names", "threats T22",
        "take this token out, find out whose it is, and insert the right one";
    TOKEN_AMBIGUOUS: "TOKEN-AMBIGUOUS", Device, "exactly one token has that label and serial", "tokens 1.1",
        "take out the tokens that are not needed";
    TOKEN_NOT_BLANK: "TOKEN-NOT-BLANK", Refused, "only a blank token is initialised", "design",
        "insert a blank token; wipe a used one with its vendor's tool, if it is really to be wiped";
    TOKEN_LABEL: "TOKEN-LABEL", Usage, "a token's label is visible text of 1 to 32 bytes", "PKCS#11 2.40 5.5",
        "choose a shorter label of plain letters";
    TOKEN_CANNOT: "TOKEN-CANNOT", Device, "the token can do what is asked of it", "tokens 1.2",
        "choose another kind of key (p256 works nearly everywhere) or do this step with the vendor's tool";
    TOKEN_WEAK: "TOKEN-WEAK", Refused, "the token says that the key was made on it and cannot leave it", "tokens 1.1",
        "do not use this key; make one on a token that keeps its keys";
    TOKEN_ATTESTATION: "TOKEN-ATTESTATION", Device, "an attestation is a few certificates of a few kilobytes", "design",
        "update the token's software; a key without attestation can be used where limits don't ask for it";
    TOKEN_REMOVED: "TOKEN-REMOVED", Device, "the token stays inserted while it works", "threats T22",
        "insert the token again and run again: nothing that was done is lost";
    TOKEN_FAILED: "TOKEN-FAILED", Device, "the token does what it is told", "PKCS#11 2.40 5.1",
        "insert the token again and run again; if it stays so, use another holder's token";
    LABEL_IN_USE: "LABEL-IN-USE", Refused, "a new key's label and id are free on its token", "threats T21",
        "choose another name, or look with `keyrite tokens` at what the token holds";
    KEY_ADOPT: "KEY-ADOPT", Refused, "a key left by an interrupted ceremony is the one that was intended", "threats T21",
        "start again under another name; remove the half-made key with the vendor's tool";
    KEY_NOT_ON_TOKEN: "KEY-NOT-ON-TOKEN", Device, "the token holds the key that the document lists", "threats T22",
        "check by label and serial which token is inserted, and correct the device map";
    PAYLOAD_TOO_LARGE: "PAYLOAD-TOO-LARGE", Refused, "the payload is no larger than the token signs", "tokens 0.1",
        "use ECDSA P-256 on this token, which signs a digest whatever the size";
    // --- wrapped keys
    WRAP_KEY: "WRAP-KEY", Device, "the token holds the wrap key that is asked for", "threats T25",
        "check by label and serial which token is inserted, and run again";
    WRAP_REFUSED: "WRAP-REFUSED", Refused, "a key leaves a token, and comes back, only wrapped under the wrap key on record", "threats T25",
        "check that the key was made to be backed up, under this wrap key, and that the file is the one on record";
    WRAP_PUBLIC: "WRAP-PUBLIC", Refused, "a restored key has the public key of the one that was backed up", "threats T3",
        "do not use the restored key; look with `keyrite tokens` at what the token holds";
    // --- YubiKeys
    CARD_SERVICE: "CARD-SERVICE", Device, "the smart card service runs", "tokens 3",
        "start it with `systemctl start pcscd`, or install Debian's package pcscd";
    YUBIKEY_FIRMWARE: "YUBIKEY-FIRMWARE", Refused, "a key is made only on a YubiKey whose firmware keeps it", "YSA-2024-03",
        "use a YubiKey of firmware 5.7 or later; older ones can't be updated";
    SLOT_IN_USE: "SLOT-IN-USE", Refused, "a key is made only in an empty slot", "threats T21",
        "use another YubiKey; if the key in this one is to come in, say `existing = true` in the device map; if it is to go, retire it first";
    MANAGEMENT_KEY: "MANAGEMENT-KEY", Refused, "a YubiKey's management key is the factory's, or kept on it behind its PIN", "tokens 3",
        "put it there with `ykman piv access change-management-key --protect --algorithm AES192 --generate`";
    TOUCH: "TOUCH", Device, "a person touches the token while it waits", "tokens 3",
        "run again and touch it when its light blinks; it waits for 15 seconds";
    // --- YubiHSMs
    CONNECTOR_ADDRESS: "CONNECTOR-ADDRESS", Usage, "a YubiHSM's connector is on this machine, by a loopback address and no name", "tokens 2, threats T22",
        "run yubihsm-connector on this machine and give its address as a number: http://127.0.0.1:12345";
    CONNECTOR: "CONNECTOR", Device, "a YubiHSM's connector gives a device's whole answers, in time", "tokens 2.1",
        "see that it is Yubico's connector that listens there, that the YubiHSM is plugged in, and run again";
    HSM_USB: "HSM-USB", Device, "a YubiHSM on USB is this program's alone and gives whole answers, in time", "tokens 2",
        "give this user the device by the udev rule in the operator's manual, stop yubihsm-connector or name it in the device map, plug the YubiHSM in anew, and run again";
    HSM_CHANNEL: "HSM-CHANNEL", Refused, "what comes back in a session is the YubiHSM's own word, unchanged", "GlobalPlatform SCP03 (amendment D)",
        "something between keyrite and the YubiHSM changes messages: stop, and use another machine and connector";
    HSM_UNPREPARED: "HSM-UNPREPARED", Refused, "on a YubiHSM is what keyrite puts there and nothing else", "threats T4",
        "take out what it holds that is still needed, reset it with `yubihsm-shell -a reset` or by touching it for 10 seconds while it is plugged in, and have its key made again";
    YUBIHSM_FIRMWARE: "YUBIHSM-FIRMWARE", Refused, "a key is made only on a YubiHSM whose firmware keeps it", "YSA-2024-03",
        "use a YubiHSM of firmware 2.4 or later; older ones can't be updated";
    DUTY_PASSWORD: "DUTY-PASSWORD", Refused, "each duty of a YubiHSM has a password of its own", "threats T32",
        "choose four passwords, for whoever does each duty";
    // --- PINs
    PIN_WRONG: "PIN-WRONG", Device, "the token accepts the PIN", "PKCS#11 2.40 5.4",
        "check which token is inserted and whose PIN it is, then run again";
    PIN_LOCKED: "PIN-LOCKED", Device, "the token's PIN is not locked", "PKCS#11 2.40 5.4, threats T23",
        "set a YubiKey's anew by its PUK with `keyrite tokens change-pin`, another token's by its security officer; or go on with another holder's token";
    PIN_LAST_TRY: "PIN-LAST-TRY", Device, "the last PIN try is never used unasked", "threats T23",
        "make sure of the PIN, then agree to the last try when asked";
    PIN_LENGTH: "PIN-LENGTH", Refused, "a new PIN is as long as the token demands", "PKCS#11 2.40 3.2",
        "choose a PIN within the token's limits";
    PIN_FACTORY: "PIN-FACTORY", Refused, "no secret of a token is one with which it left the factory", "threats T19",
        "choose one that nobody else knows";
    PASSPHRASE_SHORT: "PASSPHRASE-SHORT", Refused, "a key file's pass-phrase has 12 characters or more", "design",
        "choose five or six words that nobody would guess together";
    // --- key files
    KEY_FILE_FORM: "KEY-FILE-FORM", Refused, "a key file is encrypted PKCS#8 or one of the Notary client's forms", "notary-v1 7, RFC 5958",
        "convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`";
    KEY_FILE_PLAIN: "KEY-FILE-PLAIN", Refused, "a private key is never kept unencrypted", "threats T19",
        "encrypt it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`, and consider the key exposed";
    KEY_FILE_PUBLIC: "KEY-FILE-PUBLIC", Refused, "the private key in a file belongs to the public key beside it", "RFC 5958 2",
        "do not use the file; bring in a backup of it";
    KEY_FILE_EXISTS: "KEY-FILE-EXISTS", Refused, "a key file is never overwritten", "design",
        "choose another file name";
    KEY_FILE_IO: "KEY-FILE-IO", Device, "key files can be read and written", "design",
        "check the medium, its free space and its permissions, then run again";
    // --- keys elsewhere
    EXTERNAL_ELSEWHERE: "EXTERNAL-ELSEWHERE", Usage, "a key that keyrite can't reach signs by hand-out and take-back", "design",
        "run `keyrite sign --external KEY`";
    EXTERNAL_FORM: "EXTERNAL-FORM", Refused, "what comes back is a signature of the scheme that was asked for", "design",
        "run the command in the README that was handed out again, and bring its output as it is";
    // --- shares
    SHARE_SCHEME: "SHARE-SCHEME", Usage, "a secret is split into at most 16 shares, of which two or more bring it back", "SLIP-39 format, threats T25",
        "choose how many of how many, as 2 of 3 or 3 of 5";
    SHARE_SECRET: "SHARE-SECRET", Usage, "a secret that is split is random and of 128 to 256 bits", "SLIP-39 format",
        "split the wrap key, never a PIN or a pass-phrase";
    SHARE_RANDOM: "SHARE-RANDOM", Device, "the machine gives random bytes", "threats T28",
        "do not go on at this machine; find out why it has none";
    SHARE_WORD: "SHARE-WORD", Refused, "every word of a share is in the standard's list", "SLIP-39 word list",
        "read the word again from the card; its first four letters are enough";
    SHARE_LENGTH: "SHARE-LENGTH", Refused, "a share has as many words as its secret makes", "SLIP-39 format",
        "count the words on the card; one was left out or typed twice";
    SHARE_CHECKSUM: "SHARE-CHECKSUM", Refused, "the last three words of a share fit the others", "SLIP-39 checksum, threats T25",
        "compare word by word with the card";
    SHARE_SWAPPED: "SHARE-SWAPPED", Refused, "the words of a share are in their order", "SLIP-39 checksum, threats T25",
        "compare the two words that are named with the card";
    SHARE_FORM: "SHARE-FORM", Refused, "a share's numbers and padding are possible ones", "SLIP-39 format, threats T26",
        "use another share: no program makes such a one";
    SHARE_SALT: "SHARE-SALT", Refused, "the salt on a card is typed as it is printed", "threats T25",
        "compare it digit by digit with the card";
    SHARE_SET: "SHARE-SET", Refused, "shares that come together belong to one set", "SLIP-39 format, threats T25",
        "look on the cards for the set's name, and bring those of the set that is wanted";
    SHARE_TWICE: "SHARE-TWICE", Refused, "each share comes once", "SLIP-39 format, threats T26",
        "bring another card of the set";
    SHARE_FEW: "SHARE-FEW", Incomplete, "as many shares come together as are needed", "SLIP-39 format, threats T25",
        "bring more cards of the set";
    SHARE_MANY: "SHARE-MANY", Refused, "no more shares come together than are needed", "SLIP-39 format",
        "leave the others in their envelopes";
    SHARE_DIGEST: "SHARE-DIGEST", Refused, "the secret that shares give is the one that was split", "SLIP-39 digest, threats T25",
        "one card is of another making: compare each with the manifest by keyrite share drill";
    SHARE_PASSPHRASE: "SHARE-PASSPHRASE", Usage, "a passphrase over shares is printable ASCII", "SLIP-39 passphrase",
        "type it as the program has it that made the shares; keyrite's own have none";
    SHARE_DEALT: "SHARE-DEALT", Refused, "every choice of enough shares gives the secret that was split", "threats T25, T37",
        "destroy these shares, use the secret for nothing, and begin again on another machine";
    // --- shares of other tools
    TOOL_SHARE: "TOOL-SHARE", Refused, "a share that another tool made is in that tool's form", "threats T25, T26",
        "compare it character by character with the paper, and split-with in the runbook with the tool that made it";
    TOOL_TYPED: "TOOL-TYPED", Refused, "a share without a checksum is typed the same twice", "threats T25",
        "type it again, both times; the place that is named is counted without spaces";
    TOOL_AGREE: "TOOL-AGREE", Refused, "all the shares that are brought lead to one secret", "threats T25",
        "compare the characters that are named with the papers, and bring two shares more than are needed: then the wrong one is named";
    TOOL_SECRET: "TOOL-SECRET", Refused, "what shares of a wrap key give is a wrap key", "threats T25",
        "look whether all of them were made on one day by one tool, and bring one share more than is needed";
}
