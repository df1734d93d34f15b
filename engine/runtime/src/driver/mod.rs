//! Drives one instance while this node holds it: turn, commit, wait for local activities
//! and mail, next turn; until nothing local is left and a commit has released the lease.
//! Its resident copy then stays behind, and is found again by `Residents`.
//!
//! Here: the loop, the mailbox, and how a driver lets go. One turn: `turn`; what it is
//! opened from: `opening`; making it durable: `commit`, and what follows: `applied`;
//! ends that the engine decides: `ending`.

mod applied;
mod commit;
mod ending;
mod opening;
mod turn;

use turn::Offered;

pub(crate) use ending::Verdict;

use crate::drivers::{Assignment, DriverMail, HeldInstance};
use crate::marks::MarkSeq;
use crate::node::Node;
use crate::residents::Place;
use crate::workers::{Finished, complete_soon};
use duroxide_core::{Arrival, ArrivalBody, ArrivalId, CompatFlags, MailName, Origin, TimeMs};
use duroxide_provider::{Incarnation, InstanceKey, LeaseId, LeasedInstance, MailPage, Release};
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;

/// What was reserved for a driver of the node's [`Permits`](crate::node::Permits).
pub(crate) struct Reserved {
    /// Given back as soon as the driver only waits.
    pub(crate) held: OwnedSemaphorePermit,
    /// Given back when its first turn begins.
    pub(crate) unbegun: OwnedSemaphorePermit,
}

/// Drive an instance, and again if it was leased anew meanwhile.
pub(crate) async fn drive(node: Arc<Node>, assignment: Assignment, reserved: Option<Reserved>) {
    let mut next = Some((assignment, reserved));
    while let Some((assignment, reserved)) = next.take() {
        let incarnation = assignment.leased.incarnation;
        let mut driver = Driver::new(Arc::clone(&node), assignment, reserved);
        // A mistake of the engine's own must not keep an instance held for ever.
        if AssertUnwindSafe(driver.run()).catch_unwind().await.is_err() {
            tracing::error!(target: "duroxide::runtime", instance = %driver.key, "a driver panicked; the lease runs out");
        }
        next = node.drivers.finish(incarnation).map(|assignment| (assignment, None));
        driver.leave();
    }
}

struct Driver {
    node: Arc<Node>,
    key: InstanceKey,
    incarnation: Incarnation,
    lease: LeaseId,
    name: String,
    /// Recorded or asked for; `None` is the latest when it first runs.
    version: Option<String>,
    flags: CompatFlags,
    place: Place,
    /// How often a turn was begun for this place.
    attempt: u32,
    /// The host has a live copy that stands at `place`.
    resident: bool,
    mailbox: UnboundedReceiver<DriverMail>,
    held: Option<OwnedSemaphorePermit>,
    unbegun: Option<OwnedSemaphorePermit>,
    todo: ToDo,
    /// What applied commits have dealt with: an answer that was under way may bring it
    /// once more.
    dealt_with: BTreeSet<ArrivalId>,
    /// Marks up to here are covered by what the store has told.
    asked: MarkSeq,
    /// Turns since the driver last had to wait for something.
    turns_in_hand: u32,
    /// The lease is gone: what this driver knows is worth nothing any more.
    lost: bool,
}

/// What the next turn is for.
#[derive(Default)]
struct ToDo {
    /// Unseen, in the store's inbox.
    arrivals: BTreeMap<ArrivalId, Arrival>,
    /// The store has more of them.
    more_arrivals: bool,
    /// Results of this node's activities.
    results: Vec<Finished>,
    /// Mail that open waits wanted, and the names that were read for it.
    mail: Option<(Vec<MailName>, MailPage)>,
    /// A turn is due whatever there is: the first, or one that was split.
    turn: bool,
    /// How the engine ends the instance, instead of running it.
    verdict: Option<Verdict>,
}

