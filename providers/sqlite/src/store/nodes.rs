//! Handles on a shared file: which there are, and what becomes of the work of a dead one.
//! Not here: how death is noticed (`liveness`).

use super::Tx;
use super::sql::Sql;
use crate::error::Result;
use duroxide_core::TimeMs;
use rusqlite::Connection;

/// A handle on the store: its number and the name of its lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeRow {
    pub(crate) owner: u64,
    pub(crate) lock: String,
}

/// Announce a handle. Its lock is held already.
pub(crate) fn join(tx: &Tx<'_>, lock: &String) -> Result<u64> {
    let owner = tx.next_number();
    tx.sql.run("INSERT INTO nodes (owner, lock) VALUES (?1, ?2)", (owner, lock))?;
    Ok(owner)
}

/// Every handle but this one.
pub(crate) fn others(sql: &Connection, owner: u64) -> Result<Vec<NodeRow>> {
    sql.all("SELECT owner, lock FROM nodes WHERE owner <> ?1", [owner], |row| {
        Ok(NodeRow { owner: row.get(0)?, lock: row.get(1)? })
    })
}

/// In a copy of a store: whoever held anything held it of the original. Nobody holds it here.
pub(crate) fn bury_all(sql: &Connection, now: TimeMs) -> Result<()> {
    sql.run(
        "UPDATE instances INDEXED BY instances_leased SET lease_until = min(lease_until, ?1)
         WHERE lease IS NOT NULL",
        [now.0],
    )?;
    sql.run(
        "UPDATE activities INDEXED BY activities_leased SET lease_until = min(lease_until, ?1)
         WHERE lease IS NOT NULL",
        [now.0],
    )?;
    sql.run("UPDATE sessions SET idle_until = 0", [])?;
    sql.run("DELETE FROM nodes", [])?;
    Ok(())
}

/// These handles are dead or leaving: their leases count as expired at once. What they
/// hold is theirs until it is taken over.
pub(crate) fn bury(tx: &Tx<'_>, owners: &[u64]) -> Result<()> {
    for owner in owners {
        tx.sql.run(
            "UPDATE instances INDEXED BY instances_leased SET lease_until = min(lease_until, ?2)
             WHERE lease IS NOT NULL AND owner = ?1",
            (owner, tx.now.0),
        )?;
        tx.sql.run(
            "UPDATE activities INDEXED BY activities_leased SET lease_until = min(lease_until, ?2)
             WHERE lease IS NOT NULL AND owner = ?1",
            (owner, tx.now.0),
        )?;
        tx.sql.run("UPDATE sessions SET idle_until = 0 WHERE owner = ?1", [owner])?;
        tx.sql.run("DELETE FROM nodes WHERE owner = ?1", [owner])?;
        tx.announce();
    }
    Ok(())
}
