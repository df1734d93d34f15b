//! A disk that loses power: files in memory under the real SQLite, with faults from a seed.
//!
//! [`Disk`] is what a machine keeps; a [`Process`] on it has a VFS of its own, by whose name
//! SQLite opens databases: the database, its log or journal, shared memory, temporary files. No
//! real file is touched. What was not synced is lost as disks lose it (`content`, `files`);
//! faults are told by a [`Strike`], by a [hook](Disk::on_operation), or set for a while.
//!
//! Three layers. `content`, `files`, `locks` and `machine` are the model, in safe code;
//! `process` and `handle` are the calls, each of which may be struck; `vfs` and `methods` are
//! how SQLite makes them, and all that is unsafe. By `lock_file` a process is the
//! [`Storage`](duroxide_sqlite::Storage) of a production store.
//!
//! Not here: which faults to draw, and what a store owes its users. Not simulated: a sector
//! size other than 512 bytes, memory-mapped files, a folder structure, file permissions.

mod content;
mod counts;
mod disk;
mod files;
mod handle;
mod lock_file;
mod locks;
mod machine;
mod methods;
mod operation;
mod process;
mod shm;
mod vfs;

pub use counts::Counts;
pub use disk::{Disk, Hook};
pub use operation::{Kind, Operation, Role, Strike, Verdict};
pub use process::Process;
