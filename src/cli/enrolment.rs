//! Keys to be enrolled: the files that the device map names, read and judged.

use super::devices::DeviceMap;
use super::session::{TEXT_CAP, shown};
use crate::ceremony::facts::{Enrolment, Trust};
use crate::ceremony::people::KeyName;
use crate::record::{SignedStatement, enrolment, media};
use crate::tuf::rule::Result;
use std::collections::BTreeMap;

/// What the enrolment files at hand say.
#[derive(Debug, Default)]
pub struct Enrolments {
    /// By the name that a runbook gives the key.
    pub keys: BTreeMap<KeyName, Enrolment>,
    /// Proofs of possession that came with them, to be added to the record when the key is.
    pub statements: Vec<SignedStatement>,
}

/// Reads every enrolment file that the device map names and that is there. One that has not come
/// yet is missed by the ceremony that takes its key in, and by no other.
///
/// # Errors
///
/// `KEY-FORM`, `KEY-POSSESSION`, `RECORD-OTHER`, each with the file's name; what reading refuses.
pub fn read(map: &DeviceMap, trust: &Trust) -> Result<Enrolments> {
    let mut all = Enrolments::default();
    for (name, file) in &map.enrolments {
        if std::fs::symlink_metadata(file).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            continue;
        }
        let place = format!("the key \"{name}\" in {}", shown(file));
        let bytes = media::read_file(file, TEXT_CAP).map_err(|e| e.at(&place))?;
        let (key, statement) = enrolment::read(trust, &bytes).map_err(|e| e.at(&place))?;
        all.keys.insert(name.clone(), key);
        all.statements.extend(statement);
    }
    Ok(all)
}
