//! The end of a sequence: much later, when no lease holds and every timer is due, one node takes
//! all that is left. So what a store keeps and shows nobody is compared too: inboxes and their
//! order, unread mail, timers, attempts, activities and who may run them.

use crate::call::{Answer, Call, Outcome};
use crate::subject::Subject;
use crate::tables;
use crate::world::World;
use duroxide_core::{CompatFlags, EventId};
use duroxide_provider::{
    ActivityFilter, LeaseActivities, LeaseId, LeaseOrchestrations, LeasedInstance, NodeId,
    OrchestrationFilter, ReadHistory, ReadMail, SessionLimits, TagFilter,
};
use std::time::Duration;

/// Longer than any lease, delay or timer that ends at all.
pub(crate) const LATER: Duration = Duration::from_mins(65);
const HOLD: Duration = Duration::from_mins(1);
/// Fewer than a flood leaves.
const MAIL: usize = 40;
/// There is never more to take than so many calls give.
const CALLS: usize = 100;

impl Subject<'_> {
    /// Take everything; the calls, with what each came to.
    pub(crate) async fn drain(
        &mut self,
        handle: u8,
        world: &mut World,
    ) -> Result<Vec<(Call, Outcome)>, String> {
        self.advance(LATER).await;
        let mut done = Vec::new();
        for ask in [turns, work] {
            for _ in 0..CALLS {
                let call = ask(LeaseId(world.draw()));
                let outcome = self.call(handle, &call).await?;
                let (is_last, reads) = found(&outcome);
                done.push((call, outcome));
                for read in reads {
                    let outcome = self.call(handle, &read).await?;
                    done.push((read, outcome));
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(done)
    }

    /// Take everything by these calls.
    pub(crate) async fn drain_alike(
        &mut self,
        handle: u8,
        calls: &[Call],
    ) -> Result<Vec<Outcome>, String> {
        if !calls.is_empty() {
            self.advance(LATER).await;
        }
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.push(self.call(handle, call).await?);
        }
        Ok(outcomes)
    }
}

/// Whether there is no more, and what of that is to be read.
fn found(outcome: &Outcome) -> (bool, Vec<Call>) {
    match outcome {
        Ok(Answer::Orchestrations(leased)) => {
            (leased.instances.is_empty(), leased.instances.iter().flat_map(reads).collect())
        }
        Ok(Answer::Activities(leased)) => (leased.activities.is_empty(), Vec::new()),
        _ => (true, Vec::new()),
    }
}

fn reads(leased: &LeasedInstance) -> [Call; 2] {
    let &LeasedInstance { incarnation, execution, lease, .. } = leased;
    let history =
        ReadHistory { incarnation, execution, lease, from: EventId::FIRST, max_bytes: 1 << 20 };
    let names = (0..3).map(|mailbox| (tables::mailbox(mailbox), None)).collect();
    let mail = ReadMail { incarnation, lease, names, max: MAIL };
    [Call::ReadHistory(history), Call::ReadMail(mail)]
}

fn node() -> NodeId {
    NodeId { name: "last".to_owned(), run: 1 }
}

fn turns(lease: LeaseId) -> Call {
    let versions = || ["1.0.0", "2.0.0"].map(ToOwned::to_owned).into();
    let names = ["Flow", "Child", "Nobody"].map(|name| (name.to_owned(), versions()));
    let filter = OrchestrationFilter { names: names.into(), flags: CompatFlags(1) };
    Call::LeaseOrchestrations(LeaseOrchestrations {
        lease,
        node: node(),
        filter,
        max: 4,
        duration: HOLD,
    })
}

fn work(lease: LeaseId) -> Call {
    let names = ["Greet", "Work"].map(ToOwned::to_owned).into();
    let sessions = SessionLimits { max: 10, idle: HOLD };
    let filter = ActivityFilter { names, tags: TagFilter::Any, sessions };
    Call::LeaseActivities(LeaseActivities { lease, node: node(), filter, max: 4, duration: HOLD })
}
