//! Giving way, so many times as were drawn. Not here: the drawing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Goes to the back of the executor's queue so many times, by a waker like any other: no
/// executor treats it as special.
///
/// ```
/// use duroxide_sim_dice::{Dice, Yield};
///
/// # async fn wherever_calls_may_overtake_each_other() {
/// let mut dice = Dice::new(7, "yields");
/// Yield(dice.up_to(3)).await;
/// # }
/// ```
#[derive(Debug)]
pub struct Yield(pub u64);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::Yield;
    use std::future::Future as _;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    struct Woken(AtomicU64);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_gives_way_so_many_times_and_asks_to_come_back_each_time() {
        for times in 0..4 {
            let woken = Arc::new(Woken(AtomicU64::new(0)));
            let waker = Waker::from(Arc::clone(&woken));
            let mut cx = Context::from_waker(&waker);
            let mut future = pin!(Yield(times));
            for nth in 1..=times {
                assert_eq!(future.as_mut().poll(&mut cx), Poll::Pending);
                assert_eq!(woken.0.load(Ordering::Relaxed), nth);
            }
            assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(()));
        }
    }
}
