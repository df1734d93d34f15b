//! Who may have a connection: strangers, and clients that have shown the token, each up to a
//! number. Not here: the token, or what is said on a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// What the server hears of a connection.
#[derive(Debug)]
pub(super) enum News {
    /// Its client has shown the token.
    SatDown(u64),
    /// It ended, in whatever way.
    Left(u64),
}

/// Lets connections in, and counts those of clients.
pub(super) struct Door {
    seats: Arc<Semaphore>,
    next: AtomicU64,
    news: mpsc::UnboundedSender<News>,
}

impl Door {
    /// With room for so many clients.
    pub(super) fn new(seats: usize) -> (Self, mpsc::UnboundedReceiver<News>) {
        let (sender, news) = mpsc::unbounded_channel();
        let seats = Arc::new(Semaphore::new(seats.clamp(1, Semaphore::MAX_PERMITS)));
        (Self { seats, next: AtomicU64::new(0), news: sender }, news)
    }

    /// The next connection.
    pub(super) fn guest(&self) -> Guest {
        Guest {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            seats: self.seats.clone(),
            seat: None,
            news: self.news.clone(),
        }
    }
}

/// A connection's place: a stranger's until its client sits down. Dropped, it is free.
pub(super) struct Guest {
    id: u64,
    seats: Arc<Semaphore>,
    seat: Option<OwnedSemaphorePermit>,
    news: mpsc::UnboundedSender<News>,
}

impl Guest {
    /// Rises with every connection.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether there was a seat for this client. Says so at once, so that it counts as no
    /// stranger any more.
    pub(super) fn sit_down(&mut self) -> bool {
        self.seat = self.seats.clone().try_acquire_owned().ok();
        if self.seat.is_some() {
            // The server may be gone: then nobody counts.
            let _ = self.news.send(News::SatDown(self.id));
        }
        self.seat.is_some()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.news.send(News::Left(self.id));
    }
}
