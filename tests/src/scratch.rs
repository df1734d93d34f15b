//! A folder of a test's own, gone when the test is over.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A fresh folder; deleted on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Make one.
    ///
    /// # Panics
    /// If the system's folder for temporary files cannot be written.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unique = format!("duroxide-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        if let Err(error) = fs::create_dir_all(&path) {
            panic!("{}: {error}", path.display());
        }
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database file of the test.
    #[must_use]
    pub fn database(&self) -> String {
        self.path.join("store.db").display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A process that a test stopped may still hold files; what is left is temporary.
        let _ = fs::remove_dir_all(&self.path);
    }
}
