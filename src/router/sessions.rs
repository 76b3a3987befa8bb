//! The open sessions of one gateway, and the delivery of messages that are for several clients.
//!
//! - A single client has backpressure: a delivery waits until the client reads.
//! - With several clients, a slow client must not delay another. Each client has a queue with a limit. When the
//!   queue is full, further deliveries are dropped and counted. The first drop is logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use futures_util::poll;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::client::ClientSession;
use super::client::number::SessionNumber;
use super::client::outbox::Outbox;
use super::context::Context;
use super::context::gateway::Gateway;
use crate::sync::Mutex;

/// The most deliveries that wait for one of several clients.
const MAX_QUEUED: usize = 256;

/// Work for one client. It may wait until the client reads.
pub(crate) type Delivery = BoxFuture<'static, ()>;

/// The session of a client, and its queue of deliveries.
#[derive(Debug)]
pub(crate) struct OpenSession {
    pub(crate) session: Arc<ClientSession>,
    deliveries: mpsc::Sender<Delivery>,
    /// The number of deliveries that are queued or running.
    queued: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

impl OpenSession {
    /// The context of this client.
    pub(crate) fn context(&self, gateway: &Arc<Gateway>) -> Context {
        Context {
            gateway: gateway.clone(),
            session: self.session.clone(),
        }
    }

    /// Runs a delivery after all earlier ones. Waits for the client only if it is the single client. Returns
    /// `false` if the delivery was dropped.
    pub(crate) async fn deliver(&self, gateway: &Gateway, mut delivery: Delivery) -> bool {
        if !gateway.is_shared() {
            tokio::select! {
                biased;
                () = &mut delivery => return true,
                // A second client has connected, and must not wait for this one.
                () = gateway.wait_until_shared() => {}
            }
        }
        if self.queued.load(Ordering::Relaxed) == 0 && poll!(&mut delivery).is_ready() {
            return true;
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        if self.deliveries.try_send(delivery).is_ok() {
            return true;
        }
        self.queued.fetch_sub(1, Ordering::Relaxed);
        if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            let client = self.session.number.0;
            warn!(client, "the client does not read; dropping notifications");
        }
        false
    }
}

/// Runs the queued deliveries of one client in order.
async fn run_deliveries(
    mut deliveries: mpsc::Receiver<Delivery>,
    queued: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
) {
    while let Some(delivery) = deliveries.recv().await {
        delivery.await;
        if queued.fetch_sub(1, Ordering::Relaxed) == 1 {
            let dropped = dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                info!(dropped, "the client reads again");
            }
        }
    }
}

/// All open sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sessions: Mutex<Arc<[Arc<OpenSession>]>>,
    /// The number of sessions opened so far.
    opened: AtomicU64,
}

impl Sessions {
    /// Opens the session of a client. Lines for the client go to `outbox`.
    pub(crate) fn open(&self, gateway: &Arc<Gateway>, outbox: Outbox) -> Arc<ClientSession> {
        let number = SessionNumber(self.opened.fetch_add(1, Ordering::Relaxed));
        if !number.is_first() {
            gateway.mark_shared();
        }
        let cancel = gateway.cancel.child_token();
        let session = ClientSession::new(number, outbox, &gateway.limits, cancel.clone());
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        let open = OpenSession {
            session: Arc::new(session),
            deliveries: sender,
            queued: Arc::default(),
            dropped: Arc::default(),
        };
        let running = run_deliveries(receiver, open.queued.clone(), open.dropped.clone());
        gateway.tasks.spawn(async move {
            cancel.run_until_cancelled(running).await;
        });
        let session = open.session.clone();
        let mut all = self.sessions.lock();
        *all = all.iter().cloned().chain([Arc::new(open)]).collect();
        session
    }

    /// Removes a client's session. The client receives no more deliveries.
    pub(crate) fn remove(&self, session: &Arc<ClientSession>) {
        let mut all = self.sessions.lock();
        let others = all.iter().filter(|it| !Arc::ptr_eq(&it.session, session));
        *all = others.cloned().collect();
    }

    /// All open sessions, oldest first.
    pub(crate) fn all(&self) -> Arc<[Arc<OpenSession>]> {
        self.sessions.lock().clone()
    }

    /// Runs a delivery for each client.
    pub(crate) async fn deliver_to_all(
        &self,
        gateway: &Arc<Gateway>,
        delivery: impl Fn(Context) -> Delivery,
    ) {
        for open in self.all().iter() {
            let delivery = delivery(open.context(gateway));
            open.deliver(gateway, delivery).await;
        }
    }
}
