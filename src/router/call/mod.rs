//! Types of one request. None of them reaches the client by itself.

pub(crate) mod change;
pub(crate) mod outcome;
pub(crate) mod request;
pub(crate) mod suspended;
pub(crate) mod upstream_call;
