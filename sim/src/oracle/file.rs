//! Oracles "integrity" and "rows": in the end SQLite finds its file whole, and there is no
//! row in it that nothing needs. Not here: whose file that is (`store`).
//!
//! SQLite has no checksums: a bit that has changed within a value leaves the file whole.

use crate::wrong::{Verdict, Wrong};
use rusqlite::Connection;

const INTEGRITY: &str = "integrity";
const ROWS: &str = "rows";

/// Rows that nothing needs when everything has ended, and nobody would ever remove.
const LEFT_OVER: [(&str, &str); 9] = [
    ("messages", "inbox"),
    ("activities", "activities"),
    ("instances that are held, or have something to do", {
        "instances WHERE lease IS NOT NULL OR ready_at IS NOT NULL"
    }),
    ("executions of nobody", {
        "executions WHERE incarnation NOT IN (SELECT incarnation FROM instances)"
    }),
    ("events of no execution", {
        "events WHERE (incarnation, execution) NOT IN
             (SELECT incarnation, execution FROM executions)"
    }),
    ("statuses of nobody", {
        "statuses WHERE incarnation NOT IN (SELECT incarnation FROM instances)"
    }),
    ("values of nobody", "kv WHERE incarnation NOT IN (SELECT incarnation FROM instances)"),
    ("values of nobody, of an execution before", {
        "kv_base WHERE incarnation NOT IN (SELECT incarnation FROM instances)"
    }),
    ("commits of nobody that were given up", {
        "abandoned WHERE incarnation NOT IN (SELECT incarnation FROM instances)"
    }),
];

/// What must hold of the file. One that cannot even be read is not whole.
pub(crate) fn is_whole_and_empty(sql: &Connection) -> Verdict {
    let said = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    let said: String = said.map_err(|error| Wrong::of(INTEGRITY, error.to_string()))?;
    if said != "ok" {
        return Err(Wrong::of(INTEGRITY, said));
    }
    for (what, rows) in LEFT_OVER {
        let query = format!("SELECT count(*) FROM {rows}");
        let found: i64 = sql.query_row(&query, [], |row| row.get(0))?;
        if found > 0 {
            return Err(Wrong::of(ROWS, format!("{found} rows are left: {what}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
