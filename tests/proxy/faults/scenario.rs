//! Runs one cell: injects a fault during an operation of a healthy proxy, and observes the effects.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::fault::{BRIEF_OUTAGE, Fault, RETRY_AFTER, SUSPENSION};
use super::hosts::{Hosts, NAME};
use super::observation::{ClientOutcome, Observation, Recovery};
use super::operation::Operation;
use super::server::FaultyServer;
use super::sockets::Sockets;
use testkit::raw::Entry;
use testkit::upstream::Kind;
use testkit::{Endpoint, proxy, within};

/// The number of calls until the test fails, if the server serves none.
const MAX_CALLS: u64 = 6;

struct Scenario {
    server: FaultyServer,
    client: proxy::Client,
    hosts: Option<Hosts>,
    fault: Fault,
    operation: Operation,
}

/// Runs one cell. Returns `None` where the system does not permit the fault.
pub(crate) async fn run(kind: Kind, fault: Fault, operation: Operation) -> Option<Observation> {
    let hosts = match fault {
        // The proxy accepts no compression from loopback addresses.
        Fault::UnresolvedName | Fault::GzipBomb => Some(Hosts::new()?),
        _ => None,
    };
    let mut scenario = Scenario::start(kind, fault, operation, hosts).await;
    let observation = match operation {
        Operation::Call | Operation::IdempotentCall => scenario.call().await,
        Operation::ToolListing => scenario.tool_listing().await,
        Operation::EventStream => scenario.event_stream().await,
    };
    scenario.client.assert_every_line_is_json_rpc();
    Some(observation)
}

impl Scenario {
    /// Starts a proxy that has connected, listed the tools, served a call and opened the event stream.
    async fn start(kind: Kind, fault: Fault, operation: Operation, hosts: Option<Hosts>) -> Self {
        let server = FaultyServer::start(kind).await;
        // Timeouts that this cell does not test must not expire on a busy machine.
        let timeout = if fault.causes_timeout() { "2s" } else { "25s" };
        let wait = match fault {
            Fault::Refused | Fault::UnresolvedName | Fault::ResetOnConnect => "1500ms",
            _ => "25s",
        };
        let mut builder = proxy::new()
            .upstream("a", &server.upstream)
            .extra("a", json!({"timeout": timeout, "oauth": false}))
            .env("PROXY_CONNECT_WAIT", wait)
            .env("PROXY_MAX_MESSAGE_BYTES", "100000")
            .env("DEBUG", "1");
        if let Some(hosts) = &hosts {
            let url = server.upstream.url().replace("127.0.0.1", NAME);
            builder = builder.extra("a", json!({"url": url, "allow_http": true}));
            builder = builder.launched_by(hosts.launcher());
        }
        let mut client = builder.start().await;
        client.initialize().await;
        client.wait_for_tools(&["add", "put"]).await;
        let answer = client.call(operation.tool(), json!({"number": 0})).await;
        assert!(answer["result"].is_object(), "{answer}");
        server.wait_for_event_stream().await;
        Self {
            server,
            client,
            hosts,
            fault,
            operation,
        }
    }

    async fn call(&mut self) -> Observation {
        let tool = self.operation.tool();
        self.begin_fault().await;
        let id = self.client.send_call(tool, json!({"number": 1})).await;
        self.wait_for_brief_fault().await;
        let client = ClientOutcome::from_response(&self.client.response(id).await);
        let recovery = match client {
            ClientOutcome::Result => self.recovery_in_same_call(),
            _ => {
                self.end_fault();
                self.recovery_in_next_call(tool).await
            }
        };
        Observation {
            client,
            ran: Some(self.server.ran(1)),
            received: Some(self.server.received(Operation::Call, Some(1))),
            recovery,
        }
    }

    fn recovery_in_same_call(&self) -> Recovery {
        let retry_delay = self
            .server
            .retry_delay(1)
            .map(|retry_delay| retry_delay.as_secs());
        let waits = matches!(
            self.fault,
            Fault::TooManyRequests | Fault::UnavailableWithRetryAfter
        );
        match retry_delay >= RETRY_AFTER.parse().ok() && waits {
            true => Recovery::SameCallAfterDelay,
            false => Recovery::SameCall,
        }
    }

    async fn recovery_in_next_call(&mut self, tool: &str) -> Recovery {
        for number in 2..=MAX_CALLS {
            let answer = self.client.call(tool, json!({"number": number})).await;
            if ClientOutcome::from_response(&answer) == ClientOutcome::Result {
                return match number {
                    2 => Recovery::NextCall,
                    _ => Recovery::CallsLater(number as usize - 2),
                };
            }
        }
        let stderr = self.client.stderr();
        panic!("no call is served any more; stderr:\n{stderr}")
    }

