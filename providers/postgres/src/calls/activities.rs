//! Leasing queued activities, and completing them.

use super::answer::{effects_at, first, key, store_now, times};
use super::quarantine::quarantine;
use super::{id, message, ms, wanted};
use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::shell::Shell;
use crate::text::{escape, kind};
use duroxide_core::{ArrivalBody, Encoding, EventId, ExecutionId, Headers, Payload, TimeMs};
use duroxide_provider::{
    ActivityFate, ActivityFilter, ActivityKey, CompleteActivity, Incarnation, LeaseActivities,
    LeasedActivities, LeasedActivity, ProviderError, TagFilter, WakeSeq,
};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::BTreeSet;

const OPERATION: &str = "lease_activities";

/// What a node takes, as the functions of the schema are asked: names, and kinds unless it takes
/// every tag.
pub(super) struct Takes {
    pub(super) names: Vec<String>,
    pub(super) kinds: Option<Vec<String>>,
    pub(super) sessions: i64,
    pub(super) idle: i64,
}

impl Takes {
    pub(super) fn of(filter: &ActivityFilter) -> Self {
        let tagged = |tags: &BTreeSet<String>| -> Vec<String> {
            let of = |name| tags.iter().map(move |tag| kind(name, Some(tag)));
            filter.names.iter().flat_map(|name| of(name)).collect()
        };
        let untagged = || filter.names.iter().map(|name| kind(name, None));
        let kinds = match &filter.tags {
            TagFilter::Any => None,
            TagFilter::None => Some(Vec::new()),
            TagFilter::DefaultOnly => Some(untagged().collect()),
            TagFilter::Tags(tags) => Some(tagged(tags)),
            TagFilter::DefaultAnd(tags) => Some(untagged().chain(tagged(tags)).collect()),
        };
        Self {
            names: filter.names.iter().map(|name| escape(name).into_owned()).collect(),
            kinds,
            sessions: i64::try_from(filter.sessions.max).unwrap_or(i64::MAX),
            idle: ms(filter.sessions.idle),
        }
    }
}

/// See [`Provider::lease_activities`](duroxide_provider::Provider::lease_activities).
pub(crate) async fn lease_activities(
    shell: &Shell,
    request: LeaseActivities,
) -> Result<LeasedActivities, ProviderError> {
    let takes = Takes::of(&request.filter);
    loop {
        let wake_seq = shell.wake.seq();
        let answer = shell.call(
            OPERATION,
            "SELECT * FROM {schema}.lease_activities($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            |query| {
                query
                    .bind(id(request.lease.0))
                    .bind(escape(&request.node.name).into_owned())
                    .bind(request.node.run as i64)
                    .bind(shell.owner())
                    .bind(&takes.names)
                    .bind(&takes.kinds)
                    .bind(takes.sessions)
                    .bind(takes.idle)
                    .bind(wanted(request.max))
                    .bind(ms(request.duration))
            },
            |rows| leased(&rows, wake_seq),
        );
        let (leased, due, damaged) = answer.await?;
        shell.publish(&effects_at(due, leased.store_now), leased.store_now);
        for (incarnation, why) in &damaged {
            quarantine(shell, OPERATION, *incarnation, why).await?;
        }
        // What turned out to be undecodable leaves room for others.
        if damaged.is_empty() || !leased.activities.is_empty() {
            return Ok(leased);
        }
    }
}

/// Instances of which something cannot be decoded, and what.
type Damaged = Vec<(Incarnation, String)>;

fn leased(rows: &[PgRow], wake_seq: WakeSeq) -> Result<(LeasedActivities, Option<u64>, Damaged)> {
    let head = first(rows)?;
    let (mut activities, mut damaged) = (Vec::new(), Vec::new());
    for row in rows.iter().skip(1) {
        match activity(row) {
            Ok(activity) => activities.push(activity),
            Err(StoreError::Corrupt { message, .. }) => {
                damaged.push((Incarnation(row.number("incarnation")?), message));
            }
            Err(error) => return Err(error),
        }
    }
    let leased = LeasedActivities { activities, wake_seq, store_now: store_now(head)? };
    Ok((leased, head.maybe_number("due")?, damaged))
}

fn activity(row: &PgRow) -> Result<LeasedActivity> {
    let activity = ActivityKey {
        incarnation: Incarnation(row.number("incarnation")?),
        execution: ExecutionId(row.number("execution")?),
        event: EventId(row.number("event")?),
    };
    let headers: Option<&[u8]> = row.try_get("headers")?;
    let headers = match headers {
        None => Headers::new(),
        Some(headers) => serde_json::from_slice(headers).map_err(|error| {
            let why = duroxide_core::Undecodable::from(error);
            let why = format!("headers of activity {}: {why}", activity.event);
            StoreError::corrupt("activity", why)
        })?,
    };
    let encoding: i16 = row.try_get("encoding")?;
    let attempt: i32 = row.try_get("attempt")?;
    Ok(LeasedActivity {
        activity,
        key: key(row)?,
        orchestration: row.text("orchestration")?,
        version: row.maybe_text("version")?.unwrap_or_default(),
        name: row.text("name")?,
        input: Payload::new(Encoding(encoding as u8), row.try_get("input")?),
        session: row.maybe_text("session")?,
        tag: row.maybe_text("tag")?,
        headers,
        attempt: attempt as u32,
        ready_at: TimeMs(row.number("visible_at")?),
    })
}

/// See [`Provider::complete_activity`](duroxide_provider::Provider::complete_activity).
pub(crate) async fn complete_activity(
    shell: &Shell,
    request: CompleteActivity,
) -> Result<ActivityFate, ProviderError> {
    const OPERATION: &str = "complete_activity";
    let CompleteActivity { activity, lease, outcome } = request;
    let done = message(&ArrivalBody::ActivityDone { source: activity.event, outcome })
        .map_err(|error| error.named(OPERATION))?;
    let answer = shell.call(
        OPERATION,
        "SELECT * FROM {schema}.complete_activity($1, $2, $3, $4, $5)",
        |query| {
            query
                .bind(activity.incarnation.0 as i64)
                .bind(activity.execution.0 as i64)
                .bind(activity.event.0 as i64)
                .bind(id(lease.0))
                .bind(&done)
        },
        |rows| {
            let row = first(&rows)?;
            Ok((row.try_get::<i32, _>("fate")?, times(row)?, store_now(row)?))
        },
    );
    let (fate, times, now) = answer.await?;
    shell.publish(&effects_at(times, now), now);
    Ok(match fate {
        0 => ActivityFate::Applied,
        1 => ActivityFate::Gone,
        _ => ActivityFate::LeaseLost,
    })
}
