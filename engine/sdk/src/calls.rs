//! Calls with options: activities and children. Awaiting one, or passing it to `join` or
//! `select`, turns it into its future; until then its options can be set.

use crate::OrchestrationError;
use crate::codec;
use crate::leaf::Durable;
use crate::retry::Retried;
use crate::shared::Shared;
use duroxide_core::{Failure, FailureKind, InstanceId, Leaf, Payload, RetryPolicy, Value};
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A call of an activity; see [`OrchestrationContext::activity`](crate::OrchestrationContext::activity).
#[must_use = "nothing is scheduled until it is awaited"]
pub struct ActivityCall<Out> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: String,
    pub(crate) input: Result<Payload, Failure>,
    pub(crate) session: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) out: PhantomData<fn() -> Out>,
}

impl<Out> ActivityCall<Out> {
    /// Runs it on the node that owns this session.
    pub fn on_session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Runs it on a node whose filter takes this tag.
    pub fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }
}

impl<Out: DeserializeOwned> ActivityCall<Out> {
    /// Tries it again when it fails or takes too long, as the policy says; each attempt with
    /// the session and tag set before. The waits in between are durable timers. It fails
    /// with the last error, or, if the last attempt took too long, with one whose
    /// [`is_timeout`](OrchestrationError::is_timeout) is true. A wrong policy fails the
    /// await, and nothing is scheduled.
    ///
    /// ```
    /// # use duroxide_sdk::{OrchestrationContext, OrchestrationError};
    /// use duroxide_sdk::{Backoff, RetryPolicy};
    /// async fn pay(ctx: OrchestrationContext, order: u32) -> Result<String, OrchestrationError> {
    ///     let policy = RetryPolicy {
    ///         backoff: Backoff::Fixed,
    ///         timeout_ms: Some(5_000),
    ///         non_retryable: vec!["CardDeclined".to_owned()],
    ///         ..RetryPolicy::new(5)
    ///     };
    ///     ctx.activity("Charge", &order).with_tag("payments").with_retry(policy).await
    /// }
    /// ```
    pub fn with_retry(self, policy: RetryPolicy) -> Retried<Out> {
        let shared = Arc::clone(&self.shared);
        Retried::new(shared, self.into_leaf(), policy, result_of_activity)
    }
}

impl<Out> ActivityCall<Out> {
    fn into_leaf(self) -> Result<Leaf, Failure> {
        let Self { shared: _, name, input, session, tag, out: _ } = self;
        input.map(|input| Leaf::Activity { name, input, session, tag })
    }
}

impl<Out: DeserializeOwned> IntoFuture for ActivityCall<Out> {
    type Output = Result<Out, OrchestrationError>;
    type IntoFuture = Durable<Out>;

    fn into_future(self) -> Durable<Out> {
        let shared = Arc::clone(&self.shared);
        Durable::new(&shared, self.into_leaf(), result_of_activity)
    }
}

fn result_of_activity<Out: DeserializeOwned>(value: Value) -> Result<Out, Failure> {
    payload_of("the result of the activity", value)
}

impl<Out> fmt::Debug for ActivityCall<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActivityCall({})", self.name)
    }
}

/// A call of a child orchestration; see
/// [`OrchestrationContext::child`](crate::OrchestrationContext::child).
#[must_use = "nothing is scheduled until it is awaited"]
pub struct ChildCall<Out> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: String,
    pub(crate) input: Result<Payload, Failure>,
    pub(crate) version: Option<String>,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) out: PhantomData<fn() -> Out>,
}

impl<Out> ChildCall<Out> {
    /// Gives the child this id instead of one derived from its parent's.
    pub fn with_id(mut self, id: impl Into<InstanceId>) -> Self {
        self.instance = Some(id.into());
        self
    }

    /// Runs this version instead of the latest.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }
}

impl<Out: DeserializeOwned> IntoFuture for ChildCall<Out> {
    type Output = Result<Out, OrchestrationError>;
    type IntoFuture = Durable<Out>;

    fn into_future(self) -> Durable<Out> {
        let Self { shared, name, input, version, instance, out: _ } = self;
        let leaf = input.map(|input| Leaf::Child { name, version, instance, input });
        Durable::new(&shared, leaf, |value| payload_of("the result of the child", value))
    }
}

impl<Out> fmt::Debug for ChildCall<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChildCall({})", self.name)
    }
}

/// The user's value that a leaf resolved to.
pub(crate) fn payload_of<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Failure> {
    match value {
        Value::Payload(payload) => codec::decode(what, &payload),
        Value::Null => codec::decode(what, &Payload::null()),
        Value::Time(_) | Value::Text(_) | Value::All(_) | Value::Race { .. } => {
            Err(unexpected(what))
        }
    }
}

/// The core resolved a leaf to a value of another kind than the leaf has.
pub(crate) fn unexpected(what: &str) -> Failure {
    Failure::new(FailureKind::Corrupt, format!("{what} is of another kind than was asked for"))
}
