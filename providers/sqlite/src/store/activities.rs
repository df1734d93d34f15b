//! Handing out queued activities, and taking their completions. Not here: the claims that
//! commits make (`claims`).

use super::inbox::{self, NewArrival};
use super::instances::InstanceRow;
use super::sql::{Id, Next, Sql, id, later, ms};
use super::{Tx, claims, quarantine, sessions};
use crate::error::Result;
use duroxide_core::{
    ArrivalBody, Encoding, EventId, ExecutionId, Headers, InstanceId, Payload, TimeMs, Undecodable,
};
use duroxide_provider::{
    ActivityFate, ActivityKey, CompleteActivity, Incarnation, InstanceKey, LeaseActivities,
    LeasedActivities, LeasedActivity, Namespace,
};

/// See [`Provider::lease_activities`](duroxide_provider::Provider::lease_activities).
pub(crate) fn lease_activities(tx: &Tx<'_>, request: &LeaseActivities) -> Result<LeasedActivities> {
    let mut activities = Vec::new();
    for activity in given_before(tx, id(request.lease.0))? {
        activities.extend(give(tx, &activity)?);
    }
    if activities.is_empty() {
        loop {
            let chosen = choose(tx, request, request.max - activities.len())?;
            let wanted = activities.len() + chosen.len();
            for one in &chosen {
                take(tx, request, one)?;
                activities.extend(give(tx, &one.activity)?);
            }
            // What turned out to be undecodable leaves room for others.
            if activities.len() == wanted {
                break;
            }
        }
    }
    // In the order of the queue, whichever were chosen first.
    activities.sort_by_key(|leased: &LeasedActivity| leased.ready_at);
    Ok(LeasedActivities { activities, wake_seq: tx.wake_seq, store_now: tx.now })
}

/// What an earlier call with the same lease id was given, as far as it is still held.
fn given_before(tx: &Tx<'_>, lease: Id) -> Result<Vec<ActivityKey>> {
    tx.sql.all(
        "SELECT incarnation, execution, event FROM activities INDEXED BY activities_leased
         WHERE lease IS NOT NULL AND lease = ?1 ORDER BY visible_at, seq",
        [lease],
        key,
    )
}

fn key(row: &rusqlite::Row<'_>) -> rusqlite::Result<ActivityKey> {
    Ok(ActivityKey {
        incarnation: Incarnation(row.get(0)?),
        execution: ExecutionId(row.get(1)?),
        event: EventId(row.get(2)?),
    })
}

/// What the caller is to be given.
struct Chosen {
    activity: ActivityKey,
    /// Of the ownership of its session; 0 without one.
    term: u64,
}

/// What nobody holds any longer first, it is the older; then what waits, oldest first.
fn choose(tx: &Tx<'_>, request: &LeaseActivities, max: usize) -> Result<Vec<Chosen>> {
    let mut chosen = Vec::new();
    if max == 0 {
        return Ok(chosen);
    }
    tx.sql.each(
        "SELECT a.incarnation, a.execution, a.event, a.name, a.tag, a.session, a.ns
         FROM activities AS a JOIN instances AS i USING (incarnation)
         WHERE a.lease IS NOT NULL AND a.lease_until <= ?1 AND i.quarantine IS NULL
         ORDER BY a.visible_at, a.seq",
        [tx.now.0],
        |row| consider(tx, request, row, (&mut chosen, max)),
    )?;
    if chosen.len() < max {
        tx.sql.each(
            "SELECT a.incarnation, a.execution, a.event, a.name, a.tag, a.session, a.ns
             FROM activities AS a JOIN instances AS i USING (incarnation)
             WHERE a.lease IS NULL AND a.visible_at <= ?1 AND i.quarantine IS NULL
             ORDER BY a.visible_at, a.seq",
            [tx.now.0],
            |row| consider(tx, request, row, (&mut chosen, max)),
        )?;
    }
    Ok(chosen)
}

fn consider(
    tx: &Tx<'_>,
    request: &LeaseActivities,
    row: &rusqlite::Row<'_>,
    (chosen, max): (&mut Vec<Chosen>, usize),
) -> Result<Next> {
    let filter = &request.filter;
    let name = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    let tag = row.get_ref(4)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    if !filter.names.contains(name) || !filter.tags.admits(tag) {
        return Ok(Next::More);
    }
    let session = row.get_ref(5)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    let mut term = 0;
    if let Some(session) = session {
        let claimant = sessions::Claimant {
            node: &request.node,
            limits: &filter.sessions,
            lease_until: later(tx.now, ms(request.duration)),
        };
        let ns = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
        match sessions::claim(tx, ns, session, &claimant)? {
            Some(claimed) => term = claimed,
            None => return Ok(Next::More),
        }
    }
    chosen.push(Chosen { activity: key(row)?, term });
    Ok(if chosen.len() >= max { Next::Enough } else { Next::More })
}

