//! Replaying a recorded history, without a store. Not here: reading its rows (`recorded`),
//! and the replay itself, which is the core's.

use crate::errors::{internal, told};
use crate::execution::NativeExecution;
use crate::recorded::recorded;
use duroxide_core::{Base, KvEntry, Limits, Opening, TimeMs};
use napi_derive::napi;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What an execution began with that its own history does not say.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Inherited {
    custom_status: Option<String>,
    values: BTreeMap<String, String>,
}

impl From<Inherited> for Base {
    fn from(inherited: Inherited) -> Self {
        let entry = |(key, value)| KvEntry { key, value, updated_at: TimeMs(0) };
        let kv = inherited.values.into_iter().map(entry).collect();
        Self { status: inherited.custom_status, kv }
    }
}

/// A state machine that only replays: `rows` is what `readExecutionHistory` gave.
#[napi]
pub fn open_recorded(rows: String, inherited: String) -> napi::Result<NativeExecution> {
    let inherited: Inherited =
        serde_json::from_str(&inherited).map_err(|e| internal("inherited", &e))?;
    let recorded = recorded(&rows);
    let recorded =
        recorded.map_err(|problem| told("MALFORMED_HISTORY", &format!("replay: {problem}")))?;
    Ok(NativeExecution::of_history(Opening {
        instance: recorded.instance,
        execution: recorded.execution,
        history: recorded.history,
        base: inherited.into(),
        unread: Vec::new(),
        more_mail: Vec::new(),
        limits: Limits::default(),
    }))
}
