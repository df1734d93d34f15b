//! A lock that outlives a panic. Not here: what is behind it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lock. A panic elsewhere is reported by the world; it must not hide behind a second one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
