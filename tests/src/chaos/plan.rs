//! What happens when, drawn from a seed. Not here: letting it happen (`run`).

use std::fmt;
use std::time::Duration;

/// Which store the processes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// One file.
    Sqlite,
    /// One server.
    Postgres,
}

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kill {
    /// Whatever it does.
    Anytime,
    /// In an activity that has not done anything yet.
    BeforeEffect,
    /// In an activity that has done it, and has not returned.
    AfterEffect,
    /// Right after a commit, before any code has seen it.
    AfterCommit,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// SIGKILL, and a new process in its place.
    Kill {
        /// Whose place, from 0.
        place: usize,
        /// When.
        when: Kill,
    },
    /// The server ends the connections of the processes, every second one.
    EndConnections,
    /// The server stops at once, as after a crash, and starts again.
    RestartServer,
    /// A connection is cut when a commit has been sent on it.
    CutAnswer {
        /// Whose, by place; that of the clients, if it is nobody's.
        place: usize,
        /// When its answer has come as far as the proxy; else while the server is at it.
        after_answer: bool,
    },
    /// A process is cut off from the server for longer than the others wait before they take
    /// it for dead. It lives on, and what it holds is taken over.
    CutOff {
        /// Whose place.
        place: usize,
    },
}

/// Something that happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// Since the beginning.
    pub at: Duration,
    /// What happens.
    pub what: What,
}

/// Everything that happens, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In order of time.
    pub strikes: Vec<Strike>,
    /// How many processes there are.
    pub places: usize,
}

impl Plan {
    /// One kill a second, a third of them at a mark; on a server also what can happen to
    /// it and to connections.
    #[must_use]
    pub fn draw(seed: u64, store: StoreKind, seconds: u64) -> Self {
        let mut dice = Dice(seed);
        let places = match store {
            StoreKind::Sqlite => 4,
            StoreKind::Postgres => 3,
        };
        let mut strikes = Vec::new();
        let mut marked = 0;
        for second in 0..seconds {
            if second % 3 == 0 {
                marked = second + dice.below(3);
            }
            let when = match (second == marked, dice.below(3)) {
                (false, _) => Kill::Anytime,
                (true, 0) => Kill::BeforeEffect,
                (true, 1) => Kill::AfterEffect,
                (true, _) => Kill::AfterCommit,
            };
            let place = dice.below(places as u64) as usize;
            let at = Duration::from_millis(second * 1_000 + 300 + dice.below(400));
            strikes.push(Strike { at, what: What::Kill { place, when } });
        }
        if store == StoreKind::Postgres {
            strikes.extend(on_a_server(&mut dice, places as u64, seconds));
        }
        strikes.sort_by_key(|strike| strike.at);
        Self { strikes, places }
    }
}

/// A cut every other second, connections ended every third, a process cut off every fifth, a
/// restart four times a minute; each at least once.
fn on_a_server(dice: &mut Dice, places: u64, seconds: u64) -> Vec<Strike> {
    let mut strikes = Vec::new();
    let mut every = |seconds_between: u64, what: &dyn Fn(&mut Dice) -> What| {
        for round in 0..seconds.div_ceil(seconds_between) {
            let offset = dice.below(seconds_between.min(seconds) * 1_000);
            let at = Duration::from_millis(round * seconds_between * 1_000 + offset);
            strikes.push(Strike { at, what: what(dice) });
        }
    };
    every(2, &|dice| What::CutAnswer {
        place: dice.below(places + 1) as usize,
        after_answer: dice.below(2) == 0,
    });
    every(3, &|_| What::EndConnections);
    every(5, &|dice| What::CutOff { place: dice.below(places) as usize });
    every(15, &|_| What::RestartServer);
    strikes.retain(|strike| strike.at < Duration::from_secs(seconds));
    strikes
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Strike { at, what }) in self.strikes.iter().enumerate() {
            let gap = if n == 0 { "" } else { ", " };
            write!(f, "{gap}{:.1} s {what}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

impl What {
    /// Whether it is a kill at a mark.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        matches!(self, Self::Kill { when, .. } if *when != Kill::Anytime)
    }

    /// Without whom it strikes.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::EndConnections => "connections ended",
            Self::RestartServer => "server restarted",
            Self::CutAnswer { after_answer: true, .. } => "answers cut",
            Self::CutAnswer { after_answer: false, .. } => "commits cut",
            Self::CutOff { .. } => "processes cut off",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "one SQLite file",
            Self::Postgres => "Postgres",
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { place, when } => write!(f, "kill {place} {when}"),
            Self::EndConnections => f.write_str("end connections"),
            Self::RestartServer => f.write_str("restart server"),
            Self::CutAnswer { place, after_answer: true } => write!(f, "cut answer {place}"),
            Self::CutAnswer { place, after_answer: false } => write!(f, "cut commit {place}"),
            Self::CutOff { place } => write!(f, "cut off {place}"),
        }
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anytime => "at any moment",
            Self::BeforeEffect => "before an effect",
            Self::AfterEffect => "after an effect",
            Self::AfterCommit => "after a commit",
        })
    }
}

/// SplitMix64: enough for a schedule.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % bound
    }
}
