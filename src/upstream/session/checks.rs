//! The results of revision checks.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::sync::Mutex;

/// How long the result of a revision check is valid. Some servers answer every call with a suspicious error, and
/// would be checked each time.
const VERIFIED_FOR: Duration = Duration::from_secs(60);

/// The results of checks whether a server still speaks its revision.
#[derive(Debug, Default)]
pub(crate) struct HealthChecks {
    /// Counts the checks that found the same server.
    confirmations: watch::Sender<u64>,
    /// When the last check found the same server.
    verified_at: Mutex<Option<Instant>>,
}

impl HealthChecks {
    /// Returns `true` if a check within [`VERIFIED_FOR`] found the same server.
    pub(crate) fn is_verified_recently(&self) -> bool {
        let verified_at = *self.verified_at.lock();
        verified_at.is_some_and(|verified_at| verified_at.elapsed() < VERIFIED_FOR)
    }

    /// Records that a check has found the same server now.
    pub(crate) fn mark_verified(&self) {
        *self.verified_at.lock() = Some(Instant::now());
    }

    /// Notifies waiting calls that the server is the same.
    pub(crate) fn publish_confirmation(&self) {
        self.confirmations.send_modify(|times| *times += 1);
    }

    /// Watches the number of [confirmations](Self::publish_confirmation).
    pub(crate) fn watch_confirmations(&self) -> watch::Receiver<u64> {
        self.confirmations.subscribe()
    }
}