    async fn tool_listing(&mut self) -> Observation {
        let before = self.server.received(Operation::ToolListing, None);
        self.server.add_tool("meanwhile");
        self.begin_fault().await;
        if self.fault.reply_count().is_some() {
            self.server.upstream.list_changed().await;
            self.server.wait_for_fault(self.fault).await;
        }
        let id = self
            .client
            .send_request_in_era("tools/list", json!({}))
            .await;
        self.wait_for_brief_fault().await;
        let client = ClientOutcome::from_response(&self.client.response(id).await);
        self.hold_fault().await;
        self.end_fault();
        let recovery = match self.fault.requires_user_action() {
            true => {
                self.server.upstream.list_changed().await;
                Recovery::NextNotification
            }
            false => Recovery::Automatic,
        };
        let all = ["add", "put", "meanwhile"];
        self.client.wait_for_tools(&all).await;
        let received = self.server.received(Operation::ToolListing, None) - before;
        Observation {
            client,
            ran: None,
            received: self.fault.reply_count().map(|_| received),
            recovery,
        }
    }

    async fn event_stream(&mut self) -> Observation {
        let before = self.server.received(Operation::EventStream, None);
        self.begin_fault().await;
        if self.fault.reply_count().is_some() {
            self.server.upstream.end_streams();
            self.server.wait_for_fault(self.fault).await;
        }
        // No event stream is open for a change notification.
        self.server.add_tool("meanwhile");
        self.wait_for_brief_fault().await;
        self.hold_fault().await;
        self.end_fault();
        let all = ["add", "put", "meanwhile"];
        self.client.wait_for_tools(&all).await;
        self.server.add_tool("later");
        self.server.upstream.list_changed().await;
        let all = ["add", "put", "meanwhile", "later"];
        self.client.wait_for_tools(&all).await;
        let received = self.server.received(Operation::EventStream, None) - before;
        Observation {
            client: ClientOutcome::ChangesNotified,
            ran: None,
            received: self.fault.reply_count().map(|_| received),
            recovery: Recovery::Automatic,
        }
    }

    /// Begins the fault.
    async fn begin_fault(&mut self) {
        let port = self.server.upstream.raw.address().port();
        let lost = self.fault.closes_connections();
        let lost = lost.then(|| Sockets::open_to(self.client.pid(), port));
        match self.fault {
            Fault::RefusedBriefly | Fault::Refused => self.server.stop().await,
            Fault::UnresolvedName => {
                self.hosts.as_ref().unwrap().stop_resolving();
                self.server.upstream.raw.reset_connections();
            }
            Fault::Hangs => self.server.upstream.raw.door(Entry::Hang),
            Fault::ResetOnConnect => self.server.upstream.raw.door(Entry::Reset),
            Fault::SessionLost => self.server.upstream.expire_sessions(),
            Fault::Restarted => {
                self.server.stop().await;
                self.server.upstream.expire_sessions();
                self.server.restart();
            }
            Fault::OtherEra => self.server.replace().await,
            Fault::Suspended => {
                self.client.signal("STOP").await;
                self.server.upstream.raw.forget_connections();
            }
            _ => return self.server.arm(self.fault, self.operation),
        }
        if self.fault != Fault::Suspended {
            self.wait_for_closed_sockets(lost).await;
        }
    }

    /// Waits until the proxy has noticed and closed its lost connections, on systems with `/proc`. A call sent
    /// earlier may go to a lost connection, and its outcome would be unknown.
    async fn wait_for_closed_sockets(&mut self, lost: Option<Sockets>) {
        for _ in 0..2 {
            self.client.request("ping", json!({})).await;
        }
        let Some(lost) = lost else { return };
        let closed = async {
            while !lost.are_closed() {
                self.client.request("ping", json!({})).await;
            }
        };
        within("the proxy to close its lost connections", closed).await;
    }

    /// Waits for the end of a fault that ends by itself.
    async fn wait_for_brief_fault(&mut self) {
        match self.fault {
            Fault::RefusedBriefly => {
                sleep(BRIEF_OUTAGE).await;
                self.server.restart();
            }
            Fault::Suspended => {
                sleep(SUSPENSION).await;
                self.client.signal("CONT").await;
            }
            _ => {}
        }
    }

    /// Keeps a fault of the connection active for a while.
    async fn hold_fault(&self) {
        let duration = match self.fault {
            Fault::Refused | Fault::UnresolvedName | Fault::ResetOnConnect => BRIEF_OUTAGE,
            Fault::Hangs => Duration::from_secs(3),
            _ => return,
        };
        sleep(duration).await;
    }

    /// Ends a fault that does not end by itself.
    fn end_fault(&mut self) {
        match self.fault {
            Fault::Refused => self.server.restart(),
            Fault::UnresolvedName => self.hosts.as_ref().unwrap().resolve(),
            _ => self.server.end_fault(),
        }
    }
}
