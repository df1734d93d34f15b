//! The arrows between crates: who may depend on whom. A crate or an edge that this table
//! does not name is a finding, so a new arrow is a decision somebody has to write down.

use super::Finding;
use crate::runner::Failure;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What one crate may depend on.
struct Rule {
    name: &'static str,
    /// Of ours, in the shipped code and its build.
    normal: &'static [&'static str],
    /// Of ours, behind a feature.
    optional: &'static [&'static str],
    /// Of ours, in tests; `normal` is allowed there anyway.
    dev: &'static [&'static str],
}

const fn rule(name: &'static str, normal: &'static [&'static str]) -> Rule {
    Rule { name, normal, optional: &[], dev: &[] }
}

/// The house. Tests reach further than code: providers test themselves on the runtime's
/// system Env, the runtime on a real store, the checks on stores that are planted wrong.
const RULES: &[Rule] = &[
    rule("duroxide-core", &[]),
    rule("duroxide-provider", &["duroxide-core"]),
    rule("duroxide-sdk", &["duroxide-core"]),
    Rule {
        name: "duroxide-runtime",
        normal: &["duroxide-core", "duroxide-provider", "duroxide-sdk"],
        optional: &[],
        dev: &["duroxide-sqlite"],
    },
    Rule {
        name: "duroxide",
        normal: &["duroxide-core", "duroxide-provider", "duroxide-sdk", "duroxide-runtime"],
        optional: &["duroxide-sqlite", "duroxide-postgres"],
        dev: &["duroxide-scenarios"],
    },
    Rule {
        name: "duroxide-conformance",
        normal: &["duroxide-core", "duroxide-provider"],
        optional: &[],
        dev: &["duroxide-model", "duroxide-runtime"],
    },
    Rule {
        name: "duroxide-model",
        normal: &["duroxide-core", "duroxide-provider"],
        optional: &[],
        dev: &["duroxide-conformance", "duroxide-runtime"],
    },
    Rule {
        name: "duroxide-sqlite",
        normal: &["duroxide-core", "duroxide-provider"],
        optional: &[],
        dev: &["duroxide-conformance", "duroxide-runtime"],
    },
    Rule {
        name: "duroxide-postgres",
        normal: &["duroxide-core", "duroxide-provider"],
        optional: &[],
        dev: &["duroxide-conformance", "duroxide-postgres-cluster", "duroxide-runtime"],
    },
    rule("duroxide-postgres-cluster", &[]),
    Rule {
        name: "duroxide-remote",
        normal: &["duroxide-core", "duroxide-provider"],
        optional: &[],
        dev: &["duroxide-conformance", "duroxide-runtime", "duroxide-sqlite"],
    },
    rule("duroxide-scenarios", &["duroxide-core", "duroxide-sdk"]),
    rule("duroxide-sim", WORLD),
    rule("duroxide-sim-dice", &[]),
    Rule {
        name: "duroxide-sim-disk",
        normal: &["duroxide-sqlite", "duroxide-sim-dice"],
        optional: &[],
        dev: &["duroxide-core", "duroxide-provider"],
    },
    rule("duroxide-sim-example", &["duroxide", "duroxide-sim"]),
    Rule {
        name: "duroxide-sim-postgres",
        normal: &["duroxide-core", "duroxide-provider", "duroxide-model", "duroxide-sim-dice"],
        optional: &[],
        dev: &["duroxide-conformance", "duroxide-runtime"],
    },
    rule("duroxide-node", USERS),
    rule("duroxide-snapshots", USERS),
    rule("duroxide-tests", USERS),
    rule("duroxide-bench", USERS),
    rule("duroxide-differential", USERS),
    rule("xtask", &[]),
];

/// The engine with its providers and scenarios.
const WORLD: &[&str] = &[
    "duroxide-core",
    "duroxide-provider",
    "duroxide-sdk",
    "duroxide-runtime",
    "duroxide-sqlite",
    "duroxide-postgres",
    "duroxide-remote",
    "duroxide-model",
    "duroxide-scenarios",
    "duroxide-sim-dice",
    "duroxide-sim-disk",
    "duroxide-sim-postgres",
];

/// Who stands at the end of the arrows may use all of it.
const USERS: &[&str] = &[
    "duroxide",
    "duroxide-core",
    "duroxide-provider",
    "duroxide-sdk",
    "duroxide-runtime",
    "duroxide-sqlite",
    "duroxide-postgres",
    "duroxide-postgres-cluster",
    "duroxide-remote",
    "duroxide-model",
    "duroxide-conformance",
    "duroxide-scenarios",
    "duroxide-sim",
];

/// The whole dependency tree of the core, so that nothing async or clocked comes in below.
const NEVER_UNDER_CORE: [&str; 6] =
    ["tokio", "futures-util", "rand", "getrandom", "mio", "tracing"];

/// A dependency of one crate of ours on another.
#[derive(Debug, Clone)]
struct Edge {
    from: String,
    to: String,
    kind: DependencyKind,
    optional: bool,
}

/// The rule, over `cargo metadata`.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, Failure> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .exec()
        .map_err(|error| Failure::Check { step: "tidy".into(), what: error.to_string() })?;
    let mut findings: Vec<Finding> = edges(&metadata).iter().filter_map(check_edge).collect();
    findings.extend(unknown_crates(metadata.workspace_packages().iter().map(|p| p.name.as_str())));
    findings.extend(check_core(&reached_from(&metadata, "duroxide-core")));
    Ok(findings)
}

