//! The inbox: messages and timers of instances, and the time at which each instance next
//! has something to do. Not here: what becomes of a message once a turn has it (`effects`).

use super::Tx;
use super::instances::InstanceRow;
use super::sql::{Next, Sql};
use crate::error::{Result, StoreError};
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, Channel, EventId, MailName, Origin, TimeMs, Undecodable,
    UnreadMail,
};
use rusqlite::Connection;

/// Arrivals that one answer carries at most, in number and bytes.
const WINDOW: usize = 128;
const WINDOW_BYTES: usize = 4 << 20;

/// A message to put into an inbox.
pub(crate) struct NewArrival<'a> {
    pub(crate) to: u64,
    /// The execution it is bound to; `None` outlives executions.
    pub(crate) execution: Option<u64>,
    pub(crate) visible_at: u64,
    pub(crate) body: &'a ArrivalBody,
}

impl<'a> NewArrival<'a> {
    /// A message that is visible at once.
    pub(crate) fn now(tx: &Tx<'_>, to: u64, execution: Option<u64>, body: &'a ArrivalBody) -> Self {
        Self { to, execution, visible_at: tx.now.0, body }
    }
}

/// What kind of row it is. Routing only; the body says everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Start = 0,
    ActivityDone = 1,
    /// The number stands in the schema's partial index too.
    Timer = 2,
    ChildDone = 3,
    Mail = 4,
    Cancel = 5,
    Terminate = 6,
}

struct Routing<'a> {
    kind: Kind,
    source: Option<EventId>,
    channel: Option<Channel>,
    name: Option<&'a str>,
}

fn routing(body: &ArrivalBody) -> Routing<'_> {
    let plain = |kind| Routing { kind, source: None, channel: None, name: None };
    match body {
        ArrivalBody::Start { .. } => plain(Kind::Start),
        ArrivalBody::ActivityDone { source, .. } => {
            Routing { source: Some(*source), ..plain(Kind::ActivityDone) }
        }
        ArrivalBody::TimerDue { source } => Routing { source: Some(*source), ..plain(Kind::Timer) },
        ArrivalBody::ChildDone { source, .. } => {
            Routing { source: Some(*source), ..plain(Kind::ChildDone) }
        }
        ArrivalBody::Mail { channel, name, .. } => {
            Routing { channel: Some(*channel), name: Some(name), ..plain(Kind::Mail) }
        }
        ArrivalBody::Cancel { .. } => plain(Kind::Cancel),
        ArrivalBody::Terminate { .. } => plain(Kind::Terminate),
    }
}

/// The stored form of a channel.
pub(crate) fn channel_code(channel: Channel) -> u8 {
    match channel {
        Channel::Event => 0,
        Channel::Queue => 1,
    }
}

fn channel_of(code: u8) -> Channel {
    if code == 0 { Channel::Event } else { Channel::Queue }
}

/// Put a message into an inbox and make its instance ready for it.
pub(crate) fn put(tx: &Tx<'_>, arrival: &NewArrival<'_>) -> Result<()> {
    insert(tx, arrival)?;
    let stop = matches!(arrival.body, ArrivalBody::Terminate { .. });
    let row = tx.sql.one(
        "UPDATE instances SET
           stop = stop OR ?3,
           not_before = iif(?3, 0, not_before),
           ready_at = iif(?3, ?2, max(min(ifnull(ready_at, ?2), ?2), not_before))
         WHERE incarnation = ?1 AND quarantine IS NULL
         RETURNING ready_at, lease IS NOT NULL, lease_until",
        (arrival.to, arrival.visible_at, stop),
        |row| Ok((row.get::<_, u64>(0)?, row.get::<_, bool>(1)?, row.get::<_, u64>(2)?)),
    )?;
    if let Some((ready_at, leased, lease_until)) = row {
        tx.due(ready_at);
        if leased {
            // Its holder is told now; should it be dead, another may take over then.
            tx.due(lease_until);
        }
    }
    Ok(())
}

