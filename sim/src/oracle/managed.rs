//! Instances that a client may have deleted: what holds of an instance does not hold of them,
//! since another one may have their id. Only what is gone must stay gone (`gone`).

use duroxide_provider::InstanceKey;
use std::collections::{BTreeMap, BTreeSet};

/// Which instances may be gone.
#[derive(Default)]
pub(crate) struct Managed {
    gone: BTreeSet<InstanceKey>,
    /// Everything may be.
    all: bool,
    parents: BTreeMap<InstanceKey, InstanceKey>,
    /// Those that may have ended: only these are deleted without force.
    ending: BTreeSet<InstanceKey>,
    /// Deletions without force that are under way.
    asked: BTreeMap<InstanceKey, u64>,
}

impl Managed {
    /// Whether this one, or one above it, may have been deleted.
    pub(super) fn contains(&self, key: &InstanceKey) -> bool {
        if self.all || self.gone.is_empty() {
            return self.all;
        }
        let line = std::iter::successors(Some(key), |key| self.parents.get(key));
        // A line has an end; an id that was used again for another's child may close it.
        line.take(64).any(|key| self.gone.contains(key))
    }

    /// A turn may start a child.
    pub(super) fn starts(&mut self, parent: &InstanceKey, child: InstanceKey) {
        self.parents.insert(child, parent.clone());
    }

    /// A turn may end an instance.
    pub(super) fn ends(&mut self, key: &InstanceKey) {
        self.ending.insert(key.clone());
        if self.asked.get(key).is_some_and(|asked| *asked > 0) {
            self.gone.insert(key.clone());
        }
    }

    /// Instances are to be deleted (`None`: any).
    pub(super) fn deleting(&mut self, keys: Option<&[InstanceKey]>, force: bool) {
        let Some(keys) = keys else {
            self.all = true;
            return;
        };
        for key in keys {
            *self.asked.entry(key.clone()).or_default() += 1;
            if force || self.ending.contains(key) {
                self.gone.insert(key.clone());
            }
        }
    }

    /// They are, as far as they may be.
    pub(super) fn deleted(&mut self, keys: &[InstanceKey]) {
        for key in keys {
            if let Some(asked) = self.asked.get_mut(key) {
                *asked = asked.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::key;
    use super::*;
    use std::slice::from_ref;

    #[test]
    fn what_runs_is_not_deleted_without_force_and_children_go_with_their_root() {
        let (root, child) = (key(), InstanceKey::new("kid"));
        let mut managed = Managed::default();
        managed.starts(&root, child.clone());
        managed.deleting(Some(from_ref(&root)), false);
        managed.deleted(from_ref(&root));
        managed.ends(&root);
        assert!(!managed.contains(&child));
        managed.deleting(Some(from_ref(&root)), false);
        assert!(managed.contains(&child) && managed.contains(&root));
    }

    #[test]
    fn what_ends_while_it_is_deleted_may_be_gone() {
        let mut managed = Managed::default();
        managed.deleting(Some(&[key()]), false);
        assert!(!managed.contains(&key()));
        managed.ends(&key());
        assert!(managed.contains(&key()));
    }
}
