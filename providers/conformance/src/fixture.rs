//! What a check is given: a fresh store, its time, ids never used before, and the steps
//! that most checks begin with.

use crate::builders::{Node, Tenure};
use crate::expect::{CheckResult, Stop, expect_eq};
use crate::factory::{Damage, Factory, Trouble};
use duroxide_core::{Channel, Event, ExecutionId, Headers, KvEntry, MailName, Payload};
use duroxide_provider::{
    CommitId, InstanceInfo, InstanceKey, LeaseId, RequestId, Store, Submission, Submit, Submitted,
};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A fresh store and what a check does with it.
#[derive(Clone)]
pub struct Fixture {
    factory: Arc<dyn Factory>,
    store: Arc<dyn Store>,
    drawn: Arc<AtomicU64>,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fixture")
    }
}

impl Fixture {
    /// A fixture over a fresh store.
    pub async fn open(factory: Arc<dyn Factory>) -> Self {
        let store = factory.open().await;
        Self { factory, store, drawn: Arc::default() }
    }

    /// The store under check.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Let at least so many milliseconds of the store's time pass.
    pub(crate) async fn advance(&self, ms: u64) {
        self.factory.advance(Duration::from_millis(ms)).await;
    }

    /// The store closed and opened again.
    pub(crate) async fn reopened(&self) -> CheckResult<Self> {
        self.store.close().await?;
        let store = self.factory.reopen().await.ok_or_else(|| skipped("reopen"))?;
        Ok(Self { store, ..self.clone() })
    }

    /// Another handle on the same store.
    pub(crate) async fn another(&self) -> CheckResult<Self> {
        let store = self.factory.another().await.ok_or_else(|| skipped("another"))?;
        Ok(Self { store, ..self.clone() })
    }

    /// Set the wall clock under the store back.
    pub(crate) async fn set_wall_clock_back(&self, by: Duration) -> CheckResult {
        let done = self.factory.set_wall_clock_back(by).await;
        if done { Ok(()) } else { Err(skipped("set_wall_clock_back")) }
    }

    /// Let the next call that changes something go wrong.
    pub(crate) async fn trouble(&self, next: Trouble) -> CheckResult {
        if self.factory.trouble(next).await { Ok(()) } else { Err(skipped("trouble")) }
    }

    /// Make something stored undecodable.
    pub(crate) async fn damage(&self, what: Damage) -> CheckResult {
        if self.factory.damage(what).await { Ok(()) } else { Err(skipped("damage")) }
    }

    /// The output of a future that must not hang.
    #[expect(clippy::disallowed_methods, reason = "a call that hangs must fail its check")]
    pub(crate) async fn soon<T>(
        &self,
        what: &str,
        call: impl Future<Output = T>,
    ) -> CheckResult<T> {
        let patience = self.factory.patience();
        tokio::time::timeout(patience, call)
            .await
            .map_err(|_| Stop::Failed(format!("{what}: still waiting after {patience:?}")))
    }

    /// A lease id never used before.
    pub(crate) fn lease_id(&self) -> LeaseId {
        LeaseId(self.draw())
    }

    /// A commit id never used before.
    pub(crate) fn commit_id(&self) -> CommitId {
        CommitId(self.draw())
    }

    /// A request id never used before.
    pub(crate) fn request_id(&self) -> RequestId {
        RequestId(self.draw())
    }

