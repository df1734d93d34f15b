//! Small defects, planted in the model: each is found, and within how many sequences is printed.

use duroxide_core::{ArrivalBody, End};
use duroxide_differential::{Answer, Call, Plan, model, run, spoilt_model};
use duroxide_model::{Instance, State};
use duroxide_provider::{CommitOutcome, CommitTurn, Held};

/// Sequences that may be needed.
const SEQUENCES: u64 = 60;

fn is_found(name: &'static str, spoil: fn(&mut State, &Call, &Answer)) {
    let plan = Plan { sequences: SEQUENCES, until_covered: false, ..Plan::of(u64::MAX) };
    let difference = run(&[model(), spoilt_model(name, spoil)], &plan).expect_err(name);
    let (before, steps) = &difference.steps;
    eprintln!(
        "{name}: found in sequence {} after {} operations; {before} steps, {} after shrinking",
        difference.seed,
        difference.coverage.operations,
        steps.len(),
    );
    assert!(steps.len() < 20, "{difference}");
}

/// The turn, if the call was one and was applied.
fn applied<'a>(call: &'a Call, answer: &Answer) -> Option<&'a CommitTurn> {
    match (call, answer) {
        (Call::CommitTurn(request), Answer::Commit(CommitOutcome::Applied(_))) => Some(request),
        _ => None,
    }
}

fn of_turn<'a>(
    state: &'a mut State,
    call: &'a Call,
    answer: &Answer,
) -> Option<(&'a mut Instance, &'a CommitTurn)> {
    let request = applied(call, answer)?;
    Some((state.instances.get_mut(&request.incarnation)?, request))
}

#[test]
fn attempts_that_a_commit_does_not_set_back_are_found() {
    is_found("attempts are not set back", |state, call, answer| {
        if let Some((row, _)) = of_turn(state, call, answer) {
            row.attempt = 1;
        }
    });
}

#[test]
fn mail_that_stays_unseen_is_found() {
    is_found("mail stays unseen", |state, call, answer| {
        if let Some((row, request)) = of_turn(state, call, answer) {
            for id in &request.turn.seen {
                row.inbox.get_mut(id).into_iter().for_each(|message| message.seen = false);
            }
        }
    });
}

#[test]
fn attempts_that_are_not_refunded_are_found() {
    is_found("attempts are not refunded", |state, call, _| {
        let Call::Release(request) = call else { return };
        for held in request.held.iter().filter(|_| request.refund) {
            if let Held::Activity { activity, .. } = held
                && let Some(row) = state.instances.get_mut(&activity.incarnation)
                && let Some(found) = row.activities.get_mut(&activity.event)
                && found.lease.is_none()
            {
                found.attempt += 1;
            }
        }
    });
}

#[test]
fn pairs_that_continue_as_new_forgets_are_found() {
    is_found("continue-as-new forgets key-value pairs", |state, call, answer| {
        if let Some((row, request)) = of_turn(state, call, answer)
            && matches!(request.turn.end, Some(End::ContinuedAsNew { .. }))
        {
            row.kv.clear();
        }
    });
}

#[test]
fn children_that_are_not_told_of_the_end_are_found() {
    is_found("children are not told of the end", |state, call, answer| {
        if applied(call, answer).is_some_and(|request| request.turn.end.is_some()) {
            for row in state.instances.values_mut() {
                row.inbox.retain(|_, message| {
                    !matches!(message.body, ArrivalBody::Cancel { from_parent: true, .. })
                });
            }
        }
    });
}

#[test]
fn a_session_that_idles_for_too_long_is_found() {
    is_found("sessions idle for longer", |state, call, _| {
        if matches!(call, Call::CompleteActivity(_)) {
            for session in state.sessions.values_mut() {
                session.idle_until = session.idle_until.plus(10_000);
            }
        }
    });
}

#[test]
fn a_lease_that_expires_a_moment_late_is_found() {
    is_found("leases expire late", |state, call, _| {
        if matches!(call, Call::Renew(_)) {
            for lease in state.instances.values_mut().filter_map(|row| row.lease.as_mut()) {
                lease.until = lease.until.plus(200);
            }
        }
    });
}

#[test]
fn mail_in_the_wrong_order_is_found() {
    is_found("the youngest message is given first", |state, call, _| {
        let Call::Submit(request) = call else { return };
        let Some(row) = state.instances.values_mut().find(|row| row.key == request.key) else {
            return;
        };
        let mail = row.inbox.values_mut().filter(|m| matches!(m.body, ArrivalBody::Mail { .. }));
        let mut mail: Vec<_> = mail.filter(|message| !message.seen).collect();
        if let [.., before, last] = mail.as_mut_slice() {
            std::mem::swap(&mut before.body, &mut last.body);
        }
    });
}

#[test]
fn a_retry_that_is_applied_again_is_found() {
    is_found("requests are not remembered", |state, call, _| {
        if let Call::Submit(request) = call {
            state.requests.remove(&request.request);
        }
    });
}
