//! Comparing what a server lists with what the client was given of it before the connection: while it was
//! away, or is remembered to have had. Tools are compared by the catalog.

use std::sync::Arc;

use tokio::time::sleep;
use tracing::debug;

use super::backoff::Backoff;
use super::supervisor::Connection;
use crate::protocol::ItemKind;
use crate::upstream::connection::Live;
use crate::upstream::error::TransportError;
use crate::upstream::handle::Upstream;
use crate::wire::Message;

/// What a client is told when one of these kinds has changed.
const CHANGES: [(&[ItemKind], &str); 2] = [
    (
        &[ItemKind::Prompts],
        r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#,
    ),
    (
        &[ItemKind::Resources, ItemKind::ResourceTemplates],
        r#"{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}"#,
    ),
];

impl Connection {
    /// Tells, once, of what is not as the client has it; returns when the connection is lost.
    pub(crate) async fn compare(&self, live: &Arc<Live>) -> TransportError {
        for (kinds, told) in CHANGES {
            let mut backoff = Backoff::default();
            let differs = loop {
                match self.differ(live, kinds).await {
                    Ok(differs) => break differs,
                    Err(gone @ TransportError::SessionExpired) => return gone,
                    Err(error) => {
                        debug!(%error, "cannot compare what is listed");
                        sleep(backoff.next(&error)).await;
                    }
                }
            };
            if let (true, Ok(message)) = (differs, Message::parse(told)) {
                debug!(method = %message.method(), "changed while it was away");
                self.events
                    .notification(self.shared.id, live.clone(), message)
                    .await;
            }
        }
        std::future::pending().await
    }

    /// Whether the client was given something else of these kinds.
    async fn differ(&self, live: &Arc<Live>, kinds: &[ItemKind]) -> Result<bool, TransportError> {
        let (upstream, memory) = (self.upstream(), &self.shared.memory);
        let mut lists = Vec::new();
        for kind in kinds.iter().copied().filter(|kind| memory.is_given(*kind)) {
            let list = match upstream.offers(kind) {
                true => upstream.read_items(live, kind).await?,
                false => Arc::default(),
            };
            lists.push((kind, list));
        }
        let differing = lists
            .iter()
            .filter(|(kind, list)| memory.differs(*kind, list));
        Ok(differing.count() > 0)
    }

    /// The handle of the upstream whose connection this is.
    pub(crate) fn upstream(&self) -> Upstream {
        Upstream {
            shared: self.shared.clone(),
            config: self.shared.config.clone(),
        }
    }
}
