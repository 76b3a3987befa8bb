//! Sending a request to an upstream, whatever state its connection is in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::debug;

use super::callers::Caller;
use super::error::{TransportError, UpstreamError};
use super::exchange::Exchange;
use super::handle::{State, Upstream};
use super::identity::Identity;
use super::live::Live;
use super::logs::Wanted;
use super::opening::Opening;
use super::pulse::Pulse;
use super::request::{Asking, Request};
use super::turns::Turn;
use crate::net::Making;
use crate::oauth::SignInError;
use crate::wire::Level;

/// How long a call waits for an upstream that is not connected.
const READY_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a call waits for a person who is signing in; the login goes on after that.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How many logins one call waits for: one to be let in, and some for more scopes.
const MAX_LOGINS: u32 = 3;

impl Upstream {
    /// Sends the request that `build` makes for the connection as it is, on behalf of the client
    /// of this identity, which wants its logs from `level` on. A session that turns out
    /// to be gone is renewed, a login that a person is at is waited for, and the request, which
    /// the upstream refused, is sent once more.
    ///
    /// # Errors
    /// [`UpstreamError`]; its [`outcome`](TransportError::outcome) says whether the request may have run.
    pub async fn call(
        &self,
        method: &str,
        identity: &Arc<Identity>,
        level: Option<Level>,
        build: impl Fn(&Arc<Live>) -> Request,
    ) -> Result<Call, UpstreamError> {
        let turn = self.shared.turns.take().await;
        let turn = turn.map_err(|cause| self.error(method, cause))?;
        let mut side;
        let mut session = self;
        let (mut after, mut gone, mut logins) = (0, 0, 0);
        loop {
            let (cause, generation) = match session.live_after(after).await {
                Err(cause) => (cause, None),
                Ok(live) if !live.serves(identity) && session.will_serve(identity) => {
                    // It is about to be replaced by one that does.
                    after = live.generation;
                    continue;
                }
                Ok(live) if !session.shared.is_side && !live.serves(identity) => {
                    side = self.side_session(identity);
                    session = &side;
                    (after, gone) = (0, 0);
                    continue;
                }
                Ok(live) => {
                    live.hear_first(identity).await;
                    let logs = session.log(&live, level).await;
                    match live.begin(build(&live)).await {
                        Ok(call) => {
                            let turn = Some(turn);
                            return Ok(Call { logs, turn, ..call });
                        }
                        Err(cause) => (cause, Some(live.generation)),
                    }
                }
            };
            match (&cause, generation) {
                (TransportError::SessionExpired, Some(generation)) if gone == 0 => {
                    debug!("the session is gone; asking for a new one");
                    (after, gone) = (generation, generation);
                    session.shared.expired.send_replace(gone);
                }
                (TransportError::SignIn(error), _)
                    if error.is_under_way() && logins < MAX_LOGINS =>
                {
                    match Box::pin(self.login_over()).await {
                        Some(Ok(())) => logins += 1,
                        Some(Err(error)) => {
                            return Err(self.error(method, TransportError::SignIn(error)));
                        }
                        None => return Err(self.error(method, cause)),
                    }
                }
                _ => return Err(self.error(method, cause)),
            }
        }
    }

    fn will_serve(&self, identity: &Identity) -> bool {
        self.shared.identity.borrow().shares_session(identity)
    }

    /// Waits a while for the person who is about to sign in, and says what came of it, if anything did.
    async fn login_over(&self) -> Option<Result<(), SignInError>> {
        let authorizer = self.shared.authorizer.as_ref()?;
        timeout(LOGIN_TIMEOUT, authorizer.login_over()).await.ok()
    }

    /// The connection; waits for it as a call does.
    ///
    /// # Errors
    /// [`UpstreamError`], when there is none in time.
    pub async fn connected(&self, method: &str) -> Result<Arc<Live>, UpstreamError> {
        let live = self.live_after(0).await;
        live.map_err(|cause| self.error(method, cause))
    }

    /// The first connection after the one of this generation; waits while one is being made, and has
    /// one made if it is down.
    pub(super) async fn live_after(&self, generation: u64) -> Result<Arc<Live>, TransportError> {
        match self.ready().filter(|live| live.generation > generation) {
            Some(live) => Ok(live),
            // Boxed: it is large, and on the path of every call.
            None => Box::pin(self.wait_for_live(generation)).await,
        }
    }

