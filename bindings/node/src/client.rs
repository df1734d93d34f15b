//! Reads and requests of a client, answered in JSON text. Not here: retries and waits,
//! which are the engine's client's.

use crate::errors::{internal, of_client};
use crate::history;
use crate::store::NativeStore;
use crate::views::{self, PruneArgument, SelectionArgument};
use duroxide_core::{ExecutionId, InstanceId, Payload, TimeMs};
use duroxide_provider::{ListFilter, PruneRule, Selection};
use duroxide_runtime::{Client, ClientError, StartRequest, Started};
use napi_derive::napi;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;

/// How many ids one call of the store lists.
const PAGE: usize = 1_000;

/// A client of one store.
#[napi]
pub struct NativeClient {
    client: Client,
}

fn text(value: &impl Serialize) -> napi::Result<String> {
    encoded(serde_json::to_string(value))
}

fn encoded(result: serde_json::Result<String>) -> napi::Result<String> {
    result.map_err(|error| internal("answer", &error))
}

fn failed(error: ClientError) -> napi::Error {
    of_client(&error)
}

fn duration(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or(Duration::MAX)
}

fn selection(text: &str) -> napi::Result<Selection> {
    let argument: SelectionArgument =
        serde_json::from_str(text).map_err(|e| internal("selection", &e))?;
    Ok(Selection {
        ids: argument.instance_ids.map(|ids| ids.into_iter().map(InstanceId).collect()),
        completed_before: argument.completed_before.map(|ms| TimeMs(ms as u64)),
        limit: argument.limit,
        ..Selection::default()
    })
}

impl NativeClient {
    pub(crate) fn of(client: Client) -> Self {
        Self { client }
    }
}

#[napi]
impl NativeClient {
    /// A client of this store.
    #[napi(constructor)]
    pub fn new(store: &NativeStore) -> Self {
        Self::of(Client::new(store.env.clone(), store.store.clone()))
    }

    /// Start an instance; false when the id is in use.
    #[napi]
    pub async fn start(
        &self,
        id: String,
        name: String,
        version: Option<String>,
        input: String,
    ) -> napi::Result<bool> {
        let request = StartRequest::new(id, name, Payload::json(input));
        let request = match version {
            Some(version) => request.version(version),
            None => request,
        };
        let started = self.client.start_with(request).await.map_err(failed)?;
        Ok(started == Started::Created)
    }

    /// Send mail to an instance.
    #[napi]
    pub async fn raise(
        &self,
        id: String,
        channel: String,
        name: String,
        data: String,
    ) -> napi::Result<()> {
        let data = Payload::json(data);
        let sent = match channel.as_str() {
            "Queue" => self.client.enqueue_event(id, &name, data).await,
            _ => self.client.raise_event(id, &name, data).await,
        };
        sent.map_err(failed)
    }

    /// Ask an instance to stop in its own way.
    #[napi]
    pub async fn cancel(&self, id: String, reason: String) -> napi::Result<()> {
        self.client.cancel(id, &reason).await.map_err(failed)
    }

    /// Stop an instance without running its code.
    #[napi]
    pub async fn terminate(&self, id: String, reason: String) -> napi::Result<()> {
        self.client.terminate(id, &reason).await.map_err(failed)
    }

    /// How an instance stands.
    #[napi]
    pub async fn status(&self, id: String) -> napi::Result<String> {
        let info = self.client.status(id).await.map_err(failed)?;
        encoded(views::status(info.as_ref()))
    }

    /// Wait for the end of an instance.
    #[napi]
    pub async fn wait_for(&self, id: String, timeout_ms: f64) -> napi::Result<String> {
        let info = self.client.wait(id, duration(timeout_ms)).await.map_err(failed)?;
        encoded(views::status(Some(&info)))
    }

    /// Wait for a newer custom status.
    #[napi]
    pub async fn wait_for_status_change(
        &self,
        id: String,
        last_version: f64,
        timeout_ms: f64,
    ) -> napi::Result<Option<String>> {
        let timeout = duration(timeout_ms);
        let changed = self.client.wait_for_status_change(id, last_version as u64, timeout).await;
        match changed.map_err(failed)? {
            Some(info) => encoded(views::status(Some(&info))).map(Some),
            None => Ok(None),
        }
    }

    /// Wait until a key has a value.
    #[napi]
    pub async fn wait_for_value(
        &self,
        id: String,
        key: String,
        timeout_ms: f64,
    ) -> napi::Result<String> {
        self.client.wait_for_value(id, &key, duration(timeout_ms)).await.map_err(failed)
    }

    /// The key-value pairs of an instance.
    #[napi]
    pub async fn kv(&self, id: String) -> napi::Result<String> {
        let all = self.client.kv_all(id).await.map_err(failed)?;
        text(&all.iter().map(|entry| (&entry.key, &entry.value)).collect::<Vec<_>>())
    }

