//! Counts tests from what the runners really printed: libtest's `test result:` lines and
//! node:test's `pass` and `fail` lines (TAP and spec reporters). Not an estimate: a run
//! that printed no result counts nothing.

use std::fmt;

/// Tests counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Those that passed.
    pub(crate) passed: u64,
    /// Those that failed.
    pub(crate) failed: u64,
}

impl Counts {
    /// Add what a line of a runner's output says.
    pub(crate) fn read_line(&mut self, line: &str) {
        // Not from the left: what stands indented is the output of a test, not a summary.
        let line = line.trim_end();
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.passed += number_before(rest, " passed");
            self.failed += number_before(rest, " failed");
        } else if let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            self.passed += number_after(rest, "pass ");
            self.failed += number_after(rest, "fail ") + number_after(rest, "cancelled ");
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    text.split(word)
        .next()
        .filter(|before| before.len() < text.len())
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn number_after(text: &str, word: &str) -> u64 {
    text.strip_prefix(word).and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(output: &str) -> Counts {
        let mut counts = Counts::default();
        output.lines().for_each(|line| counts.read_line(line));
        counts
    }

    #[test]
    fn cargo_results_are_added_up() {
        let output = "test a ... ok\n\
            test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
            test result: FAILED. 11 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(count(output), Counts { passed: 16, failed: 2 });
    }

    #[test]
    fn node_results_are_added_up_in_both_reporters() {
        assert_eq!(
            count("# tests 7\n# pass 6\n# fail 1\n# cancelled 0"),
            Counts { passed: 6, failed: 1 }
        );
        assert_eq!(count("ℹ tests 3\nℹ pass 3\nℹ fail 0"), Counts { passed: 3, failed: 0 });
    }

    #[test]
    fn a_cancelled_node_test_counts_as_failed() {
        assert_eq!(count("# pass 1\n# fail 0\n# cancelled 2"), Counts { passed: 1, failed: 2 });
    }

    #[test]
    fn a_runner_inside_of_a_test_counts_nothing() {
        assert_eq!(
            count("# pass 1\n    # pass 58\n    # fail 1\n"),
            Counts { passed: 1, failed: 0 }
        );
    }

    #[test]
    fn prose_counts_nothing() {
        assert_eq!(
            count("12 passed, 0 failed\n# passing thought\nok 3 - pass 3"),
            Counts::default()
        );
    }
}
