//! Histories as `readExecutionHistory` shows them: the public kinds and their data, with
//! user values as JSON values. Not here: the engine's own form (`duroxide-core`).

use crate::views::Json;
use duroxide_core::{Channel, Event, EventKind, Failure, Parent, Payload};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    event_id: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_event_id: Option<u64>,
    timestamp_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

/// The events as a JSON array; each one's `data` is JSON text.
pub(crate) fn listed(events: &[Event]) -> serde_json::Result<String> {
    let listing = |event: &Event| Listed {
        event_id: event.id.0,
        kind: public_kind(&event.kind),
        source_event_id: event.kind.source().map(|source| source.0),
        timestamp_ms: event.at.0,
        data: public_data(&event.kind),
    };
    serde_json::to_string(&events.iter().map(listing).collect::<Vec<_>>())
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

/// What events tell; each kind has some of it.
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
    input: Option<Json<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Json<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fire_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<&'a [String]>,
}

fn public_data(kind: &EventKind) -> Option<String> {
    use EventKind as K;
    let data = match kind {
        K::OrchestrationCompleted { output: value }
        | K::ActivityCompleted { result: value, .. }
        | K::SubOrchestrationCompleted { result: value, .. } => return raw(value),
        K::CustomStatusUpdated { status } => return serde_json::to_string(status).ok(),
        K::CompatFlagsAdded { .. }
        | K::ActivityCancelRequested { .. }
        | K::TimerCancelled { .. }
        | K::MailUnsubscribed { .. }
        | K::SubOrchestrationCancelRequested { .. } => return None,
        K::OrchestrationStarted { name, version, input, parent, .. } => Facts {
            name: Some(name),
            version: Some(version),
            input: Some(Json(input)),
            parent: parent.as_ref(),
            ..Facts::default()
        },
        K::OrchestrationContinuedAsNew { input, version } => {
            Facts { input: Some(Json(input)), version: version.as_deref(), ..Facts::default() }
        }
        K::OrchestrationFailed { failure, .. }
        | K::ActivityFailed { failure, .. }
        | K::SubOrchestrationFailed { failure, .. } => Facts::failed(failure),
        K::OrchestrationTerminated { reason } | K::OrchestrationCancelRequested { reason, .. } => {
            Facts { reason: Some(reason), ..Facts::default() }
        }
        K::ActivityScheduled { name, input, session, tag } => Facts {
            name: Some(name),
            input: Some(Json(input)),
            session_id: session.as_deref(),
            tag: tag.as_deref(),
            ..Facts::default()
        },
        K::TimerCreated { fire_at, .. } | K::TimerFired { fire_at, .. } => {
            Facts { fire_at_ms: Some(fire_at.0), ..Facts::default() }
        }
        K::MailSubscribed { name, .. } => Facts { name: Some(name), ..Facts::default() },
        K::MailDelivered { name, data, .. } => {
            Facts { name: Some(name), data: Some(Json(data)), ..Facts::default() }
        }
        K::SubOrchestrationScheduled { name, version, instance, input }
        | K::OrchestrationChained { name, version, instance, input } => Facts {
            name: Some(name),
            version: version.as_deref(),
            instance: Some(instance.as_str()),
            input: Some(Json(input)),
            ..Facts::default()
        },
        K::KeyValueSet { key, value } => {
            Facts { key: Some(key), value: Some(value), ..Facts::default() }
        }
        K::KeyValueCleared { key } => Facts { key: key.as_deref(), ..Facts::default() },
        K::KeyValuePruned { before, keys } => {
            Facts { before_ms: Some(before.0), keys: Some(keys), ..Facts::default() }
        }
    };
    serde_json::to_string(&data).ok()
}

impl<'a> Facts<'a> {
    fn failed(failure: &'a Failure) -> Self {
        Self {
            kind: Some(failure.kind.as_str()),
            message: Some(&failure.message),
            name: failure.source.as_deref().or(failure.name.as_deref()),
            attempt: failure.attempt,
            ..Self::default()
        }
    }
}

fn raw(payload: &Payload) -> Option<String> {
    Json(payload).raw().map(|raw| raw.get().to_owned())
}
