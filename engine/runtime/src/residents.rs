//! Which executions are live in the host's memory, and at which point of their history.
//! Bounded: the one that was left alone longest goes first. Those that a driver has in
//! hand are not here; it takes its own out and puts it back.

use crate::host::{OrchestrationHost, ResidentKey};
use duroxide_core::{EventId, ExecutionId};
use duroxide_provider::{CommitId, Incarnation};
use lru::LruCache;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A point in the life of an instance. Two that are equal have the same history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) execution: ExecutionId,
    pub(crate) next_event: EventId,
    pub(crate) last_commit: Option<CommitId>,
}

impl Place {
    pub(crate) fn resident(&self, incarnation: Incarnation) -> ResidentKey {
        ResidentKey { incarnation, execution: self.execution }
    }
}

/// The resident copies that are at rest, one per instance.
pub(crate) struct Residents {
    host: Arc<dyn OrchestrationHost>,
    bound: usize,
    at_rest: Mutex<LruCache<Incarnation, Place>>,
}

impl Residents {
    pub(crate) fn new(host: Arc<dyn OrchestrationHost>, bound: usize) -> Self {
        Self { host, bound, at_rest: Mutex::new(LruCache::unbounded()) }
    }

    fn at_rest(&self) -> MutexGuard<'_, LruCache<Incarnation, Place>> {
        self.at_rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take the copy of an instance that stands at `place`. One that stands elsewhere is
    /// out of date and dropped. Gives whether there is one, and how many were dropped.
    pub(crate) fn check_out(&self, incarnation: Incarnation, place: &Place) -> (bool, u64) {
        let found = self.at_rest().pop(&incarnation);
        match found {
            Some(found) if found == *place => (true, 0),
            Some(stale) => {
                self.host.evict(stale.resident(incarnation));
                (false, 1)
            }
            None => (false, 0),
        }
    }

    /// Put a copy back, and drop what is too much. Gives how many were dropped.
    pub(crate) fn check_in(&self, incarnation: Incarnation, place: Place) -> u64 {
        let mut dropped = Vec::new();
        {
            let mut at_rest = self.at_rest();
            at_rest.put(incarnation, place);
            while at_rest.len() > self.bound {
                dropped.extend(at_rest.pop_lru());
            }
        }
        for (incarnation, place) in &dropped {
            self.host.evict(place.resident(*incarnation));
        }
        dropped.len() as u64
    }

    /// Drop every copy.
    pub(crate) fn clear(&self) {
        loop {
            let last = self.at_rest().pop_lru();
            let Some((incarnation, place)) = last else { return };
            self.host.evict(place.resident(incarnation));
        }
    }
}
