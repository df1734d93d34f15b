//! The client's calls with values instead of payloads. Not here: what the calls do
//! ([`Client`]).

use duroxide_core::{InstanceId, Payload};
use duroxide_runtime::{Client, ClientError, Started};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// [`Client`] calls that take and give any value that serde knows.
pub trait ClientExt {
    /// As [`Client::start`].
    fn start_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        name: &str,
        input: &In,
    ) -> impl Future<Output = Result<Started, ClientError>> + Send;

    /// As [`Client::raise_event`].
    fn raise_event_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        event: &str,
        data: &In,
    ) -> impl Future<Output = Result<(), ClientError>> + Send;

    /// As [`Client::enqueue_event`].
    fn enqueue_event_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        queue: &str,
        message: &In,
    ) -> impl Future<Output = Result<(), ClientError>> + Send;

    /// As [`Client::wait_for_output`].
    fn wait_typed<Out: DeserializeOwned>(
        &self,
        instance: impl Into<InstanceId> + Send,
        timeout: Duration,
    ) -> impl Future<Output = Result<Out, ClientError>> + Send;
}

impl ClientExt for Client {
    async fn start_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        name: &str,
        input: &In,
    ) -> Result<Started, ClientError> {
        self.start(instance, name, payload("the input", input)?).await
    }

    async fn raise_event_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        event: &str,
        data: &In,
    ) -> Result<(), ClientError> {
        self.raise_event(instance, event, payload("the event's data", data)?).await
    }

    async fn enqueue_event_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        queue: &str,
        message: &In,
    ) -> Result<(), ClientError> {
        self.enqueue_event(instance, queue, payload("the message", message)?).await
    }

    async fn wait_typed<Out: DeserializeOwned>(
        &self,
        instance: impl Into<InstanceId> + Send,
        timeout: Duration,
    ) -> Result<Out, ClientError> {
        let output = self.wait_for_output(instance, timeout).await?;
        let unreadable = |problem| ClientError::Invalid {
            message: format!("the output cannot be read: {problem}"),
        };
        let text = output.as_json().ok_or_else(|| unreadable("it is not JSON".to_owned()))?;
        serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
    }
}

fn payload<In: Serialize + ?Sized>(what: &str, value: &In) -> Result<Payload, ClientError> {
    let invalid = |error| ClientError::Invalid { message: format!("{what} is not JSON: {error}") };
    serde_json::to_string(value).map(Payload::json).map_err(invalid)
}
