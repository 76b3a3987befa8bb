//! The client of a scenario, which uses one revision.

use serde_json::{Map, Value, json};

use crate::schema::revision::{Pair, Revision};
use testkit::proxy::{self, Client, with_meta};

/// A client whose requests have their labels in their ids.
pub(crate) struct Peer {
    pub(crate) client: Client,
    revision: Revision,
    capabilities: Value,
    request_count: usize,
}

impl Peer {
    /// Starts the proxy and completes the handshake.
    pub(crate) async fn connect(
        proxy: proxy::Builder,
        revision: Revision,
        capabilities: Value,
    ) -> Self {
        let client = proxy.start().await;
        let mut peer = Self {
            client,
            revision,
            capabilities,
            request_count: 0,
        };
        peer.handshake().await;
        peer
    }

    /// Sends the handshake of its era. It may be repeated.
    pub(crate) async fn handshake(&mut self) {
        if self.revision.is_modern() {
            self.expect_result("server/discover", json!({})).await;
            return;
        }
        let params = json!({
            "protocolVersion": self.revision.0,
            "capabilities": self.capabilities,
            "clientInfo": {"name": "test", "version": "1"},
        });
        let result = self.expect_result("initialize", params).await;
        assert_eq!(result["protocolVersion"], self.revision.0, "{result}");
        let initialized = "notifications/initialized";
        self.client.notify(initialized, json!({})).await;
    }

    /// Sends a request. Returns its id.
    pub(crate) async fn send(&mut self, method: &str, mut params: Value) -> String {
        if self.revision.is_modern() {
            let declared = "io.modelcontextprotocol/clientCapabilities";
            params["_meta"][declared] = self.capabilities.clone();
            params = with_meta(params);
        }
        self.request_count += 1;
        let as_a_task = if params["task"].is_null() {
            ""
        } else {
            " as a task"
        };
        let id = format!("{method}{as_a_task}#{}", self.request_count);
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.client.send_line(line.to_string()).await;
        id
    }

    /// The response to the request with this id.
    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        let line = self.client.answer_to(&json!(id).to_string()).await;
        serde_json::from_slice(&line).unwrap()
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.answer(&id).await
    }

    /// Like [`Peer::request`], but the response must be a result. Returns the result.
    pub(crate) async fn expect_result(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.request(method, params).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].take()
    }

    /// Cancels a request.
    pub(crate) async fn cancel(&mut self, id: &str) {
        let params = json!({"requestId": id, "reason": "enough"});
        self.client.notify("notifications/cancelled", params).await;
    }

    /// Calls the tool that sends server requests, and responds to them.
    pub(crate) async fn answer_server_requests(&mut self, pair: Pair) {
        let call = json!({"name": "sends_requests"});
        if self.revision.is_modern() {
            return self.retry_until_complete(call).await;
        }
        let id = self.send("tools/call", call).await;
        for (_, request) in pair.server_requests() {
            let request = self
                .client
                .incoming_request(request["method"].as_str().unwrap());
            let request = request.await;
            self.client.respond(&request, reply(&request)).await;
        }
        let answer = self.answer(&id).await;
        assert!(answer["error"].is_null(), "{answer}");
    }

    /// Repeats a call with its input responses until it is complete.
    async fn retry_until_complete(&mut self, call: Value) {
        let mut result = self.expect_result("tools/call", call.clone()).await;
        assert_eq!(result["resultType"], "input_required", "{result}");
        while result["resultType"] == "input_required" {
            let input_requests = result["inputRequests"].as_object().unwrap().iter();
            let answers: Map<_, _> = input_requests
                .map(|(key, it)| (key.clone(), reply(it)))
                .collect();
            let mut again = call.clone();
            again["inputResponses"] = answers.into();
            again["requestState"] = result["requestState"].take();
            result = self.expect_result("tools/call", again).await;
        }
    }
}

/// The response of the client to a server request.
fn reply(question: &Value) -> Value {
    match question["method"].as_str().unwrap() {
        "sampling/createMessage" => {
            let content = json!({"type": "text", "text": "!"});
            json!({"role": "assistant", "content": content, "model": "m"})
        }
        "roots/list" => json!({"roots": [{"uri": "file:///a"}]}),
        _ if question["params"]["mode"] == "url" => json!({"action": "accept"}),
        _ => json!({"action": "accept", "content": {"n": "!"}}),
    }
}
