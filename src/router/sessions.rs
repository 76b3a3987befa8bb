//! The clients of one gateway, and the delivery to each of what is for several.
//!
//! A single client has backpressure: what sends to it waits until it reads. With several, none waits for
//! another: what a client does not take at once waits in a bounded queue of its own. When that is full, what
//! follows is dropped, counted, and logged once.

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

/// The most deliveries that wait for one client of several.
const MAX_QUEUED: usize = 256;

/// Something that is done for one client: it may wait until the client reads.
pub(crate) type Delivery = BoxFuture<'static, ()>;

/// A client that has not left.
#[derive(Debug)]
pub(crate) struct OpenSession {
    pub(crate) session: Arc<ClientSession>,
    deliveries: mpsc::Sender<Delivery>,
    /// The number of deliveries that are queued or under way.
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

    /// Makes a delivery after all earlier ones. Waits for a single client, and for none of several.
    /// Returns `false` if it was dropped.
    pub(crate) async fn deliver(&self, gateway: &Gateway, mut delivery: Delivery) -> bool {
        if !gateway.is_shared() {
            tokio::select! {
                biased;
                () = &mut delivery => return true,
                // The other client must not wait for this one.
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
            warn!(
                client,
                "a client does not read; dropping notifications for it"
            );
        }
        false
    }
}

/// Makes the queued deliveries of one client, one after the other.
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
                info!(dropped, "a client reads again");
            }
        }
    }
}

/// All clients that have not left.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sessions: Mutex<Arc<[Arc<OpenSession>]>>,
    /// The number of clients so far.
    opened: AtomicU64,
}

impl Sessions {
    /// Opens the session of a client whose lines go to `outbox`.
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

    /// Removes a client: it receives nothing any more of what is for several.
    pub(crate) fn remove(&self, session: &Arc<ClientSession>) {
        let mut all = self.sessions.lock();
        let others = all.iter().filter(|it| !Arc::ptr_eq(&it.session, session));
        *all = others.cloned().collect();
    }

    /// All clients, the one that came first before the others.
    pub(crate) fn all(&self) -> Arc<[Arc<OpenSession>]> {
        self.sessions.lock().clone()
    }

    /// Makes a delivery to each client.
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
