//! What clients ask: applied once per request id.

use super::instances::{self, InstanceRow, NewInstance};
use super::sql::{Id, Sql, id};
use super::{Tx, quarantine};
use crate::error::{Result, StoreError};
use duroxide_core::ArrivalBody;
use duroxide_provider::{Submission, Submit, Submitted};

/// How long a request is remembered, in ms: well beyond any caller's retries.
const REMEMBERED: u64 = 15 * 60 * 1_000;
/// And, whatever the clock says, until so many numbers were given since: a machine that slept
/// wakes up to callers who go on trying.
const REMEMBERED_NUMBERS: u64 = 20_000;
/// Forgotten requests that one submit clears away: more than it adds.
const PRUNED: u8 = 4;

/// See [`Provider::submit`](duroxide_provider::Provider::submit).
pub(crate) fn submit(tx: &Tx<'_>, request: &Submit) -> Result<Submitted> {
    let request_id = id(request.request.0);
    if let Some(answer) = remembered(tx, request_id)? {
        return Ok(answer);
    }
    if let Some(message) = request.broken_limit(tx.limits) {
        return Err(StoreError::Invalid(message));
    }
    let answer = match &request.what {
        Submission::Start { name, version, input, headers } => {
            let version = version.as_deref();
            let key = &request.key;
            let new = NewInstance { key, name, version, input, headers, parent: None };
            if instances::create(tx, new)? { Submitted::Created } else { Submitted::AlreadyExists }
        }
        Submission::Mail { mailbox, data } => {
            let (channel, name) = (mailbox.channel, mailbox.name.clone());
            send(tx, request, &ArrivalBody::Mail { channel, name, data: data.clone() })?
        }
        Submission::Cancel { reason } => {
            let reason = reason.clone();
            send(tx, request, &ArrivalBody::Cancel { reason, from_parent: false })?
        }
        Submission::Terminate { reason } => {
            send(tx, request, &ArrivalBody::Terminate { reason: reason.clone() })?
        }
    };
    if answer != Submitted::NotFound {
        remember(tx, request_id, answer)?;
    }
    Ok(answer)
}

fn send(tx: &Tx<'_>, request: &Submit, body: &ArrivalBody) -> Result<Submitted> {
    let row = InstanceRow::find(tx.sql, &request.key)?;
    let Some(row) = row else {
        tx.dropped();
        return Ok(Submitted::NotFound);
    };
    if !row.running {
        tx.dropped();
        return Ok(Submitted::Ended);
    }
    quarantine::stop_one(tx, row.incarnation, body)?;
    Ok(Submitted::Accepted)
}

fn remembered(tx: &Tx<'_>, request: Id) -> Result<Option<Submitted>> {
    let code = tx.sql.one("SELECT answer FROM requests WHERE request = ?1", [request], |row| {
        row.get::<_, u8>(0)
    })?;
    Ok(code.and_then(|code| {
        [Submitted::Created, Submitted::AlreadyExists, Submitted::Accepted, Submitted::Ended]
            .into_iter()
            .find(|answer| *answer as u8 == code)
    }))
}

fn remember(tx: &Tx<'_>, request: Id, answer: Submitted) -> Result<()> {
    tx.sql.run(
        "DELETE FROM requests WHERE id IN (SELECT id FROM requests ORDER BY id LIMIT ?1)
           AND at < ?2 AND id < ?3",
        (
            PRUNED,
            tx.now.0.saturating_sub(REMEMBERED),
            tx.last_number().saturating_sub(REMEMBERED_NUMBERS),
        ),
    )?;
    tx.sql.run(
        "INSERT INTO requests (id, request, answer, at) VALUES (?1, ?2, ?3, ?4)",
        (tx.next_number(), request, answer as u8, tx.now.0),
    )?;
    Ok(())
}
