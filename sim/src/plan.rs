//! A plan: a seed, spelled out. Which faults strike whom at which point, and how the
//! world is set up, drawn before anything runs; so a plan can be printed, edited and
//! run again. Not here: how a plan is carried out.

use crate::dice::Dice;
use crate::fault::{Boundary, Fault, Op};
use serde::{Deserialize, Serialize};

/// The hosts that run orchestrations and activities.
pub const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// The host of the store.
pub const STORE: &str = "store";
/// The host whose clients start, signal and wait.
pub const CLIENT: &str = "client";

/// Everything that one run is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What the draws of the run itself (yields, latencies, ids) derive from.
    pub seed: u64,
    /// How many instances the clients start.
    pub instances: u32,
    /// The longest that a message travels, in ms.
    pub latency_ms: u64,
    /// The longest that the store takes to make a batch durable, in ms.
    pub sync_ms: u64,
    /// How far each node's wall clock is off, in ms.
    pub skew_ms: [i64; NODES.len()],
    /// What goes wrong.
    pub faults: Vec<Planned>,
    /// Change a byte in the result of this effect (`instance/step`): shows that the trace
    /// covers results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip: Option<String>,
}

/// One fault, and when it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Whom.
    pub host: String,
    /// At which point of its work.
    pub boundary: Boundary,
    /// The how manieth time it comes there, from 1.
    pub nth: u64,
    /// What happens then.
    pub fault: Fault,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, "plan");
        let mut faults = Vec::new();
        // Each seed has its own mix: some kinds are left out altogether, so that the
        // others meet a system that is not busy recovering from everything at once.
        for (draw, most) in [
            (kill as fn(&mut Dice) -> (Boundary, Fault), 4),
            (host_loss, 2),
            (partition, 2),
            (hold, 3),
            (broken_recovery, 3),
            (lost_answer, 5),
            (duplicate, 5),
        ] {
            if dice.percent(75) {
                for _ in 0..dice.within(1..=most) {
                    let (boundary, fault) = draw(dice);
                    let nth = dice.within(1..=usual_count(boundary));
                    let host = victim(dice, boundary, fault);
                    faults.push(Planned { host: host.to_owned(), boundary, nth, fault });
                }
            }
        }
        if dice.percent(40) {
            faults.extend(late_holder(dice));
        }
        Self {
            seed,
            instances: 20,
            latency_ms: dice.pick(&[1, 2, 5]),
            sync_ms: dice.pick(&[0, 1, 4]),
            skew_ms: NODES.map(|_| {
                if dice.percent(50) { dice.within(0..=7_200_000) as i64 - 3_600_000 } else { 0 }
            }),
            faults,
            flip: None,
        }
    }

    /// The same world in which nothing goes wrong.
    #[must_use]
    pub fn calm(mut self) -> Self {
        self.faults.clear();
        self
    }
}

/// Only clients submit; only nodes do the rest, take over, and die. The way to the store
/// is the same for both.
fn victim(dice: &mut Dice, boundary: Boundary, fault: Fault) -> &'static str {
    match (boundary, fault) {
        (Boundary::Durable(Op::Submit), _) => CLIENT,
        (Boundary::Wrote, Fault::Partition { .. } | Fault::Hold { .. }) if dice.percent(30) => {
            CLIENT
        }
        (
            Boundary::Calling(_)
            | Boundary::Answered(_)
            | Boundary::Durable(_)
            | Boundary::TookOver
            | Boundary::Wrote
            | Boundary::Slept
            | Boundary::Effect,
            _,
        ) => dice.pick(&NODES),
    }
}

/// About how often a node comes to a point in a calm run: what is drawn beyond never strikes.
fn usual_count(boundary: Boundary) -> u64 {
    match boundary {
        Boundary::Calling(op) | Boundary::Answered(op) | Boundary::Durable(op) => match op {
            Op::CommitTurn => 40,
            Op::LeaseOrchestrations | Op::LeaseActivities | Op::Release => 12,
            Op::Submit => 20,
            Op::ReadHistory | Op::CompleteActivity => 4,
            Op::ReadMail | Op::Renew => 2,
            Op::WaitForWork | Op::Instance | Op::Watch | Op::Other => 10,
        },
        Boundary::TookOver => 2,
        Boundary::Wrote | Boundary::Slept => 120,
        Boundary::Effect => 30,
    }
}

