//! Reading what a holder needs to begin a turn: history, and mail not yet taken. What cannot be
//! decoded puts its instance into quarantine.

use crate::calls;
use crate::columns::Columns;
use crate::error::{Result, StoreError};
use crate::shell::Shell;
use crate::text::{escape, unescape};
use duroxide_core::{
    ArrivalBody, ArrivalId, Base, Channel, Event, EventId, KvEntry, MailName, TimeMs, Undecodable,
    UnreadMail, decode_event,
};
use duroxide_provider::{
    HistoryPage, Incarnation, InstanceKey, LeaseId, MailPage, Namespace, ProviderError,
    ReadHistory, ReadMail,
};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// Messages per name that the first page of a history carries.
const MAIL_WINDOW: u64 = 64;

/// See [`Provider::read_history`](duroxide_provider::Provider::read_history).
pub(crate) async fn read_history(
    shell: &Shell,
    request: &ReadHistory,
) -> Result<HistoryPage, ProviderError> {
    let read = shell.call(
        "read_history",
        "SELECT * FROM {schema}.read_history($1, $2, $3, $4, $5, $6)",
        |query| {
            query
                .bind(request.incarnation.0 as i64)
                .bind(Uuid::from_u128(request.lease.0))
                .bind(request.execution.0 as i64)
                .bind(request.from.0 as i64)
                .bind(i64::try_from(request.max_bytes).unwrap_or(i64::MAX))
                .bind(MAIL_WINDOW as i64)
        },
        |rows| history_page(one(&rows)?, request),
    );
    held(shell, "read_history", request.incarnation, read.await).await
}

/// See [`Provider::read_mail`](duroxide_provider::Provider::read_mail).
pub(crate) async fn read_mail(
    shell: &Shell,
    request: &ReadMail,
) -> Result<MailPage, ProviderError> {
    let channels: Vec<i16> =
        request.names.iter().map(|(name, _)| channel_code(name.channel)).collect();
    let names: Vec<String> =
        request.names.iter().map(|(name, _)| escape(&name.name).into_owned()).collect();
    let after: Vec<i64> =
        request.names.iter().map(|(_, id)| id.map_or(0, |id| id.0) as i64).collect();
    let max = i64::try_from(request.max).unwrap_or(i64::MAX - 1).min(i64::MAX - 1);
    let read = shell.call(
        "read_mail",
        "SELECT i.ns, i.id AS instance, coalesce(i.lease = $2, false) AS held, m.asked, m.id,
                m.visible_at, m.body, m.nth
         FROM (SELECT) AS one LEFT JOIN {schema}.instances AS i ON i.incarnation = $1
         LEFT JOIN LATERAL (
           SELECT a.asked, x.id, x.visible_at, CASE WHEN x.nth <= $6 THEN x.body ELSE '' END AS body,
                  x.nth
           FROM unnest($3::smallint[], $4::text[], $5::bigint[]) WITH ORDINALITY
                  AS a (channel, name, after, asked),
                LATERAL (
                  SELECT b.id, b.visible_at, b.body, row_number() OVER (ORDER BY b.id) AS nth
                  FROM {schema}.inbox AS b
                  WHERE b.incarnation = $1 AND b.seen AND b.channel = a.channel
                    AND b.name = a.name AND b.id > a.after
                  ORDER BY b.id LIMIT $6 + 1) AS x) AS m ON i.lease = $2
         ORDER BY m.id",
        |query| {
            query
                .bind(request.incarnation.0 as i64)
                .bind(Uuid::from_u128(request.lease.0))
                .bind(&channels)
                .bind(&names)
                .bind(&after)
                .bind(max)
        },
        |rows| mail_page(&rows, request),
    );
    held(shell, "read_mail", request.incarnation, read.await).await
}

/// What cannot be decoded is set aside, so that it blocks nobody.
async fn held<T>(
    shell: &Shell,
    operation: &'static str,
    incarnation: Incarnation,
    read: Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    if let Err(ProviderError::Corrupt { message, .. }) = &read {
        calls::quarantine(shell, operation, incarnation, message).await?;
    }
    read
}

/// The one row of an answer that always has one.
pub(crate) fn one(rows: &[PgRow]) -> Result<&PgRow> {
    rows.first().ok_or_else(|| StoreError::corrupt("answer", "it has no row"))
}

/// The name of the instance, if it is held under the lease asked for.
fn held_key(
    row: &PgRow,
    id: &str,
    incarnation: Incarnation,
    lease: LeaseId,
) -> Result<InstanceKey> {
    let (Some(ns), Some(id)) = (row.maybe_text("ns")?, row.maybe_text(id)?) else {
        return Err(StoreError::NotFound(format!("incarnation {}", incarnation.0)));
    };
    let key = InstanceKey { namespace: Namespace(ns), id: id.into() };
    if row.try_get::<Option<bool>, _>("held")? == Some(true) {
        Ok(key)
    } else {
        Err(StoreError::NotFound(format!("{key} under lease {lease}")))
    }
}

