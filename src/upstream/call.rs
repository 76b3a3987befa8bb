//! Sending a request to an upstream, whatever state its connection is in.

mod turn;

use std::sync::Arc;

use tokio::time::timeout;

use super::callers::Caller;
use super::error::{TransportError, UpstreamError};
use super::exchange::Exchange;
use super::handle::Upstream;
use super::identity::Identity;
use super::live::Live;
use super::logs::Wanted;
use super::opening::Opening;
use super::request::{Asking, Request};
use crate::wire::Level;
pub(super) use turn::Turn;

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
        identity: &Arc<Identity>,
        level: Option<Level>,
        build: impl Fn(&Arc<Live>) -> Request,
    ) -> Result<Call, UpstreamError> {
        let mut side;
        let (mut session, mut turn) = (self, Turn::new(self));
        loop {
            let live = match session.live_for(&mut turn).await {
                Err(cause) if cause.is_login_under_way() => {
                    match Box::pin(turn.wait_for_login(self, cause)).await {
                        Ok(()) => continue,
                        Err(cause) => return Err(self.error(method, cause)),
                    }
                }
                Err(cause) => return Err(self.error(method, cause)),
                Ok(live) => live,
            };
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
            let sent = live.begin(build(&live)).await;
            let sent = match sent {
                Ok(call) if call.exchange.hint().is_none() => return Ok(Call { logs, ..call }),
                sent => sent,
            };
            drop(logs);
            // Boxed: it is large, and hardly ever needed.
            if let Some(sent) = Box::pin(turn.take_refusal(session, live, sent)).await {
                return sent.map_err(|cause| self.error(method, cause));
            }
        }
    }

    fn will_serve(&self, identity: &Identity) -> bool {
        self.shared.identity.borrow().shares_session(identity)
    }

    /// The connection; waits for it as a call does.
    ///
    /// # Errors
    /// [`UpstreamError`], when there is none in time.
    pub async fn connected(&self, method: &str) -> Result<Arc<Live>, UpstreamError> {
        let live = self.live_for(&mut Turn::new(self)).await;
        live.map_err(|cause| self.error(method, cause))
    }
}

impl Live {
    /// Sends a request. While its client can be asked, the upstream may ask before it begins to
    /// answer, on another stream: then the request is under way, and whoever follows it waits on.
    async fn begin(self: &Arc<Self>, request: Request) -> Result<Call, TransportError> {
        let (id, asking) = (request.id, request.asking);
        let (live, mut caller) = (self.clone(), None);
        if asking == Asking::Never {
            let exchange = live.transport.send(&request).await?;
            return Ok(Call {
                exchange: exchange.proving(&self.proven),
                caller,
                live,
                logs: None,
            });
        }
        if asking == Asking::ByAnswer {
            caller = Some(self.callers.enter(id));
        }
        let idle = live.transport.idle();
        let mut sending = Box::pin(async move { live.transport.send(&request).await });
        let exchange = tokio::select! {
            biased;
            sent = timeout(idle, &mut sending) => match sent {
                Ok(sent) => sent?,
                Err(_) => Exchange::opening(id, Opening::new(idle, sending).overdue()),
            },
            () = called(caller.as_mut()) => Exchange::opening(id, Opening::new(idle, sending)),
        };
        Ok(Call {
            exchange: exchange.proving(&self.proven),
            caller,
            live: self.clone(),
            logs: None,
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
}
