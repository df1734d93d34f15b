//! What a store with a fault has forgotten when it is opened again.

use crate::fault::Fault;
use duroxide_core::TimeMs;
use duroxide_model::State;

/// Forget it.
#[expect(clippy::wildcard_enum_match_arm, reason = "these are a few faults of many")]
pub(crate) fn forget(fault: Option<Fault>, state: &mut State) {
    let Some(fault) = fault else { return };
    match fault {
        Fault::ForgetsAllOnReopen => *state = State::default(),
        Fault::ForgetsRequestsOnReopen => state.requests.clear(),
        Fault::ForgetsTheTimeOnReopen => state.now = TimeMs(0),
        Fault::CountsIncarnationsAnewOnReopen => {
            state.sequence = state.instances.keys().map(|key| key.0).max().unwrap_or(0);
        }
        _ => {}
    }
    for row in state.instances.values_mut() {
        match fault {
            Fault::ForgetsCommitsOnReopen => row.last_commit = None,
            Fault::ForgetsTimersOnReopen => {
                let now = state.now;
                row.inbox.retain(|_, message| message.visible_at <= now);
            }
            Fault::ForgetsWhatWasSeenOnReopen => {
                row.inbox.values_mut().for_each(|message| message.seen = false);
            }
            Fault::ForgetsSplitsOnReopen => row.split = false,
            Fault::ForgetsAttemptsOnReopen => row.attempt = 0,
            Fault::ForgetsDelaysOnReopen => row.not_before = TimeMs(0),
            Fault::ForgetsPhrasesOnReopen => row.waiting = None,
            _ => {}
        }
    }
}
