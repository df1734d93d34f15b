//! Which handles on a shared file are alive. A live one holds the OS lock on a file of its
//! own, which the system lets go of when the process dies, however it dies. Process ids
//! prove nothing, and a process that is only stopped is alive: it loses its leases in time.

use crate::error::{Result, StoreError};
use crate::options::beside;
use crate::store::nodes::{self, NodeRow};
use duroxide_provider::env::Env;
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often the others are looked at.
const EVERY: Duration = Duration::from_millis(300);

/// This handle's proof of life, and how it looks for that of others.
#[derive(Debug)]
pub(crate) struct Liveness {
    folder: PathBuf,
    name: String,
    /// Locked as long as it is open.
    file: Mutex<Option<File>>,
    next_look: Mutex<Duration>,
}

impl Liveness {
    /// Create and lock this handle's file.
    pub(crate) fn begin(env: &Env, database: &Path) -> Result<Self> {
        let folder = beside(database, "nodes");
        let mut random = [0; 16];
        env.entropy.fill(&mut random);
        let name = format!("{:032x}.lock", u128::from_le_bytes(random));
        let path = folder.join(&name);
        let locked = fs::create_dir_all(&folder)
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&path))
            .and_then(|file| file.lock().map(|()| file));
        let file =
            locked.map_err(|error| StoreError::of_io(&path.display().to_string(), &error))?;
        Ok(Self {
            folder,
            name,
            file: Mutex::new(Some(file)),
            next_look: Mutex::new(Duration::ZERO),
        })
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
        match File::open(&path) {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            Ok(file) => match file.try_lock() {
                Ok(()) => {
                    // Should this fail, the next look finds it again.
                    let _ = fs::remove_file(&path);
                    tracing::info!(lock = %path.display(), "a process on this store has died");
                    true
                }
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
            },
        }
    }

    /// Stop proving life.
    pub(crate) fn end(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(file) = file {
            // What is left of it when this fails is removed by whoever finds it unlocked.
            let _ = fs::remove_file(self.folder.join(&self.name));
            drop(file);
        }
    }
}
