//! Reads back the rows of `readExecutionHistory`, so that a history can be replayed without
//! a store. The inverse of `history`; nothing is guessed: what is missing or malformed is an
//! error that names the row.

use crate::history::{FailureView, Row};
use duroxide_core::{
    ArrivalId, Channel, CompatFlags, Event, EventId, EventKind, ExecutionId, Failure, FailureKind,
    Headers, History, InstanceId, Nonce, Parent, Payload, TimeMs, TurnNo,
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A recorded execution. `instance` and `execution` are what its first row says.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) instance: InstanceId,
    pub(crate) execution: ExecutionId,
    pub(crate) history: History,
}

/// The execution behind a JSON array of rows; the error says which row is wrong, and why.
pub(crate) fn recorded(text: &str) -> Result<Recorded, String> {
    let (identity, events) = events(text)?;
    let history = History::parse(events).map_err(|error| error.to_string())?;
    let (instance, execution) = identity.ok_or("malformed history: it has no rows")?;
    let first = |name: &str| at(0, "OrchestrationStarted", &format!("data has no `{name}`"));
    Ok(Recorded {
        instance: InstanceId(instance.ok_or_else(|| first("instanceId"))?),
        execution: ExecutionId(execution.ok_or_else(|| first("executionId"))?),
        history,
    })
}

/// What the first row says of instance and execution.
type Identity = Option<(Option<String>, Option<u64>)>;

fn events(text: &str) -> Result<(Identity, Vec<Event>), String> {
    let rows: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| format!("malformed history: {error}"))?;
    let mut events = Vec::with_capacity(rows.len());
    let mut identity = None;
    for (n, text) in rows.iter().enumerate() {
        let row = serde_json::from_str::<Row>(text.get()).map_err(|error| at(n, "", &error))?;
        let given = Given::of(&row).map_err(|error| at(n, &row.kind, &error))?;
        if n == 0 {
            identity = Some((given.instance_id.clone(), given.execution_id));
        }
        events.push(event(&row, given).map_err(|error| at(n, &row.kind, &error))?);
    }
    Ok((identity, events))
}

fn at(n: usize, kind: &str, problem: &impl ToString) -> String {
    let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
    format!("malformed history at row {}{kind}: {}", n + 1, problem.to_string())
}

/// What `data` holds, of all that some kind of event may tell.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Given<'a> {
    name: Option<String>,
    version: Option<String>,
    instance: Option<InstanceId>,
    #[serde(borrow, deserialize_with = "present")]
    input: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    parent: Option<Parent>,
    instance_id: Option<String>,
    execution_id: Option<u64>,
    nonce: Option<Nonce>,
    flags: Option<CompatFlags>,
    headers: Headers,
    session_id: Option<String>,
    tag: Option<String>,
    attempt: Option<u32>,
    by_engine: bool,
    reason: Option<String>,
    from_parent: bool,
    unstarted: bool,
    delay_ms: Option<u64>,
    fire_at_ms: Option<u64>,
    mail_id: Option<u64>,
    key: Option<String>,
    value: Option<String>,
    before_ms: Option<u64>,
    keys: Option<Vec<String>>,
}

/// A value that is there, also if it is null.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Given<'a> {
    /// Values and failures by themselves are no facts by names.
    fn of(row: &'a Row) -> Result<Self, serde_json::Error> {
        match (row.kind.as_str(), &row.data) {
            (
                "OrchestrationCompleted"
                | "ActivityCompleted"
                | "SubOrchestrationCompleted"
                | "CustomStatusUpdated",
                _,
            )
            | (_, None) => Ok(Self::default()),
            (_, Some(data)) => serde_json::from_str(data),
        }
    }
}

fn need<T>(fact: Option<T>, name: &str) -> Result<T, String> {
    fact.ok_or_else(|| format!("data has no `{name}`"))
}

/// The user's value: as the row has it apart, or as `data` shows it.
fn payload(row: &Row, shown: Option<&RawValue>, name: &str) -> Result<Payload, String> {
    match &row.payload {
        Some(payload) => Ok(payload.clone()),
        None => need(shown, name).map(|value| Payload::json(value.get())),
    }
}

fn value(row: &Row) -> Result<Payload, String> {
    let data = row.data.as_deref().ok_or("it has no data")?;
    let shown = serde_json::from_str(data).map_err(|error| error.to_string())?;
    payload(row, Some(shown), "")
}

fn failure(row: &Row) -> Result<Failure, String> {
    let data = row.data.as_deref().ok_or("it has no data")?;
    let view: FailureView = serde_json::from_str(data).map_err(|error| error.to_string())?;
    view.try_into()
}

impl TryFrom<FailureView> for Failure {
    type Error = String;

    fn try_from(view: FailureView) -> Result<Self, String> {
        Ok(Self {
            kind: kind_of(&view.kind)?,
            message: view.message,
            name: view.error_name,
            source: view.source,
            instance: view.instance,
            attempt: view.attempt,
            cause: view.cause.map(|cause| Self::try_from(*cause).map(Box::new)).transpose()?,
            details: view.details,
        })
    }
}

fn kind_of(name: &str) -> Result<FailureKind, String> {
    use FailureKind as K;
    let kinds = [
        K::Application,
        K::Cancelled,
        K::Timeout,
        K::Nondeterminism,
        K::Limit,
        K::Invalid,
        K::Poison,
        K::Unregistered,
        K::Terminated,
        K::Corrupt,
    ];
    let found = kinds.into_iter().find(|kind| kind.as_str() == name);
    found.ok_or_else(|| format!("`{name}` is no kind of failure"))
}

