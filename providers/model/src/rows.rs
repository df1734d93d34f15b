//! What is asked of a row: whether it is held, when it is ready. And how an instance is made.

use crate::state::{Activity, Execution, Instance, Lease, Message, ParentLink, State};
use duroxide_core::{
    ArrivalBody, ArrivalId, CompatFlags, EventId, ExecutionId, Headers, Parent, Payload, TimeMs,
    TurnNo,
};
use duroxide_provider::{Incarnation, InstanceKey, InstanceState, LeaseId};
use std::collections::{BTreeMap, BTreeSet};

/// Whether the lease still keeps others away.
pub(crate) fn holds(lease: Option<&Lease>, now: TimeMs) -> bool {
    lease.is_some_and(|lease| lease.until > now)
}

/// Whether this lease is the one, expired or not.
pub(crate) fn is_under(lease: Option<&Lease>, id: LeaseId) -> bool {
    lease.is_some_and(|lease| lease.id == id)
}

impl Instance {
    /// The current execution.
    pub(crate) fn current(&self) -> &Execution {
        &self.executions[&self.execution]
    }

    /// It has not ended.
    pub(crate) fn is_running(&self) -> bool {
        !self.current().state.is_terminal()
    }

    /// When it ended.
    pub(crate) fn ended_at(&self) -> Option<TimeMs> {
        self.current().ended_at
    }

    /// Since or from when it has something to do: a split turn, or what no turn has looked
    /// at. A turn puts it at the back of the queue.
    pub fn ready_at(&self) -> Option<TimeMs> {
        if self.quarantine.is_some() || !self.is_running() {
            return None;
        }
        let unseen = self.inbox.values().filter(|message| !message.seen);
        let first = unseen.map(|message| message.visible_at).min();
        let first = if self.split { Some(TimeMs(0)) } else { first };
        first.map(|at| at.max(self.updated_at).max(self.not_before))
    }

    /// It has something to do now, held or not.
    pub(crate) fn is_ready(&self, now: TimeMs) -> bool {
        self.ready_at().is_some_and(|at| at <= now)
    }

    /// What has arrived and no turn has looked at.
    pub(crate) fn unseen(&self, now: TimeMs) -> impl Iterator<Item = (&ArrivalId, &Message)> {
        self.inbox.iter().filter(move |(_, message)| !message.seen && message.visible_at <= now)
    }

    /// The present holder was given all that has arrived.
    pub(crate) fn tell(&mut self, now: TimeMs) {
        for message in self.inbox.values_mut() {
            message.told |= !message.seen && message.visible_at <= now;
        }
    }

    /// The parent as the child's history records it.
    pub(crate) fn parent(&self) -> Option<Parent> {
        self.parent.as_ref().map(|parent| Parent {
            instance: parent.id.clone(),
            execution: parent.execution,
            event: parent.event,
        })
    }
}

impl Execution {
    /// One that begins.
    pub(crate) fn begun(now: TimeMs) -> Self {
        Self {
            state: InstanceState::Running,
            started_at: now,
            ended_at: None,
            events: Vec::new(),
            damaged: false,
        }
    }
}

impl Activity {
    /// It can be taken: it waits, or nobody holds it any longer.
    pub(crate) fn is_free(&self, row: &Instance, now: TimeMs) -> bool {
        row.quarantine.is_none()
            && match &self.lease {
                None => self.visible_at <= now,
                Some(lease) => lease.until <= now,
            }
    }
}

/// An instance to make.
pub(crate) struct NewInstance {
    pub(crate) key: InstanceKey,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) input: Payload,
    pub(crate) headers: Headers,
    /// The parent and the root, for a child.
    pub(crate) parent: Option<(ParentLink, Incarnation)>,
}

impl State {
    /// Make an instance with its first execution and the message that starts it. `false`:
    /// the id is in use.
    pub(crate) fn create(&mut self, new: NewInstance) -> bool {
        if self.find(&new.key).is_some() {
            return false;
        }
        let (now, incarnation) = (self.now, Incarnation(self.number()));
        let (parent, root) = new.parent.unzip();
        let row = Instance {
            key: new.key,
            name: new.name.clone(),
            version: new.version.clone(),
            flags: CompatFlags::NONE,
            parent,
            root: root.unwrap_or(incarnation),
            execution: ExecutionId::FIRST,
            executions: BTreeMap::from([(ExecutionId::FIRST, Execution::begun(now))]),
            next_event: EventId::FIRST,
            turn: TurnNo(0),
            last_commit: None,
            abandoned: BTreeSet::new(),
            split: false,
            stop: false,
            not_before: TimeMs(0),
            attempt: 0,
            lease: None,
            kept: false,
            offer: None,
            inbox: BTreeMap::new(),
            activities: BTreeMap::new(),
            status: None,
            status_version: 0,
            status_base: None,
            kv: BTreeMap::new(),
            kv_base: BTreeMap::new(),
            revision: 1,
            created_at: now,
            updated_at: now,
            quarantine: None,
            waiting: None,
        };
        let start = ArrivalBody::Start {
            name: new.name,
            version: new.version,
            input: new.input,
            parent: row.parent(),
            headers: new.headers,
        };
        self.instances.insert(incarnation, row);
        self.put(incarnation, start);
        true
    }
}
