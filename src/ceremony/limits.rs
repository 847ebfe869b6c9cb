//! Limits: numbers and closed choices that a trust sets, each at least as strict as its floor.

/// The limits in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {}
