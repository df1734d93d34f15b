//! How many instances may be leased and not begun yet: few at first, and twice as many each
//! time that a whole window of them has begun (TCP's slow start, Jacobson 1988). A lease counts
//! as an attempt, so a node that dies must not have held a backlog that it never came to: the
//! window stands still while turns do, and closes when one comes that was begun before.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A semaphore that grows and shrinks.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) permits: Arc<Semaphore>,
    least: usize,
    most: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    size: usize,
    /// Leased since the window was last moved.
    leased: usize,
}

impl Window {
    pub(crate) fn new(least: usize, most: usize) -> Self {
        let seen = Mutex::new(Seen { size: least, leased: 0 });
        Self { permits: Arc::new(Semaphore::new(least)), least, most, seen }
    }

    /// So many were leased. `more`: there are others; `died`: one of these had been begun before.
    pub(crate) fn leased(&self, count: usize, more: bool, died: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.leased = seen.leased.saturating_add(count);
        let unbegun = seen.size.saturating_sub(self.permits.available_permits());
        if died {
            // Those on their way come back to a window that is too wide until the next look.
            seen.size -= self.permits.forget_permits(seen.size - self.least);
            seen.leased = 0;
        } else if more && seen.leased.saturating_sub(unbegun) >= seen.size {
            let wider = seen.size.min(self.most - seen.size);
            self.permits.add_permits(wider);
            seen.size += wider;
            seen.leased = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_when_a_whole_window_has_begun_up_to_its_most() {
        let window = Window::new(4, 50);
        let mut widths = Vec::new();
        for _ in 0..6 {
            let width = window.permits.available_permits();
            widths.push(width);
            window.leased(width, true, false);
        }
        assert_eq!(widths, [4, 8, 16, 32, 50, 50]);
    }

    #[test]
    fn it_stands_still_while_nothing_begins_or_nothing_is_left() {
        let window = Window::new(4, 50);
        let unbegun = Arc::clone(&window.permits).try_acquire_many_owned(4);
        window.leased(4, true, false);
        assert_eq!(window.permits.available_permits(), 0);
        drop(unbegun);
        window.leased(4, false, false);
        assert_eq!(window.permits.available_permits(), 4);
    }

    #[test]
    fn it_closes_at_the_first_that_had_been_begun_before() {
        let window = Window::new(4, 8);
        window.leased(4, true, false);
        let unbegun = Arc::clone(&window.permits).try_acquire_many_owned(6);
        window.leased(6, true, true);
        assert_eq!(window.permits.available_permits(), 0);
        drop(unbegun);
        window.leased(0, true, true);
        assert_eq!(window.permits.available_permits(), 4);
        window.leased(0, true, true);
        assert_eq!(window.permits.available_permits(), 4);
    }
}
