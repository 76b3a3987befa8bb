//! What one message means that an upstream sends outside any request.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use crate::protocol::ItemKind as Changed;
use crate::protocol::reply::default_response;
use crate::upstream::connection::Connection;
use crate::upstream::session::command::Command;
use crate::upstream::session::context::SessionContext;
use crate::wire::{Message, MessageKind};

/// How long a stream must have lasted to count as stable, so that it is opened again at once:
/// what is in between may cut streams that are silent, as often as every minute.
pub(crate) const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Hands a message on to whom it is for.
pub(crate) async fn receive(context: &SessionContext, live: &Arc<Connection>, message: Message) {
    match (message.kind(), &*message.method()) {
        (MessageKind::Request, method) if method != "ping" => {
            context
                .events
                .on_server_request(live.begin_use(), message.clone())
                .await;
        }
        (MessageKind::Request, _) => {
            if let Err(error) = live.notify(default_response(&message)).await {
                debug!(%error, "could not answer the upstream");
            }
        }
        (MessageKind::Notification, "notifications/tools/list_changed") => {
            context.handle.commands.send(Command::RefreshTools);
        }
        (MessageKind::Notification, "notifications/subscriptions/acknowledged") => {}
        (MessageKind::Notification, method) if context.offers.is_none() && is_for_all(method) => {
            debug!(method, "heard in the main session");
        }
        (MessageKind::Notification, method) => {
            let changed = Changed::from_change_notification(method);
            if let Some(offers) = &context.offers {
                offers.forget(changed.unwrap_or_default());
            }
            context
                .events
                .on_notification(context.settings.id, live.begin_use(), message.clone())
                .await;
        }
        (MessageKind::Response, _) => debug!("ignoring a response that nobody waits for"),
    }
}

/// Whether a server may tell each session of its client this: the main session has the lists and the
/// subscriptions.
fn is_for_all(method: &str) -> bool {
    let changed = ["prompts/list_changed", "resources/list_changed"];
    let told = method.strip_prefix("notifications/");
    told.is_some_and(|told| changed.contains(&told) || told == "resources/updated")
}
