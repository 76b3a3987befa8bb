//! Listings out of the catalog.

use std::sync::Arc;

use bytes::Bytes;
use tracing::debug;

use super::Router;
use super::inflight::Key;
use crate::catalog::Catalog;
use crate::wire::outgoing::code;
use crate::wire::{Era, Line, Message};

impl Router {
    /// Answers `tools/list`. The first one waits, within bounds, for the upstreams.
    pub async fn list_tools(self: &Arc<Self>, request: &Message, client: Era) {
        let Some(id) = request.id() else { return };
        if request
            .param("cursor")
            .is_some_and(|cursor| cursor.value() != b"null")
        {
            let line = Line::error(
                &id,
                code::INVALID_PARAMS,
                "unknown cursor; listings have one page",
                &serde_json::Value::Null,
            );
            return self.send(line).await;
        }
        if self.view.borrow().complete {
            return self.send_tools(&id, client).await;
        }
        let (router, key) = (self.clone(), Key::new(&id));
        let listed = id.clone();
        let in_use = !self.inflight.begin(key.clone(), None, || {
            let waiting = async move {
                let mut view = router.view.clone();
                if view.wait_for(|view| view.complete).await.is_ok() && router.inflight.finish(&key)
                {
                    router.send_tools(&listed, client).await;
                }
            };
            self.tasks.spawn(waiting).abort_handle()
        });
        if in_use {
            self.refuse_id(&id).await;
        }
    }

    async fn send_tools(&self, id: &Bytes, client: Era) {
        let catalog = self.view.borrow().catalog.clone();
        debug!(tools = catalog.len(), "listed");
        self.announcements.served(&catalog);
        self.send(Line::result(id, tools_result(&catalog, client)))
            .await;
    }
}

/// The result of `tools/list`. What a modern client may keep of it is nothing: the catalog changes
/// whenever an upstream's does (MCP 2026-07-28 § Caching).
fn tools_result(catalog: &Catalog, client: Era) -> Bytes {
    let tools = catalog.tools();
    let (head, tail): (&[u8], &[u8]) = match client {
        Era::Legacy => (b"{\"tools\":", b"}"),
        Era::Modern => (
            b"{\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",\"tools\":",
            b"}",
        ),
    };
    [head, &tools[..], tail].concat().into()
}
