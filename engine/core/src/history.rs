//! A well-formed list of events.
use crate::*;

/// Events that are a history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(Vec<Event>);

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event}: {problem}")]
pub struct HistoryError {
    /// The event.
    pub event: EventId,
    /// What is wrong with it.
    pub problem: String,
}

impl History {
    /// STUB
    pub fn parse(events: Vec<Event>) -> Result<Self, HistoryError> {
        Ok(Self(events))
    }
    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.0
    }
    /// The events.
    pub fn into_events(self) -> Vec<Event> {
        self.0
    }
}
