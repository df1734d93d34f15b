//! Scenarios played without a runtime, always in the same order and at the same times:
//! activities run at once, then children, then the client's next step, and time passes only
//! when nothing else can happen. Not here: what is expected of it.

use crate::{Scenario, Step, no_effects};
use duroxide_core::{ArrivalBody, ChildRequest, End, Event, Failure, NewStart, Outgoing, Payload};
use duroxide_sdk::RegistryError;
use duroxide_sdk::testing::ByHand;

/// More turns than any scenario takes.
const TURNS: usize = 100;

/// An instance that was played until nothing more could happen to it.
#[derive(Debug)]
pub struct Played {
    /// The instance. It has ended, unless it waits for what never comes.
    pub run: ByHand,
    /// Its children, in the order in which they began.
    pub children: Vec<Played>,
}

/// Everything that was recorded of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its id.
    pub instance: String,
    /// The events of its executions.
    pub executions: Vec<Vec<Event>>,
}

impl Played {
    /// What was recorded of the instance, then of its children.
    pub fn recordings(&self) -> Vec<Recording> {
        let own = Recording::of(&self.run);
        std::iter::once(own).chain(self.children.iter().flat_map(Self::recordings)).collect()
    }
}

impl Recording {
    /// What was recorded of a run.
    pub fn of(run: &ByHand) -> Self {
        Self { instance: run.instance_id().to_string(), executions: run.executions().to_vec() }
    }
}

/// Plays a scenario, with activities that do nothing to the world.
pub fn play(scenario: &Scenario) -> Result<Played, RegistryError> {
    let Scenario { orchestration, input, .. } = scenario;
    let registry = (scenario.registry)(&no_effects())?;
    let run = match scenario.version {
        None => ByHand::start(&registry, orchestration, input),
        Some(version) => ByHand::start_version(&registry, orchestration, version, input),
    };
    let mut played = Played { run, children: Vec::new() };
    carry_on(&mut played, &mut Client { steps: &scenario.steps, awaited: None });
    Ok(played)
}

/// Plays on until the end, or until nothing more can happen.
fn carry_on(played: &mut Played, client: &mut Client<'_>) {
    for _ in 0..TURNS {
        let commit = played.run.turn().commit;
        commit.sends.iter().for_each(|send| tell_child(played, send));
        let goes_on = played.run.end().is_none()
            && (played.run.perform_activity().is_some()
                || play_child(played)
                || client.acts(&mut played.run)
                || time_passes(&mut played.run)
                // The start of the next execution has arrived.
                || played.run.history().is_empty());
        if !goes_on {
            return;
        }
    }
}

/// The client, with what it has still to do.
struct Client<'a> {
    steps: &'a [Step],
    awaited: Option<&'a str>,
}

impl Client<'_> {
    /// Whether there was something that it could do.
    fn acts(&mut self, run: &mut ByHand) -> bool {
        loop {
            if self.awaited.is_some_and(|status| run.custom_status() != Some(status)) {
                return false;
            }
            self.awaited = None;
            let Some((step, later)) = self.steps.split_first() else { return false };
            self.steps = later;
            match step {
                Step::AwaitStatus(status) => {
                    self.awaited = Some(status);
                    continue;
                }
                Step::Raise(event, data) => run.raise(event, data),
                Step::Enqueue(queue, data) => run.enqueue(queue, data),
                Step::Cancel(reason) => run.cancel(reason),
            };
            return true;
        }
    }
}

fn time_passes(run: &mut ByHand) -> bool {
    let passes = run.open_timers() > 0;
    if passes {
        run.timer_fires();
    }
    passes
}

/// Plays the oldest open child that has not begun; its parent hears of its end.
fn play_child(played: &mut Played) -> bool {
    let is_new = |child: &&NewStart| {
        played.children.iter().all(|begun| *begun.run.instance_id() != child.instance)
    };
    let Some(child) = played.run.children().iter().find(is_new).cloned() else { return false };
    let mut begun = Played { run: played.run.child(&child), children: Vec::new() };
    carry_on(&mut begun, &mut Client { steps: &[], awaited: None });
    if let Some(outcome) = outcome_of(&begun.run) {
        played.run.child_ends(child.event, outcome);
    }
    played.children.push(begun);
    true
}

/// What a parent asks of its child reaches it; nobody waits for its end any more.
fn tell_child(played: &mut Played, send: &Outgoing) {
    let child = played.children.iter_mut().find(|child| *child.run.instance_id() == send.to);
    let Some(child) = child.filter(|child| child.run.end().is_none()) else { return };
    child.run.arrives(match send.what {
        ChildRequest::Cancel => {
            ArrivalBody::Cancel { reason: "parent canceled".to_owned(), from_parent: true }
        }
        ChildRequest::Terminate => {
            ArrivalBody::Terminate { reason: "parent terminated".to_owned() }
        }
    });
    carry_on(child, &mut Client { steps: &[], awaited: None });
}

fn outcome_of(run: &ByHand) -> Option<Result<Payload, Failure>> {
    match run.end()? {
        End::Completed { output } => Some(Ok(output.clone())),
        End::Failed { failure } => Some(Err(failure.clone())),
        End::Terminated { .. } | End::ContinuedAsNew { .. } => None,
    }
}
