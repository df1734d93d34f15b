//! Histories as `readExecutionHistory` shows them: the public kinds and their data, with
//! user values as JSON values, and whatever it takes to read them back (`recorded`).
//! Not here: the engine's own form (`duroxide-core`).

use crate::views::Json;
use duroxide_core::{
    Channel, CompatFlags, Event, EventKind, ExecutionId, Failure, FailureDetails, Headers,
    InstanceId, Nonce, Parent, Payload,
};
use serde::{Deserialize, Serialize, Serializer};

/// One event, as users see it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) event_id: u64,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_event_id: Option<u64>,
    pub(crate) timestamp_ms: u64,
    /// JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<String>,
    pub(crate) turn: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) split: bool,
    /// The user's value, where it is not JSON: `data` shows null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Payload>,
}

/// The events of an execution as a JSON array of rows.
pub(crate) fn listed(
    instance: &InstanceId,
    execution: ExecutionId,
    events: &[Event],
) -> serde_json::Result<String> {
    let row = |event: &Event| {
        let mut told = told(&event.kind);
        if let Told::Facts(facts) = &mut told {
            if matches!(event.kind, EventKind::OrchestrationStarted { .. }) {
                facts.instance_id = Some(instance.as_str());
                facts.execution_id = Some(execution.0);
            }
            if let Some(failure) = &mut facts.failure
                && let Some(name) = name_of_source(events, event)
            {
                failure.name = Some(name.to_owned());
            }
        }
        Ok(Row {
            event_id: event.id.0,
            kind: public_kind(&event.kind).to_owned(),
            source_event_id: event.kind.source().map(|source| source.0),
            timestamp_ms: event.at.0,
            data: told.text()?,
            turn: event.turn.0,
            split: event.split,
            payload: told
                .payload()
                .filter(|shown| shown.text().is_none())
                .map(|shown| shown.0.clone()),
        })
    };
    let rows: serde_json::Result<Vec<Row>> = events.iter().map(row).collect();
    serde_json::to_string(&rows?)
}

/// Name of the activity or child that an event completes.
fn name_of_source<'a>(events: &'a [Event], event: &Event) -> Option<&'a str> {
    let source = event.kind.source()?;
    // Ids are positions, from 1.
    let scheduled = events.get(source.0.checked_sub(1)? as usize)?;
    if let EventKind::ActivityScheduled { name, .. }
    | EventKind::SubOrchestrationScheduled { name, .. } = &scheduled.kind
    {
        return Some(name);
    }
    None
}

fn public_kind(kind: &EventKind) -> &'static str {
    use EventKind as K;
    match kind {
        K::OrchestrationStarted { .. } => "OrchestrationStarted",
        K::OrchestrationCompleted { .. } => "OrchestrationCompleted",
        K::OrchestrationFailed { .. } => "OrchestrationFailed",
        K::OrchestrationContinuedAsNew { .. } => "OrchestrationContinuedAsNew",
        K::OrchestrationTerminated { .. } => "OrchestrationTerminated",
        K::OrchestrationCancelRequested { .. } => "OrchestrationCancelRequested",
        K::CompatFlagsAdded { .. } => "CompatFlagsAdded",
        K::ActivityScheduled { .. } => "ActivityScheduled",
        K::ActivityCompleted { .. } => "ActivityCompleted",
        K::ActivityFailed { .. } => "ActivityFailed",
        K::ActivityCancelRequested { .. } => "ActivityCancelRequested",
        K::TimerCreated { .. } => "TimerCreated",
        K::TimerFired { .. } => "TimerFired",
        K::TimerCancelled { .. } => "TimerCancelled",
        K::MailSubscribed { channel: Channel::Event, .. } => "ExternalSubscribed",
        K::MailSubscribed { channel: Channel::Queue, .. } => "QueueSubscribed",
        K::MailDelivered { channel: Channel::Event, .. } => "ExternalEvent",
        K::MailDelivered { channel: Channel::Queue, .. } => "QueueEventDelivered",
        K::MailUnsubscribed { .. } => "MailUnsubscribed",
        K::SubOrchestrationScheduled { .. } => "SubOrchestrationScheduled",
        K::SubOrchestrationCompleted { .. } => "SubOrchestrationCompleted",
        K::SubOrchestrationFailed { .. } => "SubOrchestrationFailed",
        K::SubOrchestrationCancelRequested { .. } => "SubOrchestrationCancelRequested",
        K::OrchestrationChained { .. } => "OrchestrationChained",
        K::CustomStatusUpdated { .. } => "CustomStatusUpdated",
        K::KeyValueSet { .. } => "KeyValueSet",
        K::KeyValueCleared { .. } => "KeyValueCleared",
        K::KeyValuePruned { .. } => "KeyValuePruned",
    }
}

