//! Faults of the disk under the store. What lies or rots is outside of what a store can
//! survive: those are drawn only by name, to see that they are noticed.

use super::process::{deadly_point_of_store, down_ms};
use super::{Kind, Then};
use crate::dice::Dice;
use crate::host::{Death, Host};
use crate::plan::Planned;
use crate::point::{Boundary, DiskCall};
use crate::swarm::Shape;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The power of the store's host fails: what was not synced is old, new or garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerCut {
    /// How long it stays down.
    pub down_ms: u64,
}

/// Nothing more can be written, until there is room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFull {
    /// How long.
    pub for_ms: u64,
}

/// One operation fails with an IO error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoError;

/// One bit of the database, durable before, is another now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BitRot;

/// From now on the disk says that it has synced, and has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LyingSync;

/// What the disk is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Fail,
    Full { lasting: Duration },
    Rot,
    Lie,
}

impl Kind for PowerCut {
    const NAME: &'static str = "power_cut";
    const SHARE: Option<(u64, u64)> = Some((60, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let fault = Self { down_ms: down_ms(dice) };
        let point = deadly_point_of_store(dice, world);
        world.survives_power_cuts().then(|| world.at_store(dice, point, fault))
    }

    fn strike(&self, host: &Host) -> Then {
        let (name, down_ms) = (Self::NAME, self.down_ms);
        host.die(&Death { name, down_ms, silent: true, power: true });
        Then::Nothing
    }
}

impl Kind for DiskFull {
    const NAME: &'static str = "disk_full";
    const SHARE: Option<(u64, u64)> = Some((30, 2));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let fault = Self { for_ms: dice.pick(&[1, 500, 8_000, 40_000]) };
        world.has_disk().then(|| world.at_store(dice, Boundary::Disk(DiskCall::Write), fault))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Disk(Trouble::Full { lasting: Duration::from_millis(self.for_ms) })
    }
}

impl Kind for IoError {
    const NAME: &'static str = "io_error";
    const SHARE: Option<(u64, u64)> = Some((40, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let call =
            dice.pick(&[DiskCall::Read, DiskCall::Write, DiskCall::Sync, DiskCall::Truncate]);
        world.has_disk().then(|| world.at_store(dice, Boundary::Disk(call), Self))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Disk(Trouble::Fail)
    }
}

impl Kind for BitRot {
    const NAME: &'static str = "bit_rot";
    const SHARE: Option<(u64, u64)> = None;

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        world.has_disk().then(|| world.at_store(dice, Boundary::Disk(DiskCall::Sync), Self))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Disk(Trouble::Rot)
    }
}

impl Kind for LyingSync {
    const NAME: &'static str = "lying_sync";
    const SHARE: Option<(u64, u64)> = None;

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        world.has_disk().then(|| world.at_store(dice, Boundary::Disk(DiskCall::Sync), Self))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Disk(Trouble::Lie)
    }
}
