//! What part an event plays in replay, and which event it belongs to. One exhaustive list,
//! so that a new kind of event has to take its place.

use crate::{Event, EventId, EventKind};

/// What part an event plays in replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A fact from outside: admitting it starts an activation.
    Arrival,
    /// The record of something that user code asked for.
    Command,
    /// The end of the execution.
    End,
}

impl Event {
    /// The record of something that user code asked for, as opposed to what arrived and to
    /// ends that the engine made.
    pub fn is_command(&self) -> bool {
        match (self.kind.role(), &self.kind) {
            (Role::Arrival, _) | (Role::End, EventKind::OrchestrationTerminated { .. }) => false,
            (Role::End, EventKind::OrchestrationFailed { by_engine, .. }) => !by_engine,
            (Role::Command | Role::End, _) => true,
        }
    }
}

impl EventKind {
    /// What part this event plays in replay.
    pub fn role(&self) -> Role {
        self.role_and_source().0
    }

    /// The scheduling event that this event completes, delivers to or cancels.
    pub fn source(&self) -> Option<EventId> {
        self.role_and_source().1
    }

    fn role_and_source(&self) -> (Role, Option<EventId>) {
        match self {
            Self::ActivityCompleted { source, .. }
            | Self::ActivityFailed { source, .. }
            | Self::TimerFired { source, .. }
            | Self::MailDelivered { source, .. }
            | Self::SubOrchestrationCompleted { source, .. }
            | Self::SubOrchestrationFailed { source, .. } => (Role::Arrival, Some(*source)),
            Self::OrchestrationStarted { .. }
            | Self::OrchestrationCancelRequested { .. }
            | Self::CompatFlagsAdded { .. } => (Role::Arrival, None),
            Self::ActivityCancelRequested { source }
            | Self::TimerCancelled { source }
            | Self::MailUnsubscribed { source }
            | Self::SubOrchestrationCancelRequested { source, .. } => {
                (Role::Command, Some(*source))
            }
            Self::ActivityScheduled { .. }
            | Self::TimerCreated { .. }
            | Self::MailSubscribed { .. }
            | Self::SubOrchestrationScheduled { .. }
            | Self::OrchestrationChained { .. }
            | Self::CustomStatusUpdated { .. }
            | Self::KeyValueSet { .. }
            | Self::KeyValueCleared { .. }
            | Self::KeyValuePruned { .. } => (Role::Command, None),
            Self::OrchestrationCompleted { .. }
            | Self::OrchestrationFailed { .. }
            | Self::OrchestrationContinuedAsNew { .. }
            | Self::OrchestrationTerminated { .. } => (Role::End, None),
        }
    }
}
