//! Answers from a file in a person's place.
