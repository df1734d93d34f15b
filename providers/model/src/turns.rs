//! Handing out instances that have something to do, and what a holder reads to begin a
//! turn. Not here: activities.

use crate::fault::{Fault, Result};
use crate::inbox;
use crate::rows::{holds, is_under};
use crate::state::{Instance, State};
use duroxide_core::{Base, EventId, encode_event};
use duroxide_provider::{
    HistoryPage, Incarnation, LeaseId, LeaseOrchestrations, LeasedInstance, LeasedOrchestrations,
    MailPage, OrchestrationFilter, ReadHistory, ReadMail,
};
use std::collections::BTreeSet;

/// Messages per mailbox that the first page of a history carries.
const MAIL_WINDOW: usize = 64;

/// See [`Provider::lease_orchestrations`](duroxide_provider::Provider::lease_orchestrations).
pub(crate) fn lease_orchestrations(
    state: &mut State,
    request: &LeaseOrchestrations,
) -> LeasedOrchestrations {
    let wake_seq = state.wake_seq;
    let mut instances = Vec::new();
    let given_before: Vec<_> = state
        .instances
        .iter()
        .filter(|(_, row)| {
            is_under(row.lease.as_ref(), request.lease) || row.offer == Some(request.lease)
        })
        .map(|(incarnation, _)| *incarnation)
        .collect();
    for incarnation in &given_before {
        instances.extend(give(state, *incarnation));
    }
    let mut taken = BTreeSet::new();
    while given_before.is_empty() && instances.len() < request.max {
        let Some(incarnation) = longest_ready(state, request, &taken) else { break };
        take(state, request, incarnation);
        taken.insert(incarnation);
        // What turns out to be undecodable leaves room for others.
        instances.extend(give(state, incarnation));
    }
    LeasedOrchestrations { instances, wake_seq, store_now: state.now }
}

/// The instance that has been ready for longest, of those that the caller may have. Each is
/// given once, even under a lease that runs out at once.
fn longest_ready(
    state: &State,
    request: &LeaseOrchestrations,
    taken: &BTreeSet<Incarnation>,
) -> Option<Incarnation> {
    let for_caller = |row: &Instance| {
        if !holds(row.lease.as_ref(), state.now) {
            return row.stop || admits(&request.filter, row);
        }
        // It is held: by the caller, and there is news?
        row.lease.as_ref().is_some_and(|lease| lease.node == request.node)
            && row.unseen(state.now).any(|(_, message)| !message.told)
    };
    state
        .instances
        .iter()
        .filter(|(id, row)| !taken.contains(id) && row.is_ready(state.now) && for_caller(row))
        .min_by_key(|(_, row)| row.ready_at())
        .map(|(incarnation, _)| *incarnation)
}

fn admits(filter: &OrchestrationFilter, row: &Instance) -> bool {
    filter.names.get(&row.name).is_some_and(|versions| {
        row.version.as_ref().is_none_or(|version| versions.contains(version))
    }) && filter.flags.contains(row.flags)
}

/// Give the caller the lease, or, if it has one, its news under that.
fn take(state: &mut State, request: &LeaseOrchestrations, incarnation: Incarnation) {
    let now = state.now;
    let lease = state.lease(request.lease, &request.node, request.duration);
    let Some(row) = state.instances.get_mut(&incarnation) else { return };
    if holds(row.lease.as_ref(), now) {
        row.offer = Some(request.lease);
    } else {
        row.lease = Some(lease);
        row.kept = false;
        row.offer = None;
        row.attempt += 1;
    }
    row.tell(now);
}

/// The instance as the caller gets it; `None` if its mail cannot be decoded: then it is
/// quarantined, and the others go on.
fn give(state: &mut State, incarnation: Incarnation) -> Option<LeasedInstance> {
    let row = state.instances.get(&incarnation)?;
    let (arrivals, more_arrivals) = match inbox::arrivals(row, state.now) {
        Ok(window) => window,
        Err(fault) => {
            state.quarantine(incarnation, &fault);
            return None;
        }
    };
    Some(LeasedInstance {
        key: row.key.clone(),
        incarnation,
        lease: row.lease.as_ref()?.id,
        execution: row.execution,
        last_commit: row.last_commit,
        next_event: row.next_event,
        name: row.name.clone(),
        version: row.version.clone(),
        flags: row.flags,
        attempt: row.attempt.max(1),
        arrivals,
        more_arrivals,
    })
}

/// The instance, if it is held under this lease.
fn held(state: &State, incarnation: Incarnation, lease: LeaseId) -> Result<&Instance> {
    let missing = || Fault::NotFound(format!("incarnation {}", incarnation.0));
    let row = state.instances.get(&incarnation).ok_or_else(missing)?;
    if !is_under(row.lease.as_ref(), lease) {
        return Err(Fault::NotFound(format!("{} under lease {lease}", row.key)));
    }
    Ok(row)
}

/// See [`Provider::read_history`](duroxide_provider::Provider::read_history).
pub(crate) fn read_history(state: &mut State, request: &ReadHistory) -> Result<HistoryPage> {
    let page = history_page(state, request);
    quarantined_if_corrupt(state, request.incarnation, page)
}

fn history_page(state: &State, request: &ReadHistory) -> Result<HistoryPage> {
    let row = held(state, request.incarnation, request.lease)?;
    if row.execution != request.execution {
        let what = format!("execution {} of {}", request.execution, row.key);
        return Err(Fault::NotFound(what));
    }
    let mut page = HistoryPage {
        events: Vec::new(),
        next: None,
        base: None,
        unread: Vec::new(),
        more_mail: Vec::new(),
    };
    let mut bytes = 0;
    for event in crate::reads::events(row, request.execution)? {
        if event.id < request.from {
            continue;
        }
        let size = encode_event(&event).len();
        if bytes > 0 && bytes + size > request.max_bytes {
            page.next = Some(event.id);
            break;
        }
        bytes += size;
        page.events.push(event);
    }
    if request.from == EventId::FIRST {
        let kv = row.kv_base.values().cloned().collect();
        page.base = Some(Base { status: row.status_base.clone(), kv });
        let names: Vec<_> = inbox::mailboxes(row).into_iter().map(|name| (name, None)).collect();
        (page.unread, page.more_mail) = inbox::unread(row, &names, MAIL_WINDOW)?;
    }
    Ok(page)
}

/// See [`Provider::read_mail`](duroxide_provider::Provider::read_mail).
pub(crate) fn read_mail(state: &mut State, request: &ReadMail) -> Result<MailPage> {
    let page = held(state, request.incarnation, request.lease).and_then(|row| {
        let (unread, more_mail) = inbox::unread(row, &request.names, request.max)?;
        Ok(MailPage { unread, more_mail })
    });
    quarantined_if_corrupt(state, request.incarnation, page)
}

/// What cannot be decoded puts its instance aside.
fn quarantined_if_corrupt<T>(
    state: &mut State,
    incarnation: Incarnation,
    page: Result<T>,
) -> Result<T> {
    if let Err(fault @ Fault::Corrupt { .. }) = &page {
        state.quarantine(incarnation, fault);
    }
    page
}
