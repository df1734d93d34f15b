//! Swarms: how a seed draws its own mix of faults. Some kinds are left out altogether in
//! each seed, so that the others meet a system that is not busy recovering from everything
//! at once. Not here: what a fault does (`fault`).

use crate::dice::Dice;
use crate::fault::{CATALOGUE, Fault};
use crate::plan::{Planned, STORE, StoreKind, Sync};
use crate::point::{Boundary, Op};
use std::collections::BTreeSet;

/// Which kinds of fault seeds may draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swarm {
    kinds: BTreeSet<&'static str>,
    /// These in every seed, though no seed draws them by itself.
    always: BTreeSet<&'static str>,
}

impl Default for Swarm {
    fn default() -> Self {
        Self::all()
    }
}

impl Swarm {
    /// Every kind that the engine must survive.
    pub fn all() -> Self {
        let kinds = CATALOGUE.iter().filter(|kind| kind.share.is_some()).map(|kind| kind.name);
        Self { kinds: kinds.collect(), always: BTreeSet::new() }
    }

    /// None.
    pub fn calm() -> Self {
        Self { kinds: BTreeSet::new(), always: BTreeSet::new() }
    }

    /// Only those of its kinds that delay nothing.
    #[must_use]
    pub(crate) fn gentle(self) -> Self {
        self.only("shutdown")
    }

    /// Only this one of those it has; unknown names take everything away.
    #[must_use]
    pub fn only(mut self, name: &str) -> Self {
        self.kinds.retain(|kind| *kind == name);
        self
    }

    /// All but this one.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.kinds.retain(|kind| *kind != name);
        self
    }

    /// This one in every seed where it can happen, even if the engine cannot survive it.
    #[must_use]
    pub fn always(mut self, name: &str) -> Self {
        self.always.extend(CATALOGUE.iter().map(|kind| kind.name).filter(|kind| *kind == name));
        self
    }

    /// Whether seeds may draw this one by themselves.
    pub(crate) fn draws(&self, name: &str) -> bool {
        self.kinds.contains(name)
    }

    /// The names of all kinds that there are.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        CATALOGUE.iter().map(|kind| kind.name)
    }

    /// The faults of a seed, in a world of this shape.
    pub(crate) fn draw(&self, dice: &mut Dice, world: &Shape) -> Vec<Planned> {
        let mut faults = Vec::new();
        for kind in CATALOGUE {
            let share = kind.share.filter(|_| self.kinds.contains(kind.name));
            let (chance, most) = match (share, self.always.contains(kind.name)) {
                (Some(share), false) => share,
                (Some((_, most)), true) => (100, most),
                (None, true) => (100, 1),
                (None, false) => continue,
            };
            if dice.percent(chance) {
                let count = dice.within(1..=most);
                faults.extend((0..count).filter_map(|_| (kind.draw)(dice, world)));
            }
        }
        faults
    }
}

/// What a world is made of, as far as faults care.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) nodes: Vec<String>,
    pub(crate) clients: Vec<String>,
    pub(crate) store: StoreKind,
    pub(crate) sync: Sync,
    /// How many builds of the workload there are.
    pub(crate) builds: u32,
    /// Whether the workload tries again what failed.
    pub(crate) retries: bool,
    /// How many instances there are: how often points are come to is in proportion.
    pub(crate) instances: u64,
}

impl Shape {
    /// Whether real SQLite writes to a simulated disk.
    pub(crate) fn has_disk(&self) -> bool {
        self.store == StoreKind::Sqlite
    }

    /// Whether the store is a modelled server.
    pub(crate) fn has_server(&self) -> bool {
        self.store == StoreKind::Postgres
    }

    /// Whether what is acknowledged is durable.
    pub(crate) fn survives_power_cuts(&self) -> bool {
        self.has_disk() && self.sync == Sync::Full
    }

    pub(crate) fn node(&self, dice: &mut Dice) -> String {
        one_of(dice, &self.nodes)
    }

    pub(crate) fn client(&self, dice: &mut Dice) -> String {
        one_of(dice, &self.clients)
    }

