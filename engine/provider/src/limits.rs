//! The limits of what clients send, as a store checks them before it writes anything: the
//! same in every store. Not here: what orchestrations and activities produce, which the core
//! and the runtime check where it is made.

use crate::{Submission, Submit};
use duroxide_core::Limits;

impl Submit {
    /// Which limit this breaks, in a sentence with the field, if it breaks one: then a store
    /// answers [`ProviderError::Invalid`](crate::ProviderError::Invalid).
    ///
    /// ```
    /// use duroxide_core::{Limits, Payload};
    /// use duroxide_provider::{InstanceKey, RequestId, Submission, Submit};
    /// let start = |id: &str| Submit {
    ///     request: RequestId(1),
    ///     key: InstanceKey::new(id),
    ///     what: Submission::Start {
    ///         name: "Order".to_owned(),
    ///         version: None,
    ///         input: Payload::null(),
    ///         headers: Default::default(),
    ///     },
    /// };
    /// assert_eq!(start("order-7").broken_limit(&Limits::default()), None);
    /// let broken = start("").broken_limit(&Limits::default());
    /// assert_eq!(broken.as_deref(), Some("an instance id has 1 to 1024 bytes, not 0"));
    /// ```
    pub fn broken_limit(&self, limits: &Limits) -> Option<String> {
        match &self.what {
            Submission::Start { name, version, input, headers } => {
                let bytes = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
                at_most("the namespace", &self.key.namespace.0, limits.name_bytes)
                    .or_else(|| {
                        text("an instance id", self.key.id.as_str(), limits.instance_id_bytes)
                    })
                    .or_else(|| text("the name of an orchestration", name, limits.name_bytes))
                    .or_else(|| {
                        version.as_ref().and_then(|v| text("a version", v, limits.name_bytes))
                    })
                    .or_else(|| size("the input", input.len(), limits.payload_bytes))
                    .or_else(|| size("the text of the headers", bytes, limits.headers_bytes))
            }
            Submission::Mail { mailbox, data } => {
                text("the name of a mailbox", &mailbox.name, limits.name_bytes)
                    .or_else(|| size("the data", data.len(), limits.payload_bytes))
            }
            Submission::Cancel { reason } | Submission::Terminate { reason } => {
                size("the reason", reason.len(), limits.payload_bytes)
            }
        }
    }
}

/// A text to be found again: some, not too much, and no NUL, which not every store can keep.
fn text(what: &str, text: &str, limit: usize) -> Option<String> {
    if text.is_empty() {
        return Some(format!("{what} has 1 to {limit} bytes, not 0"));
    }
    at_most(what, text, limit)
}

fn at_most(what: &str, text: &str, limit: usize) -> Option<String> {
    if text.len() > limit {
        return Some(format!("{what} has 1 to {limit} bytes, not {}", text.len()));
    }
    text.contains('\0').then(|| format!("{what} contains a NUL character: {text:?}"))
}

fn size(what: &str, bytes: usize, limit: usize) -> Option<String> {
    (bytes > limit).then(|| format!("{what} has {bytes} bytes, the limit is {limit}"))
}
