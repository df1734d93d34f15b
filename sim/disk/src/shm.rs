//! The memory that connections to one database share: the index of its log. It is gone when
//! nobody alive is attached; who died keeps what it had mapped, and nobody else sees it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

type Region = Box<[AtomicU64]>;

/// Shared memory. SQLite reads and writes it through pointers, with its own protocol.
#[derive(Debug, Default)]
pub(crate) struct Shm {
    regions: Mutex<Vec<Region>>,
}

impl Shm {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Where a region begins. It stays there as long as the memory does. Without `extend`
    /// there may be none.
    pub(crate) fn region(&self, number: usize, bytes: usize, extend: bool) -> Option<*mut u64> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        while extend && regions.len() <= number {
            regions.push((0..bytes.div_ceil(8)).map(|_| AtomicU64::new(0)).collect());
        }
        regions.get(number).map(|region| region[0].as_ptr())
    }
}
