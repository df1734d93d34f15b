//! The simulation runs the engine that ships, and has none of its own. Three things make an
//! engine, and each needs words that this rule gives to the few files which may use them:
//!
//! - *replay* opens orchestration code on a history and runs turns of it
//!   (`Coroutine::open`, `run_turn`, a `TurnInput`): only the oracle that compares a node's
//!   memory with a cold replay may, and nothing it computes reaches a store. Nobody stands
//!   in for the host of orchestrations; one file wraps the host of activities, to fail them;
//! - *dispatch* asks a store for work and commits what came of it: only whoever is a store
//!   itself, and passes the same call on, calls those methods; so only these are stores;
//! - *leases* are asked for, and turns committed, under ids that the engine makes: nobody
//!   else makes or takes apart one (`LeaseId(…)`, `CommitId(…)`).
//!
//! Tests are free: an oracle is shown what no engine does. Tests are files that end so,
//! files below `tests/`, what stands under a `#[cfg(test)]` module, and modules declared
//! under one. That the engine which runs is the shipped one is shown the other way around
//! too: `cargo xtask sim real` breaks it, and no seed may pass.

use super::Finding;
use super::source::SourceFile;

/// The simulation's crates.
const ROOM: &str = "sim/";
/// What makes the rest of a file, or the next module, a test.
const TEST: &str = "#[cfg(test)]\n";

/// Who is a store, and passes calls on.
const STORES: &[&str] = &[
    "sim/src/tap/edge.rs",
    "sim/src/tap/inside.rs",
    "sim/src/tap/witness.rs",
    "sim/postgres/src/provider.rs",
];

/// Words that only these files may use.
struct Only {
    words: &'static [&'static str],
    files: &'static [&'static str],
    what: &'static str,
}

const RULES: &[Only] = &[
    Only {
        words: &["Coroutine", "TurnInput", "TurnOutcome", "Activation", "run_turn", "activate"],
        files: &["sim/src/oracle/cold.rs"],
        what: "only the cold replay runs orchestration code, to compare",
    },
    Only {
        words: &["OrchestrationHost", "TurnRequest", "TurnReply"],
        files: &[],
        what: "orchestrations run in the SDK's host",
    },
    Only {
        words: &["ActivityHost", "ActivityTask"],
        files: &["sim/src/node.rs"],
        what: "activities run in the SDK's host, which one file wraps to make them fail",
    },
    Only {
        words: &["Provider for"],
        files: STORES,
        what: "stores are the shipped ones, the taps on them, and the modelled PostgreSQL",
    },
    Only {
        words: &["Inspect for"],
        files: &["sim/src/tap/mod.rs", "sim/postgres/src/inspect.rs"],
        what: "stores are the shipped ones, the taps on them, and the modelled PostgreSQL",
    },
    Only {
        words: &[
            ".lease_orchestrations(",
            ".lease_activities(",
            ".commit_turn(",
            ".complete_activity(",
            ".renew(",
            ".wait_for_work(",
        ],
        files: STORES,
        what: "only what is a store itself passes on the calls that dispatch work",
    },
    Only {
        words: &["LeaseId(", "CommitId(", "LeaseId::", "CommitId::"],
        files: &[],
        what: "the engine makes these ids; here they are compared and passed on",
    },
];

/// The rule.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let ours = files.iter().filter(|file| file.is_rust() && file.path.starts_with(ROOM));
    ours.filter(|file| !is_test(file, files)).flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    let tests = file.code.find(&format!("{TEST}mod tests {{")).unwrap_or(file.code.len());
    let mut findings = Vec::new();
    for (index, line) in file.code[..tests].lines().enumerate() {
        for rule in RULES.iter().filter(|rule| !rule.files.contains(&file.path.as_str())) {
            for word in rule.words.iter().filter(|word| has(line, word)) {
                findings.push(Finding::at_line(
                    file,
                    index + 1,
                    format!("`{word}`: {}", rule.what),
                ));
            }
        }
    }
    findings
}

