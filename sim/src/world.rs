//! The driver: turmoil's hosts and network, step by step; time that jumps when nothing
//! can happen before a deadline; and the faults that only a driver can carry out.
//! Not here: what runs on the hosts, and what must hold of it.

use crate::env::env;
use crate::fault::Met;
use crate::host::Host;
use crate::plan::{CLIENT, NODES, Plan, STORE};
use crate::stage::{Order, Stage};
use crate::sync::lock;
use crate::wrong::{Verdict, Wrong};
use duroxide_provider::env::Env;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

const TICK: Duration = Duration::from_millis(1);
/// A message may be between a link and its receiver for a step without being listed.
const QUIET_STEPS: u32 = 3;
/// A run that needs more spins.
const MOST_STEPS: u64 = 3_000_000;

/// A world of hosts.
pub(crate) struct World<'a> {
    sim: turmoil::Sim<'a>,
    stage: Arc<Stage>,
    /// By how much virtual time is ahead of turmoil's.
    ahead: Duration,
    /// What the driver has to do later.
    later: BTreeMap<(Duration, u64), Later>,
    next: u64,
    links: BTreeMap<String, Trouble>,
    quiet: u32,
}

enum Later {
    Start { host: String, counts: bool },
    Mend(String),
    Release(String),
}

/// How many disturbances a link to the store suffers at once.
#[derive(Default)]
struct Trouble {
    cuts: u32,
    holds: u32,
}

impl<'a> World<'a> {
    /// An empty world.
    pub(crate) fn new(stage: &Arc<Stage>) -> Self {
        let plan = &stage.plan;
        let sim = turmoil::Builder::new()
            .epoch(UNIX_EPOCH)
            .rng_seed(plan.seed)
            .tick_duration(TICK)
            .simulation_duration(Duration::MAX)
            .min_message_latency(TICK)
            .max_message_latency(Duration::from_millis(plan.latency_ms))
            .tcp_capacity(1024)
            .enable_random_order()
            .build();
        Self {
            sim,
            stage: Arc::clone(stage),
            ahead: Duration::ZERO,
            later: BTreeMap::new(),
            next: 0,
            links: BTreeMap::new(),
            quiet: 0,
        }
    }

