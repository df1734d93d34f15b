//! The clients: each starts instances, signals, cancels and manages them, and waits for
//! their end, through the production client. Not here: whether the end is right (`oracle`).

use crate::host::{Death, Host};
use crate::oracle::answers::{self, Deletion, Read};
use crate::plan::{Action, InstancePlan};
use crate::stage::Order;
use crate::sync::lock;
use crate::wrong::Verdict;
use duroxide_core::{EventKind, InstanceId, Payload};
use duroxide_provider::env::Env;
use duroxide_provider::{InstanceInfo, InstanceState, ListFilter, PruneRule, Selection};
use duroxide_runtime::{Client, ClientError, StartRequest};
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// A client's wait gives up after so long; the driver's bound is well below.
const PATIENCE: Duration = Duration::from_hours(24 * 365 * 10);
/// How long a client waits before it asks again what it got no answer to.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a node is down while it gets another build, and the next one waits.
const DEPLOYMENT: Duration = Duration::from_secs(2);
/// How many ids a client asks for at once.
const PAGE: usize = 7;

/// What a client did to an instance, and saw of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) plan: InstancePlan,
    /// How it ended, as its client was told.
    pub(crate) end: InstanceState,
    /// How often each mail (by its place among the steps) was sent: a client that got no
    /// answer for too long cannot know, and sends another.
    pub(crate) sent: BTreeMap<usize, u64>,
}

/// What all clients have seen so far.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    seen: Mutex<Vec<Seen>>,
    news: Notify,
}

impl Desk {
    /// Everything, once so many instances have been seen through.
    pub(crate) async fn all(&self, count: usize) -> Vec<Seen> {
        loop {
            {
                let seen = lock(&self.seen);
                if seen.len() >= count {
                    return seen.clone();
                }
            }
            self.news.notified().await;
        }
    }
}

/// One host's clients: every instance from its start to its end.
pub(crate) async fn see_through(
    host: Arc<Host>,
    env: Env,
    client: Client,
    instances: Vec<InstancePlan>,
    desk: Arc<Desk>,
) -> Verdict {
    let all = instances.into_iter().map(|plan| {
        let id = plan.id.clone();
        let theirs = Mutex::default();
        let visit = Visit { host: &host, env: &env, client: &client, desk: &desk, theirs };
        async move { visit.see(plan).await.map_err(|wrong| wrong.with(id)) }
    });
    join_all(all).await.into_iter().collect()
}

struct Visit<'a> {
    host: &'a Host,
    env: &'a Env,
    client: &'a Client,
    desk: &'a Desk,
    /// The other instances that it has started and not deleted. Nobody else has to do with them.
    theirs: Mutex<BTreeSet<String>>,
}

