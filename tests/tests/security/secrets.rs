//! A token, a password and users' data, looked for in everything that is printed: errors,
//! `Debug` output, and what is logged at any level.

use crate::log;
use crate::stores::{in_schema, postgres, schema, served, sqlite};
use duroxide_core::{ExecutionId, Headers, Limits, Payload};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::cluster_url;
use duroxide_provider::env::Env;
use duroxide_provider::{
    Inspect, InstanceKey, LeaseId, LeaseOrchestrations, ListFilter, NodeId, OrchestrationFilter,
    ProviderError, RequestId, Store, Submission, Submit,
};
use duroxide_remote::{ClientOptions, PROTOCOL, RemoteProvider, ServerOptions, Token};
use duroxide_runtime::{Client, Runtime, RuntimeOptions, SdkHost, StartRequest, system_env};
use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
use duroxide_sqlite::{SqliteOptions, SqliteProvider};
use duroxide_tests::{PATIENCE, Scratch};
use sqlx::Connection;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOKEN: &str = "token-of-gold-1";
const WRONG: &str = "token-of-lead-2";
/// A password, and the same as it is written in a URL.
const PASSWORD: &str = "p@ss/w:rd?&=%é";
const WRITTEN: &str = "p%40ss%2Fw%3Ard%3F%26%3D%25%C3%A9";
/// Each in another place.
const DATA: [&str; 8] = [
    "card-4111-input",
    "card-4111-result",
    "card-4111-event",
    "card-4111-message",
    "card-4111-value",
    "card-4111-status",
    "card-4111-header",
    "card-4111-child",
];

fn json(text: &str) -> Payload {
    Payload::json(serde_json::to_string(text).unwrap())
}

async fn take(_: ActivityContext, _: String) -> Result<String, String> {
    Ok(DATA[1].to_owned())
}

async fn refuse(_: ActivityContext, _: String) -> Result<String, String> {
    Err("refused".to_owned())
}

async fn carry(ctx: OrchestrationContext, input: String) -> Result<String, OrchestrationError> {
    let result: String = ctx.activity("Take", &input).await?;
    let refused: Result<String, _> = ctx.activity("Refuse", &result).await;
    ctx.set_custom_status(DATA[5])?;
    ctx.set_value("key", DATA[4])?;
    ctx.timer(Duration::from_millis(1)).await?;
    let event: String = ctx.wait_event("go").await?;
    let message: String = ctx.dequeue("orders").await?;
    let child: String = ctx.child("Echo", DATA[7]).await?;
    let _misspelt =
        ctx.select((ctx.activity::<String>("Tkae", &child), ctx.timer(Duration::ZERO))).await;
    Ok(format!("{result} {event} {message} {child} {}", refused.is_err()))
}

async fn echo(_: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
    Ok(text)
}

