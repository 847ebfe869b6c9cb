//! The rules of the `cli` layer.

crate::rules! {
    USAGE: "USAGE", Usage, "commands and options are those that keyrite has", "design",
        "read keyrite --help, or keyrite help COMMAND";
}
