//! Random orchestrations: a little language, how proptest draws it, and a coroutine
//! that runs it in tree mode. Not here: where arrivals come from (`world`).

use duroxide_core::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// An orchestration: steps, what to do when a step fails, how to end.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    /// Steps that run after a failure; `None` lets it out.
    pub(crate) clean_up: Option<Vec<Step>>,
    pub(crate) continue_as_new: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Await(Tree),
    /// Await, then one way or the other, as the result says.
    Branch(Tree, Vec<Step>, Vec<Step>),
    Status(Option<u8>),
    KvSet(u8, u8),
    KvClear(Option<u8>),
    KvPrune,
    /// Read a key and write what was read under another.
    KvCopy(u8, u8),
}

#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Activity(u8),
    /// An activity, its attempts, and which of a few policies.
    Retry(u8, u8, u8),
    Timer(u16),
    Event(u8),
    Queue(u8),
    Child(u8, bool),
    Detached(u8),
    Now,
    Guid,
    All(Vec<Tree>),
    Race(Vec<Tree>),
}

pub(crate) fn program() -> impl Strategy<Value = Program> {
    let clean_up = proptest::option::of(steps(2));
    (steps(5), clean_up, proptest::bool::weighted(0.2))
        .prop_map(|(steps, clean_up, continue_as_new)| Program { steps, clean_up, continue_as_new })
}

fn steps(max: usize) -> BoxedStrategy<Vec<Step>> {
    let plain = prop_oneof![
        6 => tree().prop_map(Step::Await),
        1 => proptest::option::weighted(0.8, any::<u8>()).prop_map(Step::Status),
        2 => (0..4_u8, any::<u8>()).prop_map(|(k, v)| Step::KvSet(k, v)),
        1 => proptest::option::weighted(0.6, 0..4_u8).prop_map(Step::KvClear),
        1 => Just(Step::KvPrune),
        1 => (0..4_u8, 0..4_u8).prop_map(|(a, b)| Step::KvCopy(a, b)),
    ];
    let inner = plain.clone().boxed();
    let branch = (
        tree(),
        proptest::collection::vec(inner.clone(), 0..3),
        proptest::collection::vec(inner.clone(), 0..3),
    )
        .prop_map(|(tree, yes, no)| Step::Branch(tree, yes, no));
    proptest::collection::vec(prop_oneof![5 => inner, 1 => branch], 1..=max).boxed()
}

fn tree() -> BoxedStrategy<Tree> {
    let leaf = prop_oneof![
        4 => (0..3_u8).prop_map(Tree::Activity),
        2 => (0..3_u8, 1..5_u8, any::<u8>()).prop_map(|(n, max, p)| Tree::Retry(n, max, p)),
        2 => (0..50_u16).prop_map(Tree::Timer),
        2 => (0..2_u8).prop_map(Tree::Event),
        2 => (0..2_u8).prop_map(Tree::Queue),
        2 => (0..2_u8, any::<bool>()).prop_map(|(n, id)| Tree::Child(n, id)),
        1 => (0..2_u8).prop_map(Tree::Detached),
        1 => Just(Tree::Now),
        1 => Just(Tree::Guid),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Tree::All),
            proptest::collection::vec(inner, 1..4).prop_map(Tree::Race),
        ]
    })
    .boxed()
}

fn activity(n: u8, input: Payload) -> Leaf {
    let tag = (n == 2).then(|| "t".to_owned());
    Leaf::Activity { name: format!("act{n}"), input, session: None, tag }
}

/// Each bit of `kind` is a limit that it has or has not; the rest says how it backs off.
fn policy(max_attempts: u32, kind: u8) -> RetryPolicy {
    RetryPolicy {
        backoff: match kind / 8 % 4 {
            0 => Backoff::None,
            1 => Backoff::Linear,
            _ => Backoff::Custom { initial_ms: 5, max_ms: 40, factor: 2.0, jitter: 0.5 },
        },
        timeout_ms: (kind & 1 > 0).then_some(10),
        total_timeout_ms: (kind & 2 > 0).then_some(50),
        non_retryable: (kind & 4 > 0).then(|| "Fatal".to_owned()).into_iter().collect(),
        ..RetryPolicy::new(max_attempts)
    }
}

