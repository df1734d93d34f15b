//! What stands in the store, read for people and clients. Nothing here reads a whole
//! history; that is `history::events`.

use super::history::kv_entry;
use super::instances::{InstanceRow, State};
use super::sql::{Next, Sql};
use super::unclaimed;
use crate::error::{Result, StoreError};
use duroxide_core::{ExecutionId, InstanceId, KvEntry, TimeMs, Undecodable};
use duroxide_provider::{
    ExecutionInfo, InstanceInfo, InstanceKey, InstanceState, InstanceStats, InstanceTree,
    ListFilter, Page, QueueDepths, SystemMetrics, Work,
};
use rusqlite::Connection;

/// The instance.
pub(crate) fn instance(
    sql: &Connection,
    key: &InstanceKey,
    now: TimeMs,
) -> Result<Option<InstanceInfo>> {
    let found = sql.one(
        "SELECT i.name, i.version, i.execution, i.state, e.outcome, s.status, i.status_version,
           i.parent_id, i.created_at, i.updated_at, i.revision, i.quarantine, i.waiting,
           i.incarnation, i.last_commit IS NULL,
           iif(i.lease IS NULL, i.ready_at, max(i.ready_at, i.lease_until))
         FROM instances AS i
         JOIN executions AS e ON e.incarnation = i.incarnation AND e.execution = i.execution
         LEFT JOIN statuses AS s ON s.incarnation = i.incarnation
         WHERE i.ns = ?1 AND i.id = ?2",
        (&key.namespace.0, key.id.as_str()),
        |row| {
            let (first, since) = (row.get(14)?, row.get::<_, Option<u64>>(15)?);
            let ready = since.filter(|since| *since <= now.0);
            let info = InstanceInfo {
                key: key.clone(),
                name: row.get(0)?,
                version: row.get(1)?,
                execution: ExecutionId(row.get(2)?),
                state: InstanceState::Running,
                custom_status: row.get(5)?,
                custom_status_version: row.get(6)?,
                parent: row.get::<_, Option<String>>(7)?.map(InstanceId),
                created_at: TimeMs(row.get(8)?),
                updated_at: TimeMs(row.get(9)?),
                revision: row.get(10)?,
                quarantined: row.get(11)?,
                waiting: row.get(12)?,
                unclaimed: ready
                    .map(|since| unclaimed::since(TimeMs(since), now, Work::Turn { first })),
            };
            Ok((info, row.get::<_, Option<Vec<u8>>>(4)?, row.get(13)?))
        },
    )?;
    let Some((mut info, outcome, incarnation)) = found else { return Ok(None) };
    info.state = state(key, outcome)?;
    if !info.state.is_terminal() && info.quarantined.is_none() {
        let activity = unclaimed::activity(sql, incarnation, now)?;
        info.unclaimed = unclaimed::oldest(info.unclaimed, activity);
    }
    Ok(Some(info))
}

fn state(key: &InstanceKey, outcome: Option<Vec<u8>>) -> Result<InstanceState> {
    match outcome {
        None => Ok(InstanceState::Running),
        Some(outcome) => serde_json::from_slice(&outcome).map_err(|error| {
            StoreError::corrupt(key.to_string(), format!("outcome: {}", Undecodable::from(error)))
        }),
    }
}

/// The executions, in order.
pub(crate) fn executions(sql: &Connection, key: &InstanceKey) -> Result<Vec<ExecutionInfo>> {
    let Some(row) = InstanceRow::find(sql, key)? else { return Ok(Vec::new()) };
    let mut executions = Vec::new();
    sql.each(
        "SELECT execution, outcome, started_at, ended_at, events FROM executions
         WHERE incarnation = ?1 ORDER BY execution",
        [row.incarnation],
        |found| {
            let ended_at = found.get::<_, Option<u64>>(3)?;
            executions.push(ExecutionInfo {
                execution: ExecutionId(found.get(0)?),
                state: state(key, found.get(1)?)?,
                started_at: TimeMs(found.get(2)?),
                completed_at: ended_at.map(TimeMs),
                event_count: if ended_at.is_some() { found.get(4)? } else { row.next_event - 1 },
            });
            Ok(Next::More)
        },
    )?;
    Ok(executions)
}

/// The key-value pairs as the latest commit left them.
pub(crate) fn kv(sql: &Connection, key: &InstanceKey) -> Result<Vec<KvEntry>> {
    let Some(row) = InstanceRow::find(sql, key)? else { return Ok(Vec::new()) };
    sql.all(
        "SELECT key, value, updated_at FROM kv WHERE incarnation = ?1 ORDER BY key",
        [row.incarnation],
        kv_entry,
    )
}

