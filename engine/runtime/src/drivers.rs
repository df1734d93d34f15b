//! The instances this node holds, and the mailbox of the driver that has each in hand.
//! Not here: what a driver does (`driver`).

use crate::driver::Verdict;
use crate::marks::MarkSeq;
use crate::workers::Finished;
use duroxide_core::{Arrival, ExecutionId};
use duroxide_provider::{CommitId, Held, Incarnation, InstanceKey, LeaseId, LeasedInstance};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a driver is told.
#[derive(Debug)]
pub(crate) enum DriverMail {
    /// The store has this for the instance.
    Arrivals {
        /// The execution that was current when it was told. A commit that was under way may
        /// have ended it since.
        execution: ExecutionId,
        /// What was not seen yet; maybe known already.
        arrivals: Vec<Arrival>,
        /// There is more.
        more: bool,
    },
    /// An activity of the instance ended on this node.
    Finished(Box<Finished>),
    /// An activity was taken away: there may be nothing left to wait for.
    LessInFlight,
    /// The lease is lost.
    Lost,
}

/// An instance to drive, and the mailbox to drive it from.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) leased: LeasedInstance,
    /// What the lease call covers; see [`Marks`](crate::marks::Marks).
    pub(crate) asked: MarkSeq,
    pub(crate) mailbox: UnboundedReceiver<DriverMail>,
    /// How the engine ends it, rather than running it.
    pub(crate) verdict: Option<Verdict>,
}

/// What is held, by instance.
#[derive(Debug, Default)]
pub(crate) struct Drivers {
    held: Mutex<BTreeMap<Incarnation, Entry>>,
}

#[derive(Debug)]
struct Entry {
    key: InstanceKey,
    lease: LeaseId,
    mailbox: UnboundedSender<DriverMail>,
    /// When the turn that is running began, on this node's clock.
    turn_since: Option<Duration>,
    /// The commit that is under way.
    committing: Option<CommitId>,
    /// Leased anew while the driver was still busy under an older lease.
    successor: Option<(LeasedInstance, MarkSeq)>,
}

impl Entry {
    fn new(leased: &LeasedInstance) -> (Self, UnboundedReceiver<DriverMail>) {
        let (mailbox, receiver) = unbounded_channel();
        let entry = Self {
            key: leased.key.clone(),
            lease: leased.lease,
            mailbox,
            turn_since: None,
            committing: None,
            successor: None,
        };
        (entry, receiver)
    }
}

/// Where an instance from a lease call went.
#[derive(Debug)]
pub(crate) enum Routed {
    /// To a new driver.
    Drive(Box<Assignment>),
    /// To the driver that has it; or it was news for one that has ended.
    Told,
    /// Nowhere: a turn that lost its lease is still running here. Another node is to have
    /// it, and no attempt is to be counted for waiting behind a host that is stuck.
    Stuck(Incarnation),
}

/// A lease on an instance, to be given back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldInstance {
    pub(crate) incarnation: Incarnation,
    pub(crate) lease: LeaseId,
    /// A commit whose answer is not known.
    pub(crate) committing: Option<CommitId>,
}

impl HeldInstance {
    /// As requests name it.
    pub(crate) fn held(self) -> Held {
        Held::Instance { incarnation: self.incarnation, lease: self.lease }
    }
}

