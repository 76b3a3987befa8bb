//! How much a legacy upstream is to log: as much as the client's session wants, or any of the requests
//! of modern clients that are under way, whichever is more. It is told by the connection's task
//! alone, so that no two levels overtake each other; who needs one waits until it was told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::Connection;
use crate::protocol::{Era, LogLevel};
use crate::upstream::handle::Upstream;

/// How long an upstream may take to answer `logging/setLevel`: longer, and who waits goes on.
pub(crate) const LEVEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The level of the client's session, for all sessions with one upstream.
#[derive(Debug, Default)]
pub(crate) struct LogDemand(watch::Sender<RequestedLevel>);

/// What the client's session wishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequestedLevel {
    /// Counts the times that it was set.
    revision: u64,
    level: Option<LogLevel>,
}

impl LogDemand {
    fn set(&self, level: Option<LogLevel>) {
        self.0.send_modify(|wish| {
            wish.revision += 1;
            wish.level = level;
        });
    }

    pub(crate) fn get(&self) -> RequestedLevel {
        *self.0.borrow()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<RequestedLevel> {
        self.0.subscribe()
    }
}

/// What one connection is to log, and what its upstream knows of it.
#[derive(Debug, Default)]
pub struct ConnectionLogs {
    /// How many requests under way want each level.
    wanted: watch::Sender<[usize; LogLevel::ALL.len()]>,
    told: watch::Sender<Option<AppliedLevel>>,
}

/// What an upstream was told last, whatever it answered, and upon which wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppliedLevel {
    revision: u64,
    pub(crate) level: LogLevel,
}

impl ConnectionLogs {
    /// The most verbose level that a request under way wants.
    #[must_use]
    pub fn wanted(&self) -> Option<LogLevel> {
        let wanted = self.wanted.borrow();
        let wants = |level: &LogLevel| wanted[*level as usize] > 0;
        LogLevel::ALL.into_iter().find(wants)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<[usize; LogLevel::ALL.len()]> {
        self.wanted.subscribe()
    }

    /// What the upstream must be told now. A level that requests have raised stays raised until the
    /// session sets its own again: others may follow, and what nobody wants is not passed on.
    pub(crate) fn due(&self, wish: RequestedLevel) -> Option<AppliedLevel> {
        let level = [wish.level, self.wanted()].into_iter().flatten().min()?;
        let revision = wish.revision;
        (!self.is_told(level, wish)).then_some(AppliedLevel { revision, level })
    }

    /// The upstream has answered.
    pub(crate) fn tell(&self, told: AppliedLevel) {
        self.told.send_replace(Some(told));
    }

    fn is_told(&self, level: LogLevel, wish: RequestedLevel) -> bool {
        let told = *self.told.borrow();
        told.is_some_and(|told| told.revision == wish.revision && told.level <= level)
    }
}

/// That the logs of a request are wanted, until it is dropped.
#[derive(Debug)]
pub struct LogDemandGuard {
    live: Arc<Connection>,
    level: LogLevel,
}

impl LogDemandGuard {
    fn new(live: &Arc<Connection>, level: LogLevel) -> Self {
        let live = live.clone();
        live.logs
            .wanted
            .send_modify(|wanted| wanted[level as usize] += 1);
        Self { live, level }
    }
}

impl Drop for LogDemandGuard {
    fn drop(&mut self) {
        // Nobody has to be told: a level stays raised.
        self.live.logs.wanted.send_if_modified(|wanted| {
            wanted[self.level as usize] -= 1;
            false
        });
    }
}

impl Connection {
    /// Whether it can be told how much to log.
    pub(crate) fn takes_levels(&self) -> bool {
        self.profile.era == Era::Legacy && self.profile.capabilities.get("logging").is_some()
    }
}

impl Upstream {
    /// The client's session wants logs from this level on; `None` when it does not say.
    pub fn set_level(&self, level: Option<LogLevel>) {
        self.shared.level.set(level);
    }

    /// Waits until all sessions that are connected were told the session's level, or a while has passed.
    pub async fn level_applied(&self) {
        let sessions = self.sessions().into_iter();
        let told = sessions.filter_map(|session| {
            let live = session.ready()?;
            Some(async move { session.told(&live, None).await })
        });
        futures_util::future::join_all(told).await;
    }

    /// Enters that a request about to be sent wants logs from `level` on, and waits until the upstream
    /// was told. A modern upstream reads it in the request.
    pub async fn log(
        &self,
        live: &Arc<Connection>,
        level: Option<LogLevel>,
    ) -> Option<LogDemandGuard> {
        if live.profile.era == Era::Modern {
            return None;
        }
        let wanted = level.map(|level| LogDemandGuard::new(live, level));
        self.told(live, level).await;
        wanted
    }

    async fn told(&self, live: &Connection, level: Option<LogLevel>) {
        if !live.takes_levels() {
            return;
        }
        let is_told = || {
            let wish = self.shared.level.get();
            let level = level.into_iter().chain(wish.level).min();
            level.is_none_or(|level| live.logs.is_told(level, wish))
        };
        // Nearly always, and on the path of every call.
        if is_told() {
            return;
        }
        let mut told = live.logs.told.subscribe();
        let _ = Box::pin(timeout(LEVEL_TIMEOUT, told.wait_for(|_| is_told()))).await;
    }
}
