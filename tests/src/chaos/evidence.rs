//! What a run leaves to be looked at: what was asked, sent, done and stored. Plain data. Not
//! here: what is wrong with it (`oracle`).

use super::history::Histories;
use super::{Result, Snapshot};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// After so long without an activity a session belongs to nobody.
pub(super) const SESSION_IDLE_MS: u64 = 1_000;

/// What no process may ever say.
const NEVER: [&str; 2] = ["panicked at", "database is locked"];

/// How an instance must end.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "status")]
pub enum End {
    /// It returns this.
    Completed {
        /// As JSON.
        #[serde(default)]
        output: Value,
    },
    /// It fails with this message.
    Failed {
        /// The message.
        error: String,
    },
    /// It is terminated for this reason.
    Terminated {
        /// The reason.
        error: String,
    },
}

/// An instance that a client asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// How it must end.
    pub ends: End,
    /// Whom else it brings about, by id, and how those must end.
    pub others: BTreeMap<String, End>,
}

/// A message that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its own id, which stands in its data.
    pub mid: String,
    /// To which instance.
    pub to: String,
    /// Under which name.
    pub name: String,
    /// By a client; else by an activity, any of whose attempts may have sent one of its own.
    pub by_client: bool,
    /// Whether the sender was told that it is stored.
    pub acknowledged: bool,
}

/// Something that an attempt of an activity did outside of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Effect {
    /// For which instance.
    pub instance: String,
    /// For which execution.
    pub execution: u64,
    /// The event that scheduled the activity.
    pub event: u64,
    /// In which attempt.
    pub attempt: u64,
    /// In which process.
    pub pid: u32,
    /// In which session.
    pub session: Option<String>,
    /// When, in ms since 1970.
    pub at: u64,
}

/// That connections were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// When, in ms since 1970.
    pub at: u64,
    /// By which process; `None`: by any of them.
    pub pid: Option<u32>,
}

/// What a client is told when all is over, and what a replay of all executions found.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Told {
    /// How each instance ended, by id; `None`: it has not.
    pub ends: BTreeMap<String, Option<End>>,
    /// How much the store says that there is; nothing, if it does not say.
    #[serde(default)]
    pub counted: Counted,
    /// How many executions there were to replay.
    pub replayed: u64,
    /// Which did something else, or left another status or other values than the client is told.
    pub divergent: Vec<String>,
}

/// How much of everything there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Counted {
    /// Instances.
    pub instances: u64,
    /// Those that have not ended.
    pub running: u64,
    /// Executions of all instances.
    pub executions: u64,
    /// Events of all executions.
    pub events: u64,
    /// Messages, activities and timers that wait for somebody.
    pub waiting: u64,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// How many workflows the clients were to ask for.
    pub wanted: u64,
    /// What was asked for.
    pub orders: Vec<Order>,
    /// What nothing came of any more while it was waited for.
    pub hung: Vec<String>,
    /// What was sent, in the order of sending.
    pub mail: Vec<Message>,
    /// What was done, in the order of doing.
    pub effects: Vec<Effect>,
    /// What is stored.
    pub stored: Snapshot,
    /// The histories in it.
    pub histories: Histories,
    /// When processes died, by pid, in ms since 1970.
    pub deaths: BTreeMap<u32, u64>,
    /// When connections were lost on which the life of a process hangs.
    pub cuts: Vec<Cut>,
    /// When the server was stopped as in a crash, in ms since 1970.
    pub restarts: Vec<u64>,
    /// What stands in the tables and has no business there.
    pub left: Vec<String>,
    /// What was committed, and changed later.
    pub unlike: Vec<String>,
    /// What the database says is wrong with it.
    pub unsound: Vec<String>,
    /// What a client is told.
    pub told: Told,
    /// What processes complained of that is nobody's business, from their logs.
    pub complaints: Vec<String>,
}

#[derive(Deserialize)]
struct MailLine {
    mid: String,
    to: String,
    name: String,
    by: String,
    state: String,
}

impl Evidence {
    /// Whether an instance exists and does not run any more.
    #[must_use]
    pub fn has_ended(&self, id: &str) -> bool {
        self.stored.instances.values().any(|instance| instance.id == id && !instance.running)
    }

    /// Whose death interrupted an activity, and how long this waited for its next attempt.
    #[must_use]
    pub fn taken_over(&self) -> Vec<(u32, Duration)> {
        let mut last: BTreeMap<(&str, u64, u64), u32> = BTreeMap::new();
        let mut waits = Vec::new();
        for effect in &self.effects {
            let key = (effect.instance.as_str(), effect.execution, effect.event);
            let Some(before) = last.insert(key, effect.pid) else { continue };
            // Else it was taken over from the living.
            let waited = self.deaths.get(&before).and_then(|at| effect.at.checked_sub(*at));
            waits.extend(waited.map(|ms| (before, Duration::from_millis(ms))));
        }
        waits
    }

    /// Read what the processes of a run have left in its folder.
    pub fn read_files(&mut self, folder: &Path) -> Result<()> {
        self.orders = lines(&folder.join("orders.ndjson"))?;
        self.effects = lines(&folder.join("effects.ndjson"))?;
        self.complaints = complaints(folder)?;
        let mut places = BTreeMap::new();
        for line in lines::<MailLine>(&folder.join("mail.ndjson"))? {
            let place = *places.entry(line.mid.clone()).or_insert(self.mail.len());
            if place == self.mail.len() {
                self.mail.push(Message {
                    mid: line.mid,
                    to: line.to,
                    name: line.name,
                    by_client: line.by == "client",
                    acknowledged: false,
                });
            }
            self.mail[place].acknowledged |= line.state == "sent";
        }
        Ok(())
    }
}

/// Lines of the logs of which there must be none: a bug in a process, or what a user of a shared
/// file must never see.
fn complaints(folder: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let log = fs::read(&path)?;
            let log = String::from_utf8_lossy(&log);
            let found = log.lines().filter(|line| NEVER.iter().any(|never| line.contains(never)));
            complaints.extend(found.map(|line| format!("{}: {line}", path.display())));
        }
    }
    Ok(complaints)
}

/// The lines of a file of JSON, none if there is no file. A process that is killed writes a line
/// whole or not at all.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    };
    text.lines()
        .map(|line| {
            serde_json::from_str(line)
                .map_err(|error| format!("{}: {error} in `{line}`", path.display()).into())
        })
        .collect()
}
