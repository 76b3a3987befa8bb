//! What was found out of a connection in doubt.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::sync::Mutex;

/// How soon a server that proved to be the same is asked again what it is, should it give another
/// suspicious answer: some refuse every call so.
const VERIFIED_FOR: Duration = Duration::from_secs(60);

/// The results of the checks whether a server still speaks its revision.
#[derive(Debug, Default)]
pub(crate) struct HealthChecks {
    /// How often it was found that the server is still the same.
    confirmations: watch::Sender<u64>,
    /// When the server was last asked, and was the same.
    verified_at: Mutex<Option<Instant>>,
}

impl HealthChecks {
    /// Returns `true` if the server was asked, and was the same, a short time ago.
    pub(crate) fn is_verified_recently(&self) -> bool {
        let verified_at = *self.verified_at.lock();
        verified_at.is_some_and(|verified_at| verified_at.elapsed() < VERIFIED_FOR)
    }

    /// The server was asked now, and is the same.
    pub(crate) fn mark_verified(&self) {
        *self.verified_at.lock() = Some(Instant::now());
    }

    /// Publishes that the server is the same.
    pub(crate) fn publish_confirmation(&self) {
        self.confirmations.send_modify(|times| *times += 1);
    }

    /// Watches how often that was published.
    pub(crate) fn watch_confirmations(&self) -> watch::Receiver<u64> {
        self.confirmations.subscribe()
    }
}
