//! Types of one request.

pub(crate) mod outcome;
pub(crate) mod request;
pub(crate) mod suspended;
