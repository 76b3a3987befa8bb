//! What an upstream says outside any request, to whoever takes it up.

use futures_util::future::BoxFuture;
use std::fmt;

use super::ConnectionUse;
use crate::protocol::{ItemKind, ItemList};
use crate::upstream::id::UpstreamId;
use crate::wire::Message;

/// Hears what upstreams say outside any request. Called in the order in which they say it,
/// and before the next thing is read from them.
pub trait EventHandler: Send + Sync {
    /// This upstream sent a notification.
    fn on_notification(
        &self,
        upstream: UpstreamId,
        connection: ConnectionUse,
        message: Message,
    ) -> BoxFuture<'_, ()>;

    /// It asks something of the client, on a stream that belongs to no call; the answer goes to
    /// [`Connection::notify`](super::Connection::notify).
    fn on_server_request(&self, connection: ConnectionUse, request: Message) -> BoxFuture<'_, ()>;

    /// Returns `true` if a client was sent a list of this kind of this upstream, and was not notified of a
    /// change since.
    fn has_sent_items(&self, upstream: UpstreamId, kind: ItemKind) -> bool;

    /// The upstream lists this on a new connection, of kinds that a client [was sent](Self::has_sent_items)
    /// before and that change together. A client that was sent something else is notified.
    fn on_items_listed(
        &self,
        upstream: UpstreamId,
        lists: Vec<(ItemKind, ItemList)>,
    ) -> BoxFuture<'_, ()>;

    /// The connection is lost, and with it what it has asked.
    fn on_disconnect(&self, connection: &ConnectionUse);
}

// Not by a supertrait: that would link how everything behind the trait is written for debugging.
impl fmt::Debug for dyn EventHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventHandler")
    }
}
