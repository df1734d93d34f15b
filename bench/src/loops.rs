//! The ways to load a runtime: a closed loop of so many workflows, one long workflow, a
//! backlog, instances that wait, a restart. Not here: what a workflow does (`workload`).

use crate::result::{Failure, Inside, percentile};
use crate::store::Opened;
use crate::workload::{GO, Workload};
use duroxide::prelude::*;
use futures_util::future::try_join_all;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Nothing here takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_mins(10);

/// A client, the store behind it, and how much is asked.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) client: Client,
    pub(crate) opened: Opened,
    pub(crate) workload: Workload,
    pub(crate) at_once: usize,
    /// How long a closed loop goes on.
    pub(crate) lasts: Duration,
    /// How many instances, or steps, there are where that is what matters.
    pub(crate) count: u64,
    numbers: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new(
        client: Client,
        opened: Opened,
        workload: Workload,
        at_once: usize,
        lasts: Duration,
        count: u64,
    ) -> Self {
        Self { client, opened, workload, at_once, lasts, count, numbers: Arc::default() }
    }

    /// Workflows, each started when another has ended, so many at once.
    pub(crate) async fn closed(&self, lasts: Duration) -> Result<Inside, Failure> {
        let (began, commits) = (Instant::now(), self.opened.commits());
        let one = async || {
            let mut times = Vec::new();
            while began.elapsed() < lasts {
                times.push(self.workflow().await?);
            }
            Ok::<_, Failure>(times)
        };
        let times = try_join_all((0..self.at_once).map(|_| one())).await?;
        let mut times: Vec<_> = times.into_iter().flatten().collect();
        Ok(self.inside(&mut times, began.elapsed(), commits))
    }

    /// One, from its start to its end; gives the ms that count.
    async fn workflow(&self) -> Result<f64, Failure> {
        let id = self.id();
        let (name, input) = self.workload.what();
        let mut began = Instant::now();
        self.client.start_typed(id.as_str(), name, &input).await?;
        if self.workload == Workload::Event {
            self.client.wait_for_status_change(id.as_str(), 0, PATIENCE).await?;
            began = Instant::now();
            self.client.raise_event_typed(id.as_str(), GO, &1).await?;
        }
        let _: u64 = self.client.wait_typed(id.as_str(), PATIENCE).await?;
        Ok(ms(began.elapsed()))
    }

    fn id(&self) -> String {
        format!("{}-{}", self.workload.name(), self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    fn inside(&self, times: &mut [f64], took: Duration, commits: Option<u64>) -> Inside {
        let workflows = times.len() as u64;
        Inside {
            workflows,
            steps: workflows * self.workload.steps(),
            seconds: took.as_secs_f64(),
            p50_ms: percentile(times, 0.5),
            p99_ms: percentile(times, 0.99),
            commits: self.commits_since(commits),
            growth: None,
        }
    }

    fn commits_since(&self, before: Option<u64>) -> Option<u64> {
        self.opened.commits().zip(before).map(|(now, before)| now - before)
    }

    /// One workflow of many steps. `steps`: when the activity of each began.
    pub(crate) async fn long(&self, steps: &Mutex<Vec<Instant>>) -> Result<Inside, Failure> {
        let (began, commits) = (Instant::now(), self.opened.commits());
        self.client.start_typed("long", self.workload.what().0, &self.count).await?;
        let _: u64 = self.client.wait_typed("long", PATIENCE).await?;
        let took = began.elapsed();
        let at = std::mem::take(&mut *steps.lock().unwrap_or_else(PoisonError::into_inner));
        let mut times: Vec<_> = at.windows(2).map(|two| ms(two[1] - two[0])).collect();
        let tenth = times.len() / 10;
        let first = percentile(&mut times.clone()[..tenth], 0.5);
        let last = percentile(&mut times.clone()[9 * tenth..], 0.5);
        let steps = at.len() as u64;
        let growth = (first > 0.0).then_some(last / first);
        Ok(Inside { workflows: 1, steps, growth, ..self.inside(&mut times, took, commits) })
    }

    /// Start so many instances, and wait until each of them waits for its event if it does.
    pub(crate) async fn fill(&self) -> Result<(), Failure> {
        let (name, input) = self.workload.what();
        let next = AtomicU64::new(0);
        let one = async || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= self.count {
                    return Ok::<_, Failure>(());
                }
                let id = numbered(n);
                self.client.start_typed(id.as_str(), name, &input).await?;
                if name == "Wait" {
                    self.client.wait_for_status_change(id.as_str(), 0, PATIENCE).await?;
                }
            }
        };
        try_join_all((0..200).map(|_| one())).await.map(drop)
    }

    /// Until every instance of the filling has ended. `go`: it is told to.
    pub(crate) async fn drained(&self, go: bool) -> Result<Inside, Failure> {
        let (began, commits) = (Instant::now(), self.opened.commits());
        let next = AtomicU64::new(0);
        let one = async || {
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= self.count {
                    return Ok::<_, Failure>(times);
                }
                let id = numbered(n);
                if go {
                    self.client.raise_event_typed(id.as_str(), GO, &1).await?;
                }
                let _: u64 = self.client.wait_typed(id.as_str(), PATIENCE).await?;
                times.push(ms(began.elapsed()));
            }
        };
        let times = try_join_all((0..self.at_once).map(|_| one())).await?;
        let mut times: Vec<_> = times.into_iter().flatten().collect();
        Ok(self.inside(&mut times, began.elapsed(), commits))
    }
}

fn numbered(n: u64) -> String {
    format!("i-{n}")
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
