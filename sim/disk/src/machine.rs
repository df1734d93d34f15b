//! A machine: its files, the processes on it, and what is about to befall them. Not here: the
//! calls themselves (`process`, `handle`), how SQLite makes them (`vfs`, `methods`).

use crate::content::Mood;
use crate::counts::Counts;
use crate::files::{FileId, Files};
use crate::operation::{Code, Operation, Strike, Verdict};
use duroxide_sim_dice::Dice;
use libsqlite3_sys as ffi;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) files: Files,
    pub(crate) counts: Counts,
    pub(crate) strikes: Vec<Strike>,
    /// Bytes that all files may have together.
    pub(crate) capacity: Option<u64>,
    /// Whether a sync only says that it has synced.
    pub(crate) lying: bool,
    pub(crate) entropy: Dice,
    pub(crate) rot: Dice,
    power: Dice,
    chance: Dice,
    /// A running hash of all calls.
    pub(crate) trace: u64,
    pub(crate) operations: u64,
    processes: BTreeMap<u64, Arc<AtomicBool>>,
    begun: u64,
    handles: u64,
}

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            files: Files::default(),
            counts: Counts::default(),
            strikes: Vec::new(),
            capacity: None,
            lying: false,
            entropy: Dice::new(seed, "entropy"),
            rot: Dice::new(seed, "rot"),
            power: Dice::new(seed, "power"),
            chance: Dice::new(seed, "chance"),
            trace: 0xcbf2_9ce4_8422_2325,
            operations: 0,
            processes: BTreeMap::new(),
            begun: 0,
            handles: 0,
        }
    }

    /// A process begins: its number, and whether it lives.
    pub(crate) fn begin(&mut self) -> (u64, Arc<AtomicBool>) {
        self.begun += 1;
        let alive = Arc::new(AtomicBool::new(true));
        self.processes.insert(self.begun, Arc::clone(&alive));
        (self.begun, alive)
    }

    /// A process has ended by itself, with all its files closed.
    pub(crate) fn end(&mut self, process: u64) {
        if self.processes.remove(&process).is_some() {
            self.files.forget(process);
        }
    }

    /// The number of a new handle.
    pub(crate) fn handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    /// A process dies: its handles are dead, its locks are free.
    pub(crate) fn kill(&mut self, process: u64) {
        if let Some(alive) = self.processes.remove(&process) {
            alive.store(false, Ordering::SeqCst);
            self.counts.kills += 1;
            self.files.forget(process);
        }
    }

    /// All processes die.
    pub(crate) fn kill_all(&mut self) {
        for process in self.processes.keys().copied().collect::<Vec<_>>() {
            self.kill(process);
        }
    }

    /// All processes die, and what was not synced is drawn for.
    pub(crate) fn cut_power(&mut self) {
        let kills = self.counts.kills;
        self.kill_all();
        self.counts.kills = kills;
        self.counts.power_cuts += 1;
        let mood = Mood::draw(&mut self.power);
        self.files.cut(mood, &mut self.power, &mut self.counts);
    }

    /// Count a call, and find what waits for it.
    pub(crate) fn meet(&mut self, operation: &Operation<'_>) -> Verdict {
        self.operations += 1;
        self.trace(operation.process);
        self.trace((operation.role as u64) << 8 | operation.kind as u64);
        self.trace(operation.offset);
        self.trace(operation.len);
        let mut verdict = Verdict::Go;
        self.strikes.retain_mut(|strike| {
            if !strike.counts(operation) {
                return true;
            }
            strike.nth = strike.nth.saturating_sub(1);
            if strike.nth > 0 {
                return true;
            }
            verdict = strike.verdict;
            false
        });
        verdict
    }

    fn trace(&mut self, word: u64) {
        self.trace = (self.trace ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }

    /// Whether a call acts before what strikes it.
    pub(crate) fn acts_first(&mut self) -> bool {
        self.chance.coin()
    }

    /// Write, as far as there is room.
    pub(crate) fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), Code> {
        let offset = offset as usize;
        let mut writable = bytes.len();
        if let Some(capacity) = self.capacity {
            let len = self.files.file(file).content.len();
            let grown = (offset + bytes.len()).saturating_sub(len) as u64;
            let room = capacity.saturating_sub(self.files.used());
            if grown > room {
                writable = bytes.len().saturating_sub((grown - room) as usize);
            }
        }
        // Nothing of it: not even the gap before it.
        if writable > 0 {
            self.files.file(file).content.write(offset, &bytes[..writable]);
        }
        if writable < bytes.len() {
            self.counts.disk_full += 1;
            return Err(ffi::SQLITE_FULL);
        }
        Ok(())
    }

    /// A write that fails may have written its first part.
    pub(crate) fn tear(&mut self, file: FileId, offset: u64, bytes: &[u8]) {
        let part = self.chance.below(bytes.len() as u64 + 1) as usize;
        // What has no room has none in part either: the first error is the one to tell.
        let _ = self.write(file, offset, &bytes[..part]);
    }

    /// Bring a file to the platter, or say so.
    pub(crate) fn sync(&mut self, file: FileId, name: Option<&str>, folder: bool) {
        if self.lying {
            self.counts.lied_syncs += 1;
            return;
        }
        self.files.sync(file, name);
        if let (true, Some(name)) = (folder, name) {
            self.files.sync_folder_of(name);
        }
    }

    /// Delete a file, and bring that to the platter if asked for. False if there is none.
    pub(crate) fn delete(&mut self, name: &str, durably: bool) -> bool {
        let removed = self.files.remove(name);
        if durably {
            if self.lying {
                self.counts.lied_syncs += 1;
            } else {
                self.files.sync_folder_of(name);
            }
        }
        removed
    }
}
