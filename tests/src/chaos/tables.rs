//! A store's tables as an observer reads them, past the provider. Not here: which tables
//! and columns those are (`sqlite`, `postgres`).

use super::Result;
use std::collections::BTreeMap;

/// A row of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Whether it has not ended.
    pub running: bool,
    /// Its current execution.
    pub execution: u64,
    /// The event that comes next.
    pub next_event: u64,
    /// How often its status changed.
    pub status_version: u64,
}

/// Where a commit's events stand: incarnation, execution, first event.
pub type CommitKey = (u64, u64, u64);

/// A commit's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its last event.
    pub last_event: u64,
    /// Its events, one to a line.
    pub bytes: Vec<u8>,
}

/// What stands in the tables at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By incarnation.
    pub instances: BTreeMap<u64, Instance>,
    /// Every commit of every execution.
    pub commits: BTreeMap<CommitKey, Commit>,
}

impl Snapshot {
    /// What of an earlier moment is gone or other than it was: nothing that was committed
    /// may be.
    #[must_use]
    pub fn unlike(&self, earlier: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (key, commit) in &earlier.commits {
            match self.commits.get(key) {
                Some(now) if now == commit => {}
                Some(_) => wrong.push(format!("the commit {key:?} was written anew")),
                None => wrong.push(format!("the commit {key:?} is gone")),
            }
        }
        for (incarnation, before) in &earlier.instances {
            let Some(now) = self.instances.get(incarnation) else {
                wrong.push(format!("`{}` is gone", before.id));
                continue;
            };
            let place = |row: &Instance| (row.execution, row.next_event);
            if place(now) < place(before) {
                let (then, now) = (place(before), place(now));
                wrong.push(format!("`{}` went back from {then:?} to {now:?}", before.id));
            }
            if now.status_version < before.status_version {
                wrong.push(format!("the status of `{}` went back", before.id));
            }
            if now.running && !before.running {
                wrong.push(format!("`{}` had ended and runs again", before.id));
            }
            if !before.running && now != before {
                wrong.push(format!("`{}` had ended and changed", before.id));
            }
        }
        wrong
    }
}

/// An observer of a store.
pub trait Tables: Send {
    /// A number that grows with every turn that is committed.
    fn progress(&mut self) -> Result<i64>;
    /// How many instances there are, and how many of them have not ended.
    fn counts(&mut self) -> Result<(u64, u64)>;
    /// Everything that was committed.
    fn snapshot(&mut self) -> Result<Snapshot>;
    /// What stands in the tables and has no business there once all have ended: a line for each
    /// table or column, and how much.
    fn left_over(&mut self) -> Result<Vec<String>>;
    /// Those of the dead processes, which the living clear away.
    fn handles(&mut self) -> Result<u64>;
    /// What the database itself says is wrong with it.
    fn unsound(&mut self) -> Result<Vec<String>>;
}
