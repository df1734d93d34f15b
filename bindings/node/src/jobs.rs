//! What waits for the JavaScript thread: turns, activities, cancels, evictions; and how a
//! batch of them crosses, as one JSON text. Not here: who queues them (`host`).

use crate::views::Json;
use duroxide_runtime::host::{ActivityTask, ResidentKey, TurnReply, TurnRequest};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

/// A turn that the JavaScript thread has not begun.
pub(crate) struct PendingTurn {
    pub(crate) request: TurnRequest,
    pub(crate) reply: oneshot::Sender<TurnReply>,
}

/// The name of a resident execution on the JavaScript side.
pub(crate) fn resident_name(key: ResidentKey) -> String {
    format!("{}/{}", key.incarnation.0, key.execution.0)
}

/// A job as `host.ts` reads it.
#[derive(Serialize)]
#[serde(tag = "job", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Job<'a> {
    Turn {
        turn: u64,
        resident: String,
        cold: bool,
        instance_id: &'a str,
        execution_id: u64,
        orchestration_name: &'a str,
        orchestration_version: &'a str,
    },
    Activity {
        id: u64,
        instance_id: &'a str,
        execution_id: u64,
        orchestration_name: &'a str,
        orchestration_version: &'a str,
        activity_name: &'a str,
        activity_id: u64,
        attempt: u32,
        worker_id: &'a str,
        session_id: Option<&'a str>,
        tag: Option<&'a str>,
        input: &'a RawValue,
    },
    Cancel {
        id: u64,
    },
    Evict {
        resident: String,
    },
}

impl<'a> Job<'a> {
    pub(crate) fn turn(turn: u64, request: &'a TurnRequest) -> Self {
        Self::Turn {
            turn,
            resident: resident_name(request.resident),
            cold: request.opening.is_some(),
            instance_id: request.key.id.as_str(),
            execution_id: request.resident.execution.0,
            orchestration_name: &request.name,
            orchestration_version: &request.version,
        }
    }

    /// `None` when the input is no JSON.
    pub(crate) fn activity(id: u64, task: &'a ActivityTask) -> Option<Self> {
        let leased = &task.activity;
        Some(Self::Activity {
            id,
            instance_id: leased.key.id.as_str(),
            execution_id: leased.activity.execution.0,
            orchestration_name: &leased.orchestration,
            orchestration_version: &leased.version,
            activity_name: &leased.name,
            activity_id: leased.activity.event.0,
            attempt: task.attempt,
            worker_id: &task.worker,
            session_id: leased.session.as_deref(),
            tag: leased.tag.as_deref(),
            input: Json(&leased.input).raw()?,
        })
    }
}
