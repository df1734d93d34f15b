//! Orchestrations driven by hand: no runtime, no store, no time of its own. A test says
//! what arrives and when, runs a turn, and reads the history.
//!
//! ```
//! use duroxide_sdk::testing::ByHand;
//! # use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry};
//! # async fn hello(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
//! #     ctx.activity("SayHello", &name).await
//! # }
//! let registry = Registry::builder().register_orchestration("Hello", hello).build()?;
//! let mut run = ByHand::start(&registry, "Hello", &"World");
//! run.turn();
//! run.activity_completes("SayHello", &"Hello, World!").turn();
//! assert_eq!(run.output::<String>(), Ok("Hello, World!".to_owned()));
//! # Ok::<(), duroxide_sdk::RegistryError>(())
//! ```
//!
//! After every turn the same history is replayed cold, and must give the same state
//! without asking for anything new: an orchestration that is not deterministic fails its
//! test. Like an assertion, what cannot be (completing an activity that nobody scheduled)
//! panics.

mod perform;
mod replay;
mod store;

pub use replay::{Compatible, Incompatible, replay, replay_instance};

use crate::{Coroutine, OrchestrationFn, Registry};
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, Channel, CompatFlags, End, Event, EventKind, Failure, Headers,
    InstanceId, NewActivity, NewStart, Nonce, Origin, Parent, Payload, TimeMs, TurnInput,
    TurnOutcome,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use store::Store;

/// When the first event happens; every turn is a second after the one before.
pub const EPOCH: TimeMs = TimeMs(1_000_000);

/// One instance, driven by hand.
pub struct ByHand {
    registry: Registry,
    function: OrchestrationFn,
    coroutine: Coroutine,
    now: TimeMs,
    next_arrival: u64,
    /// What arrives with the next turn.
    inbox: Vec<Arrival>,
    store: Store,
    /// Who waits for the end.
    parent: Option<Parent>,
}

impl ByHand {
    /// The instance `test`, whose start arrives with the first turn, in the latest version.
    pub fn start(registry: &Registry, name: &str, input: &impl Serialize) -> Self {
        let start = (name, None, payload(input));
        Self::begin(registry, InstanceId::from("test"), start, None, EPOCH)
    }

    /// As [`start`](Self::start), in this version.
    pub fn start_version(
        registry: &Registry,
        name: &str,
        version: &str,
        input: &impl Serialize,
    ) -> Self {
        let start = (name, Some(version), payload(input));
        Self::begin(registry, InstanceId::from("test"), start, None, EPOCH)
    }

    /// An instance whose start, by name, version and input, arrives with the first turn.
    fn begin(
        registry: &Registry,
        instance: InstanceId,
        (name, version, input): (&str, Option<&str>, Payload),
        parent: Option<Parent>,
        now: TimeMs,
    ) -> Self {
        let function = find(registry, name, version);
        let store = Store::new(instance);
        let mut run = Self {
            registry: registry.clone(),
            coroutine: Coroutine::open(store.opening(), function.clone()),
            function,
            now,
            next_arrival: 1,
            inbox: Vec::new(),
            store,
            parent,
        };
        run.starts(name, version.map(str::to_owned), input, Headers::new());
        run
    }

    /// Something arrives, whatever it is.
    pub fn arrives(&mut self, body: ArrivalBody) -> &mut Self {
        self.arrives_at(self.now, body)
    }

    /// The oldest open activity of this name gives a result.
    pub fn activity_completes(&mut self, name: &str, result: &impl Serialize) -> &mut Self {
        let source = self.store.take_activity(name).event;
        self.arrives(ArrivalBody::ActivityDone { source, outcome: Ok(payload(result)) })
    }

    /// The oldest open activity of this name fails.
    pub fn activity_fails(&mut self, name: &str, message: &str) -> &mut Self {
        let activity = self.store.take_activity(name);
        let failure = perform::of(Failure::application(message), &activity);
        self.arrives(ArrivalBody::ActivityDone { source: activity.event, outcome: Err(failure) })
    }

