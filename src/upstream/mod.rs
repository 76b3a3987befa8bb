//! The connections to the remote servers. One supervisor task keeps each session connected, in the era that its
//! server speaks.
//!
//! The rest of the program holds an [`Upstream`] and sends requests through it. Each request is an [`Exchange`],
//! for every transport.

mod cache;
mod call;
mod connection;
mod error;
mod flow;
mod handle;
mod handshake;
mod id;
mod offers;
mod registry;
mod session;
mod subscription;
mod transport;

pub use cache::directory::{CacheDirectory, CachedSummary};
pub use cache::upstream::CachedUpstream;
pub use cache::writer::{CacheLoader, CacheSource, CacheWriter};
pub use call::Call;
pub use call::send::SentRequest;
pub use connection::event_handler::EventHandler;
pub use connection::inbox::{Inbox, ServerRequestInboxes};
pub use connection::log_demand::{ConnectionLogs, LogDemandGuard};
pub use connection::{Connection, ConnectionUse};
pub use error::reported::UpstreamError;
pub use error::{Outcome, TransportError, code};
pub use flow::concurrency::CallPermit;
pub use flow::deadline::Activity;
pub use flow::process_limits::ProcessLimits;
pub use flow::send_buffer::{SendBudget, SendBuffer};
pub use handle::outcome::FailedAttempt;
pub use handle::{SubscriptionGuard, Upstream};
pub use id::{ClientId, UpstreamId};
pub use offers::Offers;
pub use offers::tools::ToolList;
pub use registry::{Registry, UpstreamSet};
pub use session::pool::SessionPool;
pub use subscription::ledger::{Epoch, Subscriptions};
pub use transport::exchange::Exchange;
pub use transport::request_id::next_id;
