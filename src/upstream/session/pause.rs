//! The pause between two attempts, and what ends it.

use std::sync::Arc;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::command::{Command, Urgency};
use super::context::SessionContext;
use super::reconnect::ReconnectState;
use super::state::{Disconnected, State};
use crate::oauth::{Authorizer, TokenVersion};

/// Waits until the next attempt is due, or there is reason to make it earlier, and takes it from the
/// budget; `false` when it was cancelled.
pub(crate) async fn pause(
    context: &SessionContext,
    disconnected: &Disconnected,
    mark: Option<TokenVersion>,
    reconnect: &mut ReconnectState,
    cancel: &CancellationToken,
) -> bool {
    let (commands, budget) = (&context.handle.commands, &context.settings.retry_budget);
    let [waiting, new_call] = [Urgency::Waiting, Urgency::NewCall].map(Command::Connect);
    // Drop commands from before this state change: those callers look at the new state and ask again.
    commands.discard(waiting);
    commands.discard(new_call);
    let state = State::Disconnected(disconnected.clone());
    context.handle.publish(state);
    reconnect.close_previous_if_reachable(context, cancel);
    let mut resumed = context.settings.clients.resumed();
    let authorizer = context.settings.authorizer.as_ref();
    let (mut is_demanded, mut is_hurried, mut is_signed) = (false, false, false);
    loop {
        let wished = match (is_demanded, is_hurried) {
            (_, true) => disconnected.retry_at_if_new_call,
            (true, false) => disconnected.retry_at_if_waiting,
            (false, false) => disconnected.retry_at,
        };
        let is_better = tokio::select! {
            () = cancel.cancelled() => return false,
            () = commands.next(waiting), if !is_demanded => {
                is_demanded = true;
                continue;
            }
            () = commands.next(new_call), if !is_hurried => {
                is_hurried = true;
                continue;
            }
            () = wait_until_tokens_change(authorizer, mark.as_ref()), if !is_signed => {
                (is_demanded, is_signed) = (true, true);
                budget.allow_one();
                false
            }
            () = commands.next(Command::ResetBudget) => true,
            _ = resumed.changed() => true,
            () = sleep_until(wished.max(budget.due())) => false,
        };
        if is_better {
            reconnect.backoff = Backoff::default();
            budget.reset();
        }
        if budget.try_acquire() {
            return true;
        }
    }
}

/// Waits until there are other tokens than at `mark`, if there ever will be.
async fn wait_until_tokens_change(
    authorizer: Option<&Arc<Authorizer>>,
    mark: Option<&TokenVersion>,
) {
    match (authorizer, mark) {
        (Some(authorizer), Some(mark)) => authorizer.wait_until_tokens_change(mark).await,
        _ => std::future::pending().await,
    }
}
