//! The pure core of duroxide: events, commands, replay, one turn.
//!
//! No async, no clock, no IO, no hash maps: an [`Execution`] is a function of its
//! history and what is fed to it. The runtime and the language bindings drive it.

mod arrival;
mod codec;
mod commit;
pub mod event;
mod execution;
mod failure;
mod flags;
mod guid;
mod history;
mod ids;
mod leaf;
mod limits;
mod payload;
mod render;
mod report;
mod retry;
mod role;
mod validate;

pub use arrival::{Arrival, ArrivalBody, Origin, UnreadMail};
pub use codec::{DecodeError, Undecodable, decode_event, encode_event};
pub use commit::{
    ChildRequest, Commit, End, KvChange, NewActivity, NewStart, NewTimer, Outgoing, StatusChange,
};
pub use event::{Channel, ENGINE_HEADERS, Event, EventKind, Headers, Parent, policy_attempt};
pub use execution::{
    Activation, Base, Execution, Fingerprint, InputChange, KvEntry, MailName, Opening, RetryCall,
    TurnInput, TurnOutcome,
};
pub use failure::{Failure, FailureDetails, FailureKind, cancelled_message};
pub use flags::CompatFlags;
pub use history::{History, HistoryError};
pub use ids::{ArrivalId, EventId, ExecutionId, InstanceId, Nonce, TimeMs, TurnNo};
pub use leaf::{
    Await, Awaited, Ending, Leaf, READ_VALUE_ACTIVITY, Refused, Scheduled, Settled, Value,
};
pub use limits::Limits;
pub use payload::{Encoding, Payload};
pub use render::render;
pub use report::Divergence;
pub use retry::{Backoff, RetryPolicy};
pub use role::Role;
pub use validate::{
    CHILD_ID_MARKER, validate_failure, validate_instance_id, validate_name, validate_payload,
};
