//! The two builds: what each has registered and which flags it knows; and a node of one, as a
//! process of its own.

use duroxide_core::CompatFlags;
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_provider::Store;
use duroxide_provider::env::Env;
use duroxide_runtime::{Runtime, RuntimeOptions, SdkHost, system_env};
use duroxide_sdk::{
    ActivityContext, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// What a node process is told, each in a variable of its environment.
pub(crate) const STORE: &str = "DUROXIDE_TEST_UPGRADE_STORE";
pub(crate) const SCHEMA: &str = "DUROXIDE_TEST_UPGRADE_SCHEMA";
pub(crate) const BUILD: &str = "DUROXIDE_TEST_UPGRADE_BUILD";
pub(crate) const LOG: &str = "DUROXIDE_TEST_UPGRADE_LOG";
pub(crate) const TIMEOUT_MS: &str = "DUROXIDE_TEST_UPGRADE_TIMEOUT_MS";

/// What the newer build knows more than this one.
pub(crate) const NEWER: CompatFlags = CompatFlags(1 << 40);
/// Nothing is given up for want of a name.
pub(crate) const LONG: Duration = Duration::from_hours(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    Old,
    New,
}

/// Who ran an activity, and in which attempt.
pub(crate) type Ran = (u32, u32);

pub(crate) async fn ship(ctx: ActivityContext, (): ()) -> Result<Ran, String> {
    Ok((std::process::id(), ctx.attempt()))
}

/// Ships, waits for `go`, and runs one more activity.
pub(crate) async fn release(
    ctx: OrchestrationContext,
    last: &'static str,
) -> Result<(Ran, Ran), OrchestrationError> {
    let first = ctx.activity("Ship", &()).await?;
    ctx.wait_event::<()>("go").await?;
    Ok((first, ctx.activity(last, &()).await?))
}

impl Build {
    pub(crate) fn registry(self) -> RegistryBuilder {
        let both = Registry::builder()
            .register_activity("Ship", ship)
            .register_orchestration("Shared", |ctx, (): ()| release(ctx, "Ship"));
        match self {
            Self::Old => {
                both.register_orchestration_versioned("Release", "1.0.0", |ctx, (): ()| {
                    release(ctx, "Ship")
                })
            }
            Self::New => both
                .register_activity("Announce", ship)
                .register_orchestration("Parade", |ctx, (): ()| release(ctx, "Announce"))
                .register_orchestration_versioned("Release", "2.0.0", |ctx, (): ()| {
                    release(ctx, "Announce")
                }),
        }
    }

    /// One attempt: whatever is charged without a reason is poison at once.
    pub(crate) fn options(self, unregistered_timeout: Duration) -> RuntimeOptions {
        let flags = match self {
            Self::Old => CompatFlags::KNOWN,
            Self::New => CompatFlags::KNOWN.union(NEWER),
        };
        RuntimeOptions {
            flags,
            max_attempts: 1,
            unregistered_timeout: Some(unregistered_timeout),
            ..RuntimeOptions::default()
        }
    }
}

/// Where a store is: a file, or a server and a schema.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) store: String,
    pub(crate) schema: String,
}

impl Place {
    pub(crate) async fn open(&self, env: &Env) -> Arc<dyn Store> {
        if self.schema.is_empty() {
            let options = SqliteOptions::new(&*self.store);
            return Arc::new(SqliteProvider::open(env.clone(), options).await.unwrap());
        }
        let options = PostgresOptions::new(&*self.store).schema(&*self.schema);
        Arc::new(PostgresProvider::connect(env.clone(), options).await.unwrap())
    }
}

/// Not a test of its own: a node, until its stdin closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_process() {
    let Ok(store) = std::env::var(STORE) else { return };
    let place = Place { store, schema: std::env::var(SCHEMA).unwrap() };
    let log = std::fs::File::create(std::env::var(LOG).unwrap()).unwrap();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(log)
        .init();
    let build = if std::env::var(BUILD).unwrap() == "Old" { Build::Old } else { Build::New };
    let timeout = Duration::from_millis(std::env::var(TIMEOUT_MS).unwrap().parse().unwrap());
    let env = system_env();
    let store = place.open(&env).await;
    let host = Arc::new(SdkHost::new(build.registry().build().unwrap()));
    let options = build.options(timeout);
    let runtime =
        Runtime::start(env, Arc::clone(&store), Arc::clone(&host) as _, host, options).unwrap();
    // One write: the harness prints between lines.
    std::io::stdout().write_all(b"\nready\n").unwrap();
    let closed = || std::io::stdin().read_line(&mut String::new());
    tokio::task::spawn_blocking(closed).await.unwrap().unwrap();
    runtime.shutdown(Duration::from_secs(1)).await;
    store.close().await.unwrap();
}
