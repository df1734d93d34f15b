//! A store with nodes of both builds on it, and what a test wants to know of an instance.

use crate::build::{BUILD, Build, LOG, Place, Ran, SCHEMA, STORE, TIMEOUT_MS};
use duroxide_core::{CompatFlags, EventKind, ExecutionId, Failure, Payload};
use duroxide_postgres_cluster::cluster_url;
use duroxide_provider::env::Env;
use duroxide_provider::{InstanceInfo, InstanceState, Store};
use duroxide_runtime::{Client, StartRequest, system_env, waiting_for};
use duroxide_tests::{PATIENCE, Scratch};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A node of a build, in a process of its own; killed on drop.
pub(crate) struct Node {
    child: Child,
    log: PathBuf,
}

impl Node {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and wait until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How many lines of its log have all of these.
    pub(crate) fn logged(&self, parts: &[&str]) -> usize {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store, and a client of it.
pub(crate) struct Stage {
    scratch: Scratch,
    place: Place,
    pub(crate) env: Env,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) client: Client,
}

impl Stage {
    pub(crate) async fn on_file(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let place = Place { store: scratch.database(), schema: String::new() };
        Self::at(scratch, place).await
    }

    pub(crate) async fn on_server(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("upgrades_{}_{number}", std::process::id());
        let place = Place { store: cluster_url(), schema };
        Self::at(Scratch::new(name), place).await
    }

    pub(crate) async fn at(scratch: Scratch, place: Place) -> Self {
        let env = system_env();
        let store = place.open(&env).await;
        let client = Client::new(env.clone(), Arc::clone(&store));
        Self { scratch, place, env, store, client }
    }

    pub(crate) fn node(&self, build: Build, timeout: Duration) -> Node {
        let mut number = 0;
        let log = loop {
            let log = self.scratch.path().join(format!("log-{number}"));
            if !log.exists() {
                break log;
            }
            number += 1;
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "build::node_process", "--nocapture"])
            .env(STORE, &self.place.store)
            .env(SCHEMA, &self.place.schema)
            .env(BUILD, format!("{build:?}"))
            .env(LOG, &log)
            .env(TIMEOUT_MS, timeout.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        assert!(stdout.lines().map_while(Result::ok).any(|line| line == "ready"));
        Node { child, log }
    }

    pub(crate) async fn start(&self, id: &str, name: &str, version: Option<&str>) {
        let request = StartRequest::new(id, name, Payload::null());
        let request = match version {
            Some(version) => request.version(version),
            None => request,
        };
        self.client.start_new(request).await.unwrap();
    }

    pub(crate) async fn go(&self, id: &str) {
        self.client.raise_event(id, "go", Payload::null()).await.unwrap();
    }

    /// Wait until the status of an instance is as wanted.
    pub(crate) async fn until(
        &self,
        id: &str,
        wanted: impl Fn(&InstanceInfo) -> bool,
    ) -> InstanceInfo {
        let look = async {
            loop {
                let info = self.client.status(id).await.unwrap().unwrap();
                if wanted(&info) {
                    return info;
                }
                self.env.sleep(Duration::from_millis(10)).await;
            }
        };
        let found = self.env.timeout(PATIENCE, look).await;
        match found {
            Some(info) => info,
            None => panic!("{:?}", self.client.status(id).await),
        }
    }

    /// Wait until an instance waits for its `go`.
    pub(crate) async fn waits(&self, id: &str) -> InstanceInfo {
        self.until(id, |info| waiting_for(info).is_some_and(|said| said.contains("'go'"))).await
    }

    /// Wait until an instance is said to have nobody that takes its next turn.
    pub(crate) async fn nobody_takes(&self, id: &str) -> String {
        let said = |info: &InstanceInfo| waiting_for(info).unwrap_or_default();
        let info = self.until(id, |info| said(info).contains("no live node")).await;
        said(&info)
    }

    /// What an instance returned: who ran its activities, each in its first attempt.
    pub(crate) async fn ran(&self, id: &str) -> (u32, u32) {
        let output = self.client.wait_for_output(id, PATIENCE).await.unwrap();
        let ran: (Ran, Ran) = serde_json::from_str(output.as_json().unwrap()).unwrap();
        assert_eq!((ran.0.1, ran.1.1), (1, 1), "{id}: no attempt is charged for nothing");
        (ran.0.0, ran.1.0)
    }

    pub(crate) async fn version(&self, id: &str) -> String {
        self.client.status(id).await.unwrap().unwrap().version.unwrap()
    }

    pub(crate) async fn failure(&self, id: &str) -> Failure {
        match self.client.wait(id, PATIENCE).await.unwrap().state {
            InstanceState::Failed { failure } => failure,
            other => panic!("{id} did not fail: {other:?}"),
        }
    }

    /// The flags that an instance was started with.
    pub(crate) async fn flags(&self, id: &str) -> CompatFlags {
        let history = self.client.history(id, ExecutionId::FIRST).await.unwrap();
        match &history[0].kind {
            EventKind::OrchestrationStarted { flags, .. } => *flags,
            other => panic!("{other:?}"),
        }
    }
}