/// Whether a line has this, and not as a part of a longer name.
fn has(line: &str, word: &str) -> bool {
    let in_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (begins, ends) = (in_name(word.chars().next()), in_name(word.chars().next_back()));
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !(begins && in_name(before.chars().next_back()) || ends && in_name(after.chars().next()))
    })
}

/// Whether a file is compiled for tests alone.
fn is_test(file: &SourceFile, files: &[SourceFile]) -> bool {
    if file.path.contains("/tests/") || file.path.ends_with("tests.rs") {
        return true;
    }
    let Some((folder, name)) = file.path.rsplit_once('/') else { return false };
    let declared = format!("{TEST}mod {};", name.trim_end_matches(".rs"));
    let parents = ["/mod.rs", "/lib.rs", ".rs"].map(|parent| format!("{folder}{parent}"));
    files.iter().any(|other| parents.contains(&other.path) && other.code.contains(&declared))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[SourceFile::new(path, text)]).len()
    }

    #[test]
    fn each_word_is_found_but_in_the_files_that_may_use_it() {
        for rule in RULES {
            for word in rule.words {
                let text =
                    format!("let a = b{}{word} c;\n", if word.starts_with('.') { "" } else { " " });
                assert_eq!(found("sim/src/host.rs", &text), 1, "{word}");
                assert_eq!(found("sim/disk/src/disk.rs", &text), 1, "{word}");
                assert_eq!(found("engine/runtime/src/driver/turn.rs", &text), 0, "{word}");
                for file in rule.files {
                    assert_eq!(found(file, &text), 0, "{word} in {file}");
                }
            }
        }
    }

    #[test]
    fn an_engine_of_its_own_is_found() {
        let driver = "async fn drive(store: &dyn Store, env: &Env) {\n\
            let leased = store.lease_orchestrations(request).await;\n\
            let outcome = Coroutine::open(opening, code).run_turn(TurnInput { nonce });\n\
            store.commit_turn(CommitTurn { commit_id: CommitId(7), lease }).await;\n}\n";
        assert_eq!(found("sim/src/engine.rs", driver), 6);
        // The oracle that replays may not write what it found.
        assert_eq!(found("sim/src/oracle/cold.rs", driver), 3);
    }

    #[test]
    fn longer_names_comments_and_texts_are_not_meant() {
        let text =
            "// LeaseId(7) and a Coroutine\nlet coroutine = \"run_turn\"; let a: TurnInputs;\n";
        assert_eq!(found("sim/src/host.rs", text), 0);
        assert_eq!(found("sim/src/host.rs", "fn f(lease: LeaseId) -> CommitId {}\n"), 0);
    }

    #[test]
    fn tests_are_free_and_only_tests() {
        let make = "fn lease() -> LeaseId {\n    LeaseId(7)\n}\n";
        let inside = format!("#[cfg(test)]\nmod tests {{\n{make}}}\n");
        assert_eq!(found("sim/src/host.rs", &inside), 0);
        assert_eq!(found("sim/src/host.rs", &format!("{make}{inside}")), 1);
        assert_eq!(found("sim/postgres/tests/postgres/main.rs", make), 0);
        let helper = |parent: &str, declared: &str| {
            check(&[
                SourceFile::new("sim/src/oracle/build.rs", make),
                SourceFile::new(parent, declared),
            ])
            .len()
        };
        assert_eq!(helper("sim/src/oracle/mod.rs", "#[cfg(test)]\nmod build;\n"), 0);
        assert_eq!(helper("sim/src/oracle.rs", "#[cfg(test)]\nmod build;\n"), 0);
        assert_eq!(helper("sim/src/oracle/mod.rs", "mod build;\n"), 1);
        assert_eq!(helper("sim/src/report/mod.rs", "#[cfg(test)]\nmod build;\n"), 1);
    }
}
