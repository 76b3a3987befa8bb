//! Compares the lists of a new connection with the lists that clients were sent before it. Those were read on an
//! earlier connection or loaded from the cache. The catalog compares tools.

use std::sync::Arc;

use tokio::time::sleep;
use tracing::debug;

use super::backoff::Backoff;
use super::context::SessionContext;
use crate::protocol::{ItemKind, ItemList};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::offers::Offers;

/// The kinds of items, grouped by the list-change notification that covers them.
const CHANGE_TOGETHER: [&[ItemKind]; 2] = [
    &[ItemKind::Prompts],
    &[ItemKind::Resources, ItemKind::ResourceTemplates],
];

/// Reads, once, the lists that a client was sent before the connection. Returns when the connection is lost.
pub(crate) async fn announce_changes(
    context: &SessionContext,
    connection: &Arc<Connection>,
) -> TransportError {
    // Clients are sent the lists of the main session only.
    let Some(offers) = &context.offers else {
        return std::future::pending().await;
    };
    for kinds in CHANGE_TOGETHER {
        let mut backoff = Backoff::default();
        let lists = loop {
            match refresh_sent_items(context, offers, connection, kinds).await {
                Ok(lists) => break lists,
                Err(lost @ TransportError::SessionExpired) => return lost,
                Err(error) => {
                    debug!(%error, "cannot read lists to compare");
                    sleep(backoff.next_delay(&error)).await;
                }
            }
        };
        context
            .events
            .on_items_listed(context.settings.id, lists)
            .await;
    }
    std::future::pending().await
}

/// Reads the lists of those `kinds` that a client was sent.
async fn refresh_sent_items(
    context: &SessionContext,
    offers: &Offers,
    connection: &Connection,
    kinds: &[ItemKind],
) -> Result<Vec<(ItemKind, ItemList)>, TransportError> {
    let (id, mut lists) = (context.settings.id, Vec::new());
    let sent = kinds.iter().copied();
    for kind in sent.filter(|kind| context.events.has_sent_items(id, *kind)) {
        let list = match connection.server_profile.has_items(kind) {
            true => offers.refresh_items(connection, kind).await?,
            false => ItemList::default(),
        };
        lists.push((kind, list));
    }
    Ok(lists)
}
