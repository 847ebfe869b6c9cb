//! Private keys in files: PKCS#8 of our own and OpenSSL's, and those of the Notary client.