fn event(row: &Row, given: Given<'_>) -> Result<Event, String> {
    let source = row.source_event_id.map(EventId);
    let source = || source.ok_or_else(|| "it has no `sourceEventId`".to_owned());
    let kind = match row.kind.as_str() {
        "ActivityCompleted" => {
            EventKind::ActivityCompleted { source: source()?, result: value(row)? }
        }
        "ActivityFailed" => EventKind::ActivityFailed { source: source()?, failure: failure(row)? },
        "ActivityCancelRequested" => EventKind::ActivityCancelRequested { source: source()? },
        "TimerCreated" => EventKind::TimerCreated {
            delay_ms: need(given.delay_ms, "delayMs")?,
            fire_at: TimeMs(need(given.fire_at_ms, "fireAtMs")?),
        },
        "TimerFired" => EventKind::TimerFired {
            source: source()?,
            fire_at: TimeMs(need(given.fire_at_ms, "fireAtMs")?),
        },
        "TimerCancelled" => EventKind::TimerCancelled { source: source()? },
        "ExternalSubscribed" => subscribed(Channel::Event, given)?,
        "QueueSubscribed" => subscribed(Channel::Queue, given)?,
        "ExternalEvent" => delivered(Channel::Event, row, source()?, given)?,
        "QueueEventDelivered" => delivered(Channel::Queue, row, source()?, given)?,
        "MailUnsubscribed" => EventKind::MailUnsubscribed { source: source()? },
        "SubOrchestrationCompleted" => {
            EventKind::SubOrchestrationCompleted { source: source()?, result: value(row)? }
        }
        "SubOrchestrationFailed" => {
            EventKind::SubOrchestrationFailed { source: source()?, failure: failure(row)? }
        }
        "SubOrchestrationCancelRequested" => EventKind::SubOrchestrationCancelRequested {
            source: source()?,
            instance: need(given.instance, "instance")?,
        },
        _ => of_no_source(row, given)?,
    };
    Ok(Event {
        id: EventId(row.event_id),
        turn: TurnNo(row.turn),
        at: TimeMs(row.timestamp_ms),
        split: row.split,
        kind,
    })
}

fn subscribed(channel: Channel, given: Given<'_>) -> Result<EventKind, String> {
    Ok(EventKind::MailSubscribed { channel, name: need(given.name, "name")? })
}

fn delivered(
    channel: Channel,
    row: &Row,
    source: EventId,
    given: Given<'_>,
) -> Result<EventKind, String> {
    Ok(EventKind::MailDelivered {
        source,
        mail: ArrivalId(need(given.mail_id, "mailId")?),
        channel,
        name: need(given.name, "name")?,
        data: payload(row, given.data, "data")?,
    })
}

fn of_no_source(row: &Row, given: Given<'_>) -> Result<EventKind, String> {
    Ok(match row.kind.as_str() {
        "OrchestrationStarted" => EventKind::OrchestrationStarted {
            name: need(given.name, "name")?,
            version: need(given.version, "version")?,
            input: payload(row, given.input, "input")?,
            parent: given.parent,
            nonce: need(given.nonce, "nonce")?,
            flags: need(given.flags, "flags")?,
            headers: given.headers,
        },
        "OrchestrationCompleted" => EventKind::OrchestrationCompleted { output: value(row)? },
        "OrchestrationFailed" => {
            EventKind::OrchestrationFailed { failure: failure(row)?, by_engine: given.by_engine }
        }
        "OrchestrationContinuedAsNew" => EventKind::OrchestrationContinuedAsNew {
            input: payload(row, given.input, "input")?,
            version: given.version,
        },
        "OrchestrationTerminated" => {
            EventKind::OrchestrationTerminated { reason: need(given.reason, "reason")? }
        }
        "OrchestrationCancelRequested" => EventKind::OrchestrationCancelRequested {
            reason: need(given.reason, "reason")?,
            from_parent: given.from_parent,
            unstarted: given.unstarted,
        },
        "CompatFlagsAdded" => EventKind::CompatFlagsAdded { flags: need(given.flags, "flags")? },
        "ActivityScheduled" => EventKind::ActivityScheduled {
            name: need(given.name, "name")?,
            input: payload(row, given.input, "input")?,
            session: given.session_id,
            tag: given.tag,
            attempt: given.attempt.unwrap_or(1),
        },
        "SubOrchestrationScheduled" => EventKind::SubOrchestrationScheduled {
            name: need(given.name, "name")?,
            version: given.version,
            instance: need(given.instance, "instance")?,
            input: payload(row, given.input, "input")?,
        },
        "OrchestrationChained" => EventKind::OrchestrationChained {
            name: need(given.name, "name")?,
            version: given.version,
            instance: need(given.instance, "instance")?,
            input: payload(row, given.input, "input")?,
        },
        "CustomStatusUpdated" => EventKind::CustomStatusUpdated {
            status: serde_json::from_str(row.data.as_deref().ok_or("it has no data")?)
                .map_err(|error| error.to_string())?,
        },
        "KeyValueSet" => EventKind::KeyValueSet {
            key: need(given.key, "key")?,
            value: need(given.value, "value")?,
        },
        "KeyValueCleared" => EventKind::KeyValueCleared { key: given.key },
        "KeyValuePruned" => EventKind::KeyValuePruned {
            before: TimeMs(need(given.before_ms, "beforeMs")?),
            keys: need(given.keys, "keys")?,
        },
        unknown => return Err(format!("`{unknown}` is no kind of event that this version knows")),
    })
}

#[cfg(test)]
mod tests;
