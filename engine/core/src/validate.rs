//! Checks of names, ids and sizes that users pass in. Each failure names the value and
//! what was expected.

use crate::{Failure, FailureKind, Limits, Payload};

/// What the ids of derived children contain; reserved for them.
pub const CHILD_ID_MARKER: &str = "::sub::";

/// An instance id given by a user: not empty, not too long, without NUL, not of the reserved
/// form.
pub fn validate_instance_id(id: &str, limits: &Limits) -> Result<(), Failure> {
    if id.is_empty() {
        return Err(Failure::new(FailureKind::Invalid, "an instance id must not be empty"));
    }
    if id.starts_with("sub::") || id.contains(CHILD_ID_MARKER) {
        let message =
            format!("instance id `{id}`: `sub::` in front and `::sub::` inside are reserved");
        return Err(Failure::new(FailureKind::Invalid, message));
    }
    at_most("instance id", id, limits.instance_id_bytes)
}

/// A name given by a user: not empty, not too long, without NUL. `what` says which kind of name.
pub fn validate_name(what: &str, name: &str, limits: &Limits) -> Result<(), Failure> {
    if name.is_empty() {
        let message = format!("the {what} must not be empty");
        return Err(Failure::new(FailureKind::Invalid, message));
    }
    at_most(what, name, if what == "tag" { limits.tag_bytes } else { limits.name_bytes })
}

/// A payload of allowed size. `what` begins the sentence.
pub fn validate_payload(what: &str, payload: &Payload, limits: &Limits) -> Result<(), Failure> {
    if payload.len() <= limits.payload_bytes {
        return Ok(());
    }
    let message =
        format!("{what} has {} bytes, at most {} are allowed", payload.len(), limits.payload_bytes);
    Err(Failure::new(FailureKind::Limit, message))
}

/// A failure of allowed size, its causes and details included. `what` begins the sentence.
pub fn validate_failure(what: &str, failure: &Failure, limits: &Limits) -> Result<(), Failure> {
    let (bytes, max) = (failure.text_bytes(), limits.payload_bytes);
    if bytes <= max {
        return Ok(());
    }
    let message = format!("{what} has {bytes} bytes, at most {max} are allowed");
    Err(Failure::new(FailureKind::Limit, message))
}

/// A text that every store can keep and find again: Postgres has no NUL in texts.
pub(crate) fn without_nul(what: &str, text: &str) -> Result<(), Failure> {
    if !text.contains('\0') {
        return Ok(());
    }
    let message = format!("the {what} {text:?} contains a NUL character, which is not allowed");
    Err(Failure::new(FailureKind::Invalid, message))
}

fn at_most(what: &str, text: &str, max: usize) -> Result<(), Failure> {
    if text.len() <= max {
        return without_nul(what, text);
    }
    let shown: String = text.chars().take(40).collect();
    let message =
        format!("the {what} `{shown}…` has {} bytes, at most {max} are allowed", text.len());
    Err(Failure::new(FailureKind::Limit, message))
}
