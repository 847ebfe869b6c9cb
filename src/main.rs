//! The `keyrite` program: offline ceremonies.

fn main() {}
