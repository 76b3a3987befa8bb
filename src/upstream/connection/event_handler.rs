//! The handler of messages that upstreams send outside of requests.

use futures_util::future::BoxFuture;
use std::fmt;

use super::ConnectionUse;
use crate::protocol::{ItemKind, ItemList};
use crate::upstream::id::UpstreamId;
use crate::wire::Message;

/// Handles the messages that upstreams send outside of requests. It is called in the order of the messages, and
/// the next message is read only after it has returned.
pub trait EventHandler: Send + Sync {
    /// Handles a notification.
    fn on_notification(
        &self,
        upstream: UpstreamId,
        connection: ConnectionUse,
        message: Message,
    ) -> BoxFuture<'_, ()>;

    /// Handles a server request on a stream that belongs to no call. The response is sent with
    /// [`Connection::notify`](super::Connection::notify).
    fn on_server_request(&self, connection: ConnectionUse, request: Message) -> BoxFuture<'_, ()>;

    /// Returns `true` if a client was sent a list of this kind, and no notification of a change since.
    fn has_sent_items(&self, upstream: UpstreamId, kind: ItemKind) -> bool;

    /// Handles the lists of a new connection, of kinds that a client [was sent](Self::has_sent_items) before and
    /// that change together. Notifies each client that was sent another list.
    fn on_items_listed(
        &self,
        upstream: UpstreamId,
        lists: Vec<(ItemKind, ItemList)>,
    ) -> BoxFuture<'_, ()>;

    /// Handles the loss of a connection: its server requests are void.
    fn on_disconnect(&self, connection: &ConnectionUse);
}

// Not a supertrait: that would link the `Debug` code of every type behind the trait.
impl fmt::Debug for dyn EventHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventHandler")
    }
}
