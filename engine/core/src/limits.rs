//! The limits that the core checks at the call, before anything is written.

use serde::{Deserialize, Serialize};

/// Upper bounds, all inclusive. Breaking one fails that call with a catchable error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Names of activities, orchestrations, events, queues, sessions, in bytes.
    pub name_bytes: usize,
    /// Instance ids, in bytes.
    pub instance_id_bytes: usize,
    /// Tags, in bytes.
    pub tag_bytes: usize,
    /// Any single payload, failure or reason, in bytes.
    pub payload_bytes: usize,
    /// The headers of a start, names and values together, in bytes.
    pub headers_bytes: usize,
    /// The custom status, in bytes.
    pub status_bytes: usize,
    /// Keys of one instance.
    pub kv_keys: usize,
    /// A key, in bytes.
    pub kv_key_bytes: usize,
    /// A value, in bytes.
    pub kv_value_bytes: usize,
    /// Yields of one activation that resolve without an event.
    pub instant_yields: u32,
    /// Events of one turn; a turn that grows past it is split, never failed.
    pub turn_events: usize,
    /// Payload bytes of one turn; likewise.
    pub turn_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            name_bytes: 256,
            instance_id_bytes: 1024,
            tag_bytes: 256,
            payload_bytes: 16 << 20,
            headers_bytes: 16 << 10,
            status_bytes: 256 << 10,
            kv_keys: 150,
            kv_key_bytes: 1024,
            kv_value_bytes: 64 << 10,
            instant_yields: 100_000,
            turn_events: 1_000,
            turn_bytes: 8 << 20,
        }
    }
}
