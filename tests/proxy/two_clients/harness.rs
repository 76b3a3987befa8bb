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

use testkit::json::request_line;

/// How many bytes one stream between a client and the proxy holds.
const STREAM_BYTES: usize = 64 << 10;

/// The era of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

/// A proxy that several clients connect to.
pub(crate) struct SharedProxy {
    proxy: Arc<Proxy>,
    /// Keeps the home directory of the proxy.
    _builder: proxy::Builder,
}

impl SharedProxy {
    /// Assembles the proxy in this process, with the configuration of `builder`.
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

    /// Assembles a proxy before one server, `a`.
    pub(crate) fn with_upstream(server: &Upstream) -> Self {
        Self::new(proxy::new().upstream("a", server))
    }

    /// Connects a client and returns its streams from and to the proxy.
    fn connect_streams(&self) -> (DuplexStream, DuplexStream) {
        let (to_proxy, input) = duplex(STREAM_BYTES);
        let (from_proxy, output) = duplex(STREAM_BYTES);
        let proxy = self.proxy.clone();
        tokio::spawn(async move { proxy.serve_client(input, output).await });
        (from_proxy, to_proxy)
    }

    /// Connects a client of this era that declares `capabilities`.
    pub(crate) async fn connect(&self, era: Era, capabilities: Value) -> EraClient {
        let (from_proxy, to_proxy) = self.connect_streams();
        let mut client = Client::over(from_proxy, to_proxy);
        match era {
            Era::Legacy => drop(client.initialize_with(capabilities.clone()).await),
            Era::Modern => client.declare(capabilities.clone()),
        }
        EraClient {
            client,
            era,
            capabilities,
        }
    }

    /// Connects a legacy client that declares `capabilities`, and lists the tools.
    pub(crate) async fn connect_legacy(&self, capabilities: Value) -> EraClient {
        let mut client = self.connect(Era::Legacy, capabilities).await;
        client.barrier().await;
        client
    }

    /// Connects a client that does not read.
    pub(crate) fn connect_stalled(&self) -> StalledClient {
        let (from_proxy, to_proxy) = self.connect_streams();
        StalledClient {
            from_proxy: BufReader::new(from_proxy),
            to_proxy,
        }
    }

    /// Connects a legacy client that lists the tools and then stops reading.
    pub(crate) async fn connect_stalled_legacy(&self) -> StalledClient {
        let mut client = self.connect_stalled();
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        client.start_request("0", "initialize", &params).await;
        client.read_line().await;
        client
            .send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        client.start_request("0", "tools/list", &json!({})).await;
        client.read_line().await;
        client
    }

    /// Connects two clients of these eras that declare no capabilities.
    pub(crate) async fn connect_two(&self, eras: [Era; 2]) -> [EraClient; 2] {
        self.connect_two_with(eras, json!({})).await
    }

    /// Connects two clients of these eras that both declare `capabilities`.
    pub(crate) async fn connect_two_with(
        &self,
        eras: [Era; 2],
        capabilities: Value,
    ) -> [EraClient; 2] {
        let [one, two] = eras;
        let one = self.connect(one, capabilities.clone()).await;
        [one, self.connect(two, capabilities).await]
    }
}

/// A client with its era: its requests have what that era requires.
pub(crate) struct EraClient {
    client: Client,
    pub(crate) era: Era,
    capabilities: Value,
}

impl EraClient {
    /// Sends a request of the client's era with this JSON `id`.
    pub(crate) async fn start_request(&mut self, id: &str, method: &str, mut params: Value) {
        if self.era == Era::Modern {
            let key = "io.modelcontextprotocol/clientCapabilities";
            params["_meta"][key] = self.capabilities.clone();
            params = with_meta(params);
        }
        let line = request_line(id, method, &params.to_string());
        self.client.send_line(line).await;
    }

    /// Calls a tool with this JSON `id` and the progress token 1.
    pub(crate) async fn start_call(&mut self, id: &str, tool: &str, arguments: Value) {
        let meta = json!({"progressToken": 1});
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        self.start_request(id, "tools/call", params).await;
    }

    /// Waits for the response to the request with this JSON `id`.
    pub(crate) async fn response_to(&mut self, id: &str) -> Value {
        serde_json::from_slice(&self.client.answer_to(id).await).unwrap()
    }

    /// Sends a request with this JSON `id` and returns its response.
    pub(crate) async fn request_with_id(&mut self, id: &str, method: &str, params: Value) -> Value {
        self.start_request(id, method, params).await;
        self.response_to(id).await
    }

    /// Waits for the response to a request sent now: earlier messages have arrived then.
    pub(crate) async fn barrier(&mut self) {
        let answer = self
            .request_with_id("\"barrier\"", "tools/list", json!({}))
            .await;
        assert!(answer["result"].is_object(), "{answer}");
    }

    /// Takes the messages of this method that arrived before a [`Self::barrier`] and were not taken yet.
    pub(crate) async fn take_messages(&mut self, method: &str) -> Vec<Value> {
        self.barrier().await;
        self.client.rest(method)
    }

    /// Panics if the client has received a response to the request with this JSON `id`.
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
pub(crate) struct StalledClient {
    from_proxy: BufReader<DuplexStream>,
    to_proxy: DuplexStream,
}

impl StalledClient {
    /// Sends a request with this JSON `id`.
    pub(crate) async fn start_request(&mut self, id: &str, method: &str, params: &Value) {
        self.send(&request_line(id, method, &params.to_string()))
            .await;
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
        assert!(read > 0, "the proxy closed the stream");
    }

    /// Returns a client that reads from these streams.
    pub(crate) fn resume_reading(self) -> Client {
        Client::over(self.from_proxy, self.to_proxy)
    }
}

impl Deref for EraClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for EraClient {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}
