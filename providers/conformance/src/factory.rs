//! What the author of a provider gives to the suite.

use async_trait::async_trait;
use duroxide_provider::{InstanceKey, Store};
use std::sync::Arc;
use std::time::Duration;

/// Makes stores to be checked, and stands for the world around them. A factory serves one
/// check at a time; what concerns a store means the one that [`open`](Self::open) gave last.
///
/// The optional abilities say so by their answer; checks that need a missing one are
/// reported as skipped, not as passed.
#[async_trait]
pub trait Factory: Send + Sync + 'static {
    /// A fresh, empty store.
    async fn open(&self) -> Arc<dyn Store>;

    /// Let at least so much of the store's time pass. By default real time passes; a store
    /// with a clock that can be set answers at once.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time of a real store passes by itself; a factory with an Env overrides this"
    )]
    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    /// How long a call that must come back may take; a wait that takes longer has missed
    /// what it waited for.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    /// Open the store again after it was closed. `None`: it does not outlive its handle.
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        None
    }

    /// Another handle on the open store, as another process would have. `None`: it cannot
    /// be shared.
    async fn another(&self) -> Option<Arc<dyn Store>> {
        None
    }

    /// Set the wall clock under the store back. `false`: it cannot be set.
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        let _ = by;
        false
    }

    /// Let the next call that changes something go wrong in this way. `false`: it cannot be
    /// arranged.
    async fn trouble(&self, next: Trouble) -> bool {
        let _ = next;
        false
    }

    /// Make something stored undecodable, as bit rot would. `false`: it cannot be reached.
    async fn damage(&self, what: Damage) -> bool {
        let _ = what;
        false
    }
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The store is busy: nothing is applied.
    Busy,
    /// The store is full: nothing is applied.
    Full,
    /// It is applied, and its answer does not arrive.
    LostAnswer,
}

/// What is to be made undecodable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Every recorded event of an instance.
    History(InstanceKey),
    /// Every message in the inbox of an instance.
    Mail(InstanceKey),
    /// Every queued activity of an instance.
    Activities(InstanceKey),
}
