//! The rules of the `ceremony` layer.

crate::rules! {
    NAME: "NAME", Usage, "names of people and keys are legal file names everywhere", "design",
        "choose a short name in lower-case letters";
    DUTY: "DUTY", Usage, "people have one of the three duties", "design",
        "write administrator, custodian or witness";
}
