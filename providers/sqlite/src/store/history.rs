//! Reading what a holder needs to begin a turn: history, and mail not yet taken.

use super::inbox;
use super::instances::InstanceRow;
use super::sql::{Next, Sql, id};
use crate::error::{Result, StoreError};
use duroxide_core::{Base, Event, EventId, ExecutionId, KvEntry, TimeMs, decode_event};
use duroxide_provider::{HistoryPage, Incarnation, LeaseId, MailPage, ReadHistory, ReadMail};
use rusqlite::Connection;

/// Messages per name that the first page of a history carries.
const MAIL_WINDOW: usize = 64;

/// The row, if it is held under this lease.
fn held(sql: &Connection, incarnation: Incarnation, lease: LeaseId) -> Result<InstanceRow> {
    let missing = || StoreError::NotFound(format!("incarnation {}", incarnation.0));
    let row = InstanceRow::load(sql, incarnation.0)?.ok_or_else(missing)?;
    if row.lease != Some(id(lease.0)) {
        return Err(StoreError::NotFound(format!("{} under lease {lease}", row.display())));
    }
    Ok(row)
}

/// See [`Provider::read_history`](duroxide_provider::Provider::read_history).
pub(crate) fn read_history(sql: &Connection, request: &ReadHistory) -> Result<HistoryPage> {
    let row = held(sql, request.incarnation, request.lease)?;
    if row.execution != request.execution.0 {
        let what = format!("execution {} of {}", request.execution, row.display());
        return Err(StoreError::NotFound(what));
    }
    let (events, next) = page(sql, &row, request.from, request.max_bytes)?;
    let mut page =
        HistoryPage { events, next, base: None, unread: Vec::new(), more_mail: Vec::new() };
    if request.from == EventId::FIRST {
        page.base = Some(base(sql, row.incarnation)?);
        (page.unread, page.more_mail) = inbox::unread(sql, &row, MAIL_WINDOW)?;
    }
    Ok(page)
}

/// Events from one on, until there are enough bytes; at least one.
fn page(
    sql: &Connection,
    row: &InstanceRow,
    from: EventId,
    max_bytes: usize,
) -> Result<(Vec<Event>, Option<EventId>)> {
    let (mut events, mut next, mut bytes) = (Vec::new(), None, 0);
    sql.each(
        "SELECT bytes FROM events
         WHERE incarnation = ?1 AND execution = ?2 AND first_event >= ifnull((
           SELECT max(first_event) FROM events
           WHERE incarnation = ?1 AND execution = ?2 AND first_event <= ?3), 0)
         ORDER BY first_event",
        (row.incarnation, row.execution, from.0),
        |batch| {
            let blob = batch.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            for line in lines(blob) {
                let event = decode(row, line)?;
                if event.id < from {
                    continue;
                }
                if bytes > 0 && bytes + line.len() > max_bytes {
                    next = Some(event.id);
                    return Ok(Next::Enough);
                }
                bytes += line.len();
                events.push(event);
            }
            Ok(Next::More)
        },
    )?;
    Ok((events, next))
}

fn lines(blob: &[u8]) -> impl Iterator<Item = &[u8]> {
    blob.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn decode(row: &InstanceRow, line: &[u8]) -> Result<Event> {
    decode_event(line).map_err(|error| StoreError::corrupt(row.display(), error))
}

/// Every event of an execution.
pub(crate) fn events(
    sql: &Connection,
    row: &InstanceRow,
    execution: ExecutionId,
) -> Result<Vec<Event>> {
    let row = InstanceRow { execution: execution.0, ..row.clone() };
    Ok(page(sql, &row, EventId::FIRST, usize::MAX)?.0)
}

fn base(sql: &Connection, incarnation: u64) -> Result<Base> {
    let status = sql
        .one("SELECT base FROM statuses WHERE incarnation = ?1", [incarnation], |row| row.get(0))?
        .flatten();
    let kv = sql.all(
        "SELECT key, value, updated_at FROM kv_base WHERE incarnation = ?1 ORDER BY key",
        [incarnation],
        kv_entry,
    )?;
    Ok(Base { status, kv })
}

/// A key-value pair from its three columns.
pub(crate) fn kv_entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<KvEntry> {
    Ok(KvEntry { key: row.get(0)?, value: row.get(1)?, updated_at: TimeMs(row.get(2)?) })
}

/// See [`Provider::read_mail`](duroxide_provider::Provider::read_mail).
pub(crate) fn read_mail(sql: &Connection, request: &ReadMail) -> Result<MailPage> {
    let row = held(sql, request.incarnation, request.lease)?;
    let mut page = MailPage { unread: Vec::new(), more_mail: Vec::new() };
    for (name, after) in &request.names {
        let (unread, more) = inbox::unread_of(sql, &row, name, *after, request.max)?;
        page.unread.extend(unread);
        if more {
            page.more_mail.push(name.clone());
        }
    }
    page.unread.sort_by_key(|mail| mail.id);
    Ok(page)
}
