//! Marks: which instances were sent something by this process lately. An activity that
//! sends mail to its own instance and then returns must not have its result overtake the
//! mail; a marked instance takes no result by the short way (fused with its commit)
//! until it has asked the store for mail again.

use duroxide_provider::InstanceKey;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often each instance was marked. Instances that are not held are forgotten at the
/// next lease call that began after the mark: what it leases comes with that mail.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sequence: u64,
    last: BTreeMap<InstanceKey, u64>,
}

/// Where the sequence of marks stood at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct MarkSeq(u64);

impl Marks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something for this instance is in the store now.
    pub(crate) fn mark(&self, key: &InstanceKey) {
        let mut state = self.state();
        state.sequence += 1;
        let now = state.sequence;
        state.last.insert(key.clone(), now);
    }

    /// Taken before the store is asked: what it answers covers every mark up to here.
    pub(crate) fn now(&self) -> MarkSeq {
        MarkSeq(self.state().sequence)
    }

    /// Whether the instance was marked after the store was last asked.
    pub(crate) fn marked_after(&self, key: &InstanceKey, asked: MarkSeq) -> bool {
        self.state().last.get(key).is_some_and(|mark| *mark > asked.0)
    }

    /// Forget marks up to here, except of instances that are held.
    pub(crate) fn forget(&self, up_to: MarkSeq, held: impl Fn(&InstanceKey) -> bool) {
        self.state().last.retain(|key, mark| *mark > up_to.0 || held(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_until_the_store_was_asked_after_it() {
        let (marks, key) = (Marks::default(), InstanceKey::new("a"));
        let before = marks.now();
        marks.mark(&key);
        assert!(marks.marked_after(&key, before));
        assert!(!marks.marked_after(&key, marks.now()));
        assert!(!marks.marked_after(&InstanceKey::new("b"), before));
    }

    #[test]
    fn a_mark_made_during_a_call_is_kept() {
        let (marks, key) = (Marks::default(), InstanceKey::new("a"));
        let asked = marks.now();
        marks.mark(&key);
        marks.forget(asked, |_| false);
        assert!(marks.marked_after(&key, asked));
        marks.forget(marks.now(), |_| false);
        assert!(!marks.marked_after(&key, asked));
    }
}
