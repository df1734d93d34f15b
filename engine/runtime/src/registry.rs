//! What a node can run, as it was registered before the start.

use crate::host::{ActivityHost, OrchestrationHost};
use duroxide_core::{CompatFlags, READ_VALUE_ACTIVITY};
use duroxide_provider::OrchestrationFilter;
use std::collections::{BTreeMap, BTreeSet};

/// Registered names.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) orchestrations: BTreeMap<String, BTreeSet<semver::Version>>,
    /// With the activities that the engine itself runs.
    pub(crate) activities: BTreeSet<String>,
}

impl Registry {
    pub(crate) fn of(
        orchestrations: &dyn OrchestrationHost,
        activities: &dyn ActivityHost,
    ) -> Self {
        let mut names = activities.registered();
        names.insert(READ_VALUE_ACTIVITY.to_owned());
        Self { orchestrations: orchestrations.registered(), activities: names }
    }

    /// What to lease by a node that knows these flags.
    pub(crate) fn filter(&self, flags: CompatFlags) -> OrchestrationFilter {
        let mut names = BTreeMap::new();
        for (name, versions) in &self.orchestrations {
            let versions: BTreeSet<String> = versions.iter().map(ToString::to_string).collect();
            names.insert(name.clone(), versions);
        }
        OrchestrationFilter { names, flags }
    }

    /// The version to run: the one recorded or asked for, else the highest. `None` if it
    /// is not registered here.
    pub(crate) fn resolve(&self, name: &str, version: Option<&str>) -> Option<String> {
        let versions = self.orchestrations.get(name)?;
        match version {
            None => versions.last().map(ToString::to_string),
            Some(version) => {
                let known = |known: &semver::Version| known.to_string() == version;
                versions.iter().any(known).then(|| version.to_owned())
            }
        }
    }

    /// A sentence's end that names the nearest registered orchestrations.
    pub(crate) fn nearest_orchestrations(&self, name: &str) -> String {
        let mut known = Vec::new();
        for (name, versions) in &self.orchestrations {
            known.extend(
                versions.iter().map(|version| (name.as_str(), format!("{name}@{version}"))),
            );
        }
        nearest(name, known)
    }

    /// A sentence's end that names the nearest registered activities.
    pub(crate) fn nearest_activities(&self, name: &str) -> String {
        let known = self.activities.iter().filter(|known| *known != READ_VALUE_ACTIVITY);
        nearest(name, known.map(|known| (known.as_str(), known.clone())).collect())
    }
}

/// How many names a message lists.
const SHOWN: usize = 3;

fn nearest(name: &str, mut known: Vec<(&str, String)>) -> String {
    known.sort_by_key(|(candidate, shown)| (distance(name, candidate), shown.clone()));
    let shown: Vec<String> =
        known.into_iter().take(SHOWN).map(|(_, shown)| format!("`{shown}`")).collect();
    if shown.is_empty() {
        "nothing is registered here".to_owned()
    } else {
        format!("the nearest registered here: {}", shown.join(", "))
    }
}

/// How many characters must be changed, added or removed to make one name the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let versions = |all: &[&str]| all.iter().map(|v| v.parse().unwrap()).collect();
        Registry {
            orchestrations: BTreeMap::from([
                ("Order".to_owned(), versions(&["1.9.0", "1.10.0", "1.2.0"])),
                ("Refund".to_owned(), versions(&["1.0.0"])),
            ]),
            activities: BTreeSet::from(["Greet".to_owned(), READ_VALUE_ACTIVITY.to_owned()]),
        }
    }

    #[test]
    fn latest_is_the_highest_version_whatever_the_order_of_registration() {
        assert_eq!(registry().resolve("Order", None).as_deref(), Some("1.10.0"));
    }

    #[test]
    fn a_recorded_version_is_run_as_recorded_or_not_at_all() {
        assert_eq!(registry().resolve("Order", Some("1.2.0")).as_deref(), Some("1.2.0"));
        assert_eq!(registry().resolve("Order", Some("2.0.0")), None);
        assert_eq!(registry().resolve("Oder", None), None);
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let orders = registry().nearest_orchestrations("Oder");
        assert!(orders.starts_with("the nearest registered here: `Order@1.10.0`"), "{orders}");
        assert_eq!(registry().nearest_activities("Gret"), "the nearest registered here: `Greet`");
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
