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

/// SQL for what must be nothing in the end: what is said of it, and how it is counted.
pub(super) const LEFT_OVER: [(&str, &str); 10] = [
    ("instances that are leased", "SELECT count(*) FROM instances WHERE lease IS NOT NULL"),
    ("instances that are ready", "SELECT count(*) FROM instances WHERE ready_at IS NOT NULL"),
    ("instances with news on offer", "SELECT count(*) FROM instances WHERE offer IS NOT NULL"),
    ("instances in quarantine", "SELECT count(*) FROM instances WHERE quarantine IS NOT NULL"),
    ("executions that have not ended", "SELECT count(*) FROM executions WHERE state = 0"),
    ("messages", "SELECT count(*) FROM inbox"),
    ("activities", "SELECT count(*) FROM activities"),
    ("values of an execution before", "SELECT count(*) FROM kv_base"),
    (
        "commits that were given up and could still come",
        "SELECT count(*) FROM abandoned JOIN instances USING (incarnation) WHERE state = 0",
    ),
    (
        "rows of nobody",
        "SELECT count(*) FROM (
           SELECT incarnation FROM executions UNION ALL SELECT incarnation FROM events
           UNION ALL SELECT incarnation FROM statuses UNION ALL SELECT incarnation FROM kv
           UNION ALL SELECT incarnation FROM abandoned) AS rows
         WHERE incarnation NOT IN (SELECT incarnation FROM instances)",
    ),
];

/// SQL for the first instances that have not ended.
pub(super) const RUNNING: &str = "
  SELECT id || ': execution ' || execution || ', next event ' || next_event
    || ', ready at ' || coalesce(CAST(ready_at AS text), 'no time')
    || CASE WHEN lease IS NULL THEN '' ELSE ', leased until ' || lease_until
         || ' by ' || coalesce(node, 'nobody') END
    || ', attempt ' || attempt || ', messages ' || (SELECT count(*) FROM inbox AS m WHERE m.incarnation = i.incarnation)
    || ', activities ' || (SELECT count(*) FROM activities AS a WHERE a.incarnation = i.incarnation)
    || ', of these leased '
    || (SELECT count(lease) FROM activities AS a WHERE a.incarnation = i.incarnation)
  FROM instances AS i WHERE state = 0 ORDER BY incarnation LIMIT 20";

/// An observer of a store.
pub trait Tables: Send {
    /// A number that grows with every turn that is committed.
    fn progress(&mut self) -> Result<i64>;
    /// How many instances there are, and how many of them have not ended.
    fn counts(&mut self) -> Result<(u64, u64)>;
    /// How often the turn was begun that was begun most often and has not been committed.
    fn most_attempts(&mut self) -> Result<u64>;
    /// Everything that was committed.
    fn snapshot(&mut self) -> Result<Snapshot>;
    /// A line for each of the first instances that have not ended: what it has, and who has it.
    fn running(&mut self) -> Result<Vec<String>>;
    /// What stands in the tables and has no business there once all have ended: a line for each
    /// table or column, and how much.
    fn left_over(&mut self) -> Result<Vec<String>>;
    /// Those of the dead processes, which the living clear away.
    fn handles(&mut self) -> Result<u64>;
    /// What the database itself says is wrong with it.
    fn unsound(&mut self) -> Result<Vec<String>>;
}
