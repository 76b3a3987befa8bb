//! The ids of requests to upstreams.

use std::sync::atomic::{AtomicU64, Ordering};

/// Returns the id of the next request. All upstreams share one sequence, so that ids are never reused.
#[must_use]
pub fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
