//! The server: what all sessions share, and its death. Not here: what a session does.

use crate::locks::Locks;
use crate::options::Options;
use crate::statement::{Kind, SqlState, Statement, Verdict};
use crate::unflushed::Unflushed;
use crate::wake::Listeners;
use duroxide_model::{ModelProvider, State};
use duroxide_provider::env::Env;
use duroxide_sim_dice::Dice;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What has happened, faults among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions begun, by call: as many as there were tries.
    pub sessions: BTreeMap<&'static str, u64>,
    /// Statements announced.
    pub statements: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Sessions that were rolled back.
    pub rolled_back: u64,
    /// Times that a session waited for a row.
    pub waits: u64,
    /// Rows that were wanted anew, since what was committed meanwhile had changed the look.
    pub rechecks: u64,
    /// Rows that a leasing call passed over since another had locked them.
    pub passed_over: u64,
    /// Circles that were broken.
    pub deadlocks: u64,
    /// Failures by a verdict, delivered.
    pub failures: BTreeMap<SqlState, u64>,
    /// Delays by a verdict.
    pub delays: u64,
    /// Calls that were sent again.
    pub retries: u64,
    /// Listeners told.
    pub notifications: u64,
    /// Listeners that were not told.
    pub lost_notifications: u64,
    /// Times that a listener found out by itself what it was not told.
    pub polls: u64,
    /// Answers that were lost by a verdict.
    pub lost_answers: u64,
    /// Transactions committed after their client was gone.
    pub orphans: u64,
    /// Leasing calls that the server forgot when it died.
    pub forgotten: u64,
    /// Times that the server died.
    pub restarts: u64,
}

/// Asked before each statement.
pub(crate) type Hook = dyn Fn(&Statement) -> Verdict + Send + Sync;

/// See the module.
pub(crate) struct Server {
    pub(crate) env: Env,
    pub(crate) options: Options,
    pub(crate) model: ModelProvider,
    core: Mutex<Core>,
    hook: Mutex<Option<Arc<Hook>>>,
    /// Rung when the server dies: all connections are cut.
    pub(crate) cut: Notify,
}

/// What changes. Whoever reads or changes the model holds it meanwhile.
#[derive(Default)]
pub(crate) struct Core {
    pub(crate) locks: Locks,
    pub(crate) listeners: Listeners,
    pub(crate) counters: Counters,
    pub(crate) unflushed: Unflushed,
    nths: BTreeMap<(&'static str, Kind), u64>,
    last_session: u64,
    /// Rises when the server dies.
    pub(crate) life: u64,
}

impl Server {
    pub(crate) fn new(env: Env, options: Options, mut state: State) -> Self {
        state.limits = options.limits.clone();
        let model = ModelProvider::with_state(env.clone(), state);
        let (core, hook, cut) = (Mutex::default(), Mutex::default(), Notify::new());
        Self { env, options, model, core, hook, cut }
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tell those who wait what time has brought. To be done before anything else announces
    /// itself, so that the two are not taken for each other.
    pub(crate) fn look_at_the_clock(&self, core: &mut Core) {
        let seq = self.model.wake_seq();
        core.listeners.time_has_come(seq);
    }

    pub(crate) fn set_hook(&self, hook: Arc<Hook>) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }

    /// What is to become of a statement, and the how manieth of its kind it is.
    pub(crate) fn announce(&self, mut statement: Statement) -> (Verdict, u64) {
        {
            let mut core = self.core();
            core.counters.statements += 1;
            let nth = core.nths.entry((statement.call, statement.kind)).or_default();
            *nth += 1;
            statement.nth = *nth;
        }
        // Asked without any lock: it may ask back.
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let verdict = hook.map_or(Verdict::Go, |hook| hook(&statement));
        let mut core = self.core();
        match verdict {
            Verdict::Go | Verdict::LoseNotification => {}
            Verdict::Fail(state) => *core.counters.failures.entry(state).or_default() += 1,
            Verdict::Delay(_) => core.counters.delays += 1,
            Verdict::LoseAnswer => core.counters.lost_answers += 1,
        }
        (verdict, statement.nth)
    }

    /// A new session for this call: its number, and the life of the server it belongs to.
    pub(crate) fn begin(&self, call: &'static str) -> (u64, u64) {
        let mut core = self.core();
        *core.counters.sessions.entry(call).or_default() += 1;
        core.last_session += 1;
        (core.last_session, core.life)
    }

    /// Die, and be there again at once.
    pub(crate) fn restart(&self) {
        let mut core = self.core();
        core.life += 1;
        core.counters.restarts += 1;
        core.locks = Locks::default();
        let mut dice = Dice::nth(self.options.seed, "crash", core.life);
        let now = self.env.clock.monotonic();
        let forgotten = core.unflushed.lose(now, |most| dice.up_to(most));
        core.counters.forgotten += forgotten.len() as u64;
        self.model.edit(|state| {
            for before in forgotten {
                before.restore(state);
            }
        });
        // Nobody knows what was missed.
        core.listeners.ring_all();
        drop(core);
        self.cut.notify_waiters();
    }
}
