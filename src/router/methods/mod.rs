//! The functions that serve the client's methods, one file for each method or group of similar methods.

pub(crate) mod completion;
pub(crate) mod extensions;
pub(crate) mod listen;
pub(crate) mod listings;
pub(crate) mod log_level;
pub(crate) mod params;
pub(crate) mod prompts_resources;
pub(crate) mod resource_subscriptions;
pub(crate) mod routing;
pub(crate) mod task_list;
pub(crate) mod tasks;
pub(crate) mod tools;
pub(crate) mod upstream_subscriptions;
