//! What bounds all upstreams of the process alike.

use std::sync::Arc;

use super::backpressure::SendBuffer;
use crate::config::Limits;

/// The limits of the process, and what counts against them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The limits as configured.
    pub limits: Arc<Limits>,
    /// What the client has not read.
    pub backlog: Arc<SendBuffer>,
}

impl Bounds {
    /// Returns the bounds for these limits, with an empty send buffer.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            backlog: Arc::new(SendBuffer::new(limits.answer_memory)),
            limits: Arc::new(limits),
        }
    }
}
