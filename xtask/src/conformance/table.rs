//! The outcomes of all providers side by side: a line per group, then what was skipped, what
//! failed and what was not run; and the same, check by check, as JSON.

use super::Group;
use super::read::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Outcomes by `group::check`.
type Outcomes = BTreeMap<String, Outcome>;

/// The table.
pub(crate) struct Table {
    groups: Vec<Group>,
    columns: Vec<(&'static str, Outcomes)>,
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    not_run: usize,
}

impl Tally {
    fn add(&mut self, outcome: Option<&Outcome>) {
        match outcome {
            Some(Outcome::Passed) => self.passed += 1,
            Some(Outcome::Failed(_)) => self.failed += 1,
            Some(Outcome::Skipped(_)) => self.skipped += 1,
            None => self.not_run += 1,
        }
    }

    /// `passed/total`, and how many were skipped.
    fn cell(self) -> String {
        let total = self.passed + self.failed + self.skipped + self.not_run;
        match self.skipped {
            0 => format!("{}/{total}", self.passed),
            skipped => format!("{}/{total} ({skipped})", self.passed),
        }
    }
}

impl Table {
    pub(crate) fn new(groups: Vec<Group>) -> Self {
        Self { groups, columns: Vec::new() }
    }

    /// One provider more.
    pub(crate) fn push(&mut self, name: &'static str, outcomes: Outcomes) {
        self.columns.push((name, outcomes));
    }

    /// Checks that failed, or that should have been run and were not.
    pub(crate) fn complaints(&self) -> usize {
        let all = self.columns.iter().map(|(_, outcomes)| self.tally(outcomes, None));
        all.map(|tally| tally.failed + tally.not_run).sum()
    }

    fn tally(&self, outcomes: &Outcomes, of: Option<&Group>) -> Tally {
        let mut tally = Tally::default();
        for group in self.groups.iter().filter(|group| of.is_none_or(|of| of.name == group.name)) {
            for check in &group.checks {
                tally.add(outcomes.get(&format!("{}::{check}", group.name)));
            }
        }
        tally
    }

    /// For people, and for a page: it is Markdown.
    pub(crate) fn text(&self) -> String {
        let mut rows = vec![vec!["passed/total (skipped)".to_owned()]];
        rows[0].extend(self.columns.iter().map(|(name, _)| (*name).to_owned()));
        for group in &self.groups {
            let cells = self.columns.iter().map(|(_, found)| self.tally(found, Some(group)).cell());
            rows.push(std::iter::once(group.title.clone()).chain(cells).collect());
        }
        let totals = self.columns.iter().map(|(_, found)| self.tally(found, None).cell());
        rows.push(std::iter::once("In all".to_owned()).chain(totals).collect());
        let mut text = aligned(&rows);
        text.push('\n');
        for remark in self.remarks() {
            let _ = writeln!(text, "{remark}");
        }
        text
    }

    /// What was skipped and why, counted; each check that failed or was not run.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (name, outcomes) in &self.columns {
            let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
            for outcome in outcomes.values() {
                if let Outcome::Skipped(why) = outcome {
                    *skipped.entry(why).or_default() += 1;
                }
            }
            remarks.extend(skipped.iter().map(|(why, n)| format!("{name}: {n} skipped: {why}")));
        }
        for (name, outcomes) in &self.columns {
            for check in self.checks() {
                match outcomes.get(&check) {
                    Some(Outcome::Failed(why)) => {
                        remarks.push(format!("{name}: FAILED {check}: {why}"));
                    }
                    None => remarks.push(format!("{name}: NOT RUN {check}")),
                    Some(Outcome::Passed | Outcome::Skipped(_)) => {}
                }
            }
        }
        remarks
    }

    fn checks(&self) -> impl Iterator<Item = String> {
        self.groups.iter().flat_map(|group| {
            group.checks.iter().map(move |check| format!("{}::{check}", group.name))
        })
    }

    /// `{groups: [{name, title}], providers: [{name, passed, failed, skipped, not_run,
    /// checks: [{check, outcome, message?}]}]}`.
    pub(crate) fn json(&self) -> String {
        let group = |group: &Group| json!({ "name": group.name, "title": group.title });
        let groups: Vec<Value> = self.groups.iter().map(group).collect();
        let provider = |(name, outcomes): &(&'static str, Outcomes)| {
            let Tally { passed, failed, skipped, not_run } = self.tally(outcomes, None);
            let checks: Vec<Value> = self
                .checks()
                .map(|check| match outcomes.get(&check) {
                    Some(Outcome::Passed) => json!({ "check": check, "outcome": "passed" }),
                    Some(Outcome::Failed(why)) => {
                        json!({ "check": check, "outcome": "failed", "message": why })
                    }
                    Some(Outcome::Skipped(why)) => {
                        json!({ "check": check, "outcome": "skipped", "message": why })
                    }
                    None => json!({ "check": check, "outcome": "not_run" }),
                })
                .collect();
            json!({
                "name": name, "passed": passed, "failed": failed, "skipped": skipped,
                "not_run": not_run, "checks": checks,
            })
        };
        let providers: Vec<Value> = self.columns.iter().map(provider).collect();
        format!("{:#}\n", json!({ "groups": groups, "providers": providers }))
    }
}

/// A Markdown table with columns that are also columns to the eye.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |n: usize| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (n, cell) in row.iter().enumerate() {
            let width = width(n);
            let _ = match n {
                0 => write!(text, "| {cell:width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if number == 0 {
            let dashes = |n: usize| "-".repeat(width(n) + 1);
            let _ = write!(text, "|{}-", dashes(0));
            (1..columns).for_each(|n| {
                let _ = write!(text, "|{}:", dashes(n));
            });
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let (name, title) = ("leases".to_owned(), "Leases: one holder".to_owned());
        let checks = ["one", "two", "three", "four"].map(str::to_owned).into();
        let mut table = Table::new(vec![Group { name, title, checks }]);
        let outcomes = [
            ("leases::one", Outcome::Passed),
            ("leases::two", Outcome::Failed("got 2".to_owned())),
            ("leases::three", Outcome::Skipped("the factory has no `reopen`".to_owned())),
        ];
        table.push("file", outcomes.map(|(check, outcome)| (check.to_owned(), outcome)).into());
        table
    }

    #[test]
    fn a_group_has_a_line_and_what_did_not_pass_is_named_below() {
        let want = "\
            | passed/total (skipped) |    file |\n\
            |------------------------|--------:|\n\
            | Leases: one holder     | 1/4 (1) |\n\
            | In all                 | 1/4 (1) |\n\
            \n\
            file: 1 skipped: the factory has no `reopen`\n\
            file: FAILED leases::two: got 2\n\
            file: NOT RUN leases::four\n";
        assert_eq!(table().text(), want);
    }

    #[test]
    fn what_failed_and_what_was_not_run_are_complaints_and_what_was_skipped_is_none() {
        assert_eq!(table().complaints(), 2);
    }

    #[test]
    fn the_json_has_every_check() {
        let json: Value = serde_json::from_str(&table().json()).expect("JSON");
        let provider = &json["providers"][0];
        assert_eq!(provider["not_run"], 1);
        assert_eq!(provider["checks"][1]["message"], "got 2");
        assert_eq!(provider["checks"][3]["outcome"], "not_run");
    }
}
