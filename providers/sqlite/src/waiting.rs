//! Waiting for work and for changes of an instance, without polling the store; and, for a
//! shared file, the one look-out that notices what other processes do.

use crate::shell::Shell;
use crate::store::{due, info};
use duroxide_provider::{InstanceInfo, ProviderError, WaitForWork, WakeSeq, WatchRequest};
use std::sync::Arc;
use std::time::Duration;

/// See [`Provider::wait_for_work`](duroxide_provider::Provider::wait_for_work).
pub(crate) async fn wait_for_work(
    shell: &Arc<Shell>,
    request: &WaitForWork,
) -> Result<WakeSeq, ProviderError> {
    let deadline = shell.env.clock.monotonic().saturating_add(request.max);
    let _waiter = shell.wake.waiter();
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
        let (now, due) = (shell.clock.now(), shell.wake.due());
        if due <= now {
            sweep(shell).await?;
            continue;
        }
        let sleep = left.min(Duration::from_millis(due.0 - now.0));
        tokio::select! {
            biased;
            () = rung => {}
            () = shell.env.sleep(sleep) => {}
        }
    }
}

/// Announce what time has made ready, and find out what it will next.
async fn sweep(shell: &Arc<Shell>) -> Result<(), ProviderError> {
    let now = shell.clock.now();
    let sweep = shell.wake.begin_sweep();
    let swept = sweep.after;
    let (ready, next) = shell
        .read("wait_for_work", move |sql| {
            let first = due::next_due(sql, swept)?;
            match first {
                Some(due) if due <= now.0 => Ok((true, due::next_due(sql, now.0)?)),
                next => Ok((false, next)),
            }
        })
        .await?;
    sweep.made(next);
    if ready {
        shell.wake.sweep(now);
    }
    Ok(())
}

/// See [`Inspect::watch`](duroxide_provider::Inspect::watch).
pub(crate) async fn watch(
    shell: &Arc<Shell>,
    request: WatchRequest,
) -> Result<Option<InstanceInfo>, ProviderError> {
    let deadline = shell.env.clock.monotonic().saturating_add(request.max);
    let _waiter = shell.wake.waiter();
    let watch = shell.wake.watch(request.key.clone());
    loop {
        let rung = watch.bell().notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        let key = request.key.clone();
        let now = shell.clock.now();
        let info = shell.read("watch", move |sql| info::instance(sql, &key, now)).await?;
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

/// The look-out of a shared file, which compares its change counter: only while someone waits.
pub(crate) async fn look_out(shell: Arc<Shell>) {
    loop {
        shell.wake.until_someone_waits().await;
        shell.env.sleep(shell.storage.look_every()).await;
        let looking = Arc::clone(&shell);
        let _ = shell.env.blocking(move || looking.look_around()).await;
    }
}
