//! What an orchestration sees of the world: the only things it may await, its facts, its
//! status and values, and traces. Everything is durable or derived from history; nothing
//! here reads a clock or a random source.

use crate::calls::{ActivityCall, ChildCall, payload_of, unexpected};
use crate::group::{IntoBranches, Join, Select};
use crate::leaf::Durable;
use crate::shared::Shared;
use crate::trace::{self, Level};
use crate::{Callable, Orchestration, OrchestrationError, Startable, codec};
use duroxide_core::{
    Channel, Execution, ExecutionId, Failure, FailureKind, InstanceId, Leaf, READ_VALUE_ACTIVITY,
    Refused, Scheduled, TimeMs, Value,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Given to every orchestration. Cheap to clone.
///
/// What it schedules happens at the first poll of the future it gives, in the order in
/// which futures are polled. After a cancel every pending await fails once with an error
/// whose [`is_cancelled`](OrchestrationError::is_cancelled) is true; code that catches it
/// may await again to clean up.
#[derive(Clone)]
pub struct OrchestrationContext {
    shared: Arc<Shared>,
}

/// Awaiting.
impl OrchestrationContext {
    /// Runs an activity.
    ///
    /// ```
    /// # use duroxide_sdk::{OrchestrationContext, OrchestrationError};
    /// async fn book(ctx: OrchestrationContext, trip: u32) -> Result<String, OrchestrationError> {
    ///     let seat: String = ctx.activity("ReserveSeat", &trip).await?;
    ///     ctx.activity("PrintTicket", &seat).with_tag("printer").await
    /// }
    /// ```
    pub fn activity<Out: DeserializeOwned>(
        &self,
        name: &str,
        input: &(impl Serialize + ?Sized),
    ) -> ActivityCall<Out> {
        ActivityCall {
            shared: Arc::clone(&self.shared),
            name: name.to_owned(),
            input: codec::encode(format_args!("the input of activity {name:?}"), input),
            session: None,
            tag: None,
            out: PhantomData,
        }
    }

    /// Runs a child orchestration and waits for its end.
    pub fn child<Out: DeserializeOwned>(
        &self,
        name: &str,
        input: &(impl Serialize + ?Sized),
    ) -> ChildCall<Out> {
        ChildCall {
            shared: Arc::clone(&self.shared),
            name: name.to_owned(),
            input: codec::encode(format_args!("the input of orchestration {name:?}"), input),
            version: None,
            instance: None,
            out: PhantomData,
        }
    }

    /// Runs a declared activity, or a declared orchestration as a child: as
    /// [`activity`](Self::activity) and [`child`](Self::child), with an input and a result
    /// of the declared types.
    ///
    /// ```
    /// # use duroxide_sdk::{Activity, Orchestration, OrchestrationContext, OrchestrationError};
    /// const RESERVE: Activity<u32, String> = Activity::new("ReserveSeat");
    /// const PAY: Orchestration<String, bool> = Orchestration::new("Pay");
    ///
    /// async fn book(ctx: OrchestrationContext, trip: u32) -> Result<bool, OrchestrationError> {
    ///     let seat = ctx.call(RESERVE, &trip).on_session("hall-1").await?;
    ///     ctx.call(PAY, &seat).with_id(format!("pay-{seat}")).await
    /// }
    /// ```
    pub fn call<Input, C>(&self, what: C, input: &Input) -> C::Call
    where
        Input: ?Sized,
        C: Callable<Input>,
    {
        what.call_on(self, input)
    }

    /// Waits for this long on the store's clock; parts of a millisecond count as a whole.
    pub fn timer(&self, delay: Duration) -> Durable<()> {
        let delay_ms = u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.durable(Ok(Leaf::Timer { delay_ms }), |_| Ok(()))
    }

    /// Waits for an event raised by a client. One that was raised before is kept.
    pub fn wait_event<T: DeserializeOwned>(&self, name: &str) -> Durable<T> {
        let leaf = Leaf::Mail { channel: Channel::Event, name: name.to_owned() };
        self.durable(Ok(leaf), |value| payload_of("the event's data", value))
    }

    /// Waits for the next message of a queue, first in first out.
    pub fn dequeue<T: DeserializeOwned>(&self, queue: &str) -> Durable<T> {
        let leaf = Leaf::Mail { channel: Channel::Queue, name: queue.to_owned() };
        self.durable(Ok(leaf), |value| payload_of("the queue's message", value))
    }

    /// Reads a value that another instance set; a recorded read, not a live one.
    pub fn value_from_instance(&self, instance: &str, key: &str) -> Durable<Option<String>> {
        let input = codec::encode("the instance and key", &[instance, key]);
        let leaf = input.map(|input| Leaf::Activity {
            name: READ_VALUE_ACTIVITY.to_owned(),
            input,
            session: None,
            tag: None,
        });
        self.durable(leaf, |value| payload_of("the other instance's value", value))
    }

    /// Ends this execution and goes on as the next one with this input, in the latest
    /// version. Never gives `Ok`; it fails only after a cancel, or inside `join` or `select`.
    pub fn continue_as_new<T>(&self, input: &(impl Serialize + ?Sized)) -> Durable<T> {
        self.next_execution(input, None)
    }

    /// As [`continue_as_new`](Self::continue_as_new), in this version.
    pub fn continue_as_new_versioned<T>(
        &self,
        version: impl Into<String>,
        input: &(impl Serialize + ?Sized),
    ) -> Durable<T> {
        self.next_execution(input, Some(version.into()))
    }

    /// As [`continue_as_new`](Self::continue_as_new), with an input of the declared type.
    /// The declaration must be the running orchestration's: another name fails.
    pub fn continue_as<T, Input, In, Out>(
        &self,
        what: Orchestration<In, Out>,
        input: &Input,
    ) -> Durable<T>
    where
        Input: Serialize + ?Sized,
        In: Borrow<Input>,
    {
        let name = self.name();
        if what.name() == name {
            return self.next_execution(input, what.asked_version());
        }
        let message = format!("{name:?} cannot continue as {:?}", what.name());
        self.durable(Err(Failure::new(FailureKind::Invalid, message)), |_| {
            Err(unexpected("continue-as-new"))
        })
    }

    /// Waits for every branch; gives their outcomes in order and never fails itself.
    ///
    /// ```
    /// # use duroxide_sdk::{OrchestrationContext, OrchestrationError};
    /// async fn sum(ctx: OrchestrationContext, items: Vec<u64>) -> Result<u64, OrchestrationError> {
    ///     let each = items.iter().map(|item| ctx.activity::<u64>("Double", item)).collect::<Vec<_>>();
    ///     ctx.join(each).await.into_iter().sum()
    /// }
    /// ```
    pub fn join<G: IntoBranches>(&self, branches: G) -> Join<G::Branches> {
        Join::new(Arc::clone(&self.shared), branches.into_branches())
    }

    /// Waits for the first branch to finish; the others are dropped, which cancels what
    /// they had scheduled. Branches may be async blocks of any length, and nest.
    ///
    /// ```
    /// # use duroxide_sdk::{OneOf2, OrchestrationContext, OrchestrationError};
    /// # use std::time::Duration;
    /// async fn ask(ctx: OrchestrationContext, _: ()) -> Result<String, OrchestrationError> {
    ///     let answer = ctx.wait_event::<String>("answer");
    ///     match ctx.select((answer, ctx.timer(Duration::from_hours(1)))).await {
    ///         OneOf2::First(answer) => answer,
    ///         OneOf2::Second(_) => Ok("no answer".to_owned()),
    ///     }
    /// }
    /// ```
    pub fn select<G: IntoBranches>(&self, branches: G) -> Select<G::Branches> {
        Select::new(Arc::clone(&self.shared), branches.into_branches())
    }

    fn next_execution<T>(
        &self,
        input: &(impl Serialize + ?Sized),
        version: Option<String>,
    ) -> Durable<T> {
        let input = codec::encode("the input of the next execution", input);
        let leaf = input.map(|input| Leaf::ContinueAsNew { input, version });
        self.durable(leaf, |_| Err(unexpected("continue-as-new")))
    }

    fn durable<T>(
        &self,
        leaf: Result<Leaf, Failure>,
        decode: fn(Value) -> Result<T, Failure>,
    ) -> Durable<T> {
        Durable::new(&self.shared, leaf, decode)
    }
}

/// At once, without waiting.
impl OrchestrationContext {
    /// Starts an orchestration, by name or declared, that nobody waits for, in the latest
    /// version. An id that exists already is left alone.
    pub fn start_detached<Input: Serialize + ?Sized>(
        &self,
        what: impl Startable<Input>,
        id: impl Into<InstanceId>,
        input: &Input,
    ) -> Result<(), OrchestrationError> {
        let (name, version) = what.into_start();
        self.detach(&name, version, id.into(), input)
    }

    /// As [`start_detached`](Self::start_detached), in this version.
    pub fn start_detached_versioned(
        &self,
        name: &str,
        version: impl Into<String>,
        id: impl Into<InstanceId>,
        input: &(impl Serialize + ?Sized),
    ) -> Result<(), OrchestrationError> {
        self.detach(name, Some(version.into()), id.into(), input)
    }

    /// The time of what is being processed, the same on every replay.
    pub fn utc_now(&self) -> Result<TimeMs, OrchestrationError> {
        match self.instant(Leaf::UtcNow)? {
            Value::Time(now) => Ok(now),
            Value::Payload(_)
            | Value::Null
            | Value::Text(_)
            | Value::All(_)
            | Value::Race { .. } => Err(unexpected("the time").into()),
        }
    }

    /// A new guid, the same on every replay and never repeated by another execution.
    pub fn new_guid(&self) -> Result<String, OrchestrationError> {
        match self.instant(Leaf::NewGuid)? {
            Value::Text(guid) => Ok(guid),
            Value::Payload(_)
            | Value::Null
            | Value::Time(_)
            | Value::All(_)
            | Value::Race { .. } => Err(unexpected("the guid").into()),
        }
    }

    /// Shows progress to clients.
    pub fn set_custom_status(&self, status: impl Into<String>) -> Result<(), OrchestrationError> {
        self.ask(|execution| execution.set_status(Some(status.into())))
    }

    /// Takes the custom status back.
    pub fn reset_custom_status(&self) -> Result<(), OrchestrationError> {
        self.ask(|execution| execution.set_status(None))
    }

    /// The custom status as it was last set.
    pub fn custom_status(&self) -> Option<String> {
        self.shared.read(|execution| execution.status().map(str::to_owned))
    }

    /// Sets a durable value of this instance, kept after its end.
    pub fn set_value(&self, key: &str, value: &str) -> Result<(), OrchestrationError> {
        self.ask(|execution| execution.kv_set(key, value))
    }

    /// A value of this instance, as it was last set.
    pub fn get_value(&self, key: &str) -> Result<Option<String>, OrchestrationError> {
        self.ask(|execution| execution.kv_get(key))
    }

    /// Every value of this instance.
    pub fn all_values(&self) -> Result<BTreeMap<String, String>, OrchestrationError> {
        self.ask(|execution| Ok(execution.kv_all()?.into_iter().collect()))
    }

    /// Removes a value.
    pub fn clear_value(&self, key: &str) -> Result<(), OrchestrationError> {
        self.ask(|execution| execution.kv_clear(Some(key)))
    }

    /// Removes every value.
    pub fn clear_all_values(&self) -> Result<(), OrchestrationError> {
        self.ask(|execution| execution.kv_clear(None))
    }

    /// Removes values last set at or before a time, except those set in this turn; gives
    /// how many.
    pub fn prune_values_updated_before(&self, time: TimeMs) -> Result<usize, OrchestrationError> {
        self.ask(|execution| execution.kv_prune(time))
    }

    fn detach(
        &self,
        name: &str,
        version: Option<String>,
        instance: InstanceId,
        input: &(impl Serialize + ?Sized),
    ) -> Result<(), OrchestrationError> {
        let input = codec::encode(format_args!("the input of orchestration {name:?}"), input)?;
        let leaf = Leaf::Detached { name: name.to_owned(), version, instance, input };
        self.instant(leaf).map(|_| ())
    }

    fn instant(&self, leaf: Leaf) -> Result<Value, OrchestrationError> {
        match self.ask(|execution| execution.schedule(leaf))? {
            Scheduled::Ready(value) => Ok(value),
            Scheduled::Pending(_) => Err(unexpected("what resolves at once").into()),
        }
    }

    fn ask<R>(
        &self,
        step: impl FnOnce(&mut Execution) -> Result<R, Refused>,
    ) -> Result<R, OrchestrationError> {
        self.shared.call(step).map_err(|refused| match refused {
            Refused::Failed(failure) => failure.into(),
            // Seen only by code that runs on to its next await, or strayed from its turn.
            Refused::Stopped => {
                Failure::new(FailureKind::Invalid, "the execution is not running").into()
            }
        })
    }
}

/// Facts and traces.
impl OrchestrationContext {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Id of this instance.
    pub fn instance_id(&self) -> InstanceId {
        self.shared.read(|execution| execution.instance().clone())
    }

    /// Number of this execution, from 1; continue-as-new starts the next.
    pub fn execution_id(&self) -> ExecutionId {
        self.shared.read(Execution::execution)
    }

    /// Name this orchestration was started under.
    pub fn name(&self) -> String {
        self.shared.read(|execution| execution.name().to_owned())
    }

    /// Version this execution runs, whatever is latest.
    pub fn version(&self) -> String {
        self.shared.read(|execution| execution.version().to_owned())
    }

    /// Whether code runs that ran before. For logs; what an orchestration does must not
    /// depend on it.
    pub fn is_replaying(&self) -> bool {
        self.shared.read(Execution::is_replaying)
    }

    /// Traces at level INFO; silent in replay.
    pub fn trace_info(&self, message: impl AsRef<str>) {
        self.trace(Level::Info, message.as_ref());
    }

    /// Traces at level WARN; silent in replay.
    pub fn trace_warn(&self, message: impl AsRef<str>) {
        self.trace(Level::Warn, message.as_ref());
    }

    /// Traces at level ERROR; silent in replay.
    pub fn trace_error(&self, message: impl AsRef<str>) {
        self.trace(Level::Error, message.as_ref());
    }

    /// Traces at level DEBUG; silent in replay.
    pub fn trace_debug(&self, message: impl AsRef<str>) {
        self.trace(Level::Debug, message.as_ref());
    }

    fn trace(&self, level: Level, message: &str) {
        self.shared.read(|execution| {
            if !execution.is_replaying() {
                trace::orchestration(level, execution, message);
            }
        });
    }
}

impl fmt::Debug for OrchestrationContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrchestrationContext({})", self.instance_id())
    }
}
