//! The rules of the `ui` layer.

crate::rules! {
    INTERRUPTED: "INTERRUPTED", Interrupted, "a person may stop at any moment", "design",
        "run the same command again; what was done until then stays done";
    NO_TERMINAL: "NO-TERMINAL", Usage, "questions are asked on a terminal", "design",
        "run it on a terminal, or give --answers FILE --unattended";
    TERMINAL: "TERMINAL", Device, "the terminal can be read and written", "design",
        "open another terminal and run the same command again; it goes on where it stopped";
    NOT_CONFIRMED: "NOT-CONFIRMED", Refused, "nothing happens that a person has not agreed to", "design",
        "compare the digest with another person's screen or paper, then run again";
}
