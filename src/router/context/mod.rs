//! The context of a request: the state of the process, and of the request's client.

pub(crate) mod capabilities;
pub(crate) mod gateway;
pub(crate) mod item_cache;

use std::sync::Arc;

use serde_json::Value;

use super::client::ClientSession;
use crate::upstream::{ConnectionUse, UpstreamId};
use crate::wire::{Line, Message};
use gateway::Gateway;

/// The gateway and one client's session. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) session: Arc<ClientSession>,
}

impl Context {
    /// Whether the client's session at this upstream uses this connection.
    pub(crate) fn is_connection_of_session(
        &self,
        upstream: UpstreamId,
        connection: &ConnectionUse,
    ) -> bool {
        let Some(upstream) = self.gateway.upstreams.get(upstream) else {
            return false;
        };
        let profile = self.session.profiles.session_or_neutral();
        let pool = upstream.pool();
        pool.is_session_of(connection, self.session.id, &profile)
    }

    /// Queues a line for the client.
    pub(crate) async fn send(&self, line: Line) {
        self.session.send(line).await;
    }

    /// Rejects a request with an error of the proxy.
    pub(crate) async fn refuse(&self, request: &Message, code: i64, text: &str) {
        if let Some(id) = request.id() {
            self.send(Line::error(&id, code, text, &Value::Null)).await;
        }
    }
}
