//! Who may release what: person, application, paths.

use super::view::View;
use crate::tuf::document::PathRule;
use crate::tuf::json::{Json, object};
use crate::tuf::role::RoleName;
use crate::tuf::text::visible;
use crate::ui::table::Table;

/// That a person may sign for an application.
pub struct Grant {
    /// Who; a key's kind where the record doesn't know its holder.
    pub person: String,
    /// The delegation, or `targets`.
    pub role: String,
    /// Which targets.
    pub paths: Vec<String>,
    /// By which key.
    pub key: String,
    /// How many of how many must sign together.
    pub threshold: (u32, usize),
}

/// Every grant, by person.
pub fn grants(view: &View<'_>) -> Vec<Grant> {
    let mut grants = Vec::new();
    for role in &view.roles {
        if !matches!(role.name, RoleName::Targets | RoleName::Delegated(_)) {
            continue;
        }
        for key in &role.keys {
            let unknown = || (format!("unknown ({})", key.kind), "-".to_owned());
            let (person, name) =
                key.record.map_or_else(unknown, |r| (r.holder.to_string(), r.name.to_string()));
            grants.push(Grant {
                person,
                role: visible(role.name.as_str()),
                paths: role.paths.map_or_else(|| vec!["everything".to_owned()], paths),
                key: name,
                threshold: (role.threshold, role.keys.len()),
            });
        }
    }
    grants.sort_by(|a, b| (&a.person, &a.role, &a.key).cmp(&(&b.person, &b.role, &b.key)));
    grants
}

fn paths(rule: &PathRule) -> Vec<String> {
    let each = |list: &[String], what: &dyn Fn(&str) -> String| match list {
        [] => vec!["nothing".to_owned()],
        list => list.iter().map(|path| what(path)).collect(),
    };
    match rule {
        PathRule::Prefixes(list) => each(list, &|p| match p {
            "" => "everything".to_owned(),
            p => format!("{}...", visible(p)),
        }),
        PathRule::Patterns(list) => each(list, &visible),
        PathRule::HashPrefixes(list) => {
            each(list, &|p| format!("paths whose SHA-256 begins with {}", visible(p)))
        }
    }
}

/// As a table.
pub fn table(grants: &[Grant]) -> Table {
    let mut table = Table::new(["person", "application", "paths", "by the key", "signs"]);
    for grant in grants {
        let signs = match grant.threshold {
            (1, _) => "alone".to_owned(),
            (need, of) => format!("any {need} of {of}"),
        };
        table.push([
            grant.person.as_str(),
            grant.role.as_str(),
            grant.paths.join(", ").as_str(),
            grant.key.as_str(),
            signs.as_str(),
        ]);
    }
    table
}

/// For programs.
pub fn json(grants: &[Grant]) -> Json {
    let one = |grant: &Grant| {
        object([
            ("person", grant.person.as_str().into()),
            ("role", grant.role.as_str().into()),
            ("paths", grant.paths.iter().map(|p| Json::from(p.as_str())).collect::<Vec<_>>().into()),
            ("key", grant.key.as_str().into()),
            ("threshold", i64::from(grant.threshold.0).into()),
        ])
    };
    grants.iter().map(one).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::view::{Listed, Role};
    use std::collections::BTreeMap;

    fn granted(role: &str, paths: &PathRule, threshold: u32) -> Vec<(String, String, (u32, usize))> {
        let keys = (0..3).map(|_| Listed { record: None, kind: "ECDSA P-256".to_owned() }).collect();
        let name = RoleName::from_name(role);
        let granted = Role { name, document: None, keys, threshold, paths: Some(paths) };
        let view =
            View { roles: vec![granted], keys: Vec::new(), endings: Vec::new(), roll_call: BTreeMap::new() };
        grants(&view).into_iter().map(|g| (g.person, g.paths.join(", "), g.threshold)).collect()
    }

    #[test]
    fn every_kind_of_path_rule_is_told_in_words() {
        let list = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let table = [
            (PathRule::Prefixes(list(&[""])), "everything"),
            (PathRule::Prefixes(list(&[])), "nothing"),
            (PathRule::Prefixes(list(&["camera/", "a\u{202e}b"])), "camera/..., a\\u{202e}b..."),
            (PathRule::Patterns(list(&["*.bin", "x/?\u{1b}[2J"])), "*.bin, x/?\\u{1b}[2J"),
            (PathRule::HashPrefixes(list(&["0f"])), "paths whose SHA-256 begins with 0f"),
        ];
        for (rule, words) in table {
            let found = granted("targets/camera", &rule, 2);
            assert_eq!(found.len(), 3, "one line for each key");
            assert_eq!(found.first(), Some(&("unknown (ECDSA P-256)".to_owned(), words.to_owned(), (2, 3))));
        }
        let everything = PathRule::Prefixes(list(&[""]));
        assert_eq!(granted("snapshot", &everything, 1), [], "who may sign a snapshot releases nothing");
    }
}