    async fn wait_for_live(&self, generation: u64) -> Result<Arc<Live>, TransportError> {
        let mut state = self.shared.state.subscribe();
        let seen = match &*state.borrow() {
            State::Ready(live) if live.generation > generation => return Ok(live.clone()),
            State::Down {
                cause: TransportError::ShuttingDown,
                ..
            } => return Err(TransportError::ShuttingDown),
            State::Down { attempt, .. } => *attempt,
            _ => 0,
        };
        if seen > 0 {
            self.shared.wake.notify_one();
        }
        let ready = state.wait_for(|state| match state {
            State::Ready(live) => live.generation > generation,
            State::Down { attempt, .. } => *attempt > seen,
            State::Idle | State::Connecting { .. } => false,
        });
        match timeout(READY_TIMEOUT, ready).await {
            Err(_) => Err(TransportError::NotReady(READY_TIMEOUT)),
            Ok(Err(_)) => Err(TransportError::ShuttingDown),
            Ok(Ok(state)) => match &*state {
                State::Ready(live) => Ok(live.clone()),
                State::Down { cause, .. } => Err(cause.clone()),
                State::Idle | State::Connecting { .. } => Err(TransportError::ShuttingDown),
            },
        }
    }
}

impl Live {
    /// Sends a request. One that is silent for too long before anybody can follow it is cancelled
    /// (MCP 2025-11-25 § Lifecycle, Timeouts); a modern upstream sees its stream close.
    async fn begin(self: &Arc<Self>, request: Request) -> Result<Call, TransportError> {
        let id = request.id;
        let begun = self.begin_patiently(request).await;
        if matches!(&begun, Err(cause) if cause.is_silence()) {
            let live = self.clone();
            tokio::spawn(async move {
                let params = format!(r#"{{"requestId":{id},"reason":"no answer in time"}}"#);
                let method = "notifications/cancelled";
                let body = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
                if let Err(error) = live.notify(body.into()).await {
                    debug!(%error, "could not cancel a request");
                }
            });
        }
        begun
    }

    /// While its client can be asked, the upstream may ask before it begins to
    /// answer, on another stream: then the request is under way, and whoever follows it waits on.
    async fn begin_patiently(self: &Arc<Self>, request: Request) -> Result<Call, TransportError> {
        let (id, asking, pulse) = (request.id, request.asking, request.pulse.clone());
        let (live, mut caller) = (self.clone(), None);
        if asking == Asking::Never {
            let exchange = live.transport.send(&request).await?;
            return Ok(Call {
                exchange,
                caller,
                live,
                logs: None,
                turn: None,
                pulse,
            });
        }
        if asking == Asking::ByAnswer {
            caller = Some(self.callers.enter(id));
        }
        let patience = live.transport.patience();
        let making = Making::new();
        let sending = async move { live.transport.send(&request).await };
        let mut sending = Box::pin(making.watch(sending));
        let exchange = tokio::select! {
            biased;
            sent = patience.head(&mut sending, &making, &pulse) => match sent {
                Ok(sent) => sent?,
                Err(silent) => {
                    let opening = Opening::new(patience, pulse.clone(), sending);
                    Exchange::opening(id, opening.overdue(silent))
                }
            },
            () = called(caller.as_mut()) => {
                pulse.beat();
                Exchange::opening(id, Opening::new(patience, pulse.clone(), sending))
            }
        };
        Ok(Call {
            exchange,
            caller,
            live: self.clone(),
            logs: None,
            turn: None,
            pulse,
        })
    }
}

async fn called(caller: Option<&mut Caller>) {
    match caller {
        Some(caller) => caller.called().await,
        None => std::future::pending().await,
    }
}

/// A request that is under way.
#[derive(Debug)]
pub struct Call {
    /// What comes back.
    pub exchange: Exchange,
    /// By which the client is asked what the upstream asks on other streams.
    pub caller: Option<Caller>,
    /// The connection that it went out on.
    pub live: Arc<Live>,
    /// That its logs are wanted, where the upstream has to be told.
    pub logs: Option<Wanted>,
    /// That it runs, of the calls that may at a time.
    pub turn: Option<Turn>,
    /// Its signs of life.
    pub pulse: Pulse,
}
