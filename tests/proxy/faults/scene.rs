//! One fault, one operation: a proxy that was well, what happens to it, and what is seen of that.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::fault::{Fault, MOMENT, RETRY_AFTER, SLEEP};
use super::hosts::{Hosts, NAME};
use super::operation::Operation;
use super::seen::{Back, Client, Seen};
use super::site::Site;
use super::sockets::Sockets;
use testkit::raw::Entry;
use testkit::upstream::Kind;
use testkit::{Endpoint, proxy, within};

/// How many calls are made until one is served.
const MAX_CALLS: u64 = 6;

struct Scene {
    site: Site,
    client: proxy::Client,
    hosts: Option<Hosts>,
    fault: Fault,
    operation: Operation,
}

/// Runs one cell; `None` where the system does not let it.
pub(crate) async fn run(kind: Kind, fault: Fault, operation: Operation) -> Option<Seen> {
    let hosts = match fault {
        // Nothing is packed on the way to this machine's own addresses.
        Fault::NoSuchName | Fault::GzipBomb => Some(Hosts::new()?),
        _ => None,
    };
    let mut scene = Scene::start(kind, fault, operation, hosts).await;
    let seen = match operation {
        Operation::Call | Operation::IdempotentCall => scene.call().await,
        Operation::List => scene.list().await,
        Operation::Stream => scene.stream().await,
    };
    scene.client.assert_every_line_is_json_rpc();
    Some(seen)
}

impl Scene {
    /// Connected, listed, one call served, and listened to.
    async fn start(kind: Kind, fault: Fault, operation: Operation, hosts: Option<Hosts>) -> Self {
        let site = Site::start(kind).await;
        // What is not waited for in this cell never ends it on a busy machine.
        let timeout = if fault.is_silence() { "2s" } else { "25s" };
        let wait = match fault {
            Fault::Refused | Fault::NoSuchName | Fault::ResetAtConnect => "1500ms",
            _ => "25s",
        };
        let mut builder = proxy::new()
            .upstream("a", &site.server)
            .extra("a", json!({"timeout": timeout, "oauth": false}))
            .env("PROXY_CONNECT_WAIT", wait)
            .env("PROXY_MAX_MESSAGE_BYTES", "100000")
            .env("DEBUG", "1");
        if let Some(hosts) = &hosts {
            let url = site.server.url().replace("127.0.0.1", NAME);
            builder = builder.extra("a", json!({"url": url, "allow_http": true}));
            builder = builder.launched_by(hosts.launcher());
        }
        let mut client = builder.start().await;
        client.initialize().await;
        client.wait_for_tools(&["add", "put"]).await;
        let answer = client.call(operation.tool(), json!({"number": 0})).await;
        assert!(answer["result"].is_object(), "{answer}");
        site.listened().await;
        Self {
            site,
            client,
            hosts,
            fault,
            operation,
        }
    }

    async fn call(&mut self) -> Seen {
        let tool = self.operation.tool();
        self.strike().await;
        let id = self.client.send_call(tool, json!({"number": 1})).await;
        self.pass().await;
        let client = Client::of(&self.client.response(id).await);
        let back = match client {
            Client::Result => self.back_in_the_same_call(),
            _ => {
                self.heal();
                self.next_call(tool).await
            }
        };
        Seen {
            client,
            ran: Some(self.site.ran(1)),
            asked: Some(self.site.asked(Operation::Call, Some(1))),
            back,
        }
    }

    fn back_in_the_same_call(&self) -> Back {
        let paused = self.site.paused(1).map(|paused| paused.as_secs());
        let waits = matches!(
            self.fault,
            Fault::TooManyRequests | Fault::UnavailableForNow
        );
        match paused >= RETRY_AFTER.parse().ok() && waits {
            true => Back::AfterRetryAfter,
            false => Back::SameCall,
        }
    }

    async fn next_call(&mut self, tool: &str) -> Back {
        for number in 2..=MAX_CALLS {
            let answer = self.client.call(tool, json!({"number": number})).await;
            if Client::of(&answer) == Client::Result {
                return match number {
                    2 => Back::NextCall,
                    _ => Back::CallsLater(number as usize - 2),
                };
            }
        }
        let stderr = self.client.stderr();
        panic!("no call is served any more; stderr:\n{stderr}")
    }

