//! What the callers of a sequence know: leases they hold or held, activities, what they sent. It
//! reads a step's choices against that, and so makes a call of them; and it learns from answers.
//! Not here: what is right, which it has no opinion of (`lockstep` compares), and the making of
//! turns (`turn`).

use crate::call::{Answer, Call, Outcome};
use crate::clock::EPOCH_MS;
use crate::step::{Ask, Select, Start, What};
use crate::tables;
use crate::turn;
use duroxide_core::{
    Arrival, CompatFlags, End, EventId, ExecutionId, Failure, Headers, InstanceId, Payload, TimeMs,
};
use duroxide_provider::{
    ActivityKey, Applied, CommitId, CommitOutcome, CommitTurn, CompleteActivity, Held, Incarnation,
    InstanceKey, LeaseActivities, LeaseId, LeaseOrchestrations, LeasedInstance, ListFilter, NodeId,
    PruneRule, ReadHistory, ReadMail, Release, Renew, RequestId, Selection, Submission, Submit,
    WatchRequest,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For so long a request is certainly remembered; its sender stops before.
const REMEMBERED_MS: u64 = 5 * 60_000;

/// A leased instance, as its holder knows it.
#[derive(Debug, Clone)]
pub(crate) struct Tenure {
    pub(crate) node: NodeId,
    pub(crate) lease: LeaseId,
    pub(crate) incarnation: Incarnation,
    pub(crate) execution: ExecutionId,
    pub(crate) next_event: EventId,
    pub(crate) base: Option<CommitId>,
    pub(crate) flags: CompatFlags,
    pub(crate) arrivals: Vec<Arrival>,
    /// Believed to hold.
    live: bool,
}

/// A leased activity.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) activity: ActivityKey,
    pub(crate) lease: LeaseId,
    live: bool,
}

/// What the commits of an instance say of its execution.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) turn: u64,
    pub(crate) last_commit: Option<CommitId>,
    pub(crate) open: Vec<Open>,
    pub(crate) children: Vec<(EventId, InstanceId)>,
}

/// Something scheduled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Open {
    Activity(EventId),
    Timer(EventId),
}

struct Sent {
    call: Call,
    at: u64,
}

/// See the module.
#[derive(Default)]
pub struct World {
    pub(crate) now: u64,
    drawn: u64,
    tenures: Vec<Tenure>,
    pub(crate) tasks: Vec<Task>,
    known: BTreeMap<Incarnation, Known>,
    sent: Vec<Sent>,
    keys: BTreeMap<Incarnation, InstanceKey>,
    exists: BTreeSet<InstanceKey>,
    executions: BTreeMap<InstanceKey, u64>,
}

impl World {
    /// Callers that know nothing yet.
    pub fn new() -> Self {
        Self { now: EPOCH_MS, ..Self::default() }
    }

    /// So much time passes.
    pub(crate) fn pass(&mut self, by: Duration) {
        self.now += u64::try_from(by.as_millis()).unwrap_or(0);
    }

    /// Ids never used before: the same at every run, and spread like random ones.
    pub(crate) fn draw(&mut self) -> u128 {
        self.drawn += 1;
        u128::from(self.drawn).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }

