//! The tables, and how an older store becomes a present one. Not here: what the rows mean
//! to the contract; each file of `store` owns its tables.
//!
//! Every name that callers choose stands behind a namespace. Rows that only wait for
//! something are found by partial indexes, so that ended work costs nothing.

use crate::error::{Result, StoreError};
use crate::store::sql::Sql;
use rusqlite::Connection;

/// The newest schema this build writes.
pub(crate) const SCHEMA_VERSION: u32 = 4;
/// The oldest build that may use it. One of schema 1 does everything right but for the phrase of
/// what an instance waits on, which it leaves as it was; one of schema 2 does not say which node
/// holds what, so that the nodes of its handle count as one; one of schema 3 counts no ownerships
/// of sessions, and asks nobody under which a lease was given.
const MIN_READER_VERSION: u32 = 1;
/// Marks the file as ours (`PRAGMA application_id`): "DURX".
const APPLICATION_ID: i64 = 0x4455_5258;

/// Step `n` brings a store of version `n` to `n + 1`.
pub(crate) const MIGRATIONS: [&str; SCHEMA_VERSION as usize] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

/// Create or migrate. The caller holds the writer lock and no transaction.
pub(crate) fn migrate(sql: &Connection) -> Result<()> {
    sql.execute_batch("BEGIN IMMEDIATE")?;
    match migrate_inside(sql) {
        Ok(()) => Ok(sql.execute_batch("COMMIT")?),
        Err(error) => {
            sql.execute_batch("ROLLBACK")?;
            Err(error)
        }
    }
}

fn migrate_inside(sql: &Connection) -> Result<()> {
    let version = check(sql)?;
    for step in MIGRATIONS.iter().skip(version as usize) {
        sql.execute_batch(step)?;
    }
    if version < SCHEMA_VERSION {
        sql.pragma_update(None, "application_id", APPLICATION_ID)?;
        sql.run(
            "UPDATE store SET schema_version = ?1, min_reader_version = ?2",
            [SCHEMA_VERSION, MIN_READER_VERSION],
        )?;
    }
    Ok(())
}

/// The schema version of a store this build may use; 0 for an empty file.
pub(crate) fn check(sql: &Connection) -> Result<u32> {
    let application: i64 = sql.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID {
        let tables = sql
            .one("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, u64>(0))?
            .unwrap_or(0);
        return if tables == 0 {
            Ok(0)
        } else {
            Err(StoreError::Unusable("the database belongs to another application".to_owned()))
        };
    }
    let (version, min_reader) = sql
        .one("SELECT schema_version, min_reader_version FROM store", [], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?))
        })?
        .ok_or_else(|| {
            StoreError::corrupt("store", "the row with the schema version is missing")
        })?;
    // A newer store that older builds may still use says so by its minimum reader version.
    if min_reader > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema { found: version, known: SCHEMA_VERSION });
    }
    Ok(version)
}
