//! Waits for the outcome of a connection attempt without sending a request. Used by commands and by reload.

use std::sync::Arc;

use tokio::sync::watch;

use crate::upstream::connection::ConnectionUse;
use crate::upstream::error::TransportError;
use crate::upstream::offers::tools::ToolList;
use crate::upstream::session::state::State;

/// An attempt to connect that failed.
#[derive(Debug, Clone)]
pub struct FailedAttempt {
    /// Why it failed.
    pub cause: TransportError,
    /// The number of the attempt, counted from 1.
    pub attempt: u64,
}

/// Waits until the session is connected. Returns `None` if it was closed for good.
pub(crate) async fn when_connected(mut state: watch::Receiver<State>) -> Option<ConnectionUse> {
    let end = |state: &State| match state {
        State::Ready(connection) => Some(Some(connection.begin_use())),
        State::Disconnected(last) if last.attempt == u64::MAX => Some(None),
        _ => None,
    };
    let ended = state.wait_for(|state| end(state).is_some()).await;
    end(&*ended.ok()?)?
}

/// Waits until the session is connected and the tools are listed.
///
/// # Errors
/// [`FailedAttempt`], if an attempt after the attempt `seen` fails. The supervisor goes on to retry.
pub(crate) async fn wait_until_listed(
    mut state: watch::Receiver<State>,
    mut tools: watch::Receiver<Option<Arc<ToolList>>>,
    seen: u64,
) -> Result<(ConnectionUse, Arc<ToolList>), FailedAttempt> {
    loop {
        match &*state.borrow_and_update() {
            State::Ready(connection) => {
                if let Some(tools) = &*tools.borrow_and_update() {
                    return Ok((connection.begin_use(), tools.clone()));
                }
            }
            State::Disconnected(disconnected) if disconnected.attempt > seen => {
                return Err(FailedAttempt {
                    cause: disconnected.cause.clone(),
                    attempt: disconnected.attempt,
                });
            }
            _ => {}
        }
        // The senders live as long as the upstream.
        tokio::select! {
            _ = state.changed() => {}
            _ = tools.changed() => {}
        }
    }
}
