//! The driver: turmoil's hosts and network, step by step; time that jumps when nothing
//! can happen before a deadline; and the faults that only a driver can carry out.
//! Not here: what runs on the hosts, and what must hold of it.

use crate::counts::{IDLE, sometimes};
use crate::env::env;
use crate::fault::Way;
use crate::host::Host;
use crate::plan::STORE;
use crate::stage::{Order, Stage};
use crate::sync::lock;
use crate::wrong::{Verdict, Wrong};
use duroxide_provider::env::Env;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

/// Oracle: a run comes to its end.
const LIVENESS: &str = "liveness";
const TICK: Duration = Duration::from_millis(1);
/// So many steps in a row without anything to wait for are enough to say that nothing comes.
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
    /// The links between the store and each other host.
    links: BTreeMap<String, Trouble>,
    quiet: u32,
}

enum Later {
    Start { host: String, counts: bool },
    Mend { host: String, way: Option<Way> },
    Release(String),
}

/// How many disturbances a link to the store suffers at once.
#[derive(Default)]
struct Trouble {
    cuts: u32,
    to_store: u32,
    from_store: u32,
    holds: u32,
}

impl Trouble {
    fn of(&mut self, way: Option<Way>) -> &mut u32 {
        match way {
            None => &mut self.cuts,
            Some(Way::ToStore) => &mut self.to_store,
            Some(Way::FromStore) => &mut self.from_store,
        }
    }
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
    pub(crate) fn host<F, Fut>(&mut self, name: &str, software: F)
    where
        F: Fn(Arc<Host>, Env) -> Fut + 'a,
        Fut: Future<Output = Verdict> + 'static,
    {
        if name != STORE {
            self.links.insert(name.to_owned(), Trouble::default());
        }
        let (stage, lives) = (Arc::clone(&self.stage), Mutex::new(0));
        let name = name.to_owned();
        self.sim.host(name.clone(), move || {
            let life = {
                let mut lives = lock(&lives);
                *lives += 1;
                *lives
            };
            let host = Host::start(&stage, &name, life);
            let running = software(Arc::clone(&host), env(&host));
            async move {
                report(&host, running.await);
                Ok(())
            }
        });
    }

    /// A host that never dies; the run is over when all of these are done.
    pub(crate) fn client<F, Fut>(&mut self, name: &str, software: F)
    where
        F: FnOnce(Arc<Host>, Env) -> Fut,
        Fut: Future<Output = Verdict> + 'static,
    {
        self.links.insert(name.to_owned(), Trouble::default());
        let host = Host::start(&self.stage, name, 1);
        let running = software(Arc::clone(&host), env(&host));
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
            self.stage.timeline.advance_to(self.now());
            let over = self.sim.step().map_err(|error| Wrong::of("world", error.to_string()))?;
            let steps = self.stage.count_step();
            self.carry_out_orders();
            self.carry_out_due();
            if let Some(reason) = self.stage.failure() {
                return Err(reason);
            }
            if over {
                return Ok(());
            }
            has_time_left(steps, self.now(), at_most)?;
            // A step ends when no host has anything left to do; so only a message, or what one
            // host did to another in it, makes the next one.
            if before != self.stage.stirs() || self.is_something_under_way() {
                self.quiet = 0;
            } else {
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
        let Some(next) = next else {
            self.quiet += 1;
            if self.quiet < QUIET_STEPS {
                return Ok(());
            }
            return Err(Wrong::of(LIVENESS, "everybody waits, and nobody for a time"));
        };
        let whole = next.saturating_sub(self.now()).as_nanos().div_ceil(TICK.as_nanos());
        self.ahead += Duration::from_millis(whole as u64);
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
        self.sim.links(|mut links| {
            found = links.any(|link| {
                let (a, b) = link.pair();
                let moves = !stuck.contains(&a) && !stuck.contains(&b);
                moves && link.into_iter().next().is_some()
            });
        });
        found
    }

    fn carry_out_orders(&mut self) {
        for order in self.stage.take_orders() {
            self.stage.stir();
            match order {
                Order::Crash { host, down, silent, counts } => {
                    if silent {
                        // Nobody hears anything: what it sent and what it was sent is gone.
                        self.cut(&host, None, down);
                    }
                    self.sim.crash(host.as_str());
                    self.at(down, Later::Start { host, counts });
                }
                Order::Deploy { host, build } => self.stage.deploy(&host, build),
                Order::Cut { host, name, way, lasting } => {
                    self.count(&host, name);
                    self.cut(&host, way, lasting);
                }
                Order::Hold { host, lasting } => {
                    self.count(&host, "hold");
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
                    self.stage.count(&host, if counts { sometimes::RESTART } else { IDLE });
                    self.sim.bounce(host.as_str());
                }
                Later::Mend { host, way } => self.trouble(&host, |trouble| *trouble.of(way) -= 1),
                Later::Release(host) => self.trouble(&host, |trouble| trouble.holds -= 1),
            }
        }
    }

    fn cut(&mut self, host: &str, way: Option<Way>, lasting: Duration) {
        self.trouble(host, |trouble| *trouble.of(way) += 1);
        self.at(lasting, Later::Mend { host: host.to_owned(), way });
    }

    fn at(&mut self, delay: Duration, what: Later) {
        self.next += 1;
        self.later.insert((self.now() + delay, self.next), what);
    }

    /// A disturbance of the network counts if there was work that needs it.
    fn count(&self, host: &str, name: &str) {
        let busy = self.stage.host(host).is_some_and(|host| host.is_busy());
        self.stage.count(host, if busy || host == STORE { name } else { IDLE });
    }

    /// Change what the links between a host and the store suffer from, all links if it is
    /// the store's, and tell turmoil what it amounts to.
    fn trouble(&mut self, host: &str, change: impl Fn(&mut Trouble)) {
        for (other, trouble) in &mut self.links {
            if host != STORE && host != other {
                continue;
            }
            change(trouble);
            let other = other.as_str();
            // All is well, and what was held up is let go; but for what remains.
            self.sim.release(other, STORE);
            if trouble.cuts > 0 {
                self.sim.partition(other, STORE);
            } else if trouble.to_store + trouble.from_store > 0 {
                if trouble.to_store > 0 {
                    self.sim.partition_oneway(other, STORE);
                }
                if trouble.from_store > 0 {
                    self.sim.partition_oneway(STORE, other);
                }
            } else if trouble.holds > 0 {
                self.sim.hold(other, STORE);
            }
        }
    }
}

/// A run has taken so many steps and so much virtual time: it must end within these bounds.
fn has_time_left(steps: u64, now: Duration, at_most: Duration) -> Verdict {
    // Idle nodes ask every few minutes, for as long as the run may last.
    let most = MOST_STEPS + at_most.as_secs() / 4;
    if steps > most {
        let problem = format!("not everything ended within {most} steps");
        return Err(Wrong::of(LIVENESS, problem));
    }
    if now > at_most {
        let problem = format!("not everything ended within {at_most:?} of virtual time");
        return Err(Wrong::of(LIVENESS, problem));
    }
    Ok(())
}

fn report(host: &Host, ended: Verdict) {
    if let Err(wrong) = ended {
        host.stage().fail(&wrong);
    }
}

#[cfg(test)]
mod tests;
