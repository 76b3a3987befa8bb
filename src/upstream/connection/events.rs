//! What an upstream says outside any request, to whoever takes it up.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Live;
use crate::upstream::registry::UpstreamId;
use crate::wire::Message;

/// Hears what upstreams say outside any request. Called in the order in which they say it,
/// and before the next thing is read from them.
pub trait Events: Send + Sync + std::fmt::Debug {
    /// This upstream sent a notification.
    fn notification(
        &self,
        upstream: UpstreamId,
        live: Arc<Live>,
        message: Message,
    ) -> BoxFuture<'_, ()>;

    /// It asks something of the client, on a stream that belongs to no call; the answer goes to
    /// [`Live::notify`].
    fn request(&self, live: Arc<Live>, request: Message) -> BoxFuture<'_, ()>;

    /// The connection is lost, and with it what it has asked.
    fn ended(&self, live: &Arc<Live>);
}
