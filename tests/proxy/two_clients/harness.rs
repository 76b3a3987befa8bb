//! A proxy in the process of the test, and clients that connect to it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use mcp_manifold::cli::Proxy;
use mcp_manifold::config::{Config, Environment};
use serde_json::{Value, json};
use testkit::proxy::{self, Client, with_meta};
use testkit::upstream::Upstream;
use testkit::within;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};

use crate::tasks::line;

/// How many bytes one stream between a client and the proxy holds.
const STREAM_BYTES: usize = 64 << 10;

/// The era of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

/// A proxy that several clients connect to.
pub(crate) struct Shared {
    proxy: Arc<Proxy>,
    /// Keeps the home directory.
    _builder: proxy::Builder,
}

impl Shared {
    /// Assembles the proxy that this would launch.
    pub(crate) fn new(builder: proxy::Builder) -> Self {
        let command = builder.command();
        let variables = command.as_std().get_envs();
        let variables = variables.filter_map(|(name, value)| {
            let [name, value] = [name, value?].map(|text| text.to_str().unwrap().to_owned());
            Some((name, value))
        });
        let environment: Environment = variables.collect();
        let config = Config::from_environment(&environment).unwrap();
        Self {
            proxy: Arc::new(Proxy::new(config, &environment)),
            _builder: builder,
        }
    }

    /// A proxy before one server, `a`.
    pub(crate) fn before(server: &Upstream) -> Self {
        Self::new(proxy::new().upstream("a", server))
    }

    /// Connects a client, and gives the stream from the proxy and the one to it.
    fn connect(&self) -> (DuplexStream, DuplexStream) {
        let (to_proxy, input) = duplex(STREAM_BYTES);
        let (from_proxy, output) = duplex(STREAM_BYTES);
        let proxy = self.proxy.clone();
        tokio::spawn(async move { proxy.serve_client(input, output).await });
        (from_proxy, to_proxy)
    }

    /// Connects a client of this era that declares `capabilities`.
    pub(crate) async fn client(&self, era: Era, capabilities: Value) -> Peer {
        let (from_proxy, to_proxy) = self.connect();
        let mut client = Client::over(from_proxy, to_proxy);
        match era {
            Era::Legacy => drop(client.initialize_with(capabilities.clone()).await),
            Era::Modern => client.declare(capabilities.clone()),
        }
        Peer {
            client,
            era,
            capabilities,
        }
    }

    /// Connects a client of the legacy era that declares `capabilities`, and lists the tools.
    pub(crate) async fn legacy(&self, capabilities: Value) -> Peer {
        let mut client = self.client(Era::Legacy, capabilities).await;
        client.fence().await;
        client
    }

    /// Connects a client that reads nothing.
    pub(crate) fn silent(&self) -> Silent {
        let (from_proxy, to_proxy) = self.connect();
        Silent {
            from_proxy: BufReader::new(from_proxy),
            to_proxy,
        }
    }

    /// Connects a client of the legacy era that lists the tools, and then reads nothing more.
    pub(crate) async fn silent_legacy(&self) -> Silent {
        let mut client = self.silent();
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        client.begin("0", "initialize", &params).await;
        client.read_line().await;
        client
            .send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        client.begin("0", "tools/list", &json!({})).await;
        client.read_line().await;
        client
    }

    /// Connects two clients of these eras, which declare nothing.
    pub(crate) async fn clients(&self, eras: [Era; 2]) -> [Peer; 2] {
        self.clients_with(eras, json!({})).await
    }

    /// Connects two clients of these eras, which both declare `capabilities`.
    pub(crate) async fn clients_with(&self, eras: [Era; 2], capabilities: Value) -> [Peer; 2] {
        let [one, two] = eras;
        let one = self.client(one, capabilities.clone()).await;
        [one, self.client(two, capabilities).await]
    }
}

/// One of the clients.
pub(crate) struct Peer {
    client: Client,
    pub(crate) era: Era,
    capabilities: Value,
}

impl Peer {
    /// Sends a request of its era under this id, JSON.
    pub(crate) async fn begin(&mut self, id: &str, method: &str, mut params: Value) {
        if self.era == Era::Modern {
            let key = "io.modelcontextprotocol/clientCapabilities";
            params["_meta"][key] = self.capabilities.clone();
            params = with_meta(params);
        }
        let line = line(id, method, &params.to_string());
        self.client.send_line(line).await;
    }

    /// Calls a tool under this id, JSON, with progress under the token 1.
    pub(crate) async fn begin_call(&mut self, id: &str, tool: &str, arguments: Value) {
        let meta = json!({"progressToken": 1});
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        self.begin(id, "tools/call", params).await;
    }

    /// Waits for the answer to the request under this id.
    pub(crate) async fn end(&mut self, id: &str) -> Value {
        serde_json::from_slice(&self.client.answer_to(id).await).unwrap()
    }

    /// Sends a request of its era under this id, JSON, and waits for the answer.
    pub(crate) async fn finish(&mut self, id: &str, method: &str, params: Value) -> Value {
        self.begin(id, method, params).await;
        self.end(id).await
    }

    /// Has a request answered: what was on its way to the client before is there.
    pub(crate) async fn fence(&mut self) {
        let answer = self.finish("\"fence\"", "tools/list", json!({})).await;
        assert!(answer["result"].is_object(), "{answer}");
    }

    /// Takes what has come of this method and was not taken, once the proxy has answered what is asked now.
    pub(crate) async fn all(&mut self, method: &str) -> Vec<Value> {
        self.fence().await;
        self.client.rest(method)
    }

    /// Panics if a line so far answers the request under this id.
    pub(crate) fn assert_unanswered(&self, id: &str) {
        let id: Value = serde_json::from_str(id).unwrap();
        for line in self.client.received() {
            let message: Value = serde_json::from_slice(&line).unwrap();
            let answers = message.get("method").is_none() && message["id"] == id;
            assert!(!answers, "{message}");
        }
    }
}

/// A client that does not read.
pub(crate) struct Silent {
    from_proxy: BufReader<DuplexStream>,
    to_proxy: DuplexStream,
}

impl Silent {
    /// Sends a request under this id, JSON.
    pub(crate) async fn begin(&mut self, id: &str, method: &str, params: &Value) {
        self.send(&line(id, method, &params.to_string())).await;
    }

    async fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        let sent = self.to_proxy.write_all(line.as_bytes());
        within("the proxy to read", sent).await.unwrap();
    }

    async fn read_line(&mut self) {
        let mut line = String::new();
        let read = self.from_proxy.read_line(&mut line);
        let read = within("a line from the proxy", read).await.unwrap();
        assert!(read > 0, "the proxy has closed its end");
    }

    /// The same client, which reads from now on.
    pub(crate) fn read(self) -> Client {
        Client::over(self.from_proxy, self.to_proxy)
    }
}

impl Deref for Peer {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}
