//! The names that FORMAT.md gives files, parsed before they are used.
