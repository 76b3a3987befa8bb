//! What was found out of a connection in doubt.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::sync::Mutex;

/// How soon a server that proved to be the same is asked again what it is, should it give another
/// suspicious answer: some refuse every call so.
const SAME_FOR: Duration = Duration::from_secs(60);

/// The results of the checks whether a server still speaks its revision.
#[derive(Debug, Default)]
pub(crate) struct HealthChecks {
    /// How often it was found that the server is still the same.
    confirmed: watch::Sender<u64>,
    /// When the server was last asked, and was the same.
    same_at: Mutex<Option<Instant>>,
}

impl HealthChecks {
    /// Returns `true` if the server was asked, and was the same, a short time ago.
    pub(crate) fn is_verified_recently(&self) -> bool {
        let same_at = *self.same_at.lock();
        same_at.is_some_and(|same_at| same_at.elapsed() < SAME_FOR)
    }

    /// The server was asked now, and is the same.
    pub(crate) fn mark_verified(&self) {
        *self.same_at.lock() = Some(Instant::now());
    }

    /// Publishes that the server is the same.
    pub(crate) fn confirm(&self) {
        self.confirmed.send_modify(|times| *times += 1);
    }

    /// Watches how often that was published.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.confirmed.subscribe()
    }
}
