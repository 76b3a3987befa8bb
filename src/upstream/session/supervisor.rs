//! The task that keeps one session connected.
//!
//! The supervisor makes a connection, publishes it, and runs its jobs until it is lost ([`run_until_lost`]).
//! Then it waits ([`wait_for_next_attempt`]) and connects again, as long as the retry budget allows. Requests do
//! not pass through it: each is an HTTP exchange of its own on the published
//! [`Connection`](crate::upstream::connection::Connection).

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::backoff::Backoff;
use super::connected::run_until_lost;
use super::context::SessionContext;
use super::pause::wait_for_next_attempt;
use super::reconnect::ReconnectState;
use super::state::{ConnectionEnd, Disconnected, State};
use crate::protocol::ClientProfile;
use crate::upstream::error::TransportError;
use crate::upstream::handshake::Connected;

/// The supervisor of one session.
pub(crate) struct SessionSupervisor {
    pub(crate) context: SessionContext,
}

impl SessionSupervisor {
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let context = &self.context;
        let (handle, settings) = (&context.handle, &context.settings);
        let (mut reconnect, budget) = (ReconnectState::default(), &settings.retry_budget);
        let mut resumed = settings.http_clients.resumed();
        // Each session makes its first attempt, also if none is left.
        budget.try_acquire();
        for attempt in 1.. {
            let tokens = settings.authorizer.as_ref().map(|it| it.token_version());
            let profile = handle.profile();
            handle.publish(State::Connecting {
                has_responded: false,
                previous_failure: reconnect.cause.clone(),
            });
            reconnect.close_previous_if_reachable(context, &cancel);
            resumed.mark_unchanged();
            let connected = tokio::select! {
                () = cancel.cancelled() => break,
                // The requests of this attempt may never be answered.
                _ = resumed.changed() => {
                    reconnect.backoff = Backoff::default();
                    budget.reset();
                    continue;
                }
                connected = self.connect(&profile, attempt, reconnect.cause.as_ref()) => connected,
            };
            let ended = match connected {
                Ok((connection, stream)) => {
                    reconnect.close_previous(context, &cancel);
                    let connection = Arc::new(connection);
                    let lost = run_until_lost(context, &connection, stream, &cancel);
                    let Some(ended) = lost.await else { break };
                    reconnect.previous = (!ended.is_expired()).then_some(connection);
                    ended
                }
                Err(cause) => ConnectionEnd::handshake_failed(cause),
            };
            if ended.is_expired() && !handle.will_serve(&profile) {
                debug!("client capabilities changed; opening a new session");
                budget.refund();
                if budget.try_acquire() {
                    continue;
                }
            }
            let next = reconnect.plan_next_attempt(budget, ended, attempt);
            let Some(disconnected) = next else { continue };
            if !wait_for_next_attempt(context, &disconnected, tokens, &mut reconnect, &cancel).await
            {
                break;
            }
        }
        reconnect.close_previous(context, &cancel);
        handle.set_last_state(State::Disconnected(Disconnected::shut_down()));
    }

    async fn connect(
        &self,
        profile: &Arc<ClientProfile>,
        generation: u64,
        previous_failure: Option<&TransportError>,
    ) -> Result<Connected, TransportError> {
        let SessionContext {
            handle, settings, ..
        } = &self.context;
        let on_response = || {
            handle.publish(State::Connecting {
                has_responded: true,
                previous_failure: previous_failure.cloned(),
            });
        };
        let resume_count = settings.http_clients.resume_count();
        let handshake = self.context.handshake(profile, generation, &on_response);
        // Boxed: large, and needed only until the connection is made.
        let connected = Box::pin(handshake.connect(settings.http_factory())).await?;
        connected.0.mark_verified(resume_count);
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
    fn supervisor_future_is_small() {
        // Without boxes, short-lived futures enlarged it to 64 KiB.
        let size = size_of(SessionSupervisor::run);
        assert!(size <= 12 << 10, "{size}");
    }
}
