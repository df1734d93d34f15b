//! Whether code still does what a recorded history says: the check to run, over histories
//! that were kept from production, before a new build is deployed. Pure and synchronous.
//! Not here: how a history is recorded, or what a runtime does about one that diverges.

use super::store::apply_kv;
use super::turn_input;
use crate::{Coroutine, Registry};
use duroxide_core::{
    Base, CHILD_ID_MARKER, Divergence, Event, EventId, EventKind, ExecutionId, History,
    HistoryError, InputChange, InstanceId, KvChange, Limits, Opening,
};

/// The code asks for exactly what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compatible {
    /// Name of the orchestration, as recorded.
    pub name: String,
    /// Its version, as recorded.
    pub version: String,
    /// Whether the history reaches to an end; if not, the code waits where history stops.
    pub ended: bool,
    /// Commands that pass another input, output or value now than was recorded. Replay goes
    /// on with what was recorded, so this is only a remark.
    pub remarks: Vec<InputChange>,
}

/// Why a history cannot be replayed by this code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// The events are not a history.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// There are no events.
    #[error("an empty history says nothing: it has not even started")]
    Empty,
    /// The registry does not have the orchestration in the version that was recorded.
    #[error("orchestration {name:?} is not registered in version {version:?}")]
    Unregistered {
        /// The orchestration.
        name: String,
        /// The version.
        version: String,
    },
    /// The code asks for something else than was recorded, or for more, or for less.
    #[error("in execution {execution}: {divergence}")]
    Diverged {
        /// The execution.
        execution: ExecutionId,
        /// Where, what history holds, and what the code asked for.
        divergence: Divergence,
    },
}

/// Replays the history of one execution, finished or not, as a store holds it.
///
/// Ids of the instance and number of the execution are not part of a history. They are taken
/// from the id of a child that was derived from them, and else are `test` and 1: code that
/// puts its own id into a child's id needs [`replay_instance`].
///
/// ```
/// use duroxide_sdk::testing::{ByHand, Incompatible, replay};
/// # use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry, RegistryError};
/// # type Done = Result<(), OrchestrationError>;
/// async fn ship(ctx: OrchestrationContext, _: ()) -> Done { ctx.activity("Ship", &()).await }
/// async fn send(ctx: OrchestrationContext, _: ()) -> Done { ctx.activity("Send", &()).await }
///
/// let old = Registry::builder().register_orchestration("Order", ship).build()?;
/// let new = Registry::builder().register_orchestration("Order", send).build()?;
/// let mut run = ByHand::start(&old, "Order", &());
/// run.turn();
///
/// assert!(replay(run.history(), &old).is_ok());
/// let Err(Incompatible::Diverged { divergence, .. }) = replay(run.history(), &new) else {
///     panic!("another activity is another command")
/// };
/// assert_eq!(divergence.event.0, 2);
/// assert_eq!(divergence.history, "ActivityScheduled name=Ship input=null");
/// assert_eq!(divergence.code, "ActivityScheduled name=Send input=null");
/// # Ok::<(), RegistryError>(())
/// ```
pub fn replay(history: &[Event], registry: &Registry) -> Result<Compatible, Incompatible> {
    let (instance, execution) =
        history.iter().find_map(parent_of).unwrap_or((InstanceId::from("test"), ExecutionId(1)));
    replay_execution(instance, execution, Base::default(), history, registry)
}

/// Replays every execution of an instance, from the first on; each takes over the custom
/// status and the values that the ones before it left.
pub fn replay_instance(
    instance: &str,
    executions: &[Vec<Event>],
    registry: &Registry,
) -> Result<Vec<Compatible>, Incompatible> {
    let mut base = Base::default();
    let mut found = Vec::new();
    for (history, number) in executions.iter().zip(1..) {
        let (instance, execution) = (InstanceId::from(instance), ExecutionId(number));
        found.push(replay_execution(instance, execution, base.clone(), history, registry)?);
        for event in history {
            leave(&mut base, event);
        }
    }
    Ok(found)
}

fn replay_execution(
    instance: InstanceId,
    execution: ExecutionId,
    base: Base,
    history: &[Event],
    registry: &Registry,
) -> Result<Compatible, Incompatible> {
    let history = History::parse(history.to_vec())?;
    let first = history.events().first().map(|event| &event.kind);
    let Some(EventKind::OrchestrationStarted { name, version, .. }) = first else {
        return Err(Incompatible::Empty);
    };
    let (name, version) = (name.clone(), version.clone());
    let function = version.parse().ok().and_then(|version| registry.orchestration(&name, &version));
    let Some(function) = function.cloned() else {
        return Err(Incompatible::Unregistered { name, version });
    };
    let opening = Opening {
        instance,
        execution,
        history,
        base,
        unread: Vec::new(),
        more_mail: Vec::new(),
        limits: Limits::default(),
    };
    let mut coroutine = Coroutine::open(opening, function);
    let outcome = coroutine.run_turn(turn_input(Vec::new()));
    match coroutine.divergence() {
        Some(divergence) => Err(Incompatible::Diverged { execution, divergence }),
        None => Ok(Compatible {
            name,
            version,
            ended: coroutine.is_over(),
            remarks: outcome.input_changes,
        }),
    }
}

/// Instance and execution that the id of a derived child names: `parent::sub::N`, and
/// `parent::sub::E.N` from the second execution on, where N is the event.
fn parent_of(event: &Event) -> Option<(InstanceId, ExecutionId)> {
    let EventKind::SubOrchestrationScheduled { instance, .. } = &event.kind else { return None };
    let (parent, place) = instance.as_str().rsplit_once(CHILD_ID_MARKER)?;
    let (execution, scheduled) = place.split_once('.').unwrap_or(("1", place));
    let (execution, scheduled) = (execution.parse().ok()?, scheduled.parse().ok()?);
    (EventId(scheduled) == event.id).then(|| (InstanceId::from(parent), ExecutionId(execution)))
}

/// What an event leaves to the executions after its own.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds leave nothing")]
fn leave(base: &mut Base, event: &Event) {
    let kv = &mut base.kv;
    match &event.kind {
        EventKind::CustomStatusUpdated { status } => base.status.clone_from(status),
        EventKind::KeyValueSet { key, value } => {
            let (key, value, at) = (key.clone(), value.clone(), event.at);
            apply_kv(kv, &KvChange::Set { key, value, at });
        }
        EventKind::KeyValueCleared { key: Some(key) } => kv.retain(|entry| entry.key != *key),
        EventKind::KeyValueCleared { key: None } => kv.clear(),
        EventKind::KeyValuePruned { keys, .. } => kv.retain(|entry| !keys.contains(&entry.key)),
        _ => {}
    }
}
