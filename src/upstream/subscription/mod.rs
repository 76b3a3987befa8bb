//! The resource subscriptions of one upstream.

pub(crate) mod guard;
pub(crate) mod ledger;
