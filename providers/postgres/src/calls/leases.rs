//! Prolonging leases, and handing them back.

use super::answer::{effects_at, first, store_now, times};
use super::{id, ms};
use crate::error::StoreError;
use crate::shell::{Bound, Shell};
use duroxide_provider::{Held, LeaseState, ProviderError, Release, Renew};
use sqlx::Row;
use uuid::Uuid;

/// What is held, spread out. An instance has neither execution nor event.
#[derive(Default)]
struct Spread {
    incarnations: Vec<i64>,
    executions: Vec<Option<i64>>,
    events: Vec<Option<i64>>,
    leases: Vec<Uuid>,
}

impl Spread {
    fn of(held: &[Held]) -> Self {
        let mut spread = Self::default();
        for held in held {
            let (incarnation, execution, event, lease) = match held {
                Held::Instance { incarnation, lease } => (incarnation, None, None, lease),
                Held::Activity { activity, lease } => {
                    let (execution, event) = (activity.execution.0, activity.event.0);
                    (&activity.incarnation, Some(execution as i64), Some(event as i64), lease)
                }
            };
            spread.incarnations.push(incarnation.0 as i64);
            spread.executions.push(execution);
            spread.events.push(event);
            spread.leases.push(id(lease.0));
        }
        spread
    }

    fn bind(&self, query: Bound) -> Bound {
        query.bind(&self.incarnations).bind(&self.executions).bind(&self.events).bind(&self.leases)
    }
}

/// An instance that is held, and has something to do.
const HELD_WITH_NEWS: i32 = 3;

/// See [`Provider::renew`](duroxide_provider::Provider::renew).
pub(crate) async fn renew(shell: &Shell, request: Renew) -> Result<Vec<LeaseState>, ProviderError> {
    if request.held.is_empty() {
        shell.check_open().map_err(|error| error.named("renew"))?;
        return Ok(Vec::new());
    }
    let held = Spread::of(&request.held);
    let answer = shell.call(
        "renew",
        "SELECT * FROM {schema}.renew($1, $2, $3, $4, $5, $6)",
        |query| held.bind(query).bind(shell.owner()).bind(ms(request.duration)),
        |rows| {
            let row = first(&rows)?;
            let states: Vec<i32> = row.try_get("states")?;
            if states.len() == held.leases.len() {
                Ok((states, store_now(row)?))
            } else {
                Err(StoreError::corrupt("answer", "it is not one state for each lease"))
            }
        },
    );
    let (states, now) = answer.await?;
    if states.contains(&HELD_WITH_NEWS) {
        shell.publish(&effects_at(vec![0], now), now);
    }
    let state = |state| match state {
        0 | HELD_WITH_NEWS => LeaseState::Held,
        1 => LeaseState::Lost,
        _ => LeaseState::CancelRequested,
    };
    Ok(states.into_iter().map(state).collect())
}

/// See [`Provider::release`](duroxide_provider::Provider::release).
pub(crate) async fn release(shell: &Shell, request: Release) -> Result<(), ProviderError> {
    let held = Spread::of(&request.held);
    let answer = shell.call(
        "release",
        "SELECT * FROM {schema}.release($1, $2, $3, $4, $5, $6, $7, $8)",
        |query| {
            held.bind(query)
                .bind(request.commit.map(|(incarnation, _)| incarnation.0 as i64))
                .bind(request.commit.map(|(_, commit)| id(commit.0)))
                .bind(request.refund)
                .bind(ms(request.delay))
        },
        |rows| {
            let row = first(&rows)?;
            Ok((times(row)?, store_now(row)?))
        },
    );
    let (times, now) = answer.await?;
    shell.publish(&effects_at(times, now), now);
    Ok(())
}
