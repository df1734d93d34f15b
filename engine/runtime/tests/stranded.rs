//! Work under names that nobody has: it is told by the status and by one warning, whoever
//! left it, waits for a node that has the name, and fails in the end.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use common::World;
use duroxide_core::FailureKind;
use duroxide_provider::{Inspect, Store};
use duroxide_runtime::{Client, Runtime, RuntimeOptions, SdkHost, waiting_for};
use duroxide_sdk::{
    ActivityContext, OrchestrationContext, OrchestrationError, Registry, RegistryBuilder,
};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was logged by the tests of this file, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keep what is logged on this thread from now on.
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// How many lines have all of these.
    fn count(&self, parts: &[&str]) -> usize {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn misspelt(ctx: OrchestrationContext, (): ()) -> Result<String, OrchestrationError> {
    ctx.activity("Gret", &()).await
}

async fn greet(_: ActivityContext, (): ()) -> Result<String, String> {
    Ok("Hello!".to_owned())
}

fn code() -> RegistryBuilder {
    Registry::builder()
        .register_activity("Greet", greet)
        .register_orchestration("Misspelt", misspelt)
}

fn giving_up_after(timeout: Duration) -> RuntimeOptions {
    RuntimeOptions { unregistered_timeout: Some(timeout), ..RuntimeOptions::default() }
}

/// A store file that goes away.
struct StoreFile(PathBuf);

impl StoreFile {
    fn new(name: &str) -> Self {
        let name = format!("duroxide-stranded-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A handle of its own, as a process has.
    async fn open(&self, world: &World, mode: &str) -> Arc<SqliteProvider> {
        let path = format!("{}?mode={mode}", self.0.join("store.db").display());
        let opened = SqliteProvider::open(world.env.clone(), SqliteOptions::new(path)).await;
        Arc::new(opened.unwrap())
    }
}

impl Drop for StoreFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_misspelt_activity_of_a_dead_process_is_warned_of_once_and_fails() {
    let (log, _guard) = Log::begin();
    let world = World::new().await;
    let file = StoreFile::new("dead");
    let first = file.open(&world, "rwc").await;
    let world = World { store: Arc::clone(&first) as Arc<dyn Store>, ..world };
    let client = Client::new(world.env.clone(), Arc::clone(&world.store));
    let node = world.node(code().build().unwrap(), RuntimeOptions::default());
    for id in ["left", "left-too"] {
        client.start(id, "Misspelt", common::json(())).await.unwrap();
    }
    world.until("scheduled", || node.metrics().commits == 2).await;
    assert_eq!(log.count(&["activity `Gret`", "is not registered here"]), 1, "at once, and once");
    drop(node);
    first.close().await.unwrap();

    // Nothing of that kind is scheduled in the second process.
    let (log, _guard) = Log::begin();
    let second = file.open(&world, "rw").await;
    let world = World { store: second as Arc<dyn Store>, ..world };
    let client = Client::new(world.env.clone(), Arc::clone(&world.store));
    let _node = world.node(code().build().unwrap(), giving_up_after(Duration::from_secs(2)));
    for id in ["left", "left-too"] {
        let error = client.wait_for_output(id, common::PATIENCE).await.unwrap_err().to_string();
        assert!(error.contains("`Gret`") && error.contains("`Greet`"), "{error}");
    }
    assert_eq!(log.count(&["activity `Gret` is not registered here", "`Greet`"]), 1);
}

#[tokio::test]
async fn a_misspelt_orchestration_is_warned_of_once_however_often_it_is_started() {
    let (log, _guard) = Log::begin();
    let world = World::new().await;
    let _node = world.node(code().build().unwrap(), giving_up_after(Duration::from_mins(10)));
    let warned = |name: &str| log.count(&[&format!("orchestration `{name}` is not"), "`Misspelt@"]);
    world.start("one", "Mispelt", ()).await;
    world.start("two", "Mispelt", ()).await;
    world.until("warned of", || warned("Mispelt") == 1).await;
    // What comes later is looked at as soon, beside what is there already.
    world.start("three", "Mispelt", ()).await;
    let request = duroxide_runtime::StartRequest::new("four", "Misspelt", common::json(()));
    world.client.start_with(request.version("9.0.0")).await.unwrap();
    world.until("warned of", || warned("Misspelt@9.0.0") == 1).await;
    assert_eq!(warned("Mispelt"), 1);
}

#[tokio::test]
async fn what_has_not_waited_long_enough_is_given_back_and_charged_with_no_attempt() {
    let (log, _guard) = Log::begin();
    let world = World::new().await;
    let node = world.node(code().build().unwrap(), giving_up_after(Duration::from_secs(4)));
    // Two warnings, a second or more after each start: then the third is that much younger.
    for (id, name) in [("old", "Mispelt"), ("between", "Misspellt")] {
        world.start(id, name, ()).await;
        let warned = || log.count(&[&format!("orchestration `{name}` is not")]) == 1;
        world.until("warned of", warned).await;
    }
    world.start("young", "Mispelt", ()).await;
    assert_eq!(world.failure("old").await.kind, FailureKind::Unregistered);
    node.shutdown(Duration::from_secs(1)).await;

    let with = code().register_orchestration("Mispelt", misspelt);
    let with = with.register_activity("Gret", greet).build().unwrap();
    let _node = world.node(with, RuntimeOptions { max_attempts: 1, ..RuntimeOptions::default() });
    assert_eq!(world.output("young").await, r#""Hello!""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_says_what_nobody_takes_until_a_node_brings_the_name() {
    let world = World::new().await;
    let status = async |id: &str, wanted: &str| {
        let said = async {
            loop {
                let info = world.client.status(id).await.unwrap().unwrap();
                let said = waiting_for(&info).unwrap_or_default();
                if said.contains(wanted) {
                    return said;
                }
                world.env.sleep(Duration::from_millis(20)).await;
            }
        };
        world.env.timeout(common::PATIENCE, said).await.unwrap_or_else(|| panic!("{wanted}"))
    };
    world.start("run", "Misspelt", ()).await;
    let said = status("run", "registered").await;
    assert!(said.starts_with("its first turn: ") && said.contains("'Misspelt'"), "{said}");

    let node = world.node(code().build().unwrap(), RuntimeOptions::default());
    assert_eq!(status("run", "'Gret'").await, "activity 'Gret'", "as the turn said");
    let said = status("run", "registered").await;
    assert!(said.starts_with("activity 'Gret', ready for "), "{said}");
    node.shutdown(Duration::from_secs(1)).await;

    let with = code().register_activity("Gret", greet).build().unwrap();
    let _node = world.node(with, RuntimeOptions::default());
    assert_eq!(world.output("run").await, r#""Hello!""#);
    assert_eq!(waiting_for(&world.ended("run").await), None);
}

#[tokio::test]
async fn work_that_waits_behind_a_busy_node_that_has_the_name_does_not_fail() {
    let world = World::new().await;
    let let_go = Arc::new(tokio::sync::Notify::new());
    let gate = Arc::clone(&let_go);
    let wait = move |_: ActivityContext, (): ()| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            Ok::<_, String>(())
        }
    };
    let waits = |ctx: OrchestrationContext, (): ()| async move {
        ctx.activity::<()>("Wait", &()).await?;
        Ok::<_, OrchestrationError>(())
    };
    // One place: what comes second waits for what runs.
    let with = Registry::builder().register_activity("Wait", wait);
    let with = with.register_activity("Gret", greet).build().unwrap();
    let one = RuntimeOptions {
        worker_concurrency: 1,
        orchestration_concurrency: 0,
        ..RuntimeOptions::default()
    };
    let busy = world.node(with, one);
    let without = code().register_orchestration("Waits", waits).build().unwrap();
    let node = world.node(without, giving_up_after(Duration::from_millis(100)));
    world.start("first", "Waits", ()).await;
    world.until("taken", || busy.metrics().worker_dispatcher_items_fetched == 1).await;
    world.start("second", "Misspelt", ()).await;
    world.until("scheduled", || node.metrics().commits == 2).await;
    // What nobody has, and came later, waits no longer for anybody.
    world.start("news", "Nobody", ()).await;
    assert_eq!(world.failure("news").await.kind, FailureKind::Unregistered);
    let_go.notify_one();
    assert_eq!(world.output("second").await, r#""Hello!""#);
}

/// Calls an activity on a session, both by name.
async fn in_session(
    ctx: OrchestrationContext,
    (activity, session): (String, String),
) -> Result<String, OrchestrationError> {
    ctx.activity(&activity, &()).on_session(session).await
}

fn session_code() -> RegistryBuilder {
    Registry::builder().register_orchestration("InSession", in_session)
}

#[tokio::test]
async fn an_attempt_that_died_with_the_last_process_that_had_its_name_fails() {
    let world = World::new().await;
    let file = StoreFile::new("died");
    let first = file.open(&world, "rwc").await;
    let world = World { store: Arc::clone(&first) as Arc<dyn Store>, ..world };
    let client = Client::new(world.env.clone(), Arc::clone(&world.store));
    let for_ever = |_: ActivityContext, (): ()| std::future::pending::<Result<String, String>>();
    let with = code().register_activity("Gret", for_ever).build().unwrap();
    let node = world.node(with, RuntimeOptions::default());
    client.start("left", "Misspelt", common::json(())).await.unwrap();
    world.until("begun", || node.metrics().commits == 1).await;
    drop(node);
    first.close().await.unwrap();

    let (log, _guard) = Log::begin();
    let second = file.open(&world, "rw").await;
    let world = World { store: second as Arc<dyn Store>, ..world };
    let client = Client::new(world.env.clone(), Arc::clone(&world.store));
    let _node = world.node(code().build().unwrap(), giving_up_after(Duration::from_secs(2)));
    let error = client.wait_for_output("left", common::PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains("`Gret`") && error.contains("`Greet`"), "{error}");
    assert_eq!(log.count(&["activity `Gret` is not registered here", "`Greet`"]), 1);
}

#[tokio::test]
async fn work_that_waits_for_room_for_its_session_does_not_fail() {
    let world = World::new().await;
    // Room for one session, which rests.
    let with = Registry::builder().register_activity("Load", greet);
    let with = with.register_activity("Gret", greet).build().unwrap();
    let one = RuntimeOptions {
        max_sessions: 1,
        orchestration_concurrency: 0,
        ..RuntimeOptions::default()
    };
    let full = world.node(with.clone(), one);
    let without = session_code().build().unwrap();
    let _node = world.node(without, giving_up_after(Duration::from_millis(100)));
    world.start("first", "InSession", ("Load", "s1")).await;
    assert_eq!(world.output("first").await, r#""Hello!""#);
    world.start("second", "InSession", ("Gret", "s2")).await;
    // What nobody has waits for nobody, and came later.
    for id in ["news", "later news"] {
        world.start(id, "Nobody", ()).await;
        assert_eq!(world.failure(id).await.kind, FailureKind::Unregistered);
    }
    let left = RuntimeOptions { orchestration_concurrency: 0, ..RuntimeOptions::default() };
    let _roomy = world.node(with, left);
    assert_eq!(world.output("second").await, r#""Hello!""#);
    drop(full);
}

#[tokio::test]
async fn who_fails_work_of_a_session_does_not_keep_the_session() {
    let world = World::new().await;
    let without = session_code().build().unwrap();
    let _node = world.node(without, giving_up_after(Duration::from_millis(100)));
    world.start("first", "InSession", ("Gret", "s")).await;
    assert_eq!(world.failure("first").await.kind, FailureKind::Unregistered);
    let with = session_code().register_activity("Gret", greet).build().unwrap();
    let _other = world.node(with, RuntimeOptions::default());
    world.start("second", "InSession", ("Gret", "s")).await;
    assert_eq!(world.output("second").await, r#""Hello!""#);
}

#[tokio::test]
async fn work_that_waits_behind_a_busy_node_does_not_fail_for_another_on_its_handle() {
    let world = World::new().await;
    let let_go = Arc::new(tokio::sync::Notify::new());
    let waiting = |gate: &Arc<tokio::sync::Notify>| {
        let gate = Arc::clone(gate);
        move |_: ActivityContext, (): ()| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok::<_, String>("Hello!")
            }
        }
    };
    let calls = |ctx: OrchestrationContext, name: String| async move {
        ctx.activity::<String>(&name, &()).await
    };
    // The one node that has the name has one place, and that is taken.
    let with = Registry::builder().register_activity("Slow", waiting(&let_go));
    let with = with.register_activity("Gret", greet).build().unwrap();
    let one = RuntimeOptions {
        worker_concurrency: 1,
        orchestration_concurrency: 0,
        ..RuntimeOptions::default()
    };
    let busy = world.node(with, one);
    // The other one takes what is younger, and holds it for as long.
    let also = Arc::new(tokio::sync::Notify::new());
    let without = Registry::builder().register_activity("Other", waiting(&also));
    let without = without.register_orchestration("Calls", calls).build().unwrap();
    let node = world.node(without, giving_up_after(Duration::from_millis(100)));
    world.start("slow", "Calls", "Slow").await;
    world.until("taken", || busy.metrics().worker_dispatcher_items_fetched == 1).await;
    world.start("waits", "Calls", "Gret").await;
    world.until("scheduled", || node.metrics().commits == 2).await;
    world.start("other", "Calls", "Other").await;
    world.until("scheduled", || node.metrics().commits == 3).await;
    for id in ["news", "later news"] {
        world.start(id, "Nobody", ()).await;
        assert_eq!(world.failure(id).await.kind, FailureKind::Unregistered);
    }
    let_go.notify_one();
    assert_eq!(world.output("waits").await, r#""Hello!""#);
    also.notify_one();
}

#[tokio::test]
async fn a_runtime_on_a_read_only_store_is_refused_and_a_client_reads_it() {
    let world = World::new().await;
    let file = StoreFile::new("read-only");
    let writer = file.open(&world, "rwc").await;
    let client = Client::new(world.env.clone(), Arc::clone(&writer) as Arc<dyn Store>);
    client.start("a", "Misspelt", common::json(())).await.unwrap();
    let reader = file.open(&world, "ro").await;
    assert!(reader.is_read_only());
    let store: Arc<dyn Store> = reader;
    let host = Arc::new(SdkHost::new(code().build().unwrap()));
    let (env, options) = (world.env.clone(), RuntimeOptions::default());
    let refused =
        Runtime::start(env, Arc::clone(&store), Arc::clone(&host) as _, host, options).unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    let reading = Client::new(world.env.clone(), store);
    assert_eq!(reading.status("a").await.unwrap().unwrap().name, "Misspelt");
}
