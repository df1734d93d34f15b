//! What libtest printed of a suite's tests: which passed, which failed with what message,
//! and which said that they were skipped. Run with `--show-output`.

use std::collections::BTreeMap;

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// With what it said.
    Failed(String),
    /// For want of what.
    Skipped(String),
}

/// By `group::check`, of the tests that stand in this module.
pub(crate) fn outcomes(text: &str, module: &str) -> BTreeMap<String, Outcome> {
    let mut outcomes = BTreeMap::new();
    // What tests printed themselves comes after all results.
    let mut speaker: Option<&str> = None;
    for line in text.lines() {
        if let Some((name, outcome)) = result(line) {
            if let Some(check) = name.strip_prefix(module) {
                outcomes.insert(check.to_owned(), outcome);
            }
        } else if let Some(name) = heading(line) {
            speaker = name.strip_prefix(module);
        } else if let Some(outcome) = speaker.and_then(|check| outcomes.get_mut(check)) {
            hear(outcome, line, speaker.unwrap_or_default());
        }
    }
    outcomes
}

/// `test in_memory::leases::an_instance_has_one_holder ... ok`
fn result(line: &str) -> Option<(&str, Outcome)> {
    let (name, word) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match word {
        "ok" => Some((name, Outcome::Passed)),
        "FAILED" => Some((name, Outcome::Failed(String::new()))),
        _ => None,
    }
}

/// `---- in_memory::leases::an_instance_has_one_holder stdout ----`
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// One line of what a test printed.
fn hear(outcome: &mut Outcome, line: &str, check: &str) {
    match outcome {
        Outcome::Passed => {
            if let Some(why) = line.strip_prefix("skipped: ") {
                *outcome = Outcome::Skipped(why.to_owned());
            }
        }
        Outcome::Failed(message) => {
            // The panic names the check once more.
            if let Some(said) = line.strip_prefix(check).and_then(|rest| rest.strip_prefix(": ")) {
                said.clone_into(message);
            }
        }
        Outcome::Skipped(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
running 3 tests
test in_a_file::leases::an_instance_has_one_holder ... ok
test in_a_file::trouble::what_a_full_store_refused_is_not_applied ... ok
test in_memory::leases::an_instance_has_one_holder ... ok
test in_a_file::inbox::mail_arrives ... FAILED

successes:

---- in_a_file::trouble::what_a_full_store_refused_is_not_applied stdout ----
skipped: the factory has no `trouble`

successes:
    in_a_file::leases::an_instance_has_one_holder

failures:

---- in_a_file::inbox::mail_arrives stdout ----

thread 'in_a_file::inbox::mail_arrives' (7) panicked at tests/conformance.rs:1:1:
inbox::mail_arrives: the inbox: expected [\"a\"], got []
note: run with `RUST_BACKTRACE=1`

test result: FAILED. 3 passed; 1 failed
";

    #[test]
    fn what_passed_what_failed_and_what_was_skipped_are_told_apart() {
        let outcomes = outcomes(PRINTED, "in_a_file::");
        let of = |check: &str| outcomes.get(check).cloned();
        assert_eq!(outcomes.len(), 3);
        assert_eq!(of("leases::an_instance_has_one_holder"), Some(Outcome::Passed));
        assert_eq!(
            of("trouble::what_a_full_store_refused_is_not_applied"),
            Some(Outcome::Skipped("the factory has no `trouble`".to_owned()))
        );
        assert_eq!(
            of("inbox::mail_arrives"),
            Some(Outcome::Failed("the inbox: expected [\"a\"], got []".to_owned()))
        );
    }
}
