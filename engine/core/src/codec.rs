//! How an event is written: JSON. Versioned by its field names.
use crate::Event;

/// Bytes that are not an event of this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an event: {0}")]
pub struct DecodeError(String);

/// The event as JSON text.
pub fn encode_event(event: &Event) -> Vec<u8> {
    // Cannot fail: an event holds only text, numbers and maps with text keys.
    serde_json::to_vec(event).unwrap_or_default()
}

/// The event that [`encode_event`] wrote.
pub fn decode_event(bytes: &[u8]) -> Result<Event, DecodeError> {
    serde_json::from_slice(bytes).map_err(|e| DecodeError(e.to_string()))
}
