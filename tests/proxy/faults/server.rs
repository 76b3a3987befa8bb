//! The server behind the proxy: healthy until a fault is injected.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::fault::Fault;
use super::operation::Operation;
use testkit::raw::{Entry, Reply, Request};
use testkit::upstream::{Kind, Next, Upstream};
use testkit::within;

/// Returns a kind of server of the other era.
fn kind_of_other_era(kind: Kind) -> Kind {
    match kind {
        Kind::Modern => Kind::Legacy,
        Kind::Legacy | Kind::HttpSse => Kind::Modern,
    }
}

/// A request of an operation.
struct ReceivedRequest {
    operation: Operation,
    /// The `number` argument of a call.
    number: Option<u64>,
    at: Instant,
}

/// The armed fault and the received requests, shared by all servers at this address.
#[derive(Default)]
pub(crate) struct ServerState {
    // std's Mutex: held for one operation, never across an await.
    armed: Mutex<Option<(Fault, Operation)>>,
    received: watch::Sender<Vec<ReceivedRequest>>,
    injected: watch::Sender<usize>,
    /// The number of event streams opened so far.
    streams_opened: watch::Sender<usize>,
    stalled: Mutex<Vec<mpsc::Sender<Bytes>>>,
}

impl ServerState {
    /// Keeps a stalled stream open.
    pub(crate) fn keep_open(&self, stream: mpsc::Sender<Bytes>) {
        self.stalled.lock().unwrap().push(stream);
    }

    /// Returns the fault to inject into this request.
    fn next_fault(&self, request: &Request) -> Option<Fault> {
        let (fault, operation) = (*self.armed.lock().unwrap())?;
        let reply_count = fault.reply_count()?;
        let is_next = operation.includes(request) && *self.injected.borrow() < reply_count;
        is_next.then(|| {
            self.injected.send_modify(|injected| *injected += 1);
            fault
        })
    }

    async fn reply(&self, request: Request, next: Next) -> Reply {
        let operations = super::operation::ALL
            .iter()
            .map(|(operation, ..)| *operation);
        // The first match: calls of both operations count as `Call`.
        let operation = operations
            .into_iter()
            .find(|operation| operation.includes(&request));
        if let Some(operation) = operation {
            let number = (operation == Operation::Call)
                .then(|| request.json()["params"]["arguments"]["number"].as_u64());
            let received = ReceivedRequest {
                operation,
                number: number.flatten(),
                at: Instant::now(),
            };
            self.received.send_modify(|all| all.push(received));
        }
        if let Some(fault) = self.next_fault(&request) {
            return fault.reply(self, request, next).await;
        }
        let reply = next.reply(request).await;
        if operation == Some(Operation::EventStream) {
            self.streams_opened.send_modify(|count| *count += 1);
        }
        reply
    }
}

/// The server at one address, with its replacements.
pub(crate) struct FaultyServer {
    kind: Kind,
    pub(crate) upstream: Upstream,
    /// The servers that were replaced.
    replaced: Vec<Upstream>,
    state: Arc<ServerState>,
    tools: Vec<String>,
}

impl FaultyServer {
    pub(crate) async fn start(kind: Kind) -> Self {
        let state = Arc::new(ServerState::default());
        let tools = vec![tool("add", false), tool("put", true)];
        let any_port = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        Self {
            kind,
            upstream: start(kind, &tools, &state, any_port),
            replaced: Vec::new(),
            state,
            tools,
        }
    }

    /// Offers another tool, without a notification.
    pub(crate) fn add_tool(&mut self, name: &str) {
        self.tools.push(tool(name, false));
        self.upstream
            .set_tools(self.tools.iter().map(String::as_str));
    }

    /// Injects the fault into the next requests of this operation.
    pub(crate) fn arm(&self, fault: Fault, operation: Operation) {
        *self.state.armed.lock().unwrap() = Some((fault, operation));
    }

    /// Waits until all faulty replies are sent.
    pub(crate) async fn wait_for_fault(&self, fault: Fault) {
        let reply_count = fault.reply_count().unwrap_or(0);
        let mut injected = self.state.injected.subscribe();
        let enough = injected.wait_for(|injected| *injected >= reply_count);
        within("the fault", enough).await.unwrap();
    }

    /// Waits until the first event stream is open.
    pub(crate) async fn wait_for_event_stream(&self) {
        let mut streams_opened = self.state.streams_opened.subscribe();
        let open = streams_opened.wait_for(|count| *count > 0);
        within("an event stream", open).await.unwrap();
    }

    /// Ends every fault.
    pub(crate) fn end_fault(&self) {
        *self.state.armed.lock().unwrap() = None;
        self.state.stalled.lock().unwrap().clear();
        self.upstream.raw.door(Entry::Open);
    }

    /// Stops the server; its address refuses connections.
    pub(crate) async fn stop(&self) {
        self.upstream.raw.stop().await;
    }

    /// Starts the server again, with its sessions.
    pub(crate) fn restart(&mut self) {
        self.upstream.restart();
    }

    /// Replaces the server by one of the other era.
    pub(crate) async fn replace(&mut self) {
        let address = self.upstream.raw.address();
        self.stop().await;
        let other = start(
            kind_of_other_era(self.kind),
            &self.tools,
            &self.state,
            address,
        );
        self.replaced
            .push(std::mem::replace(&mut self.upstream, other));
    }

    /// Returns how often the call with this number ran.
    pub(crate) fn ran(&self, number: u64) -> usize {
        let servers = self.replaced.iter().chain([&self.upstream]);
        let calls = servers.flat_map(Upstream::calls);
        calls.filter(|call| number_of(call) == Some(number)).count()
    }

    /// Returns the number of received requests of `operation`; for calls, of the call with this number.
    pub(crate) fn received(&self, operation: Operation, number: Option<u64>) -> usize {
        let received = self.state.received.borrow();
        let same = |one: &&ReceivedRequest| one.operation == operation && one.number == number;
        received.iter().filter(same).count()
    }

    /// Returns the delay between the first and the last request of the call with this number.
    pub(crate) fn retry_delay(&self, number: u64) -> Option<std::time::Duration> {
        let received = self.state.received.borrow();
        let mut times = received.iter().filter(|one| one.number == Some(number));
        let first = times.next()?.at;
        Some(times.next_back()?.at - first)
    }
}

fn start(kind: Kind, tools: &[String], state: &Arc<ServerState>, at: SocketAddr) -> Upstream {
    let builder = tools
        .iter()
        .fold(kind.server(), |builder, tool| builder.tool_raw(tool));
    let state = state.clone();
    let builder = builder.around(move |request, next| {
        let state = state.clone();
        async move { state.reply(request, next).await }
    });
    builder.start_at(at)
}

fn tool(name: &str, idempotent: bool) -> String {
    let schema = json!({"type": "object"});
    let annotations = json!({"idempotentHint": idempotent});
    json!({"name": name, "inputSchema": schema, "annotations": annotations}).to_string()
}

fn number_of(call: &[u8]) -> Option<u64> {
    let call: Value = serde_json::from_slice(call).ok()?;
    call["params"]["arguments"]["number"].as_u64()
}
