//! The folder of a cluster: who owns it, how a dead owner is known, what is left of it. A
//! lock on a file in it is held by the owner's process and by the server's supervisor: when
//! both are gone, the system lets go of it, and the next start removes the folder.

use crate::ClusterError;
use crate::installed::{self, Binaries, Unprivileged};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the names of all of them begin with.
const PREFIX: &str = "duroxide-postgres-";
/// In the folder: the lock, and the server's data.
const LOCK: &str = "lock";
const DATA: &str = "data";

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A cluster's folder, locked; deleted on drop.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// A new one, for our user alone.
    pub(crate) fn new() -> Result<Self, ClusterError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        // Locked under another name first: nobody takes it for one without an owner.
        let unlocked = std::env::temp_dir().join(format!("new-{name}"));
        let io = |error| ClusterError::io(path.display().to_string(), error);
        // Of a process of the same number that died in between.
        let _ = fs::remove_dir_all(&unlocked);
        fs::create_dir(&unlocked).map_err(io)?;
        fs::set_permissions(&unlocked, fs::Permissions::from_mode(0o700)).map_err(io)?;
        let lock = File::create(unlocked.join(LOCK)).map_err(io)?;
        lock.lock().map_err(io)?;
        fs::rename(&unlocked, &path).map_err(io)?;
        Ok(Self { path, lock })
    }

    /// Make it the property of whom the server runs as; says who that is.
    pub(crate) fn give_away(&self) -> Result<Unprivileged, ClusterError> {
        let io = |error| ClusterError::io(self.path.display().to_string(), error);
        let user = Unprivileged::beside(fs::metadata(&self.path).map_err(io)?.uid())?;
        user.give(&self.path)?;
        Ok(user)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where `initdb` puts the data.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Where the server writes its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The lock, for somebody to hold it as long as we do.
    pub(crate) fn shared_lock(&self) -> Result<File, ClusterError> {
        self.lock.try_clone().map_err(|error| ClusterError::io("the lock of the cluster", error))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The supervisor deletes it as well.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Remove the folders whose owners are dead, and stop servers that have outlived their
/// supervisors. What belongs to other users is left to them.
pub(crate) fn remove_stale(binaries: &Binaries) {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours {
            continue;
        }
        let folder = entry.path();
        let Ok(lock) = File::open(folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            stop_orphan(binaries, &folder.join(DATA));
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// A server without a supervisor; usually there is none.
fn stop_orphan(binaries: &Binaries, data: &Path) {
    let owner = fs::metadata(data).map(|data| (data.uid(), data.gid()));
    let (Ok(owner), true) = (owner, data.join("postmaster.pid").exists()) else { return };
    let mut stop = Unprivileged(Some(owner)).command(binaries.pg_ctl());
    stop.args(["stop", "--mode=immediate", "--pgdata"]).arg(data);
    let _ = installed::output(stop);
}