/// Where a process is killed: each kind of point about as often as it matters.
fn deadly_point(dice: &mut Dice) -> Boundary {
    dice.pick(&[
        Boundary::Calling(Op::CommitTurn),
        Boundary::Answered(Op::CommitTurn),
        Boundary::Durable(Op::CommitTurn),
        Boundary::Durable(Op::CommitTurn),
        Boundary::Answered(Op::LeaseOrchestrations),
        Boundary::Durable(Op::LeaseOrchestrations),
        Boundary::Answered(Op::LeaseActivities),
        Boundary::Durable(Op::CompleteActivity),
        Boundary::Answered(Op::ReadHistory),
        Boundary::Wrote,
        Boundary::Slept,
        Boundary::Effect,
        Boundary::Effect,
    ])
}

fn down_ms(dice: &mut Dice) -> u64 {
    dice.pick(&[1, 200, 5_000, 45_000, 300_000])
}

fn outage_ms(dice: &mut Dice) -> u64 {
    dice.pick(&[50, 2_000, 20_000, 90_000])
}

fn kill(dice: &mut Dice) -> (Boundary, Fault) {
    (deadly_point(dice), Fault::Kill { down_ms: down_ms(dice) })
}

fn host_loss(dice: &mut Dice) -> (Boundary, Fault) {
    (deadly_point(dice), Fault::HostLoss { down_ms: down_ms(dice) })
}

fn partition(dice: &mut Dice) -> (Boundary, Fault) {
    let boundary = dice.pick(&[
        Boundary::Wrote,
        Boundary::Durable(Op::CommitTurn),
        Boundary::Durable(Op::Submit),
        Boundary::Answered(Op::LeaseOrchestrations),
    ]);
    (boundary, Fault::Partition { for_ms: outage_ms(dice) })
}

fn hold(dice: &mut Dice) -> (Boundary, Fault) {
    let boundary = dice.pick(&[
        Boundary::Wrote,
        Boundary::Calling(Op::CommitTurn),
        Boundary::Calling(Op::CommitTurn),
        Boundary::Durable(Op::CommitTurn),
    ]);
    // Some end after a lease has run out: what was held up then comes from a node that
    // has lost what it held.
    let for_ms = dice.pick(&[50, 2_000, 12_000, 33_000, 45_000]);
    (boundary, Fault::Hold { for_ms })
}

/// The commit of one node is held up until its lease has run out, and whoever has taken
/// over is slow to use what it got: what arrives then must be refused by its lease alone,
/// for nothing was built on its base.
fn late_holder(dice: &mut Dice) -> Vec<Planned> {
    let late = dice.pick(&NODES);
    let boundary = Boundary::Calling(Op::CommitTurn);
    let hold = Fault::Hold { for_ms: dice.within(26_000..=48_000) };
    let nth = dice.within(1..=usual_count(boundary));
    let mut faults = vec![Planned { host: late.to_owned(), boundary, nth, fault: hold }];
    for host in NODES.into_iter().filter(|node| *node != late) {
        let fault = dice.pick(&[Fault::Hold { for_ms: 20_000 }, Fault::Kill { down_ms: 200 }]);
        let host = host.to_owned();
        faults.push(Planned { host, boundary: Boundary::TookOver, nth: 1, fault });
    }
    faults
}

/// Who takes over has trouble too, before it has done anything with what it got.
fn broken_recovery(dice: &mut Dice) -> (Boundary, Fault) {
    let (down_ms, for_ms) = (down_ms(dice), 20_000);
    let fault = dice.pick(&[
        Fault::Kill { down_ms },
        Fault::HostLoss { down_ms },
        Fault::Partition { for_ms },
        Fault::Hold { for_ms },
    ]);
    (Boundary::TookOver, fault)
}

fn lost_answer(dice: &mut Dice) -> (Boundary, Fault) {
    (answered_point(dice), Fault::LoseAnswer { told: dice.percent(50) })
}

fn duplicate(dice: &mut Dice) -> (Boundary, Fault) {
    let late_ms = dice.pick(&[0, 0, 30, 5_000, 60_000]);
    (answered_point(dice), Fault::Duplicate { late_ms })
}

fn answered_point(dice: &mut Dice) -> Boundary {
    Boundary::Durable(dice.pick(&[
        Op::CommitTurn,
        Op::CommitTurn,
        Op::LeaseOrchestrations,
        Op::LeaseActivities,
        Op::CompleteActivity,
        Op::Release,
        Op::Submit,
    ]))
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn a_plan_survives_being_written_down() {
        for seed in 0..50 {
            let plan = Plan::draw(seed);
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
    }

    #[test]
    fn seeds_draw_different_plans() {
        assert_eq!(Plan::draw(7), Plan::draw(7));
        assert_ne!(Plan::draw(7).faults, Plan::draw(8).faults);
    }
}
