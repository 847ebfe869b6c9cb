//! Every kind of ceremony that this keyrite holds.

use super::{Ceremony, Kind};

use crate::ceremony::runbook::Runbook;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text::visible;

mod back_up;
mod certify_key;
mod create_root;
mod customers;
mod decide;
mod delegations;
mod enroll_key;
mod generate_key;
mod grant_delegation;
mod issue_targets_key;
mod key_life;
pub(super) mod making;
mod more;
mod recover;
mod release;
pub mod release_names;
pub mod release_terms;
mod renew;
mod restore;
mod retire_key;
mod revoke_delegation;
mod revoke_rework;
mod revoke_tables;
mod rework;
mod roll_call;
mod root_asks;
mod root_change;
mod root_ledger;
pub(super) mod root_members;
mod rotate_root;
pub mod rules;

pub use making::unknown as key_unknown;
mod set_limits;
mod suspect;
mod withdraw;

pub use making::software_allowed;
pub use retire_key::unlisted;

/// The kinds, in the order in which a trust meets them.
pub const ALL: &[&dyn Kind] = &[
    &generate_key::GenerateKey,
    &back_up::BackUp,
    &restore::Restore,
    &issue_targets_key::IssueTargetsKey,
    &enroll_key::EnrollKey,
    &create_root::CreateRoot,
    &rotate_root::RotateRoot,
    &recover::Recover,
    &withdraw::Withdraw,
    &decide::Decide,
    &certify_key::CertifyKey,
    &roll_call::RollCall,
    &retire_key::RetireKey,
    &grant_delegation::GrantDelegation,
    &set_limits::SetLimits,
    &revoke_delegation::RevokeDelegation,
    &renew::Renew,
    &release::Release,
];

/// Reads a runbook's own tables by its kind.
///
/// # Errors
///
/// `CEREMONY-UNKNOWN` for a kind that this keyrite doesn't hold; `RUNBOOK` as the kind reads.
pub fn read(runbook: &Runbook) -> Result<Box<dyn Ceremony>> {
    let kind = ALL.iter().find(|k| k.name() == runbook.kind).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|k| k.name()).collect();
        Refusal::new(&rules::CEREMONY_UNKNOWN, format!("\"{}\"", visible(&runbook.kind)), known.join(", "))
    })?;
    kind.read(runbook)
}
