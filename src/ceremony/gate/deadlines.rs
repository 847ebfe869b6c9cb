//! Profile `notary`: what ends by itself (notary-v1 5, 6).
//!
//! Within six months of root's expiry the stock client tries to sign root at every publish, and
//! developers can't. When fewer than a threshold of those who signed the stored root have valid
//! certificates, the server takes nothing any more, a correct rotation neither, and clients are
//! lost for good: that is the deadline that no later change can mend.

use super::scene::Scene;
use super::{Finding, Report, rules};
use crate::ceremony::due::in_time;
use crate::tuf::certificate;
use crate::tuf::client::Judge as _;
use crate::tuf::document::DocumentKey;
use crate::tuf::role::RoleName;
use crate::tuf::rule::Refusal;
use crate::tuf::threshold::tally;
use crate::tuf::time::Time;

/// Looks at the newest root's expiry and certificates, and says what to pin.
pub(super) fn check(scene: &Scene<'_>, report: &mut Report) {
    let (Some(held), Some(root)) = (scene.newest(), scene.newest_root()) else { return };
    let Some(role) = root.roles.get(&RoleName::Root) else { return };
    let version = root.header.version;
    let in_time = |until: Time| in_time(scene.now, until);
    let mut say = |found: String, expected: &str| {
        let refusal = Refusal::new(&rules::CLIENT_DEADLINE, found, expected);
        let finding = if scene.makes_root() { Finding::stops(refusal) } else { Finding::tells(refusal) };
        report.findings.push(finding);
    };
    if !in_time(root.header.expires) {
        let found = format!("root {version}, which expires {}", root.header.expires);
        say(found, "more than 6 months: until then the stock client blocks every developer's publish");
    }
    let signed = tally(&root.keys, role, held.payload(), &*scene.judge.evidence(held)).signed;
    let ends = |key: &DocumentKey| {
        let identity = key.public.as_ref()?.identity();
        let leaf = certificate::leaf(key.certificate.as_deref()?).ok()?;
        signed.contains(&identity).then_some((identity, leaf.not_after))
    };
    let mut until: Vec<(_, Time)> = role.keyids.iter().filter_map(|id| ends(root.keys.get(id)?)).collect();
    // A key in two certificates counts once, by the longer.
    until.sort_by_key(|(identity, end)| (*identity, std::cmp::Reverse(*end)));
    until.dedup_by_key(|(identity, _)| *identity);
    until.sort_by_key(|(_, end)| std::cmp::Reverse(*end));
    let last = usize::try_from(role.threshold.get()).ok().and_then(|need| need.checked_sub(1));
    let deadline = last.and_then(|last| until.get(last)).map(|(_, end)| *end);
    if let Some(deadline) = deadline {
        if !in_time(deadline) {
            let found = format!(
                "{} certificates of the signers of root {version} until {deadline}, and fewer after it",
                role.threshold
            );
            say(
                found,
                "more than 6 months of enough valid certificates: certify-key renews one, rotate-root uses it",
            );
        } else if deadline < root.header.expires {
            let found =
                format!("root {version} until {}, enough certificates until {deadline}", root.header.expires);
            let refusal = Refusal::new(&rules::CLIENT_DEADLINE, found, "certificates that outlive root");
            report.findings.push(Finding::tells(refusal));
        }
        report.certificates_until = Some(deadline);
    }
    report.to_come = scene.makes_root();
    if scene.makes_root() || scene.changed.is_empty() {
        let before = scene.roots.iter().rev().nth(1).and_then(|root| root.payload().document().as_root());
        let before = before.and_then(|root| root.roles.get(&RoleName::Root));
        let known = |id: &&crate::tuf::key::KeyId| before.is_some_and(|role| role.keyids.contains(id));
        let (old, new): (Vec<_>, Vec<_>) = role.keyids.iter().partition(known);
        if !new.is_empty() || scene.changed.is_empty() {
            report.pins = new.into_iter().chain(old).cloned().collect();
        }
    }
}
