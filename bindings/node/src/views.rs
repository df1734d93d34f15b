//! What crosses to JavaScript as JSON: values, outcomes, status, info. Payloads stand in
//! it as they are, never as strings of JSON. Not here: histories (`history`).

use duroxide_core::{Failure, FailureKind, Payload, Settled, Value};
use duroxide_provider::{ExecutionInfo, InstanceInfo, InstanceState};
use duroxide_runtime::waiting_for;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A payload as JSON.
#[derive(Clone, Copy)]
pub(crate) struct Json<'a>(pub(crate) &'a Payload);

impl<'a> Json<'a> {
    /// The text, if it is JSON.
    pub(crate) fn raw(self) -> Option<&'a RawValue> {
        self.0.as_json().and_then(|text| serde_json::from_str(text).ok())
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.raw().ok_or_else(|| S::Error::custom("the stored value is not JSON"))?.serialize(to)
    }
}

/// The outcome of an await: `{"ok": value}` or `{"err": failure}`.
pub(crate) struct Outcome<'a>(pub(crate) &'a Settled);

impl Serialize for Outcome<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1))?;
        match self.0 {
            Ok(value) => map.serialize_entry("ok", &Shown(value))?,
            Err(failure) => map.serialize_entry("err", &failure.clone().without_details())?,
        }
        map.end()
    }
}

struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Payload(payload) => Json(payload).serialize(to),
            Value::Null => to.serialize_unit(),
            Value::Time(time) => to.serialize_u64(time.0),
            Value::Text(text) => to.serialize_str(text),
            Value::All(all) => {
                let mut seq = to.serialize_seq(Some(all.len()))?;
                for settled in all {
                    seq.serialize_element(&Outcome(settled))?;
                }
                seq.end()
            }
            Value::Race { index, value } => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("index", index)?;
                map.serialize_entry("value", &Shown(value))?;
                map.end()
            }
        }
    }
}

/// The failure that a stored value which is not JSON becomes.
pub(crate) fn undecodable(what: &str) -> Failure {
    Failure::new(FailureKind::Corrupt, format!("{what} is not JSON, or needs a codec"))
}

/// The stable code of a failure: that of the error it is as TypeScript has it.
fn code(failure: &Failure) -> String {
    let Failure { kind, name, instance, attempt, .. } = failure;
    let own = if *kind == FailureKind::Application {
        match (instance, attempt) {
            (Some(_), _) => Some("SUB_ORCHESTRATION_FAILED"),
            (None, Some(_)) => Some("ACTIVITY_FAILED"),
            (None, None) => None,
        }
    } else {
        let guard = name.as_deref() == Some("DeterminismError");
        (guard && *kind == FailureKind::Nondeterminism).then_some("DETERMINISM")
    };
    own.map_or_else(|| kind.as_str().to_uppercase(), str::to_owned)
}

/// How an instance or execution stands.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Standing<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Json<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<Details<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    code: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<Cause<'a>>>,
}

#[derive(Serialize)]
struct Cause<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    message: &'a str,
    #[serde(rename = "cause", skip_serializing_if = "Option::is_none")]
    deeper: Option<Box<Cause<'a>>>,
}

impl<'a> Cause<'a> {
    fn of(failure: &'a Failure) -> Option<Box<Self>> {
        failure.cause.as_deref().map(|cause| {
            Box::new(Self {
                name: cause.name.as_deref(),
                message: &cause.message,
                deeper: Self::of(cause),
            })
        })
    }
}

impl<'a> Details<'a> {
    fn of(failure: &'a Failure) -> Self {
        let details = failure.details.as_ref();
        Self {
            name: failure.name.as_deref(),
            code: code(failure),
            message: &failure.message,
            // Of a child that failed by itself, `source` is the child's name.
            activity_name: failure.source.as_deref().filter(|_| failure.attempt.is_some()),
            attempt: failure.attempt,
            worker_id: details.and_then(|details| details.worker.as_deref()),
            stack: details.and_then(|details| details.stack.as_deref()),
            cause: Cause::of(failure),
        }
    }
}

impl<'a> Standing<'a> {
    fn of(state: &'a InstanceState) -> Self {
        match state {
            InstanceState::Running => Self { status: "Running", ..Self::default() },
            InstanceState::ContinuedAsNew => Self { status: "ContinuedAsNew", ..Self::default() },
            InstanceState::Completed { output } => {
                Self { status: "Completed", output: Some(Json(output)), ..Self::default() }
            }
            InstanceState::Failed { failure } => Self {
                status: "Failed",
                output: None,
                error: Some(&failure.message),
                error_details: Some(Details::of(failure)),
            },
            InstanceState::Terminated { reason } => {
                Self { status: "Terminated", error: Some(reason), ..Self::default() }
            }
        }
    }

    /// Without the details, as info calls give it.
    fn brief(state: &'a InstanceState) -> Self {
        Self { error_details: None, ..Self::of(state) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusView<'a> {
    #[serde(flatten)]
    standing: Standing<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<&'a str>,
    custom_status_version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
}

/// What `getOrchestrationStatus` gives.
pub(crate) fn status(info: Option<&InstanceInfo>) -> serde_json::Result<String> {
    serde_json::to_string(&match info {
        None => StatusView {
            standing: Standing { status: "NotFound", ..Standing::default() },
            custom_status: None,
            custom_status_version: 0,
            waiting_for: None,
        },
        Some(info) => StatusView {
            standing: Standing::of(&info.state),
            custom_status: info.custom_status.as_deref(),
            custom_status_version: info.custom_status_version,
            waiting_for: waiting_for(info),
        },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InfoView<'a> {
    instance_id: &'a str,
    orchestration_name: &'a str,
    orchestration_version: Option<&'a str>,
    current_execution_id: u64,
    #[serde(flatten)]
    standing: Standing<'a>,
    created_at: u64,
    updated_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_instance_id: Option<&'a str>,
}

/// What `getInstanceInfo` gives.
pub(crate) fn info(info: Option<&InstanceInfo>) -> serde_json::Result<String> {
    serde_json::to_string(&info.map(|info| InfoView {
        instance_id: info.key.id.as_str(),
        orchestration_name: &info.name,
        orchestration_version: info.version.as_deref(),
        current_execution_id: info.execution.0,
        standing: Standing::brief(&info.state),
        created_at: info.created_at.0,
        updated_at: info.updated_at.0,
        parent_instance_id: info.parent.as_ref().map(duroxide_core::InstanceId::as_str),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionView<'a> {
    execution_id: u64,
    #[serde(flatten)]
    standing: Standing<'a>,
    started_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<u64>,
    event_count: u64,
}

/// What `getExecutionInfo` gives.
pub(crate) fn execution(info: Option<&ExecutionInfo>) -> serde_json::Result<String> {
    serde_json::to_string(&info.map(|info| ExecutionView {
        execution_id: info.execution.0,
        standing: Standing::brief(&info.state),
        started_at: info.started_at.0,
        completed_at: info.completed_at.map(|at| at.0),
        event_count: info.event_count,
    }))
}

/// What bulk calls select.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SelectionArgument {
    pub(crate) instance_ids: Option<Vec<String>>,
    pub(crate) completed_before: Option<f64>,
    pub(crate) limit: Option<u64>,
}

/// What prunes keep.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PruneArgument {
    pub(crate) keep_last: Option<u64>,
    pub(crate) completed_before: Option<f64>,
}
