//! The resources of an upstream whose updates are wanted.

pub(crate) mod guard;
pub(crate) mod ledger;
