//! The pause between two attempts, and the events that end it.

use std::sync::Arc;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::command::{Command, Urgency};
use super::context::SessionContext;
use super::reconnect::ReconnectState;
use super::state::{Disconnected, State};
use crate::oauth::{Authorizer, TokenVersion};

/// Waits until the next attempt is due, and acquires it from the retry budget. A command, new tokens, or the end
/// of a suspend make it due earlier. Returns `false` if cancelled.
pub(crate) async fn wait_for_next_attempt(
    context: &SessionContext,
    disconnected: &Disconnected,
    token_version: Option<TokenVersion>,
    reconnect: &mut ReconnectState,
    cancel: &CancellationToken,
) -> bool {
    let (commands, budget) = (&context.handle.commands, &context.settings.retry_budget);
    let [waiting, new_call] = [Urgency::Waiting, Urgency::NewCall].map(Command::Connect);
    // Drop commands from before this state change: those callers check the new state and send them again.
    commands.discard(waiting);
    commands.discard(new_call);
    let state = State::Disconnected(disconnected.clone());
    context.handle.publish(state);
    reconnect.close_previous_if_reachable(context, cancel);
    let mut resumed = context.settings.http_clients.resumed();
    let authorizer = context.settings.authorizer.as_ref();
    let (mut has_waiting_call, mut has_new_call, mut has_new_tokens) = (false, false, false);
    loop {
        let retry_at = match (has_waiting_call, has_new_call) {
            (_, true) => disconnected.retry_at_if_new_call,
            (true, false) => disconnected.retry_at_if_waiting,
            (false, false) => disconnected.retry_at,
        };
        let has_improved = tokio::select! {
            () = cancel.cancelled() => return false,
            () = commands.wait_for(waiting), if !has_waiting_call => {
                has_waiting_call = true;
                continue;
            }
            () = commands.wait_for(new_call), if !has_new_call => {
                has_new_call = true;
                continue;
            }
            () = wait_until_tokens_change(authorizer, token_version.as_ref()), if !has_new_tokens => {
                (has_waiting_call, has_new_tokens) = (true, true);
                budget.allow_one();
                false
            }
            () = commands.wait_for(Command::ResetBudget) => true,
            _ = resumed.changed() => true,
            () = sleep_until(retry_at.max(budget.next_available_at())) => false,
        };
        if has_improved {
            reconnect.backoff = Backoff::default();
            budget.reset();
        }
        if budget.try_acquire() {
            return true;
        }
    }
}

/// Waits until the tokens differ from those of `token_version`. Never returns if they cannot change.
async fn wait_until_tokens_change(
    authorizer: Option<&Arc<Authorizer>>,
    token_version: Option<&TokenVersion>,
) {
    match (authorizer, token_version) {
        (Some(authorizer), Some(token_version)) => {
            authorizer.wait_until_tokens_change(token_version).await;
        }
        _ => std::future::pending().await,
    }
}
