//! The log level for a legacy upstream: the most verbose one that is asked for. Client sessions ask for a
//! level, and so do the requests in progress of modern clients.
//!
//! Only the session's supervisor sends the level, so that no level overtakes another. A request that needs a level
//! waits until the server has responded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::protocol::{Era, LogLevel, ServerProfile};
use crate::upstream::id::ClientId;

/// How long a request waits for the response to `logging/setLevel`. Then it is sent anyway.
pub(crate) const LEVEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The log levels that client sessions ask for, for all sessions with one upstream.
#[derive(Debug, Default)]
pub(crate) struct LogDemand(watch::Sender<ClientLevels>);

#[derive(Debug, Default)]
pub(crate) struct ClientLevels {
    /// Counts the changes.
    change_count: u64,
    levels: Vec<(ClientId, LogLevel)>,
}

/// The most verbose level of all clients, and the number of the change that set it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequestedLevel {
    change_count: u64,
    level: Option<LogLevel>,
}

impl ClientLevels {
    pub(crate) fn requested(&self) -> RequestedLevel {
        RequestedLevel {
            change_count: self.change_count,
            level: self.levels.iter().map(|(_, level)| *level).min(),
        }
    }
}

impl LogDemand {
    /// Sets the minimum level of a client's session; `None` if it sets none.
    pub(crate) fn set(&self, client: ClientId, level: Option<LogLevel>) {
        self.0.send_modify(|clients| {
            clients.change_count += 1;
            clients.levels.retain(|(other, _)| *other != client);
            clients.levels.extend(level.map(|level| (client, level)));
        });
    }

    /// Removes a client that has disconnected, and its level.
    pub(crate) fn remove(&self, client: ClientId) {
        let is_of_client = |(other, _): &(ClientId, LogLevel)| *other == client;
        if self.0.borrow().levels.iter().any(is_of_client) {
            self.set(client, None);
        }
    }

    pub(crate) fn requested(&self) -> RequestedLevel {
        self.0.borrow().requested()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<ClientLevels> {
        self.0.subscribe()
    }

    /// Raises the level for a request that is about to be sent. Waits until the server was sent that level.
    /// Does nothing for a modern server, which reads the level in the request.
    pub(crate) async fn raise(
        &self,
        logs: &Arc<ConnectionLogs>,
        level: Option<LogLevel>,
    ) -> Option<LogDemandGuard> {
        if logs.support == LevelSupport::PerRequest {
            return None;
        }
        let guard = level.map(|level| LogDemandGuard::new(logs, level));
        self.wait_until_applied(logs, level).await;
        guard
    }

    /// Waits at most [`LEVEL_TIMEOUT`] until the server was sent both `level` and the level of the client sessions.
    pub(crate) async fn wait_until_applied(&self, logs: &ConnectionLogs, level: Option<LogLevel>) {
        if !logs.is_adjustable() {
            return;
        }
        let is_applied = || {
            let requested = self.requested();
            let level = level.into_iter().chain(requested.level).min();
            level.is_none_or(|level| logs.is_applied(level, requested))
        };
        // The usual case, on the path of every call.
        if is_applied() {
            return;
        }
        let mut applied = logs.applied.subscribe();
        let _ = Box::pin(timeout(LEVEL_TIMEOUT, applied.wait_for(|_| is_applied()))).await;
    }
}

/// How a server receives the log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LevelSupport {
    /// With `logging/setLevel`.
    SetLevelRequest,
    /// In each request.
    PerRequest,
    Unsupported,
}

/// The log levels that requests on one connection ask for, and the level that its server was sent.
#[derive(Debug)]
pub struct ConnectionLogs {
    support: LevelSupport,
    /// The number of requests in progress for each level.
    demanded: watch::Sender<[usize; LogLevel::ALL.len()]>,
    applied: watch::Sender<Option<AppliedLevel>>,
}

/// The level that a server was sent last, accepted or not, and the number of the change that set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppliedLevel {
    change_count: u64,
    pub(crate) level: LogLevel,
}

impl ConnectionLogs {
    pub(crate) fn new(server: &ServerProfile) -> Self {
        let support = match (server.era, server.capabilities.get("logging")) {
            (Era::Modern, _) => LevelSupport::PerRequest,
            (Era::Legacy, Some(_)) => LevelSupport::SetLevelRequest,
            (Era::Legacy, None) => LevelSupport::Unsupported,
        };
        Self {
            support,
            demanded: watch::Sender::default(),
            applied: watch::Sender::default(),
        }
    }

    /// Returns `true` if the server can be sent a level.
    pub(crate) fn is_adjustable(&self) -> bool {
        self.support == LevelSupport::SetLevelRequest
    }

