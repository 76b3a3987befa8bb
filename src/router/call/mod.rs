//! Types of one request. They hold no state of the client or the process.

pub(crate) mod change;
pub(crate) mod outcome;
pub(crate) mod request;
pub(crate) mod suspended;
pub(crate) mod upstream_call;
