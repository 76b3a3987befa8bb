//! Looking after a connection of which there is doubt: whether its server still knows it, and whether it is
//! still the server that was shaken hands with. Neither look has an effect.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::{debug, info};

use super::handle::State;
use super::supervisor::SessionSupervisor;
use crate::config::TransportChoice;
use crate::protocol::Era;
use crate::upstream::connection::Connection;
use crate::upstream::error::TransportError;
use crate::upstream::transport::Transport;
use crate::upstream::transport::http_sse::stream::STREAM_PING_TIMEOUT;
use crate::upstream::transport::refusal_hint::RefusalHint;
use crate::wire::Message;

/// How long a server may take to answer a `ping`, other than on the stream of HTTP+SSE.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call waits to hear what its server is: the three requests that it takes to find out.
const VERDICT_TIMEOUT: Duration = Duration::from_secs(30);

/// How soon a server that proved to be the same is asked again what it is, should it give another
/// suspicious answer: some refuse every call so.
const SAME_FOR: Duration = Duration::from_secs(60);

/// What the task of a connection is asked to look at.
#[derive(Debug, Default)]
pub(crate) struct HealthChecks {
    ping: Notify,
    era: Notify,
    /// How often it was found that the server is still the same.
    judged: watch::Sender<u64>,
    /// When that was last. std's Mutex: held for a copy, never across an await.
    same: Mutex<Option<Instant>>,
}

impl HealthChecks {
    /// Has the task find out whether the server still knows the connection.
    pub(crate) fn ping(&self) {
        self.ping.notify_one();
    }

    /// Has the task find out whether the server is still of its era.
    pub(crate) fn doubt(&self) {
        self.era.notify_one();
    }

    /// The same, and waits for the verdict, no longer than `patience`. `state` is the connection's, `generation` the one in doubt.
    pub(crate) async fn is_other(
        &self,
        state: &watch::Sender<State>,
        generation: u64,
        patience: Duration,
    ) -> bool {
        let (mut state, mut judged) = (state.subscribe(), self.judged.subscribe());
        self.doubt();
        let is_gone = |state: &State| match state {
            State::Ready(live) => live.generation != generation,
            _ => true,
        };
        let verdict = async {
            tokio::select! {
                biased;
                _ = state.wait_for(is_gone) => true,
                _ = judged.changed() => false,
            }
        };
        timeout(patience.min(VERDICT_TIMEOUT), verdict)
            .await
            .unwrap_or(false)
    }

    fn was_same(&self) -> bool {
        let same = *self.same.lock().unwrap_or_else(PoisonError::into_inner);
        same.is_some_and(|same| same.elapsed() < SAME_FOR)
    }

    fn is_same(&self) {
        let now = Some(Instant::now());
        *self.same.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl SessionSupervisor {
    /// Sends a `ping` when the process has woken up or a call was cut off; returns when the connection
    /// is gone. In the modern era every request stands for itself.
    pub(crate) async fn keep_checked(&self, live: &Connection) -> TransportError {
        let mut woken = self.shared.clients.resumed();
        loop {
            let times = *woken.borrow_and_update();
            let has_slept = !live.is_verified_since(times);
            if !has_slept {
                tokio::select! {
                    () = self.shared.checks.ping.notified() => {}
                    _ = woken.changed() => continue,
                }
            }
            // An answer cannot be read while the client reads nothing.
            self.shared.read_gate.ready(None).await;
            if let Err(gone) = look_after(live, has_slept).await
                && self.shared.read_gate.is_open(None)
            {
                return gone;
            }
            live.mark_verified(times);
            // Somebody may wait for that.
            self.shared.state.send_modify(|_| {});
        }
    }

    /// Has it found out what the server is, should this failure of our own request make one doubt: an error
    /// where none was due, or a refusal that reads like another server's.
    pub(crate) fn doubt(&self, failure: &TransportError) {
        let is_answer = matches!(failure, TransportError::Handshake(_));
        if is_answer || RefusalHint::of(failure) == Some(RefusalHint::OtherEra) {
            self.shared.checks.doubt();
        }
    }

    /// Finds out what the server is when its answers make one doubt; returns when it is another.
    pub(crate) async fn keep_era(&self, live: &Connection) -> TransportError {
        let checks = &self.shared.checks;
        loop {
            checks.era.notified().await;
            if !checks.was_same() {
                // Boxed: it is large, and hardly ever needed.
                if Box::pin(self.is_other(live)).await {
                    info!("another server answers at its url; connecting anew");
                    return TransportError::SessionExpired;
                }
                debug!("the server is still of its era");
                checks.is_same();
            }
            checks.judged.send_modify(|times| *times += 1);
        }
    }

    /// Whether the server is another than it was. One that cannot be asked is not.
    async fn is_other(&self, live: &Connection) -> bool {
        if self.shared.config.transport != TransportChoice::Sse
            && let Ok(is_modern) = self.is_modern(live).await
            && is_modern != (live.profile.era == Era::Modern)
        {
            return true;
        }
        if live.profile.era == Era::Modern {
            return false;
        }
        match ping(live).await {
            Err(TransportError::SessionExpired) => true,
            Err(error) => RefusalHint::of(&error) == Some(RefusalHint::OtherEra),
            Ok(_) => false,
        }
    }
}

/// Finds out whether the server still knows the connection; an error when it is gone.
async fn look_after(live: &Connection, has_slept: bool) -> Result<(), TransportError> {
    let is_stream = match &live.transport {
        Transport::StreamableHttp(_) => return Ok(()),
        // A new stream is there sooner than it is known of the old one that it is dead, and nobody
        // waits for anything on that.
        Transport::HttpSse(stream) if has_slept && stream.is_idle() => {
            debug!("its stream may have died in sleep; connecting anew");
            return Err(TransportError::SessionExpired);
        }
        transport => matches!(transport, Transport::HttpSse(_)),
    };
    match ping(live).await {
        Err(gone @ (TransportError::SessionExpired | TransportError::Connect(_))) => Err(gone),
        Err(silent) if is_stream => Err(silent),
        Err(error) => {
            debug!(%error, "no answer to a ping");
            Ok(())
        }
        Ok(_) => {
            debug!("the session is alive");
            Ok(())
        }
    }
}

async fn ping(live: &Connection) -> Result<Message, TransportError> {
    let patience = match live.transport {
        Transport::HttpSse(_) => STREAM_PING_TIMEOUT,
        _ => PING_TIMEOUT,
    };
    let answer = timeout(patience, live.request("ping", json!({}))).await;
    answer.unwrap_or(Err(TransportError::Silent(patience)))
}
