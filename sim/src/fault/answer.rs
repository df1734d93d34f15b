//! Faults between a call and its answer, at the store: the answer is lost, the call comes
//! twice, or is refused. Not here: statements that fail inside the store (`server`).

use super::{Kind, Then};
use crate::dice::Dice;
use crate::host::Host;
use crate::plan::Planned;
use crate::point::{Boundary, Op};
use crate::swarm::Shape;
use duroxide_provider::ProviderError;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The store carries the call out, and the answer never comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoseAnswer {
    /// The caller hears that the store does not know, instead of nothing.
    pub told: bool,
}

/// The store gets the call twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// The second time so much later, after the answer; 0: before it.
    pub late_ms: u64,
}

/// The store does not carry the call out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuse {
    /// What it says.
    pub says: Refusal,
}

/// What a store says that has done nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Later.
    Busy,
    /// No room.
    Full,
    /// Nobody knows whether it was done.
    Unknown,
}

/// Calls whose loss or repetition could do harm.
fn call(dice: &mut Dice) -> Op {
    dice.pick(&[
        Op::CommitTurn,
        Op::CommitTurn,
        Op::CommitTurn,
        Op::LeaseOrchestrations,
        Op::LeaseActivities,
        Op::CompleteActivity,
        Op::Renew,
        Op::Release,
        Op::Submit,
    ])
}

fn at(
    dice: &mut Dice,
    world: &Shape,
    op: Op,
    boundary: Boundary,
    fault: impl Into<super::Fault>,
) -> Planned {
    let host = if op == Op::Submit { world.client(dice) } else { world.node(dice) };
    world.at(dice, host, boundary, fault)
}

impl Kind for LoseAnswer {
    const NAME: &'static str = "lose_answer";
    const SHARE: Option<(u64, u64)> = Some((70, 5));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let (op, told) = (call(dice), dice.percent(50));
        Some(at(dice, world, op, Boundary::Durable(op), Self { told }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::LoseAnswer { told: self.told }
    }
}

impl Kind for Duplicate {
    const NAME: &'static str = "duplicate";
    const SHARE: Option<(u64, u64)> = Some((70, 5));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let op = call(dice);
        let late_ms = dice.pick(&[0, 0, 30, 5_000, 60_000]);
        Some(at(dice, world, op, Boundary::Durable(op), Self { late_ms }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Again { after: Duration::from_millis(self.late_ms) }
    }
}

impl Kind for Refuse {
    const NAME: &'static str = "refuse";
    const SHARE: Option<(u64, u64)> = Some((60, 6));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let op = call(dice);
        let says = dice.pick(&[Refusal::Busy, Refusal::Busy, Refusal::Full, Refusal::Unknown]);
        Some(at(dice, world, op, Boundary::Arrived(op), Self { says }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        let (operation, message) = ("simulated".to_owned(), "as planned".to_owned());
        Then::Refuse(match self.says {
            Refusal::Busy => ProviderError::Busy { operation, message },
            Refusal::Full => ProviderError::Full { operation, message },
            Refusal::Unknown => ProviderError::Unknown { operation, message },
        })
    }
}
