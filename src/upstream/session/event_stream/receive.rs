//! What one message means that an upstream sends outside any request.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use crate::protocol::ItemKind;
use crate::protocol::reply::default_response;
use crate::upstream::connection::Connection;
use crate::upstream::session::command::Command;
use crate::upstream::session::context::SessionContext;
use crate::wire::{Message, MessageKind};

/// How long a stream must have lasted to count as stable, so that it is opened again at once:
/// what is in between may cut streams that are silent, as often as every minute.
pub(crate) const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Hands a message on to whom it is for.
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
                debug!(%error, "could not answer the upstream");
            }
        }
        (MessageKind::Notification, "notifications/tools/list_changed") => {
            context.handle.commands.send(Command::RefreshTools);
        }
        (MessageKind::Notification, "notifications/subscriptions/acknowledged") => {}
        (MessageKind::Notification, method)
            if context.offers.is_none() && is_sent_to_every_session(method) =>
        {
            debug!(method, "heard in the main session");
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
        (MessageKind::Response, _) => debug!("ignoring a response that nobody waits for"),
    }
}

/// Whether a server may tell each session of its client this: the main session has the lists and the
/// subscriptions.
fn is_sent_to_every_session(method: &str) -> bool {
    let changed = ["prompts/list_changed", "resources/list_changed"];
    let name = method.strip_prefix("notifications/");
    name.is_some_and(|name| changed.contains(&name) || name == "resources/updated")
}
