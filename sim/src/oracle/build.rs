//! Builders for the tests of oracles: facts as short as they can be said. The instance is
//! `a`, incarnation 1, execution 1; times are 1 000 unless said.

use super::fact::{Accepted, Fact, Handed, Instance, Oracle, Span, Stored};
use super::managed::Managed;
use crate::wrong::Verdict;
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, Channel, Commit, CompatFlags, End, Event, EventId, EventKind,
    ExecutionId, MailName, NewActivity, NewStart, NewTimer, Nonce, Origin, Parent, Payload, TimeMs,
    TurnNo, UnreadMail,
};
use duroxide_provider::{
    ActivityFate, ActivityKey, Applied, CommitId, CommitTurn, CompleteActivity, HistoryPage,
    Incarnation, InstanceInfo, InstanceKey, InstanceState, InstanceStats, LeaseActivities, LeaseId,
    LeaseOrchestrations, LeasedActivities, LeasedActivity, LeasedInstance, LeasedOrchestrations,
    NodeId, OrchestrationFilter, ReadHistory, RequestId, SessionLimits, Submission, Submit,
    Submitted, TagFilter, WakeSeq,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Feeds an oracle, one call after the other.
pub(super) struct Feed<O> {
    pub(super) oracle: O,
    tick: u64,
}

impl<O: Oracle> Feed<O> {
    pub(super) fn new(oracle: O) -> Self {
        Self { oracle, tick: 0 }
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    pub(super) fn see(&mut self, fact: &Fact<'_>) -> Verdict {
        let began = self.tick();
        self.see_since(began, fact)
    }

    fn see_since(&mut self, began: u64, fact: &Fact<'_>) -> Verdict {
        let ended = self.tick();
        self.oracle.see(fact, Span { began, ended })
    }

    pub(super) fn commit(&mut self, turn: &Turn) -> Verdict {
        let key = InstanceKey::new(turn.of);
        let request = Arc::new((**turn).clone());
        let began = self.tick();
        self.see(&Fact::Committing(&key, &request))?;
        let applied = Some(&turn.applied);
        self.see_since(began, &Fact::Committed(Accepted { key: &key, request: &request, applied }))
    }

    pub(super) fn lease(&mut self, leased: &Leased) -> Verdict {
        let began = self.tick();
        self.lease_since(began, leased)
    }

    pub(super) fn lease_since(&mut self, began: u64, leased: &Leased) -> Verdict {
        self.see_since(began, &Fact::Leased(&leased.request, &leased.leased))
    }

    pub(super) fn hand(&mut self, arrivals: &[Arrival]) -> Verdict {
        self.hand_at(1_000, arrivals)
    }

    pub(super) fn hand_at(&mut self, now: u64, arrivals: &[Arrival]) -> Verdict {
        let (key, execution) = (key(), ExecutionId::FIRST);
        let (more, store_now) = (false, TimeMs(now));
        self.see(&Fact::Handed(Handed { key: &key, execution, arrivals, more, store_now }))
    }

    pub(super) fn submit(&mut self, request: &Submit, answer: Submitted) -> Verdict {
        let began = self.tick();
        self.see(&Fact::Submitting(request))?;
        self.see_since(began, &Fact::Submitted(request, answer))
    }

    pub(super) fn lease_activity(&mut self, event: u64, lease: u128) -> Verdict {
        let (request, leased) = activity_lease(event, lease);
        self.see(&Fact::ActivitiesLeased(&request, &leased))
    }

    pub(super) fn complete(&mut self, request: &CompleteActivity) -> Verdict {
        let began = self.tick();
        self.see(&Fact::Completing(&key(), request))?;
        self.see_since(began, &Fact::Completed(&key(), request, ActivityFate::Applied))
    }

    /// Open the execution: messages 10, 11 … with this data are unread.
    pub(super) fn open(&mut self, unread: &[&str]) -> Verdict {
        let unread = (10..).zip(unread).map(|(id, data)| UnreadMail {
            id: ArrivalId(id),
            at: TimeMs(1_000),
            channel: Channel::Event,
            name: "go".to_owned(),
            data: Payload::json(*data),
        });
        let (events, next, base) = (Vec::new(), None, None);
        let unread = unread.collect();
        let page = HistoryPage { events, next, base, unread, more_mail: Vec::new() };
        let request = ReadHistory {
            incarnation: Incarnation(1),
            execution: ExecutionId::FIRST,
            lease: LeaseId(7),
            from: EventId::FIRST,
            max_bytes: 1,
        };
        self.see(&Fact::Read(&key(), &request, &page))
    }

    pub(super) fn end(&mut self, stored: &[Instance]) -> Verdict {
        self.oracle.end(&Stored { instances: stored, managed: &Managed::default() })
    }

    /// That is wrong: this oracle says so, in a sentence that says this.
    pub(super) fn wrong(
        &mut self,
        what: impl FnOnce(&mut Self) -> Verdict,
        oracle: &str,
        says: &str,
    ) {
        let Err(wrong) = what(self) else { panic!("nothing is found wrong") };
        assert_eq!(wrong.oracle, oracle, "{wrong}");
        assert!(wrong.sentence.contains(says), "{wrong}");
        assert!(wrong.instance.is_some(), "{wrong}");
    }
}

pub(super) fn key() -> InstanceKey {
    InstanceKey::new("a")
}

pub(super) fn node() -> NodeId {
    NodeId { name: "node-1".to_owned(), run: 1 }
}

/// A turn and its answer.
pub(super) struct Turn {
    request: CommitTurn,
    applied: Applied,
    of: &'static str,
}

impl std::ops::Deref for Turn {
    type Target = CommitTurn;

    fn deref(&self) -> &CommitTurn {
        &self.request
    }
}

impl std::ops::DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut CommitTurn {
        &mut self.request
    }
}

/// A turn on a base, with these events from event 1 on and all that they ask for; its number
/// is one more than that of the base.
pub(super) fn turn(base: Option<u128>, commit: u128, events: Vec<Event>) -> Turn {
    let number = TurnNo(base.map_or(1, |base| base as u64 + 1));
    let mut turn = Commit::empty(ExecutionId::FIRST, EventId::FIRST, number);
    for event in &events {
        asks(&mut turn, event);
    }
    turn.events = events;
    for event in &mut turn.events {
        event.turn = number;
    }
    let request = CommitTurn {
        incarnation: Incarnation(1),
        lease: LeaseId(7),
        node: node(),
        commit_id: CommitId(commit),
        base: base.map(CommitId),
        turn,
        version: None,
        flags: CompatFlags::default(),
        completed: Vec::new(),
        keep: None,
        claim: None,
    };
    let applied = Applied {
        held: false,
        arrivals: Vec::new(),
        more_arrivals: false,
        claimed: Vec::new(),
        timers: Vec::new(),
        store_now: TimeMs(1_000),
    };
    Turn { request, applied, of: "a" }
}

fn asks(turn: &mut Commit, event: &Event) {
    if let EventKind::ActivityScheduled { name, input, .. } = &event.kind {
        turn.activities.push(NewActivity {
            event: event.id,
            name: name.clone(),
            input: input.clone(),
            session: None,
            tag: None,
            headers: BTreeMap::new(),
        });
    }
    if let EventKind::TimerCreated { delay_ms, .. } = event.kind {
        turn.timers.push(NewTimer { event: event.id, delay_ms });
    }
    if let EventKind::SubOrchestrationScheduled { name, instance, input, .. } = &event.kind {
        turn.starts.push(NewStart {
            event: event.id,
            instance: instance.clone(),
            name: name.clone(),
            version: None,
            input: input.clone(),
            detached: false,
            headers: BTreeMap::new(),
        });
    }
    if let EventKind::MailDelivered { mail, .. } = event.kind {
        turn.consumed.push(mail);
    }
}

impl Turn {
    /// The answer.
    pub(super) fn applied(&self) -> &Applied {
        &self.applied
    }

    /// Its first event has this id.
    pub(super) fn at(mut self, event: u64) -> Self {
        self.request.turn.expect_event = EventId(event);
        self
    }

    /// It ends the instance.
    pub(super) fn completed(mut self) -> Self {
        self.request.turn.end = Some(End::Completed { output: Payload::json("1") });
        self
    }

    pub(super) fn lease(mut self, lease: u128) -> Self {
        self.request.lease = LeaseId(lease);
        self
    }

    /// It keeps the lease for so many seconds.
    pub(super) fn keep(mut self, seconds: u64) -> Self {
        self.request.keep = Some(Duration::from_secs(seconds));
        self.applied.held = true;
        self
    }

    /// It brings the end of an activity along.
    pub(super) fn fused(mut self, event: u64, lease: u128) -> Self {
        self.request.completed.push((activity_key(event), LeaseId(lease)));
        self.request.turn.fused.push(EventId(event));
        self
    }

    /// It was applied at this time.
    pub(super) fn now(mut self, now: u64) -> Self {
        self.applied.store_now = TimeMs(now);
        self
    }

    /// A timer of it is due then.
    pub(super) fn due(mut self, event: u64, at: u64) -> Self {
        self.applied.timers.push((EventId(event), TimeMs(at)));
        self
    }

    /// It is of another instance.
    pub(super) fn of(mut self, id: &'static str) -> Self {
        self.request.incarnation = Incarnation(2);
        self.of = id;
        self
    }
}

/// An instance leased.
pub(super) struct Leased {
    pub(super) request: LeaseOrchestrations,
    pub(super) leased: LeasedOrchestrations,
}

pub(super) fn lease_request(lease: u128, seconds: u64) -> LeaseOrchestrations {
    LeaseOrchestrations {
        lease: LeaseId(lease),
        node: node(),
        filter: OrchestrationFilter::default(),
        max: 1,
        duration: Duration::from_secs(seconds),
    }
}

pub(super) fn leased(lease: u128, last_commit: Option<u128>, next_event: u64) -> Leased {
    let instance = LeasedInstance {
        key: key(),
        incarnation: Incarnation(1),
        lease: LeaseId(lease),
        execution: ExecutionId::FIRST,
        last_commit: last_commit.map(CommitId),
        next_event: EventId(next_event),
        name: "n".to_owned(),
        version: None,
        flags: CompatFlags::default(),
        attempt: 1,
        arrivals: Vec::new(),
        more_arrivals: false,
    };
    let (instances, wake_seq, store_now) = (vec![instance], WakeSeq(0), TimeMs(1_000));
    let leased = LeasedOrchestrations { instances, wake_seq, store_now };
    Leased { request: lease_request(lease, 30), leased }
}

impl Leased {
    /// At this time.
    pub(super) fn at(mut self, now: u64) -> Self {
        self.leased.store_now = TimeMs(now);
        self
    }
}

fn activity_key(event: u64) -> ActivityKey {
    let (incarnation, execution, event) = (Incarnation(1), ExecutionId::FIRST, EventId(event));
    ActivityKey { incarnation, execution, event }
}

pub(super) fn activity_lease(event: u64, lease: u128) -> (LeaseActivities, LeasedActivities) {
    let sessions = SessionLimits { max: 1, idle: Duration::ZERO };
    let tags = TagFilter::Any;
    let filter = duroxide_provider::ActivityFilter {
        names: std::collections::BTreeSet::new(),
        tags,
        sessions,
    };
    let request = LeaseActivities {
        lease: LeaseId(lease),
        node: node(),
        filter,
        max: 1,
        duration: Duration::from_secs(30),
    };
    let activity = LeasedActivity {
        activity: activity_key(event),
        key: key(),
        orchestration: "n".to_owned(),
        version: "1.0.0".to_owned(),
        name: "act".to_owned(),
        input: Payload::json("1"),
        session: None,
        tag: None,
        headers: BTreeMap::new(),
        attempt: 1,
        ready_at: TimeMs(1_000),
    };
    let (wake_seq, store_now) = (WakeSeq(0), TimeMs(1_000));
    (request, LeasedActivities { activities: vec![activity], wake_seq, store_now })
}

/// An activity has succeeded.
pub(super) fn completed(event: u64, lease: u128) -> CompleteActivity {
    let outcome = Ok(Payload::json("1"));
    CompleteActivity { activity: activity_key(event), lease: LeaseId(lease), outcome }
}

pub(super) fn start(request: u128) -> Submit {
    let what = Submission::Start {
        name: "n".to_owned(),
        version: None,
        input: Payload::json("1"),
        headers: BTreeMap::new(),
    };
    Submit { request: RequestId(request), key: key(), what }
}

/// A message for the waits that [`waits`] opens.
pub(super) fn mail(request: u128, data: &str) -> Submit {
    let mailbox = MailName { channel: Channel::Event, name: "go".to_owned() };
    let what = Submission::Mail { mailbox, data: Payload::json(data) };
    Submit { request: RequestId(request), key: key(), what }
}

pub(super) fn arrival(id: u64, body: ArrivalBody) -> Arrival {
    Arrival { origin: Origin::Inbox(ArrivalId(id)), at: TimeMs(1_000_000), body }
}

/// A message of [`mail`].
pub(super) fn arrived(id: u64, data: &str) -> Arrival {
    let (channel, name) = (Channel::Event, "go".to_owned());
    arrival(id, ArrivalBody::Mail { channel, name, data: Payload::json(data) })
}

/// A child has ended.
pub(super) fn child_done(id: u64, source: u64) -> Arrival {
    let outcome = Ok(Payload::json("1"));
    arrival(id, ArrivalBody::ChildDone { source: EventId(source), outcome })
}

pub(super) fn event(id: u64, kind: EventKind) -> Event {
    Event { id: EventId(id), turn: TurnNo(1), at: TimeMs(1_000), split: false, kind }
}

pub(super) fn started() -> Event {
    event(1, begins(None))
}

/// The start of a child, scheduled by that event of that parent.
pub(super) fn started_by(parent: &str, scheduled: u64) -> Event {
    let (execution, scheduled) = (ExecutionId::FIRST, EventId(scheduled));
    event(1, begins(Some(Parent { instance: parent.into(), execution, event: scheduled })))
}

fn begins(parent: Option<Parent>) -> EventKind {
    EventKind::OrchestrationStarted {
        name: "n".to_owned(),
        version: "1.0.0".to_owned(),
        input: Payload::json("1"),
        parent,
        nonce: Nonce(0),
        flags: CompatFlags::default(),
        headers: BTreeMap::new(),
    }
}

pub(super) fn activity(id: u64) -> Event {
    let (name, input) = ("act".to_owned(), Payload::json("1"));
    let (session, tag, attempt) = (None, None, 1);
    event(id, EventKind::ActivityScheduled { name, input, session, tag, attempt })
}

/// That activity has succeeded, as [`completed`] says.
pub(super) fn done(id: u64, source: u64) -> Event {
    let (source, result) = (EventId(source), Payload::json("1"));
    event(id, EventKind::ActivityCompleted { source, result })
}

pub(super) fn timer(id: u64, delay_ms: u64) -> Event {
    let fire_at = TimeMs(1_000 + delay_ms);
    event(id, EventKind::TimerCreated { delay_ms, fire_at })
}

/// That timer fired, then.
pub(super) fn fired(id: u64, source: u64, at: u64) -> Event {
    let (source, fire_at) = (EventId(source), TimeMs(at));
    Event { at: TimeMs(at), ..event(id, EventKind::TimerFired { source, fire_at }) }
}

pub(super) fn waits(id: u64) -> Event {
    let (channel, name) = (Channel::Event, "go".to_owned());
    event(id, EventKind::MailSubscribed { channel, name })
}

/// That wait got that message.
pub(super) fn delivered(id: u64, source: u64, mail: u64, data: &str) -> Event {
    let kind = EventKind::MailDelivered {
        source: EventId(source),
        mail: ArrivalId(mail),
        channel: Channel::Event,
        name: "go".to_owned(),
        data: Payload::json(data),
    };
    event(id, kind)
}

pub(super) fn child(id: u64, instance: &str) -> Event {
    let (name, version, input) = ("n".to_owned(), None, Payload::json("1"));
    let instance = instance.into();
    event(id, EventKind::SubOrchestrationScheduled { name, version, instance, input })
}

pub(super) fn ended(id: u64) -> Event {
    event(id, EventKind::OrchestrationCompleted { output: Payload::json("1") })
}

/// How an instance that runs stands.
pub(super) fn info(status_version: u64, status: Option<&str>) -> InstanceInfo {
    InstanceInfo {
        key: key(),
        name: "n".to_owned(),
        version: None,
        execution: ExecutionId::FIRST,
        state: InstanceState::Running,
        custom_status: status.map(str::to_owned),
        custom_status_version: status_version,
        parent: None,
        created_at: TimeMs(1_000),
        updated_at: TimeMs(1_000),
        revision: status_version,
        quarantined: None,
        waiting: None,
        unclaimed: None,
    }
}

/// An instance with this history.
pub(super) fn stored(history: Vec<Event>) -> Instance {
    Instance {
        key: key(),
        info: info(0, None),
        executions: vec![(ExecutionId::FIRST, history)],
        kv: Vec::new(),
        stats: InstanceStats::default(),
    }
}
