//! A process on a machine: what its SQLite may call, as long as it lives. Not here: how SQLite
//! calls it (`vfs`).

use crate::disk::{Disk, Shared, dead};
use crate::handle::Handle;
use crate::locks::Holder;
use crate::machine::Machine;
use crate::operation::{Code, Kind, Operation, Role, Verdict};
use crate::vfs::{self, Slot};
use libsqlite3_sys as ffi;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A process on a [`Disk`]'s machine.
///
/// It lives until it is killed, or the last of its clones and of the files that it has open
/// is gone. Of two processes on one machine each may die alone; then the memory that they
/// share stays as SQLite leaves it in the dead one, which is more polite than death.
#[derive(Clone)]
pub struct Process(pub(crate) Arc<Life>);

/// The life of a process.
pub(crate) struct Life {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: u64,
    alive: Arc<AtomicBool>,
    slot: &'static Slot,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Process").field(&self.0.id).finish()
    }
}

impl Process {
    pub(crate) fn begin(shared: Arc<Shared>) -> Self {
        let (id, alive) = shared.machine().begin();
        let slot = vfs::take_slot();
        let life = Arc::new(Life { shared, id, alive, slot });
        slot.lend(&life);
        Self(life)
    }

    /// The name of its VFS, for `rusqlite::Connection::open_with_flags_and_vfs`. It means
    /// this process as long as the process, or a connection of it, is there.
    pub fn vfs(&self) -> &'static str {
        self.0.slot.name()
    }

    /// It dies, and nobody else; see [`Disk::kill`].
    pub fn kill(&self) {
        self.0.shared.machine().kill(self.0.id);
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// The disk of its machine.
    pub fn disk(&self) -> Disk {
        Disk(Arc::clone(&self.0.shared))
    }
}

/// What SQLite asks for when it opens a file.
pub(crate) struct Opening<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) role: Role,
    pub(crate) create: bool,
    /// There must be none of that name.
    pub(crate) new: bool,
    pub(crate) delete_on_close: bool,
}

impl Life {
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// Make a call: have it told, and let what waits for it befall it. `botch` is what it does
    /// nevertheless when it fails.
    pub(crate) fn call<T>(
        &self,
        operation: &Operation<'_>,
        act: impl FnOnce(&mut Machine) -> Result<T, Code>,
        botch: impl FnOnce(&mut Machine),
    ) -> Result<T, Code> {
        let dead = || Err(dead(operation.kind));
        if !self.is_alive() {
            return dead();
        }
        let told = self.shared.ask(operation);
        let mut machine = self.shared.machine();
        if !self.is_alive() {
            return dead();
        }
        let waiting = machine.meet(operation);
        let verdict = if told == Verdict::Go { waiting } else { told };
        match verdict {
            Verdict::Go => act(&mut machine),
            Verdict::Slow(time) => {
                machine.counts.slow += 1;
                self.shared.wait(time);
                act(&mut machine)
            }
            Verdict::Fail => {
                machine.counts.io_errors += 1;
                machine.counts.failed_syncs += u64::from(operation.kind == Kind::Sync);
                botch(&mut machine);
                Err(operation.kind.io_error())
            }
            Verdict::Full => {
                machine.counts.disk_full += 1;
                botch(&mut machine);
                Err(ffi::SQLITE_FULL)
            }
            Verdict::Kill | Verdict::CutPower => {
                if machine.acts_first() {
                    // Whatever it would have said, nobody hears it.
                    let _ = act(&mut machine);
                }
                if verdict == Verdict::Kill {
                    machine.kill(self.id);
                } else {
                    machine.cut_power();
                }
                dead()
            }
        }
    }

    /// Open a file.
    pub(crate) fn open(self: &Arc<Self>, opening: &Opening<'_>) -> Result<Handle, Code> {
        let operation = self.operation(opening.name.unwrap_or_default(), opening.role, Kind::Open);
        let open = |machine: &mut Machine| {
            let found = opening.name.and_then(|name| machine.files.find(name));
            let id = match found {
                Some(_) if opening.new => return Err(ffi::SQLITE_CANTOPEN),
                Some(id) => id,
                None if opening.create => machine.files.create(opening.name),
                None => return Err(ffi::SQLITE_CANTOPEN),
            };
            let holder = Holder { process: self.id, handle: machine.handle() };
            machine.files.opened(id, holder.handle);
            // So does the real VFS, whether the file is new or not.
            let sync_folder = opening.create && matches!(opening.role, Role::Wal | Role::Journal);
            Ok(Handle {
                process: Arc::clone(self),
                file: id,
                holder,
                name: opening.name.map(str::to_owned),
                role: opening.role,
                delete_on_close: opening.delete_on_close,
                sync_folder,
                keep_wal: false,
                memory: None,
            })
        };
        self.call(&operation, open, |_| ())
    }

    /// Delete a file, and have that on the platter if asked for.
    pub(crate) fn delete(&self, name: &str, durably: bool) -> Result<(), Code> {
        let operation = self.operation(name, role_of(name), Kind::Delete);
        let delete = |machine: &mut Machine| {
            if machine.delete(name, durably) { Ok(()) } else { Err(ffi::SQLITE_IOERR_DELETE_NOENT) }
        };
        self.call(&operation, delete, |_| ())
    }

    /// Whether there is a file of this name; if asked for, only one that is not empty.
    pub(crate) fn exists(&self, name: &str, not_empty: bool) -> Result<bool, Code> {
        let operation = self.operation(name, role_of(name), Kind::Exists);
        let look = |machine: &mut Machine| {
            let file = machine.files.named(name);
            Ok(file.is_some_and(|file| !not_empty || file.content.len() > 0))
        };
        self.call(&operation, look, |_| ())
    }

    pub(crate) fn operation<'a>(&self, file: &'a str, role: Role, kind: Kind) -> Operation<'a> {
        Operation { process: self.id, file, role, kind, offset: 0, len: 0 }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.machine().end(self.id);
        vfs::give_back(self.slot);
    }
}

/// What a file is for, by its name.
pub(crate) fn role_of(name: &str) -> Role {
    if name.ends_with("-wal") {
        Role::Wal
    } else if name.ends_with("-journal") || name.ends_with("-wal-copy") {
        Role::Journal
    } else if Path::new(name).extension().is_some_and(|extension| extension == "lock") {
        Role::Lock
    } else {
        Role::Database
    }
}
