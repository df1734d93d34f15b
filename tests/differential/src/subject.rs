//! A store under test, with its handles, its names and its clock. Not here: what it is compared
//! with (`lockstep`).

use crate::call::{Answer, Call, Outcome, Refused};
use crate::names::{Names, parents_first};
use duroxide_conformance::Factory;
use duroxide_provider::{LeaseId, NodeId, ProviderError, Store, WaitForWork, WakeSeq};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What makes stores of one kind, each with a clock of its own.
pub struct Kind {
    /// What it is called in reports.
    pub name: &'static str,
    /// Several handles may be open on one store, and it may be closed and opened again.
    pub shared: bool,
    /// How long a call that must come back may take, on the real clock.
    pub patience: Duration,
    /// Make the world around one store.
    pub make: Box<dyn Fn() -> Made>,
}

/// What is done behind a store's back when a call was answered.
pub type Meddling = Box<dyn Fn(&Call, &Answer)>;

/// The world around one store.
pub struct Made {
    /// Opens it, and moves its clock.
    pub factory: Arc<dyn Factory>,
    /// A defect, planted to see that it is found.
    pub defect: Option<Meddling>,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Made")
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What was done to a store, so that it can be done to another.
enum Deed {
    Call(usize, Call),
    Advance(Duration),
    SetBack(Duration),
    Reopen,
    Leave,
}

/// See the module.
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'a Kind,
    factory: Arc<dyn Factory>,
    defect: Option<Meddling>,
    handles: Vec<Arc<dyn Store>>,
    pub(crate) names: Names,
    deeds: Vec<Deed>,
    /// When somebody who asked got all there was: the question, and where to wait from.
    satisfied: BTreeMap<String, WakeSeq>,
    /// Leases asked for. Asked again, one gives what it gave, and says nothing of what is new.
    asked: BTreeSet<LeaseId>,
}

impl<'a> Subject<'a> {
    /// A fresh store; with two handles if the sequence is to use them.
    pub(crate) async fn open(kind: &'a Kind, shared: bool) -> Result<Self, String> {
        let Made { factory, defect } = (kind.make)();
        let first = factory.open().await;
        let mut subject = Self {
            kind,
            factory,
            defect,
            handles: Vec::new(),
            names: Names::default(),
            deeds: Vec::new(),
            satisfied: BTreeMap::new(),
            asked: BTreeSet::new(),
        };
        subject.begin(Some(first), "open").await?;
        if shared {
            subject.another().await?;
        }
        Ok(subject)
    }

    async fn another(&mut self) -> Result<(), String> {
        let handle = self.factory.another().await;
        self.begin(handle, "another").await
    }

    /// A handle knows the time from when it first looks at the clock: all look at once.
    async fn begin(&mut self, handle: Option<Arc<dyn Store>>, what: &str) -> Result<(), String> {
        let handle = handle.ok_or_else(|| self.unable(what))?;
        handle.depths().await.map_err(|error| error.to_string())?;
        self.handles.push(handle);
        Ok(())
    }

    fn unable(&self, what: &str) -> String {
        format!("{} cannot `{what}`", self.kind.name)
    }

    /// One call, with its answer in numbers.
    pub(crate) async fn call(&mut self, handle: u8, call: &Call) -> Result<Outcome, String> {
        let answer = self.send(handle, call).await?;
        self.number(call, answer)
    }

    /// One call, with the store's own names in its answer.
    pub(crate) async fn send(
        &mut self,
        handle: u8,
        call: &Call,
    ) -> Result<Result<Answer, ProviderError>, String> {
        let mut answers = self.send_all(handle, &[call]).await?;
        answers.pop().ok_or_else(|| "no answer".to_owned())
    }

    /// Calls at once, each on a handle of its own as far as there are enough.
    pub(crate) async fn send_all(
        &mut self,
        first: u8,
        calls: &[&Call],
    ) -> Result<Vec<Result<Answer, ProviderError>>, String> {
        let (mut sending, mut sent) = (Vec::new(), Vec::new());
        let patience = self.kind.patience;
        for (nth, call) in calls.iter().enumerate() {
            let handle = (usize::from(first) + nth) % self.handles.len();
            let raw = self.names.translate(call);
            self.deeds.push(Deed::Call(handle, raw.clone()));
            sent.push(raw.clone());
            let store = Arc::clone(&self.handles[handle]);
            sending.push(async move {
                let operation = raw.operation();
                let answered = tokio::time::timeout(patience, Box::pin(raw.send(&*store))).await;
                answered.map_err(|_| format!("`{operation}` still waits after {patience:?}"))
            });
        }
        let answers: Result<Vec<_>, String> = join_all(sending).await.into_iter().collect();
        let answers = answers.map_err(|error| format!("{}: {error}", self.kind.name))?;
        for (raw, answer) in sent.iter().zip(&answers) {
            if let (Some(meddle), Ok(answer)) = (&self.defect, answer) {
                meddle(raw, answer);
            }
        }
        for (nth, (call, answer)) in calls.iter().zip(&answers).enumerate() {
            let handle = (usize::from(first) + nth) % self.handles.len();
            let Some(question) = question(handle, call) else { continue };
            if let (true, Ok(answer)) = (self.asked.insert(question.lease), answer) {
                self.remember(question, answer);
            }
        }
        Ok(answers)
    }

