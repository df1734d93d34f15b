//! Activity rows as commits see them: queued, claimed by the commit that schedules them,
//! held, removed. Not here: leasing what was queued (`activities`).

use super::instances::InstanceRow;
use super::sql::{Sql, id, later, ms};
use super::{Tx, sessions};
use crate::error::{Result, StoreError};
use duroxide_core::{EventId, NewActivity};
use duroxide_provider::{ActivityKey, Claim, ClaimedActivity, CommitTurn, LeaseId};
use std::collections::BTreeMap;

/// Whether the activity is there and held under this lease.
pub(crate) fn is_held(tx: &Tx<'_>, activity: &ActivityKey, lease: LeaseId) -> Result<bool> {
    tx.sql.any(
        "SELECT 1 FROM activities
         WHERE incarnation = ?1 AND execution = ?2 AND event = ?3 AND lease = ?4",
        (activity.incarnation.0, activity.execution.0, activity.event.0, id(lease.0)),
    )
}

/// Remove an activity. Gives whether someone held it, and so is to be told.
pub(crate) fn remove(
    tx: &Tx<'_>,
    incarnation: u64,
    execution: u64,
    event: EventId,
) -> Result<bool> {
    let removed = tx.sql.one(
        "DELETE FROM activities WHERE incarnation = ?1 AND execution = ?2 AND event = ?3
         RETURNING lease IS NOT NULL, ns, session",
        (incarnation, execution, event.0),
        |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        },
    )?;
    let Some((held, ns, session)) = removed else { return Ok(false) };
    if let Some(session) = session {
        sessions::used(tx, &ns, &session)?;
    }
    Ok(held)
}

/// Queue what the turn schedules; claim some of it for the committing node if it asks.
pub(crate) fn queue(
    tx: &Tx<'_>,
    request: &CommitTurn,
    row: &InstanceRow,
) -> Result<Vec<ClaimedActivity>> {
    let mut claimed = Vec::new();
    let mut kinds = Kinds::default();
    for activity in &request.turn.activities {
        let claim = match &request.claim {
            Some(claim) if claimed.len() < claim.max => {
                let term = may_claim(tx, request, row, (claim, activity), &mut kinds)?;
                term.map(|term| (claim, term))
            }
            Some(_) | None => None,
        };
        insert(tx, request, row, activity, claim)?;
        if claim.is_some() {
            claimed.push(ClaimedActivity { event: activity.event, attempt: 1 });
        } else {
            tx.announce();
        }
    }
    Ok(claimed)
}

/// Kinds of work, and whether older work of the kind waited when the commit came.
#[derive(Default)]
struct Kinds<'a>(BTreeMap<(&'a str, Option<&'a str>, Option<&'a str>), bool>);

impl<'a> Kinds<'a> {
    fn older_waits(&mut self, tx: &Tx<'_>, activity: &'a NewActivity) -> Result<bool> {
        let kind = (activity.name.as_str(), activity.tag.as_deref(), activity.session.as_deref());
        if let Some(waits) = self.0.get(&kind) {
            return Ok(*waits);
        }
        let waits = tx.sql.any(
            "SELECT 1 FROM activities
             WHERE lease IS NULL AND name = ?1 AND visible_at <= ?4
               AND tag IS ?2 AND session IS ?3",
            (kind.0, kind.1, kind.2, tx.now.0),
        )?;
        self.0.insert(kind, waits);
        Ok(waits)
    }
}

/// The term of the ownership of its session if it may be claimed; 0 without a session.
fn may_claim<'a>(
    tx: &Tx<'_>,
    request: &CommitTurn,
    row: &InstanceRow,
    (claim, activity): (&Claim, &'a NewActivity),
    kinds: &mut Kinds<'a>,
) -> Result<Option<u64>> {
    let filter = &claim.filter;
    if !filter.names.contains(&activity.name) || !filter.tags.admits(activity.tag.as_deref()) {
        return Ok(None);
    }
    if kinds.older_waits(tx, activity)? {
        return Ok(None);
    }
    match &activity.session {
        None => Ok(Some(0)),
        Some(session) => {
            let claimant = sessions::Claimant {
                node: &request.node,
                limits: &filter.sessions,
                lease_until: later(tx.now, ms(claim.duration)),
            };
            sessions::claim(tx, &row.ns, session, &claimant)
        }
    }
}

fn insert(
    tx: &Tx<'_>,
    request: &CommitTurn,
    row: &InstanceRow,
    activity: &NewActivity,
    claim: Option<(&Claim, u64)>,
) -> Result<()> {
    let lease_until = claim.map(|(claim, _)| later(tx.now, ms(claim.duration)));
    let headers = if activity.headers.is_empty() {
        None
    } else {
        let headers = serde_json::to_vec(&activity.headers)
            .map_err(|error| StoreError::Invalid(format!("headers cannot be encoded: {error}")))?;
        Some(headers)
    };
    tx.sql.run(
        "INSERT INTO activities (incarnation, execution, event, ns, name, tag, session, encoding,
           input, headers, seq, attempt, visible_at, lease, lease_until, owner, node, session_term)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        rusqlite::params![
            row.incarnation,
            row.execution,
            activity.event.0,
            row.ns,
            activity.name,
            activity.tag,
            activity.session,
            activity.input.encoding().0,
            activity.input.bytes(),
            headers,
            tx.next_number(),
            u8::from(claim.is_some()),
            tx.now.0,
            claim.map(|_| id(request.commit_id.claim_lease().0)),
            lease_until.unwrap_or(0),
            claim.map(|_| tx.owner),
            claim.map(|_| &request.node.name),
            claim.map_or(0, |(_, term)| term),
        ],
    )?;
    if let Some(lease_until) = lease_until {
        tx.due(lease_until);
    }
    Ok(())
}
