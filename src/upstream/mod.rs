//! Connections to the remote servers: each kept by a task of its own, in whatever era its server
//! speaks. Others hold an [`Upstream`] and send requests through it; they see one shape,
//! an [`Exchange`], whatever the transport.

mod admission;
mod backlog;
mod call;
mod callers;
mod connection;
mod error;
mod events;
mod exchange;
mod handle;
mod handshake;
mod identity;
mod items;
mod listing;
mod live;
mod logs;
pub mod mirror;
mod opening;
mod pages;
mod pulse;
mod remembered;
mod request;
mod roster;
mod sessions;
mod settled;
mod shared;
mod tasks;
mod transport;
mod waiting;
mod wanted;

pub use admission::Admitted;
pub use backlog::Backlog;
pub use call::{Call, SentRequest};
pub use callers::{Caller, Callers};
pub use error::{Outcome, TransportError, UpstreamError, code};
pub use events::Events;
pub use exchange::Exchange;
pub use handle::Upstream;
pub use identity::{Identity, Said};
pub use items::{Item, Kind};
pub use listing::{Listing, Tool};
pub use live::{Live, ServerFacts};
pub use logs::{Logs, LogsWanted};
pub use pulse::Pulse;
pub use remembered::{Known, Recalling, Remembered, Remembering, Shelf};
pub use request::{Asking, Request, cancelled, next_id};
pub use roster::{Roster, Snapshot, UpstreamId};
pub use settled::Failure;
pub use shared::Bounds;
pub use tasks::TASKS_EXTENSION;
pub use transport::answer_to;
pub use wanted::{Mark, Wishes};
