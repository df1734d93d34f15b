//! The histories that stand in the tables, read by the core's own reader. Not here: what is
//! wrong with them (`oracle`).

use super::tables::{Commit, Snapshot};
use duroxide_core::{Event, decode_event, render};
use std::collections::BTreeMap;
use std::fmt;

/// The events of an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Execution {
    /// In the order in which they stand.
    pub events: Vec<Event>,
}

/// All executions, by instance and number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histories {
    /// By id and number.
    pub executions: BTreeMap<(String, u64), Execution>,
    /// What could not be read, and commits that do not follow each other.
    pub unreadable: Vec<String>,
}

impl Histories {
    /// Those of a snapshot.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut histories = Self::default();
        for ((incarnation, number, first), commit) in &snapshot.commits {
            let Some(instance) = snapshot.instances.get(incarnation) else {
                histories.unreadable.push(format!("events of {incarnation}, which is nobody"));
                continue;
            };
            let of = format!("`{}`, execution {number}", instance.id);
            let execution = histories.executions.entry((instance.id.clone(), *number)).or_default();
            if execution.events.len() as u64 + 1 != *first {
                let there = execution.events.len();
                histories.unreadable.push(format!("{of}: event {first} after {there}"));
            }
            if let Err(problem) = append(execution, commit) {
                histories.unreadable.push(format!("{of}: {problem}"));
            }
            if execution.events.last().is_none_or(|last| last.id.0 != commit.last_event) {
                histories.unreadable.push(format!("{of}: no event {}", commit.last_event));
            }
        }
        histories
    }

    /// Every event with where it stands.
    pub fn events(&self) -> impl Iterator<Item = (&str, u64, &Event)> {
        self.executions.iter().flat_map(|((id, number), execution)| {
            execution.events.iter().map(move |event| (id.as_str(), *number, event))
        })
    }

    /// The last event of an instance, and in which execution it is.
    #[must_use]
    pub fn last_event(&self, id: &str) -> Option<(u64, &Event)> {
        let range = (id.to_owned(), 0)..=(id.to_owned(), u64::MAX);
        let ((_, number), execution) = self.executions.range(range).next_back()?;
        Some((*number, execution.events.last()?))
    }
}

impl fmt::Display for Histories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((id, number), execution) in &self.executions {
            writeln!(f, "`{id}`, execution {number}\n{}", render(&execution.events))?;
        }
        Ok(())
    }
}

fn append(execution: &mut Execution, commit: &Commit) -> Result<(), String> {
    for line in commit.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        execution.events.push(decode_event(line).map_err(|error| error.to_string())?);
    }
    Ok(())
}
