//! What the client can ask for, a file each.

pub(crate) mod completion;
pub(crate) mod extensions;
pub(crate) mod listen;
pub(crate) mod listings;
pub(crate) mod prompts_resources;
pub(crate) mod resource_subscriptions;
pub(crate) mod task_list;
pub(crate) mod tasks;
pub(crate) mod tools;
