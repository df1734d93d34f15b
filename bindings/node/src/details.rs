//! Stacks and workers of the failures that an execution was given. They never reach its code,
//! which may catch an error and throw it again; the end of the run is to have them all the
//! same. Not here: failures of the code's own, which bring their stack along.

use duroxide_core::{Arrival, ArrivalBody, Event, EventKind, Failure};
use std::collections::VecDeque;

/// How many are kept: who throws an error again has caught it not long ago.
const KEPT: usize = 64;

/// Failures with details, in the order in which they came.
#[derive(Default)]
pub(crate) struct FailuresGiven(VecDeque<Failure>);

impl FailuresGiven {
    /// Those that a history holds.
    pub(crate) fn in_history(events: &[Event]) -> Self {
        let mut given = Self::default();
        for event in events {
            if let EventKind::ActivityFailed { failure, .. }
            | EventKind::SubOrchestrationFailed { failure, .. } = &event.kind
            {
                given.add(failure);
            }
        }
        given
    }

    /// Those that a turn brings along.
    pub(crate) fn arrived(&mut self, arrivals: &[Arrival]) {
        for arrival in arrivals {
            if let ArrivalBody::ActivityDone { outcome: Err(failure), .. }
            | ArrivalBody::ChildDone { outcome: Err(failure), .. } = &arrival.body
            {
                self.add(failure);
            }
        }
    }

    fn add(&mut self, failure: &Failure) {
        if failure.details.is_some() {
            if self.0.len() == KEPT {
                self.0.pop_front();
            }
            self.0.push_back(failure.clone());
        }
    }

    /// What the code threw, with the details of the failure it was given, if it is one.
    pub(crate) fn with_details(&self, thrown: Failure) -> Failure {
        if thrown.details.is_some() {
            return thrown;
        }
        let same = self.0.iter().rev().find(|given| is_same(given, &thrown));
        Failure { details: same.and_then(|given| given.details.clone()), ..thrown }
    }
}

/// What failed is added to a failure on its way to the code, and a name where it had none;
/// details are taken away, also from its causes.
fn is_same(given: &Failure, thrown: &Failure) -> bool {
    let given = given.clone().without_details();
    let source = given.source.clone().or_else(|| thrown.source.clone());
    let name = given.name.clone().or_else(|| thrown.name.clone());
    Failure { source, name, instance: thrown.instance.clone(), ..given } == *thrown
}
