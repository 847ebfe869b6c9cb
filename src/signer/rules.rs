//! The rules of the `signer` layer.

crate::rules! {
    PIN_WRONG: "PIN-WRONG", Device, "the token accepts the PIN", "PKCS#11 2.40 5.4",
        "check which token is inserted and whose PIN it is, then run again";
    PIN_LOCKED: "PIN-LOCKED", Device, "the token's PIN is not locked", "PKCS#11 2.40 5.4, threats T23",
        "unlock it with the security officer's PIN, or go on with another holder's token";
    PIN_LAST_TRY: "PIN-LAST-TRY", Device, "the last PIN try is never used unasked", "threats T23",
        "make sure of the PIN, then agree to the last try when asked";
}
