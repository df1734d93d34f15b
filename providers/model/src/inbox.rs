//! The inbox: how messages get in, in which order they are given, and what of them a turn
//! has seen and not taken.

use crate::fault::{Fault, Result};
use crate::state::{Instance, Message, State};
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, EventId, MailName, Origin, TimeMs, UnreadMail,
};
use duroxide_provider::Incarnation;
use std::collections::BTreeSet;

/// Arrivals that one answer carries at most, in number and bytes.
const WINDOW: usize = 128;
const WINDOW_BYTES: usize = 4 << 20;

impl State {
    /// Put a message that is visible at once into the inbox of a running instance.
    pub(crate) fn put(&mut self, to: Incarnation, body: ArrivalBody) {
        self.put_at(to, self.now, body);
    }

    /// Put a message that becomes visible then: a timer.
    pub(crate) fn put_at(&mut self, to: Incarnation, visible_at: TimeMs, body: ArrivalBody) {
        let (now, id) = (self.now, ArrivalId(self.number()));
        let Some(row) = self.instances.get_mut(&to) else { return };
        if matches!(body, ArrivalBody::Terminate { .. }) {
            // No delay holds a termination up.
            row.stop = true;
            row.not_before = now;
        }
        let (seen, told, damaged) = (false, false, false);
        row.inbox.insert(id, Message { visible_at, seen, told, body, damaged });
    }
}

/// What has arrived and was not seen, in order, and whether there is more. Before the
/// first turn of an execution its start comes first, whatever arrived before it.
pub(crate) fn arrivals(row: &Instance, now: TimeMs) -> Result<(Vec<Arrival>, bool)> {
    let is_start = |message: &Message| matches!(message.body, ArrivalBody::Start { .. });
    let first_turn = row.next_event == EventId::FIRST;
    let mut unseen: Vec<_> =
        row.unseen(now).filter(|(_, message)| first_turn || !is_start(message)).collect();
    unseen.sort_by_key(|(id, message)| (!is_start(message), message.visible_at, **id));
    let (mut given, mut bytes, mut more) = (Vec::new(), 0, false);
    for (id, message) in &unseen {
        if given.len() >= WINDOW || bytes >= WINDOW_BYTES {
            more = true;
            break;
        }
        given.push(arrival(row, **id, message)?);
        bytes += serde_json::to_vec(&message.body).map_or(0, |body| body.len());
    }
    // However much came before it: what ends the instance is not to wait behind mail that
    // nobody may ever take.
    let stop = unseen
        .iter()
        .filter(|(_, message)| matches!(message.body, ArrivalBody::Terminate { .. }))
        .min_by_key(|(id, _)| **id);
    if let Some((id, message)) = stop.filter(|_| more) {
        let stop = arrival(row, **id, message)?;
        if !given.contains(&stop) {
            given.push(stop);
        }
    }
    Ok((given, more))
}

fn arrival(row: &Instance, id: ArrivalId, message: &Message) -> Result<Arrival> {
    readable(row, id, message)?;
    Ok(Arrival { origin: Origin::Inbox(id), at: message.visible_at, body: message.body.clone() })
}

fn readable(row: &Instance, id: ArrivalId, message: &Message) -> Result<()> {
    if message.damaged {
        let message = format!("message {}: cannot be decoded", id.0);
        return Err(Fault::Corrupt { what: row.key.to_string(), message });
    }
    Ok(())
}

/// Whether a message goes on to the next execution. Its start, timers and completions do not.
pub(crate) fn outlives_executions(message: &Message) -> bool {
    match message.body {
        ArrivalBody::Mail { .. } | ArrivalBody::Cancel { .. } | ArrivalBody::Terminate { .. } => {
            true
        }
        ArrivalBody::Start { .. }
        | ArrivalBody::ActivityDone { .. }
        | ArrivalBody::TimerDue { .. }
        | ArrivalBody::ChildDone { .. } => false,
    }
}

/// The mailboxes with mail that was seen and not taken.
pub(crate) fn mailboxes(row: &Instance) -> BTreeSet<MailName> {
    let mut mailboxes = BTreeSet::new();
    for message in row.inbox.values().filter(|message| message.seen) {
        if let ArrivalBody::Mail { channel, name, .. } = &message.body {
            mailboxes.insert(MailName { channel: *channel, name: name.clone() });
        }
    }
    mailboxes
}

/// Mail that was seen and not taken, oldest first: of each mailbox what comes after a
/// message of it, up to so many; and the mailboxes with more.
pub(crate) fn unread(
    row: &Instance,
    names: &[(MailName, Option<ArrivalId>)],
    max: usize,
) -> Result<(Vec<UnreadMail>, Vec<MailName>)> {
    let (mut unread, mut more) = (Vec::new(), Vec::new());
    for (of, after) in names {
        let mut left = max;
        for (id, message) in &row.inbox {
            let ArrivalBody::Mail { channel, name, data } = &message.body else { continue };
            let is_of = message.seen && *channel == of.channel && *name == of.name;
            if !is_of || Some(*id) <= *after {
                continue;
            }
            if left == 0 {
                more.push(of.clone());
                break;
            }
            left -= 1;
            readable(row, *id, message)?;
            let (at, channel, name) = (message.visible_at, *channel, name.clone());
            unread.push(UnreadMail { id: *id, at, channel, name, data: data.clone() });
        }
    }
    unread.sort_by_key(|mail| mail.id);
    Ok((unread, more))
}