    /// A host that can die and start again. Its software never ends by itself.
    pub(crate) fn host<F, Fut>(&mut self, name: &'static str, software: F)
    where
        F: Fn(Arc<Host>, Env) -> Fut + 'a,
        Fut: Future<Output = Verdict> + 'static,
    {
        let stage = Arc::clone(&self.stage);
        let lives = Mutex::new(0);
        self.sim.host(name, move || {
            let life = {
                let mut lives = lock(&lives);
                *lives += 1;
                *lives
            };
            let host = Host::start(&stage, name, life);
            let running = software(Arc::clone(&host), env(&host, skew_of(&stage.plan, name)));
            async move {
                report(&host, running.await);
                Ok(())
            }
        });
    }

    /// A host that never dies; the run is over when all of these are done.
    pub(crate) fn client<F, Fut>(&mut self, name: &'static str, software: F)
    where
        F: FnOnce(Arc<Host>, Env) -> Fut,
        Fut: Future<Output = Verdict> + 'static,
    {
        let host = Host::start(&self.stage, name, 1);
        let running = software(Arc::clone(&host), env(&host, 0));
        self.sim.client(name, async move {
            report(&host, running.await);
            Ok(())
        });
    }

    /// Run until the clients are done, the run has failed, or more virtual time has
    /// passed than it may take.
    pub(crate) fn run(&mut self, at_most: Duration) -> Verdict {
        let ended = self.drive(at_most);
        // Destructors run with the world; nothing of what they do is part of the run.
        self.stage.clear();
        ended
    }

    fn drive(&mut self, at_most: Duration) -> Verdict {
        loop {
            let before = self.stage.stirs();
            let woken = self.stage.timeline.advance_to(self.now());
            let over = self.sim.step().map_err(|error| Wrong::that(error.to_string()))?;
            let steps = self.stage.count_step();
            self.carry_out_orders();
            self.carry_out_due();
            if let Some(reason) = self.stage.failure() {
                return Err(reason);
            }
            if over {
                return Ok(());
            }
            if steps > MOST_STEPS {
                return Err(Wrong::that(format!("not everything ended within {MOST_STEPS} steps")));
            }
            if self.now() > at_most {
                let problem = format!("not everything ended within {at_most:?} of virtual time");
                return Err(Wrong::that(problem));
            }
            if woken > 0 || before != self.stage.stirs() || self.is_something_under_way() {
                self.quiet = 0;
            } else {
                self.quiet += 1;
            }
            if self.quiet >= QUIET_STEPS {
                self.jump()?;
            }
        }
    }

    fn now(&self) -> Duration {
        self.sim.elapsed() + self.ahead
    }

    /// Go to the next time at which somebody wants to do something.
    fn jump(&mut self) -> Verdict {
        let planned = self.later.first_key_value().map(|((at, _), _)| *at);
        let next = [self.stage.timeline.next_deadline(), planned].into_iter().flatten().min();
        let next = next.ok_or_else(|| Wrong::that("everybody waits, and nobody for a time"))?;
        let left = next.saturating_sub(self.now());
        if left > TICK {
            let whole = left.as_nanos().div_ceil(TICK.as_nanos());
            self.ahead += Duration::from_millis(whole as u64);
        }
        self.quiet = 0;
        Ok(())
    }

    /// Whether a message is on its way that will arrive by itself.
    fn is_something_under_way(&self) -> bool {
        let stuck: Vec<_> = self
            .links
            .iter()
            .filter(|(_, trouble)| trouble.holds > 0)
            .map(|(host, _)| self.sim.lookup(host.as_str()))
            .collect();
        let mut found = false;
        self.sim.links(|links| {
            for link in links {
                let (a, b) = link.pair();
                if !stuck.contains(&a) && !stuck.contains(&b) {
                    found |= link.into_iter().next().is_some();
                }
            }
        });
        found
    }

    fn carry_out_orders(&mut self) {
        for order in self.stage.take_orders() {
            match order {
                Order::Crash { host, down, silent, counts } => {
                    if silent {
                        // Nobody hears anything: what it sent and what it was sent is gone.
                        self.trouble(&host, |trouble| trouble.cuts += 1);
                    }
                    self.sim.crash(host.as_str());
                    if silent {
                        self.at(down, Later::Mend(host.clone()));
                    }
                    self.at(down, Later::Start { host, counts });
                }
                Order::Cut { host, lasting } => {
                    self.count(&host, Met::Partition);
                    self.trouble(&host, |trouble| trouble.cuts += 1);
                    self.at(lasting, Later::Mend(host));
                }
                Order::Hold { host, lasting } => {
                    self.count(&host, Met::Hold);
                    self.trouble(&host, |trouble| trouble.holds += 1);
                    self.at(lasting, Later::Release(host));
                }
            }
        }
    }

    fn carry_out_due(&mut self) {
        let now = self.now();
        while let Some(entry) = self.later.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.stage.stir();
            match entry.remove() {
                Later::Start { host, counts } => {
                    self.stage.count(&host, if counts { Met::Restart } else { Met::Idle });
                    self.sim.bounce(host.as_str());
                }
                Later::Mend(host) => self.trouble(&host, |trouble| trouble.cuts -= 1),
                Later::Release(host) => self.trouble(&host, |trouble| trouble.holds -= 1),
            }
        }
    }

    fn at(&mut self, delay: Duration, what: Later) {
        self.next += 1;
        self.later.insert((self.now() + delay, self.next), what);
    }

    /// A disturbance of the network counts if a call was on its way.
    fn count(&self, host: &str, met: Met) {
        let busy = self.stage.host(host).is_some_and(|host| host.is_busy());
        self.stage.count(host, if busy { met } else { Met::Idle });
    }

    /// Change what a link to the store suffers from, and tell turmoil what it amounts to.
    fn trouble(&mut self, host: &str, change: impl FnOnce(&mut Trouble)) {
        let trouble = self.links.entry(host.to_owned()).or_default();
        change(trouble);
        if trouble.cuts > 0 {
            self.sim.partition(host, STORE);
        } else if trouble.holds > 0 {
            self.sim.hold(host, STORE);
        } else {
            self.sim.release(host, STORE);
        }
    }
}

fn skew_of(plan: &Plan, name: &str) -> i64 {
    debug_assert!(name == STORE || name == CLIENT || NODES.contains(&name));
    NODES.iter().position(|node| *node == name).map_or(0, |index| plan.skew_ms[index])
}

fn report(host: &Host, ended: Verdict) {
    if let Err(wrong) = ended {
        host.stage().fail(&wrong.about(host.name()));
    }
}

#[cfg(test)]
mod tests;
