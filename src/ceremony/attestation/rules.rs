//! The rules by which an attestation is judged.

crate::rules! {
    ATTESTATION_FORM: "ATTESTATION-FORM", Refused, "attestation certificates are strict DER and say what their vendor says they say", "RFC 5280, tokens 3",
        "ask the holder to read the attestation from the device again";
    ATTESTATION_CHAIN: "ATTESTATION-CHAIN", Refused, "attestation certificates lead to a pinned root of the vendor, through issuers that may issue", "tokens 3",
        "see whether the device's own attestation key was replaced; if so, nothing proves what it says: use another device";
    ATTESTATION_VALIDITY: "ATTESTATION-VALIDITY", Refused, "attestation certificates were valid on the day of the ceremony that wrote the key's file", "RFC 5280 4.1.2.5",
        "make a new key on a device whose certificates are valid";
    ATTESTATION_KEY: "ATTESTATION-KEY", Refused, "the attested key is the key in the record", "tokens 3",
        "ask the holder which slot or object holds the key, and bring in its own attestation";
    ATTESTATION_ORIGIN: "ATTESTATION-ORIGIN", Refused, "the device made the key itself", "tokens 3",
        "replace the key by one that a device makes: an imported key has copies elsewhere";
    ATTESTATION_EXPORT: "ATTESTATION-EXPORT", Refused, "the key can't leave its device, or only under the wrap key that the record names", "tokens 2",
        "replace the key by one that can't be exported, or record the wrap key that it was made to be backed up under";
    ATTESTATION_USE: "ATTESTATION-USE", Refused, "the key can sign and do nothing else", "tokens 2",
        "replace the key by one whose only capability is to sign";
    ATTESTATION_SERIAL: "ATTESTATION-SERIAL", Refused, "the attested device is the token that the record names", "tokens 3, threats T22",
        "find out which device the holder has, and bring in the attestation that it makes";
    ATTESTATION_HOLDER: "ATTESTATION-HOLDER", Refused, "one device belongs to one holder", "threats T32",
        "let each holder have a device of their own, or correct who holds the key";
    ATTESTATION_FIRMWARE: "ATTESTATION-FIRMWARE", Refused, "no advisory of the vendor is open against the device's firmware", "ceremony/attestation/advisories.rs",
        "replace the key by one on a device with newer firmware: that of YubiKeys can't be updated";
    ATTESTATION_PIN: "ATTESTATION-PIN", Refused, "the key asks for a PIN", "tokens 3",
        "replace the key by one that asks for the PIN always";
    ATTESTATION_TOUCH: "ATTESTATION-TOUCH", Refused, "the key asks for a touch", "tokens 3",
        "replace the key by one that asks to be touched always";
    KEY_NOT_ATTESTED: "KEY-NOT-ATTESTED", Refused, "keys are proven hardware keys where limits demand it", "design",
        "choose a key on a device that attests it; keyrite status tells what is proven of each key";
}
