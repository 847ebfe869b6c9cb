//! Profile `notary`: Notary v1, byte for byte as its Go code writes it (notary-v1 3).
