//! The whole contract again, as a node sees it that reaches a SQLite store over TCP.

#[cfg(test)]
mod clock;

#[cfg(test)]
mod suite {
    use super::clock::ShiftedClock;
    use async_trait::async_trait;
    use duroxide_conformance::{Factory, conformance_suite};
    use duroxide_provider::Store;
    use duroxide_provider::env::{Env, Task};
    use duroxide_remote::{ClientOptions, RemoteProvider, ServerOptions, Token, serve};
    use duroxide_runtime::system_env;
    use duroxide_sqlite::{SqliteOptions, SqliteProvider};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// Every store it gives is a client of one server.
    #[derive(Default)]
    struct RemoteSqlite {
        behind: Mutex<Option<Behind>>,
    }

    struct Behind {
        address: String,
        clock: Arc<ShiftedClock>,
        server: Task,
    }

    fn token() -> Token {
        Token::new("a token for tests").unwrap()
    }

    impl RemoteSqlite {
        fn client(&self) -> Arc<dyn Store> {
            let behind = self.behind.lock().unwrap();
            let address = &behind.as_ref().unwrap().address;
            let options = ClientOptions::default();
            Arc::new(RemoteProvider::new(&system_env(), address, token(), options))
        }

        fn clock(&self) -> Arc<ShiftedClock> {
            self.behind.lock().unwrap().as_ref().unwrap().clock.clone()
        }
    }

    #[async_trait]
    impl Factory for RemoteSqlite {
        async fn open(&self) -> Arc<dyn Store> {
            let env = system_env();
            let clock = Arc::new(ShiftedClock::new(env.clock.clone()));
            let store_env = Env { clock: clock.clone(), ..env.clone() };
            let options = SqliteOptions::new(":memory:");
            let store = Arc::new(SqliteProvider::open(store_env, options).await.unwrap());
            let listener = env.network.listen("127.0.0.1:0").await.unwrap();
            let address = listener.local_address().unwrap();
            let serving = serve(env.clone(), listener, store, ServerOptions::new(token()));
            let server = env.spawn("server", serving);
            let before = self.behind.lock().unwrap().replace(Behind { address, clock, server });
            if let Some(before) = before {
                before.server.abort();
            }
            self.client()
        }

        async fn advance(&self, by: Duration) {
            self.clock().advance(by);
        }

        /// A client that was closed closed nothing but itself.
        async fn reopen(&self) -> Option<Arc<dyn Store>> {
            Some(self.client())
        }

        async fn another(&self) -> Option<Arc<dyn Store>> {
            Some(self.client())
        }

        async fn set_wall_clock_back(&self, by: Duration) -> bool {
            self.clock().set_wall_back(by);
            true
        }
    }

    conformance_suite!(RemoteSqlite::default());
}
