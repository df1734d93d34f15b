//! What several answers have in common: arrivals, and what a call means for those who wait.

use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::wake::Effects;
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, EventId, ExecutionId, InstanceId, Origin, Parent, TimeMs,
    Undecodable,
};
use duroxide_provider::{InstanceKey, Namespace};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// The first row of an answer.
pub(crate) fn first(rows: &[PgRow]) -> Result<&PgRow> {
    rows.first().ok_or_else(|| StoreError::corrupt("answer", "it has no row"))
}

/// The store's clock.
pub(crate) fn store_now(row: &PgRow) -> Result<TimeMs> {
    Ok(TimeMs(row.number("store_now")?))
}

/// The effects of the times at which there is something to do for somebody.
pub(crate) fn effects_at(times: impl IntoIterator<Item = u64>, now: TimeMs) -> Effects {
    let mut effects = Effects::default();
    for at in times {
        if at <= now.0 {
            effects.announce = true;
        } else {
            effects.due = Some(effects.due.map_or(TimeMs(at), |due| due.min(TimeMs(at))));
        }
    }
    effects
}

/// The column `times`: some of them are null, for what is never.
pub(crate) fn times(row: &PgRow) -> Result<Vec<u64>> {
    let times: Option<Vec<Option<i64>>> = row.try_get("times")?;
    Ok(times.into_iter().flatten().flatten().map(|at| at as u64).collect())
}

/// The columns `times`, `touched` and `dropped`; touched are instances of this namespace.
pub(crate) fn effects(row: &PgRow, ns: &str, now: TimeMs) -> Result<Effects> {
    let ids: Option<Vec<String>> = row.try_get("touched")?;
    let ids = ids.unwrap_or_default().into_iter().map(crate::text::unescape);
    let key = |id| InstanceKey { namespace: Namespace(ns.to_owned()), id: InstanceId(id) };
    Ok(Effects {
        touched: ids.map(key).collect(),
        dropped: row.maybe_number("dropped")?.unwrap_or(0),
        ..effects_at(times(row)?, now)
    })
}

/// The name of the instance that a row is of.
pub(crate) fn key(row: &PgRow) -> Result<InstanceKey> {
    Ok(InstanceKey { namespace: Namespace(row.text("ns")?), id: InstanceId(row.text("id")?) })
}

/// The columns `arrival_*`, with `name` and `parent_*` for the start among them.
pub(crate) fn arrivals(row: &PgRow) -> Result<Vec<Arrival>> {
    let ids: Option<Vec<i64>> = row.try_get("arrival_ids")?;
    let Some(ids) = ids else { return Ok(Vec::new()) };
    let times = row.numbers("arrival_times")?;
    let bodies: Vec<Vec<u8>> = row.try_get("arrival_bodies")?;
    let mut arrivals = Vec::with_capacity(ids.len());
    for ((id, at), body) in ids.into_iter().zip(times).zip(bodies) {
        let mut body = serde_json::from_slice(&body)
            .map_err(Undecodable::from)
            .map_err(|why| StoreError::corrupt("inbox", format!("message {id}: {why}")))?;
        if let ArrivalBody::Start { name, parent, .. } = &mut body {
            *name = row.text("name")?;
            *parent = parent_of(row)?;
        }
        let origin = Origin::Inbox(ArrivalId(id as u64));
        arrivals.push(Arrival { origin, at: TimeMs(at), body });
    }
    Ok(arrivals)
}

fn parent_of(row: &PgRow) -> Result<Option<Parent>> {
    let Some(id) = row.maybe_text("parent_id")? else { return Ok(None) };
    Ok(Some(Parent {
        instance: InstanceId(id),
        execution: ExecutionId(row.number("parent_execution")?),
        event: EventId(row.number("parent_event")?),
    }))
}
