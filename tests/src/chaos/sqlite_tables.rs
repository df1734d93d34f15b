//! The tables of a SQLite file. Not here: what is wrong with what stands in them (`oracle`).

use super::Result;
use super::tables::{Commit, Instance, LEFT_OVER, RUNNING, Snapshot, Tables};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A connection that only reads.
pub(crate) struct SqliteTables {
    sql: Connection,
    version: i64,
    progress: i64,
}

impl SqliteTables {
    /// On a file that exists.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let sql = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        sql.busy_timeout(Duration::from_secs(30))?;
        Ok(Self { sql, version: -1, progress: 0 })
    }

    fn number(&self, query: &str) -> Result<u64> {
        Ok(self.sql.query_row(query, [], |row| row.get(0))?)
    }
}

impl Tables for SqliteTables {
    fn progress(&mut self) -> Result<i64> {
        let version = self.sql.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if version != self.version {
            self.version = version;
            self.progress = self.sql.query_row(
                "SELECT ifnull(sum(execution * 1000000 + next_event), 0) FROM instances",
                [],
                |row| row.get(0),
            )?;
        }
        Ok(self.progress)
    }

    fn counts(&mut self) -> Result<(u64, u64)> {
        let all = self.number("SELECT count(*) FROM instances")?;
        Ok((all, self.number("SELECT count(*) FROM instances WHERE state = 0")?))
    }

    fn most_attempts(&mut self) -> Result<u64> {
        self.number("SELECT coalesce(max(attempt), 0) FROM instances")
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        let at_once = self.sql.transaction()?;
        let mut instances = at_once.prepare(
            "SELECT incarnation, id, state = 0, execution, next_event, status_version FROM instances",
        )?;
        let mut rows = instances.query([])?;
        while let Some(row) = rows.next()? {
            let instance = Instance {
                id: row.get(1)?,
                running: row.get(2)?,
                execution: row.get(3)?,
                next_event: row.get(4)?,
                status_version: row.get(5)?,
            };
            snapshot.instances.insert(row.get(0)?, instance);
        }
        let mut commits = at_once
            .prepare("SELECT incarnation, execution, first_event, last_event, bytes FROM events")?;
        let mut rows = commits.query([])?;
        while let Some(row) = rows.next()? {
            let commit = Commit { last_event: row.get(3)?, bytes: row.get(4)? };
            snapshot.commits.insert((row.get(0)?, row.get(1)?, row.get(2)?), commit);
        }
        Ok(snapshot)
    }

    fn running(&mut self) -> Result<Vec<String>> {
        let mut running = self.sql.prepare(RUNNING)?;
        let lines = running.query_map([], |row| row.get(0))?;
        Ok(lines.collect::<rusqlite::Result<_>>()?)
    }

    fn left_over(&mut self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for (what, query) in LEFT_OVER {
            let count = self.number(query)?;
            if count > 0 {
                left.push(format!("{count} {what}"));
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let sessions = format!("SELECT count(*) FROM sessions WHERE idle_until > {now}");
        let sessions = self.number(&sessions)?;
        if sessions > 0 {
            left.push(format!("{sessions} sessions that somebody owns"));
        }
        Ok(left)
    }

    fn handles(&mut self) -> Result<u64> {
        self.number("SELECT count(*) FROM nodes")
    }

    fn unsound(&mut self) -> Result<Vec<String>> {
        let mut check = self.sql.prepare("PRAGMA integrity_check")?;
        let lines = check.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }
}
