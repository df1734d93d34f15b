//! The stores to be judged: the reference model behind one fault, or behind none, with every
//! ability a factory can have, on a clock that only the checks move.

use crate::fault::Fault;
use crate::faulty::{Faulty, Shared};
use crate::reopened;
use async_trait::async_trait;
use duroxide_conformance::{Damage, Factory, MovedClock, Trouble};
use duroxide_model::{ModelProvider, Stored};
use duroxide_provider::Store;
use duroxide_provider::env::{
    BoxFuture, Clock, Entropy, Env, Listener, Network, Spawner, Stream, Task,
};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time that stands still. Beneath a [`MovedClock`] it stands still until it is moved.
struct Still;

impl Clock for Still {
    fn wall_ms(&self) -> u64 {
        1_700_000_000_000
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// The model asks for nothing but the time.
struct Unused;

impl Entropy for Unused {
    fn fill(&self, _: &mut [u8]) {
        unreachable!("the model draws nothing");
    }
}

impl Network for Unused {
    fn connect(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        unreachable!("the model connects to nothing");
    }
    fn listen(&self, _: &str) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        unreachable!("the model listens to nothing");
    }
}

impl Spawner for Unused {
    fn spawn(&self, _: &'static str, _: BoxFuture<'static, ()>) -> Task {
        unreachable!("the model has no tasks");
    }
    fn blocking(&self, _: Box<dyn FnOnce() + Send>) {
        unreachable!("the model blocks nobody");
    }
}

/// An Env that has nothing but this clock.
pub(crate) fn env(clock: &MovedClock) -> Env {
    Env {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(Unused),
        network: Arc::new(Unused),
        spawner: Arc::new(Unused),
    }
}

/// Stores with this fault, or with none.
pub(crate) struct Stores {
    fault: Option<Fault>,
    a_call_takes: Duration,
    present: Mutex<Present>,
}

/// The store that was opened last.
#[derive(Clone)]
struct Present {
    clock: MovedClock,
    model: Arc<ModelProvider>,
    shared: Arc<Shared>,
}

impl Present {
    fn new(a_call_takes: Duration) -> Self {
        let clock = MovedClock::new(Arc::new(Still));
        let model = Arc::new(ModelProvider::new(env(&clock)));
        let shared = Arc::new(Shared::new(clock.clone(), a_call_takes));
        Self { clock, model, shared }
    }
}

impl Stores {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let a_call_takes = Duration::ZERO;
        Self { fault, a_call_takes, present: Mutex::new(Present::new(a_call_takes)) }
    }

    /// Stores without a fault, of which each call takes so long.
    pub(crate) fn slow(a_call_takes: Duration) -> Self {
        Self { a_call_takes, ..Self::new(None) }
    }

    fn present(&self) -> Present {
        self.present.lock().unwrap().clone()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn handle(&self, number: u32, model: Arc<ModelProvider>) -> Arc<dyn Store> {
        Arc::new(Faulty::new(self.fault, number, model, self.present().shared))
    }
}

#[async_trait]
impl Factory for Stores {
    async fn open(&self) -> Arc<dyn Store> {
        *self.present.lock().unwrap() = Present::new(self.a_call_takes);
        self.handle(1, self.present().model)
    }

    async fn advance(&self, by: Duration) {
        self.present().clock.advance(by);
    }

    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        let present = self.present();
        // What was written down is all that is left.
        let mut state = present.model.state();
        reopened::forget(self.fault, &mut state);
        let model = Arc::new(ModelProvider::with_state(env(&present.clock), state));
        self.present.lock().unwrap().model = Arc::clone(&model);
        present.shared.reopened();
        Some(self.handle(1, model))
    }

    async fn another(&self) -> Option<Arc<dyn Store>> {
        let present = self.present();
        let model = if self.has(Fault::SharesNothing) {
            ModelProvider::new(env(&present.clock))
        } else {
            present.model.another()
        };
        Some(self.handle(2, Arc::new(model)))
    }

    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        let present = self.present();
        present.clock.set_wall_back(by);
        present.shared.set_back(by);
        true
    }

    async fn trouble(&self, next: Trouble) -> bool {
        self.present().shared.expect_trouble(next);
        true
    }

    async fn damage(&self, what: Damage) -> bool {
        let model = self.present().model;
        if !self.has(Fault::HidesDamage) {
            match what {
                Damage::History(key) => model.damage(&key, Stored::History),
                Damage::Mail(key) => model.damage(&key, Stored::Mail),
                Damage::Activities(key) => model.damage(&key, Stored::Activities),
            }
        }
        true
    }
}