    /// The call that a step asks for; `None` when there is nothing it could be about.
    pub fn resolve(&mut self, what: &What) -> Option<Call> {
        let call = match what {
            What::Start(start) => self.start(start),
            What::Mail { id, mailbox } => {
                let (mailbox, data) = (tables::mailbox(*mailbox), tables::data(*mailbox));
                self.submit(*id, Submission::Mail { mailbox, data })
            }
            What::Cancel { id } => {
                self.submit(*id, Submission::Cancel { reason: "enough".to_owned() })
            }
            What::Terminate { id } => {
                self.submit(*id, Submission::Terminate { reason: "at once".to_owned() })
            }
            What::LeaseTurns(ask) => self.lease_turns(ask),
            What::LeaseWork(ask) => self.lease_work(ask),
            What::Turn(turn) => {
                let tenure = self.tenure(turn.tenure)?.clone();
                let request = turn::build(self, &tenure, turn);
                Call::CommitTurn(Box::new(request))
            }
            What::Complete { task, failed, wrong } => self.complete(*task, *failed, *wrong)?,
            What::Renew { held, hold } => {
                let held = self.held(held);
                Call::Renew(Renew { held, duration: tables::hold(*hold) })
            }
            What::Release { held, commit, refund, delay } => {
                let (held, commit) = (self.held(held), self.commit(*commit));
                let delay = tables::delay(*delay);
                Call::Release(Release { held, commit, refund: *refund, delay })
            }
            What::ReadHistory { tenure, from, bytes, wrong } => {
                let tenure = self.tenure(*tenure)?;
                Call::ReadHistory(ReadHistory {
                    incarnation: tenure.incarnation,
                    execution: ExecutionId(tenure.execution.0 + 7 * u64::from(*wrong)),
                    lease: tenure.lease,
                    from: EventId([1, 2, 3, 50, 1][usize::from(*from) % 5]),
                    // How events are written is the store's own: all of them, or one.
                    max_bytes: [1 << 20, 1, 1 << 20][usize::from(*bytes) % 3],
                })
            }
            What::ReadMail { tenure, max, after } => self.read_mail(*tenure, *max, *after)?,
            What::Again { back } => return self.again(*back),
            What::Watch { id, stale } => self.watch(*id, *stale),
            What::List { status, after, limit } => tables::list(*status, *after, *limit),
            What::Delete { id, force } => Call::Delete(tables::key(*id), *force),
            What::DeleteMany(select) => Call::DeleteMany(self.select(select)),
            What::Prune { select, keep } => {
                let keep_last = [None, Some(1), Some(2)][usize::from(*keep) % 3];
                let selection = self.select(select);
                let completed_before = self.ago(keep / 3);
                Call::Prune(selection, PruneRule { keep_last, completed_before })
            }
            What::Advance(_)
            | What::SetBack
            | What::Reopen
            | What::Leave
            | What::Flood { .. }
            | What::Together(_)
            | What::Finale(_) => return None,
        };
        self.sent.push(Sent { call: call.clone(), at: self.now });
        Some(call)
    }

    /// An instance that is there, if there is one: not one of those that break a limit.
    pub(crate) fn existing(&self, choice: u8) -> u8 {
        let there = |id: &u8| self.exists.contains(&tables::key(*id));
        let there: Vec<u8> = (0..tables::KEYS).filter(there).collect();
        there.get(usize::from(choice) % there.len().max(1)).copied().unwrap_or(0)
    }

    /// An instance that comes and goes.
    pub(crate) fn passing(&mut self) -> [Call; 2] {
        let (request, key) = (RequestId(self.draw()), tables::passing());
        let start = Self::submission(&Start { id: 0, name: 0, version: 0 });
        [Call::Submit(Submit { request, key: key.clone(), what: start }), Call::Delete(key, true)]
    }

    fn start(&mut self, start: &Start) -> Call {
        let what = Self::submission(start);
        self.submit(start.id, what)
    }

    fn submission(start: &Start) -> Submission {
        Submission::Start {
            name: tables::orchestration(start.name).to_owned(),
            version: tables::version(start.version),
            input: Payload::json("1"),
            headers: Headers::from([("trace".to_owned(), "t1".to_owned())]),
        }
    }

    fn submit(&mut self, id: u8, what: Submission) -> Call {
        let request = RequestId(self.draw());
        Call::Submit(Submit { request, key: tables::key(id), what })
    }

    fn lease_turns(&mut self, ask: &Ask) -> Call {
        Call::LeaseOrchestrations(LeaseOrchestrations {
            lease: LeaseId(self.draw()),
            node: tables::node(ask.node),
            filter: tables::orchestrations(ask.filter),
            max: tables::max(ask.max),
            duration: tables::hold(ask.hold),
        })
    }

    fn lease_work(&mut self, ask: &Ask) -> Call {
        Call::LeaseActivities(LeaseActivities {
            lease: LeaseId(self.draw()),
            node: tables::node(ask.node),
            filter: tables::activities(ask),
            max: tables::max(ask.max),
            duration: tables::hold(ask.hold),
        })
    }

    fn complete(&mut self, task: u8, failed: bool, wrong: bool) -> Option<Call> {
        let never = LeaseId(self.draw());
        let task = pick(&self.tasks, task, |task| task.live)?;
        let outcome =
            if failed { Err(Failure::application("no")) } else { Ok(Payload::json("\"done\"")) };
        let lease = if wrong { never } else { task.lease };
        Some(Call::CompleteActivity(CompleteActivity { activity: task.activity, lease, outcome }))
    }

    fn tenure(&self, choice: u8) -> Option<&Tenure> {
        pick(&self.tenures, choice, |tenure| tenure.live)
    }

