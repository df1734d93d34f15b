//! The store: plain synchronous functions on a transaction, one file per responsibility.
//! Not here: connections, batching, threads, waiting; they are the shell around it.
//!
//! Read next: `commit`, the heart of it; `turns` and `activities`, which hand out work.

pub(crate) mod activities;
pub(crate) mod claims;
pub(crate) mod commit;
pub(crate) mod due;
pub(crate) mod effects;
pub(crate) mod ends;
pub(crate) mod history;
pub(crate) mod inbox;
pub(crate) mod info;
pub(crate) mod instances;
pub(crate) mod leases;
pub(crate) mod manage;
pub(crate) mod nodes;
pub(crate) mod quarantine;
pub(crate) mod release;
pub(crate) mod schema;
pub(crate) mod sessions;
pub(crate) mod sql;
pub(crate) mod submit;
pub(crate) mod turns;
pub(crate) mod unclaimed;

use crate::clock::StoreClock;
use crate::error::{Result, StoreError};
use duroxide_core::{Limits, TimeMs};
use duroxide_provider::{InstanceKey, WakeSeq};
use rusqlite::Connection;
use sql::Sql;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// A write transaction: what every operation of a batch runs in.
pub(crate) struct Tx<'a> {
    /// The connection, inside the transaction.
    pub(crate) sql: &'a Connection,
    /// The store's clock, the same for the whole batch.
    pub(crate) now: TimeMs,
    /// The handle that writes, by which others know whether it lives; 0 in memory.
    pub(crate) owner: u64,
    /// What had happened when the transaction began.
    pub(crate) wake_seq: WakeSeq,
    /// The limits to hold.
    pub(crate) limits: &'a Limits,
    sequence: Cell<u64>,
    effects: RefCell<Effects>,
}

/// What a batch means for those who wait, once it is durable.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// There is work, or something for a holder, that was not there before.
    pub(crate) announce: bool,
    /// The earliest later time at which there will be.
    pub(crate) due: Option<TimeMs>,
    /// Instances whose revision changed.
    pub(crate) touched: BTreeSet<InstanceKey>,
    /// Messages that nobody will ever take.
    pub(crate) dropped: u64,
    /// Instances that were quarantined.
    pub(crate) quarantined: u64,
}

impl<'a> Tx<'a> {
    /// A transaction that has just begun, not before anything written so far.
    pub(crate) fn begin(
        sql: &'a Connection,
        clock: &StoreClock,
        owner: u64,
        wake_seq: WakeSeq,
        limits: &'a Limits,
    ) -> Result<Self> {
        let (written, sequence) = sql
            .one("SELECT clock, sequence FROM store", [], |row| Ok((row.get(0)?, row.get(1)?)))?
            .ok_or_else(|| StoreError::corrupt("store", "its one row is missing"))?;
        Ok(Self {
            sql,
            now: clock.after(TimeMs(written)),
            owner,
            wake_seq,
            limits,
            sequence: Cell::new(sequence),
            effects: RefCell::default(),
        })
    }

    /// Keep the clock and the sequence, and give what the transaction means for others.
    pub(crate) fn seal(self) -> Result<Effects> {
        self.sql
            .run("UPDATE store SET clock = ?1, sequence = ?2", (self.now.0, self.sequence.get()))?;
        Ok(self.into_effects())
    }

    /// What the transaction means for others, when nothing is to be kept.
    pub(crate) fn into_effects(self) -> Effects {
        self.effects.into_inner()
    }

    /// A number never given before: incarnation, message or node.
    pub(crate) fn next_number(&self) -> u64 {
        self.sequence.set(self.sequence.get() + 1);
        self.sequence.get()
    }

    /// The last number given.
    pub(crate) fn last_number(&self) -> u64 {
        self.sequence.get()
    }

    /// There is something to do for someone now.
    pub(crate) fn announce(&self) {
        self.effects.borrow_mut().announce = true;
    }

    /// There will be something to do at this time.
    pub(crate) fn due(&self, at: u64) {
        if at <= self.now.0 {
            self.announce();
            return;
        }
        let mut effects = self.effects.borrow_mut();
        effects.due = Some(effects.due.map_or(TimeMs(at), |due| due.min(TimeMs(at))));
    }

    /// The instance's revision changed.
    pub(crate) fn touched(&self, key: InstanceKey) {
        self.effects.borrow_mut().touched.insert(key);
    }

    /// A message was dropped: its target has ended, is unknown or is another by now.
    pub(crate) fn dropped(&self) {
        self.effects.borrow_mut().dropped += 1;
    }

    /// An instance was quarantined.
    pub(crate) fn quarantined(&self) {
        self.effects.borrow_mut().quarantined += 1;
    }
}
