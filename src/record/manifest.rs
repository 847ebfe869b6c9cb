//! MANIFEST: SHA-256, size, name and role of each file of an upload.
