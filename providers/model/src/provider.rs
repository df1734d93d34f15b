//! The provider: a handle on a shared state. Each method of the contract takes the lock,
//! reads the clock, calls one function on the state, and rings.

use crate::clock::StoreClock;
use crate::fault::Result;
use crate::state::State;
use crate::{activities, commit, leases, release, submit, turns};
use async_trait::async_trait;
use duroxide_provider::env::Env;
use duroxide_provider::{
    ActivityFate, CommitOutcome, CommitTurn, CompleteActivity, HistoryPage, InstanceKey,
    LeaseActivities, LeaseOrchestrations, LeaseState, LeasedActivities, LeasedOrchestrations,
    MailPage, Provider, ProviderError, ReadHistory, ReadMail, Release, Renew, Submit, Submitted,
    WaitForWork, WakeSeq,
};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What the contract's methods give.
pub(crate) type Answer<T> = std::result::Result<T, ProviderError>;

/// The reference model, as a store: one handle on a state that others may share.
pub struct ModelProvider {
    env: Env,
    clock: StoreClock,
    shared: Arc<Shared>,
    /// This handle's number.
    handle: u64,
    closed: AtomicBool,
}

struct Shared {
    state: Mutex<State>,
    trouble: Mutex<Option<Trouble>>,
    /// Rung by every change.
    bell: Notify,
}

/// How the next call that changes something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// [`ProviderError::Busy`]: it is not applied.
    Busy,
    /// [`ProviderError::Full`]: it is not applied.
    Full,
    /// [`ProviderError::Unknown`]: it is applied, and its answer is lost.
    LostAnswer,
}

/// What a test can make undecodable, as bit rot would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Every recorded event of an instance.
    History,
    /// Every message in the inbox of an instance.
    Mail,
    /// Every open activity of an instance.
    Activities,
}

impl fmt::Debug for ModelProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelProvider(handle {})", self.handle)
    }
}

impl ModelProvider {
    /// A new, empty store with the default limits.
    pub fn new(env: Env) -> Self {
        Self::with_state(env, State::default())
    }

    /// A store that goes on from a state, as one does that is opened again.
    pub fn with_state(env: Env, mut state: State) -> Self {
        state.looked_at = None;
        let (state, trouble, bell) = (Mutex::new(state), Mutex::default(), Notify::new());
        Self::on(env, Arc::new(Shared { state, trouble, bell }))
    }

    fn on(env: Env, shared: Arc<Shared>) -> Self {
        let clock = StoreClock::new(Arc::clone(&env.clock));
        let handle = shared.state.lock().unwrap_or_else(PoisonError::into_inner).number();
        Self { env, clock, shared, handle, closed: AtomicBool::new(false) }
    }

