//! What the client tells without asking: its notifications, on their way to the upstreams.

use std::sync::Arc;

use tracing::debug;

use super::Router;
use crate::upstream::Upstream;
use crate::wire::{Era, Message};

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
        let client = self.client.session();
        for session in self.upstreams.iter().flat_map(Upstream::sessions) {
            let Some(live) = session.ready().filter(|live| live.serves(&client)) else {
                continue;
            };
            if live.era == Era::Modern && LEGACY.contains(&&*method) {
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
