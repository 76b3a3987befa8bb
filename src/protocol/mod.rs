//! MCP without transports: revisions, profiles, definitions, the proxy's own messages, and the
//! translation between eras. Pure: no I/O, no clock, no state.

pub(crate) mod bridge;
pub(crate) mod caller;
mod client_profile;
mod item;
pub(crate) mod json_key;
mod log_level;
pub mod param_headers;
pub(crate) mod params;
pub(crate) mod reply;
pub(crate) mod request;
pub mod revision;
mod server_profile;
pub(crate) mod subscription_id;
pub(crate) mod task;
pub(crate) mod tasks_extension;
mod tool;

pub(crate) use caller::Caller;
pub use client_profile::{ClientDeclaration, ClientProfile};
pub use item::{Item, ItemKind, ItemList};
pub use log_level::LogLevel;
pub use request::{Request, ServerRequests};
pub use revision::Era;
pub use server_profile::ServerProfile;
pub use tool::Tool;