impl ToDo {
    fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
            && !self.more_arrivals
            && self.results.is_empty()
            && self.mail.is_none()
            && !self.turn
            && self.verdict.is_none()
    }

    /// What there is of the inbox, for a turn.
    fn offer(&mut self) -> Offered {
        let arrivals = self.arrivals.keys().copied().collect();
        Offered { arrivals, more: std::mem::take(&mut self.more_arrivals) }
    }

    /// A turn was offered this, and left no trace. What it did not admit is for the next
    /// one, and so is what came while it ran.
    fn take_back(&mut self, offered: &Offered, unadmitted: &[Arrival]) {
        let is_left =
            |id: &ArrivalId| unadmitted.iter().any(|arrival| arrival.origin == Origin::Inbox(*id));
        self.arrivals.retain(|id, _| !offered.arrivals.contains(id) || is_left(id));
    }
}

/// Whether the driver goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    End,
}

impl Driver {
    fn new(node: Arc<Node>, assignment: Assignment, reserved: Option<Reserved>) -> Self {
        let (held, unbegun) = reserved.map(|reserved| (reserved.held, reserved.unbegun)).unzip();
        let Assignment { leased, asked, mailbox, verdict } = assignment;
        let LeasedInstance { execution, next_event, last_commit, incarnation, .. } = leased;
        let place = Place { execution, next_event, last_commit };
        let (resident, dropped) = node.residents.check_out(incarnation, &place);
        node.metrics.evictions.add(dropped);
        let mut driver = Self {
            node,
            key: leased.key,
            incarnation,
            lease: leased.lease,
            name: leased.name,
            version: leased.version,
            flags: leased.flags,
            place,
            attempt: leased.attempt,
            resident,
            mailbox,
            held,
            unbegun,
            todo: ToDo { turn: true, verdict, ..ToDo::default() },
            dealt_with: BTreeSet::new(),
            asked,
            turns_in_hand: 0,
            lost: false,
        };
        driver.expect(leased.arrivals, leased.more_arrivals);
        driver
    }

    async fn run(&mut self) {
        while self.next_work().await {
            self.turns_in_hand += 1;
            if self.turn().await == Flow::End {
                return;
            }
        }
    }

    /// Wait until there is something for a turn to do. False: the driver is done.
    async fn next_work(&mut self) -> bool {
        loop {
            self.read_mailbox();
            if self.lost {
                self.abandon(None, Duration::ZERO).await;
                return false;
            }
            let waiting = self.in_flight();
            let winding_up = self.node.stopping() && self.todo.results.is_empty();
            if !self.todo.is_empty() && !winding_up {
                return true;
            }
            if !waiting {
                self.hand_back(Duration::ZERO).await;
                return false;
            }
            self.held = None;
            self.turns_in_hand = 0;
            match self.mailbox.recv().await {
                Some(mail) => self.take(mail),
                None => self.lost = true,
            }
        }
    }

    /// Whether an activity of this execution runs here whose result can be fused.
    fn in_flight(&self) -> bool {
        !self.node.running.in_flight(self.incarnation, self.place.execution).is_empty()
    }

    fn read_mailbox(&mut self) {
        while let Ok(mail) = self.mailbox.try_recv() {
            self.take(mail);
        }
    }

    fn take(&mut self, mail: DriverMail) {
        match mail {
            // Of an execution that has ended since: its timers and children are not those of
            // the one that follows. What stays was told again by the commit that ended it.
            DriverMail::Arrivals { execution, .. } if execution < self.place.execution => {}
            DriverMail::Arrivals { arrivals, more, .. } => self.expect(arrivals, more),
            DriverMail::Finished(finished) => self.expect_result(*finished),
            DriverMail::LessInFlight => {}
            DriverMail::Lost => self.lost = true,
        }
    }

    fn expect(&mut self, arrivals: Vec<Arrival>, more: bool) {
        for arrival in arrivals {
            if let Origin::Inbox(id) = arrival.origin
                && !self.dealt_with.contains(&id)
            {
                if matches!(
                    arrival.body,
                    ArrivalBody::Cancel { .. } | ArrivalBody::Terminate { .. }
                ) {
                    self.node.running.tell_execution(self.incarnation, self.place.execution);
                }
                self.todo.arrivals.insert(id, arrival);
            }
        }
        self.todo.more_arrivals |= more;
    }

