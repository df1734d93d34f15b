//! Prolonging leases. Not here: handing them back (`release`).

use super::Tx;
use super::sessions;
use super::sql::{Id, Sql, id, later, ms};
use crate::error::Result;
use duroxide_provider::{ActivityKey, Held, LeaseState, Renew};

/// See [`Provider::renew`](duroxide_provider::Provider::renew).
pub(crate) fn renew(tx: &Tx<'_>, request: &Renew) -> Result<Vec<LeaseState>> {
    let until = later(tx.now, ms(request.duration));
    let mut states = Vec::with_capacity(request.held.len());
    for held in &request.held {
        states.push(match held {
            Held::Instance { incarnation, lease } => {
                instance(tx, incarnation.0, id(lease.0), until)?
            }
            Held::Activity { activity, lease } => one_activity(tx, activity, id(lease.0), until)?,
        });
    }
    Ok(states)
}

fn instance(tx: &Tx<'_>, incarnation: u64, lease: Id, until: u64) -> Result<LeaseState> {
    // The holder may not have got the answer that gave it its news: it is given them again.
    let held = tx.sql.one(
        "UPDATE instances SET lease_until = ?3, owner = ?4, offered_at = 0, offered_id = 0
         WHERE incarnation = ?1 AND lease = ?2 RETURNING ready_at",
        (incarnation, lease, until, tx.owner),
        |row| row.get::<_, Option<u64>>(0),
    )?;
    let Some(ready_at) = held else { return Ok(LeaseState::Lost) };
    if ready_at.is_some_and(|at| at <= tx.now.0) {
        tx.announce();
    }
    Ok(LeaseState::Held)
}

fn one_activity(tx: &Tx<'_>, activity: &ActivityKey, lease: Id, until: u64) -> Result<LeaseState> {
    let key = (activity.incarnation.0, activity.execution.0, activity.event.0);
    let row = tx.sql.one(
        "SELECT lease, ns, session FROM activities
         WHERE incarnation = ?1 AND execution = ?2 AND event = ?3",
        key,
        |row| {
            let session = row.get::<_, Option<String>>(2)?;
            Ok((row.get::<_, Option<Id>>(0)?, row.get::<_, String>(1)?, session))
        },
    )?;
    let Some((holder, ns, session)) = row else {
        // Removed: cancelled, or with its instance. (Or done by whoever took it over, to
        // whom nothing is lost by stopping.)
        return Ok(LeaseState::CancelRequested);
    };
    if holder != Some(lease) {
        return Ok(LeaseState::Lost);
    }
    tx.sql.run(
        "UPDATE activities SET lease_until = ?4, owner = ?5
         WHERE incarnation = ?1 AND execution = ?2 AND event = ?3",
        (key.0, key.1, key.2, until, tx.owner),
    )?;
    if let Some(session) = session {
        sessions::prolong(tx, &ns, &session, until)?;
    }
    Ok(LeaseState::Held)
}
