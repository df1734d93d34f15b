//! Oracle "left over": when everything has ended, nothing is left: no queue has a row, no
//! instance runs or waits or has mail, and no name waits for a node. Oracle "counts": the
//! store's counts agree with what it holds.

use super::fact::{Instance, Oracle, Stored, wrong};
use crate::wrong::{Verdict, Wrong};
use duroxide_provider::env::Env;
use duroxide_provider::{ProviderError, QueueDepths, Store, SystemMetrics, UnclaimedNames};
use std::time::Duration;

const NAME: &str = "left over";
const COUNTS: &str = "counts";

/// Looks at the end only.
#[derive(Default)]
pub(crate) struct LeftOver;

impl Oracle for LeftOver {
    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        for Instance { key, info, stats, .. } in stored.iter() {
            let problem = if !info.state.is_terminal() {
                Some(format!("it has not ended, and is {:?}", info.state))
            } else if stats.pending_messages > 0 {
                Some(format!("it has ended with {} messages left", stats.pending_messages))
            } else if info.waiting.is_some() || info.unclaimed.is_some() {
                Some(format!("it has ended, and waits: {:?} {:?}", info.waiting, info.unclaimed))
            } else {
                info.quarantined.as_ref().map(|why| format!("it was set aside: {why}"))
            };
            if let Some(problem) = problem {
                return wrong(NAME, key, problem);
            }
        }
        Ok(())
    }
}

/// Within some minutes (children of what has ended may still be stopping) nothing waits.
pub(super) async fn nothing_is_left(env: &Env, store: &dyn Store) -> Verdict {
    let mut left = (QueueDepths::default(), 1);
    for _ in 0..600 {
        // The last that went wrong may last a while.
        match what_is_left(store).await {
            Ok(found) => left = found,
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error.into()),
        }
        if left == (QueueDepths::default(), 0) {
            return unclaimed(&store.unclaimed().await?);
        }
        env.sleep(Duration::from_secs(1)).await;
    }
    let (depths, running) = left;
    let problem = format!("all clients have their answers, and {running} run, {depths:?}");
    Err(Wrong::of(NAME, problem))
}

async fn what_is_left(store: &dyn Store) -> Result<(QueueDepths, u64), ProviderError> {
    Ok((store.depths().await?, store.metrics().await?.running))
}

fn unclaimed(names: &UnclaimedNames) -> Verdict {
    if names.orchestrations.is_empty() && names.activities.is_empty() {
        return Ok(());
    }
    Err(Wrong::of(NAME, format!("all queues are empty, and nobody has claimed {names:?}")))
}

/// The store's counts agree with its instances, all of which have ended.
pub(super) fn counts_agree(metrics: &SystemMetrics, instances: &[Instance]) -> Verdict {
    let executions: usize = instances.iter().map(|instance| instance.executions.len()).sum();
    let ended = metrics.completed + metrics.failed + metrics.terminated;
    let (held, counted) = (instances.len() as u64, (metrics.instances, ended));
    if counted != (held, held) || metrics.executions != executions as u64 {
        let problem = format!("{held} instances, {executions} executions, and {metrics:?}");
        return Err(Wrong::of(COUNTS, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, ended, started, stored};
    use super::*;
    use duroxide_core::{Payload, TimeMs};
    use duroxide_provider::{InstanceState, UnclaimedName};

    fn over() -> Instance {
        let mut over = stored(vec![started(), ended(2)]);
        over.info.state = InstanceState::Completed { output: Payload::json("1") };
        over
    }

    #[test]
    fn an_instance_that_has_ended_and_left_nothing_passes() {
        Feed::new(LeftOver).end(&[over()]).unwrap();
    }

    #[test]
    fn what_runs_waits_or_has_mail_is_found() {
        let mut feed = Feed::new(LeftOver);
        feed.wrong(|feed| feed.end(&[stored(vec![started()])]), NAME, "it has not ended");
        let mut mail = over();
        mail.stats.pending_messages = 2;
        feed.wrong(|feed| feed.end(&[mail]), NAME, "with 2 messages left");
        let mut waits = over();
        waits.info.waiting = Some("a timer".to_owned());
        feed.wrong(|feed| feed.end(&[waits]), NAME, "and waits");
    }

    #[test]
    fn a_name_that_nobody_has_claimed_is_found() {
        let (name, version, since) = ("ship".to_owned(), None, TimeMs(0));
        let (orchestrations, activities, store_now) = (Vec::new(), Vec::new(), TimeMs(1));
        let mut names = UnclaimedNames { orchestrations, activities, store_now };
        unclaimed(&names).unwrap();
        names.activities.push(UnclaimedName { name, version, since });
        assert_eq!(unclaimed(&names).unwrap_err().oracle, NAME);
    }

    #[test]
    fn counts_that_are_not_those_of_what_is_there_are_found() {
        let right =
            SystemMetrics { instances: 1, executions: 1, completed: 1, ..SystemMetrics::default() };
        counts_agree(&right, &[over()]).unwrap();
        for wrong in [
            SystemMetrics { instances: 2, ..right },
            SystemMetrics { executions: 2, ..right },
            SystemMetrics { completed: 0, ..right },
            SystemMetrics { failed: 1, ..right },
        ] {
            assert_eq!(counts_agree(&wrong, &[over()]).unwrap_err().oracle, COUNTS, "{wrong:?}");
        }
        assert_eq!(counts_agree(&right, &[]).unwrap_err().oracle, COUNTS);
    }
}