/// Write the row only: for the commit, which sets the readiness of its instance itself.
pub(crate) fn insert(tx: &Tx<'_>, arrival: &NewArrival<'_>) -> Result<()> {
    let routing = routing(arrival.body);
    let body = serde_json::to_vec(arrival.body)
        .map_err(|error| StoreError::Invalid(format!("a message cannot be encoded: {error}")))?;
    tx.sql.run(
        "INSERT INTO inbox (id, incarnation, execution, visible_at, kind, source, channel, name,
           body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        rusqlite::params![
            tx.next_number(),
            arrival.to,
            arrival.execution,
            arrival.visible_at,
            routing.kind as u8,
            routing.source.map(|source| source.0),
            routing.channel.map(channel_code),
            routing.name,
            body,
        ],
    )?;
    Ok(())
}

/// Remove every message of an instance. Gives how many there were.
pub(crate) fn clear(tx: &Tx<'_>, incarnation: u64) -> Result<u64> {
    // Seen and unseen apart: each has its index.
    let unseen =
        tx.sql.run("DELETE FROM inbox WHERE incarnation = ?1 AND seen = 0", [incarnation])?;
    let seen =
        tx.sql.run("DELETE FROM inbox WHERE incarnation = ?1 AND seen = 1", [incarnation])?;
    Ok((unseen + seen) as u64)
}

/// Remove what is bound to an execution: its start, timers and completions. Mail goes on.
pub(crate) fn clear_execution(tx: &Tx<'_>, row: &InstanceRow) -> Result<()> {
    tx.sql.run(
        "DELETE FROM inbox WHERE incarnation = ?1 AND seen = 0 AND execution = ?2",
        (row.incarnation, row.execution),
    )?;
    Ok(())
}

/// When the instance next has something in its inbox, seen or not by anyone.
pub(crate) fn first_unseen(sql: &Connection, incarnation: u64) -> Result<Option<u64>> {
    Ok(sql
        .one(
            "SELECT min(visible_at) FROM inbox WHERE incarnation = ?1 AND seen = 0",
            [incarnation],
            |row| row.get(0),
        )?
        .flatten())
}

/// What has arrived and was not seen, in order, and whether there is more. Before the
/// first turn of an execution its start comes first, whatever arrived before it.
pub(crate) fn arrivals(tx: &Tx<'_>, row: &InstanceRow) -> Result<(Vec<Arrival>, bool)> {
    let mut window = Window { what: row.display(), arrivals: Vec::new(), bytes: 0, more: false };
    if row.next_event == EventId::FIRST.0 {
        tx.sql.each(
            "SELECT id, visible_at, body FROM inbox
             WHERE incarnation = ?1 AND seen = 0 AND kind = 0 ORDER BY visible_at, id LIMIT 1",
            [row.incarnation],
            |row| window.take(row),
        )?;
    }
    tx.sql.each(
        "SELECT id, visible_at, body FROM inbox
         WHERE incarnation = ?1 AND seen = 0 AND visible_at <= ?2 AND kind <> 0
         ORDER BY visible_at, id",
        (row.incarnation, tx.now.0),
        |row| window.take(row),
    )?;
    if window.more {
        // However much came before it: what ends the instance is not to wait behind mail
        // that nobody may ever take.
        tx.sql.each(
            "SELECT id, visible_at, body FROM inbox
             WHERE incarnation = ?1 AND seen = 0 AND kind = 6 ORDER BY id LIMIT 1",
            [row.incarnation],
            |row| window.add(row),
        )?;
    }
    Ok((window.arrivals, window.more))
}

struct Window {
    what: String,
    arrivals: Vec<Arrival>,
    bytes: usize,
    more: bool,
}

impl Window {
    fn take(&mut self, row: &rusqlite::Row<'_>) -> Result<Next> {
        if self.arrivals.len() >= WINDOW || self.bytes >= WINDOW_BYTES {
            self.more = true;
            return Ok(Next::Enough);
        }
        self.add(row)
    }

