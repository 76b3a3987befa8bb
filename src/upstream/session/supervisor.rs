//! The task that keeps one session connected.
//!
//! It makes the connection, publishes it, runs its jobs until it is lost ([`run_until_lost`]), and begins
//! again: after a [`pause`], as long as attempts are left. Requests go past it: each is an HTTP exchange of
//! its own on the [`Connection`](crate::upstream::connection::Connection) that the task published.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::backoff::Backoff;
use super::connected::run_until_lost;
use super::context::SessionContext;
use super::pause::pause;
use super::reconnect::ReconnectState;
use super::state::{Disconnect, Disconnected, State};
use crate::protocol::ClientProfile;
use crate::upstream::error::TransportError;
use crate::upstream::handshake::Connected;

/// Keeps one session connected.
pub(crate) struct SessionSupervisor {
    pub(crate) context: SessionContext,
}

impl SessionSupervisor {
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let context = &self.context;
        let (handle, settings) = (&context.handle, &context.settings);
        let (mut reconnect, budget) = (ReconnectState::default(), &settings.retry_budget);
        let mut resumed = settings.clients.resumed();
        // The first attempt is there for every session.
        budget.try_acquire();
        for attempt in 1.. {
            let mark = settings.authorizer.as_ref().map(|it| it.token_version());
            let profile = handle.profile();
            handle.publish(State::Connecting {
                alive: false,
                after: reconnect.cause.clone(),
            });
            reconnect.close_previous_if_reachable(context, &cancel);
            resumed.mark_unchanged();
            let made = tokio::select! {
                () = cancel.cancelled() => break,
                // What it has sent so far may never be answered.
                _ = resumed.changed() => {
                    reconnect.backoff = Backoff::default();
                    budget.reset();
                    continue;
                }
                made = self.connect(&profile, attempt, reconnect.cause.as_ref()) => made,
            };
            let ended = match made {
                Ok((connection, stream)) => {
                    reconnect.close_previous(context, &cancel);
                    let connection = Arc::new(connection);
                    let lost = run_until_lost(context, &connection, stream, &cancel);
                    let Some(ended) = lost.await else { break };
                    reconnect.previous = (!ended.is_expired()).then_some(connection);
                    ended
                }
                Err(cause) => Disconnect::never_up(cause),
            };
            if ended.is_expired() && !handle.will_serve(&profile) {
                debug!("opening a session for what the client declares now");
                budget.refund();
                if budget.try_acquire() {
                    continue;
                }
            }
            let next = reconnect.plan_next_attempt(budget, ended, attempt);
            let Some(disconnected) = next else { continue };
            if !pause(context, &disconnected, mark, &mut reconnect, &cancel).await {
                break;
            }
        }
        reconnect.close_previous(context, &cancel);
        handle.set_last_state(State::Disconnected(Disconnected::for_good()));
    }

    async fn connect(
        &self,
        profile: &Arc<ClientProfile>,
        generation: u64,
        after: Option<&TransportError>,
    ) -> Result<Connected, TransportError> {
        let SessionContext {
            handle, settings, ..
        } = &self.context;
        let alive = || {
            handle.publish(State::Connecting {
                alive: true,
                after: after.cloned(),
            });
        };
        let resumes = settings.clients.resume_count();
        let handshake = self.context.handshake(profile, generation, &alive);
        // Boxed: it is large, and over once there is a connection.
        let connected = Box::pin(handshake.connect(settings.http())).await?;
        connected.0.mark_verified(resumes);
        Ok(connected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    #[test]
    fn what_each_upstream_holds_for_ever_is_small() {
        // It was 64 KiB, by what is needed for moments.
        let size = size_of(SessionSupervisor::run);
        assert!(size <= 12 << 10, "{size}");
    }
}
