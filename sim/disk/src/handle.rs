//! An open file: what may be done with it. Not here: how SQLite does it (`methods`).

use crate::files::{FileId, Shared};
use crate::locks::{Holder, Level, ShmLocks};
use crate::machine::Machine;
use crate::operation::{Code, Kind, Operation, Role};
use crate::process::Life;
use crate::shm::Shm;
use libsqlite3_sys as ffi;
use std::ops::Range;
use std::sync::Arc;

/// See the module.
pub(crate) struct Handle {
    pub(crate) process: Arc<Life>,
    pub(crate) file: FileId,
    pub(crate) holder: Holder,
    pub(crate) name: Option<String>,
    pub(crate) role: Role,
    pub(crate) delete_on_close: bool,
    /// The first sync syncs the folder too.
    pub(crate) sync_folder: bool,
    /// What SQLite has noted here, and asks for.
    pub(crate) keep_wal: bool,
    /// Keeps the shared memory that was handed out.
    pub(crate) memory: Option<Arc<Shm>>,
}

impl Handle {
    /// Fill a buffer. False if the file ends within it: the rest is zeros.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<bool, Code> {
        let operation = self.operation(Kind::Read, offset, buffer.len());
        let read = |machine: &mut Machine| {
            let content = &machine.files.file(self.file).content;
            Ok(content.read(offset as usize, buffer) == buffer.len())
        };
        self.process.call(&operation, read, |_| ())
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Code> {
        let operation = self.operation(Kind::Write, offset, bytes.len());
        let write = |machine: &mut Machine| machine.write(self.file, offset, bytes);
        self.process.call(&operation, write, |machine| machine.tear(self.file, offset, bytes))
    }

    pub(crate) fn truncate(&self, len: u64) -> Result<(), Code> {
        let operation = self.operation(Kind::Truncate, len, 0);
        let truncate = |machine: &mut Machine| {
            machine.files.file(self.file).content.truncate(len as usize);
            Ok(())
        };
        self.process.call(&operation, truncate, |_| ())
    }

    pub(crate) fn sync(&mut self) -> Result<(), Code> {
        let operation = self.operation(Kind::Sync, 0, 0);
        let sync = |machine: &mut Machine| {
            machine.sync(self.file, self.name.as_deref(), self.sync_folder);
            Ok(())
        };
        let fail = |machine: &mut Machine| machine.files.file(self.file).content.fail_sync();
        self.process.call(&operation, sync, fail)?;
        self.sync_folder = false;
        Ok(())
    }

    pub(crate) fn size(&self) -> Result<u64, Code> {
        let operation = self.operation(Kind::Size, 0, 0);
        let size = |machine: &mut Machine| Ok(machine.files.file(self.file).content.len() as u64);
        self.process.call(&operation, size, |_| ())
    }

    pub(crate) fn lock(&self, level: Level) -> Result<(), Code> {
        let operation = self.operation(Kind::Lock, level as u64, 0);
        let lock = |machine: &mut Machine| {
            let locks = &mut machine.files.file(self.file).locks;
            locks.raise(self.holder, level).map_err(|_| ffi::SQLITE_BUSY)
        };
        self.process.call(&operation, lock, |_| ())
    }

    pub(crate) fn unlock(&self, level: Level) -> Result<(), Code> {
        let operation = self.operation(Kind::Unlock, level as u64, 0);
        let unlock = |machine: &mut Machine| {
            machine.files.file(self.file).locks.lower(self.holder, level);
            Ok(())
        };
        self.process.call(&operation, unlock, |_| ())
    }

    /// Whether anyone is about to write.
    pub(crate) fn is_reserved(&self) -> Result<bool, Code> {
        let operation = self.operation(Kind::Lock, 0, 0);
        let look = |machine: &mut Machine| Ok(machine.files.file(self.file).locks.is_reserved());
        self.process.call(&operation, look, |_| ())
    }

    /// What this handle holds.
    pub(crate) fn level(&self) -> Level {
        if !self.process.is_alive() {
            return Level::None;
        }
        self.process.shared.machine().files.file(self.file).locks.level_of(self.holder)
    }

    /// Whether the file is not what its name leads to any more.
    pub(crate) fn has_moved(&self) -> bool {
        let machine = self.process.shared.machine();
        self.name.as_ref().is_some_and(|name| !machine.files.is_named(name, self.file))
    }

    /// A region of the shared memory; none if it is not there and not to be made.
    pub(crate) fn map_shm(
        &mut self,
        number: usize,
        bytes: usize,
        extend: bool,
    ) -> Result<Option<*mut u64>, Code> {
        let operation = self.shm_operation(Kind::MapShm, number..number + 1);
        let map = |machine: &mut Machine| {
            let shared = machine.files.file(self.file).shm.get_or_insert_with(|| Shared {
                memory: Shm::new(),
                locks: ShmLocks::default(),
                attached: Vec::new(),
            });
            if !shared.attached.contains(&self.holder) {
                shared.attached.push(self.holder);
            }
            Ok(Arc::clone(&shared.memory))
        };
        let memory = self.process.call(&operation, map, |_| ())?;
        let region = memory.region(number, bytes, extend);
        self.memory = Some(memory);
        Ok(region)
    }

    pub(crate) fn lock_shm(&self, slots: Range<usize>, exclusive: bool) -> Result<(), Code> {
        let operation = self.shm_operation(Kind::LockShm, slots.clone());
        let lock = |machine: &mut Machine| match &mut machine.files.file(self.file).shm {
            None => Err(ffi::SQLITE_IOERR_SHMLOCK),
            Some(shared) => {
                let locked = shared.locks.lock(self.holder, slots, exclusive);
                locked.map_err(|_| ffi::SQLITE_BUSY)
            }
        };
        self.process.call(&operation, lock, |_| ())
    }

    pub(crate) fn unlock_shm(&self, slots: Range<usize>) -> Result<(), Code> {
        let operation = self.shm_operation(Kind::UnlockShm, slots.clone());
        let unlock = |machine: &mut Machine| {
            if let Some(shared) = &mut machine.files.file(self.file).shm {
                shared.locks.unlock(self.holder, slots);
            }
            Ok(())
        };
        self.process.call(&operation, unlock, |_| ())
    }

    /// Let go of the shared memory.
    pub(crate) fn unmap_shm(&mut self) {
        self.memory = None;
        if !self.process.is_alive() {
            return;
        }
        let mut machine = self.process.shared.machine();
        let file = machine.files.file(self.file);
        if let Some(shared) = &mut file.shm {
            shared.locks.forget(|holder| holder == self.holder);
            shared.attached.retain(|holder| *holder != self.holder);
            if shared.attached.is_empty() {
                file.shm = None;
            }
        }
    }

    /// Close the file. A dead process has none open.
    pub(crate) fn close(mut self) {
        self.unmap_shm();
        let mut machine = self.process.shared.machine();
        if self.process.is_alive() {
            machine.files.file(self.file).locks.lower(self.holder, Level::None);
            if let (true, Some(name)) = (self.delete_on_close, &self.name) {
                machine.files.remove(name);
            }
        }
        machine.files.closed(self.file, self.holder.handle);
    }

    fn operation(&self, kind: Kind, offset: u64, len: usize) -> Operation<'_> {
        let file = self.name.as_deref().unwrap_or_default();
        Operation { offset, len: len as u64, ..self.process.operation(file, self.role, kind) }
    }

    fn shm_operation(&self, kind: Kind, slots: Range<usize>) -> Operation<'_> {
        Operation { role: Role::Shm, ..self.operation(kind, slots.start as u64, slots.len()) }
    }
}
