//! Faults inside the modelled PostgreSQL: statements that fail or take long, listeners that
//! are not told.

use super::{Kind, Then};
use crate::dice::Dice;
use crate::host::Host;
use crate::plan::Planned;
use crate::point::{Boundary, Op};
use crate::swarm::Shape;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A statement fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlError {
    /// With this.
    pub state: SqlState,
}

/// Why a statement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "PostgreSQL's own names")]
pub enum SqlState {
    SerializationFailure,
    DeadlockDetected,
    LockNotAvailable,
    AdminShutdown,
    ConnectionFailure,
}

/// A statement is carried out later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// By so much.
    pub by_ms: u64,
}

/// A listener is not told of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoseNotification;

/// What the server is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Fail(SqlState),
    Delay(Duration),
    LoseNotification,
}

fn statement(dice: &mut Dice) -> Boundary {
    let op = dice.pick(&[
        Op::CommitTurn,
        Op::CommitTurn,
        Op::LeaseOrchestrations,
        Op::LeaseActivities,
        Op::CompleteActivity,
        Op::Submit,
        Op::Renew,
        Op::Release,
    ]);
    if dice.percent(40) { Boundary::Committing(op) } else { Boundary::Statement(op) }
}

impl Kind for SqlError {
    const NAME: &'static str = "sql_error";
    const SHARE: Option<(u64, u64)> = Some((80, 10));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let state = dice.pick(&[
            SqlState::SerializationFailure,
            SqlState::DeadlockDetected,
            SqlState::LockNotAvailable,
            SqlState::AdminShutdown,
            SqlState::ConnectionFailure,
        ]);
        let point = statement(dice);
        world.has_server().then(|| world.at_store(dice, point, Self { state }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Server(Trouble::Fail(self.state))
    }
}

impl Kind for Delay {
    const NAME: &'static str = "delay";
    const SHARE: Option<(u64, u64)> = Some((60, 6));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        let by_ms = dice.pick(&[20, 900, 8_000, 35_000]);
        let point = statement(dice);
        world.has_server().then(|| world.at_store(dice, point, Self { by_ms }))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Server(Trouble::Delay(Duration::from_millis(self.by_ms)))
    }
}

impl Kind for LoseNotification {
    const NAME: &'static str = "lose_notification";
    const SHARE: Option<(u64, u64)> = Some((80, 12));

    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned> {
        world.has_server().then(|| world.at_store(dice, Boundary::Notifying, Self))
    }

    fn strike(&self, host: &Host) -> Then {
        host.stage().count(host.name(), Self::NAME);
        Then::Server(Trouble::LoseNotification)
    }
}
