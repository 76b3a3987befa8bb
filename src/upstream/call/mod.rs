//! Sending a request to an upstream, whatever state its connection is in.

pub(crate) mod retry;
pub(crate) mod wait;

use std::sync::Arc;

use tracing::debug;

use super::connection::Connection;
use super::connection::inbox::Inbox;
use super::connection::log_demand::LogDemandGuard;
use super::error::TransportError;
use super::error::reported::UpstreamError;
use super::flow::concurrency::CallPermit;
use super::flow::deadline::Activity;
use super::handle::Upstream;
use super::transport::exchange::Exchange;
use super::transport::response_head::ResponseHead;
use crate::net::ConnectTracker;
use crate::protocol::ClientProfile;
use crate::protocol::LogLevel;
use crate::protocol::reply::cancelled;
use crate::protocol::{Request, ServerRequests};
use retry::RetryState;

impl Upstream {
    /// Sends the request that `build` makes for the connection as it is, on behalf of the client
    /// of this identity, which wants its logs from `level` on. An upstream that is away is waited for, and a
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
        build: impl Fn(&Arc<Connection>, &Activity) -> Request,
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
            live.hear_first(identity).await;
            let logs = session.log(&live, level).await;
            let activity = Activity::default();
            let (tried, logs) = match live.begin(build(&live, &activity), activity).await {
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
    ) -> Result<Arc<Connection>, TransportError> {
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
    pub async fn connected(&self, method: &str) -> Result<Arc<Connection>, UpstreamError> {
        let live = self.live_for(&mut RetryState::new(self)).await;
        live.map_err(|cause| self.error(method, cause))
    }
}

impl Connection {
    /// Sends a request. One that is silent for too long before anybody can follow it is cancelled
    /// (MCP 2025-11-25 § Lifecycle, Timeouts); a modern upstream sees its stream close.
    async fn begin(
        self: &Arc<Self>,
        request: Request,
        activity: Activity,
    ) -> Result<SentRequest, TransportError> {
        let id = request.id;
        let begun = self.begin_patiently(request, activity).await;
        if matches!(&begun, Err(cause) if cause.is_timeout()) {
            let live = self.clone();
            tokio::spawn(async move {
                if let Err(error) = live.notify(cancelled(id, "no answer in time")).await {
                    debug!(%error, "could not cancel a request");
                }
            });
        }
        begun
    }

    /// While its client can be asked, the upstream may ask before it begins to
    /// answer, on another stream: then the request is under way, and whoever follows it waits on.
    async fn begin_patiently(
        self: &Arc<Self>,
        request: Request,
        activity: Activity,
    ) -> Result<SentRequest, TransportError> {
        let (id, asking) = (request.id, request.asking);
        let (live, mut caller) = (self.clone(), None);
        if asking == ServerRequests::Unsupported {
            let exchange = live.transport.send(&request, &activity).await?;
            return Ok(SentRequest {
                exchange: exchange.marking_healthy(&self.proven),
                caller,
                live,
                activity,
            });
        }
        if asking == ServerRequests::AsResult {
            caller = Some(self.callers.enter(id));
        }
        let patience = live.transport.deadlines();
        let making = ConnectTracker::new();
        let sending = {
            let activity = activity.clone();
            async move { live.transport.send(&request, &activity).await }
        };
        let mut sending = Box::pin(making.watch(sending));
        let exchange = tokio::select! {
            biased;
            sent = patience.head(&mut sending, &making, &activity) => match sent {
                Ok(sent) => sent?,
                Err(silent) => {
                    let opening = ResponseHead::new(patience, activity.clone(), sending);
                    Exchange::opening(id, opening.timed_out(silent))
                }
            },
            () = called(caller.as_mut()) => {
                activity.touch();
                Exchange::opening(id, ResponseHead::new(patience, activity.clone(), sending))
            }
        };
        Ok(SentRequest {
            exchange: exchange.marking_healthy(&self.proven),
            caller,
            live: self.clone(),
            activity,
        })
    }
}

async fn called(caller: Option<&mut Inbox>) {
    match caller {
        Some(caller) => caller.called().await,
        None => std::future::pending().await,
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

/// A request that was sent.
#[derive(Debug)]
pub struct SentRequest {
    /// What comes back.
    pub exchange: Exchange,
    /// By which the client is asked what the upstream asks on other streams.
    pub caller: Option<Inbox>,
    /// The connection that it went out on.
    pub live: Arc<Connection>,
    /// Its signs of life.
    pub activity: Activity,
}
