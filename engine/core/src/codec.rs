//! How an event is written: JSON. Versioned by its field names.
use crate::Event;
use serde_json::error::Category;

/// Bytes that are not an event of this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an event: {0}")]
pub struct DecodeError(Undecodable);

/// JSON that is not what was expected, and where. serde's own message would quote it, and what
/// is stored or sent is somebody's data: it stands in no error and in no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it {what} at byte {at}")]
pub struct Undecodable {
    what: &'static str,
    at: usize,
}

impl From<serde_json::Error> for Undecodable {
    fn from(error: serde_json::Error) -> Self {
        let what = match error.classify() {
            Category::Io => "could not be written",
            Category::Syntax => "is no JSON",
            Category::Data => "does not have the form expected",
            Category::Eof => "is cut short",
        };
        Self { what, at: error.column() }
    }
}

/// The event as JSON text.
pub fn encode_event(event: &Event) -> Vec<u8> {
    // Cannot fail: an event holds only text, numbers and maps with text keys.
    serde_json::to_vec(event).unwrap_or_default()
}

/// The event that [`encode_event`] wrote.
pub fn decode_event(bytes: &[u8]) -> Result<Event, DecodeError> {
    serde_json::from_slice(bytes).map_err(|error| DecodeError(error.into()))
}