    fn add(&mut self, row: &rusqlite::Row<'_>) -> Result<Next> {
        let id = row.get(0)?;
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let body = serde_json::from_slice(bytes)
            .map_err(|error| StoreError::corrupt(&self.what, undecodable(id, error)))?;
        self.bytes += bytes.len();
        let origin = Origin::Inbox(ArrivalId(id));
        if self.arrivals.iter().any(|arrival| arrival.origin == origin) {
            return Ok(Next::More);
        }
        self.arrivals.push(Arrival { origin, at: TimeMs(row.get(1)?), body });
        Ok(Next::More)
    }
}

/// Whether something arrived that this holder was not given.
pub(crate) fn has_news(tx: &Tx<'_>, row: &InstanceRow) -> Result<bool> {
    tx.sql.any(
        "SELECT 1 FROM inbox
         WHERE incarnation = ?1 AND seen = 0 AND visible_at <= ?2 AND (visible_at > ?3 OR id > ?4)",
        (row.incarnation, tx.now.0, row.offered_at, row.offered_id),
    )
}

/// Seen, unread mail: of every name its oldest, up to a window.
pub(crate) fn unread(
    sql: &Connection,
    row: &InstanceRow,
    window: usize,
) -> Result<(Vec<UnreadMail>, Vec<MailName>)> {
    let mut unread = Vec::new();
    let mut more = Vec::new();
    sql.each(
        "SELECT channel, name, id, visible_at, iif(nth <= ?2, body, x''), nth FROM (
           SELECT channel, name, id, visible_at, body,
             row_number() OVER (PARTITION BY channel, name ORDER BY id) AS nth
           FROM inbox WHERE incarnation = ?1 AND seen = 1)
         WHERE nth <= ?2 + 1 ORDER BY id",
        (row.incarnation, window),
        |mail| {
            let nth: usize = mail.get(5)?;
            if nth > window {
                more.push(mail_name(mail)?);
            } else {
                unread.push(unread_mail(mail, row)?);
            }
            Ok(Next::More)
        },
    )?;
    more.sort();
    Ok((unread, more))
}

/// Seen, unread mail of one name, after a message of it, and whether there is more.
pub(crate) fn unread_of(
    sql: &Connection,
    row: &InstanceRow,
    name: &MailName,
    after: Option<ArrivalId>,
    max: usize,
) -> Result<(Vec<UnreadMail>, bool)> {
    let mut unread = Vec::new();
    let mut more = false;
    sql.each(
        "SELECT channel, name, id, visible_at, body FROM inbox
         WHERE incarnation = ?1 AND seen = 1 AND channel = ?2 AND name = ?3 AND id > ?4
         ORDER BY id",
        (row.incarnation, channel_code(name.channel), &name.name, after.map_or(0, |id| id.0)),
        |mail| {
            if unread.len() >= max {
                more = true;
                return Ok(Next::Enough);
            }
            unread.push(unread_mail(mail, row)?);
            Ok(Next::More)
        },
    )?;
    Ok((unread, more))
}

fn mail_name(mail: &rusqlite::Row<'_>) -> rusqlite::Result<MailName> {
    Ok(MailName { channel: channel_of(mail.get(0)?), name: mail.get(1)? })
}

/// What is wrong with the body of a message.
fn undecodable(id: u64, error: serde_json::Error) -> String {
    format!("message {id}: {}", Undecodable::from(error))
}

fn unread_mail(mail: &rusqlite::Row<'_>, row: &InstanceRow) -> Result<UnreadMail> {
    let id = mail.get(2)?;
    let corrupt = |message: String| StoreError::corrupt(row.display(), message);
    let bytes = mail.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let body = serde_json::from_slice(bytes).map_err(|error| corrupt(undecodable(id, error)))?;
    let ArrivalBody::Mail { channel, name, data } = body else {
        return Err(corrupt(format!("message {id} is not mail")));
    };
    Ok(UnreadMail { id: ArrivalId(id), at: TimeMs(mail.get(3)?), channel, name, data })
}
