//! Reads and waits of the client. A wait is woken by the store when the instance
//! changes; it never reads a history.

use super::{Client, ClientError, RETRY_FOR};
use crate::backoff::Backoff;
use duroxide_core::{Event, ExecutionId, Failure, FailureKind, InstanceId, KvEntry, Payload};
use duroxide_provider::{
    ExecutionInfo, InstanceInfo, InstanceKey, InstanceState, InstanceTree, WatchRequest,
};
use std::future::Future;
use std::time::Duration;

/// The longest that one call of the store waits; a wait is made of as many as it takes.
const WATCH_SEGMENT: Duration = Duration::from_mins(5);

impl Client {
    /// How an instance stands, or `None` if there is none. What it waits for is in
    /// [`waiting_for`](crate::waiting_for).
    pub async fn status(
        &self,
        instance: impl Into<InstanceId>,
    ) -> Result<Option<InstanceInfo>, ClientError> {
        let key = InstanceKey::new(instance);
        Ok(self.retry(RETRY_FOR, || self.store.instance(key.clone())).await?)
    }

    /// Wait until an instance has ended; it need not exist yet. [`ClientError::Timeout`]
    /// if it has not by then.
    pub async fn wait(
        &self,
        instance: impl Into<InstanceId>,
        timeout: Duration,
    ) -> Result<InstanceInfo, ClientError> {
        let ended = |info: &Option<InstanceInfo>| {
            info.as_ref().filter(|info| info.state.is_terminal()).cloned()
        };
        self.watch_until(InstanceKey::new(instance), timeout, ended).await
    }

    /// Wait until an instance has ended, and give what it returned;
    /// [`ClientError::Failed`] if it did not return.
    pub async fn wait_for_output(
        &self,
        instance: impl Into<InstanceId>,
        timeout: Duration,
    ) -> Result<Payload, ClientError> {
        let instance = instance.into();
        loop {
            let info = self.wait(instance.clone(), timeout).await?;
            let failure = match info.state {
                InstanceState::Completed { output } => return Ok(output),
                InstanceState::Failed { failure } => failure,
                InstanceState::Terminated { reason } => {
                    Failure::new(FailureKind::Terminated, format!("terminated: {reason}"))
                }
                InstanceState::Running | InstanceState::ContinuedAsNew => continue,
            };
            return Err(ClientError::Failed { failure });
        }
    }

    /// Wait until the custom status has a newer version than `last_version`. `None` when
    /// that did not happen in time, or cannot happen any more because the instance ended.
    pub async fn wait_for_status_change(
        &self,
        instance: impl Into<InstanceId>,
        last_version: u64,
        timeout: Duration,
    ) -> Result<Option<InstanceInfo>, ClientError> {
        let newer = |info: &Option<InstanceInfo>| match info {
            Some(info) if info.custom_status_version > last_version => Some(Some(info.clone())),
            Some(info) if info.state.is_terminal() => Some(None),
            Some(_) | None => None,
        };
        match self.watch_until(InstanceKey::new(instance), timeout, newer).await {
            Err(ClientError::Timeout) => Ok(None),
            answer => answer,
        }
    }

    /// Wait until `found` finds what it looks for in how the instance stands.
    async fn watch_until<T>(
        &self,
        key: InstanceKey,
        timeout: Duration,
        found: impl Fn(&Option<InstanceInfo>) -> Option<T> + Send + Sync,
    ) -> Result<T, ClientError> {
        let begun = self.env.clock.monotonic();
        let mut info = {
            let first = self.retry(timeout, || self.store.instance(key.clone()));
            self.within(timeout, first).await??
        };
        let mut backoff = Backoff::new(&self.env);
        loop {
            if let Some(found) = found(&info) {
                return Ok(found);
            }
            let left = timeout.saturating_sub(self.elapsed_since(begun));
            if left.is_zero() {
                return Err(ClientError::Timeout);
            }
            let seen = info.as_ref().map(|info| info.revision);
            let max = left.min(WATCH_SEGMENT);
            let watch = self.store.watch(WatchRequest { key: key.clone(), seen, max });
            match self.within(left, watch).await? {
                Ok(now) => {
                    info = now;
                    backoff = Backoff::new(&self.env);
                }
                Err(error) if error.is_transient() => {
                    backoff.pause_at_most(left).await;
                }
                Err(error) => return Err(ClientError::of(&key.id, error)),
            }
        }
    }

    async fn within<F: Future>(&self, left: Duration, call: F) -> Result<F::Output, ClientError> {
        self.env.timeout(left, call).await.ok_or(ClientError::Timeout)
    }

    /// The value of a key, if it is set.
    pub async fn kv_get(
        &self,
        instance: impl Into<InstanceId>,
        key: &str,
    ) -> Result<Option<String>, ClientError> {
        let all = self.kv_all(instance).await?;
        Ok(all.into_iter().find(|entry| entry.key == key).map(|entry| entry.value))
    }

    /// Every key with its value, by key.
    pub async fn kv_all(
        &self,
        instance: impl Into<InstanceId>,
    ) -> Result<Vec<KvEntry>, ClientError> {
        let key = InstanceKey::new(instance);
        Ok(self.retry(RETRY_FOR, || self.store.kv(key.clone())).await?)
    }

    /// Wait until a key is set, and give its value; the instance need not exist yet.
    pub async fn wait_for_value(
        &self,
        instance: impl Into<InstanceId>,
        key: &str,
        timeout: Duration,
    ) -> Result<String, ClientError> {
        let instance = instance.into();
        let begun = self.env.clock.monotonic();
        let left = || timeout.saturating_sub(self.elapsed_since(begun));
        loop {
            // The revision before the value: what is written after this read ends the watch.
            let seen = self.within(left(), self.status(instance.clone())).await??;
            let seen = seen.map(|info| info.revision);
            let read = self.kv_get(instance.clone(), key);
            if let Some(value) = self.within(left(), read).await?? {
                return Ok(value);
            }
            let changed = |now: &Option<InstanceInfo>| {
                (now.as_ref().map(|info| info.revision) != seen).then_some(())
            };
            self.watch_until(InstanceKey::new(instance.clone()), left(), changed).await?;
        }
    }

    /// The executions of an instance, in order; none for an unknown id.
    pub async fn executions(
        &self,
        instance: impl Into<InstanceId>,
    ) -> Result<Vec<ExecutionInfo>, ClientError> {
        let key = InstanceKey::new(instance);
        Ok(self.retry(RETRY_FOR, || self.store.executions(key.clone())).await?)
    }

    /// The history of an execution; empty if there is none.
    pub async fn history(
        &self,
        instance: impl Into<InstanceId>,
        execution: ExecutionId,
    ) -> Result<Vec<Event>, ClientError> {
        let key = InstanceKey::new(instance);
        Ok(self.retry(RETRY_FOR, || self.store.history(key.clone(), execution)).await?)
    }

    /// The whole tree that an instance belongs to, or `None` for an unknown id.
    pub async fn tree(
        &self,
        instance: impl Into<InstanceId>,
    ) -> Result<Option<InstanceTree>, ClientError> {
        let key = InstanceKey::new(instance);
        Ok(self.retry(RETRY_FOR, || self.store.tree(key.clone())).await?)
    }
}
