//! The limits that all upstreams of the process share.

use std::sync::Arc;

use super::send_buffer::SendBudget;
use crate::config::Limits;

/// The limits of the process, and the bytes that count against them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProcessLimits {
    /// The limits as configured.
    pub configured: Arc<Limits>,
    /// The budget for bytes that the clients have not read.
    pub send_budget: Arc<SendBudget>,
}

impl ProcessLimits {
    /// Returns limits that no client uses yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            send_budget: SendBudget::new(limits.answer_memory),
            configured: Arc::new(limits),
        }
    }
}
