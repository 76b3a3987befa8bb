//! The state of one client.

pub(crate) mod announced_items;
pub(crate) mod in_flight;
pub(crate) mod outbox;
pub(crate) mod profile;
pub(crate) mod proxied_tasks;
pub(crate) mod server_requests;
pub(crate) mod subscriptions;
pub(crate) mod task_owners;
