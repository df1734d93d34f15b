//! Sessions: which node the activities of a session run on, until it dies or they idle.

use super::Tx;
use super::sql::{Sql, later, ms};
use crate::error::Result;
use duroxide_core::TimeMs;
use duroxide_provider::{NodeId, SessionLimits};
use rusqlite::Connection;

/// Who wants an activity of a session.
pub(crate) struct Claimant<'a> {
    pub(crate) node: &'a NodeId,
    pub(crate) limits: &'a SessionLimits,
    /// Until when the activity would be held.
    pub(crate) lease_until: u64,
}

struct Owner {
    node: String,
    run: u64,
    idle_until: u64,
    /// The number of its ownership.
    term: u64,
}

/// Make the node the owner of the session, or leave it so. Gives the term of the ownership, which
/// what is leased now belongs to: it rises with every change of owner. `None`: it may not be.
pub(crate) fn claim(
    tx: &Tx<'_>,
    ns: &str,
    session: &str,
    who: &Claimant<'_>,
) -> Result<Option<u64>> {
    let owner = tx.sql.one(
        "SELECT node, node_run, idle_until, term FROM sessions WHERE ns = ?1 AND session = ?2",
        (ns, session),
        |row| {
            let run = row.get::<_, i64>(1)? as u64;
            Ok(Owner { node: row.get(0)?, run, idle_until: row.get(2)?, term: row.get(3)? })
        },
    )?;
    let mine = match &owner {
        // Of two runs of one node the newer wins; the older one keeps out.
        Some(owner) if owner.node == who.node.name => {
            let is_owned = owner.idle_until > tx.now.0;
            if is_owned && owner.run > who.node.run {
                return Ok(None);
            }
            is_owned
        }
        Some(owner) if owner.idle_until > tx.now.0 && !is_bereft(tx, ns, session, owner.term)? => {
            return Ok(None);
        }
        Some(_) | None => false,
    };
    if !mine && owned(tx, who.node)? >= who.limits.max as u64 {
        return Ok(None);
    }
    let idle_ms = ms(who.limits.idle);
    let idle_until = later(tx.now, idle_ms).max(who.lease_until);
    let term = tx.sql.one(
        "INSERT INTO sessions (ns, session, node, node_run, owner, idle_ms, idle_until,
           node_max, term)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?9, 1)
         ON CONFLICT (ns, session) DO UPDATE SET node = ?3, node_run = ?4, owner = ?5,
           idle_ms = iif(?8 AND node_run = ?4, max(idle_ms, ?6), ?6),
           idle_until = iif(?8, max(idle_until, ?7), ?7), node_max = ?9,
           term = iif(?8 AND node_run = ?4, term, term + 1)
         RETURNING term",
        rusqlite::params![
            ns,
            session,
            who.node.name,
            who.node.run as i64,
            tx.owner,
            idle_ms,
            idle_until,
            mine,
            i64::try_from(who.limits.max).unwrap_or(i64::MAX)
        ],
        |row| row.get(0),
    )?;
    tx.due(idle_until);
    Ok(term)
}

/// Whether the owner let the lease of one of its activities run out: it is dead, or as good as.
/// Leases of owners before it, of other terms, say nothing about it.
fn is_bereft(tx: &Tx<'_>, ns: &str, session: &str, term: u64) -> Result<bool> {
    tx.sql.any(
        "SELECT 1 FROM activities
         WHERE ns = ?1 AND session = ?2 AND lease IS NOT NULL AND lease_until <= ?3
           AND session_term = ?4",
        (ns, session, tx.now.0, term),
    )
}

fn owned(tx: &Tx<'_>, node: &NodeId) -> Result<u64> {
    tx.sql.run(
        "DELETE FROM sessions WHERE idle_until <= ?1 AND NOT EXISTS (
           SELECT 1 FROM activities AS a WHERE a.ns = sessions.ns AND a.session = sessions.session)",
        [tx.now.0],
    )?;
    tx.sql.number(
        "SELECT count(*) FROM sessions WHERE node = ?1 AND idle_until > ?2",
        (&node.name, tx.now.0),
    )
}

/// Whether some node owns as many sessions as it may: what has a session that nobody owns may
/// wait for room.
pub(crate) fn is_some_node_full(sql: &Connection, now: TimeMs) -> Result<bool> {
    sql.any(
        "SELECT 1 FROM sessions WHERE idle_until > ?1
         GROUP BY node HAVING count(*) >= min(node_max)",
        [now.0],
    )
}

/// An activity of the session ended or was handed back: from here on it idles, unless
/// another of its activities is held.
pub(crate) fn used(tx: &Tx<'_>, ns: &str, session: &str) -> Result<()> {
    let idle_until = tx.sql.one(
        "UPDATE sessions SET idle_until = max(?3 + idle_ms, ifnull((
           SELECT max(lease_until) FROM activities
           WHERE ns = ?1 AND session = ?2 AND lease IS NOT NULL), 0))
         WHERE ns = ?1 AND session = ?2 AND idle_until > ?3 RETURNING idle_until",
        (ns, session, tx.now.0),
        |row| row.get(0),
    )?;
    if let Some(idle_until) = idle_until {
        tx.due(idle_until);
    }
    Ok(())
}

/// A held activity of the session was prolonged.
pub(crate) fn prolong(tx: &Tx<'_>, ns: &str, session: &str, lease_until: u64) -> Result<()> {
    tx.sql.run(
        "UPDATE sessions SET idle_until = max(idle_until, ?3, ?4 + idle_ms)
         WHERE ns = ?1 AND session = ?2",
        (ns, session, lease_until, tx.now.0),
    )?;
    Ok(())
}
