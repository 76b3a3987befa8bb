//! What changes while the server runs, and the notifications about that.

// Per-resource subscriptions are deprecated. They are served because the revisions with them are
// still in use.
#![allow(deprecated)]

use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::SubscriptionContext;
use rmcp::{ErrorData, Peer, RoleServer};
use tokio::sync::watch;

/// The resource that changes.
pub(crate) const WATCHED: &str = "test://watched-resource";

/// How often each list has changed. The descriptions of the tools contain these numbers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) tools: u64,
    pub(crate) prompts: u64,
    /// Changes of the watched resource.
    pub(crate) watched: u64,
    /// Calls that run until they are cancelled, and those that were cancelled.
    pub(crate) unending: u64,
    pub(crate) cancelled: u64,
}

/// Notifies one subscriber of each change after `seen`, until it unsubscribes.
pub(crate) async fn listen(
    mut changes: watch::Receiver<Counts>,
    mut seen: Counts,
    subscription: SubscriptionContext,
) -> Result<(), ErrorData> {
    let accepted = subscription.accepted();
    let sends_tool_changes = accepted.tools_list_changed == Some(true);
    let sends_prompt_changes = accepted.prompts_list_changed == Some(true);
    let watched = accepted.resource_subscriptions.as_ref();
    let watched = watched.is_some_and(|uris| uris.iter().any(|uri| uri == WATCHED));
    loop {
        let now = *changes.borrow_and_update();
        // Sending fails only if the subscriber is disconnecting.
        if sends_tool_changes && now.tools != seen.tools {
            subscription.sink().notify_tool_list_changed().await.ok();
        }
        if sends_prompt_changes && now.prompts != seen.prompts {
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

/// Notifies a session of each change of the watched resource, until it ends.
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