fn node(env: &Env, store: Arc<dyn Store>) -> Runtime {
    let registry = Registry::builder()
        .register_activity("Take", take)
        .register_activity("Refuse", refuse)
        .register_orchestration("Carry", carry)
        .register_orchestration("Echo", echo)
        .build();
    let host = Arc::new(SdkHost::new(registry.unwrap()));
    let options = RuntimeOptions::default();
    Runtime::start(env.clone(), store, Arc::clone(&host) as _, host, options).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_across_the_network_logs_neither_its_token_nor_its_data() {
    log::lines();
    let env = system_env();
    let scratch = Scratch::new("secrets");
    let behind = sqlite(&env, &scratch.database(), &Limits::default()).await;
    let token = Token::new(TOKEN).unwrap();
    let (address, server) = served(&env, behind, &token).await;
    let options = ClientOptions::default();
    let remote = RemoteProvider::new(&env, &address, token, options.clone());
    let store: Arc<dyn Store> = Arc::new(remote);
    let mut shown = run(&env, store).await;
    let strangers = RemoteProvider::new(&env, &address, Token::new(WRONG).unwrap(), options);
    let refused = strangers.metrics().await.unwrap_err();
    assert!(matches!(refused, ProviderError::Unusable { .. }), "{refused}");
    garble(&address).await;

    shown = format!("{shown} {strangers:?} {refused:?} {refused}");
    server.abort();
    assert!(![TOKEN, WRONG].iter().chain(&DATA).any(|secret| shown.contains(secret)), "{shown}");
    log::has_none_of(&[TOKEN, WRONG]);
    log::has_none_of(&DATA);
    let lines = log::lines();
    for part in
        ["a connection ended", "refused: the server does not accept", "does not have the form"]
    {
        assert!(lines.iter().any(|line| line.contains(part)), "nothing was logged of: {part}");
    }
}

/// Everything that carries data, once; gives what is shown of those who carried it.
async fn run(env: &Env, store: Arc<dyn Store>) -> String {
    let runtime = node(env, store.clone());
    let client = Client::new(env.clone(), store);
    let headers = Headers::from([("trace".to_owned(), DATA[6].to_owned())]);
    client
        .start_new(StartRequest::new("i", "Carry", json(DATA[0])).headers(headers))
        .await
        .unwrap();
    client.raise_event("i", "go", json(DATA[2])).await.unwrap();
    client.enqueue_event("i", "orders", json(DATA[3])).await.unwrap();
    let output = client.wait_for_output("i", PATIENCE).await.unwrap();
    assert!(DATA[1..4].iter().all(|data| output.as_json().unwrap().contains(data)));
    let history = client.history("i", ExecutionId::FIRST).await.unwrap();
    assert!(history.len() > 10);
    client.start("x", "Nobody", json(DATA[0])).await.unwrap();
    client.terminate("x", "enough").await.unwrap();
    client.wait("x", PATIENCE).await.unwrap();

    let shown = format!("{runtime:?} {client:?}");
    runtime.shutdown(Duration::from_secs(1)).await;
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_on_postgres_logs_none_of_its_data() {
    log::lines();
    let env = system_env();
    let shown = run(&env, postgres(&env, &Limits::default()).await).await;
    assert!(!DATA.iter().any(|secret| shown.contains(secret)), "{shown}");
    log::has_none_of(&DATA);
    assert!(log::lines().iter().any(|line| line.contains("sqlx")), "its library does log");
}

#[tokio::test]
async fn a_password_is_shown_neither_as_it_is_nor_as_it_is_written_in_a_url() {
    log::lines();
    let hidden = [PASSWORD, WRITTEN, "ss/w", "ss%2Fw", "ss%2fw"];
    for url in [
        format!("postgres://user:{WRITTEN}@127.0.0.1:1/db"),
        format!("postgres://127.0.0.1:1/db?user=u&password={WRITTEN}"),
        format!("postgresql://user:{WRITTEN}@127.0.0.1:1/db?sslmode=odd"),
        format!("postgres://user:{WRITTEN}@127.0.0.1:1/db?pasword={WRITTEN}"),
        format!("postgres://user:{WRITTEN}@127.0.0.1:port/db"),
        format!("postgres://user:{PASSWORD}@127.0.0.1:1/db"),
        format!("mysql://user:{WRITTEN}@127.0.0.1:1/db"),
        format!("user:{WRITTEN}@127.0.0.1:1/db"),
        format!("postgres:user:{WRITTEN}@127.0.0.1:1/db"),
        format!("host=127.0.0.1 port=1 password={WRITTEN}"),
    ] {
        let options = PostgresOptions::new(url).acquire_timeout(Duration::from_millis(200));
        let shown = format!("{options:?}");
        let error = PostgresProvider::connect(system_env(), options).await.unwrap_err();
        let shown = format!("{shown} {error} {error:?}");
        assert!(!hidden.iter().any(|part| shown.contains(part)), "{shown}");
    }
    log::has_none_of(&hidden);
}

/// Frames that hold secrets where none belong.
async fn garble(address: &str) {
    let hello =
        format!(r#"{{"Hello":{{"protocol":{PROTOCOL},"token":"{TOKEN}","max_frame":65536}}}}"#);
    let call = format!(r#"{{"Call":{{"id":1,"call":{{"submit":{{"request":"{}"}}}}}}}}"#, DATA[0]);
    for frames in [
        vec![format!(r#"{{"Hello":{{"protocol":"{TOKEN}","token":"{TOKEN}","max_frame":1}}}}"#)],
        vec![format!(r#"{{"{TOKEN}":1}}"#)],
        vec![hello.clone(), call],
        vec![hello.clone(), format!(r#"{{"{}":1}}"#, DATA[0])],
        vec![hello.clone(), DATA[0].to_owned()],
        vec![hello.clone(), hello],
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        for frame in frames {
            stream.write_u32(u32::try_from(frame.len()).unwrap()).await.unwrap();
            stream.write_all(frame.as_bytes()).await.unwrap();
        }
        stream.shutdown().await.unwrap();
        let mut said = Vec::new();
        // The other side may be gone before it has read everything.
        let _ = stream.read_to_end(&mut said).await;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(![TOKEN, DATA[0]].iter().any(|secret| said.contains(secret)), "{said}");
    }
}

#[tokio::test]
async fn no_debug_output_has_a_token_or_a_password() {
    let token = Token::new(TOKEN).unwrap();
    let env = system_env();
    let shown = [
        format!("{token:?}"),
        format!("{:?}", ServerOptions::new(token)),
        format!("{:?}", ClientOptions::default()),
        format!("{env:?}"),
        format!("{:?}", RuntimeOptions::default()),
        format!("{:?}", SqliteOptions::new("sqlite:app.db")),
        format!("{:?}", SqliteOptions::new(format!("postgres://u:{TOKEN}@h/d?password={TOKEN}"))),
        format!("{:?}", Token::new("x".repeat(600)).unwrap_err()),
    ];
    for one in shown {
        assert!(!one.contains(TOKEN) && !one.contains("xxxx"), "{one}");
    }
}

#[tokio::test]
async fn an_address_of_another_store_is_refused_without_what_stands_in_it() {
    for address in [
        format!("postgres://user:{TOKEN}@host/db"),
        format!("postgresql://{TOKEN}@host/db?password={TOKEN}"),
        format!("sqlite:postgres://u:{TOKEN}@h/d"),
        format!("postgres://u:{TOKEN}@h/d?mode=fast"),
    ] {
        let opened = SqliteProvider::open(system_env(), SqliteOptions::new(address)).await;
        let error = opened.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
    }
}

fn submit(id: &str, input: Payload) -> Submit {
    let (name, version, headers) = ("Carry".to_owned(), None, Headers::new());
    let what = Submission::Start { name, version, input, headers };
    Submit { request: RequestId(id.len() as u128), key: InstanceKey::new(id), what }
}

fn lease() -> LeaseOrchestrations {
    let names = [("Carry".to_owned(), ["1.0.0".to_owned()].into())].into();
    let flags = duroxide_core::CompatFlags::NONE;
    LeaseOrchestrations {
        lease: LeaseId(9),
        node: NodeId { name: "n".to_owned(), run: 1 },
        filter: OrchestrationFilter { names, flags },
        max: 10,
        duration: Duration::from_secs(30),
    }
}

/// Small enough for the data to be too large.
fn limits() -> Limits {
    Limits { payload_bytes: 100, ..Limits::default() }
}

/// The errors of a store that has the data in reach, and that `spoil` puts this message into
/// every inbox of.
async fn errors<F: Future<Output = ()>>(
    store: &dyn Store,
    spoil: impl FnOnce(String) -> F,
) -> Vec<ProviderError> {
    let long = json(&DATA[0].repeat(10));
    let mut errors = vec![store.submit(submit("long", long)).await.unwrap_err()];
    store.submit(submit("i", json(DATA[0]))).await.unwrap();
    errors.push(store.delete(InstanceKey::new("i"), false).await.unwrap_err());
    errors.push(store.delete(InstanceKey::new("nobody"), true).await.unwrap_err());
    let filter = ListFilter { status: Some("Odd".to_owned()), ..ListFilter::default() };
    errors.push(store.list(filter, None, 1).await.unwrap_err());
    // What is stored is JSON of another form, quoting what it should not.
    spoil(format!(r#"{{"{}":1}}"#, DATA[0])).await;
    let leased = store.lease_orchestrations(lease()).await.unwrap();
    let info = store.instance(InstanceKey::new("i")).await.unwrap().unwrap();
    let why = info.quarantined.clone().unwrap_or_default();
    assert!(why.contains("does not have the form expected"), "{why} {leased:?}");
    errors.push(ProviderError::Corrupt {
        operation: String::new(),
        what: String::new(),
        message: format!("{why} {leased:?} {:?}", duroxide_runtime::waiting_for(&info)),
    });
    store.close().await.unwrap();
    errors.push(store.submit(submit("late", json(DATA[0]))).await.unwrap_err());
    errors
}

async fn errors_on_sqlite(env: &Env) -> Vec<ProviderError> {
    let scratch = Scratch::new("errors");
    let store = sqlite(env, &scratch.database(), &limits()).await;
    let sql = rusqlite::Connection::open(scratch.database()).unwrap();
    let spoil = async |body: String| {
        let spoiled = sql.execute("UPDATE inbox SET body = CAST(?1 AS BLOB)", [body]).unwrap();
        assert_eq!(spoiled, 1);
    };
    let mut errors = errors(&*store, spoil).await;
    sql.execute("UPDATE store SET schema_version = 99, min_reader_version = 99", []).unwrap();
    let newer = SqliteProvider::open(env.clone(), SqliteOptions::new(scratch.database())).await;
    errors.push(newer.unwrap_err());
    errors
}

async fn errors_on_postgres(env: &Env) -> Vec<ProviderError> {
    let schema = schema();
    let store = in_schema(env, &schema, &limits()).await;
    let spoil = async |body: String| {
        let mut sql = sqlx::PgConnection::connect(&cluster_url()).await.unwrap();
        let update = sqlx::AssertSqlSafe(format!("UPDATE {schema}.inbox SET body = $1"));
        let update = sqlx::query(update).bind(body.into_bytes()).execute(&mut sql);
        assert_eq!(update.await.unwrap().rows_affected(), 1);
    };
    errors(&*store, spoil).await
}

#[tokio::test]
async fn no_error_of_a_store_quotes_the_data_it_is_about() {
    log::lines();
    let env = system_env();
    let mut errors = errors_on_sqlite(&env).await;
    errors.append(&mut errors_on_postgres(&env).await);
    // A server that nobody can reach, and a request that it would not take.
    let token = || Token::new(TOKEN).unwrap();
    let once = ClientOptions { tries: 1, ..ClientOptions::default() };
    let nobody = RemoteProvider::new(&env, "127.0.0.1:1", token(), once);
    errors.push(nobody.metrics().await.unwrap_err());
    let behind = sqlite(&env, ":memory:", &Limits::default()).await;
    let listener = env.network.listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap();
    let options = ServerOptions { max_frame: 5_000, ..ServerOptions::new(token()) };
    let serving = duroxide_remote::serve(env.clone(), listener, behind, options);
    let server = env.spawn("server", serving);
    let store = RemoteProvider::new(&env, address, token(), ClientOptions::default());
    let client = Client::new(env.clone(), Arc::new(store));
    let long = client.start("i", "Carry", json(&DATA[0].repeat(500))).await.unwrap_err();
    server.abort();
    let mut kinds = BTreeSet::new();
    for error in &errors {
        let shown = format!("{error:?} {error}");
        assert!(!DATA.iter().chain(&[TOKEN]).any(|secret| shown.contains(secret)), "{shown}");
        kinds.insert(shown.split_whitespace().next().unwrap_or_default().to_owned());
    }
    let shown = format!("{long} {long:?}");
    assert!(!shown.contains("card-4111"), "{shown}");
    let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, ["Busy", "Corrupt", "Invalid", "NewerSchema", "NotFound", "Unusable"]);
    log::has_none_of(&[TOKEN]);
    log::has_none_of(&DATA);
}