    fn remember(&mut self, question: Question, answer: &Answer) {
        let (got, seq) = match answer {
            Answer::Orchestrations(leased) => (leased.instances.len(), leased.wake_seq),
            Answer::Activities(leased) => (leased.activities.len(), leased.wake_seq),
            _ => return,
        };
        if got < question.max {
            self.satisfied.insert(question.text, seq);
        } else {
            self.satisfied.remove(&question.text);
        }
    }

    /// An answer in numbers.
    pub(crate) fn number(
        &mut self,
        call: &Call,
        answer: Result<Answer, ProviderError>,
    ) -> Result<Outcome, String> {
        match answer {
            Ok(answer) => self
                .names
                .number(call, answer)
                .map(Ok)
                .map_err(|error| format!("{}: {error}", self.kind.name)),
            Err(error) => Ok(Err(self.names.number_refused(Refused::from(error)))),
        }
    }

    /// What everybody sees. Asked at once, through one handle or the other.
    pub(crate) async fn views(
        &mut self,
        handle: u8,
        calls: &[Call],
    ) -> Result<Vec<Outcome>, String> {
        let store = &self.handles[usize::from(handle) % self.handles.len()];
        let reads = calls.iter().map(|call| Box::pin(self.names.translate(call).send(&**store)));
        let answers = tokio::time::timeout(self.kind.patience, join_all(reads)).await;
        let answers = answers.map_err(|_| format!("{}: a read hangs", self.kind.name))?;
        parents_first(calls, &answers).map_err(|error| format!("{}: {error}", self.kind.name))?;
        calls.iter().zip(answers).map(|(call, answer)| self.number(call, answer)).collect()
    }

    /// Whoever got all there was is told of what came since: a wait comes back.
    pub(crate) async fn is_told(
        &mut self,
        handle: u8,
        call: &Call,
    ) -> Result<Option<(Call, Outcome)>, String> {
        let handle = usize::from(handle) % self.handles.len();
        let question = question(handle, call).filter(|asks| !self.asked.contains(&asks.lease));
        let Some(Question { text, node, .. }) = question else { return Ok(None) };
        let Some(after) = self.satisfied.get(&text).copied() else { return Ok(None) };
        let wait = Call::WaitForWork(WaitForWork { node, after, max: Duration::from_hours(1) });
        let waiting = Box::pin(wait.clone().send(&*self.handles[handle]));
        match tokio::time::timeout(self.kind.patience, waiting).await {
            Ok(Ok(answer)) => Ok(Some((wait, Ok(answer)))),
            Ok(Err(error)) => Err(format!("{}: {error}", self.kind.name)),
            Err(_) => Err(format!(
                "{}: there is work that came after {after:?}, and wait_for_work does not say so",
                self.kind.name
            )),
        }
    }

    pub(crate) async fn advance(&mut self, by: Duration) {
        self.deeds.push(Deed::Advance(by));
        self.factory.advance(by).await;
    }

    pub(crate) async fn set_back(&mut self, by: Duration) -> Result<(), String> {
        self.deeds.push(Deed::SetBack(by));
        let done = self.factory.set_wall_clock_back(by).await;
        if done { Ok(()) } else { Err(self.unable("set_wall_clock_back")) }
    }

    /// Close every handle, and open as many again.
    pub(crate) async fn reopen(&mut self) -> Result<(), String> {
        self.deeds.push(Deed::Reopen);
        self.satisfied.clear();
        let several = self.handles.len() > 1;
        for handle in self.handles.drain(..) {
            handle.close().await.map_err(|error| error.to_string())?;
        }
        let handle = self.factory.reopen().await;
        self.begin(handle, "reopen").await?;
        if several { self.another().await } else { Ok(()) }
    }

    /// The last handle goes, and another comes.
    pub(crate) async fn leave(&mut self) -> Result<(), String> {
        self.deeds.push(Deed::Leave);
        self.satisfied.clear();
        let Some(handle) = self.handles.pop() else { return Ok(()) };
        handle.close().await.map_err(|error| error.to_string())?;
        self.another().await
    }

    /// A store to which the same was done: as deterministic as the reference is, the same.
    pub(crate) async fn fork(&self) -> Result<Self, String> {
        let mut fork = Self::open(self.kind, self.handles.len() > 1).await?;
        for deed in &self.deeds {
            match deed {
                Deed::Call(handle, raw) => {
                    let _ = Box::pin(raw.clone().send(&*fork.handles[*handle])).await;
                }
                Deed::Advance(by) => fork.advance(*by).await,
                Deed::SetBack(by) => fork.set_back(*by).await?,
                Deed::Reopen => fork.reopen().await?,
                Deed::Leave => fork.leave().await?,
            }
        }
        fork.names = self.names.clone();
        Ok(fork)
    }

    /// Close every handle for good.
    pub(crate) async fn close(&self) -> Result<(), String> {
        for handle in &self.handles {
            let closed = handle.close().await;
            closed.map_err(|error| format!("{}: {error}", self.kind.name))?;
        }
        Ok(())
    }
}

/// Who asks for what: two leases with the same text compete for the same work.
struct Question {
    text: String,
    node: NodeId,
    lease: LeaseId,
    max: usize,
}

fn question(handle: usize, call: &Call) -> Option<Question> {
    let (text, node, lease, max) = match call {
        Call::LeaseOrchestrations(request) => {
            (format!("{:?}", request.filter), &request.node, request.lease, request.max)
        }
        Call::LeaseActivities(request) => {
            (format!("{:?}", request.filter), &request.node, request.lease, request.max)
        }
        _ => return None,
    };
    Some(Question { text: format!("{handle} {node:?} {text}"), node: node.clone(), lease, max })
}
