//! Waiting for an upstream that is away. Whoever waits shares the attempts that the connection's task makes,
//! and hears at once when none can be made in time, or when none would help.

use tokio::time::{Instant, timeout_at};

use super::retry::RetryState;
use crate::upstream::connection::{Connection, ConnectionUse};
use crate::upstream::error::TransportError;
use crate::upstream::handle::Upstream;
use crate::upstream::session::handle::{Disconnected, State};

/// What somebody who waits sees of the connection.
enum Observed {
    Ready(ConnectionUse),
    /// The last attempt failed.
    Disconnected(Disconnected),
    /// One is under way, after one that may have failed.
    Connecting(Option<TransportError>),
}

impl Upstream {
    /// A connection for this call: the one there is, or one that is made meanwhile.
    pub(crate) async fn live_for(
        &self,
        turn: &mut RetryState,
    ) -> Result<ConnectionUse, TransportError> {
        let can_serve = |live: &ConnectionUse| self.can_use(live, turn.after);
        match self.ready().filter(can_serve) {
            Some(live) => Ok(live),
            // Boxed: it is large, and on the path of every call.
            None => Box::pin(self.wait_for_live(turn.after, turn.deadline())).await,
        }
    }

    /// Whether it can be used by whoever needs one after this generation.
    fn can_use(&self, live: &Connection, generation: u64) -> bool {
        live.generation > generation && live.is_usable_after_suspend(&self.shared.clients)
    }

    /// Waits for the first connection after the one of this generation. Has one made if it is down, and
    /// again as long as what kept it from being made may pass.
    async fn wait_for_live(
        &self,
        generation: u64,
        deadline: Instant,
    ) -> Result<ConnectionUse, TransportError> {
        let mut state = self.shared.state.subscribe();
        let (mut known, mut first, mut has_failed) = (None, None, false);
        loop {
            let seen = match &*state.borrow_and_update() {
                State::Ready(live) if self.can_use(live, generation) => {
                    Observed::Ready(live.in_use())
                }
                State::Disconnected(down) => Observed::Disconnected(down.clone()),
                State::Connecting { after, .. } => Observed::Connecting(after.clone()),
                // Nobody has begun, or the task is about to find out what is known already.
                State::Idle | State::Ready(_) => Observed::Connecting(None),
            };
            let next = match seen {
                Observed::Ready(live) => return Ok(live),
                Observed::Disconnected(down) => {
                    has_failed |= *first.get_or_insert(down.attempt) != down.attempt;
                    let next = match has_failed {
                        true => down.on_demand,
                        false => down.at_once,
                    };
                    let next = next.max(self.shared.brake.due());
                    if !is_worth(&down.cause, has_failed, next, deadline) {
                        let next = next.saturating_duration_since(Instant::now());
                        return Err(down.cause.away(Some(next)));
                    }
                    known = Some(down.cause);
                    match has_failed {
                        true => self.shared.wake.notify_one(),
                        false => self.shared.hurry.notify_one(),
                    }
                    Some(next)
                }
                Observed::Connecting(after) => {
                    known = after.or(known);
                    // How it ends, the call has seen for itself.
                    has_failed = true;
                    None
                }
            };
            match timeout_at(deadline, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(TransportError::ShuttingDown),
                Err(_) => {
                    let cause = known.filter(|cause| !cause.requires_user_action());
                    let next = next.map(|next| next.saturating_duration_since(Instant::now()));
                    let cause =
                        cause.unwrap_or(TransportError::NotReady(self.shared.connect_wait()));
                    return Err(cause.away(next));
                }
            }
        }
    }
}

/// Whether another attempt is worth waiting for, that can be made at `next`. What does not pass by itself
/// is tried once for a call that has not seen it fail.
fn is_worth(cause: &TransportError, has_failed: bool, next: Instant, deadline: Instant) -> bool {
    match cause {
        TransportError::ShuttingDown => false,
        cause if cause.is_transient() => next <= deadline,
        _ => !has_failed && next <= Instant::now(),
    }
}
