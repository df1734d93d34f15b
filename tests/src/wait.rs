//! Waiting for a state, with a bound.

use std::time::Duration;

/// How long a test waits before it fails. Far below the 30 s of a default lease, so that
/// whatever waits for one to run out fails.
pub const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(5);

/// Look until something is there.
///
/// # Panics
/// If it is not there within [`PATIENCE`]; says what was missing.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            match look().await {
                Some(found) => return found,
                None => tokio::time::sleep(GLANCE).await,
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for: {what}"))
}
