//! PKCS#11 tokens through `cryptoki`.