    /// Unlike random ids these are the same at every run; like them they are spread.
    fn draw(&self) -> u128 {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed) + 1;
        u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }

    /// A node that runs everything the checks use.
    pub(crate) fn node(&self, name: &str) -> Node {
        Node::new(self.clone(), name)
    }

    /// Create an instance of `Flow`, latest version.
    pub(crate) async fn start(&self, id: &str) -> CheckResult {
        let submitted = self.submit(id, start("Flow", None)).await?;
        expect_eq!(format!("starting `{id}`"), submitted, Submitted::Created);
        Ok(())
    }

    /// Create an instance and take its first turn; it is held by node `n1` for a long time.
    pub(crate) async fn begun(&self, id: &str) -> CheckResult<Tenure> {
        self.start(id).await?;
        let mut tenure = self.node("n1").lease_instance(id).await?;
        tenure.turn().admit_all().keep().commit().await?;
        Ok(tenure)
    }

    /// Create an instance and take its first turn; it waits and nobody holds it. The tenure
    /// is over: what is sent under it comes late.
    pub(crate) async fn waiting(&self, id: &str) -> CheckResult<Tenure> {
        self.start(id).await?;
        let mut tenure = self.node("n1").lease_instance(id).await?;
        tenure.turn().admit_all().commit().await?;
        Ok(tenure)
    }

    /// An instance with one queued activity `Greet`; it waits and nobody holds it.
    pub(crate) async fn with_activity(&self, id: &str) -> CheckResult<Tenure> {
        self.start(id).await?;
        let mut tenure = self.node("n1").lease_instance(id).await?;
        tenure.turn().admit_all().activity("Greet").commit().await?;
        Ok(tenure)
    }

    /// An instance that completed with `"done"`.
    pub(crate) async fn ended(&self, id: &str) -> CheckResult<Tenure> {
        self.start(id).await?;
        let mut tenure = self.node("n1").lease_instance(id).await?;
        tenure.turn().admit_all().complete("\"done\"").commit().await?;
        Ok(tenure)
    }

    /// A parent (held by `n1`) with a child `{id}-child` created by its first turn.
    pub(crate) async fn family(&self, id: &str) -> CheckResult<Tenure> {
        self.start(id).await?;
        let mut parent = self.node("n1").lease_instance(id).await?;
        parent.turn().admit_all().child("Child", &format!("{id}-child")).keep().commit().await?;
        Ok(parent)
    }

    /// A new request of a client.
    pub(crate) async fn submit(&self, id: &str, what: Submission) -> CheckResult<Submitted> {
        Ok(self.store.submit(self.request(id, what)).await?)
    }

    /// A request of a client, to be sent more than once.
    pub(crate) fn request(&self, id: &str, what: Submission) -> Submit {
        Submit { request: self.request_id(), key: InstanceKey::new(id), what }
    }

    /// Raise an event.
    pub(crate) async fn event(&self, id: &str, name: &str, data: &str) -> CheckResult {
        let submitted = self.submit(id, mail(Channel::Event, name, data)).await?;
        expect_eq!(format!("an event for `{id}`"), submitted, Submitted::Accepted);
        Ok(())
    }

    /// Ask an instance to stop.
    pub(crate) async fn cancel(&self, id: &str) -> CheckResult<Submitted> {
        self.submit(id, Submission::Cancel { reason: "enough".to_owned() }).await
    }

    /// Stop an instance.
    pub(crate) async fn terminate(&self, id: &str) -> CheckResult<Submitted> {
        self.submit(id, Submission::Terminate { reason: "at once".to_owned() }).await
    }

    /// The instance, if it exists.
    pub(crate) async fn find(&self, id: &str) -> CheckResult<Option<InstanceInfo>> {
        Ok(self.store.instance(InstanceKey::new(id)).await?)
    }

    /// The instance, which must exist.
    pub(crate) async fn info(&self, id: &str) -> CheckResult<InstanceInfo> {
        let found = self.find(id).await?;
        found.ok_or_else(|| Stop::Failed(format!("instance `{id}` is expected to exist")))
    }

    /// The history of an execution as the store's readers see it.
    pub(crate) async fn events(&self, id: &str, execution: u64) -> CheckResult<Vec<Event>> {
        Ok(self.store.history(InstanceKey::new(id), ExecutionId(execution)).await?)
    }

    /// The key-value pairs of an instance.
    pub(crate) async fn kv(&self, id: &str) -> CheckResult<Vec<(String, String)>> {
        Ok(pairs(&self.store.kv(InstanceKey::new(id)).await?))
    }
}

/// Keys and values, without their times.
pub(crate) fn pairs(entries: &[KvEntry]) -> Vec<(String, String)> {
    entries.iter().map(|e| (e.key.clone(), e.value.clone())).collect()
}

/// Create an instance of an orchestration.
pub(crate) fn start(name: &str, version: Option<&str>) -> Submission {
    Submission::Start {
        name: name.to_owned(),
        version: version.map(ToOwned::to_owned),
        input: Payload::json("1"),
        headers: Headers::new(),
    }
}

/// A message for an instance.
pub(crate) fn mail(channel: Channel, name: &str, data: &str) -> Submission {
    let mailbox = MailName { channel, name: name.to_owned() };
    Submission::Mail { mailbox, data: Payload::json(data) }
}

fn skipped(ability: &str) -> Stop {
    Stop::Skipped(format!("the factory has no `{ability}`"))
}
