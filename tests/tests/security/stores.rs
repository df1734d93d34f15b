//! The stores that the tests of this binary run on, each new and with limits of its own.

use duroxide_core::Limits;
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::cluster_url;
use duroxide_provider::Store;
use duroxide_provider::env::{Env, Task};
use duroxide_remote::{ClientOptions, RemoteProvider, ServerOptions, Token, serve};
use duroxide_runtime::system_env;
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use duroxide_tests::Scratch;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store, and what has to live as long.
pub(crate) struct Stand {
    pub(crate) name: &'static str,
    pub(crate) env: Env,
    pub(crate) store: Arc<dyn Store>,
    _scratch: Option<Scratch>,
    _server: Option<Server>,
}

/// Ends when dropped.
struct Server(Option<Task>);

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

pub(crate) async fn sqlite(env: &Env, path: &str, limits: &Limits) -> Arc<dyn Store> {
    let options = SqliteOptions { limits: limits.clone(), ..SqliteOptions::new(path) };
    Arc::new(SqliteProvider::open(env.clone(), options).await.unwrap())
}

/// A server for a store on a port of its own, and where it is.
pub(crate) async fn served(env: &Env, store: Arc<dyn Store>, token: &Token) -> (String, Task) {
    let listener = env.network.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap();
    let serving = serve(env.clone(), listener, store, ServerOptions::new(token.clone()));
    (address, env.spawn("server", serving))
}

/// The name of a schema that nobody has used.
pub(crate) fn schema() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("security_{}_{number}", std::process::id())
}

/// A store in a schema of its own. (The server's folder goes with this process.)
pub(crate) async fn postgres(env: &Env, limits: &Limits) -> Arc<dyn Store> {
    in_schema(env, &schema(), limits).await
}

/// A store in this schema.
pub(crate) async fn in_schema(env: &Env, schema: &str, limits: &Limits) -> Arc<dyn Store> {
    let options = PostgresOptions::new(cluster_url()).schema(schema).limits(limits.clone());
    Arc::new(PostgresProvider::connect(env.clone(), options).await.unwrap())
}

/// In a file, in memory, across a network, and on a server.
pub(crate) async fn all(limits: Limits) -> Vec<Stand> {
    let env = system_env();
    let scratch = Scratch::new("security");
    let file = sqlite(&env, &scratch.database(), &limits).await;
    let memory = sqlite(&env, ":memory:", &limits).await;
    let behind = sqlite(&env, ":memory:", &limits).await;
    let token = Token::new("a token for tests").unwrap();
    let (address, server) = served(&env, behind, &token).await;
    let remote = RemoteProvider::new(&env, address, token, ClientOptions::default());
    let server = Server(Some(server));
    let stand =
        |name, store| Stand { name, env: env.clone(), store, _scratch: None, _server: None };
    vec![
        Stand { _scratch: Some(scratch), ..stand("sqlite file", file) },
        stand("sqlite memory", memory),
        Stand { _server: Some(server), ..stand("remote", Arc::new(remote)) },
        stand("postgres", postgres(&env, &limits).await),
    ]
}
