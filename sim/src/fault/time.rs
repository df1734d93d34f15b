//! Faults of clocks. Skew and drift are part of the world a plan describes; here is what
//! happens at a moment.

use super::{Kind, Then};
use crate::dice::Dice;
use crate::host::Host;
use crate::plan::Planned;
use crate::point::Boundary;
use crate::swarm::Shape;
use serde::{Deserialize, Serialize};

/// The wall clock of the host is set forward or back. Its monotonic clock is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJump {
    /// By so much.
    pub by_ms: i64,
}

impl Kind for ClockJump {
    const NAME: &'static str = "clock_jump";
    const SHARE: Option<(u64, u64)> = Some((40, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let at_store = dice.percent(30);
        let by_ms = dice.pick(&[-7_200_000, -60_000, -900, 900, 60_000, 7_200_000]);
        Some(if at_store {
            world.at_store(dice, Boundary::Wrote, Self { by_ms })
        } else {
            world.at_node(dice, Boundary::Slept, Self { by_ms })
        })
    }

    fn strike(&self, host: &Host) -> Then {
        host.jump(Self::NAME, self.by_ms);
        Then::Nothing
    }
}
