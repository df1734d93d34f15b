//! Faults of processes and machines: death, a stop, slowness, a deployment. Not here: the
//! power of the store's disk (`disk`), what dies with a process (`host`, `world`).

use super::{Kind, Then};
use crate::dice::Dice;
use crate::host::{Death, Host};
use crate::plan::Planned;
use crate::point::{Boundary, DiskCall, Op};
use crate::stage::Order;
use crate::swarm::Shape;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The process dies; the kernel closes its sockets. It starts again after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// How long it stays down.
    pub down_ms: u64,
}

/// The machine goes: nobody hears anything, open connections hang. It comes back after a
/// while with the disk it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLoss {
    /// How long it stays down.
    pub down_ms: u64,
}

/// Nothing of the process runs, and its connections stay open (SIGSTOP, a long collection
/// of garbage, a laptop's lid). Then it goes on where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// How long.
    pub for_ms: u64,
}

/// Every step of the process takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    /// How long.
    pub for_ms: u64,
    /// By how much each step.
    pub step_ms: u64,
}

/// A deployment: the process dies, and starts again with another build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgrade {
    /// How long it stays down.
    pub down_ms: u64,
    /// The build it comes back with.
    pub build: u32,
}

/// What an operator does: the node is shut down in an orderly way, and starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutdown {
    /// How long what runs may go on.
    pub within_ms: u64,
    /// How long it stays down.
    pub down_ms: u64,
}

impl Kind for Kill {
    const NAME: &'static str = "kill";
    const SHARE: Option<(u64, u64)> = Some((75, 8));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let fault = Self { down_ms: down_ms(dice) };
        Some(match dice.within(1..=10) {
            1 | 2 => {
                let point = deadly_point_of_store(dice, world);
                world.at_store(dice, point, fault)
            }
            3 => world.at_node(dice, Boundary::TookOver, fault),
            _ => {
                let point = deadly_point(dice);
                world.at_node(dice, point, fault)
            }
        })
    }

    fn strike(&self, host: &Host) -> Then {
        host.die(&Death { name: Self::NAME, down_ms: self.down_ms, ..Death::default() });
        Then::Nothing
    }
}

impl Kind for HostLoss {
    const NAME: &'static str = "host_loss";
    const SHARE: Option<(u64, u64)> = Some((50, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let fault = Self { down_ms: down_ms(dice) };
        let point = if dice.percent(20) { Boundary::TookOver } else { deadly_point(dice) };
        Some(world.at_node(dice, point, fault))
    }

    fn strike(&self, host: &Host) -> Then {
        let (name, down_ms) = (Self::NAME, self.down_ms);
        host.die(&Death { name, down_ms, silent: true, ..Death::default() });
        Then::Nothing
    }
}

impl Kind for Freeze {
    const NAME: &'static str = "freeze";
    const SHARE: Option<(u64, u64)> = Some((50, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let fault = Self { for_ms: dice.pick(&[300, 8_000, 33_000, 45_000, 120_000]) };
        Some(match dice.within(1..=8) {
            1 => world.at_store(dice, Boundary::Wrote, fault),
            2 => world.at_node(dice, Boundary::TookOver, fault),
            _ => {
                let point = deadly_point(dice);
                world.at_node(dice, point, fault)
            }
        })
    }

    fn strike(&self, host: &Host) -> Then {
        host.freeze(Self::NAME, Duration::from_millis(self.for_ms));
        Then::Nothing
    }
}

impl Kind for Slow {
    const NAME: &'static str = "slow";
    const SHARE: Option<(u64, u64)> = Some((25, 2));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let fault = Self {
            for_ms: dice.pick(&[2_000, 20_000, 90_000]),
            step_ms: dice.pick(&[20, 200, 2_000]),
        };
        Some(if dice.percent(25) {
            world.at_store(dice, Boundary::Wrote, fault)
        } else {
            world.at_node(dice, Boundary::Wrote, fault)
        })
    }

    fn strike(&self, host: &Host) -> Then {
        let step = Duration::from_millis(self.step_ms);
        host.slow_down(Self::NAME, Duration::from_millis(self.for_ms), step);
        Then::Nothing
    }
}

impl Kind for Upgrade {
    const NAME: &'static str = "upgrade";
    const SHARE: Option<(u64, u64)> = Some((60, 4));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        if world.builds < 2 {
            return None;
        }
        let build = dice.within(0..=u64::from(world.builds) - 1) as u32;
        let fault = Self { down_ms: dice.pick(&[1, 500, 5_000]), build };
        let point = deadly_point(dice);
        Some(world.at_node(dice, point, fault))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().order(Order::Deploy { host: host.name().to_owned(), build: self.build });
        host.die(&Death { name: Self::NAME, down_ms: self.down_ms, ..Death::default() });
        Then::Nothing
    }
}

impl Kind for Shutdown {
    const NAME: &'static str = "shutdown";
    const SHARE: Option<(u64, u64)> = Some((50, 6));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let (within_ms, down_ms) =
            (dice.pick(&[0, 0, 100, 2_000]), dice.pick(&[1, 500, 5_000, 120_000]));
        // In the middle of things, and while more of them are on their way to it.
        let point = if dice.percent(50) {
            deadly_point(dice)
        } else {
            dice.pick(&[
                Boundary::Arrived(Op::LeaseActivities),
                Boundary::Durable(Op::LeaseActivities),
                Boundary::Durable(Op::LeaseOrchestrations),
                Boundary::Durable(Op::WaitForWork),
            ])
        };
        Some(world.at_node(dice, point, Self { within_ms, down_ms }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.shut_down(Self::NAME, *self);
        Then::Nothing
    }
}

/// How long a host stays down.
pub(super) fn down_ms(dice: &mut Dice) -> u64 {
    dice.pick(&[1, 200, 5_000, 45_000, 300_000])
}

/// Where a process is struck: each kind of point about as often as it matters.
pub(super) fn deadly_point(dice: &mut Dice) -> Boundary {
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
        Boundary::Began,
        Boundary::Effect,
        Boundary::Effect,
    ])
}

/// Where the store's host is struck: in the middle of a commit, or before its answer.
pub(super) fn deadly_point_of_store(dice: &mut Dice, world: &Shape) -> Boundary {
    if world.has_disk() {
        dice.pick(&[
            Boundary::Disk(DiskCall::Write),
            Boundary::Disk(DiskCall::Write),
            Boundary::Disk(DiskCall::Sync),
            Boundary::Disk(DiskCall::Sync),
            Boundary::Disk(DiskCall::Read),
            Boundary::Disk(DiskCall::Truncate),
            Boundary::Wrote,
        ])
    } else {
        dice.pick(&[
            Boundary::Statement(Op::CommitTurn),
            Boundary::Committing(Op::CommitTurn),
            Boundary::Statement(Op::LeaseOrchestrations),
            Boundary::Wrote,
        ])
    }
}