    /// Instances by even choices, activities by odd ones.
    fn held(&self, choices: &[u8]) -> Vec<Held> {
        let one = |choice: &u8| {
            if choice.is_multiple_of(2) {
                let Tenure { incarnation, lease, .. } = *self.tenure(choice / 2)?;
                Some(Held::Instance { incarnation, lease })
            } else {
                let Task { activity, lease, .. } = *pick(&self.tasks, choice / 2, |t| t.live)?;
                Some(Held::Activity { activity, lease })
            }
        };
        choices.iter().filter_map(one).collect()
    }

    fn commit(&mut self, choice: u8) -> Option<(Incarnation, CommitId)> {
        let sent = self.sent.iter().rev().find_map(|sent| match &sent.call {
            Call::CommitTurn(request) => Some((request.incarnation, request.commit_id)),
            _ => None,
        })?;
        match choice {
            1 => Some(sent),
            2 => Some((sent.0, CommitId(self.draw()))),
            _ => None,
        }
    }

    fn read_mail(&self, tenure: u8, max: u8, after: u8) -> Option<Call> {
        let tenure = self.tenure(tenure)?;
        let after = match after {
            0 => None,
            number => Some(duroxide_core::ArrivalId(u64::from(number) * 3)),
        };
        Some(Call::ReadMail(ReadMail {
            incarnation: tenure.incarnation,
            lease: tenure.lease,
            names: (0..3).map(|mailbox| (tables::mailbox(mailbox), after)).collect(),
            max: [1, 10, 2][usize::from(max) % 3],
        }))
    }

    /// An earlier call as it was, but for a client that has long given up.
    fn again(&self, back: u8) -> Option<Call> {
        let at = self.sent.len().checked_sub(usize::from(back) + 1)?;
        let sent = &self.sent[at];
        let given_up = matches!(sent.call, Call::Submit(_)) && self.now > sent.at + REMEMBERED_MS;
        (!given_up).then(|| sent.call.clone())
    }

    fn watch(&self, id: u8, stale: bool) -> Call {
        let key = tables::key(id);
        // Of one that is there, with a revision that is not its latest: it must come back.
        let at_once = stale && self.exists.contains(&key);
        let max = if at_once { Duration::from_hours(1) } else { Duration::ZERO };
        Call::Watch(WatchRequest { key, seen: Some(u64::from(at_once)), max })
    }

    fn ago(&self, choice: u8) -> Option<TimeMs> {
        let ago: Option<u64> = [None, Some(0), Some(10_000)][usize::from(choice) % 3];
        ago.map(|ago| TimeMs(self.now.saturating_sub(ago)))
    }

    fn select(&self, select: &Select) -> Selection {
        Selection {
            namespace: tables::key(select.id).namespace,
            ids: (select.id % 2 == 1).then(|| vec![tables::key(select.id).id]),
            completed_before: self.ago(select.before),
            limit: [None, Some(1), Some(2)][usize::from(select.limit) % 3],
        }
    }

    /// What everybody sees of the store, to be read after each step.
    pub fn views(&self) -> Vec<Call> {
        let mut views = vec![Call::Metrics, Call::Depths, Call::Unclaimed];
        for namespace in tables::namespaces() {
            let filter = ListFilter { namespace, status: None };
            views.push(Call::List(filter, None, 100));
        }
        for key in tables::keys() {
            views.push(Call::Instance(key.clone()));
            // Of one that is not there, once is enough to see that it is not.
            if !self.exists.contains(&key) {
                continue;
            }
            for view in [Call::Executions, Call::Kv, Call::Stats, Call::Tree] {
                views.push(view(key.clone()));
            }
            let executions = self.executions.get(&key).copied().unwrap_or(1);
            for execution in 1..=executions {
                views.push(Call::History(key.clone(), ExecutionId(execution)));
            }
        }
        views
    }
}

/// The newest of those that still count, mostly; sometimes any at all.
fn pick<T>(all: &[T], choice: u8, counts: impl Fn(&T) -> bool) -> Option<&T> {
    let choice = usize::from(choice);
    if choice < 225 {
        let live: Vec<&T> = all.iter().rev().filter(|one| counts(one)).collect();
        if !live.is_empty() {
            return Some(live[choice % live.len()]);
        }
    }
    all.iter().rev().nth(choice % all.len().max(1))
}

