//! What came of a run of all checks: as a table for people, for a README, and as JSON.

use crate::expect::{CheckResult, Stop};
use crate::list::{Group, groups};
use serde::Serialize;
use std::fmt::{self, Write as _};

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

/// How many checks ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// The clause holds.
    pub passed: usize,
    /// It does not.
    pub failed: usize,
    /// It could not be checked.
    pub skipped: usize,
}

impl Tally {
    /// All of them.
    pub fn total(self) -> usize {
        self.passed + self.failed + self.skipped
    }

    fn of<'a>(lines: impl Iterator<Item = &'a Line>) -> Self {
        let mut tally = Self::default();
        for line in lines {
            match line.outcome {
                Outcome::Passed => tally.passed += 1,
                Outcome::Failed(_) => tally.failed += 1,
                Outcome::Skipped(_) => tally.skipped += 1,
            }
        }
        tally
    }
}

/// `passed/total (skipped)`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.skipped {
            0 => format!("{}/{}", self.passed, self.total()),
            skipped => format!("{}/{} ({skipped})", self.passed, self.total()),
        };
        f.pad(&text)
    }
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

    /// How many checks ended how.
    pub fn tally(&self) -> Tally {
        Tally::of(self.lines.iter())
    }

    /// How many checks of a group ended how.
    pub fn tally_of(&self, group: &str) -> Tally {
        Tally::of(self.lines.iter().filter(|line| line.group == group))
    }

    /// What could not be checked: each ability that the factory lacks, and how many checks
    /// need it.
    pub fn skipped(&self) -> Vec<(&str, usize)> {
        let mut abilities: Vec<(&str, usize)> = Vec::new();
        for line in &self.lines {
            if let Outcome::Skipped(ability) = &line.outcome {
                match abilities.iter_mut().find(|(known, _)| known == ability) {
                    Some((_, count)) => *count += 1,
                    None => abilities.push((ability, 1)),
                }
            }
        }
        abilities
    }

    /// A line per check, and the totals.
    pub fn table(&self) -> String {
        let width = self.lines.iter().map(|l| l.group.len() + l.check.len() + 2).max();
        let width = width.unwrap_or_default();
        let mut text = String::new();
        for line in &self.lines {
            let name = format!("{}::{}", line.group, line.check);
            let (word, message) = match &line.outcome {
                Outcome::Passed => ("ok", ""),
                Outcome::Failed(message) => ("FAILED", message.as_str()),
                Outcome::Skipped(ability) => ("skipped", ability.as_str()),
            };
            let _ = writeln!(text, "{}", format!("{name:width$}  {word:7}  {message}").trim_end());
        }
        let Tally { passed, failed, skipped } = self.tally();
        let _ = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
        text
    }

    /// A line per group with its title, the totals, then what was skipped and what failed.
    pub fn summary(&self) -> String {
        let groups = self.groups();
        let width = groups.iter().map(|(group, _)| group.title.chars().count()).max();
        let width = width.unwrap_or_default();
        let mut text = String::new();
        for (group, tally) in groups {
            let _ = writeln!(text, "{:width$}  {tally}", group.title);
        }
        let _ = writeln!(text, "{:width$}  {}", "In all", self.tally());
        text.push_str(&self.remarks());
        text
    }

    /// The same for a README: a Markdown table with a row per group, the totals, then what
    /// was skipped and what failed.
    pub fn markdown(&self) -> String {
        let mut text = "| Part of the contract | Passed | Failed | Skipped |\n".to_owned();
        text.push_str("|---|---:|---:|---:|\n");
        let mut row = |title: &str, Tally { passed, failed, skipped }: Tally| {
            let _ = writeln!(text, "| {title} | {passed} | {failed} | {skipped} |");
        };
        for (group, tally) in self.groups() {
            row(group.title, tally);
        }
        row("**In all**", self.tally());
        let remarks = self.remarks();
        if !remarks.is_empty() {
            let items: Vec<_> = remarks.lines().map(|line| format!("- {line}\n")).collect();
            let _ = write!(text, "\n{}", items.concat());
        }
        text
    }

    /// An array of `{group, check, outcome, message?}`.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.lines).unwrap_or_default()
    }

    fn groups(&self) -> Vec<(Group, Tally)> {
        let known = groups().iter().map(|group| (*group, self.tally_of(group.name)));
        known.filter(|(_, tally)| tally.total() > 0).collect()
    }

    /// What was skipped and why, and each failure with its message.
    fn remarks(&self) -> String {
        let mut text = String::new();
        for (ability, count) in self.skipped() {
            let _ = writeln!(text, "skipped {count}: {ability}");
        }
        for line in self.failed() {
            if let Outcome::Failed(message) = &line.outcome {
                let _ = writeln!(text, "FAILED {}::{}: {message}", line.group, line.check);
            }
        }
        text
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
                line("it_survives", Outcome::Skipped("no `reopen`".to_owned())),
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

    #[test]
    fn the_summary_counts_what_was_skipped_apart_from_what_passed() {
        let summary = report().summary();
        let lines: Vec<_> = summary.lines().collect();
        assert!(lines[0].starts_with("Leases and fencing: ") && lines[0].ends_with("  1/3 (1)"));
        assert!(lines[1].starts_with("In all ") && lines[1].ends_with("  1/3 (1)"));
        assert_eq!(lines[2], "skipped 1: no `reopen`");
        assert_eq!(lines[3], "FAILED leases::a_late_commit_is_refused: it was applied");
    }

    #[test]
    fn the_markdown_is_a_table_with_remarks_below() {
        let markdown = report().markdown();
        assert!(markdown.contains(" | 1 | 1 | 1 |\n| **In all** | 1 | 1 | 1 |\n\n- skipped 1: "));
    }
}
