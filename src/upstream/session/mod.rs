//! Keeping an upstream connected: the supervisor task, the jobs on one connection, and the state that both publish.

pub(crate) mod backoff;
pub(crate) mod changes;
pub(crate) mod connected;
pub(crate) mod event_stream;
pub(crate) mod handle;
pub(crate) mod health;
pub(crate) mod log_level;
pub(crate) mod pause;
pub(crate) mod pool;
pub(crate) mod resource_subscriptions;
pub(crate) mod retry_budget;
pub(crate) mod supervisor;