impl Tree {
    /// As the core takes it; `place` makes explicit child ids unique in the program.
    fn to_await(&self, place: &mut usize) -> Await {
        *place += 1;
        let input = Payload::json(place.to_string());
        let child = |n: &u8| format!("child-{n}-{place}");
        Await::Leaf(match self {
            Self::All(branches) => {
                return Await::All(branches.iter().map(|b| b.to_await(place)).collect());
            }
            Self::Race(branches) => {
                return Await::Race(branches.iter().map(|b| b.to_await(place)).collect());
            }
            Self::Activity(n) => activity(*n, input),
            Self::Retry(n, max, kind) => {
                let policy = policy(u32::from(*max), *kind);
                return Await::Retry { activity: activity(*n, input), policy };
            }
            Self::Timer(ms) => Leaf::Timer { delay_ms: u64::from(*ms) },
            Self::Event(n) => Leaf::Mail { channel: Channel::Event, name: format!("m{n}") },
            Self::Queue(n) => Leaf::Mail { channel: Channel::Queue, name: format!("m{n}") },
            Self::Child(n, explicit) => Leaf::Child {
                name: format!("orch{n}"),
                version: None,
                instance: explicit.then(|| child(n).into()),
                input,
            },
            Self::Detached(n) => Leaf::Detached {
                name: format!("orch{n}"),
                version: Some("2.0.0".into()),
                instance: child(n).into(),
                input,
            },
            Self::Now => Leaf::UtcNow,
            Self::Guid => Leaf::NewGuid,
        })
    }

    fn note(&self, depth: usize, seen: &mut BTreeSet<&'static str>) -> usize {
        seen.insert(match self {
            Self::Activity(_) => "activity",
            Self::Retry(..) => "retry",
            Self::Timer(_) => "timer",
            Self::Event(_) => "event",
            Self::Queue(_) => "queue",
            Self::Child(..) => "child",
            Self::Detached(_) => "detached",
            Self::Now => "utcNow",
            Self::Guid => "newGuid",
            Self::All(_) => "all",
            Self::Race(_) => "race",
        });
        match self {
            Self::All(branches) | Self::Race(branches) => {
                if depth > 0 {
                    seen.insert("nested");
                }
                branches.iter().map(|b| b.note(depth + 1, seen)).max().unwrap_or(depth + 1)
            }
            _ => depth,
        }
    }
}

impl Program {
    /// The operators it uses, and how deep its trees are.
    pub(crate) fn operators(&self) -> (BTreeSet<&'static str>, usize) {
        fn walk(steps: &[Step], seen: &mut BTreeSet<&'static str>) -> usize {
            let mut depth = 0;
            if steps.iter().filter(|s| matches!(s, Step::Await(_))).count() > 1 {
                seen.insert("sequence");
            }
            for step in steps {
                depth = depth.max(match step {
                    Step::Await(tree) => tree.note(0, seen),
                    Step::Branch(tree, yes, no) => {
                        seen.insert("branch");
                        tree.note(0, seen).max(walk(yes, seen)).max(walk(no, seen))
                    }
                    Step::Status(_) => {
                        seen.insert("status");
                        0
                    }
                    Step::KvSet(..) | Step::KvClear(_) | Step::KvPrune | Step::KvCopy(..) => {
                        seen.insert("kv");
                        0
                    }
                });
            }
            depth
        }
        let mut seen = BTreeSet::new();
        let mut depth = walk(&self.steps, &mut seen);
        if let Some(steps) = &self.clean_up {
            seen.insert("clean-up");
            depth = depth.max(walk(steps, &mut seen));
        }
        if self.continue_as_new {
            seen.insert("continue-as-new");
        }
        (seen, depth)
    }
}

/// The suspended function: which steps are left, innermost last, and what it has seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Coroutine {
    frames: Vec<Vec<Step>>,
    branch: Option<(Vec<Step>, Vec<Step>)>,
    cleaning: bool,
    place: usize,
    /// Every value the code got, in order: what replay must give again.
    pub(crate) seen: Vec<String>,
}