    /// The open timer that is due first fires, at its time; the clock moves on to it.
    pub fn timer_fires(&mut self) -> &mut Self {
        let (due, source) = self.store.take_first_timer();
        self.now = self.now.max(due);
        self.arrives_at(due, ArrivalBody::TimerDue { source })
    }

    /// A client raises an event.
    pub fn raise(&mut self, name: &str, data: &impl Serialize) -> &mut Self {
        self.mail(Channel::Event, name, data)
    }

    /// A client enqueues a message.
    pub fn enqueue(&mut self, queue: &str, data: &impl Serialize) -> &mut Self {
        self.mail(Channel::Queue, queue, data)
    }

    /// The oldest open child of this name completes.
    pub fn child_completes(&mut self, name: &str, result: &impl Serialize) -> &mut Self {
        let source = self.store.take_child(name);
        self.arrives(ArrivalBody::ChildDone { source, outcome: Ok(payload(result)) })
    }

    /// The oldest open child of this name fails.
    pub fn child_fails(&mut self, name: &str, message: &str) -> &mut Self {
        let source = self.store.take_child(name);
        let mut failure = Failure::application(message);
        failure.source = Some(name.to_owned());
        self.arrives(ArrivalBody::ChildDone { source, outcome: Err(failure) })
    }

    /// A client asks it to stop in its own way.
    pub fn cancel(&mut self, reason: &str) -> &mut Self {
        self.arrives(ArrivalBody::Cancel { reason: reason.to_owned(), from_parent: false })
    }

    /// Runs one turn with all that has arrived, oldest first, and a cold replay to compare
    /// it with.
    pub fn turn(&mut self) -> TurnOutcome {
        self.inbox.sort_by_key(|arrival| (arrival.at, arrival.origin));
        let input = turn_input(std::mem::take(&mut self.inbox));
        let arrived = input.arrivals.clone();
        let outcome = self.coroutine.run_turn(input);
        self.inbox.clone_from(&outcome.unadmitted);
        self.store.apply(&outcome.commit, &arrived, self.now);
        if !self.coroutine.is_over() && !outcome.commit.split {
            self.check_cold_replay();
        }
        if let Some(End::ContinuedAsNew { input, version, headers }) = outcome.commit.end.clone() {
            let (name, _) = self.identity();
            self.function = find(&self.registry, &name, version.as_deref());
            self.store.next_execution();
            self.coroutine = self.cold();
            self.starts(&name, version, input, headers);
        }
        self.now = self.now.plus(1_000);
        outcome
    }

    /// Evicts the resident copy; the next turn replays from history.
    pub fn evict(&mut self) -> &mut Self {
        self.coroutine = self.cold();
        self
    }

    /// Replaces the code by a newer build's; a copy that is resident keeps its old code.
    pub fn deploy(&mut self, registry: &Registry) -> &mut Self {
        self.registry = registry.clone();
        let (name, version) = self.identity();
        self.function = find(registry, &name, Some(&version));
        self
    }

    /// Id of the instance.
    pub fn instance_id(&self) -> &InstanceId {
        &self.store.instance
    }

    /// Events of the current execution.
    pub fn history(&self) -> &[Event] {
        self.store.history()
    }

    /// Events of every execution.
    pub fn executions(&self) -> &[Vec<Event>] {
        &self.store.executions
    }

    /// What happened in the current execution: each event's kind, by name.
    pub fn kinds(&self) -> Vec<String> {
        kinds(self.history())
    }

    /// Names of the open activities, oldest first.
    pub fn open_activities(&self) -> Vec<&str> {
        self.store.activities.iter().map(|activity| activity.name.as_str()).collect()
    }

    /// The open activities, oldest first.
    pub fn activities(&self) -> &[NewActivity] {
        &self.store.activities
    }

    /// The open children, oldest first.
    pub fn children(&self) -> &[NewStart] {
        &self.store.children
    }

    /// How many timers are open.
    pub fn open_timers(&self) -> usize {
        self.store.timers.len()
    }