    fn expect_result(&mut self, mut finished: Finished) {
        let ours = finished.held.activity.execution == self.place.execution;
        if !ours || !self.node.running.holds(finished.held) {
            self.node.running.settle(finished.held);
        } else if self.node.marks.marked_after(&self.key, self.asked) {
            // Mail that this activity may have sent is not here yet. Behind it in the
            // store's inbox, the result cannot overtake it.
            complete_soon(&self.node, finished);
        } else {
            // Nor may it overtake what is here, by an estimate that lags behind.
            finished.at = finished.at.max(self.latest_arrival());
            self.todo.results.push(finished);
        }
    }

    fn latest_arrival(&self) -> TimeMs {
        self.todo.arrivals.values().map(|arrival| arrival.at).max().unwrap_or_default()
    }

    /// Drop the live copy, if there is one.
    fn evict(&mut self) {
        if std::mem::take(&mut self.resident) {
            self.node.orchestrations.evict(self.place.resident(self.incarnation));
            self.node.metrics.evictions.one();
        }
    }

    /// Leave the live copy, if there is one, to whoever has the instance next.
    fn check_in(&mut self) {
        if std::mem::take(&mut self.resident) {
            let dropped = self.node.residents.check_in(self.incarnation, self.place);
            self.node.metrics.evictions.add(dropped);
        }
    }

    /// Give the lease back as if no turn had been begun: none was, or it left no trace.
    async fn hand_back(&mut self, delay: Duration) {
        self.check_in();
        let release = Release { held: vec![self.held()], commit: None, refund: true, delay };
        self.node.release(release).await;
    }

    /// Give everything up: a copy that went on from what was not committed is not
    /// patched but dropped, and each result finds its own way to the store.
    async fn abandon(&mut self, release: Option<Release>, delay: Duration) {
        self.evict();
        self.results_on_their_own();
        let plain = Release { held: vec![self.held()], commit: None, refund: true, delay };
        self.node.release(release.unwrap_or(plain)).await;
    }

    fn results_on_their_own(&mut self) {
        for finished in std::mem::take(&mut self.todo.results) {
            complete_soon(&self.node, finished);
        }
    }

    fn held(&self) -> duroxide_provider::Held {
        let (incarnation, lease) = (self.incarnation, self.lease);
        HeldInstance { incarnation, lease, committing: None }.held()
    }

    /// After nothing can reach the mailbox any more: what was left in it.
    fn leave(mut self) {
        self.results_on_their_own();
        self.mailbox.close();
        while let Ok(mail) = self.mailbox.try_recv() {
            if let DriverMail::Finished(finished) = mail {
                complete_soon(&self.node, *finished);
            }
        }
    }
}

impl Drop for Driver {
    /// However a driver ends, a live copy that it has not put back is not left behind.
    fn drop(&mut self) {
        self.evict();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(id: u64) -> Arrival {
        let body = ArrivalBody::Terminate { reason: String::new() };
        Arrival { origin: Origin::Inbox(ArrivalId(id)), at: TimeMs(id), body }
    }

    #[test]
    fn what_comes_while_a_turn_runs_that_leaves_no_trace_is_for_the_next_one() {
        let mut todo = ToDo::default();
        todo.arrivals.extend([1, 2].map(|id| (ArrivalId(id), mail(id))));
        todo.more_arrivals = true;
        let offered = todo.offer();
        assert!(offered.more && !todo.more_arrivals);
        todo.arrivals.insert(ArrivalId(3), mail(3));
        todo.take_back(&offered, &[mail(2)]);
        assert_eq!(todo.arrivals.keys().map(|id| id.0).collect::<Vec<_>>(), [2, 3]);
        todo.more_arrivals = true;
        todo.take_back(&offered, &[]);
        assert!(todo.more_arrivals, "there is more than was offered");
    }
}
