//! Faults: what can go wrong. Each is a small type that says how often seeds have it, at
//! which point of whose work it acts, and what happens there; a plan is made of them.
//! Not here: how a swarm of them is drawn (`swarm`), what is counted (`counts`).
//!
//! A fault that befalls a host as a whole (its death, its network, its clock) is carried
//! out where it strikes; what only the one who came to the point can do is handed back to
//! it as a [`Then`].

mod activity;
mod answer;
mod disk;
mod network;
mod process;
mod server;
mod time;

pub use activity::{Hang, Linger, Throw};
pub use answer::{Duplicate, LoseAnswer, Refusal, Refuse};
pub(crate) use disk::Trouble as DiskTrouble;
pub use disk::{BitRot, DiskFull, IoError, LyingSync, PowerCut};
pub use network::{Hold, OneWay, Partition, Reset, Way};
pub use process::{Freeze, HostLoss, Kill, Shutdown, Slow, Upgrade};
pub(crate) use server::Trouble as ServerTrouble;
pub use server::{Delay, LoseNotification, SqlError, SqlState};
pub use time::ClockJump;

use crate::dice::Dice;
use crate::host::Host;
use crate::plan::Planned;
use crate::swarm::Shape;
use duroxide_provider::ProviderError;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One kind of fault.
pub(crate) trait Kind: Sized {
    /// As plans, counters and the command name it.
    const NAME: &'static str;
    /// In so many of a hundred seeds, at most so many times. None: only where it is asked
    /// for by name.
    const SHARE: Option<(u64, u64)>;
    /// One of it, at a point of a host of this world; `None` where it cannot happen.
    fn draw(dice: &mut Dice, world: &Shape) -> Option<Planned>;
    /// It happens to this host, now.
    fn strike(&self, host: &Host) -> Then;
}

/// What is left to do for whoever came to the point.
#[derive(Debug, Clone)]
pub(crate) enum Then {
    /// Nothing: it has happened.
    Nothing,
    /// Do not answer; or answer that nobody knows.
    LoseAnswer { told: bool },
    /// Do it once more: at once, or after the answer.
    Again { after: Duration },
    /// Do not do it.
    Refuse(ProviderError),
    /// The attempt fails.
    Throw,
    /// The attempt goes on for so long, without its effect so far or after it.
    Wait { lasting: Duration },
    /// The disk does this.
    Disk(DiskTrouble),
    /// The modelled server does this.
    Server(ServerTrouble),
}

/// A kind, as swarms draw it.
pub(crate) struct Drawable {
    pub(crate) name: &'static str,
    pub(crate) share: Option<(u64, u64)>,
    pub(crate) draw: fn(&mut Dice, &Shape) -> Option<Planned>,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// What goes wrong.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Fault {
            $($(#[$doc])* $kind($kind),)*
        }

        $(impl From<$kind> for Fault {
            fn from(fault: $kind) -> Self {
                Self::$kind(fault)
            }
        })*

        impl Fault {
            /// As counters and the command name its kind.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$kind as Kind>::NAME,)*
                }
            }

            pub(crate) fn strike(&self, host: &Host) -> Then {
                match self {
                    $(Self::$kind(fault) => fault.strike(host),)*
                }
            }
        }

        /// Every kind there is.
        pub(crate) const CATALOGUE: &[Drawable] = &[
            $(Drawable {
                name: <$kind as Kind>::NAME,
                share: <$kind as Kind>::SHARE,
                draw: <$kind as Kind>::draw,
            },)*
        ];
    };
}

catalogue! {
    /// The process dies.
    Kill,
    /// The machine goes, and its network with it.
    HostLoss,
    /// The process stops for a while, and goes on as if nothing had been.
    Freeze,
    /// The process is slow for a while.
    Slow,
    /// The process stops, and starts again with the next build.
    Upgrade,
    /// Nothing passes between the host and the store; what is on its way is lost.
    Partition,
    /// Nothing passes in one direction.
    OneWay,
    /// Nothing passes until later; nothing is lost.
    Hold,
    /// Its connections break.
    Reset,
    /// The store carries a call out, and the answer never comes.
    LoseAnswer,
    /// The store gets a call twice.
    Duplicate,
    /// The store refuses a call for now.
    Refuse,
    /// The wall clock of the host jumps.
    ClockJump,
    /// An attempt of an activity fails.
    Throw,
    /// An attempt of an activity does nothing for a long time.
    Hang,
    /// An attempt of an activity goes on after its effect.
    Linger,
    /// The power of the store's host fails.
    PowerCut,
    /// The disk is full for a while.
    DiskFull,
    /// The disk reports an error.
    IoError,
    /// The disk forgets a bit of what was durable.
    BitRot,
    /// The disk says that it has written what it has not.
    LyingSync,
    /// A statement fails with an SQLSTATE.
    SqlError,
    /// A statement takes long.
    Delay,
    /// A listener is not told.
    LoseNotification,
    /// The node is shut down in an orderly way, and starts again.
    Shutdown,
}