    pub(crate) fn at_node(
        &self,
        dice: &mut Dice,
        boundary: Boundary,
        fault: impl Into<Fault>,
    ) -> Planned {
        let node = self.node(dice);
        self.at(dice, node, boundary, fault)
    }

    pub(crate) fn at_store(
        &self,
        dice: &mut Dice,
        boundary: Boundary,
        fault: impl Into<Fault>,
    ) -> Planned {
        self.at(dice, STORE.to_owned(), boundary, fault)
    }

    /// The fault, the so-manieth time the host comes to the point.
    pub(crate) fn at(
        &self,
        dice: &mut Dice,
        host: String,
        boundary: Boundary,
        fault: impl Into<Fault>,
    ) -> Planned {
        let nth = dice.within(1..=self.usual_count(boundary));
        Planned { host, boundary, nth, fault: fault.into() }
    }

    /// About how often a host comes to a point in a calm run: what is drawn beyond never
    /// strikes.
    fn usual_count(&self, boundary: Boundary) -> u64 {
        let nodes = self.nodes.len().max(1) as u64;
        let share = |all: u64| (all * self.instances / 20 / nodes).max(2);
        match boundary {
            Boundary::Calling(op)
            | Boundary::Answered(op)
            | Boundary::Arrived(op)
            | Boundary::Durable(op) => match op {
                Op::CommitTurn => share(120),
                Op::LeaseOrchestrations | Op::LeaseActivities | Op::Release => share(36),
                Op::Submit => self.instances.max(1),
                Op::ReadHistory | Op::CompleteActivity => share(12),
                Op::ReadMail | Op::Renew => 2,
                Op::WaitForWork | Op::Instance | Op::Watch | Op::Other => share(30),
            },
            Boundary::TookOver => 2,
            Boundary::Wrote | Boundary::Slept => share(360),
            Boundary::Began | Boundary::Effect => share(90),
            Boundary::Disk(_) => 40 * self.instances,
            Boundary::Statement(_) => 15 * self.instances,
            Boundary::Committing(_) | Boundary::Notifying => 3 * self.instances,
        }
    }
}

fn one_of(dice: &mut Dice, names: &[String]) -> String {
    names[dice.within(0..=names.len() as u64 - 1) as usize].clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(store: StoreKind) -> Shape {
        Shape {
            nodes: vec!["node-1".to_owned(), "node-2".to_owned()],
            clients: vec!["client-1".to_owned()],
            store,
            sync: Sync::Full,
            builds: 2,
            retries: true,
            instances: 20,
        }
    }

    #[test]
    fn every_kind_is_drawn_by_some_seed_where_it_can_happen() {
        for kind in CATALOGUE.iter().filter(|kind| kind.share.is_some()) {
            let swarm = Swarm::all().only(kind.name);
            let drawn = (0..100).any(|seed| {
                [StoreKind::Sqlite, StoreKind::Postgres].into_iter().any(|store| {
                    let faults = swarm.draw(&mut Dice::new(seed, "plan"), &world(store));
                    assert!(faults.iter().all(|fault| fault.fault.name() == kind.name));
                    !faults.is_empty()
                })
            });
            assert!(drawn, "{} is never drawn", kind.name);
        }
    }

    #[test]
    fn what_is_asked_for_is_in_every_seed() {
        let swarm = Swarm::all().always("kill");
        for seed in 0..50 {
            let faults = swarm.draw(&mut Dice::new(seed, "plan"), &world(StoreKind::Sqlite));
            assert!(faults.iter().any(|fault| fault.fault.name() == "kill"), "seed {seed}");
        }
    }

    #[test]
    fn what_cannot_be_survived_is_drawn_by_name_only() {
        let swarm = Swarm::all().always("lying_sync");
        for seed in 0..50 {
            let of = |swarm: &Swarm| {
                let faults = swarm.draw(&mut Dice::new(seed, "plan"), &world(StoreKind::Sqlite));
                faults.iter().filter(|fault| fault.fault.name() == "lying_sync").count()
            };
            assert_eq!((of(&Swarm::all()), of(&swarm)), (0, 1));
        }
    }
}
