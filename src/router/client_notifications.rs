//! What the client tells without asking: its notifications, on their way to the upstreams.

use std::sync::Arc;

use tracing::debug;

use super::Router;
use crate::protocol::Era;
use crate::upstream::{Connection, Upstream};
use crate::wire::Message;

/// Notifications of the legacy eras alone (MCP 2026-07-28 § Changelog).
const LEGACY: [&str; 1] = ["notifications/roots/list_changed"];

impl Router {
    /// Passes a notification on: progress to who waits for it, anything else to every upstream
    /// whose era may know it, as it is.
    pub fn tell_upstreams(self: &Arc<Self>, notification: &Message) {
        let method = notification.method();
        if method == "notifications/progress" {
            return self.report_progress(notification);
        }
        debug!(%method, "telling the upstreams");
        // One that has opened none may have any of the sessions.
        let client = self.client.has_session();
        for session in self.upstreams.all().iter().flat_map(Upstream::sessions) {
            let is_its =
                |live: &Arc<Connection>| client.as_ref().is_none_or(|client| live.serves(client));
            let Some(live) = session.ready().filter(is_its) else {
                continue;
            };
            if live.profile.era == Era::Modern && LEGACY.contains(&&*method) {
                continue;
            }
            let body = notification.bytes().clone();
            self.tasks.spawn(async move {
                if let Err(error) = live.tell(body).await {
                    debug!(%error, "a notification was not delivered");
                }
            });
        }
    }
}
