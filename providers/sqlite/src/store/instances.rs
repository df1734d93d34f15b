//! Instance rows: their parts, how they are read, how they are made.

use super::Tx;
use super::inbox::{self, NewArrival};
use super::sql::{Id, Sql};
use crate::error::Result;
use duroxide_core::{ArrivalBody, ExecutionId, Headers, InstanceId, Parent, Payload};
use duroxide_provider::{InstanceKey, Namespace};
use rusqlite::{Connection, Row};

/// How an instance or execution stands, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Running = 0,
    Completed = 1,
    Failed = 2,
    Terminated = 3,
    ContinuedAsNew = 4,
}

impl State {
    /// The state whose name callers use in filters.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "Running" => Some(Self::Running),
            "Completed" => Some(Self::Completed),
            "Failed" => Some(Self::Failed),
            "Terminated" => Some(Self::Terminated),
            _ => None,
        }
    }

    /// As it is stored.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// Who waits for the end of a child.
#[derive(Debug, Clone)]
pub(crate) struct ParentRow {
    pub(crate) incarnation: u64,
    pub(crate) id: String,
    pub(crate) execution: u64,
    pub(crate) event: u64,
}

/// An instance, as the contract needs it.
#[derive(Debug, Clone)]
pub(crate) struct InstanceRow {
    pub(crate) incarnation: u64,
    pub(crate) ns: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) flags: u64,
    pub(crate) execution: u64,
    pub(crate) next_event: u64,
    pub(crate) turn: u64,
    pub(crate) last_commit: Option<Id>,
    pub(crate) running: bool,
    pub(crate) ready_at: Option<u64>,
    pub(crate) attempt: u32,
    pub(crate) lease: Option<Id>,
    pub(crate) kept: bool,
    pub(crate) offer: Option<Id>,
    pub(crate) offered_at: u64,
    pub(crate) offered_id: u64,
    pub(crate) parent: Option<ParentRow>,
    pub(crate) root: u64,
    pub(crate) quarantine: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT incarnation, ns, id, name, version, flags, execution, next_event, turn,
             last_commit, state, ready_at, attempt, lease, kept, offer, offered_at,
             offered_id, parent, parent_id, parent_execution, parent_event, root, quarantine
             FROM instances ",
            $rest
        )
    };
}

impl InstanceRow {
    /// By incarnation.
    pub(crate) fn load(sql: &Connection, incarnation: u64) -> Result<Option<Self>> {
        sql.one(select!("WHERE incarnation = ?1"), [incarnation], Self::read)
    }

    /// By name.
    pub(crate) fn find(sql: &Connection, key: &InstanceKey) -> Result<Option<Self>> {
        let names = (key.namespace.0.as_str(), key.id.as_str());
        sql.one(select!("WHERE ns = ?1 AND id = ?2"), names, Self::read)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let parent = match row.get::<_, Option<u64>>(18)? {
            None => None,
            Some(incarnation) => Some(ParentRow {
                incarnation,
                id: row.get(19)?,
                execution: row.get(20)?,
                event: row.get(21)?,
            }),
        };
        Ok(Self {
            incarnation: row.get(0)?,
            ns: row.get(1)?,
            id: row.get(2)?,
            name: row.get(3)?,
            version: row.get(4)?,
            flags: row.get::<_, i64>(5)? as u64,
            execution: row.get(6)?,
            next_event: row.get(7)?,
            turn: row.get(8)?,
            last_commit: row.get(9)?,
            running: row.get::<_, u8>(10)? == State::Running.code(),
            ready_at: row.get(11)?,
            attempt: row.get(12)?,
            lease: row.get(13)?,
            kept: row.get(14)?,
            offer: row.get(15)?,
            offered_at: row.get(16)?,
            offered_id: row.get(17)?,
            parent,
            root: row.get(22)?,
            quarantine: row.get(23)?,
        })
    }

    /// Its name.
    pub(crate) fn key(&self) -> InstanceKey {
        InstanceKey { namespace: Namespace(self.ns.clone()), id: InstanceId(self.id.clone()) }
    }

    /// Its name as errors show it.
    pub(crate) fn display(&self) -> String {
        self.key().to_string()
    }

    /// The parent as the child's history records it.
    pub(crate) fn parent_link(&self) -> Option<Parent> {
        self.parent.as_ref().map(|parent| Parent {
            instance: InstanceId(parent.id.clone()),
            execution: ExecutionId(parent.execution),
            event: duroxide_core::EventId(parent.event),
        })
    }
}

/// An instance to make.
pub(crate) struct NewInstance<'a> {
    pub(crate) key: &'a InstanceKey,
    pub(crate) name: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) input: &'a Payload,
    pub(crate) headers: &'a Headers,
    /// The parent and the root, for a child.
    pub(crate) parent: Option<(ParentRow, u64)>,
}

/// Make an instance with its first execution and the message that starts it. `false`:
/// the id is in use.
pub(crate) fn create(tx: &Tx<'_>, new: NewInstance<'_>) -> Result<bool> {
    let names = (new.key.namespace.0.as_str(), new.key.id.as_str());
    if tx.sql.any("SELECT 1 FROM instances WHERE ns = ?1 AND id = ?2", names)? {
        return Ok(false);
    }
    let incarnation = tx.next_number();
    let (parent, root) = match new.parent {
        Some((parent, root)) => (Some(parent), root),
        None => (None, incarnation),
    };
    tx.sql.run(
        "INSERT INTO instances (incarnation, ns, id, name, version, parent, parent_id,
           parent_execution, parent_event, root, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)",
        rusqlite::params![
            incarnation,
            names.0,
            names.1,
            new.name,
            new.version,
            parent.as_ref().map(|parent| parent.incarnation),
            parent.as_ref().map(|parent| parent.id.as_str()),
            parent.as_ref().map(|parent| parent.execution),
            parent.as_ref().map(|parent| parent.event),
            root,
            tx.now.0,
        ],
    )?;
    insert_execution(tx, incarnation, 1)?;
    let start = ArrivalBody::Start {
        name: new.name.to_owned(),
        version: new.version.map(str::to_owned),
        input: new.input.clone(),
        parent: parent.map(|parent| Parent {
            instance: InstanceId(parent.id),
            execution: ExecutionId(parent.execution),
            event: duroxide_core::EventId(parent.event),
        }),
        headers: new.headers.clone(),
    };
    inbox::put(tx, &NewArrival::now(tx, incarnation, Some(1), &start))?;
    tx.touched(new.key.clone());
    Ok(true)
}

/// A new execution of an instance.
pub(crate) fn insert_execution(tx: &Tx<'_>, incarnation: u64, execution: u64) -> Result<()> {
    tx.sql.run(
        "INSERT INTO executions (incarnation, execution, started_at) VALUES (?1, ?2, ?3)",
        (incarnation, execution, tx.now.0),
    )?;
    Ok(())
}
