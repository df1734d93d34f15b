//! The host: where the engine meets the JavaScript thread. It queues what is to run
//! there, wakes the thread at most once for all that is ready together, and carries the
//! answers back. One host belongs to one Runtime; nothing is keyed by a user's id.

use crate::jobs::{Job, PendingTurn, resident_name};
use crate::views::undecodable;
use async_trait::async_trait;
use duroxide_core::{Failure, Payload};
use duroxide_runtime::host::{
    ActivityHost, ActivityTask, OrchestrationHost, ResidentKey, TurnReply, TurnRequest,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// What runs on the JavaScript thread has these names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registered {
    pub(crate) orchestrations: BTreeMap<String, BTreeSet<semver::Version>>,
    pub(crate) activities: BTreeSet<String>,
}

/// Wakes the JavaScript thread to drain.
pub(crate) type Waker = Box<dyn Fn() + Send + Sync>;

/// The host of one Runtime.
pub(crate) struct JsHost {
    registered: Registered,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` once the Runtime is over: nothing is to be run any more.
    wake: Option<Waker>,
    /// A wake-up is on its way and no drain has begun since.
    woken: bool,
    next: u64,
    queue: Vec<Queued>,
    turns: BTreeMap<u64, PendingTurn>,
    activities: BTreeMap<u64, RunningActivity>,
}

enum Queued {
    Turn(u64),
    Activity(u64, Box<ActivityTask>),
    Cancel(u64),
    Evict(ResidentKey),
}

struct RunningActivity {
    cancelled: CancellationToken,
    reply: oneshot::Sender<Result<Payload, Failure>>,
}

impl JsHost {
    pub(crate) fn new(registered: Registered, wake: Waker) -> Arc<Self> {
        let state = State { wake: Some(wake), ..State::default() };
        Arc::new(Self { registered, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Runtime is over: whatever waits is dropped, and JavaScript is left alone.
    pub(crate) fn detach(&self) {
        let mut state = self.state();
        state.wake = None;
        state.queue.clear();
        state.turns.clear();
    }

    /// Everything that waits for the JavaScript thread, as a JSON array.
    pub(crate) fn drain(&self) -> serde_json::Result<String> {
        let mut state = self.state();
        state.woken = false;
        let queue = std::mem::take(&mut state.queue);
        let mut jobs = Vec::with_capacity(queue.len());
        for queued in &queue {
            match queued {
                Queued::Turn(id) => {
                    jobs.extend(state.turns.get(id).map(|turn| Job::turn(*id, &turn.request)));
                }
                Queued::Activity(id, task) => jobs.extend(Job::activity(*id, task)),
                Queued::Cancel(id) => jobs.push(Job::Cancel { id: *id }),
                Queued::Evict(key) => jobs.push(Job::Evict { resident: resident_name(*key) }),
            }
        }
        serde_json::to_string(&jobs)
    }

    /// A turn that was drained, to look at.
    pub(crate) fn with_turn<T>(
        &self,
        id: u64,
        look: impl FnOnce(&mut PendingTurn) -> T,
    ) -> Option<T> {
        self.state().turns.get_mut(&id).map(look)
    }

    /// A turn that was drained, to run or refuse.
    pub(crate) fn take_turn(&self, id: u64) -> Option<PendingTurn> {
        self.state().turns.remove(&id)
    }

    /// An activity came to its end. One that nobody waits for any more is ignored.
    pub(crate) fn settle_activity(&self, id: u64, outcome: Result<Payload, Failure>) {
        if let Some(activity) = self.state().activities.remove(&id) {
            // Nobody waits when the engine gave the activity up.
            let _ = activity.reply.send(outcome);
        }
    }

    pub(crate) fn is_cancelled(&self, id: u64) -> bool {
        self.state().activities.get(&id).is_none_or(|activity| activity.cancelled.is_cancelled())
    }
}

impl State {
    /// Queue a job and wake the JavaScript thread, unless that is under way.
    fn push(&mut self, queued: Queued) {
        let Some(wake) = &self.wake else { return };
        self.queue.push(queued);
        if !std::mem::replace(&mut self.woken, true) {
            wake();
        }
    }

    fn draw_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[async_trait]
impl OrchestrationHost for JsHost {
    fn registered(&self) -> BTreeMap<String, BTreeSet<semver::Version>> {
        self.registered.orchestrations.clone()
    }

    async fn run_turn(&self, request: TurnRequest) -> TurnReply {
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.state();
            let id = state.draw_id();
            state.turns.insert(id, PendingTurn { request, reply });
            state.push(Queued::Turn(id));
        }
        answer
            .await
            .unwrap_or_else(|_| TurnReply::Unavailable("the Runtime is shutting down".into()))
    }

    fn evict(&self, resident: ResidentKey) {
        self.state().push(Queued::Evict(resident));
    }
}

#[async_trait]
impl ActivityHost for JsHost {
    fn registered(&self) -> BTreeSet<String> {
        self.registered.activities.clone()
    }

    async fn run_activity(&self, task: ActivityTask) -> Result<Payload, Failure> {
        if Job::activity(0, &task).is_none() {
            return Err(undecodable(&format!("the input of activity `{}`", task.activity.name)));
        }
        let cancelled = task.cancelled.clone();
        let (reply, mut answer) = oneshot::channel();
        let id = {
            let mut state = self.state();
            let id = state.draw_id();
            state.activities.insert(id, RunningActivity { cancelled: cancelled.clone(), reply });
            state.push(Queued::Activity(id, Box::new(task)));
            id
        };
        let abandoned = Abandoned { host: self, id };
        let outcome = tokio::select! {
            biased;
            outcome = &mut answer => outcome,
            () = cancelled.cancelled() => {
                self.state().push(Queued::Cancel(id));
                answer.await
            }
        };
        drop(abandoned);
        match outcome {
            Ok(outcome) => outcome,
            // The JavaScript side is gone: this attempt has no outcome, and must not invent one.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Tells the JavaScript side when the engine stops waiting for an activity.
struct Abandoned<'a> {
    host: &'a JsHost,
    id: u64,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let mut state = self.host.state();
        if state.activities.remove(&self.id).is_some() {
            state.push(Queued::Cancel(self.id));
        }
    }
}