    /// Counts of the store.
    #[napi]
    pub async fn metrics(&self) -> napi::Result<String> {
        let metrics = self.client.metrics().await.map_err(failed)?;
        text(&json!({
            "totalInstances": metrics.instances,
            "totalExecutions": metrics.executions,
            "runningInstances": metrics.running,
            "completedInstances": metrics.completed,
            "failedInstances": metrics.failed,
            "terminatedInstances": metrics.terminated,
            "totalEvents": metrics.events,
        }))
    }

    /// How much waits.
    #[napi]
    pub async fn depths(&self) -> napi::Result<String> {
        let depths = self.client.depths().await.map_err(failed)?;
        text(&json!({
            "orchestratorQueue": depths.orchestrations,
            "workerQueue": depths.activities,
            "timerQueue": depths.timers,
        }))
    }

    /// Sizes of one instance.
    #[napi]
    pub async fn stats(&self, id: String) -> napi::Result<String> {
        let stats = self.client.stats(id).await.map_err(failed)?;
        text(&stats.map(|stats| {
            json!({
                "historyEventCount": stats.history_events,
                "historySizeBytes": stats.history_bytes,
                "queuePendingCount": stats.pending_messages,
                "kvUserKeyCount": stats.kv_keys,
                "kvTotalValueBytes": stats.kv_bytes,
            })
        }))
    }

    /// Ids, of every instance or of those with a status.
    #[napi]
    pub async fn list(&self, status: Option<String>) -> napi::Result<String> {
        let filter = ListFilter { status, ..ListFilter::default() };
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let page = self.client.list(filter.clone(), after, PAGE).await.map_err(failed)?;
            ids.extend(page.ids);
            after = page.next;
            if after.is_none() {
                return text(&ids);
            }
        }
    }

    /// Numbers of the executions.
    #[napi]
    pub async fn executions(&self, id: String) -> napi::Result<String> {
        let executions = self.client.executions(id).await.map_err(failed)?;
        text(&executions.iter().map(|info| info.execution).collect::<Vec<_>>())
    }

    /// An instance.
    #[napi]
    pub async fn info(&self, id: String) -> napi::Result<String> {
        let info = self.client.status(id).await.map_err(failed)?;
        encoded(views::info(info.as_ref()))
    }

    /// An execution.
    #[napi]
    pub async fn execution_info(&self, id: String, execution: f64) -> napi::Result<String> {
        let all = self.client.executions(id).await.map_err(failed)?;
        let wanted = ExecutionId(execution as u64);
        encoded(views::execution(all.iter().find(|info| info.execution == wanted)))
    }

    /// The tree that an instance belongs to.
    #[napi]
    pub async fn tree(&self, id: String) -> napi::Result<String> {
        let tree = self.client.tree(id).await.map_err(failed)?;
        let view = tree
            .map(|tree| json!({ "rootId": tree.root, "allIds": tree.ids, "size": tree.ids.len() }));
        text(&view)
    }

    /// The history of an execution.
    #[napi]
    pub async fn history(&self, id: String, execution: f64) -> napi::Result<String> {
        let execution = ExecutionId(execution as u64);
        let instance = InstanceId(id);
        let events = self.client.history(instance.clone(), execution).await.map_err(failed)?;
        encoded(history::listed(&instance, execution, &events))
    }

    /// Delete a root with everything below it.
    #[napi]
    pub async fn delete(&self, id: String, force: bool) -> napi::Result<String> {
        let deleted = self.client.delete(id, force).await.map_err(failed)?;
        text(&deletion(deleted))
    }

    /// Delete ended roots.
    #[napi]
    pub async fn delete_many(&self, selected: String) -> napi::Result<String> {
        let deleted = self.client.delete_many(selection(&selected)?).await.map_err(failed)?;
        text(&deletion(deleted))
    }

    /// Prune old executions.
    #[napi]
    pub async fn prune(&self, selected: String, rule: String) -> napi::Result<String> {
        let rule: PruneArgument = serde_json::from_str(&rule).map_err(|e| internal("rule", &e))?;
        let rule = PruneRule {
            keep_last: rule.keep_last,
            completed_before: rule.completed_before.map(|ms| TimeMs(ms as u64)),
        };
        let pruned = self.client.prune(selection(&selected)?, rule).await.map_err(failed)?;
        text(&json!({
            "instancesProcessed": pruned.instances,
            "executionsDeleted": pruned.executions,
            "eventsDeleted": pruned.events,
        }))
    }
}

fn deletion(deleted: duroxide_provider::Deleted) -> serde_json::Value {
    json!({
        "instancesDeleted": deleted.instances,
        "executionsDeleted": deleted.executions,
        "eventsDeleted": deleted.events,
        "queueMessagesDeleted": deleted.messages,
    })
}