impl Coroutine {
    /// Drive an execution until it suspends or ends; the driver of a language in small.
    pub(crate) fn run(&mut self, program: &Program, execution: &mut Execution) {
        while let Some(activation) = execution.next_activation() {
            match activation {
                Activation::Start { input } => {
                    self.seen.push(format!("start {input:?}"));
                    self.frames = vec![program.steps.iter().rev().cloned().collect()];
                }
                Activation::Resume(settled) => self.resume(program, settled),
                Activation::Poll => unreachable!("tree mode never polls"),
            }
            self.step(program, execution);
        }
    }

    fn resume(&mut self, program: &Program, settled: Settled) {
        self.seen.push(format!("{settled:?}"));
        let branch = self.branch.take();
        match (settled, branch) {
            (Ok(value), Some((yes, no))) => {
                let way = format!("{value:?}").len() % 2 == 0;
                self.frames.push(if way { yes } else { no }.into_iter().rev().collect());
            }
            (Ok(_), None) => {}
            (Err(_), _) if program.clean_up.is_some() && !self.cleaning => {
                self.cleaning = true;
                let steps = program.clean_up.iter().flatten().rev().cloned().collect();
                self.frames = vec![steps];
            }
            (Err(failure), _) => {
                self.frames.clear();
                self.seen.push(format!("throws {failure}"));
                self.cleaning = true;
                self.branch = Some((Vec::new(), Vec::new())); // marks: ends by throwing
            }
        }
    }

    fn step(&mut self, program: &Program, execution: &mut Execution) {
        loop {
            if self.frames.is_empty() && self.branch.is_some() {
                let _ = execution.end(Ending::Threw(Failure::application("out")));
                return;
            }
            while self.frames.last().is_some_and(Vec::is_empty) {
                self.frames.pop();
            }
            let Some(step) = self.frames.last_mut().and_then(Vec::pop) else {
                return self.end(program, execution);
            };
            match self.perform(execution, step) {
                Ok(Some(Awaited::Pending)) | Err(Refused::Stopped) => return,
                Ok(Some(Awaited::Ready(settled))) => self.resume(program, settled),
                Ok(None) => {}
                Err(Refused::Failed(failure)) => self.resume(program, Err(failure)),
            }
        }
    }

    fn perform(
        &mut self,
        execution: &mut Execution,
        step: Step,
    ) -> Result<Option<Awaited>, Refused> {
        match step {
            Step::Await(tree) => execution.await_tree(tree.to_await(&mut self.place)).map(Some),
            Step::Branch(tree, yes, no) => {
                self.branch = Some((yes, no));
                execution.await_tree(tree.to_await(&mut self.place)).map(Some)
            }
            Step::Status(status) => {
                execution.set_status(status.map(|s| s.to_string())).map(|()| None)
            }
            Step::KvSet(key, value) => {
                execution.kv_set(&format!("k{key}"), &value.to_string()).map(|()| None)
            }
            Step::KvClear(key) => {
                execution.kv_clear(key.map(|k| format!("k{k}")).as_deref()).map(|()| None)
            }
            Step::KvPrune => {
                let Scheduled::Ready(Value::Time(now)) = execution.schedule(Leaf::UtcNow)? else {
                    unreachable!("utcNow resolves at once")
                };
                let count = execution.kv_prune(TimeMs(now.0.saturating_sub(5)))?;
                self.seen.push(format!("pruned {count}"));
                Ok(None)
            }
            Step::KvCopy(from, to) => {
                let value = execution.kv_get(&format!("k{from}"))?;
                self.seen.push(format!("read {value:?}"));
                execution.kv_set(&format!("k{to}"), &value.unwrap_or_default()).map(|()| None)
            }
        }
    }

    fn end(&mut self, program: &Program, execution: &mut Execution) {
        if program.continue_as_new && !self.cleaning {
            let leaf = Leaf::ContinueAsNew { input: Payload::json("2"), version: None };
            if let Err(Refused::Failed(_)) = execution.await_tree(Await::Leaf(leaf)) {
                self.cleaning = true;
                let _ = execution.end(Ending::Threw(Failure::application("cannot go on")));
            }
            return;
        }
        let output = Payload::json(self.seen.len().to_string());
        let _ = execution.end(Ending::Returned(output));
    }
}