    /// The custom status.
    pub fn custom_status(&self) -> Option<&str> {
        self.store.current.status.as_deref()
    }

    /// A value of the instance.
    pub fn value(&self, key: &str) -> Option<&str> {
        let entry = self.store.current.kv.iter().find(|entry| entry.key == key);
        entry.map(|entry| entry.value.as_str())
    }

    /// How it ended, if it did.
    pub fn end(&self) -> Option<&End> {
        self.store.end.as_ref()
    }

    /// What it returned, or the message it failed with.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T, String> {
        match self.end() {
            Some(End::Completed { output }) => {
                serde_json::from_slice(output.bytes()).map_err(|error| error.to_string())
            }
            Some(End::Failed { failure }) => Err(failure.message.clone()),
            Some(End::Terminated { reason }) => Err(reason.clone()),
            Some(End::ContinuedAsNew { .. }) | None => Err("it has not ended".to_owned()),
        }
    }

    /// The start of an execution arrives: the latest version, unless one is asked for.
    fn starts(&mut self, name: &str, version: Option<String>, input: Payload, headers: Headers) {
        let version = version.or_else(|| self.registry.latest(name).map(ToString::to_string));
        let (name, parent) = (name.to_owned(), self.parent.clone());
        self.arrives(ArrivalBody::Start { name, version, input, parent, headers });
    }

    fn arrives_at(&mut self, at: TimeMs, body: ArrivalBody) -> &mut Self {
        let origin = Origin::Inbox(ArrivalId(self.next_arrival));
        self.next_arrival += 1;
        self.inbox.push(Arrival { origin, at, body });
        self
    }

    fn mail(&mut self, channel: Channel, name: &str, data: &impl Serialize) -> &mut Self {
        self.arrives(ArrivalBody::Mail { channel, name: name.to_owned(), data: payload(data) })
    }

    /// Name and version that the first event recorded.
    fn identity(&self) -> (String, String) {
        match self.history().first().map(|event| &event.kind) {
            Some(EventKind::OrchestrationStarted { name, version, .. }) => {
                (name.clone(), version.clone())
            }
            other => panic!("a history begins with its start, not with {other:?}"),
        }
    }

    /// A fresh copy, opened from what is durable.
    fn cold(&self) -> Coroutine {
        Coroutine::open(self.store.opening(), self.function.clone())
    }

    fn check_cold_replay(&self) {
        let mut cold = self.cold();
        let outcome = cold.run_turn(turn_input(Vec::new()));
        assert!(outcome.commit.is_empty(), "a replay asks for something new: {outcome:#?}");
        assert_eq!(
            cold.fingerprint(),
            self.coroutine.fingerprint(),
            "a replay gives another state than the run had"
        );
    }
}

impl fmt::Debug for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByHand").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Each event's kind, by name.
pub fn kinds(history: &[Event]) -> Vec<String> {
    history.iter().map(|event| kind_name(&event.kind)).collect()
}

fn kind_name(kind: &EventKind) -> String {
    let text = format!("{kind:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

fn find(registry: &Registry, name: &str, version: Option<&str>) -> OrchestrationFn {
    let version = match version {
        Some(version) => version.parse().ok(),
        None => registry.latest(name).cloned(),
    };
    match version.as_ref().and_then(|version| registry.orchestration(name, version)) {
        Some(function) => function.clone(),
        None => panic!("{name:?} is not registered in version {version:?}"),
    }
}

fn turn_input(arrivals: Vec<Arrival>) -> TurnInput {
    TurnInput {
        arrivals,
        unread: Vec::new(),
        mail_read: Vec::new(),
        more_mail: Vec::new(),
        nonce: Nonce(0x5eed),
        flags: CompatFlags::KNOWN,
        raise: CompatFlags::NONE,
    }
}

fn payload(value: &impl Serialize) -> Payload {
    match serde_json::to_string(value) {
        Ok(text) => Payload::json(text),
        Err(error) => panic!("not JSON: {error}"),
    }
}
