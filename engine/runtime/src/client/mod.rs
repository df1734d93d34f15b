//! The client: starts instances, sends to them, stops them. Needs a store and no
//! runtime: what it asks is durable when a call returns, whoever carries it out.
//! Waits and reads: `reads`; deletion and counts: `manage`; what an
//! instance waits for, in words: `waiting`.

mod error;
mod manage;
mod reads;
mod waiting;

pub use error::ClientError;
pub use waiting::waiting_for;

use crate::backoff::Backoff;
use crate::marks::Marks;
use duroxide_core::{
    Channel, ENGINE_HEADERS, Headers, InstanceId, Limits, MailName, Payload, validate_instance_id,
    validate_name, validate_payload,
};
use duroxide_provider::env::Env;
use duroxide_provider::{
    InstanceKey, ProviderError, RequestId, Store, Submission, Submit, Submitted,
};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long a call goes on trying when the store is busy or does not answer. Stores
/// remember request ids at least twice as long, so that no retry is applied twice.
const RETRY_FOR: Duration = Duration::from_secs(30);

/// Starts, signals and reads instances of a store. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    env: Env,
    store: Arc<dyn Store>,
    limits: Arc<Limits>,
    marks: Option<Arc<Marks>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// What to start.
#[derive(Debug, Clone)]
pub struct StartRequest {
    instance: InstanceId,
    name: String,
    version: Option<String>,
    input: Payload,
    headers: Headers,
}

impl StartRequest {
    /// An instance of an orchestration by its registered name, at its latest version.
    pub fn new(instance: impl Into<InstanceId>, name: impl Into<String>, input: Payload) -> Self {
        Self {
            instance: instance.into(),
            name: name.into(),
            version: None,
            input,
            headers: Headers::new(),
        }
    }

    /// This version, rather than the latest.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Small context values that travel with the instance. A name that begins with
    /// [`ENGINE_HEADERS`] is refused.
    #[must_use]
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }
}

/// What came of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The instance was created by this call.
    Created,
    /// The id was in use; that instance was left alone.
    AlreadyExists,
}

impl Client {
    /// A client of a store.
    pub fn new(env: Env, store: Arc<dyn Store>) -> Self {
        let limits = Arc::new(store.limits());
        Self { env, store, limits, marks: None }
    }

    /// A client that also tells the runtime of its process what it sent, so that an
    /// activity's mail to its own instance is never overtaken by the activity's result.
    pub(crate) fn marking(env: Env, store: Arc<dyn Store>, marks: Arc<Marks>) -> Self {
        Self { marks: Some(marks), ..Self::new(env, store) }
    }

    /// Start an instance. An id in use is left alone; see [`Started`].
    pub async fn start(
        &self,
        instance: impl Into<InstanceId>,
        name: impl Into<String>,
        input: Payload,
    ) -> Result<Started, ClientError> {
        self.start_with(StartRequest::new(instance, name, input)).await
    }

    /// Start an instance of a given version.
    pub async fn start_versioned(
        &self,
        instance: impl Into<InstanceId>,
        name: impl Into<String>,
        version: impl Into<String>,
        input: Payload,
    ) -> Result<Started, ClientError> {
        self.start_with(StartRequest::new(instance, name, input).version(version)).await
    }

    /// Start an instance that must be new: [`ClientError::Exists`] if it is not.
    pub async fn start_new(&self, request: StartRequest) -> Result<(), ClientError> {
        let id = request.instance.clone();
        match self.start_with(request).await? {
            Started::Created => Ok(()),
            Started::AlreadyExists => Err(ClientError::Exists { id }),
        }
    }

    /// Start an instance as described.
    pub async fn start_with(&self, request: StartRequest) -> Result<Started, ClientError> {
        let StartRequest { instance, name, version, input, headers } = request;
        validate_instance_id(instance.as_str(), &self.limits)?;
        validate_name("orchestration name", &name, &self.limits)?;
        validate_payload("the input", &input, &self.limits)?;
        check_headers(&headers, &self.limits)?;
        if let Some(version) = &version {
            check_version(version)?;
            at_most("the version", version.len(), self.limits.name_bytes)?;
        }
        let what = Submission::Start { name, version, input, headers };
        match self.submit(&instance, what).await? {
            Submitted::AlreadyExists => Ok(Started::AlreadyExists),
            Submitted::Created | Submitted::Accepted | Submitted::Ended | Submitted::NotFound => {
                Ok(Started::Created)
            }
        }
    }

    /// Raise an external event. Kept until a wait takes it; without effect on an instance
    /// that has ended.
    pub async fn raise_event(
        &self,
        instance: impl Into<InstanceId>,
        name: &str,
        data: Payload,
    ) -> Result<(), ClientError> {
        self.send(instance.into(), Channel::Event, name, data).await
    }

    /// Put a message into a queue of an instance.
    pub async fn enqueue_event(
        &self,
        instance: impl Into<InstanceId>,
        queue: &str,
        data: Payload,
    ) -> Result<(), ClientError> {
        self.send(instance.into(), Channel::Queue, queue, data).await
    }

