//! Stores of a test's own on the server of all tests, and a hand on that server.

use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::cluster_url;
use duroxide_provider::env::Env;
use duroxide_provider::{Provider, WaitForWork, WakeSeq};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, OnceLock};
use std::time::Duration;

pub(crate) fn env() -> Env {
    duroxide_runtime::system_env()
}

/// A schema's name that no other test has.
pub(crate) fn schema() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let random = u64::from_le_bytes(std::array::from_fn(|_| {
        let mut byte = [0];
        env().entropy.fill(&mut byte);
        byte[0]
    }));
    format!("shell_{random:016x}_{}", MADE.fetch_add(1, Ordering::SeqCst))
}

pub(crate) fn options(schema: &str) -> PostgresOptions {
    PostgresOptions::new(cluster_url()).schema(schema)
}

pub(crate) async fn open(schema: &str) -> PostgresProvider {
    PostgresProvider::connect(env(), options(schema)).await.unwrap()
}

/// Everything that any test has traced so far, at every level, the libraries' too. The first call
/// begins it.
pub(crate) fn traced() -> String {
    static WRITTEN: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    struct Writer;
    impl io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            WRITTEN.get().unwrap().lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    static BEGUN: Once = Once::new();
    let written = WRITTEN.get_or_init(Mutex::default);
    BEGUN.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Writer);
        subscriber.with_max_level(tracing::Level::TRACE).init();
    });
    String::from_utf8(written.lock().unwrap().clone()).unwrap()
}

/// A connection past the provider.
pub(crate) struct Hand(PgConnection);

impl Hand {
    pub(crate) async fn new() -> Self {
        Self::to(&cluster_url()).await
    }

    pub(crate) async fn to(url: &str) -> Self {
        Self(PgConnectOptions::from_str(url).unwrap().connect().await.unwrap())
    }

    /// Run a statement of the test's.
    pub(crate) async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await.unwrap();
    }

    /// The number that a statement gives.
    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        self.rows(sql).await[0].get(0)
    }

    pub(crate) async fn rows(&mut self, sql: &str) -> Vec<PgRow> {
        sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.0).await.unwrap()
    }

    /// Cut connections of stores with this application name. Gives how many there were.
    pub(crate) async fn cut(&mut self, application: &str) -> i64 {
        self.number(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE application_name = '{application}' AND pid <> pg_backend_pid()"
        ))
        .await
    }
}

/// The URL of all tests' server, with a name for the connections of one.
pub(crate) fn url_as(application: &str) -> String {
    let url = cluster_url();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}application_name={application}")
}

/// What must come long before any time-out of its own.
#[expect(clippy::disallowed_methods, reason = "a test that waits in vain fails, and does not hang")]
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it never came")
}

/// Look again and again until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    let env = env();
    let wait = async {
        while !look().await {
            env.sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(env.timeout(Duration::from_secs(30), wait).await.is_some(), "never: {what}");
}

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// Wait for anything after.
pub(crate) async fn wait(store: &PostgresProvider, after: WakeSeq) -> WakeSeq {
    let node = crate::work::node("waiter");
    store.wait_for_work(WaitForWork { node, after, max: HOUR }).await.unwrap()
}
