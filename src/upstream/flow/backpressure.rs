//! Backpressure on one upstream: stops reading its responses while clients have too much unread data.

use std::sync::{Arc, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::send_buffer::{SendBudget, SendBuffer};
use crate::sync::Mutex;

/// The size in bytes from which a message needs a permit for large messages.
pub(crate) const LARGE_MESSAGE_BYTES: usize = 256 << 10;

/// The number of large messages that are read from one upstream at a time for one client. Each is in memory as
/// far as it has arrived, and more of them at once would not arrive sooner.
const MAX_LARGE_MESSAGES: usize = 8;

/// The reader of a response. While it has too much unread data, the response is not read further.
#[derive(Debug, Clone)]
pub(crate) enum Reader {
    /// The proxy itself: it always reads.
    Proxy,
    /// One client.
    Client(Arc<SendBuffer>),
    /// The client of a stream that carries all messages for one client.
    Stream(Arc<StreamClient>),
    /// All clients, for messages that belong to no request.
    AllClients,
}

impl Reader {
    /// Returns the reader of a response: the client with this send buffer, or the proxy.
    pub(crate) fn for_request(send_buffer: Option<&Arc<SendBuffer>>) -> Self {
        send_buffer.map_or(Self::Proxy, |client| Self::Client(client.clone()))
    }
}

/// The client that reads one stream: the one that last sent a request on its connection.
#[derive(Debug, Default)]
pub(crate) struct StreamClient(Mutex<Weak<SendBuffer>>);

impl StreamClient {
    /// Assigns the stream to the client with this send buffer.
    pub(crate) fn bind(&self, send_buffer: &Arc<SendBuffer>) {
        *self.0.lock() = Arc::downgrade(send_buffer);
    }

    /// Returns the client's send buffer; `None` before the first request and after the client has disconnected.
    fn send_buffer(&self) -> Option<Arc<SendBuffer>> {
        self.0.lock().upgrade()
    }
}

/// The gate through which one upstream's responses are read.
#[derive(Debug)]
pub(crate) struct ReadGate {
    budget: Arc<SendBudget>,
    /// The permits for large messages to no particular client.
    large_permits: Arc<Semaphore>,
    /// The permits of each client, so that a slow client does not delay the others.
    client_permits: Mutex<Vec<(Weak<SendBuffer>, Arc<Semaphore>)>>,
}

impl ReadGate {
    pub(crate) fn new(budget: Arc<SendBudget>) -> Self {
        Self {
            budget,
            large_permits: Arc::new(Semaphore::new(MAX_LARGE_MESSAGES)),
            client_permits: Mutex::default(),
        }
    }

    /// Returns `true` if more may be read now.
    pub(crate) fn is_open(&self, reader: &Reader) -> bool {
        match reader {
            Reader::Proxy => true,
            Reader::Client(client) => client.is_open(),
            Reader::Stream(stream) => stream.send_buffer().is_none_or(|client| client.is_open()),
            Reader::AllClients => self.budget.is_open(),
        }
    }

    /// Waits until more may be read. Returns `true` if the gate was closed.
    pub(crate) async fn wait_until_open(&self, reader: &Reader) -> bool {
        // The usual case, on the path of every response.
        if self.is_open(reader) {
            return false;
        }
        Box::pin(self.wait_until_drained(reader)).await;
        true
    }

    async fn wait_until_drained(&self, reader: &Reader) {
        loop {
            let drained = self.budget.drained();
            if self.is_open(reader) {
                return;
            }
            drained.await;
        }
    }

    /// Waits for the permit to read one more large message.
    pub(crate) async fn acquire_large_permit(&self, reader: &Reader) -> LargeBodyPermit {
        let permits = match reader {
            Reader::Client(client) => self.permits_for(client),
            Reader::Proxy | Reader::Stream(_) | Reader::AllClients => self.large_permits.clone(),
        };
        // Never fails: the semaphore is not closed.
        LargeBodyPermit(permits.acquire_owned().await.ok())
    }

    fn permits_for(&self, client: &Arc<SendBuffer>) -> Arc<Semaphore> {
        let mut all = self.client_permits.lock();
        let is_own = |buffer: &Weak<SendBuffer>| std::ptr::eq(buffer.as_ptr(), Arc::as_ptr(client));
        if let Some((_, permits)) = all.iter().find(|(buffer, _)| is_own(buffer)) {
            return permits.clone();
        }
        all.retain(|(buffer, _)| buffer.upgrade().is_some());
        let permits = Arc::new(Semaphore::new(MAX_LARGE_MESSAGES));
        all.push((Arc::downgrade(client), permits.clone()));
        permits
    }
}

/// The permit of a large message that is being read.
#[derive(Debug)]
pub(crate) struct LargeBodyPermit(
    #[allow(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>,
);

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_gate_opens_when_the_client_has_read_enough() {
        let budget = SendBudget::new(10);
        let (gate, client) = (ReadGate::new(budget.clone()), budget.add_client());
        for reader in [&Reader::AllClients, &Reader::Client(client.clone())] {
            client.add(9);
            assert!(gate.wait_until_open(reader).now_or_never().is_some());
            client.add(91);
            let mut ready = Box::pin(gate.wait_until_open(reader));
            assert!((&mut ready).now_or_never().is_none());
            client.sub(90);
            assert!((&mut ready).now_or_never().is_none());
            client.sub(1);
            assert!(ready.now_or_never().is_some());
            client.sub(9);
        }
    }

    #[test]
    fn the_gate_opens_for_the_others_when_a_client_leaves() {
        let budget = SendBudget::new(2 << 20);
        let gate = ReadGate::new(budget.clone());
        let (leaving, client) = (budget.add_client(), budget.add_client());
        client.add(1 << 20);
        let reader = Reader::Client(client);
        let mut ready = Box::pin(gate.wait_until_open(&reader));
        assert!((&mut ready).now_or_never().is_none());
        drop(leaving);
        assert_eq!(ready.now_or_never(), Some(true));
    }

    #[test]
    fn large_messages_of_one_client_delay_no_other_client() {
        let budget = SendBudget::new(usize::MAX);
        let gate = ReadGate::new(budget.clone());
        let [one, other] = [(); 2].map(|()| Reader::Client(budget.add_client()));
        let acquire = |reader| gate.acquire_large_permit(reader).now_or_never();
        let permits: Vec<_> = (0..MAX_LARGE_MESSAGES).map(|_| acquire(&one)).collect();
        assert!(permits.iter().all(Option::is_some));
        assert!(acquire(&one).is_none());
        assert!(acquire(&other).is_some() && acquire(&Reader::AllClients).is_some());
        drop(permits);
        assert!(acquire(&one).is_some());
    }

    #[test]
    fn the_permits_of_a_disconnected_client_are_removed() {
        let budget = SendBudget::new(usize::MAX);
        let gate = ReadGate::new(budget.clone());
        for _ in 0..3 {
            let reader = Reader::Client(budget.add_client());
            assert!(gate.acquire_large_permit(&reader).now_or_never().is_some());
        }
        assert_eq!(gate.client_permits.lock().len(), 1);
    }
}
