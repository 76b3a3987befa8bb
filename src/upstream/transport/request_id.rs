//! The ids of requests to upstreams.

use std::sync::atomic::{AtomicU64, Ordering};

/// An id for the next request. One sequence for all upstreams: an id is never used twice.
#[must_use]
pub fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
