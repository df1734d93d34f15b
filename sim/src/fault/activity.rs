//! Faults of users' activities: they throw, hang, or go on after their lease. Not here: where
//! an attempt comes to such a point (`node`).

use super::{Kind, Then};
use crate::dice::Dice;
use crate::host::Host;
use crate::plan::Planned;
use crate::point::Boundary;
use crate::swarm::Shape;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The attempt fails before it has done anything. Only where the workload retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throw;

/// The attempt does nothing for so long, then goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hang {
    /// How long.
    pub for_ms: u64,
}

/// The attempt goes on for so long after its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linger {
    /// How long.
    pub for_ms: u64,
}

impl Kind for Throw {
    const NAME: &'static str = "throw";
    const SHARE: Option<(u64, u64)> = Some((50, 4));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        world.retries.then(|| world.at_node(dice, Boundary::Began, Self))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Throw
    }
}

impl Kind for Hang {
    const NAME: &'static str = "hang";
    const SHARE: Option<(u64, u64)> = Some((40, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let for_ms = dice.pick(&[5_000, 29_000, 45_000, 200_000]);
        Some(world.at_node(dice, Boundary::Began, Self { for_ms }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Wait { lasting: Duration::from_millis(self.for_ms) }
    }
}

impl Kind for Linger {
    const NAME: &'static str = "linger";
    const SHARE: Option<(u64, u64)> = Some((40, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let for_ms = dice.pick(&[5_000, 29_000, 45_000, 200_000]);
        Some(world.at_node(dice, Boundary::Effect, Self { for_ms }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Wait { lasting: Duration::from_millis(self.for_ms) }
    }
}
