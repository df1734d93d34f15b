//! When the passing of time next makes something ready.

use super::sql::Sql;
use crate::error::Result;
use rusqlite::Connection;

/// The earliest time after `after` at which an instance or activity becomes ready, a lease
/// on something ready runs out, or a session that others wait for may move.
pub(crate) fn next_due(sql: &Connection, after: u64) -> Result<Option<u64>> {
    let times = [
        sql.one("SELECT min(ready_at) FROM instances WHERE ready_at > ?1", [after], first)?,
        sql.one(
            "SELECT min(lease_until) FROM instances
             WHERE lease IS NOT NULL AND lease_until > ?1 AND ready_at <= lease_until",
            [after],
            first,
        )?,
        sql.one(
            "SELECT min(visible_at) FROM activities WHERE lease IS NULL AND visible_at > ?1",
            [after],
            first,
        )?,
        sql.one(
            "SELECT min(lease_until) FROM activities WHERE lease IS NOT NULL AND lease_until > ?1",
            [after],
            first,
        )?,
        sql.one(
            // Not only of its own: what waits may wait for a node to own one session less.
            "SELECT min(idle_until) FROM sessions WHERE idle_until > ?1 AND EXISTS (
               SELECT 1 FROM activities WHERE session IS NOT NULL AND lease IS NULL)",
            [after],
            first,
        )?,
    ];
    Ok(times.into_iter().flatten().flatten().min())
}

fn first(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<u64>> {
    row.get(0)
}
