//! Waiting for work and for changes of an instance: woken by what this handle does and by what
//! others say, and by time, which nobody announces.

use crate::columns::Columns;
use crate::inspect;
use crate::reads::one;
use crate::shell::Shell;
use duroxide_core::TimeMs;
use duroxide_provider::{InstanceInfo, ProviderError, WaitForWork, WakeSeq, WatchRequest};
use sqlx::Row;
use std::time::Duration;

/// What is due is looked for at most this often, whatever the clocks say.
const LEAST: Duration = Duration::from_millis(5);

/// See [`Provider::wait_for_work`](duroxide_provider::Provider::wait_for_work).
pub(crate) async fn wait_for_work(
    shell: &Shell,
    request: &WaitForWork,
) -> Result<WakeSeq, ProviderError> {
    let deadline = shell.env.clock.monotonic().saturating_add(request.max);
    loop {
        shell.check_open().map_err(|error| error.named("wait_for_work"))?;
        let rung = shell.wake.bell().notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let seq = shell.wake.seq();
        let left = deadline.saturating_sub(shell.env.clock.monotonic());
        if seq != request.after || left.is_zero() {
            return Ok(seq);
        }
        let (now, due) = (shell.wake.clock.now(), shell.wake.due());
        if due <= now {
            // A server that cannot be asked is no reason to return, nor to ask it at once.
            if shell.env.timeout(left, sweep(shell)).await.is_some_and(|swept| swept.is_err()) {
                shell.pause(left.min(shell.patience)).await;
            }
            continue;
        }
        let sleep = Duration::from_millis(due.0 - now.0).max(LEAST).min(left);
        tokio::select! {
            biased;
            () = rung => {}
            () = shell.env.sleep(sleep) => {}
        }
    }
}

/// Announce what time has made ready, and find out what it will next.
async fn sweep(shell: &Shell) -> Result<(), ProviderError> {
    let sweep = shell.wake.begin_sweep();
    let after = sweep.after;
    let (ready, next, now) = shell
        .call(
            "wait_for_work",
            "SELECT ready, due, store_now FROM {schema}.next_due($1)",
            |query| query.bind(after as i64),
            |rows| {
                let row = one(&rows)?;
                let ready: bool = row.try_get("ready")?;
                Ok((ready, row.maybe_number("due")?, TimeMs(row.number("store_now")?)))
            },
        )
        .await?;
    shell.wake.clock.heard(now);
    sweep.made(next);
    if ready {
        shell.wake.sweep(now);
    }
    Ok(())
}

/// See [`Inspect::watch`](duroxide_provider::Inspect::watch).
pub(crate) async fn watch(
    shell: &Shell,
    request: WatchRequest,
) -> Result<Option<InstanceInfo>, ProviderError> {
    let deadline = shell.env.clock.monotonic().saturating_add(request.max);
    let watch = shell.wake.watch(&request.key);
    loop {
        let rung = watch.bell().notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let info = inspect::instance(shell, "watch", &request.key).await?;
        let left = deadline.saturating_sub(shell.env.clock.monotonic());
        if info.as_ref().map(|info| info.revision) != request.seen || left.is_zero() {
            return Ok(info);
        }
        tokio::select! {
            biased;
            () = rung => {}
            () = shell.env.sleep(left) => {}
        }
    }
}
