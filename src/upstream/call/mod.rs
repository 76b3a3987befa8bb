//! Sending a request to an upstream, whatever state its connection is in.

pub(crate) mod retry;
pub(crate) mod send;
pub(crate) mod wait;

use std::sync::Arc;

use super::connection::ConnectionUse;
use super::connection::log_demand::LogDemandGuard;
use super::error::TransportError;
use super::error::reported::UpstreamError;
use super::flow::concurrency::CallPermit;
use super::flow::deadline::Activity;
use super::flow::request_context::RequestContext;
use super::flow::send_buffer::SendBuffer;
use super::handle::Upstream;
use crate::protocol::{ClientProfile, LogLevel, Request};
use retry::RetryState;
use send::{SentRequest, send};

impl Upstream {
    /// Sends the request that `build` makes for the connection as it is, on behalf of the client
    /// of this identity, which wants its logs from `level` on
    /// and reads the answer from `send_buffer`. An upstream that is away is waited for, and a
    /// login that a person is at. A request that the upstream refused, since its session is gone,
    /// it is busy, or it is another server by now, is sent once more when that is over.
    ///
    /// # Errors
    /// [`UpstreamError`]; its [`outcome`](TransportError::outcome) says whether the request may have run.
    pub async fn call(
        &self,
        method: &str,
        identity: &Arc<ClientProfile>,
        level: Option<LogLevel>,
        send_buffer: Option<&Arc<SendBuffer>>,
        build: impl Fn(&ConnectionUse, &Activity) -> Request,
    ) -> Result<Call, UpstreamError> {
        let fail = |cause| self.error(method, cause);
        let admitted = self.admit(method).await.map_err(fail)?;
        let mut side;
        let (mut session, mut turn) = (self, RetryState::new(self));
        loop {
            let live = self.live_patiently(session, &mut turn).await;
            let live = live.map_err(fail)?;
            if !live.serves(identity) {
                if session.will_serve(identity) {
                    // It is about to be replaced by one that does.
                    turn.after(live.generation);
                    continue;
                }
                if !session.shared.is_side {
                    side = self.side_session(identity);
                    session = &side;
                    turn.begins_anew();
                    continue;
                }
            }
            live.wait_for_event_stream(identity).await;
            let logs = session.raise_level(&live, level).await;
            let context = RequestContext {
                activity: Activity::default(),
                send_buffer: send_buffer.cloned(),
            };
            let request = build(&live, &context.activity);
            let (tried, logs) = match send(&live, request, context).await {
                Ok(sent) if sent.exchange.hint().is_none() => (Some(Ok(sent)), logs),
                refused => {
                    drop(logs);
                    // Boxed: it is large, and hardly ever needed.
                    (
                        Box::pin(turn.take_refusal(session, live, refused)).await,
                        None,
                    )
                }
            };
            if let Some(tried) = tried {
                return Ok(Call {
                    sent: tried.map_err(fail)?,
                    logs,
                    admitted,
                });
            }
        }
    }

    /// Waits until it may run. What looks after a task that runs already waits for nobody: to end one may
    /// be what the others wait for.
    async fn admit(&self, method: &str) -> Result<Option<CallPermit>, TransportError> {
        if matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel") {
            return Ok(None);
        }
        let patience = self.shared.config.timeout;
        self.shared.concurrency.admit(patience).await.map(Some)
    }

    /// A connection for a call in this session; waits for a person who is signing in.
    async fn live_patiently(
        &self,
        session: &Self,
        turn: &mut RetryState,
    ) -> Result<ConnectionUse, TransportError> {
        loop {
            match session.live_for(turn).await {
                Err(cause) if cause.is_login_under_way() => {
                    Box::pin(turn.wait_for_login(self, cause)).await?;
                }
                live => return live,
            }
        }
    }

    fn will_serve(&self, identity: &ClientProfile) -> bool {
        self.shared.identity.borrow().shares_session(identity)
    }

    /// The connection; waits for it as a call does.
    ///
    /// # Errors
    /// [`UpstreamError`], when there is none in time.
    pub async fn connected(&self, method: &str) -> Result<ConnectionUse, UpstreamError> {
        let live = self.live_for(&mut RetryState::new(self)).await;
        live.map_err(|cause| self.error(method, cause))
    }
}

/// A request that is under way.
#[derive(Debug)]
pub struct Call {
    /// The request.
    pub sent: SentRequest,
    /// That its logs are wanted, where the upstream has to be told.
    pub logs: Option<LogDemandGuard>,
    /// That it runs, of the calls that may at a time.
    pub admitted: Option<CallPermit>,
}
