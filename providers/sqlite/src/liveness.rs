//! Which handles on a shared file are alive. A live one holds the OS lock on a file of its
//! own, which the system lets go of when the process dies, however it dies. Process ids
//! prove nothing, and a process that is only stopped is alive: it loses its leases in time.

use crate::error::{Result, StoreError};
use crate::options::beside;
use crate::storage::{LockFile, OpenLock, Storage};
use crate::store::nodes::{self, NodeRow};
use duroxide_provider::env::Env;
use rusqlite::Connection;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the others are looked at.
const EVERY: Duration = Duration::from_millis(300);

/// This handle's proof of life, and how it looks for that of others.
#[derive(Debug)]
pub(crate) struct Liveness {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    name: String,
    /// Locked as long as it is open.
    file: Mutex<Option<Box<dyn LockFile>>>,
    next_look: Mutex<Duration>,
}

impl Liveness {
    /// Create and lock this handle's file.
    pub(crate) fn begin(env: &Env, storage: &Arc<dyn Storage>, database: &Path) -> Result<Self> {
        let storage = Arc::clone(storage);
        let folder = beside(database, "nodes");
        let about = |path: &Path, error| StoreError::of_io(&path.display().to_string(), &error);
        storage.create_folder(&folder).map_err(|error| about(&folder, error))?;
        sweep(&*storage, &folder);
        loop {
            let mut random = [0; 16];
            env.entropy.fill(&mut random);
            let name = format!("{:032x}.lock", u128::from_le_bytes(random));
            let path = folder.join(&name);
            let made = storage.open_lock(&path, OpenLock::New);
            let locked = made.and_then(|file| file.lock().map(|()| file));
            let file = locked.map_err(|error| about(&path, error))?;
            // Another that opened the store may have swept it away before it was locked.
            if storage.exists(&path) {
                let (file, next_look) = (Mutex::new(Some(file)), Mutex::new(Duration::ZERO));
                return Ok(Self { storage, folder, name, file, next_look });
            }
        }
    }

    /// The name others find the file by.
    pub(crate) fn name(&self) -> &String {
        &self.name
    }

    /// The handles that have died, if it is time to look. Their files are removed.
    pub(crate) fn look(&self, env: &Env, sql: &Connection, owner: u64) -> Result<Vec<u64>> {
        let now = env.clock.monotonic();
        {
            let mut next_look = self.next_look.lock().unwrap_or_else(PoisonError::into_inner);
            if now < *next_look {
                return Ok(Vec::new());
            }
            *next_look = now + EVERY;
        }
        let others = nodes::others(sql, owner)?;
        Ok(others.iter().filter(|node| self.is_dead(node)).map(|node| node.owner).collect())
    }

    fn is_dead(&self, node: &NodeRow) -> bool {
        let path = self.folder.join(&node.lock);
        match self.storage.open_lock(&path, OpenLock::Existing) {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            Ok(file) => match file.try_lock() {
                Ok(true) => {
                    // Should this fail, the next look finds it again.
                    let _ = self.storage.remove(&path);
                    tracing::info!(lock = %path.display(), "a process on this store has died");
                    true
                }
                Ok(false) | Err(_) => false,
            },
        }
    }

    /// Stop proving life.
    pub(crate) fn end(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(file) = file {
            // What is left of it when this fails is removed by whoever finds it unlocked.
            let _ = self.storage.remove(&self.folder.join(&self.name));
            drop(file);
        }
    }
}

/// Remove the files of handles that died, some of which no handle on the store knows of: they
/// died before they had joined. A file that cannot be removed harms nobody.
fn sweep(storage: &dyn Storage, folder: &Path) {
    for path in storage.list(folder).unwrap_or_default() {
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let Ok(file) = storage.open_lock(&path, OpenLock::Existing) else { continue };
        // Locked until it is removed: whoever waits for the lock then finds that it is gone.
        if file.try_lock().is_ok_and(|locked| locked) {
            let _ = storage.remove(&path);
        }
    }
}
