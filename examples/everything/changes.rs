//! What changes while the server runs, and who is told.

use rmcp::ErrorData;
use rmcp::service::SubscriptionContext;
use tokio::sync::watch;

/// How often each list has changed; the tools that change them say so in their descriptions.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) tools: u64,
    pub(crate) prompts: u64,
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
    loop {
        let now = *changes.borrow_and_update();
        // A subscriber that cannot be reached is one that is leaving.
        if tools_wanted && now.tools != seen.tools {
            subscription.sink().notify_tool_list_changed().await.ok();
        }
        if prompts_wanted && now.prompts != seen.prompts {
            subscription.sink().notify_prompt_list_changed().await.ok();
        }
        seen = now;
        tokio::select! {
            () = subscription.cancelled() => return Ok(()),
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}
