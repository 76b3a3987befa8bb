//! What limits a call: its deadlines, how many run at once, and how much waits for the client.

pub(crate) mod backpressure;
pub(crate) mod bounds;
pub(crate) mod concurrency;
pub(crate) mod deadline;
pub(crate) mod request_context;
pub(crate) mod send_buffer;
