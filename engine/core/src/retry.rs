//! Retry policies: whether a failed attempt of an activity is followed by another, and
//! how long after. Pure functions of what is recorded.
//! Not here: what is scheduled for it (`execution::retry`).

use crate::{EventId, Failure, FailureKind, Nonce, TimeMs};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How often an activity is tried, how long each try may take, and how long to wait in between.
///
/// ```
/// use duroxide_core::{Backoff, RetryPolicy};
/// let policy = RetryPolicy {
///     backoff: Backoff::Fixed,
///     timeout_ms: Some(5_000),
///     ..RetryPolicy::new(3)
/// };
/// policy.validate()?;
/// # Ok::<(), duroxide_core::Failure>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
    /// How long to wait after a failed attempt.
    #[serde(default)]
    pub backoff: Backoff,
    /// How long one attempt may take, in ms; at least 1. One that takes longer is cancelled
    /// and counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long all attempts may take together with the waits in between, in ms from when
    /// the first was scheduled; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_timeout_ms: Option<u64>,
    /// Names of errors ([`Failure::name`]) after which there is no other attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_retryable: Vec<String>,
}

/// How long to wait after a failed attempt. The waits are durable timers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// 100 ms, 200, 400 … up to 30 s.
    #[default]
    Exponential,
    /// 100 ms, 200, 300 …
    Linear,
    /// 1 s each time.
    Fixed,
    /// The next attempt follows at once.
    None,
    /// `initial_ms`, then `factor` times as long each time, up to `max_ms`.
    Custom {
        /// The first wait, in ms.
        initial_ms: u64,
        /// No wait is longer, in ms; at least `initial_ms`.
        max_ms: u64,
        /// What each wait is multiplied by for the next; finite, not negative.
        factor: f64,
        /// The share of a wait, from 0 to 1, by which it may be shorter: `0.1` waits between
        /// 90 % and 100 % of it. Drawn from the execution's recorded nonce.
        #[serde(default)]
        jitter: f64,
    },
}

/// An attempt that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// Which one, from 1.
    pub(crate) number: u32,
    /// The event that scheduled it.
    pub(crate) event: EventId,
    /// When the first attempt was scheduled.
    pub(crate) since: TimeMs,
}

impl RetryPolicy {
    /// This many attempts, with the default back-off and no time limit.
    pub fn new(max_attempts: u32) -> Self {
        let (timeout_ms, total_timeout_ms) = (None, None);
        let (backoff, non_retryable) = (Backoff::default(), Vec::new());
        Self { max_attempts, backoff, timeout_ms, total_timeout_ms, non_retryable }
    }

    /// Whether it can be followed. The failure names the field, what it is and what was expected.
    pub fn validate(&self) -> Result<(), Failure> {
        let wrong = |what: String| {
            Err(Failure::new(FailureKind::Invalid, format!("the retry policy: {what}")))
        };
        if self.max_attempts == 0 {
            return wrong("max_attempts is 0, at least 1 was expected".to_owned());
        }
        for (name, limit) in
            [("timeout_ms", self.timeout_ms), ("total_timeout_ms", self.total_timeout_ms)]
        {
            if limit == Some(0) {
                return wrong(format!("{name} is 0, at least 1 was expected"));
            }
        }
        let Backoff::Custom { initial_ms, max_ms, factor, jitter } = self.backoff else {
            return Ok(());
        };
        if initial_ms > max_ms {
            return wrong(format!("initial_ms is {initial_ms}, more than max_ms ({max_ms})"));
        }
        if !factor.is_finite() || factor < 0.0 {
            return wrong(format!("factor is {factor}, a finite number from 0 on was expected"));
        }
        if !(0.0..=1.0).contains(&jitter) {
            return wrong(format!("jitter is {jitter}, a number from 0 to 1 was expected"));
        }
        Ok(())
    }

    /// The time limit of an attempt that is scheduled now.
    pub(crate) fn limit(&self, since: TimeMs, now: TimeMs) -> Option<u64> {
        let left = self.total_timeout_ms.map(|total| since.plus(total).0.saturating_sub(now.0));
        self.timeout_ms.into_iter().chain(left).min()
    }

    /// How long to wait before the next attempt; `None`: there is none.
    pub(crate) fn next_delay(
        &self,
        failed: Attempt,
        failure: &Failure,
        now: TimeMs,
        nonce: Nonce,
    ) -> Option<u64> {
        let kind = matches!(failure.kind, FailureKind::Application | FailureKind::Timeout);
        let named = failure.name.as_ref().is_some_and(|name| self.non_retryable.contains(name));
        if !kind || named || failed.number >= self.max_attempts {
            return None;
        }
        let delay = self.backoff.delay(failed, nonce);
        (self.limit(failed.since, now.plus(delay)) != Some(0)).then_some(delay)
    }
}

impl Backoff {
    fn delay(&self, failed: Attempt, nonce: Nonce) -> u64 {
        let before = failed.number.saturating_sub(1);
        match *self {
            Self::Exponential => (100 << before.min(9)).min(30_000),
            Self::Linear => 100 * u64::from(failed.number),
            Self::Fixed => 1_000,
            Self::None => 0,
            Self::Custom { initial_ms, max_ms, factor, jitter } => {
                let grown = scaled(initial_ms, power(factor, before)).min(max_ms);
                scaled(grown, 1.0 - jitter * draw(nonce, failed.event)).min(grown)
            }
        }
    }
}

/// By multiplication alone: `powf` and `powi` may differ between platforms.
fn power(mut base: f64, mut exponent: u32) -> f64 {
    let mut result = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            result *= base;
        }
        base *= base;
        exponent /= 2;
    }
    result
}

#[expect(clippy::cast_precision_loss, reason = "a wait of 285 000 years may be a ms off")]
fn scaled(ms: u64, by: f64) -> u64 {
    (ms as f64 * by.min(f64::MAX)) as u64
}

/// A number from 0 up to 1, the same on every replay.
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
fn draw(nonce: Nonce, event: EventId) -> f64 {
    let digest = Sha256::new()
        .chain_update("retry")
        .chain_update(nonce.0.to_le_bytes())
        .chain_update(event.0.to_le_bytes())
        .finalize();
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
