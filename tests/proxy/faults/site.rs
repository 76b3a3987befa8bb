//! The server that the proxy is before: healthy, until a fault strikes.

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

/// A kind of the other era.
fn other(kind: Kind) -> Kind {
    match kind {
        Kind::Modern => Kind::Legacy,
        Kind::Legacy | Kind::HttpSse => Kind::Modern,
    }
}

/// A request of an operation, as it came to the server.
struct Asked {
    operation: Operation,
    /// The number that a call bears.
    number: Option<u64>,
    at: Instant,
}

/// What the server is to do, and what it was asked; the same for all that stand at its address.
#[derive(Default)]
pub(crate) struct Record {
    // std's Mutex, all times: held for one operation, never across an await.
    armed: Mutex<Option<(Fault, Operation)>>,
    asked: watch::Sender<Vec<Asked>>,
    struck: watch::Sender<usize>,
    /// How many streams of announcements were opened.
    opened: watch::Sender<usize>,
    stuck: Mutex<Vec<mpsc::Sender<Bytes>>>,
}

impl Record {
    /// Keeps a stream open on which nothing more comes.
    pub(crate) fn keep_open(&self, stream: mpsc::Sender<Bytes>) {
        self.stuck.lock().unwrap().push(stream);
    }

    /// The fault that strikes this request.
    fn strike(&self, request: &Request) -> Option<Fault> {
        let (fault, operation) = (*self.armed.lock().unwrap())?;
        let strikes = fault.strikes()?;
        let strikes_it = operation.is(request) && *self.struck.borrow() < strikes;
        strikes_it.then(|| {
            self.struck.send_modify(|struck| *struck += 1);
            fault
        })
    }

    async fn reply(&self, request: Request, next: Next) -> Reply {
        let operations = super::operation::ALL
            .iter()
            .map(|(operation, ..)| *operation);
        // The first that fits: a call of either kind counts as a call.
        let operation = operations
            .into_iter()
            .find(|operation| operation.is(&request));
        if let Some(operation) = operation {
            let number = (operation == Operation::Call)
                .then(|| request.json()["params"]["arguments"]["number"].as_u64());
            let asked = Asked {
                operation,
                number: number.flatten(),
                at: Instant::now(),
            };
            self.asked.send_modify(|all| all.push(asked));
        }
        if let Some(fault) = self.strike(&request) {
            return fault.reply(self, request, next).await;
        }
        let reply = next.reply(request).await;
        if operation == Some(Operation::Stream) {
            self.opened.send_modify(|opened| *opened += 1);
        }
        reply
    }
}

/// A server, whoever stands at its address.
pub(crate) struct Site {
    kind: Kind,
    pub(crate) server: Upstream,
    /// Those that stood there before.
    earlier: Vec<Upstream>,
    record: Arc<Record>,
    tools: Vec<String>,
}

impl Site {
    pub(crate) async fn start(kind: Kind) -> Self {
        let record = Arc::new(Record::default());
        let tools = vec![tool("add", false), tool("put", true)];
        let any_port = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        Self {
            kind,
            server: start(kind, &tools, &record, any_port),
            earlier: Vec::new(),
            record,
            tools,
        }
    }

    /// Offers another tool, without a word.
    pub(crate) fn add_tool(&mut self, name: &str) {
        self.tools.push(tool(name, false));
        self.server.set_tools(self.tools.iter().map(String::as_str));
    }

    /// Lets the fault strike the next requests of this operation.
    pub(crate) fn arm(&self, fault: Fault, operation: Operation) {
        *self.record.armed.lock().unwrap() = Some((fault, operation));
    }

    /// Waits until the fault has struck as often as it does.
    pub(crate) async fn struck(&self, fault: Fault) {
        let strikes = fault.strikes().unwrap_or(0);
        let mut struck = self.record.struck.subscribe();
        let enough = struck.wait_for(|struck| *struck >= strikes);
        within("the fault to strike", enough).await.unwrap();
    }

    /// Waits until the stream of announcements is open, if it never was.
    pub(crate) async fn listened(&self) {
        let mut opened = self.record.opened.subscribe();
        let open = opened.wait_for(|opened| *opened > 0);
        within("a stream of announcements", open).await.unwrap();
    }

    /// Lets things be as they should.
    pub(crate) fn heal(&self) {
        *self.record.armed.lock().unwrap() = None;
        self.record.stuck.lock().unwrap().clear();
        self.server.raw.door(Entry::Open);
    }

    /// Ends the server; its address refuses connections.
    pub(crate) async fn stop(&self) {
        self.server.raw.stop().await;
    }

    /// Starts it again, with the sessions that it had.
    pub(crate) fn restart(&mut self) {
        self.server.restart();
    }

    /// Puts a server of the other era in its place.
    pub(crate) async fn replace(&mut self) {
        let address = self.server.raw.address();
        self.stop().await;
        let other = start(other(self.kind), &self.tools, &self.record, address);
        self.earlier
            .push(std::mem::replace(&mut self.server, other));
    }

    /// How often the call with this number ran.
    pub(crate) fn ran(&self, number: u64) -> usize {
        let servers = self.earlier.iter().chain([&self.server]);
        let calls = servers.flat_map(Upstream::calls);
        calls.filter(|call| number_of(call) == Some(number)).count()
    }

    /// How often there were requests of `operation` since `before` of them, of the call with this
    /// number if it is one.
    pub(crate) fn asked(&self, operation: Operation, number: Option<u64>) -> usize {
        let asked = self.record.asked.borrow();
        let same = |one: &&Asked| one.operation == operation && one.number == number;
        asked.iter().filter(same).count()
    }

    /// The pause between the first request of the call with this number and the last one.
    pub(crate) fn paused(&self, number: u64) -> Option<std::time::Duration> {
        let asked = self.record.asked.borrow();
        let mut times = asked.iter().filter(|one| one.number == Some(number));
        let first = times.next()?.at;
        Some(times.next_back()?.at - first)
    }
}

fn start(kind: Kind, tools: &[String], record: &Arc<Record>, at: SocketAddr) -> Upstream {
    let builder = tools
        .iter()
        .fold(kind.server(), |builder, tool| builder.tool_raw(tool));
    let record = record.clone();
    let builder = builder.around(move |request, next| {
        let record = record.clone();
        async move { record.reply(request, next).await }
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
