//! Tracks whether the connection for a request is still being established. Until then nothing was
//! sent, and the timeout of the response has not begun.
//!
//! `reqwest` reports a failed connect only at the end (`is_connect`), and does not pass a request's
//! extensions on to `hyper`. The remaining way is a layer around its connector, the only reason for
//! the two `tower` crates.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tower_layer::Layer;
use tower_service::Service;

use crate::sync::Mutex;

tokio::task_local! {
    /// The tracker of the request whose future is being polled. The connect starts within that future.
    static TRACKER: Arc<ConnectTracker>;
}

/// The time limit was exceeded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimedOut;

/// The connections being established for one request; none if it uses an open one.
#[derive(Debug)]
pub(crate) struct ConnectTracker {
    /// The tracker of the operation that this request is part of.
    parent: Option<Arc<ConnectTracker>>,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    connecting: usize,
    /// When the last connect succeeded or failed.
    ended: Option<Instant>,
}

impl ConnectTracker {
    /// A tracker without connections. Created within [`Self::track`] of another tracker, it also reports to that one.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            parent: TRACKER.try_with(Arc::clone).ok(),
            state: Mutex::default(),
            ended: Notify::new(),
        })
    }

    /// Runs `work` with a time limit that excludes the time of connects.
    pub(crate) async fn run_with_timeout<T>(
        limit: Duration,
        work: Pin<Box<impl Future<Output = T>>>,
    ) -> Result<T, TimedOut> {
        let tracker = Self::new();
        let mut work = std::pin::pin!(tracker.track(work));
        let mut deadline = Instant::now() + limit;
        loop {
            if let Some(done) = tracker.run_until(deadline, &mut work).await {
                return Ok(done);
            }
            let ended = tracker.last_ended().map(|ended| ended + limit);
            deadline = ended.filter(|ended| *ended > deadline).ok_or(TimedOut)?;
        }
    }

    /// Polls `work` until `deadline`, and beyond it while a connection is being established. Returns
    /// `None` if `work` has not finished then.
    pub(crate) async fn run_until<F: Future + Unpin>(
        &self,
        deadline: Instant,
        work: &mut F,
    ) -> Option<F::Output> {
        if let Ok(done) = timeout_at(deadline, &mut *work).await {
            return Some(done);
        }
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.wait_until_idle() => None,
        }
    }

    /// Runs `work` and tracks the connections that are established for it.
    pub(crate) fn track<F: Future>(
        self: &Arc<Self>,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        TRACKER.scope(self.clone(), work)
    }

    /// When the last connect succeeded or failed; `None` while one is in progress.
    pub(crate) fn last_ended(&self) -> Option<Instant> {
        let state = self.state.lock();
        state.ended.filter(|_| state.connecting == 0)
    }

    /// Waits until no connection is being established.
    async fn wait_until_idle(&self) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.state.lock().connecting == 0 {
                return;
            }
            ended.await;
        }
    }

    fn begin(&self) {
        self.state.lock().connecting += 1;
        if let Some(parent) = &self.parent {
            parent.begin();
        }
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.connecting -= 1;
        state.ended = Some(Instant::now());
        drop(state);
        self.ended.notify_waiters();
        if let Some(parent) = &self.parent {
            parent.end();
        }
    }
}

/// A guard for one connection that is being established.
#[derive(Debug)]
struct Connecting(Arc<ConnectTracker>);

impl Connecting {
    fn new() -> Option<Self> {
        let tracker = TRACKER.try_with(Arc::clone).ok()?;
        tracker.begin();
        Some(Self(tracker))
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A layer that reports each connect to the tracker of its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrackConnects;

impl<S> Layer<S> for TrackConnects {
    type Service = TrackedConnector<S>;

    fn layer(&self, inner: S) -> TrackedConnector<S> {
        TrackedConnector(Arc::new(inner))
    }
}

/// A connector that tracks its connects. The inner connector is shared, since each request clones
/// this several times and few clones connect.
#[derive(Debug)]
pub(super) struct TrackedConnector<S>(Arc<S>);

impl<S> Clone for TrackedConnector<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, Target> Service<Target> for TrackedConnector<S>
where
    S: Service<Target> + Clone + Send + Sync + 'static,
    S::Future: Send,
    Target: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // `call` waits for the clone that it uses.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let (connecting, mut service) = (Connecting::new(), S::clone(&self.0));
        Box::pin(async move {
            let _connecting = connecting;
            poll_fn(|context| service.poll_ready(context)).await?;
            service.call(target).await
        })
    }
}
