//! The files of a machine: their names, their contents, their locks. Not here: faults and
//! who may ask (`machine`, `process`).
//!
//! Names are journalled: a name that came or went is on the platter once the file was synced,
//! or the folder. Until then a power cut may bring the old state back.

use crate::content::{Content, Mood};
use crate::counts::Counts;
use crate::locks::{Locks, ShmLocks};
use crate::shm::Shm;
use duroxide_sim_dice::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The number of a file, whatever its name.
pub(crate) type FileId = u64;

/// One file.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) content: Content,
    pub(crate) locks: Locks,
    pub(crate) shm: Option<Shared>,
    /// Handles on it: they keep it while it has no name.
    open: BTreeSet<u64>,
}

/// The shared memory of a database, and who is attached.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) memory: Arc<Shm>,
    pub(crate) locks: ShmLocks,
    pub(crate) attached: Vec<crate::locks::Holder>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Files {
    all: BTreeMap<FileId, File>,
    names: BTreeMap<String, FileId>,
    durable: BTreeMap<String, FileId>,
    next: FileId,
}

impl Files {
    /// The file of this name.
    pub(crate) fn find(&self, name: &str) -> Option<FileId> {
        self.names.get(name).copied()
    }

    /// Whether this name is that of this file.
    pub(crate) fn is_named(&self, name: &str, id: FileId) -> bool {
        self.names.get(name) == Some(&id)
    }

    /// All names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.keys()
    }

    /// A file. It is there as long as it has a name or a handle.
    pub(crate) fn file(&mut self, id: FileId) -> &mut File {
        self.all.entry(id).or_default()
    }

    /// A file by its name.
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut File> {
        let id = self.find(name)?;
        Some(self.file(id))
    }

    /// Make an empty file, with a name or without.
    pub(crate) fn create(&mut self, name: Option<&str>) -> FileId {
        self.next += 1;
        self.all.insert(self.next, File::default());
        if let Some(name) = name {
            self.names.insert(name.to_owned(), self.next);
        }
        self.next
    }

    /// Take a name away. The file stays while it is open. False if there is none.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let Some(id) = self.names.remove(name) else { return false };
        self.sweep(id);
        true
    }

    /// A handle was opened.
    pub(crate) fn opened(&mut self, id: FileId, handle: u64) {
        self.file(id).open.insert(handle);
    }

    /// A handle was closed.
    pub(crate) fn closed(&mut self, id: FileId, handle: u64) {
        if let Some(file) = self.all.get_mut(&id) {
            file.open.remove(&handle);
            self.sweep(id);
        }
    }

    /// Bring a file, its length and its name to the platter.
    pub(crate) fn sync(&mut self, id: FileId, name: Option<&str>) {
        self.file(id).content.sync();
        if let Some(name) = name.filter(|name| self.is_named(name, id)) {
            self.sync_name(name);
        }
    }

    /// Bring the names of a file's folder to the platter.
    pub(crate) fn sync_folder_of(&mut self, name: &str) {
        let folder = folder_of(name);
        let names: BTreeSet<String> =
            self.unsynced_names().filter(|name| folder_of(name) == folder).cloned().collect();
        for name in names {
            self.sync_name(&name);
        }
    }

    /// The bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.all.values().map(|file| file.content.len() as u64).sum()
    }

    /// How many sectors wait for a sync.
    pub(crate) fn unsynced(&self) -> usize {
        self.all.values().map(|file| file.content.unsynced()).sum()
    }

    /// A process is gone, with its locks and what it mapped.
    pub(crate) fn forget(&mut self, process: u64) {
        for file in self.all.values_mut() {
            file.locks.forget(process);
            if let Some(shared) = &mut file.shm {
                shared.locks.forget(|holder| holder.process == process);
                shared.attached.retain(|holder| holder.process != process);
                if shared.attached.is_empty() {
                    file.shm = None;
                }
            }
        }
    }

    /// The power is gone. All processes are gone already.
    pub(crate) fn cut(&mut self, mood: Mood, dice: &mut Dice, counts: &mut Counts) {
        let unsynced: BTreeSet<String> = self.unsynced_names().cloned().collect();
        for name in unsynced {
            counts.names_unsynced += 1;
            let new = match mood {
                Mood::AllOld => false,
                Mood::AllNew => true,
                Mood::Mixed | Mood::Torn => dice.coin(),
            };
            if new {
                self.sync_name(&name);
                continue;
            }
            counts.names_lost += 1;
            match self.durable.get(&name) {
                Some(id) => self.names.insert(name, *id),
                None => self.names.remove(&name),
            };
        }
        let kept: BTreeSet<FileId> = self.names.values().copied().collect();
        self.all.retain(|id, _| kept.contains(id));
        for file in self.all.values_mut() {
            file.open.clear();
            file.content.cut(mood, dice, counts);
        }
    }

    fn unsynced_names(&self) -> impl Iterator<Item = &String> {
        let all = self.names.keys().chain(self.durable.keys());
        all.filter(|name| self.names.get(*name) != self.durable.get(*name))
    }

    fn sync_name(&mut self, name: &str) {
        let before = match self.names.get(name) {
            Some(id) => self.durable.insert(name.to_owned(), *id),
            None => self.durable.remove(name),
        };
        if let Some(before) = before {
            self.sweep(before);
        }
    }

    /// Remove a file that nothing leads to any more.
    fn sweep(&mut self, id: FileId) {
        let named = self.names.values().chain(self.durable.values()).any(|named| *named == id);
        if !named && self.all.get(&id).is_some_and(|file| file.open.is_empty()) {
            self.all.remove(&id);
        }
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(files: &mut Files, seed: u64) {
        let (mut dice, mut counts) = (Dice::new(seed, "test"), Counts::default());
        files.cut(Mood::Mixed, &mut dice, &mut counts);
    }

    #[test]
    fn a_new_name_is_there_after_a_cut_only_if_it_was_synced() {
        let outcomes = |synced: bool| -> BTreeSet<bool> {
            let there = |seed| {
                let mut files = Files::default();
                let id = files.create(Some("/a/x"));
                files.file(id).content.write(0, b"x");
                if synced {
                    files.sync(id, Some("/a/x"));
                }
                cut(&mut files, seed);
                files.find("/a/x").is_some()
            };
            (0..50).map(there).collect()
        };
        assert_eq!(outcomes(true), BTreeSet::from([true]));
        assert_eq!(outcomes(false), BTreeSet::from([true, false]));
    }

    #[test]
    fn a_deleted_file_comes_back_unless_its_folder_was_synced() {
        let outcomes = |synced: bool| -> BTreeSet<Option<Vec<u8>>> {
            let left = |seed| {
                let mut files = Files::default();
                let id = files.create(Some("/a/x"));
                files.file(id).content.write(0, b"x");
                files.sync(id, Some("/a/x"));
                assert!(files.remove("/a/x"));
                if synced {
                    files.sync_folder_of("/a/y");
                }
                cut(&mut files, seed);
                files.named("/a/x").map(|file| file.content.bytes().to_vec())
            };
            (0..50).map(left).collect()
        };
        assert_eq!(outcomes(true), BTreeSet::from([None]));
        assert_eq!(outcomes(false), BTreeSet::from([None, Some(b"x".to_vec())]));
    }

    #[test]
    fn a_file_without_a_name_lives_as_long_as_its_handles() {
        let mut files = Files::default();
        let id = files.create(Some("/x"));
        files.opened(id, 1);
        files.remove("/x");
        files.file(id).content.write(0, b"x");
        assert_eq!(files.used(), 1);
        files.closed(id, 1);
        assert_eq!(files.used(), 0);
    }
}