impl Drivers {
    fn held(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An instance came with the answer to a lease call: it goes to a new driver, or to the
    /// one that has it already.
    pub(crate) fn route(&self, leased: LeasedInstance, call: LeaseId, asked: MarkSeq) -> Routed {
        let mut held = self.held();
        match held.get_mut(&leased.incarnation) {
            Some(entry) if entry.lease == leased.lease => {
                let LeasedInstance { execution, arrivals, more_arrivals: more, .. } = leased;
                // A driver that is just ending leaves them to the store, which has them.
                let _ = entry.mailbox.send(DriverMail::Arrivals { execution, arrivals, more });
                Routed::Told
            }
            Some(entry) if leased.lease == call => {
                let _ = entry.mailbox.send(DriverMail::Lost);
                if entry.turn_since.is_some() {
                    return Routed::Stuck(leased.incarnation);
                }
                entry.successor = Some((leased, asked));
                Routed::Told
            }
            None if leased.lease == call => {
                let (entry, mailbox) = Entry::new(&leased);
                held.insert(leased.incarnation, entry);
                Routed::Drive(Box::new(Assignment { leased, asked, mailbox, verdict: None }))
            }
            // Mail for a lease that is held no more: the store has it still.
            Some(_) | None => Routed::Told,
        }
    }

    /// The driver of an instance is done. Gives what it is to go on with, if the instance
    /// was leased again meanwhile. Nothing reaches the old mailbox after this.
    pub(crate) fn finish(&self, incarnation: Incarnation) -> Option<Assignment> {
        let mut held = self.held();
        let (leased, asked) = held.remove(&incarnation)?.successor?;
        let (entry, mailbox) = Entry::new(&leased);
        held.insert(incarnation, entry);
        Some(Assignment { leased, asked, mailbox, verdict: None })
    }

    /// Hand a result to the driver of its instance; back if there is none.
    pub(crate) fn deliver(&self, finished: Box<Finished>) -> Result<(), Box<Finished>> {
        let held = self.held();
        let Some(entry) = held.get(&finished.held.activity.incarnation) else {
            return Err(finished);
        };
        match entry.mailbox.send(DriverMail::Finished(finished)) {
            Ok(()) => Ok(()),
            Err(unsent) => match unsent.0 {
                DriverMail::Finished(finished) => Err(finished),
                DriverMail::Arrivals { .. } | DriverMail::LessInFlight | DriverMail::Lost => Ok(()),
            },
        }
    }

    /// Tell the driver of an instance, if there is one.
    pub(crate) fn tell(&self, incarnation: Incarnation, mail: DriverMail) {
        if let Some(entry) = self.held().get(&incarnation) {
            let _ = entry.mailbox.send(mail);
        }
    }

    /// A lease on an instance turned out to be lost.
    pub(crate) fn lost(&self, incarnation: Incarnation, lease: LeaseId) {
        if let Some(entry) = self.held().get(&incarnation)
            && entry.lease == lease
        {
            let _ = entry.mailbox.send(DriverMail::Lost);
        }
    }

    /// A turn begins, or ends.
    pub(crate) fn turn(&self, incarnation: Incarnation, since: Option<Duration>) {
        if let Some(entry) = self.held().get_mut(&incarnation) {
            entry.turn_since = since;
        }
    }

    /// A commit is under way, or answered.
    pub(crate) fn committing(&self, incarnation: Incarnation, commit: Option<CommitId>) {
        if let Some(entry) = self.held().get_mut(&incarnation) {
            entry.committing = commit;
        }
    }

    /// Whether an instance is held.
    pub(crate) fn holds(&self, key: &InstanceKey) -> bool {
        self.held().values().any(|entry| entry.key == *key)
    }

    /// What is to be renewed: everything whose turn, if one runs, began after `since`.
    pub(crate) fn renewable(&self, since: Duration) -> Vec<HeldInstance> {
        self.list(|entry| entry.turn_since.is_none_or(|began| began >= since))
    }

    /// Everything held, leases waiting for their turn included.
    pub(crate) fn all(&self) -> Vec<HeldInstance> {
        self.list(|_| true)
    }

    fn list(&self, which: impl Fn(&Entry) -> bool) -> Vec<HeldInstance> {
        let held = self.held();
        let mut list = Vec::new();
        for (&incarnation, entry) in held.iter().filter(|(_, entry)| which(entry)) {
            let committing = entry.committing;
            list.push(HeldInstance { incarnation, lease: entry.lease, committing });
            if let Some((leased, _)) = &entry.successor {
                list.push(HeldInstance { incarnation, lease: leased.lease, committing: None });
            }
        }
        list
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }
}
