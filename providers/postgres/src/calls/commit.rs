//! Committing a turn: the one durable statement of a step.

use super::answer::{arrivals, effects, first, store_now};
use super::parts::{Activities, Changes, SentOut, TakenIn};
use super::quarantine::quarantine;
use super::{id, ms};
use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::shell::{Bound, Shell};
use crate::text::escape;
use crate::wake::Effects;
use duroxide_core::{EventId, TimeMs};
use duroxide_provider::{
    Applied, ClaimedActivity, CommitOutcome, CommitRefusal, CommitTurn, ProviderError,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

const OPERATION: &str = "commit_turn";

/// With as many parameters as are bound below, in their order.
const STATEMENT: &str = "SELECT * FROM {schema}.commit_turn(
  $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
  $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
  $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38,
  $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51,
  $52, $53, $54, $55, $56, $57, $58, $59, $60, $61)";

/// See [`Provider::commit_turn`](duroxide_provider::Provider::commit_turn).
pub(crate) async fn commit_turn(
    shell: &Shell,
    request: CommitTurn,
) -> Result<CommitOutcome, ProviderError> {
    let parts = Parts::of(&request).map_err(|error| error.named(OPERATION))?;
    let answer = shell.call(
        OPERATION,
        STATEMENT,
        |query| parts.bind(who(query, shell, &request)),
        |rows| read(first(&rows)?, &request),
    );
    let answer = answer.await?;
    shell.publish(&answer.effects, answer.now);
    if let Some(why) = &answer.undecodable {
        // The turn stands; what came after it cannot be read.
        quarantine(shell, OPERATION, request.incarnation, why).await?;
    }
    Ok(answer.outcome)
}

struct Parts {
    taken_in: TakenIn,
    activities: Activities,
    sent_out: SentOut,
    changes: Changes,
}

impl Parts {
    fn of(request: &CommitTurn) -> Result<Self> {
        let turn = &request.turn;
        Ok(Self {
            taken_in: TakenIn::of(turn, &request.completed),
            activities: Activities::of(&turn.activities, request.claim.as_ref())?,
            sent_out: SentOut::of(turn)?,
            changes: Changes::of(turn)?,
        })
    }

    fn bind(&self, query: Bound) -> Bound {
        let query = self.activities.bind(self.taken_in.bind(query));
        self.changes.bind(self.sent_out.bind(query))
    }
}

/// Who commits what upon what.
fn who(query: Bound, shell: &Shell, request: &CommitTurn) -> Bound {
    let turn = &request.turn;
    query
        .bind(request.incarnation.0 as i64)
        .bind(id(request.lease.0))
        .bind(escape(&request.node.name).into_owned())
        .bind(request.node.run as i64)
        .bind(shell.owner())
        .bind(id(request.commit_id.0))
        .bind(request.base.map(|base| id(base.0)))
        .bind(turn.execution.0 as i64)
        .bind(turn.expect_event.0 as i64)
        .bind(turn.turn.0 as i64)
        .bind(request.version.as_deref().map(|version| escape(version).into_owned()))
        .bind(request.flags.0 as i64)
        .bind(request.keep.map(ms))
        .bind(turn.split)
        .bind(turn.waiting.as_deref().map(|waiting| escape(waiting).into_owned()))
}

struct Answer {
    outcome: CommitOutcome,
    effects: Effects,
    now: TimeMs,
    undecodable: Option<String>,
}

fn read(row: &PgRow, request: &CommitTurn) -> Result<Answer> {
    let now = store_now(row)?;
    let refusal = match row.try_get::<i32, _>("outcome")? {
        0 => return applied(row, now),
        1 => CommitRefusal::Gone,
        2 => CommitRefusal::Conflict,
        3 => CommitRefusal::LeaseLost,
        _ => {
            let lost = row.try_get::<i32, _>("lost")?;
            let lost = request.completed.get(lost.max(1) as usize - 1);
            let (activity, _) =
                lost.ok_or_else(|| StoreError::corrupt("answer", "no such activity"))?;
            CommitRefusal::ActivityLost { activity: *activity }
        }
    };
    let outcome = CommitOutcome::Refused(refusal);
    Ok(Answer { outcome, effects: Effects::default(), now, undecodable: None })
}

fn applied(row: &PgRow, now: TimeMs) -> Result<Answer> {
    let mut applied = Applied {
        held: row.try_get("held")?,
        arrivals: Vec::new(),
        more_arrivals: row.try_get::<Option<bool>, _>("more_arrivals")?.unwrap_or(false),
        claimed: claimed(row)?,
        timers: timers(row)?,
        store_now: now,
    };
    let mut undecodable = None;
    match arrivals(row) {
        Ok(arrivals) => applied.arrivals = arrivals,
        Err(StoreError::Corrupt { message, .. }) => {
            (applied.held, applied.more_arrivals) = (false, false);
            undecodable = Some(message);
        }
        Err(error) => return Err(error),
    }
    let effects = effects(row, &row.text("ns")?, now)?;
    Ok(Answer { outcome: CommitOutcome::Applied(Box::new(applied)), effects, now, undecodable })
}

fn claimed(row: &PgRow) -> Result<Vec<ClaimedActivity>> {
    let events: Option<Vec<i64>> = row.try_get("claimed_events")?;
    let attempts: Option<Vec<i32>> = row.try_get("claimed_attempts")?;
    let claims = events.unwrap_or_default().into_iter().zip(attempts.unwrap_or_default());
    let claimed = |(event, attempt)| ClaimedActivity {
        event: EventId(event as u64),
        attempt: attempt as u32,
    };
    Ok(claims.map(claimed).collect())
}

fn timers(row: &PgRow) -> Result<Vec<(EventId, TimeMs)>> {
    let events: Option<Vec<i64>> = row.try_get("timer_events")?;
    let times: Option<Vec<i64>> = row.try_get("timer_times")?;
    let due = events.unwrap_or_default().into_iter().zip(times.unwrap_or_default());
    Ok(due.map(|(event, due)| (EventId(event as u64), TimeMs(due as u64))).collect())
}
