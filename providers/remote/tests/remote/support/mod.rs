//! The world of these tests: a node's Env in virtual time, a network with faults, a store
//! that counts.

pub(crate) mod env;
pub(crate) mod network;
pub(crate) mod store;

use duroxide_provider::env::{Env, Network as _, Task};
use duroxide_remote::{ClientOptions, RemoteProvider, ServerOptions, Token, serve};
use network::{FaultyNetwork, Passing, Verdict};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use store::CountingStore;

pub(crate) const ADDRESS: &str = "store:7070";

/// A server in front of a counting store.
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) network: Arc<FaultyNetwork>,
    pub(crate) store: Arc<CountingStore>,
    pub(crate) server: Task,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With other options of the server.
    pub(crate) async fn with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let network = FaultyNetwork::new();
        let env = env::env(network.clone());
        let store = Arc::new(CountingStore::new(env.clone()));
        let mut options = ServerOptions::new(token());
        change(&mut options);
        let server = start(&env, &network, store.clone(), options).await;
        Self { env, network, store, server }
    }

    pub(crate) fn client(&self) -> RemoteProvider {
        RemoteProvider::new(&self.env, ADDRESS, token(), ClientOptions::default())
    }

    /// A client on a node of its own, and the number of timers that run there.
    pub(crate) fn client_with_timers(&self) -> (RemoteProvider, Arc<AtomicUsize>) {
        let timers = Arc::new(AtomicUsize::new(0));
        let env = env::env_counting(self.network.clone(), timers.clone());
        (RemoteProvider::new(&env, ADDRESS, token(), ClientOptions::default()), timers)
    }

    /// What becomes of each frame from now on.
    pub(crate) fn rule(&self, rule: impl FnMut(&Passing<'_>) -> Verdict + Send + 'static) {
        self.network.rule(rule);
    }

    /// Runs until this holds; fails after 10 000 looks.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&CountingStore) -> bool) {
        for _ in 0..10_000 {
            if holds(&self.store) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never came about that {what}");
    }
}

/// Serve a store at [`ADDRESS`].
pub(crate) async fn start(
    env: &Env,
    network: &FaultyNetwork,
    store: Arc<dyn duroxide_provider::Store>,
    options: ServerOptions,
) -> Task {
    let listener = network.listen(ADDRESS).await.unwrap();
    env.spawn("server", serve(env.clone(), listener, store, options))
}

pub(crate) fn token() -> Token {
    Token::new("a token for tests").unwrap()
}

/// Run in virtual time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}
