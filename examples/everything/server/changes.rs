//! What changes while the server runs, and who is told.

// Per-resource subscriptions are deprecated, and served because the revisions that have them are
// still spoken.
#![allow(deprecated)]

use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::SubscriptionContext;
use rmcp::{ErrorData, Peer, RoleServer};
use tokio::sync::watch;

/// The resource that changes.
pub(crate) const WATCHED: &str = "test://watched-resource";

/// How often each list has changed; the tools that change them say so in their descriptions.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) tools: u64,
    pub(crate) prompts: u64,
    /// Changes of the resource that can be watched.
    pub(crate) watched: u64,
    /// Calls that go on until they are cancelled, and those that were.
    pub(crate) unending: u64,
    pub(crate) cancelled: u64,
}

/// Tells one subscriber of each change after `seen`, until it goes.
pub(crate) async fn listen(
    mut changes: watch::Receiver<Counts>,
    mut seen: Counts,
    subscription: SubscriptionContext,
) -> Result<(), ErrorData> {
    let accepted = subscription.accepted();
    let tools_wanted = accepted.tools_list_changed == Some(true);
    let prompts_wanted = accepted.prompts_list_changed == Some(true);
    let watched = accepted.resource_subscriptions.as_ref();
    let watched = watched.is_some_and(|uris| uris.iter().any(|uri| uri == WATCHED));
    loop {
        let now = *changes.borrow_and_update();
        // A subscriber that cannot be reached is one that is leaving.
        if tools_wanted && now.tools != seen.tools {
            subscription.sink().notify_tool_list_changed().await.ok();
        }
        if prompts_wanted && now.prompts != seen.prompts {
            subscription.sink().notify_prompt_list_changed().await.ok();
        }
        if watched && now.watched != seen.watched {
            subscription
                .sink()
                .notify_resource_updated(WATCHED)
                .await
                .ok();
        }
        seen = now;
        tokio::select! {
            () = subscription.cancelled() => return Ok(()),
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

/// Tells a session of each change of the watched resource, until it goes.
pub(crate) async fn watch(mut changes: watch::Receiver<Counts>, session: Peer<RoleServer>) {
    let mut seen = changes.borrow_and_update().watched;
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().watched;
        let update = ResourceUpdatedNotificationParam::new(WATCHED);
        if now != seen && session.notify_resource_updated(update).await.is_err() {
            return;
        }
        seen = now;
    }
}
