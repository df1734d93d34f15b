//! What all hosts of one run share with the driver: time, the trace, the faults still to
//! come, the orders to the driver, the first failure. Not here: who drives (`world`).

use crate::clock::HostTime;
use crate::counts::Counts;
use crate::fault::{Fault, Way};
use crate::host::Host;
use crate::plan::{ClockPlan, Plan, Planned, STORE};
use crate::point::Boundary;
use crate::sync::lock;
use crate::timeline::Timeline;
use crate::trace::{CallDigest, Trace};
use crate::wrong::Wrong;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What only the driver can carry out, between two steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Take the host down, and up again later. It counts if it met work in flight.
    Crash { host: String, down: Duration, silent: bool, counts: bool },
    /// When the host starts again, it runs this build.
    Deploy { host: String, build: u32 },
    /// Cut the host off from the store for a while: both ways, or one.
    Cut { host: String, name: &'static str, way: Option<Way>, lasting: Duration },
    /// Hold up what passes between the host and the store for a while.
    Hold { host: String, lasting: Duration },
}

/// How often a host came to a point, and what waits there.
#[derive(Debug, Default)]
struct Ambush {
    reached: u64,
    waiting: BTreeMap<u64, Vec<Fault>>,
}

/// What is shared.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) plan: Plan,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) trace: Trace,
    stirs: AtomicU64,
    steps: AtomicU64,
    ambushes: Mutex<BTreeMap<String, BTreeMap<Boundary, Ambush>>>,
    orders: Mutex<Vec<Order>>,
    counts: Mutex<Counts>,
    failure: Mutex<Option<Wrong>>,
    /// The present life of each host.
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
    /// The clocks of each host.
    times: BTreeMap<String, HostTime>,
    /// The build that each host runs from its next start.
    builds: Mutex<BTreeMap<String, u32>>,
    /// All is seen to be over: nothing goes wrong any more.
    healed: AtomicBool,
    /// Who waits for the answer to which request.
    callers: Mutex<BTreeMap<[u8; 16], Arc<Host>>>,
}

impl Stage {
    /// The stage of a plan.
    pub(crate) fn new(plan: Plan, keep_trace: bool) -> Arc<Self> {
        let mut ambushes: BTreeMap<String, BTreeMap<Boundary, Ambush>> = BTreeMap::new();
        for planned in &plan.faults {
            let ambush = ambushes.entry(planned.host.clone()).or_default().entry(planned.boundary);
            let waiting = &mut ambush.or_default().waiting;
            waiting.entry(planned.nth).or_default().push(planned.fault.clone());
        }
        let mut times: BTreeMap<_, _> =
            plan.nodes.iter().map(|node| (node.name.clone(), HostTime::new(node.clock))).collect();
        times.insert(STORE.to_owned(), HostTime::new(plan.store.clock));
        let builds = plan.nodes.iter().map(|node| (node.name.clone(), node.build)).collect();
        Arc::new(Self {
            plan,
            timeline: Arc::default(),
            trace: Trace::new(keep_trace),
            stirs: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            ambushes: Mutex::new(ambushes),
            orders: Mutex::default(),
            counts: Mutex::default(),
            failure: Mutex::default(),
            hosts: Mutex::default(),
            times,
            builds: Mutex::new(builds),
            healed: AtomicBool::new(false),
            callers: Mutex::default(),
        })
    }

    /// Write an entry to the trace, at the present time.
    pub(crate) fn record(&self, host: &str, what: &str, detail: &[u8]) {
        self.trace.record(self.timeline.now(), host, what, detail, None);
    }

    /// Write to the trace what became of a call, at the present time.
    pub(crate) fn record_call(&self, host: &str, what: &str, detail: &[u8], call: &CallDigest) {
        self.trace.record(self.timeline.now(), host, what, detail, Some(call));
    }