/// Ids in their order.
pub(crate) fn list(
    sql: &Connection,
    filter: &ListFilter,
    after: Option<&InstanceId>,
    limit: usize,
) -> Result<Page> {
    let state = match &filter.status {
        None => None,
        Some(name) => Some(State::named(name).ok_or_else(|| {
            StoreError::Invalid(format!(
                "unknown status `{name}`; one of Running, Completed, Failed, Terminated"
            ))
        })?),
    };
    let mut ids = sql.all(
        "SELECT id FROM instances
         WHERE ns = ?1 AND id > ?2 AND (?3 IS NULL OR state = ?3)
         ORDER BY id LIMIT ?4",
        (
            &filter.namespace.0,
            after.map_or("", InstanceId::as_str),
            state.map(State::code),
            limit.saturating_add(1).min(1 << 30),
        ),
        |row| row.get(0).map(InstanceId),
    )?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = if more { ids.last().cloned() } else { None };
    Ok(Page { ids, next })
}

/// The whole tree that an instance belongs to.
pub(crate) fn tree(sql: &Connection, key: &InstanceKey) -> Result<Option<InstanceTree>> {
    let Some(row) = InstanceRow::find(sql, key)? else { return Ok(None) };
    // A child is made after its parent, and so has the higher number.
    let ids = sql.all(
        "SELECT id FROM (
           SELECT incarnation, id FROM instances WHERE incarnation = ?1
           UNION ALL
           SELECT incarnation, id FROM instances WHERE root = ?1 AND parent IS NOT NULL)
         ORDER BY incarnation",
        [row.root],
        |row| row.get(0).map(InstanceId),
    )?;
    Ok(ids.first().cloned().map(|root| InstanceTree { root, ids }))
}

/// Sizes of one instance.
pub(crate) fn stats(sql: &Connection, key: &InstanceKey) -> Result<Option<InstanceStats>> {
    let Some(row) = InstanceRow::find(sql, key)? else { return Ok(None) };
    let (kv_keys, kv_bytes) = sql
        .one(
            "SELECT count(*), ifnull(sum(octet_length(value)), 0) FROM kv WHERE incarnation = ?1",
            [row.incarnation],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .unwrap_or((0, 0));
    Ok(Some(InstanceStats {
        history_events: row.next_event - 1,
        history_bytes: sql.number(
            "SELECT sum(length(bytes)) FROM events WHERE incarnation = ?1 AND execution = ?2",
            (row.incarnation, row.execution),
        )?,
        pending_messages: sql.number(
            "SELECT count(*) FROM inbox WHERE incarnation = ?1 AND seen = 0 AND kind = 4",
            [row.incarnation],
        )? + sql.number(
            "SELECT count(*) FROM inbox WHERE incarnation = ?1 AND seen = 1",
            [row.incarnation],
        )?,
        kv_keys,
        kv_bytes,
    }))
}

/// Counts of the store.
pub(crate) fn metrics(sql: &Connection) -> Result<SystemMetrics> {
    let mut metrics = SystemMetrics {
        executions: sql.number("SELECT count(*) FROM executions", [])?,
        events: sql.number("SELECT sum(events) FROM executions", [])?
            + sql.number("SELECT sum(next_event - 1) FROM instances WHERE state = 0", [])?,
        ..SystemMetrics::default()
    };
    sql.each("SELECT state, count(*) FROM instances GROUP BY state", [], |row| {
        let (state, count) = (row.get::<_, u8>(0)?, row.get::<_, u64>(1)?);
        metrics.instances += count;
        for (of, place) in [
            (State::Running, &mut metrics.running),
            (State::Completed, &mut metrics.completed),
            (State::Failed, &mut metrics.failed),
            (State::Terminated, &mut metrics.terminated),
        ] {
            if of.code() == state {
                *place = count;
            }
        }
        Ok(Next::More)
    })?;
    Ok(metrics)
}

/// How much waits.
pub(crate) fn depths(sql: &Connection, now: TimeMs) -> Result<QueueDepths> {
    Ok(QueueDepths {
        orchestrations: sql
            .number("SELECT count(*) FROM instances WHERE ready_at <= ?1", [now.0])?,
        activities: sql.number("SELECT count(*) FROM activities WHERE lease IS NULL", [])?,
        timers: sql
            .number("SELECT count(*) FROM inbox WHERE kind = 2 AND visible_at > ?1", [now.0])?,
    })
}
