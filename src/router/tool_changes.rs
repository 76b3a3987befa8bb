//! Notifies clients that the list of tools has changed.

use super::call::change::Change;
use super::client::announced_tools::Recipients;
use super::context::Context;
use super::forward::notify::notify_subscribers;
use crate::wire::{Line, Message};

/// Notifies the client of each change, until the catalog's updater task ends.
pub(crate) async fn announce_tool_changes(ctx: Context) {
    let line = Line::notification("notifications/tools/list_changed");
    let Ok(message) = Message::parse(line.into_bytes()) else {
        return;
    };
    let mut view = ctx.gateway.view.clone();
    while view.changed().await.is_ok() {
        let catalog = {
            let view = view.borrow_and_update();
            // Before the initial listing, clients have received no tools.
            view.initial_listing_done.then(|| view.catalog.clone())
        };
        let Some(catalog) = catalog else { continue };
        let session = &ctx.session;
        let announced = &session.announced_tools;
        let Recipients {
            session: to_session,
            listens: to_listens,
        } = announced.record_change(&catalog, session.is_initialized());
        if to_session {
            session.send_message(&message).await;
        }
        if to_listens {
            notify_subscribers(session, &Change::Tools, &message, false).await;
        }
    }
}