/// What an event tells.
enum Told<'a> {
    Nothing,
    /// A user's value, by itself.
    Value(Shown<'a>),
    /// Text or null, by itself.
    Text(Option<&'a str>),
    Facts(Box<Facts<'a>>),
}

impl<'a> Told<'a> {
    fn payload(&self) -> Option<Shown<'a>> {
        match self {
            Self::Nothing | Self::Text(_) => None,
            Self::Value(value) => Some(*value),
            Self::Facts(facts) => facts.input.or(facts.data),
        }
    }

    fn text(&self) -> serde_json::Result<Option<String>> {
        match self {
            Self::Nothing => return Ok(None),
            Self::Value(value) => serde_json::to_string(value),
            Self::Text(text) => serde_json::to_string(text),
            Self::Facts(facts) => serde_json::to_string(facts),
        }
        .map(Some)
    }
}

/// Facts by their names; each kind of event has some of them.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Facts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<Nonce>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<CompatFlags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<&'a Headers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    /// Of a retried activity: which try, from 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(flatten)]
    failure: Option<FailureView>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_engine: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    from_parent: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unstarted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fire_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<&'a [String]>,
}

/// A failure; its `name` is that of the activity or child that failed, or else of the error.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureView {
    pub(crate) kind: String,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Box<FailureView>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Box<FailureDetails>>,
}

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        let Failure { kind, message, name, source, instance, attempt, cause, details } = failure;
        Self {
            kind: kind.as_str().to_owned(),
            message: message.clone(),
            name: source.clone().or_else(|| name.clone()),
            error_name: name.clone(),
            source: source.clone(),
            instance: instance.clone(),
            attempt: *attempt,
            cause: cause.as_deref().map(|cause| Box::new(cause.into())),
            details: details.clone(),
        }
    }
}

fn told(kind: &EventKind) -> Told<'_> {
    use EventKind as K;
    let none = Facts::default;
    Told::Facts(Box::new(match kind {
        K::OrchestrationCompleted { output: value }
        | K::ActivityCompleted { result: value, .. }
        | K::SubOrchestrationCompleted { result: value, .. } => return Told::Value(Shown(value)),
        K::CustomStatusUpdated { status } => return Told::Text(status.as_deref()),
        K::ActivityCancelRequested { .. }
        | K::TimerCancelled { .. }
        | K::MailUnsubscribed { .. } => return Told::Nothing,
        K::OrchestrationStarted { name, version, input, parent, nonce, flags, headers } => Facts {
            name: Some(name),
            version: Some(version),
            input: Some(Shown(input)),
            parent: parent.as_ref(),
            nonce: Some(*nonce),
            flags: Some(*flags),
            headers: (!headers.is_empty()).then_some(headers),
            ..none()
        },
        K::OrchestrationContinuedAsNew { input, version } => {
            Facts { input: Some(Shown(input)), version: version.as_deref(), ..none() }
        }
        K::OrchestrationFailed { failure, by_engine } => {
            Facts { failure: Some(failure.into()), by_engine: *by_engine, ..none() }
        }
        K::ActivityFailed { failure, .. } | K::SubOrchestrationFailed { failure, .. } => {
            Facts { failure: Some(failure.into()), ..none() }
        }
        K::OrchestrationTerminated { reason } => Facts { reason: Some(reason), ..none() },
        K::OrchestrationCancelRequested { reason, from_parent, unstarted } => {
            let (from_parent, unstarted) = (*from_parent, *unstarted);
            Facts { reason: Some(reason), from_parent, unstarted, ..none() }
        }
        K::CompatFlagsAdded { flags } => Facts { flags: Some(*flags), ..none() },
        K::ActivityScheduled { name, input, session, tag, attempt } => Facts {
            name: Some(name),
            input: Some(Shown(input)),
            session_id: session.as_deref(),
            tag: tag.as_deref(),
            attempt: (*attempt > 1).then_some(*attempt),
            ..none()
        },
        K::TimerCreated { delay_ms, fire_at } => {
            Facts { delay_ms: Some(*delay_ms), fire_at_ms: Some(fire_at.0), ..none() }
        }
        K::TimerFired { fire_at, .. } => Facts { fire_at_ms: Some(fire_at.0), ..none() },
        K::MailSubscribed { name, .. } => Facts { name: Some(name), ..none() },
        K::MailDelivered { name, data, mail, .. } => {
            Facts { name: Some(name), data: Some(Shown(data)), mail_id: Some(mail.0), ..none() }
        }
        K::SubOrchestrationScheduled { name, version, instance, input }
        | K::OrchestrationChained { name, version, instance, input } => Facts {
            name: Some(name),
            version: version.as_deref(),
            instance: Some(instance.as_str()),
            input: Some(Shown(input)),
            ..none()
        },
        K::SubOrchestrationCancelRequested { instance, .. } => {
            Facts { instance: Some(instance.as_str()), ..none() }
        }
        K::KeyValueSet { key, value } => Facts { key: Some(key), value: Some(value), ..none() },
        K::KeyValueCleared { key } => Facts { key: key.as_deref(), ..none() },
        K::KeyValuePruned { before, keys } => {
            Facts { before_ms: Some(before.0), keys: Some(keys), ..none() }
        }
    }))
}

/// A payload as the JSON that it is, to the letter, or null.
#[derive(Clone, Copy)]
struct Shown<'a>(&'a Payload);

impl<'a> Shown<'a> {
    fn text(self) -> Option<&'a str> {
        let text = Json(self.0).raw().map(serde_json::value::RawValue::get);
        text.filter(|text| text.len() == self.0.len())
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.text().is_some() { Json(self.0).serialize(to) } else { to.serialize_unit() }
    }
}