fn history_page(row: &PgRow, request: &ReadHistory) -> Result<HistoryPage> {
    let key = held_key(row, "id", request.incarnation, request.lease)?;
    if row.number("current_execution")? != request.execution.0 {
        let what = format!("execution {} of {key}", request.execution);
        return Err(StoreError::NotFound(what));
    }
    let blobs: Vec<Vec<u8>> = row.try_get("events")?;
    let more = row.try_get("more")?;
    let (events, next) = cut(&key, &blobs, request, more)?;
    let mut page =
        HistoryPage { events, next, base: None, unread: Vec::new(), more_mail: Vec::new() };
    if request.from == EventId::FIRST {
        page.base = Some(base(row)?);
        (page.unread, page.more_mail) = unread(row, &key)?;
    }
    Ok(page)
}

/// Events from one on, until there are enough bytes; at least one.
fn cut(
    key: &InstanceKey,
    blobs: &[Vec<u8>],
    request: &ReadHistory,
    more: bool,
) -> Result<(Vec<Event>, Option<EventId>)> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    for line in blobs.iter().flat_map(|blob| lines(blob)) {
        let event = decode(key, line)?;
        if event.id < request.from {
            continue;
        }
        if bytes > 0 && bytes + line.len() > request.max_bytes {
            let next = Some(event.id);
            return Ok((events, next));
        }
        bytes += line.len();
        events.push(event);
    }
    let last = events.last().filter(|_| more);
    let next = last.map(|event| EventId(event.id.0 + 1));
    Ok((events, next))
}

/// The events of rows that were read whole.
pub(crate) fn events(key: &InstanceKey, blobs: &[Vec<u8>]) -> Result<Vec<Event>> {
    blobs.iter().flat_map(|blob| lines(blob)).map(|line| decode(key, line)).collect()
}

fn lines(blob: &[u8]) -> impl Iterator<Item = &[u8]> {
    blob.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn decode(key: &InstanceKey, line: &[u8]) -> Result<Event> {
    decode_event(line).map_err(|error| StoreError::corrupt(key.to_string(), error))
}

fn base(row: &PgRow) -> Result<Base> {
    let times = row.numbers("kv_at")?;
    let pairs = row.texts("kv_keys")?.into_iter().zip(row.texts("kv_values")?).zip(times);
    let entry = |((key, value), at)| KvEntry { key, value, updated_at: TimeMs(at) };
    Ok(Base { status: row.maybe_text("base")?, kv: pairs.map(entry).collect() })
}

fn unread(row: &PgRow, key: &InstanceKey) -> Result<(Vec<UnreadMail>, Vec<MailName>)> {
    let channels: Vec<i16> = row.try_get("mail_channels")?;
    let names: Vec<String> = row.try_get("mail_names")?;
    let (ids, times) = (row.numbers("mail_ids")?, row.numbers("mail_at")?);
    let bodies: Vec<Vec<u8>> = row.try_get("mail_bodies")?;
    let (mut unread, mut more) = (Vec::new(), Vec::new());
    let mail = row.numbers("mail_nth")?.into_iter().zip(ids.into_iter().zip(times));
    let boxes = channels.into_iter().zip(names).zip(bodies);
    for ((nth, (id, at)), ((channel, name), body)) in mail.zip(boxes) {
        if nth > MAIL_WINDOW {
            more.push(MailName { channel: channel_of(channel), name: unescape(name) });
        } else {
            unread.push(one_mail(key, id, at, &body)?);
        }
    }
    more.sort();
    Ok((unread, more))
}

fn mail_page(rows: &[PgRow], request: &ReadMail) -> Result<MailPage> {
    let key = held_key(one(rows)?, "instance", request.incarnation, request.lease)?;
    let mut page = MailPage { unread: Vec::new(), more_mail: Vec::new() };
    let mut more = vec![false; request.names.len()];
    for row in rows {
        let Some(nth) = row.maybe_number("nth")? else { continue };
        if nth <= request.max as u64 {
            let body: Vec<u8> = row.try_get("body")?;
            page.unread.push(one_mail(&key, row.number("id")?, row.number("visible_at")?, &body)?);
        } else if let Some(more) = more.get_mut(row.number("asked")? as usize - 1) {
            *more = true;
        }
    }
    let names = request.names.iter().zip(more).filter(|(_, more)| *more);
    page.more_mail = names.map(|((name, _), _)| name.clone()).collect();
    Ok(page)
}

fn one_mail(key: &InstanceKey, id: u64, at: u64, body: &[u8]) -> Result<UnreadMail> {
    let corrupt = |message: String| StoreError::corrupt(key.to_string(), message);
    let body = serde_json::from_slice(body).map_err(Undecodable::from);
    let body = body.map_err(|why| corrupt(format!("message {id}: {why}")))?;
    let ArrivalBody::Mail { channel, name, data } = body else {
        return Err(corrupt(format!("message {id} is not mail")));
    };
    Ok(UnreadMail { id: ArrivalId(id), at: TimeMs(at), channel, name, data })
}

fn channel_code(channel: Channel) -> i16 {
    match channel {
        Channel::Event => 0,
        Channel::Queue => 1,
    }
}

fn channel_of(code: i16) -> Channel {
    if code == 0 { Channel::Event } else { Channel::Queue }
}
