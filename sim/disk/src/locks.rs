//! Who holds which lock: the levels on a database file, the slots of its shared memory, and
//! the plain lock of a lock file. Not here: bytes (`content`). Nobody waits; a lock that
//! cannot be had is refused.

/// A handle of a process, as a holder of locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) process: u64,
    pub(crate) handle: u64,
}

/// What a connection may do with a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

/// The lock was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken;

/// The locks on one file.
#[derive(Debug, Default)]
pub(crate) struct Locks(Vec<(Holder, Level)>);

impl Locks {
    /// Raise a holder's level. One that cannot have `Exclusive` because others read keeps
    /// `Pending`, which lets no new reader in.
    pub(crate) fn raise(&mut self, who: Holder, wanted: Level) -> Result<(), Taken> {
        let held = self.level_of(who);
        if held >= wanted {
            return Ok(());
        }
        let others = self.others(who);
        let free = match wanted {
            Level::None => true,
            Level::Shared => others < Level::Pending,
            Level::Reserved | Level::Pending => others < Level::Reserved,
            Level::Exclusive => others == Level::None,
        };
        if free {
            self.set(who, wanted);
            return Ok(());
        }
        if wanted == Level::Exclusive && held == Level::Reserved {
            self.set(who, Level::Pending);
        }
        Err(Taken)
    }

    /// Lower a holder's level.
    pub(crate) fn lower(&mut self, who: Holder, wanted: Level) {
        if self.level_of(who) > wanted {
            self.set(who, wanted);
        }
    }

    /// What a holder has.
    pub(crate) fn level_of(&self, who: Holder) -> Level {
        self.0.iter().find(|(holder, _)| *holder == who).map_or(Level::None, |(_, level)| *level)
    }

    /// Whether anyone is about to write, or writing.
    pub(crate) fn is_reserved(&self) -> bool {
        self.0.iter().any(|(_, level)| *level >= Level::Reserved)
    }

    /// A process is gone, and its locks with it.
    pub(crate) fn forget(&mut self, process: u64) {
        self.0.retain(|(holder, _)| holder.process != process);
    }

    fn others(&self, who: Holder) -> Level {
        let others = self.0.iter().filter(|(holder, _)| *holder != who);
        others.map(|(_, level)| *level).max().unwrap_or(Level::None)
    }

    fn set(&mut self, who: Holder, level: Level) {
        self.0.retain(|(holder, _)| *holder != who);
        if level > Level::None {
            self.0.push((who, level));
        }
    }
}

/// Slots that SQLite locks in the shared memory of one database.
const SLOTS: usize = 8;

/// The locks on shared memory.
#[derive(Debug, Default)]
pub(crate) struct ShmLocks([Vec<(Holder, bool)>; SLOTS]);

impl ShmLocks {
    /// Lock slots, all or none.
    pub(crate) fn lock(
        &mut self,
        who: Holder,
        slots: std::ops::Range<usize>,
        exclusive: bool,
    ) -> Result<(), Taken> {
        let slots = self.0.get_mut(slots).ok_or(Taken)?;
        for slot in slots.iter() {
            let mut others = slot.iter().filter(|(holder, _)| *holder != who);
            if others.any(|(_, theirs)| exclusive || *theirs) {
                return Err(Taken);
            }
        }
        for slot in slots {
            slot.retain(|(holder, _)| *holder != who);
            slot.push((who, exclusive));
        }
        Ok(())
    }

    /// Unlock slots.
    pub(crate) fn unlock(&mut self, who: Holder, slots: std::ops::Range<usize>) {
        for slot in self.0.get_mut(slots).unwrap_or_default() {
            slot.retain(|(holder, _)| *holder != who);
        }
    }

    /// Let go of all that these hold.
    pub(crate) fn forget(&mut self, gone: impl Fn(Holder) -> bool) {
        for slot in &mut self.0 {
            slot.retain(|(holder, _)| !gone(*holder));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Holder = Holder { process: 1, handle: 1 };
    const B: Holder = Holder { process: 2, handle: 2 };
    const C: Holder = Holder { process: 2, handle: 3 };

    #[test]
    fn one_writes_while_others_finish_reading() {
        let mut locks = Locks::default();
        locks.raise(A, Level::Shared).unwrap();
        locks.raise(B, Level::Shared).unwrap();
        locks.raise(A, Level::Reserved).unwrap();
        assert_eq!(locks.raise(B, Level::Reserved), Err(Taken));
        assert_eq!(locks.raise(A, Level::Exclusive), Err(Taken));
        assert_eq!(locks.level_of(A), Level::Pending);
        assert_eq!(locks.raise(C, Level::Shared), Err(Taken));
        locks.lower(B, Level::None);
        locks.raise(A, Level::Exclusive).unwrap();
        locks.lower(A, Level::Shared);
        locks.raise(C, Level::Shared).unwrap();
    }

    #[test]
    fn the_locks_of_a_process_go_with_it() {
        let mut locks = Locks::default();
        locks.raise(A, Level::Exclusive).unwrap();
        locks.forget(B.process);
        assert!(locks.is_reserved());
        locks.forget(A.process);
        locks.raise(B, Level::Exclusive).unwrap();
    }

    #[test]
    fn slots_are_locked_together_or_not_at_all() {
        let mut locks = ShmLocks::default();
        locks.lock(A, 4..5, false).unwrap();
        locks.lock(B, 4..5, false).unwrap();
        assert_eq!(locks.lock(C, 3..6, true), Err(Taken));
        locks.lock(C, 3..4, true).unwrap();
        locks.unlock(A, 4..5);
        locks.forget(|holder| holder == B);
        locks.lock(C, 4..6, true).unwrap();
        assert_eq!(locks.lock(A, 5..6, false), Err(Taken));
    }
}
