//! Work that is ready and that nobody holds: of one instance, for its status, and the names
//! of all of it, for nodes that look for work nobody can do. Reads indexes only.

use super::sessions;
use super::sql::{Next, Sql};
use crate::error::Result;
use duroxide_core::TimeMs;
use duroxide_provider::{Unclaimed, UnclaimedName, UnclaimedNames, Work};
use rusqlite::{Connection, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many ready instances are looked at for their names, the longest ready first; and how many
/// activities of a name.
const READY: usize = 1_000;
/// How many names of activities are looked at.
const NAMES: usize = 1_000;

/// The oldest activity of an instance that is ready and that nobody holds; of equally old ones
/// the one that was scheduled first.
pub(crate) fn activity(
    sql: &Connection,
    incarnation: u64,
    now: TimeMs,
) -> Result<Option<Unclaimed>> {
    let queued = sql.one(
        "SELECT visible_at, name, tag, session, seq FROM activities
         WHERE incarnation = ?1 AND lease IS NULL AND visible_at <= ?2
         ORDER BY visible_at, seq LIMIT 1",
        (incarnation, now.0),
        |row| found(row, now),
    )?;
    // Attempts that died, and that nobody has taken over: few, whatever waits.
    let lost = sql.one(
        "SELECT max(visible_at, lease_until) AS since, name, tag, session, seq
         FROM activities INDEXED BY activities_leased
         WHERE lease IS NOT NULL AND lease_until <= ?2 AND incarnation = ?1
         ORDER BY since, seq LIMIT 1",
        (incarnation, now.0),
        |row| found(row, now),
    )?;
    let oldest = queued.into_iter().chain(lost).min_by_key(|(found, seq)| (found.since, *seq));
    Ok(oldest.map(|(found, _)| found))
}

fn found(row: &Row<'_>, now: TimeMs) -> rusqlite::Result<(Unclaimed, u64)> {
    let work = Work::Activity { name: row.get(1)?, tag: row.get(2)?, session: row.get(3)? };
    Ok((since(TimeMs(row.get(0)?), now, work), row.get(4)?))
}

/// Work that waits since then.
pub(crate) fn since(since: TimeMs, now: TimeMs, work: Work) -> Unclaimed {
    Unclaimed { work, since, age: Duration::from_millis(now.0.saturating_sub(since.0)) }
}

/// The one that waits for longer.
pub(crate) fn oldest(one: Option<Unclaimed>, other: Option<Unclaimed>) -> Option<Unclaimed> {
    one.into_iter().chain(other).min_by_key(|unclaimed| unclaimed.since)
}

/// See [`Inspect::unclaimed`](duroxide_provider::Inspect::unclaimed).
pub(crate) fn names(sql: &Connection, now: TimeMs) -> Result<UnclaimedNames> {
    Ok(UnclaimedNames {
        orchestrations: orchestrations(sql, now)?,
        activities: activities(sql, now)?,
        store_now: now,
    })
}

fn orchestrations(sql: &Connection, now: TimeMs) -> Result<Vec<UnclaimedName>> {
    let mut oldest: BTreeMap<(String, Option<String>), u64> = BTreeMap::new();
    let mut looked_at = 0;
    sql.each(
        "SELECT name, version, max(ready_at, iif(lease IS NULL, 0, lease_until)) FROM instances
         WHERE ready_at <= ?1 AND (lease IS NULL OR lease_until <= ?1) ORDER BY ready_at",
        [now.0],
        |row| {
            let (name, since) = ((row.get(0)?, row.get(1)?), row.get::<_, u64>(2)?);
            oldest.entry(name).and_modify(|first| *first = since.min(*first)).or_insert(since);
            looked_at += 1;
            Ok(if looked_at < READY { Next::More } else { Next::Enough })
        },
    )?;
    let named = |((name, version), since)| UnclaimedName { name, version, since: TimeMs(since) };
    Ok(oldest.into_iter().map(named).collect())
}

/// What is held: the names, and until when what is queued may wait behind it.
struct HeldNames {
    names: BTreeSet<String>,
    /// The youngest that each node holds.
    youngest: BTreeMap<(u64, Option<String>), u64>,
}

impl HeldNames {
    fn read(sql: &Connection, now: TimeMs) -> Result<Self> {
        let mut held = Self { names: BTreeSet::new(), youngest: BTreeMap::new() };
        sql.each(
            "SELECT name, owner, node, visible_at FROM activities
             WHERE lease IS NOT NULL AND lease_until > ?1",
            [now.0],
            |row| {
                held.names.insert(row.get(0)?);
                let (holder, visible_at) = ((row.get(1)?, row.get(2)?), row.get::<_, u64>(3)?);
                let youngest = held.youngest.entry(holder).or_insert(visible_at);
                *youngest = visible_at.max(*youngest);
                Ok(Next::More)
            },
        )?;
        Ok(held)
    }

    /// Whether a node that could take it may not have come to it yet.
    fn may_come_to(&self, name: &str, since: u64) -> bool {
        self.names.contains(name) || self.youngest.values().any(|youngest| *youngest < since)
    }
}

/// From name to name, one look at the index each, however long the queue is; more only where
/// sessions wait for room.
fn activities(sql: &Connection, now: TimeMs) -> Result<Vec<UnclaimedName>> {
    let held = HeldNames::read(sql, now)?;
    let no_room = sessions::is_some_node_full(sql, now)?;
    let mut oldest = BTreeMap::new();
    let mut after = String::new();
    for _ in 0..NAMES {
        let next = sql.one(
            "SELECT name FROM activities WHERE lease IS NULL AND name > ?1 ORDER BY name LIMIT 1",
            [&after],
            |row| row.get::<_, String>(0),
        )?;
        let Some(name) = next else { break };
        let since = oldest_of(sql, &name, now, no_room)?;
        after.clone_from(&name);
        if let Some(since) = since {
            oldest.insert(name, since);
        }
    }
    for (name, since) in lost(sql, now, no_room)? {
        oldest.entry(name).and_modify(|first| *first = since.min(*first)).or_insert(since);
    }
    oldest.retain(|name, since| !held.may_come_to(name, *since));
    let named = |(name, since)| UnclaimedName { name, version: None, since: TimeMs(since) };
    Ok(oldest.into_iter().map(named).collect())
}

/// Attempts that died, and that nobody has taken over: few, whatever waits.
fn lost(sql: &Connection, now: TimeMs, no_room: bool) -> Result<Vec<(String, u64)>> {
    sql.all(
        "SELECT a.name, max(a.visible_at, a.lease_until)
         FROM activities AS a INDEXED BY activities_leased JOIN instances AS i USING (incarnation)
         WHERE a.lease IS NOT NULL AND a.lease_until <= ?1 AND i.quarantine IS NULL
           AND NOT (?2 AND a.session IS NOT NULL)",
        (now.0, no_room),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Since when the oldest of this name waits, but for what waits for room for its session, and
/// what was handed back after its instance had been quarantined.
fn oldest_of(sql: &Connection, name: &str, now: TimeMs, no_room: bool) -> Result<Option<u64>> {
    let mut oldest = None;
    let mut looked_at = 0;
    sql.each(
        "SELECT visible_at, ?3 AND session IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM sessions AS s
             WHERE s.ns = a.ns AND s.session = a.session AND s.idle_until > ?2)
           OR EXISTS (
             SELECT 1 FROM instances AS i
             WHERE i.incarnation = a.incarnation AND i.quarantine IS NOT NULL)
         FROM activities AS a
         WHERE lease IS NULL AND name = ?1 AND visible_at <= ?2 ORDER BY visible_at",
        (name, now.0, no_room),
        |row| {
            oldest = if row.get(1)? { None } else { Some(row.get(0)?) };
            looked_at += 1;
            let enough = oldest.is_some() || looked_at >= READY;
            Ok(if enough { Next::Enough } else { Next::More })
        },
    )?;
    Ok(oldest)
}
