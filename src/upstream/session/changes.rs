//! Comparing what a server lists with what a client was sent of it before the connection: while it was
//! away, or is remembered to have had. Tools are compared by the catalog.

use std::sync::Arc;

use tokio::time::sleep;
use tracing::debug;

use super::backoff::Backoff;
use super::supervisor::SessionSupervisor;
use crate::protocol::{ItemKind, ItemList};
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;

/// The kinds that one notification tells of.
const CHANGE_TOGETHER: [&[ItemKind]; 2] = [
    &[ItemKind::Prompts],
    &[ItemKind::Resources, ItemKind::ResourceTemplates],
];

impl SessionSupervisor {
    /// Lists, once, what a client was sent before; returns when the connection is lost.
    pub(crate) async fn compare(&self, live: &Arc<Connection>) -> TransportError {
        // What a client was sent is of the main session.
        if self.shared.is_side {
            return std::future::pending().await;
        }
        for kinds in CHANGE_TOGETHER {
            let mut backoff = Backoff::default();
            let lists = loop {
                match self.list_sent(live, kinds).await {
                    Ok(lists) => break lists,
                    Err(gone @ TransportError::SessionExpired) => return gone,
                    Err(error) => {
                        debug!(%error, "cannot compare what is listed");
                        sleep(backoff.next(&error)).await;
                    }
                }
            };
            self.events.items_listed(self.shared.id, lists).await;
        }
        std::future::pending().await
    }

    /// Lists those of these kinds that a client was sent.
    async fn list_sent(
        &self,
        live: &Connection,
        kinds: &[ItemKind],
    ) -> Result<Vec<(ItemKind, ItemList)>, TransportError> {
        let (id, mut lists) = (self.shared.id, Vec::new());
        let sent = kinds.iter().copied();
        for kind in sent.filter(|kind| self.events.has_sent_items(id, *kind)) {
            let list = match live.profile.offers(kind) {
                true => self.shared.offers.refresh_items(live, kind).await?,
                false => ItemList::default(),
            };
            lists.push((kind, list));
        }
        Ok(lists)
    }
}
