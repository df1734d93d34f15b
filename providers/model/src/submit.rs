//! What clients ask: applied once per request id.

use crate::fault::{Fault, Result};
use crate::rows::NewInstance;
use crate::state::State;
use duroxide_core::{ArrivalBody, TimeMs};
use duroxide_provider::{Submission, Submit, Submitted};

/// How long a request is remembered, in ms: well beyond any caller's retries.
const REMEMBERED: u64 = 15 * 60 * 1_000;
/// So few are remembered whatever the clock says: it may have been set, and callers go on trying.
const REMEMBERED_ANYHOW: usize = 1_000;

/// See [`Provider::submit`](duroxide_provider::Provider::submit).
pub(crate) fn submit(state: &mut State, request: &Submit) -> Result<Submitted> {
    if state.requests.len() > REMEMBERED_ANYHOW {
        let forgotten = TimeMs(state.now.0.saturating_sub(REMEMBERED));
        state.requests.retain(|_, (_, at)| *at >= forgotten);
    }
    if let Some((answer, _)) = state.requests.get(&request.request) {
        return Ok(*answer);
    }
    // The limits, before anything is written.
    if let Some(message) = request.broken_limit(&state.limits) {
        return Err(Fault::Invalid(message));
    }
    let answer = match request.what.clone() {
        Submission::Start { name, version, input, headers } => {
            let key = request.key.clone();
            let new = NewInstance { key, name, version, input, headers, parent: None };
            if state.create(new) { Submitted::Created } else { Submitted::AlreadyExists }
        }
        Submission::Mail { mailbox, data } => {
            let (channel, name) = (mailbox.channel, mailbox.name);
            send(state, request, ArrivalBody::Mail { channel, name, data })
        }
        Submission::Cancel { reason } => {
            send(state, request, ArrivalBody::Cancel { reason, from_parent: false })
        }
        Submission::Terminate { reason } => send(state, request, ArrivalBody::Terminate { reason }),
    };
    if answer != Submitted::NotFound {
        state.requests.insert(request.request, (answer, state.now));
    }
    Ok(answer)
}

/// A message to an instance that runs.
fn send(state: &mut State, request: &Submit, body: ArrivalBody) -> Submitted {
    let found = state.find(&request.key).map(|(incarnation, row)| (incarnation, row.is_running()));
    match found {
        Some((incarnation, true)) => {
            state.ask(incarnation, body);
            Submitted::Accepted
        }
        Some((_, false)) => {
            state.dropped += 1;
            Submitted::Ended
        }
        None => {
            state.dropped += 1;
            Submitted::NotFound
        }
    }
}
