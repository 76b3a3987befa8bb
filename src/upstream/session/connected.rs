//! Keeping a connection that was made, with its listing, until it is lost.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, warn};

use super::backoff::Backoff;
use super::handle::State;
use super::supervisor::SessionSupervisor;
use crate::protocol::ClientProfile;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::transport::http_sse::stream::HttpSseStream;

/// How an attempt ended, or the connection that it made.
pub(crate) struct Disconnect {
    pub(crate) cause: TransportError,
    /// Whether it was listed. One that fails at that was never up.
    pub(crate) was_up: bool,
    /// Whether it has proved that the server can be used.
    pub(crate) has_held: bool,
}

impl Disconnect {
    pub(crate) fn never_up(cause: TransportError) -> Self {
        Self {
            cause,
            was_up: false,
            has_held: false,
        }
    }

    pub(crate) fn is_expired(&self) -> bool {
        matches!(self.cause, TransportError::SessionExpired)
    }
}

impl SessionSupervisor {
    /// Waits until the client declares something else, and closes the session that was for the other.
    async fn superseded(&self, live: &Connection) {
        let mut identity = self.shared.identity.subscribe();
        let is_other = |identity: &Arc<ClientProfile>| !live.identity.shares_session(identity);
        // Fails never: the sender lives as long as we do.
        let waited = identity.wait_for(is_other).await.map(drop);
        if waited.is_ok() {
            live.transport.close().await;
        }
    }

    /// Keeps a connection until it is lost, and says why; `None` when it was cancelled.
    pub(crate) async fn keep(
        &self,
        live: &Arc<Connection>,
        stream: Option<HttpSseStream>,
        cancel: &CancellationToken,
    ) -> Option<Disconnect> {
        // One that fails at its listing was never up, and is not tried without a pause.
        let listed = self.shared.offers.times_listed();
        self.shared.subscriptions.begin(live.generation);
        self.shared.offers.set_profile(&live.profile);
        self.publish(State::Ready(live.clone()));
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            cause = self.keep_level(live) => Some(cause),
            Err(cause) = self.keep_listed(live) => Some(cause),
            cause = self.listen(live, stream) => Some(cause),
            cause = self.keep_subscribed(live) => Some(cause),
            cause = self.compare(live) => Some(cause),
            cause = self.keep_checked(live) => Some(cause),
            cause = self.keep_era(live) => Some(cause),
            cause = self.lost(live) => Some(cause),
            () = self.superseded(live) => Some(TransportError::SessionExpired),
        };
        self.shared.subscriptions.begin(0);
        self.events.ended(&live.in_use());
        let Some(cause) = ended else {
            live.transport.close().await;
            return None;
        };
        Some(Disconnect {
            cause,
            was_up: self.shared.offers.times_listed() > listed,
            has_held: live.is_stable(),
        })
    }

    /// Waits until a call finds that the connection is gone, and says why.
    async fn lost(&self, live: &Connection) -> TransportError {
        let mut lost = self.shared.lost.subscribe();
        let is_this = lost.wait_for(|lost| lost.generation == live.generation);
        match is_this.await {
            Ok(lost) => lost.cause.clone(),
            // Never: the sender lives as long as we do.
            Err(_) => TransportError::ShuttingDown,
        }
    }

    /// Ends the session of a connection that is no more, beside everything else, once no call is under way
    /// in it.
    pub(crate) fn let_go(&self, old: Option<Arc<Connection>>, cancel: &CancellationToken) {
        let Some(old) = old else { return };
        let cancel = cancel.clone();
        let close = async move {
            cancel.run_until_cancelled(old.wait_until_unused()).await;
            old.transport.close().await;
        };
        self.tasks.spawn(close.in_current_span());
    }

    /// Reads the listing now and whenever it is asked for. A side session needs none.
    async fn keep_listed(&self, live: &Connection) -> Result<Infallible, TransportError> {
        if self.shared.is_side {
            debug!(version = live.profile.version, "connected");
            self.shared.offers.count_listing();
            return std::future::pending().await;
        }
        let tools = self.shared.offers.refresh_tools(live).await?;
        info!(
            era = live.profile.era.as_str(),
            version = live.profile.version,
            tools,
            "connected"
        );
        let mut backoff = Backoff::default();
        loop {
            if backoff.failures == 0 {
                self.shared.relist.notified().await;
            }
            match self.shared.offers.refresh_tools(live).await {
                Ok(tools) => {
                    debug!(tools, "listed again");
                    backoff = Backoff::default();
                }
                Err(error @ TransportError::SessionExpired) => return Err(error),
                Err(error) => {
                    self.doubt(&error);
                    let delay = backoff.next(&error);
                    match backoff.failures {
                        1 => warn!(%error, retry_in = ?delay, "listing failed; the last one stays"),
                        _ => debug!(%error, retry_in = ?delay, "listing failed again"),
                    }
                    tokio::select! {
                        () = self.shared.relist.notified() => {}
                        () = sleep(delay) => {}
                    }
                }
            }
        }
    }
}
