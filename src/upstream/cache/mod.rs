//! What each upstream offered, on disk.

pub(crate) mod directory;
pub(crate) mod entry;
pub(crate) mod eviction;
pub(crate) mod fingerprint;
pub(crate) mod writer;
