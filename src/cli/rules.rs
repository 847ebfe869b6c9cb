//! The rules of the `cli` layer.

crate::rules! {
    USAGE: "USAGE", Usage, "commands and options are those that keyrite has", "design",
        "read keyrite --help, or keyrite help COMMAND";
    RANDOM: "RANDOM", Device, "the operating system gives random bytes", "threats T28",
        "do not go on with this machine";
    TEXT_FILE: "TEXT-FILE", Usage, "runbooks, answers and device maps are text in UTF-8", "design",
        "save the file as UTF-8";
}
