//! Clients of one proxy, over pipes of their own, which keep what comes as JSON.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use super::harness::Shared;
use testkit::upstream::Upstream;
use testkit::{proxy, within};

/// A proxy before one server, called `a`.
pub(super) struct Scene(Shared);

impl Scene {
    pub(super) fn before(server: &Upstream) -> Self {
        Self(Shared::before(server))
    }

    /// The proxy that this would launch.
    pub(super) fn of(builder: proxy::Builder) -> Self {
        Self(Shared::new(builder))
    }

    /// A client that has sent nothing.
    pub(super) fn client(&self) -> Peer {
        let (from_proxy, to_proxy) = self.0.connect();
        Peer {
            to_proxy,
            from_proxy: BufReader::new(from_proxy),
            seen: Vec::new(),
        }
    }

    /// A client of the legacy era that has opened a session with these capabilities, and listed the tools.
    pub(super) async fn legacy(&self, capabilities: Value) -> Peer {
        let mut client = self.client();
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"},
        });
        client.request(json!("open"), "initialize", params).await;
        client.response(json!("open")).await;
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client.send(&initialized).await;
        client
            .request(json!("tools"), "tools/list", json!({}))
            .await;
        client.response(json!("tools")).await;
        client
    }
}

/// A client. It leaves when this is dropped.
pub(super) struct Peer {
    to_proxy: DuplexStream,
    from_proxy: BufReader<DuplexStream>,
    /// All that came and was not waited for.
    pub(super) seen: Vec<Value>,
}

impl Peer {
    pub(super) async fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        let sent = self.to_proxy.write_all(line.as_bytes());
        within("the proxy to read", sent).await.unwrap();
    }

    pub(super) async fn request(&mut self, id: Value, method: &str, params: Value) {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(&request).await;
    }

    /// Calls a tool as `id`, with progress under the token 1.
    pub(super) async fn call(&mut self, id: u64, tool: &str, arguments: Value) {
        let meta = json!({"progressToken": 1});
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        self.request(json!(id), "tools/call", params).await;
    }

    async fn next(&mut self) -> Value {
        let mut line = String::new();
        let read = self.from_proxy.read_line(&mut line);
        let read = within("a line from the proxy", read).await.unwrap();
        assert!(
            read > 0,
            "the proxy has closed its end; before came {:?}",
            self.seen
        );
        serde_json::from_str(&line).unwrap()
    }

    /// Waits for the first message that `wanted` accepts, past ones included.
    pub(super) async fn message(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at);
        }
        loop {
            let message = self.next().await;
            if wanted(&message) {
                return message;
            }
            self.seen.push(message);
        }
    }

    pub(super) async fn response(&mut self, id: Value) -> Value {
        self.message(|it| it["id"] == id && it.get("method").is_none())
            .await
    }

    pub(super) async fn named(&mut self, method: &str) -> Value {
        self.message(|it| it["method"] == method).await
    }

    /// All that has come of this method, once the proxy has answered what is asked now.
    pub(super) async fn all(&mut self, method: &str) -> Vec<Value> {
        self.request(json!("sync"), "ping", json!({})).await;
        self.response(json!("sync")).await;
        let (all, rest) = std::mem::take(&mut self.seen)
            .into_iter()
            .partition(|it| it["method"] == method);
        self.seen = rest;
        all
    }
}
