//! The rules of the `ui` layer.

crate::rules! {
    INTERRUPTED: "INTERRUPTED", Interrupted, "a person may stop at any moment", "design",
        "run the same command again; it goes on where it stopped";
    NO_TERMINAL: "NO-TERMINAL", Usage, "questions are asked on a terminal", "design",
        "run it on a terminal, or give --answers FILE --unattended";
    TERMINAL: "TERMINAL", Device, "the terminal can be read and written", "design",
        "open another terminal and run the same command again; it goes on where it stopped";
    ANSWER_MISSING: "ANSWER-MISSING", Usage, "an unattended run finds every answer in its file", "design",
        "write the file again with plan --write-answers and fill in every answer";
    ANSWER: "ANSWER", Usage, "an answer is one of those that its question allows", "design",
        "correct the answer in the file, or answer the question again";
    NOT_CONFIRMED: "NOT-CONFIRMED", Refused, "nothing happens that a person has not agreed to", "design",
        "compare the digest with another person's screen or paper, then run again";
}
