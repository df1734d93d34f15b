//! The factory: fresh working stores, or faulty ones.

use crate::fault::Fault;
use crate::store::Faulty;
use crate::world::{StandingClock, working_store};
use async_trait::async_trait;
use duroxide_conformance::{Damage, Factory};
use duroxide_provider::Store;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Stores with this fault, or with none.
#[derive(Default)]
pub(crate) struct Stores {
    fault: Option<Fault>,
    clock: StandingClock,
    opened: Mutex<Option<Arc<dyn Store>>>,
}

impl Stores {
    pub(crate) fn with(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }
}

#[async_trait]
impl Factory for Stores {
    async fn open(&self) -> Arc<dyn Store> {
        let working: Arc<dyn Store> = Arc::new(working_store(&self.clock).await);
        let store: Arc<dyn Store> = match self.fault {
            Some(fault) => Arc::new(Faulty::new(working, fault)),
            None => working,
        };
        *self.opened.lock().unwrap() = Some(Arc::clone(&store));
        store
    }
    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
    fn patience(&self) -> Duration {
        match self.fault {
            // It is known to miss what it waits for.
            Some(Fault::MissesWakeUps | Fault::WatchesTooLong) => Duration::from_millis(300),
            Some(_) | None => Duration::from_secs(20),
        }
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        if self.fault == Some(Fault::ForgetsEverythingOnReopen) {
            Some(self.open().await)
        } else {
            None
        }
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        match self.fault {
            Some(Fault::SharesNothing) => Some(self.open().await),
            Some(_) => None,
            None => self.opened.lock().unwrap().clone(),
        }
    }
    async fn damage(&self, _: Damage) -> bool {
        self.fault == Some(Fault::HidesDamage)
    }
}
