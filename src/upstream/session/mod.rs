//! Keeps an upstream connected: the supervisor task, the jobs on one connection, and the state that they publish.

pub(crate) mod backoff;
pub(crate) mod changes;
pub(crate) mod checks;
pub(crate) mod command;
pub(crate) mod connected;
pub(crate) mod context;
pub(crate) mod event_stream;
pub(crate) mod extra;
pub(crate) mod handle;
pub(crate) mod health;
pub(crate) mod log_level;
pub(crate) mod pause;
pub(crate) mod pool;
pub(crate) mod reconnect;
pub(crate) mod resource_subscriptions;
pub(crate) mod retry_budget;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod supervisor;
