//! One directory handle, and everything beneath it.
