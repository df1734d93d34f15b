//! Faults of the network between a host and the store: cut off, both ways or one, held up, or
//! reset. Not here: the network itself (`network`), and who carries them out (`world`).

use super::{Kind, Then};
use crate::dice::Dice;
use crate::host::Host;
use crate::plan::Planned;
use crate::point::{Boundary, Op};
use crate::stage::Order;
use crate::swarm::Shape;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Nothing passes between the host and the store; what is on its way is lost, and open
/// connections hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// How long.
    pub for_ms: u64,
}

/// Nothing passes in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneWay {
    /// How long.
    pub for_ms: u64,
    /// In which.
    pub way: Way,
}

/// A direction between a host and the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// What it asks does not arrive.
    ToStore,
    /// What it is answered does not arrive.
    FromStore,
}

/// Nothing passes between the host and the store until later; nothing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// How long.
    pub for_ms: u64,
}

/// The host's connections break: both ends are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset;

fn outage_ms(dice: &mut Dice) -> u64 {
    dice.pick(&[50, 2_000, 20_000, 90_000])
}

/// Where the network fails: about requests and answers that matter.
fn point(dice: &mut Dice, world: &Shape) -> (String, Boundary) {
    let boundary = dice.pick(&[
        Boundary::Wrote,
        Boundary::Wrote,
        Boundary::Durable(Op::CommitTurn),
        Boundary::Durable(Op::Submit),
        Boundary::Answered(Op::LeaseOrchestrations),
        Boundary::TookOver,
    ]);
    let is_clients = boundary == Boundary::Durable(Op::Submit)
        || (boundary == Boundary::Wrote && dice.percent(25));
    let host = if is_clients { world.client(dice) } else { world.node(dice) };
    (host, boundary)
}

impl Kind for Partition {
    const NAME: &'static str = "partition";
    const SHARE: Option<(u64, u64)> = Some((60, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let (host, boundary) = point(dice, world);
        let fault = Self { for_ms: outage_ms(dice) };
        Some(world.at(dice, host, boundary, fault))
    }

    fn strike(&self, host: &Host) -> Then {
        let lasting = Duration::from_millis(self.for_ms);
        let name = Self::NAME;
        host.stage().order(Order::Cut { host: host.name().to_owned(), name, way: None, lasting });
        Then::Nothing
    }
}

impl Kind for OneWay {
    const NAME: &'static str = "one_way";
    const SHARE: Option<(u64, u64)> = Some((50, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let (host, boundary) = point(dice, world);
        let way = dice.pick(&[Way::ToStore, Way::FromStore]);
        let fault = Self { for_ms: outage_ms(dice), way };
        Some(world.at(dice, host, boundary, fault))
    }

    fn strike(&self, host: &Host) -> Then {
        let (lasting, way) = (Duration::from_millis(self.for_ms), Some(self.way));
        let name = Self::NAME;
        host.stage().order(Order::Cut { host: host.name().to_owned(), name, way, lasting });
        Then::Nothing
    }
}

impl Kind for Hold {
    const NAME: &'static str = "hold";
    const SHARE: Option<(u64, u64)> = Some((70, 3));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let boundary = dice.pick(&[
            Boundary::Wrote,
            Boundary::Calling(Op::CommitTurn),
            Boundary::Calling(Op::CommitTurn),
            Boundary::Durable(Op::CommitTurn),
            Boundary::TookOver,
        ]);
        // Some end after a lease has run out: what was held up then comes from a node that
        // has lost what it held.
        let for_ms = dice.pick(&[50, 2_000, 12_000, 33_000, 45_000]);
        Some(world.at_node(dice, boundary, Self { for_ms }))
    }

    fn strike(&self, host: &Host) -> Then {
        let lasting = Duration::from_millis(self.for_ms);
        host.stage().order(Order::Hold { host: host.name().to_owned(), lasting });
        Then::Nothing
    }
}

impl Kind for Reset {
    const NAME: &'static str = "reset";
    const SHARE: Option<(u64, u64)> = Some((50, 4));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let (host, boundary) = point(dice, world);
        Some(world.at(dice, host, boundary, Self))
    }

    fn strike(&self, host: &Host) -> Then {
        host.reset_connections(Self::NAME);
        Then::Nothing
    }
}