    /// Returns the most verbose level that a request in progress asks for.
    #[must_use]
    pub fn demanded(&self) -> Option<LogLevel> {
        let demanded = self.demanded.borrow();
        let is_demanded = |level: &LogLevel| demanded[*level as usize] > 0;
        LogLevel::ALL.into_iter().find(is_demanded)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<[usize; LogLevel::ALL.len()]> {
        self.demanded.subscribe()
    }

    /// Returns the level to send now, if the server does not have it.
    ///
    /// A level raised by a request stays raised until a client session sets its level again. Similar requests
    /// may follow, and the proxy filters logs that no client asks for.
    pub(crate) fn level_to_send(&self, requested: RequestedLevel) -> Option<AppliedLevel> {
        let level = [requested.level, self.demanded()]
            .into_iter()
            .flatten()
            .min()?;
        let change_count = requested.change_count;
        (!self.is_applied(level, requested)).then_some(AppliedLevel {
            change_count,
            level,
        })
    }

    /// Records that the server has responded.
    pub(crate) fn set_applied(&self, level: AppliedLevel) {
        self.applied.send_replace(Some(level));
    }

    fn is_applied(&self, level: LogLevel, requested: RequestedLevel) -> bool {
        let applied = *self.applied.borrow();
        applied.is_some_and(|applied| {
            applied.change_count == requested.change_count && applied.level <= level
        })
    }
}

/// Demands the logs of one request until it is dropped.
#[derive(Debug)]
pub struct LogDemandGuard {
    logs: Arc<ConnectionLogs>,
    level: LogLevel,
}

impl LogDemandGuard {
    fn new(logs: &Arc<ConnectionLogs>, level: LogLevel) -> Self {
        logs.demanded
            .send_modify(|demanded| demanded[level as usize] += 1);
        Self {
            logs: logs.clone(),
            level,
        }
    }
}

impl Drop for LogDemandGuard {
    fn drop(&mut self) {
        // Nothing to send: a level stays raised.
        self.logs.demanded.send_if_modified(|demanded| {
            demanded[self.level as usize] -= 1;
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;
    use crate::protocol::revision::LEGACY;

    fn logs(era: Era) -> Arc<ConnectionLogs> {
        Arc::new(ConnectionLogs::new(&ServerProfile {
            era,
            version: LEGACY[0],
            instructions: None,
            capabilities: json!({"logging": {}}),
        }))
    }

    /// Returns the level that is sent to the server now, and records its response.
    fn send(demand: &LogDemand, logs: &ConnectionLogs) -> Option<LogLevel> {
        let level = logs.level_to_send(demand.requested())?;
        logs.set_applied(level);
        Some(level.level)
    }

    #[test]
    fn the_most_verbose_connected_client_sets_the_level() {
        let (demand, logs) = (LogDemand::default(), logs(Era::Legacy));
        let [a, b] = [ClientId::next(), ClientId::next()];
        assert_eq!(send(&demand, &logs), None);
        demand.set(a, Some(LogLevel::Error));
        assert_eq!(send(&demand, &logs), Some(LogLevel::Error));
        demand.set(b, Some(LogLevel::Info));
        assert_eq!(send(&demand, &logs), Some(LogLevel::Info));
        demand.set(a, Some(LogLevel::Warning));
        assert_eq!(send(&demand, &logs), Some(LogLevel::Info));
        demand.remove(b);
        assert_eq!(send(&demand, &logs), Some(LogLevel::Warning));
        demand.remove(b);
        assert_eq!(send(&demand, &logs), None);
        demand.set(a, None);
        assert_eq!(send(&demand, &logs), None);
    }

    #[tokio::test]
    async fn a_request_raises_the_level_until_a_session_sets_its_own() {
        let (demand, logs) = (LogDemand::default(), logs(Era::Legacy));
        let client = ClientId::next();
        demand.set(client, Some(LogLevel::Error));
        assert_eq!(send(&demand, &logs), Some(LogLevel::Error));
        let mut raised = Box::pin(demand.raise(&logs, Some(LogLevel::Debug)));
        assert!((&mut raised).now_or_never().is_none());
        assert_eq!(send(&demand, &logs), Some(LogLevel::Debug));
        drop(raised.now_or_never().flatten());
        assert_eq!(logs.demanded(), None);
        assert_eq!(send(&demand, &logs), None);
        demand.set(client, Some(LogLevel::Error));
        assert_eq!(send(&demand, &logs), Some(LogLevel::Error));
    }

    #[test]
    fn a_modern_server_is_sent_no_level() {
        let (demand, logs) = (LogDemand::default(), logs(Era::Modern));
        let raised = demand.raise(&logs, Some(LogLevel::Debug)).now_or_never();
        assert!(raised.is_some_and(|guard| guard.is_none()));
        assert!(!logs.is_adjustable());
    }
}