    /// One host did something to another, not by a message: time must not jump before the
    /// other has noticed.
    pub(crate) fn stir(&self) {
        self.stirs.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was so.
    pub(crate) fn stirs(&self) -> u64 {
        self.stirs.load(Ordering::Relaxed)
    }

    /// The driver has made another step; gives how many it has made.
    pub(crate) fn count_step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many steps the driver has made.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Whether faults may still strike. After it everything mends by itself within the
    /// length of the longest fault, and nothing new goes wrong.
    pub(crate) fn is_chaos(&self) -> bool {
        let is_early = self.timeline.now() < Duration::from_millis(self.plan.chaos_ms);
        is_early && !self.healed.load(Ordering::Relaxed)
    }

    /// Nothing new goes wrong from now on: what is left is looked at.
    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    /// A host has come to a point of its work once more: what strikes it there.
    pub(crate) fn reach(&self, host: &str, boundary: Boundary) -> Vec<Fault> {
        if !self.is_chaos() {
            return Vec::new();
        }
        let mut ambushes = lock(&self.ambushes);
        let Some(ambush) = ambushes.get_mut(host).and_then(|points| points.get_mut(&boundary))
        else {
            return Vec::new();
        };
        ambush.reached += 1;
        let reached = ambush.reached;
        let found = ambush.waiting.remove(&reached).unwrap_or_default();
        for fault in &found {
            let (host, fault) = (host.to_owned(), fault.clone());
            let struck = Planned { host, boundary, nth: reached, fault };
            let detail = || serde_json::to_vec(&struck).unwrap_or_default();
            self.trace.note(self.timeline.now(), &struck.host, "struck", detail);
        }
        found
    }

    /// Tell the driver.
    pub(crate) fn order(&self, order: Order) {
        lock(&self.orders).push(order);
    }

    /// What the driver was told since it last asked.
    pub(crate) fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut lock(&self.orders))
    }

    /// Count a fault that was delivered, or a point that was reached.
    pub(crate) fn count(&self, host: &str, what: &str) {
        self.record(host, "counts", what.as_bytes());
        lock(&self.counts).add(what);
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }

    /// The run has failed; the first reason stays.
    pub(crate) fn fail(&self, wrong: &Wrong) {
        lock(&self.failure).get_or_insert_with(|| wrong.clone());
    }

    /// Why the run has failed, if it has.
    pub(crate) fn failure(&self) -> Option<Wrong> {
        lock(&self.failure).clone()
    }

    /// A host begins a life.
    pub(crate) fn enter(&self, host: &Arc<Host>) {
        lock(&self.hosts).insert(host.name().to_owned(), Arc::clone(host));
    }

    /// The present, or last, life of a host.
    pub(crate) fn host(&self, name: &str) -> Option<Arc<Host>> {
        lock(&self.hosts).get(name).cloned()
    }

    /// Whether this is the store's host.
    #[expect(clippy::unused_self, reason = "which host has the store is a matter of the stage")]
    pub(crate) fn is_store(&self, name: &str) -> bool {
        name == STORE
    }

    /// The clocks of a host: right ones, unless the plan says otherwise.
    pub(crate) fn time_of(&self, host: &str) -> HostTime {
        self.times.get(host).cloned().unwrap_or_else(|| HostTime::new(ClockPlan::default()))
    }

    /// Set the wall clock of a host forward or back.
    pub(crate) fn jump(&self, host: &str, by_ms: i64) {
        if let Some(time) = self.times.get(host) {
            time.jump(by_ms);
        }
    }

    /// The build that a host runs.
    pub(crate) fn build_of(&self, host: &str) -> u32 {
        lock(&self.builds).get(host).copied().unwrap_or_default()
    }

    /// From its next start a host runs another build.
    pub(crate) fn deploy(&self, host: &str, build: u32) {
        lock(&self.builds).insert(host.to_owned(), build);
    }

    /// Nobody does anything any more.
    pub(crate) fn clear(&self) {
        // Each knows this stage: kept here, they would keep it for ever.
        for host in std::mem::take(&mut *lock(&self.hosts)).values() {
            host.silence();
        }
        lock(&self.callers).clear();
    }

    /// A host calls the store with this request.
    pub(crate) fn calls(&self, request: [u8; 16], host: &Arc<Host>) {
        lock(&self.callers).insert(request, Arc::clone(host));
    }

    /// Who called the store with this request.
    pub(crate) fn caller(&self, request: [u8; 16]) -> Option<Arc<Host>> {
        lock(&self.callers).get(&request).cloned()
    }
}
