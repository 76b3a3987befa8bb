//! Limits of calls: deadlines, concurrency, and backpressure.

pub(crate) mod backpressure;
pub(crate) mod concurrency;
pub(crate) mod deadline;
pub(crate) mod process_limits;
pub(crate) mod request_context;
pub(crate) mod send_buffer;
