//! Whether the connection for a request is still being made: until it is, nothing was sent, and the
//! time that its server has for an answer has not begun.
//!
//! An error of `reqwest` says at the end that no connection was made (`is_connect`), and not before. It also
//! hands no extension of a request on to `hyper`, which could tell. What is left is a layer around its
//! connector, the only reason for the two `tower` crates.

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
    /// The tracker of the request whose future is being polled, in which its connection is begun.
    static TRACKER: Arc<ConnectTracker>;
}

/// It took longer than it may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimedOut;

/// The connections that are made for one request; none, when one was there.
#[derive(Debug)]
pub(crate) struct ConnectTracker {
    /// Of what this request is a part of.
    parent: Option<Arc<ConnectTracker>>,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    connecting: usize,
    /// When the last one ended.
    ended: Option<Instant>,
}

impl ConnectTracker {
    /// None yet. Within [`Self::track`] of another, the other notes them as well.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            parent: TRACKER.try_with(Arc::clone).ok(),
            state: Mutex::default(),
            ended: Notify::new(),
        })
    }

    /// Does `work` within `limit`; connections are not made at the expense of that.
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

    /// What `work` comes to by then, or as long after it as a connection is being made for it; `None`
    /// when it comes to nothing.
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

    /// Does `work`, and notes the connections that are made for it.
    pub(crate) fn track<F: Future>(
        self: &Arc<Self>,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        TRACKER.scope(self.clone(), work)
    }

    /// When the last connection was made, or given up; none while one is being made.
    pub(crate) fn last_ended(&self) -> Option<Instant> {
        let state = self.state.lock();
        state.ended.filter(|_| state.connecting == 0)
    }

    /// Waits until no connection is being made; returns at once when none is.
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

/// One connection that is being made.
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

/// Adds each connection to the tracker of the request that it is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrackConnects;

impl<S> Layer<S> for TrackConnects {
    type Service = TrackedConnector<S>;

    fn layer(&self, inner: S) -> TrackedConnector<S> {
        TrackedConnector(Arc::new(inner))
    }
}

/// Makes connections, and tracks them. Shared by its clones: each request makes several of them, few of
/// which make a connection.
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
        // The clone that is called is waited for there.
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