fn edges(metadata: &Metadata) -> Vec<Edge> {
    let ours: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let mut edges = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            if ours.contains(dependency.name.as_str()) {
                edges.push(Edge {
                    from: package.name.to_string(),
                    to: dependency.name.clone(),
                    kind: dependency.kind,
                    optional: dependency.optional,
                });
            }
        }
    }
    edges
}

fn check_edge(edge: &Edge) -> Option<Finding> {
    let rule = RULES.iter().find(|rule| rule.name == edge.from)?;
    let to = edge.to.as_str();
    let allowed = rule.normal.contains(&to)
        || (edge.optional && rule.optional.contains(&to))
        || (edge.kind == DependencyKind::Development && rule.dev.contains(&to));
    (!allowed).then(|| {
        let what = format!("its {} dependency on `{to}` goes against the arrows", edge.kind);
        Finding::at(&edge.from, what)
    })
}

fn unknown_crates<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    names
        .filter(|name| !RULES.iter().any(|rule| rule.name == *name))
        .map(|name| Finding::at(name, "a crate without a place in the house: add it to the arrows"))
        .collect()
}

fn check_core(reached: &BTreeSet<String>) -> Vec<Finding> {
    NEVER_UNDER_CORE
        .iter()
        .filter(|name| reached.contains(**name))
        .map(|name| Finding::at("duroxide-core", format!("`{name}` is in its dependency tree")))
        .collect()
}

/// Every crate that ends up in the shipped code of `name`.
fn reached_from(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let nodes: BTreeMap<&PackageId, _> = nodes.map(|node| (&node.id, node)).collect();
    let mut todo: Vec<&PackageId> =
        names.iter().filter(|(_, other)| **other == name).map(|(id, _)| *id).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = todo.pop() {
        let Some(node) = nodes.get(id) else { continue };
        for dependency in &node.deps {
            let shipped =
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            let name = names.get(&dependency.pkg).copied().unwrap_or_default();
            if shipped && reached.insert(name.to_owned()) {
                todo.push(&dependency.pkg);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, kind: DependencyKind, optional: bool) -> Option<Finding> {
        check_edge(&Edge { from: from.into(), to: to.into(), kind, optional })
    }

    #[test]
    fn a_wrong_arrow_is_found_and_named() {
        use DependencyKind::{Build, Development, Normal};
        for (from, to) in [
            ("duroxide-core", "duroxide-provider"),
            ("duroxide-provider", "duroxide-sdk"),
            ("duroxide-sqlite", "duroxide-runtime"),
            ("duroxide-scenarios", "duroxide-runtime"),
            ("duroxide-runtime", "duroxide-sqlite"),
            ("duroxide", "duroxide-sqlite"),
            ("duroxide-sdk", "duroxide-provider"),
            ("duroxide-sim", "duroxide-tests"),
        ] {
            let finding = edge(from, to, Normal, false).expect("a finding");
            assert_eq!(finding.place, from);
            assert!(finding.what.contains(to), "{finding}");
        }
        assert!(edge("duroxide-core", "duroxide-sdk", Development, false).is_some());
        assert!(edge("duroxide-core", "duroxide-sdk", Build, false).is_some());
    }

    #[test]
    fn the_arrows_of_the_house_are_allowed() {
        use DependencyKind::{Development, Normal};
        assert!(edge("duroxide-sqlite", "duroxide-provider", Normal, false).is_none());
        assert!(edge("duroxide-sqlite", "duroxide-conformance", Development, false).is_none());
        assert!(edge("duroxide", "duroxide-sqlite", Normal, true).is_none());
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(unknown_crates(["duroxide-core", "duroxide-misc"].into_iter()).len(), 1);
    }

    #[test]
    fn a_core_that_reaches_a_runtime_is_found() {
        let reached = ["serde", "tokio"].map(str::to_owned).into();
        assert_eq!(check_core(&reached).len(), 1);
    }

    #[test]
    fn the_tree_of_a_crate_is_followed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(root).exec().expect("metadata");
        let reached = reached_from(&metadata, "xtask");
        assert!(reached.contains("cargo_metadata") && reached.contains("serde_json"));
        assert!(!reached.contains("duroxide-core"));
    }
}
