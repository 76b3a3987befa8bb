//! The pause between two attempts, and what ends it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::handle::{Disconnected, State};
use super::supervisor::{ReconnectState, SessionSupervisor};
use crate::oauth::{Authorizer, TokenVersion};

impl SessionSupervisor {
    /// Waits until the next attempt is due, or somebody has reason to make it earlier, and takes it from the
    /// brake; `false` when it was cancelled.
    pub(crate) async fn pause(
        &self,
        down: &Disconnected,
        mark: Option<TokenVersion>,
        course: &mut ReconnectState,
        cancel: &CancellationToken,
    ) -> bool {
        let (shared, brake) = (&self.shared, &self.shared.brake);
        // Who has asked before this looks at the new state, and asks again.
        let _ = shared.wake.notified().now_or_never();
        let _ = shared.hurry.notified().now_or_never();
        self.publish(State::Disconnected(down.clone()));
        self.let_go_of_old(course, cancel);
        let mut woken = shared.clients.resumed();
        let authorizer = shared.authorizer.as_ref();
        let (mut is_demanded, mut is_hurried, mut is_signed) = (false, false, false);
        loop {
            let wished = match (is_demanded, is_hurried) {
                (_, true) => down.at_once,
                (true, false) => down.on_demand,
                (false, false) => down.due,
            };
            let is_better = tokio::select! {
                () = cancel.cancelled() => return false,
                () = shared.wake.notified(), if !is_demanded => {
                    is_demanded = true;
                    continue;
                }
                () = shared.hurry.notified(), if !is_hurried => {
                    is_hurried = true;
                    continue;
                }
                () = changed(authorizer, mark.as_ref()), if !is_signed => {
                    (is_demanded, is_signed) = (true, true);
                    brake.admit();
                    false
                }
                () = shared.anew.notified() => true,
                _ = woken.changed() => true,
                () = sleep_until(wished.max(brake.due())) => false,
            };
            if is_better {
                course.backoff = Backoff::default();
                brake.give_back();
            }
            if brake.take() {
                return true;
            }
        }
    }
}

/// Waits until there are other tokens than at `mark`, if there ever will be.
async fn changed(authorizer: Option<&Arc<Authorizer>>, mark: Option<&TokenVersion>) {
    match (authorizer, mark) {
        (Some(authorizer), Some(mark)) => authorizer.tokens_changed(mark).await,
        _ => std::future::pending().await,
    }
}