/// What is learnt.
impl World {
    /// Learn from an answer.
    pub fn learn(&mut self, call: &Call, outcome: &Outcome) {
        let Ok(answer) = outcome else { return };
        match (call, answer) {
            (Call::LeaseOrchestrations(request), Answer::Orchestrations(leased)) => {
                for instance in &leased.instances {
                    self.holds(&request.node, instance);
                }
            }
            (Call::LeaseActivities(request), Answer::Activities(leased)) => {
                for activity in &leased.activities {
                    self.took(activity.activity, request.lease);
                }
            }
            (Call::CommitTurn(request), Answer::Commit(CommitOutcome::Applied(applied))) => {
                self.applied(request, applied);
            }
            (Call::CompleteActivity(request), Answer::Fate(_)) => {
                self.tasks.retain(|task| {
                    task.activity != request.activity || task.lease != request.lease || !task.live
                });
            }
            (Call::Release(request), Answer::Done) => {
                for held in &request.held {
                    self.gives_back(held);
                }
            }
            (Call::Instance(key), Answer::Instance(Some(info))) => {
                self.exists.insert(key.clone());
                self.executions.insert(key.clone(), info.execution.0);
            }
            (Call::Instance(key), Answer::Instance(None)) => {
                self.exists.remove(key);
            }
            _ => {}
        }
    }

    /// What the commits of this instance say of it.
    pub(crate) fn known(&self, incarnation: Incarnation) -> Known {
        self.known.get(&incarnation).cloned().unwrap_or_default()
    }

    /// What this incarnation is called, if anyone ever held it.
    pub(crate) fn key_of(&self, incarnation: Incarnation) -> Option<&InstanceKey> {
        self.keys.get(&incarnation)
    }

    fn holds(&mut self, node: &NodeId, got: &LeasedInstance) {
        let tenure = Tenure {
            node: node.clone(),
            lease: got.lease,
            incarnation: got.incarnation,
            execution: got.execution,
            next_event: got.next_event,
            base: got.last_commit,
            flags: got.flags,
            arrivals: got.arrivals.clone(),
            live: true,
        };
        self.keys.insert(got.incarnation, got.key.clone());
        for other in self.tenures.iter_mut().filter(|o| o.incarnation == got.incarnation) {
            other.live = false;
        }
        self.tenures.retain(|old| old.lease != got.lease || old.incarnation != got.incarnation);
        self.tenures.push(tenure);
    }

    fn took(&mut self, activity: ActivityKey, lease: LeaseId) {
        for other in self.tasks.iter_mut().filter(|other| other.activity == activity) {
            other.live = false;
        }
        self.tasks.retain(|old| old.activity != activity || old.lease != lease);
        self.tasks.push(Task { activity, lease, live: true });
    }

    fn gives_back(&mut self, held: &Held) {
        match held {
            Held::Instance { incarnation, lease } => {
                for tenure in &mut self.tenures {
                    tenure.live &= tenure.incarnation != *incarnation || tenure.lease != *lease;
                }
            }
            Held::Activity { activity, lease } => {
                for task in &mut self.tasks {
                    task.live &= task.activity != *activity || task.lease != *lease;
                }
            }
        }
    }

    fn applied(&mut self, request: &CommitTurn, applied: &Applied) {
        let known = self.known.entry(request.incarnation).or_default();
        let first_answer = known.last_commit != Some(request.commit_id);
        if first_answer {
            *known = turn::after(known, request);
        }
        let continued = matches!(request.turn.end, Some(End::ContinuedAsNew { .. }));
        for tenure in &mut self.tenures {
            if tenure.incarnation != request.incarnation || tenure.lease != request.lease {
                continue;
            }
            tenure.live &= applied.held;
            tenure.arrivals.clone_from(&applied.arrivals);
            if !first_answer {
                continue;
            }
            tenure.base = Some(request.commit_id);
            tenure.flags = request.flags;
            tenure.next_event.0 += request.turn.events.len() as u64;
            if continued {
                tenure.execution = tenure.execution.next();
                (tenure.next_event, tenure.flags) = (EventId::FIRST, CompatFlags::NONE);
            }
        }
        for claimed in &applied.claimed {
            let (incarnation, execution) = (request.incarnation, request.turn.execution);
            let activity = ActivityKey { incarnation, execution, event: claimed.event };
            self.took(activity, request.commit_id.claim_lease());
        }
        self.tasks.retain(|task| {
            !request.completed.iter().any(|(activity, _)| *activity == task.activity)
        });
    }
}
