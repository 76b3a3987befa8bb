//! Handles one message that belongs to no request.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use crate::protocol::ItemKind;
use crate::protocol::reply::default_response;
use crate::upstream::connection::Connection;
use crate::upstream::session::command::Command;
use crate::upstream::session::context::SessionContext;
use crate::wire::{Message, MessageKind};

/// How long a stream must last to count as stable. A stable stream is opened again at once: a proxy in between
/// may cut silent streams every minute.
pub(crate) const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Forwards a message to the event handler, the supervisor or the server itself.
pub(crate) async fn handle_message(
    context: &SessionContext,
    connection: &Arc<Connection>,
    message: Message,
) {
    match (message.kind(), &*message.method()) {
        (MessageKind::Request, method) if method != "ping" => {
            context
                .events
                .on_server_request(connection.begin_use(), message.clone())
                .await;
        }
        (MessageKind::Request, _) => {
            if let Err(error) = connection.notify(default_response(&message)).await {
                debug!(%error, "cannot answer a ping of the server");
            }
        }
        (MessageKind::Notification, "notifications/tools/list_changed") => {
            context.handle.commands.send(Command::RefreshTools);
        }
        (MessageKind::Notification, "notifications/subscriptions/acknowledged") => {}
        (MessageKind::Notification, method)
            if context.offers.is_none() && is_sent_to_every_session(method) =>
        {
            debug!(
                method,
                "ignoring a notification that the main session receives too"
            );
        }
        (MessageKind::Notification, method) => {
            let kinds = ItemKind::from_change_notification(method);
            if let Some(offers) = &context.offers {
                offers.invalidate(kinds.unwrap_or_default());
            }
            context
                .events
                .on_notification(context.settings.id, connection.begin_use(), message.clone())
                .await;
        }
        (MessageKind::Response, _) => debug!("ignoring a response without a request"),
    }
}

/// Returns `true` if a server may send this notification in each session. The main session handles it, since only
/// that has the lists and the subscriptions.
fn is_sent_to_every_session(method: &str) -> bool {
    let changed = ["prompts/list_changed", "resources/list_changed"];
    let name = method.strip_prefix("notifications/");
    name.is_some_and(|name| changed.contains(&name) || name == "resources/updated")
}
