//! Activities that the engine runs itself.

use crate::backoff::Backoff;
use crate::node::Node;
use duroxide_core::{Failure, FailureKind, Payload};
use duroxide_provider::InstanceKey;
use tokio_util::sync::CancellationToken;

/// `getValueFromInstance`: the input is the JSON array `[instance, key]`, the result the
/// value as a JSON string, or null.
pub(crate) async fn read_value(
    node: &Node,
    input: &Payload,
    cancelled: &CancellationToken,
) -> Result<Payload, Failure> {
    let parsed: Option<(String, String)> =
        input.as_json().and_then(|json| serde_json::from_str(json).ok());
    let Some((instance, key)) = parsed else {
        let message = format!("getValueFromInstance takes an instance and a key, not {input:?}");
        return Err(Failure::new(FailureKind::Invalid, message));
    };
    let mut backoff = Backoff::new(&node.env);
    loop {
        let error = match node.store.kv(InstanceKey::new(instance.clone())).await {
            Ok(entries) => {
                let value = entries.into_iter().find(|entry| entry.key == key);
                let json = serde_json::Value::from(value.map(|entry| entry.value));
                return Ok(Payload::json(json.to_string()));
            }
            Err(error) => error,
        };
        node.note(&error);
        if !error.is_transient() {
            return Err(Failure::new(FailureKind::Corrupt, error.to_string()));
        }
        tokio::select! {
            biased;
            () = cancelled.cancelled() => return Err(Failure::cancelled("no longer needed")),
            () = backoff.pause() => {}
        }
    }
}