    async fn list(&mut self) -> Seen {
        let before = self.site.asked(Operation::List, None);
        self.site.add_tool("meanwhile");
        self.strike().await;
        if self.fault.strikes().is_some() {
            self.site.server.list_changed().await;
            self.site.struck(self.fault).await;
        }
        let id = self.client.send_ask("tools/list", json!({})).await;
        self.pass().await;
        let client = Client::of(&self.client.response(id).await);
        self.linger().await;
        self.heal();
        let back = match self.fault.needs_a_person() {
            true => {
                self.site.server.list_changed().await;
                Back::NextAnnouncement
            }
            false => Back::ByItself,
        };
        let all = ["add", "put", "meanwhile"];
        self.client.wait_for_tools(&all).await;
        let asked = self.site.asked(Operation::List, None) - before;
        Seen {
            client,
            ran: None,
            asked: self.fault.strikes().map(|_| asked),
            back,
        }
    }

    async fn stream(&mut self) -> Seen {
        let before = self.site.asked(Operation::Stream, None);
        self.strike().await;
        if self.fault.strikes().is_some() {
            self.site.server.end_streams();
            self.site.struck(self.fault).await;
        }
        // Nobody can announce this.
        self.site.add_tool("meanwhile");
        self.pass().await;
        self.linger().await;
        self.heal();
        let all = ["add", "put", "meanwhile"];
        self.client.wait_for_tools(&all).await;
        self.site.add_tool("later");
        self.site.server.list_changed().await;
        let all = ["add", "put", "meanwhile", "later"];
        self.client.wait_for_tools(&all).await;
        let asked = self.site.asked(Operation::Stream, None) - before;
        Seen {
            client: Client::Told,
            ran: None,
            asked: self.fault.strikes().map(|_| asked),
            back: Back::ByItself,
        }
    }

    /// Lets the fault begin.
    async fn strike(&mut self) {
        let port = self.site.server.raw.address().port();
        let lost = self.fault.closes_connections();
        let lost = lost.then(|| Sockets::of(self.client.pid(), port));
        match self.fault {
            Fault::RefusedForAMoment | Fault::Refused => self.site.stop().await,
            Fault::NoSuchName => {
                self.hosts.as_ref().unwrap().forget();
                self.site.server.raw.reset_connections();
            }
            Fault::Hangs => self.site.server.raw.door(Entry::Hang),
            Fault::ResetAtConnect => self.site.server.raw.door(Entry::Reset),
            Fault::NoSession => self.site.server.expire_sessions(),
            Fault::Restarted => {
                self.site.stop().await;
                self.site.server.expire_sessions();
                self.site.restart();
            }
            Fault::OtherEra => self.site.replace().await,
            Fault::Asleep => {
                self.client.signal("STOP").await;
                self.site.server.raw.forget_connections();
            }
            _ => return self.site.arm(self.fault, self.operation),
        }
        if self.fault != Fault::Asleep {
            self.settle(lost).await;
        }
    }

    /// Lets the proxy see which connections it has lost, and waits until it has closed those, where the
    /// system tells. A call that comes first may be sent on one, and nobody could tell what became of it.
    async fn settle(&mut self, lost: Option<Sockets>) {
        for _ in 0..2 {
            self.client.request("ping", json!({})).await;
        }
        let Some(lost) = lost else { return };
        let closed = async {
            while !lost.are_closed() {
                self.client.request("ping", json!({})).await;
            }
        };
        within("the proxy to close what it has lost", closed).await;
    }

    /// Waits for the end of what ends by itself.
    async fn pass(&mut self) {
        match self.fault {
            Fault::RefusedForAMoment => {
                sleep(MOMENT).await;
                self.site.restart();
            }
            Fault::Asleep => {
                sleep(SLEEP).await;
                self.client.signal("CONT").await;
            }
            _ => {}
        }
    }

    /// Lets a fault that is no reply last for a while.
    async fn linger(&self) {
        let lasts = match self.fault {
            Fault::Refused | Fault::NoSuchName | Fault::ResetAtConnect => MOMENT,
            Fault::Hangs => Duration::from_secs(3),
            _ => return,
        };
        sleep(lasts).await;
    }

    /// Ends a fault that does not end by itself.
    fn heal(&mut self) {
        match self.fault {
            Fault::Refused => self.site.restart(),
            Fault::NoSuchName => self.hosts.as_ref().unwrap().know(),
            _ => self.site.heal(),
        }
    }
}
