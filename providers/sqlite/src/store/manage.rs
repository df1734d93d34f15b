//! Deleting instances and pruning executions. A tree goes as a whole, through its root.

use super::instances::InstanceRow;
use super::sql::Sql;
use super::{Tx, inbox};
use crate::error::{Result, StoreError};
use duroxide_core::TimeMs;
use duroxide_provider::{Deleted, InstanceKey, PruneRule, Pruned, Selection};
use rusqlite::Connection;

/// What one transaction deletes or prunes of a bulk at most, so that turns get theirs.
pub(crate) const STEP: usize = 50;

/// A bulk operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bulk {
    /// Of roots that have ended.
    Delete,
    /// Of old executions, of any instance.
    Prune,
}

impl Bulk {
    /// The method.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Delete => "delete_many",
            Self::Prune => "prune",
        }
    }
}

/// Delete a root and all below it.
pub(crate) fn delete(tx: &Tx<'_>, (key, force): &(InstanceKey, bool)) -> Result<Deleted> {
    let row =
        InstanceRow::find(tx.sql, key)?.ok_or_else(|| StoreError::NotFound(key.to_string()))?;
    if row.parent.is_some() {
        let root = InstanceRow::load(tx.sql, row.root)?.map_or_else(String::new, |row| row.id);
        return Err(StoreError::Invalid(format!(
            "instance `{key}` is a child; delete its root `{root}` instead"
        )));
    }
    if row.running && !force {
        return Err(StoreError::Invalid(format!(
            "instance `{key}` is still running. Use force=true to delete it all the same"
        )));
    }
    delete_tree(tx, row.incarnation)
}

fn delete_tree(tx: &Tx<'_>, root: u64) -> Result<Deleted> {
    let members = tx.sql.all(
        "SELECT incarnation FROM instances WHERE incarnation = ?1
         UNION ALL SELECT incarnation FROM instances WHERE root = ?1 AND parent IS NOT NULL",
        [root],
        |row| row.get::<_, u64>(0),
    )?;
    let mut deleted = Deleted::default();
    for member in members {
        delete_one(tx, member, &mut deleted)?;
    }
    Ok(deleted)
}

fn delete_one(tx: &Tx<'_>, incarnation: u64, deleted: &mut Deleted) -> Result<()> {
    let Some(row) = InstanceRow::load(tx.sql, incarnation)? else { return Ok(()) };
    deleted.events += tx.sql.number(
        "SELECT sum(last_event - first_event + 1) FROM events WHERE incarnation = ?1",
        [incarnation],
    )?;
    deleted.instances += 1;
    deleted.executions +=
        tx.sql.run("DELETE FROM executions WHERE incarnation = ?1", [incarnation])? as u64;
    deleted.messages += inbox::clear(tx, incarnation)?;
    if tx.sql.run("DELETE FROM activities WHERE incarnation = ?1", [incarnation])? > 0 {
        // Whoever runs one is to stop.
        tx.announce();
    }
    for statement in [
        "DELETE FROM events WHERE incarnation = ?1",
        "DELETE FROM statuses WHERE incarnation = ?1",
        "DELETE FROM kv WHERE incarnation = ?1",
        "DELETE FROM kv_base WHERE incarnation = ?1",
        "DELETE FROM abandoned WHERE incarnation = ?1",
        "DELETE FROM instances WHERE incarnation = ?1",
    ] {
        tx.sql.run(statement, [incarnation])?;
    }
    tx.touched(row.key());
    Ok(())
}

/// Which instances a bulk operation begins with, after an incarnation.
pub(crate) fn select(
    sql: &Connection,
    selection: &Selection,
    bulk: Bulk,
    after: u64,
) -> Result<Vec<u64>> {
    let only_ended_roots = bulk == Bulk::Delete;
    let before = selection.completed_before.map(|time| time.0);
    match &selection.ids {
        // The caller's list: all of it at once.
        Some(ids) if after == 0 => {
            let mut found = Vec::new();
            for id in ids {
                found.extend(sql.one(
                    "SELECT incarnation FROM instances
                     WHERE ns = ?1 AND id = ?2 AND (?3 IS NULL OR ended_at < ?3)
                       AND (NOT ?4 OR (state <> 0 AND parent IS NULL))",
                    (&selection.namespace.0, id.as_str(), before, only_ended_roots),
                    |row| row.get::<_, u64>(0),
                )?);
            }
            found.sort_unstable();
            found.dedup();
            Ok(found)
        }
        Some(_) => Ok(Vec::new()),
        None => sql.all(
            "SELECT incarnation FROM instances
             WHERE incarnation > ?5 AND +ns = ?1 AND (?2 IS NULL OR ended_at < ?2)
               AND (NOT ?3 OR (state <> 0 AND parent IS NULL))
             ORDER BY incarnation LIMIT ?4",
            (&selection.namespace.0, before, only_ended_roots, STEP, after),
            |row| row.get(0),
        ),
    }
}

/// Delete these roots, as far as they have ended by now.
pub(crate) fn delete_ended(tx: &Tx<'_>, roots: &Vec<u64>) -> Result<Deleted> {
    let mut deleted = Deleted::default();
    for root in roots {
        let Some(row) = InstanceRow::load(tx.sql, *root)? else { continue };
        if row.running || row.parent.is_some() {
            continue;
        }
        let tree = delete_tree(tx, *root)?;
        deleted.instances += tree.instances;
        deleted.executions += tree.executions;
        deleted.events += tree.events;
        deleted.messages += tree.messages;
    }
    Ok(deleted)
}

/// Prune these instances.
pub(crate) fn prune(tx: &Tx<'_>, (instances, rule): &(Vec<u64>, PruneRule)) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for incarnation in instances {
        if let Some(row) = InstanceRow::load(tx.sql, *incarnation)? {
            prune_one(tx, &row, *rule, &mut pruned)?;
        }
    }
    Ok(pruned)
}

/// Everything the rule names must hold. The current execution is never pruned.
fn prune_one(tx: &Tx<'_>, row: &InstanceRow, rule: PruneRule, pruned: &mut Pruned) -> Result<()> {
    pruned.instances += 1;
    let newest_kept = rule.keep_last.unwrap_or(0).max(1);
    let last = row.execution.saturating_sub(newest_kept);
    let gone = tx.sql.all(
        "SELECT execution FROM executions
         WHERE incarnation = ?1 AND execution <= ?2 AND (?3 IS NULL OR ended_at < ?3)",
        (row.incarnation, last, rule.completed_before.map(|TimeMs(time)| time)),
        |row| row.get::<_, u64>(0),
    )?;
    for execution in gone {
        pruned.events += tx.sql.number(
            "SELECT sum(last_event - first_event + 1) FROM events
             WHERE incarnation = ?1 AND execution = ?2",
            (row.incarnation, execution),
        )?;
        tx.sql.run(
            "DELETE FROM events WHERE incarnation = ?1 AND execution = ?2",
            (row.incarnation, execution),
        )?;
        pruned.executions += tx.sql.run(
            "DELETE FROM executions WHERE incarnation = ?1 AND execution = ?2",
            (row.incarnation, execution),
        )? as u64;
    }
    Ok(())
}
