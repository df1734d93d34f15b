//! The client's calls with values instead of payloads. Not here: what the calls do
//! ([`Client`]).

use duroxide_core::{InstanceId, Payload};
use duroxide_runtime::{Client, ClientError, StartRequest, Started};
use duroxide_sdk::{Orchestration, Startable};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// [`Client`] calls that take and give any value that serde knows.
pub trait ClientExt {
    /// As [`Client::start`]: by name with any input, or by an [`Orchestration`] with the
    /// input that it declares.
    ///
    /// ```no_run
    /// use duroxide::prelude::*;
    /// # use std::time::Duration;
    /// const BILLING: Orchestration<u32, String> = Orchestration::new("Billing");
    ///
    /// # async fn bill(client: Client) -> Result<(), ClientError> {
    /// client.start_typed("bill-1", BILLING, &100).await?;
    /// let bill = client.wait_for(BILLING, "bill-1", Duration::from_secs(30)).await?;
    /// println!("{bill}"); // it is a String
    /// # Ok(())
    /// # }
    /// ```
    /// ```compile_fail,E0308
    /// # use duroxide::prelude::*;
    /// # const BILLING: Orchestration<u32, String> = Orchestration::new("Billing");
    /// # async fn bill(client: Client) -> Result<(), ClientError> {
    /// client.start_typed("bill-1", BILLING, "a hundred").await?;
    /// # Ok(())
    /// # }
    /// ```
    fn start_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        what: impl Startable<In> + Send,
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

    /// As [`wait_typed`](Self::wait_typed), for what the [`Orchestration`] declares to give.
    /// Nothing checks that the instance runs this orchestration, only that its output reads
    /// as one.
    ///
    /// ```compile_fail,E0308
    /// # use duroxide::prelude::*;
    /// # use std::time::Duration;
    /// # const BILLING: Orchestration<u32, String> = Orchestration::new("Billing");
    /// # async fn bill(client: Client) -> Result<u64, ClientError> {
    /// client.wait_for(BILLING, "bill-1", Duration::from_secs(30)).await
    /// # }
    /// ```
    fn wait_for<In, Out: DeserializeOwned>(
        &self,
        what: Orchestration<In, Out>,
        instance: impl Into<InstanceId> + Send,
        timeout: Duration,
    ) -> impl Future<Output = Result<Out, ClientError>> + Send;
}

impl ClientExt for Client {
    async fn start_typed<In: Serialize + Sync + ?Sized>(
        &self,
        instance: impl Into<InstanceId> + Send,
        what: impl Startable<In> + Send,
        input: &In,
    ) -> Result<Started, ClientError> {
        let (name, version) = what.into_start();
        let request = StartRequest::new(instance, name, payload("the input", input)?);
        match version {
            Some(version) => self.start_with(request.version(version)).await,
            None => self.start_with(request).await,
        }
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

    async fn wait_for<In, Out: DeserializeOwned>(
        &self,
        _what: Orchestration<In, Out>,
        instance: impl Into<InstanceId> + Send,
        timeout: Duration,
    ) -> Result<Out, ClientError> {
        self.wait_typed(instance, timeout).await
    }
}

fn payload<In: Serialize + ?Sized>(what: &str, value: &In) -> Result<Payload, ClientError> {
    let invalid = |error| ClientError::Invalid { message: format!("{what} is not JSON: {error}") };
    serde_json::to_string(value).map(Payload::json).map_err(invalid)
}