impl Visit<'_> {
    async fn see(&self, plan: InstancePlan) -> Verdict {
        self.env.sleep(Duration::from_millis(plan.starts_ms)).await;
        self.start(&plan).await?;
        let mut sent = BTreeMap::new();
        for (place, step) in plan.steps.iter().enumerate() {
            self.env.sleep(Duration::from_millis(step.after_ms)).await;
            let tries = self.act(&plan, &plan.id, &step.action).await?;
            sent.insert(place, tries);
        }
        let id = plan.id.as_str();
        let (_, info) = self.until_known(|| self.client.wait(id, PATIENCE)).await?;
        lock(&self.desk.seen).push(Seen { end: info.state, plan, sent });
        self.desk.news.notify_waiters();
        self.host.stage().stir();
        Ok(())
    }

    async fn start(&self, plan: &InstancePlan) -> Verdict<u64> {
        let orchestration = plan.orchestration.as_str();
        let mut request = StartRequest::new(plan.id.as_str(), orchestration, json(&plan.input));
        if let Some(version) = &plan.version {
            request = request.version(version);
        }
        Ok(self.until_known(|| self.client.start_with(request.clone())).await?.0)
    }

    /// Do it to this instance, the plan's or another; gives how often it had to be asked for.
    async fn act(&self, plan: &InstancePlan, id: &str, action: &Action) -> Verdict<u64> {
        let (client, may_miss) = (self.client, id != plan.id);
        match action {
            Action::Raise { name, data } => {
                self.told(may_miss, || client.raise_event(id, name, json(data))).await
            }
            Action::Enqueue { queue, data } => {
                self.told(may_miss, || client.enqueue_event(id, queue, json(data))).await
            }
            Action::Cancel { reason } => self.told(may_miss, || client.cancel(id, reason)).await,
            Action::Terminate { reason } => {
                self.told(may_miss, || client.terminate(id, reason)).await
            }
            Action::AwaitStatus { status } => self.await_status(id, status).await,
            Action::StartAgain => self.start(plan).await,
            Action::Look => self.look(id, may_miss).await,
            Action::Prune { keep_last } => {
                let rule = PruneRule { keep_last: Some(*keep_last), ..PruneRule::default() };
                self.told(false, || client.prune(these([id]), rule)).await
            }
            Action::Delete { force } => self.delete(id, *force).await,
            Action::DeleteEnded { ids } => {
                // Which of them have ended is not known.
                lock(&self.theirs).retain(|id| !ids.contains(id));
                let ids = || these(ids.iter().map(String::as_str));
                self.told(false, || client.delete_many(ids())).await
            }
            Action::IsGone => self.is_gone(id).await,
            Action::Start { id, orchestration, input } => {
                let start = || client.start(id.as_str(), orchestration.as_str(), json(input));
                let tries = self.told(false, start).await?;
                lock(&self.theirs).insert(id.clone());
                Ok(tries)
            }
            Action::Other { id, action } => Box::pin(self.act(plan, id, action)).await,
            Action::Deploy { build } => self.deploy(*build).await,
        }
    }

    /// Ask for it until it is known to be done; there may be no such instance to do it to.
    async fn told<T, F>(&self, may_miss: bool, ask: impl Fn() -> F) -> Verdict<u64>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let ask = || async {
            match ask().await {
                Err(ClientError::NotFound { .. }) if may_miss => Ok(()),
                answer => answer.map(drop),
            }
        };
        Ok(self.until_known(ask).await?.0)
    }

    /// Delete it. Without force one that runs is left alone.
    async fn delete(&self, id: &str, force: bool) -> Verdict<u64> {
        let exists = lock(&self.theirs).contains(id);
        let delete = || async {
            match self.client.delete(id, force).await {
                Err(ClientError::Invalid { .. }) if !force => Ok(Deletion::Refused),
                Err(ClientError::NotFound { .. }) => Ok(Deletion::Missed),
                answer => answer.map(|_| Deletion::Done),
            }
        };
        let (tries, came) = self.until_known(delete).await?;
        answers::deleted(id, came, exists, tries)?;
        if came != Deletion::Refused {
            self.is_gone(id).await?;
            lock(&self.theirs).remove(id);
        }
        Ok(tries)
    }

    async fn is_gone(&self, id: &str) -> Verdict<u64> {
        let (tries, found) = self.until_known(|| self.client.status(id)).await?;
        answers::gone(id, found.as_ref())?;
        Ok(tries)
    }

    /// Every node in turn goes down, and comes back with this build.
    async fn deploy(&self, build: u32) -> Verdict<u64> {
        let stage = self.host.stage();
        for node in &stage.plan.nodes {
            stage.order(Order::Deploy { host: node.name.clone(), build });
            if let Some(host) = stage.host(&node.name) {
                let down_ms = DEPLOYMENT.as_millis() as u64;
                host.die(&Death { name: "deploy", down_ms, ..Death::default() });
            }
            self.env.sleep(DEPLOYMENT).await;
        }
        Ok(1)
    }

    /// Wait until a custom status was set, or for the end. What was set may be something
    /// else by the time that the client hears of it, but history remembers.
    async fn await_status(&self, id: &str, status: &str) -> Verdict<u64> {
        loop {
            let info = self.status(id).await?;
            if info.state.is_terminal()
                || info.custom_status.as_deref() == Some(status)
                || self.had_status(id, status).await?
            {
                return Ok(1);
            }
            let version = info.custom_status_version;
            self.until_known(|| self.client.wait_for_status_change(id, version, PATIENCE)).await?;
        }
    }

    async fn had_status(&self, id: &str, status: &str) -> Verdict<bool> {
        let (_, executions) = self.until_known(|| self.client.executions(id)).await?;
        for execution in executions.iter().rev() {
            let number = execution.execution;
            let (_, history) = self.until_known(|| self.client.history(id, number)).await?;
            if history.iter().any(|event| matches!(&event.kind, EventKind::CustomStatusUpdated { status: Some(set) } if set == status)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn status(&self, id: &str) -> Verdict<InstanceInfo> {
        let (_, info) = self.until_known(|| self.client.status(id)).await?;
        answers::there(info, "it was started")
    }

    /// Read what there is to read of an instance, and see that it fits together.
    async fn look(&self, id: &str, may_miss: bool) -> Verdict<u64> {
        let client = self.client;
        let (tries, info) = self.until_known(|| client.status(id)).await?;
        let (_, executions) = self.until_known(|| client.executions(id)).await?;
        let (_, tree) = self.until_known(|| client.tree(id)).await?;
        self.until_known(|| client.stats(id)).await?;
        self.until_known(|| client.kv_all(id)).await?;
        self.until_known(|| client.metrics()).await?;
        let listed = self.is_listed(id).await?;
        if may_miss {
            return Ok(tries);
        }
        let last = executions.last().map(|last| last.execution);
        let execution = answers::fits(&id.into(), &Read { info, last, tree, listed })?;
        self.until_known(|| client.history(id, execution)).await?;
        Ok(tries)
    }

    async fn is_listed(&self, id: &str) -> Verdict<bool> {
        let mut after = None;
        loop {
            let list = || self.client.list(ListFilter::default(), after.clone(), PAGE);
            let (_, page) = self.until_known(list).await?;
            if page.ids.iter().any(|listed| listed.as_str() == id) {
                return Ok(true);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(false),
            }
        }
    }

    /// Ask again while the store cannot be reached. Gives how often it was asked.
    async fn until_known<T, F>(&self, ask: impl Fn() -> F) -> Verdict<(u64, T)>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            match ask().await {
                Ok(answer) => return Ok((tries, answer)),
                Err(error) => answers::passes(&error)?,
            }
            self.env.sleep(AGAIN).await;
        }
    }
}

fn these<'a>(ids: impl IntoIterator<Item = &'a str>) -> Selection {
    Selection { ids: Some(ids.into_iter().map(InstanceId::from).collect()), ..Selection::default() }
}

fn json(value: &Value) -> Payload {
    Payload::json(value.to_string())
}
