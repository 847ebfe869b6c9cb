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
    QR_SCREEN: "QR-SCREEN", Usage, "a code is drawn where it has room", "design",
        "make the window larger, or have the code written with --into DIR or --print FILE";
    QR_IMAGE: "QR-IMAGE", Refused, "images are PNG or JPEG, and of no more pixels than a camera's", "threats T29",
        "take the picture again, as PNG or JPEG";
    QR_NONE: "QR-NONE", Refused, "there is a code in the image", "design",
        "take the picture again: the whole code, sharp, lit evenly, and nearly straight";
    QR_TIME: "QR-TIME", Refused, "a code is read before a deadline", "threats T29",
        "take the picture again; do not read this one a second time";
    SHOWN_ALONE: "SHOWN-ALONE", Usage, "a secret is shown only where it can be taken off the screen again", "threats T19",
        "use a terminal of at least 24 rows that clears its screen (not TERM=dumb), or print";
}