    async fn send(
        &self,
        instance: InstanceId,
        channel: Channel,
        name: &str,
        data: Payload,
    ) -> Result<(), ClientError> {
        let what = match channel {
            Channel::Event => "event name",
            Channel::Queue => "queue name",
        };
        validate_name(what, name, &self.limits)?;
        validate_payload("the event data", &data, &self.limits)?;
        let mailbox = MailName { channel, name: name.to_owned() };
        self.tell(instance, Submission::Mail { mailbox, data }).await
    }

    /// Ask an instance to stop in its own way: its pending await fails, its clean-up runs.
    pub async fn cancel(
        &self,
        instance: impl Into<InstanceId>,
        reason: &str,
    ) -> Result<(), ClientError> {
        self.check_reason(reason)?;
        self.tell(instance.into(), Submission::Cancel { reason: reason.to_owned() }).await
    }

    /// Stop an instance, and its children, without running their code.
    pub async fn terminate(
        &self,
        instance: impl Into<InstanceId>,
        reason: &str,
    ) -> Result<(), ClientError> {
        self.check_reason(reason)?;
        self.tell(instance.into(), Submission::Terminate { reason: reason.to_owned() }).await
    }

    /// A reason is kept, and told to others, as a payload is.
    fn check_reason(&self, reason: &str) -> Result<(), ClientError> {
        at_most("the reason", reason.len(), self.limits.payload_bytes)
    }

    /// Something an existing instance is told; one that has ended takes no notice.
    async fn tell(&self, id: InstanceId, what: Submission) -> Result<(), ClientError> {
        match self.submit(&id, what).await? {
            Submitted::NotFound => Err(ClientError::NotFound { id }),
            Submitted::Created
            | Submitted::AlreadyExists
            | Submitted::Accepted
            | Submitted::Ended => Ok(()),
        }
    }

    async fn submit(&self, id: &InstanceId, what: Submission) -> Result<Submitted, ClientError> {
        let key = InstanceKey::new(id.clone());
        let request = Submit { request: RequestId::draw(&*self.env.entropy), key, what };
        let answer = self.retry(RETRY_FOR, || self.store.submit(request.clone())).await;
        // Also when the answer is unknown: a mark too many costs a round trip, one too few
        // lets a result overtake the mail.
        if let Some(marks) = &self.marks {
            marks.mark(&request.key);
        }
        answer.map_err(|error| ClientError::of(id, error))
    }

    /// Try the same request while the store is busy or does not answer, for so long.
    async fn retry<'a, T, F>(
        &'a self,
        total: Duration,
        request: impl Fn() -> F + Send + 'a,
    ) -> Result<T, ProviderError>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, ProviderError>> + Send + 'a,
    {
        self.retry_if(ProviderError::is_transient, total, request).await
    }

    /// Try a request that must not be applied twice, while the store says that it was not.
    async fn retry_not_applied<'a, T, F>(
        &'a self,
        request: impl Fn() -> F + Send + 'a,
    ) -> Result<T, ProviderError>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, ProviderError>> + Send + 'a,
    {
        let is_harmless = |error: &ProviderError| error.is_transient() && error.is_not_applied();
        self.retry_if(is_harmless, RETRY_FOR, request).await
    }

    async fn retry_if<'a, T, F>(
        &'a self,
        may_retry: impl Fn(&ProviderError) -> bool + Send + 'a,
        total: Duration,
        request: impl Fn() -> F + Send + 'a,
    ) -> Result<T, ProviderError>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, ProviderError>> + Send + 'a,
    {
        let begun = self.env.clock.monotonic();
        let mut backoff = Backoff::new(&self.env);
        loop {
            match request().await {
                Err(error) if may_retry(&error) => {
                    let left = total.saturating_sub(self.elapsed_since(begun));
                    if left.is_zero() {
                        return Err(error);
                    }
                    tracing::debug!(target: "duroxide::runtime", %error, "trying again");
                    backoff.pause_at_most(left).await;
                }
                answer => return answer,
            }
        }
    }

    fn elapsed_since(&self, begun: Duration) -> Duration {
        self.env.clock.monotonic().saturating_sub(begun)
    }
}

fn at_most(what: &str, bytes: usize, max: usize) -> Result<(), ClientError> {
    if bytes <= max {
        return Ok(());
    }
    Err(ClientError::Limit {
        message: format!("{what} has {bytes} bytes, at most {max} are allowed"),
    })
}

/// Small, and none of the engine's own: those tell activities which attempt they are.
fn check_headers(headers: &Headers, limits: &Limits) -> Result<(), ClientError> {
    let bytes = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    at_most("the text of the headers", bytes, limits.headers_bytes)?;
    match headers.keys().find(|name| name.starts_with(ENGINE_HEADERS)) {
        None => Ok(()),
        Some(name) => Err(ClientError::Invalid {
            message: format!(
                "header `{name}` is not allowed: names that begin with `{ENGINE_HEADERS}` are \
                 the engine's"
            ),
        }),
    }
}

fn check_version(version: &str) -> Result<(), ClientError> {
    semver::Version::parse(version).map(drop).map_err(|error| ClientError::Invalid {
        message: format!("version `{version}` is not a semantic version: {error}"),
    })
}
