//! Leasing instances that have something to do.

use super::answer::{arrivals, effects_at, first, key, store_now};
use super::quarantine::quarantine;
use super::{id, ms, wanted};
use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::shell::Shell;
use crate::text::{escape, kind};
use duroxide_core::{CompatFlags, EventId, ExecutionId};
use duroxide_provider::{
    CommitId, Incarnation, LeaseId, LeaseOrchestrations, LeasedInstance, LeasedOrchestrations,
    OrchestrationFilter, ProviderError, WakeSeq,
};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

const OPERATION: &str = "lease_orchestrations";

/// See [`Provider::lease_orchestrations`](duroxide_provider::Provider::lease_orchestrations).
pub(crate) async fn lease_orchestrations(
    shell: &Shell,
    request: LeaseOrchestrations,
) -> Result<LeasedOrchestrations, ProviderError> {
    let kinds = kinds(&request.filter);
    loop {
        let wake_seq = shell.wake.seq();
        let answer = shell.call(
            OPERATION,
            "SELECT * FROM {schema}.lease_orchestrations($1, $2, $3, $4, $5, $6, $7, $8)",
            |query| {
                query
                    .bind(id(request.lease.0))
                    .bind(escape(&request.node.name).into_owned())
                    .bind(request.node.run as i64)
                    .bind(shell.owner())
                    .bind(&kinds)
                    .bind(request.filter.flags.0 as i64)
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
        if damaged.is_empty() || !leased.instances.is_empty() {
            return Ok(leased);
        }
    }
}

/// What the node can run: every name for what has no version yet, and every version of it.
fn kinds(filter: &OrchestrationFilter) -> Vec<String> {
    let mut kinds = Vec::new();
    for (name, versions) in &filter.names {
        kinds.push(kind(name, None));
        kinds.extend(versions.iter().map(|version| kind(name, Some(version))));
    }
    kinds
}

/// Instances of which something cannot be decoded, and what.
type Damaged = Vec<(Incarnation, String)>;

fn leased(
    rows: &[PgRow],
    wake_seq: WakeSeq,
) -> Result<(LeasedOrchestrations, Option<u64>, Damaged)> {
    let head = first(rows)?;
    let (mut instances, mut damaged) = (Vec::new(), Vec::new());
    for row in rows.iter().skip(1) {
        match instance(row) {
            Ok(instance) => instances.push(instance),
            Err(StoreError::Corrupt { message, .. }) => {
                damaged.push((Incarnation(row.number("incarnation")?), message));
            }
            Err(error) => return Err(error),
        }
    }
    let leased = LeasedOrchestrations { instances, wake_seq, store_now: store_now(head)? };
    Ok((leased, head.maybe_number("due")?, damaged))
}

fn instance(row: &PgRow) -> Result<LeasedInstance> {
    let last_commit: Option<Uuid> = row.try_get("last_commit")?;
    let lease: Uuid = row.try_get("lease")?;
    let attempt: i32 = row.try_get("attempt")?;
    Ok(LeasedInstance {
        key: key(row)?,
        incarnation: Incarnation(row.number("incarnation")?),
        lease: LeaseId(lease.as_u128()),
        execution: ExecutionId(row.number("execution")?),
        last_commit: last_commit.map(|id| CommitId(id.as_u128())),
        next_event: EventId(row.number("next_event")?),
        name: row.text("name")?,
        version: row.maybe_text("version")?,
        flags: CompatFlags(row.number("flags")?),
        attempt: attempt.max(1) as u32,
        arrivals: arrivals(row)?,
        more_arrivals: row.try_get("more_arrivals")?,
    })
}