fn take(tx: &Tx<'_>, request: &LeaseActivities, chosen: &Chosen) -> Result<()> {
    let activity = &chosen.activity;
    let lease_until = later(tx.now, ms(request.duration));
    tx.sql.run(
        "UPDATE activities SET lease = ?4, lease_until = ?5, owner = ?6, node = ?7,
           session_term = ?8, attempt = attempt + 1
         WHERE incarnation = ?1 AND execution = ?2 AND event = ?3",
        rusqlite::params![
            activity.incarnation.0,
            activity.execution.0,
            activity.event.0,
            id(request.lease.0),
            lease_until,
            tx.owner,
            request.node.name,
            chosen.term,
        ],
    )?;
    tx.due(lease_until);
    Ok(())
}

/// The activity as the caller gets it; `None` if it cannot be decoded: then its instance is
/// quarantined, and the others go on.
fn give(tx: &Tx<'_>, activity: &ActivityKey) -> Result<Option<LeasedActivity>> {
    let Some(instance) = InstanceRow::load(tx.sql, activity.incarnation.0)? else {
        return Ok(None);
    };
    let row = tx.sql.one(
        "SELECT name, tag, session, encoding, input, headers, attempt, visible_at FROM activities
         WHERE incarnation = ?1 AND execution = ?2 AND event = ?3",
        (activity.incarnation.0, activity.execution.0, activity.event.0),
        |row| {
            let headers = row.get::<_, Option<Vec<u8>>>(5)?;
            Ok((read(row, activity, &instance)?, headers))
        },
    )?;
    let Some((mut leased, headers)) = row else { return Ok(None) };
    if let Some(headers) = headers {
        match serde_json::from_slice::<Headers>(&headers) {
            Ok(headers) => leased.headers = headers,
            Err(error) => {
                let why = Undecodable::from(error);
                let why = format!("headers of activity {}: {why}", activity.event);
                quarantine::quarantine(tx, &instance, &why)?;
                return Ok(None);
            }
        }
    }
    Ok(Some(leased))
}

fn read(
    row: &rusqlite::Row<'_>,
    activity: &ActivityKey,
    instance: &InstanceRow,
) -> rusqlite::Result<LeasedActivity> {
    let input = row.get_ref(4)?.as_blob()?;
    Ok(LeasedActivity {
        activity: *activity,
        key: InstanceKey {
            namespace: Namespace(instance.ns.clone()),
            id: InstanceId(instance.id.clone()),
        },
        orchestration: instance.name.clone(),
        version: instance.version.clone().unwrap_or_default(),
        name: row.get(0)?,
        input: Payload::new(Encoding(row.get(3)?), input),
        session: row.get(2)?,
        tag: row.get(1)?,
        headers: Headers::new(),
        attempt: row.get(6)?,
        ready_at: TimeMs(row.get(7)?),
    })
}

/// See [`Provider::complete_activity`](duroxide_provider::Provider::complete_activity).
pub(crate) fn complete_activity(tx: &Tx<'_>, request: &CompleteActivity) -> Result<ActivityFate> {
    let activity = &request.activity;
    let lease = tx.sql.one(
        "SELECT lease FROM activities WHERE incarnation = ?1 AND execution = ?2 AND event = ?3",
        (activity.incarnation.0, activity.execution.0, activity.event.0),
        |row| row.get::<_, Option<Id>>(0),
    )?;
    match lease {
        None => return Ok(ActivityFate::Gone),
        Some(lease) if lease != Some(id(request.lease.0)) => return Ok(ActivityFate::LeaseLost),
        Some(_) => {}
    }
    claims::remove(tx, activity.incarnation.0, activity.execution.0, activity.event)?;
    let instance = InstanceRow::load(tx.sql, activity.incarnation.0)?;
    match instance.filter(|row| row.running && row.execution == activity.execution.0) {
        None => Ok(ActivityFate::Gone),
        Some(row) => {
            let done = ArrivalBody::ActivityDone {
                source: activity.event,
                outcome: request.outcome.clone(),
            };
            let execution = Some(activity.execution.0);
            inbox::put(tx, &NewArrival::now(tx, row.incarnation, execution, &done))?;
            Ok(ActivityFate::Applied)
        }
    }
}
