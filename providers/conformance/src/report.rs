//! What came of a run of all checks, as a table for people and as JSON.

use crate::expect::{CheckResult, Stop};
use serde::Serialize;
use std::fmt::Write as _;

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "message", rename_all = "lowercase")]
pub enum Outcome {
    /// The clause holds.
    Passed,
    /// It does not: what was expected and what came.
    Failed(String),
    /// The factory lacks an ability: which.
    Skipped(String),
}

impl From<CheckResult> for Outcome {
    fn from(result: CheckResult) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(Stop::Failed(message)) => Self::Failed(message),
            Err(Stop::Skipped(ability)) => Self::Skipped(ability),
        }
    }
}

/// One check in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The part of the contract.
    pub group: &'static str,
    /// The clause.
    pub check: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Every check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of the list.
    pub lines: Vec<Line>,
}

impl Report {
    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_)))
    }

    /// No check failed.
    pub fn is_clean(&self) -> bool {
        self.failed().next().is_none()
    }

    /// A line per check, and the totals.
    pub fn table(&self) -> String {
        let width = self.lines.iter().map(|l| l.group.len() + l.check.len() + 2).max();
        let width = width.unwrap_or_default();
        let (mut text, mut passed, mut failed, mut skipped) = (String::new(), 0, 0, 0);
        for line in &self.lines {
            let name = format!("{}::{}", line.group, line.check);
            let (word, message) = match &line.outcome {
                Outcome::Passed => ("ok", ""),
                Outcome::Failed(message) => ("FAILED", message.as_str()),
                Outcome::Skipped(ability) => ("skipped", ability.as_str()),
            };
            match &line.outcome {
                Outcome::Passed => passed += 1,
                Outcome::Failed(_) => failed += 1,
                Outcome::Skipped(_) => skipped += 1,
            }
            let _ = writeln!(text, "{}", format!("{name:width$}  {word:7}  {message}").trim_end());
        }
        let _ = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
        text
    }

    /// An array of `{group, check, outcome, message?}`.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.lines).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let line = |check, outcome| Line { group: "leases", check, outcome };
        Report {
            lines: vec![
                line("one_holder", Outcome::Passed),
                line("a_late_commit_is_refused", Outcome::Failed("it was applied".to_owned())),
                line("it_survives", Outcome::Skipped("reopen".to_owned())),
            ],
        }
    }

    #[test]
    fn the_table_has_a_line_per_check_and_the_totals() {
        let table = report().table();
        assert_eq!(table.lines().count(), 4);
        assert!(table.contains("leases::a_late_commit_is_refused  FAILED   it was applied"));
        assert!(table.ends_with("1 passed, 1 failed, 1 skipped\n"), "{table}");
    }

    #[test]
    fn the_json_names_group_check_outcome_and_message() {
        let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!(json[0]["outcome"], "passed");
        assert_eq!(json[1]["check"], "a_late_commit_is_refused");
        assert_eq!(json[1]["message"], "it was applied");
        assert!(!report().is_clean());
    }
}