    /// Another handle on the same store, as another process would have, or the same one
    /// after a restart: also when this one is closed.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::on(self.env.clone(), Arc::clone(&self.shared))
    }

    /// All that is stored, as it is now.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// All that is stored, as one value to be compared: the same state gives the same value.
    /// Left out is what no two stores need to have in common (wake-ups, handles); numbers
    /// that a store gives (incarnations, messages) are in it as they were given.
    pub fn snapshot(&self) -> serde_json::Value {
        // Cannot fail: maps have text or numbers for keys.
        serde_json::to_value(&*self.lock()).unwrap_or_default()
    }

    /// Look at what is stored, at the time it is now, without a copy. Nothing is announced by
    /// it that time has brought.
    pub fn look_at<A>(&self, read: impl FnOnce(&State) -> A) -> A {
        read(&self.at_this_time())
    }

    /// Change what is stored behind the contract's back: for those who make a faulty store.
    /// What then calls for a node is announced.
    pub fn edit<A>(&self, change: impl FnOnce(&mut State) -> A) -> A {
        let mut state = self.look();
        let answer = change(&mut state);
        state.look();
        drop(state);
        self.shared.bell.notify_waiters();
        answer
    }

    /// Change what is stored for a moment: nothing is announced, and whoever changes it puts
    /// it back.
    pub fn alter<A>(&self, change: impl FnOnce(&mut State) -> A) -> A {
        let mut state = self.at_this_time();
        state.looked_at = None;
        change(&mut state)
    }

    /// How often something called for a node, by now.
    pub fn wake_seq(&self) -> WakeSeq {
        self.look().wake_seq
    }

    /// Make something of an instance undecodable, from now on until it is written anew.
    pub fn damage(&self, key: &InstanceKey, what: Stored) {
        self.edit(|state| {
            for row in state.instances.values_mut().filter(|row| row.key == *key) {
                match what {
                    Stored::History => row
                        .executions
                        .values_mut()
                        .for_each(|execution| execution.damaged = !execution.events.is_empty()),
                    Stored::Mail => {
                        row.inbox.values_mut().for_each(|message| message.damaged = true);
                    }
                    Stored::Activities => {
                        row.activities.values_mut().for_each(|activity| activity.damaged = true);
                    }
                }
            }
        });
    }

    /// Let the next call that changes something, by any handle, go wrong in this way.
    pub fn trouble(&self, next: Trouble) {
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as time has made it by now, asked by this handle.
    fn look(&self) -> MutexGuard<'_, State> {
        let mut state = self.at_this_time();
        state.look_at_the_time();
        state
    }

    fn at_this_time(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.now = self.clock.after(state.now);
        state.handle = self.handle;
        state
    }

    /// From here on every call fails; `false` if it was so already.
    pub(crate) fn begin_closing(&self) -> bool {
        !self.closed.swap(true, Ordering::SeqCst)
    }

    fn check_open(&self, operation: &str) -> Answer<()> {
        if self.closed.load(Ordering::SeqCst) {
            let (operation, message) = (operation.to_owned(), "the store is closed".to_owned());
            return Err(ProviderError::Unusable { operation, message });
        }
        Ok(())
    }

    pub(crate) fn read<A>(&self, operation: &str, read: impl FnOnce(&State) -> A) -> Answer<A> {
        self.check_open(operation)?;
        Ok(read(&self.look()))
    }

    pub(crate) fn write<A>(
        &self,
        operation: &str,
        write: impl FnOnce(&mut State) -> A,
    ) -> Answer<A> {
        self.check_open(operation)?;
        let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (operation, message) = (operation.to_owned(), "as was asked for".to_owned());
        match trouble {
            None => Ok(self.edit(write)),
            Some(Trouble::Busy) => Err(ProviderError::Busy { operation, message }),
            Some(Trouble::Full) => Err(ProviderError::Full { operation, message }),
            Some(Trouble::LostAnswer) => {
                self.edit(write);
                Err(ProviderError::Unknown { operation, message })
            }
        }
    }

    /// A read, but for the quarantine of what turns out to be undecodable.
    fn read_held<A>(
        &self,
        operation: &str,
        read: impl FnOnce(&mut State) -> Result<A>,
    ) -> Answer<A> {
        self.check_open(operation)?;
        self.edit(read).map_err(|fault| fault.named(operation))
    }

    pub(crate) fn try_write<A>(
        &self,
        operation: &str,
        write: impl FnOnce(&mut State) -> Result<A>,
    ) -> Answer<A> {
        self.write(operation, write)?.map_err(|fault| fault.named(operation))
    }

    /// Read again whenever something was done or is due, until there is an answer or the time
    /// is over.
    pub(crate) async fn wait<A>(
        &self,
        operation: &str,
        max: Duration,
        read: impl Fn(&State) -> (A, bool) + Send,
    ) -> Answer<A> {
        let deadline = self.env.clock.monotonic().saturating_add(max);
        loop {
            let rung = self.shared.bell.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            let left = deadline.saturating_sub(self.env.clock.monotonic());
            let ((answer, enough), due) = self.read(operation, |state| {
                let due = state.next_due().map(|due| Duration::from_millis(due.0 - state.now.0));
                (read(state), due)
            })?;
            if enough || left.is_zero() {
                return Ok(answer);
            }
            tokio::select! {
                biased;
                () = rung => {}
                () = self.env.sleep(due.map_or(left, |due| due.min(left))) => {}
            }
        }
    }
}

#[async_trait]
impl Provider for ModelProvider {
    async fn lease_orchestrations(
        &self,
        request: LeaseOrchestrations,
    ) -> Answer<LeasedOrchestrations> {
        self.write("lease_orchestrations", |state| turns::lease_orchestrations(state, &request))
    }

    async fn read_history(&self, request: ReadHistory) -> Answer<HistoryPage> {
        self.read_held("read_history", |state| turns::read_history(state, &request))
    }

    async fn read_mail(&self, request: ReadMail) -> Answer<MailPage> {
        self.read_held("read_mail", |state| turns::read_mail(state, &request))
    }

    async fn commit_turn(&self, request: CommitTurn) -> Answer<CommitOutcome> {
        self.write("commit_turn", |state| commit::commit_turn(state, &request))
    }

    async fn lease_activities(&self, request: LeaseActivities) -> Answer<LeasedActivities> {
        self.write("lease_activities", |state| activities::lease_activities(state, &request))
    }

    async fn complete_activity(&self, request: CompleteActivity) -> Answer<ActivityFate> {
        self.write("complete_activity", |state| activities::complete_activity(state, &request))
    }

    async fn renew(&self, request: Renew) -> Answer<Vec<LeaseState>> {
        self.write("renew", |state| leases::renew(state, &request))
    }

    async fn release(&self, request: Release) -> Answer<()> {
        self.write("release", |state| release::release(state, &request))
    }

    async fn submit(&self, request: Submit) -> Answer<Submitted> {
        self.try_write("submit", |state| submit::submit(state, &request))
    }

    async fn wait_for_work(&self, request: WaitForWork) -> Answer<WakeSeq> {
        let read = |state: &State| (state.wake_seq, state.wake_seq != request.after);
        self.wait("wait_for_work", request.max, read).await
    }
}
