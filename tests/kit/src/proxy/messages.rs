//! The client's requests: JSON-RPC, and the most frequent MCP requests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client::Client;
use super::output::{Envelope, value};

impl Client {
    /// Sends a request, and returns the response.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send_request(method, params).await;
        self.response(id).await
    }

    /// Sends a modern request with the required `_meta`, and returns the response.
    pub async fn modern(&mut self, method: &str, params: Value) -> Value {
        let params = self.with_meta(params);
        self.request(method, params).await
    }

    /// Sends a request. Returns its id, for [`Client::response`].
    pub async fn send_request(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send_line(request.to_string()).await;
        id
    }

    /// Waits for the response to the request `id`.
    pub async fn response(&mut self, id: u64) -> Value {
        value(&self.answer_to(&id.to_string()).await)
    }

    /// Sends a notification.
    pub async fn notify(&mut self, method: &str, params: Value) {
        let notification = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.send_line(notification.to_string()).await;
    }

    /// Cancels the request of this id.
    pub async fn cancel(&mut self, id: u64) {
        self.notify("notifications/cancelled", json!({"requestId": id}))
            .await;
    }

    /// Waits for the next notification of `method`.
    pub async fn notification(&mut self, method: &str) -> Value {
        let line = self.take(method, |line| Envelope::of(line).has_method(method, false));
        value(&line.await)
    }

    /// Does the handshake of 2025-11-25, and returns the result of `initialize`.
    ///
    /// The calls below are in the legacy era after this, and in the modern era before.
    pub async fn initialize(&mut self) -> Value {
        self.initialize_with(json!({})).await
    }

    /// Does the handshake like [`Client::initialize`], with these capabilities.
    pub async fn initialize_with(&mut self, capabilities: Value) -> Value {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"},
        });
        self.capabilities = params["capabilities"].clone();
        let mut response = self.request("initialize", params).await;
        self.notify("notifications/initialized", json!({})).await;
        self.modern = false;
        response["result"].take()
    }

    /// Sends a request in the era of this client, and returns the response.
    pub async fn request_in_era(&mut self, method: &str, params: Value) -> Value {
        match self.modern {
            true => self.modern(method, params).await,
            false => self.request(method, params).await,
        }
    }

    /// Calls a tool, and returns the response.
    pub async fn call(&mut self, name: &str, arguments: Value) -> Value {
        let params = json!({"name": name, "arguments": arguments});
        self.request_in_era("tools/call", params).await
    }

    /// Lists the tools, page by page.
    pub async fn tools(&mut self) -> Vec<Value> {
        let (mut tools, mut params) = (Vec::new(), json!({}));
        loop {
            let mut response = self.request_in_era("tools/list", params).await;
            match response["result"]["tools"].take() {
                Value::Array(page) => tools.extend(page),
                _ => panic!("no tools in {response}"),
            }
            match response["result"]["nextCursor"].take() {
                Value::Null => return tools,
                cursor => params = json!({"cursor": cursor}),
            }
        }
    }

    /// Returns the names of the tools, in listing order.
    pub async fn tool_names(&mut self) -> Vec<String> {
        let tools = self.tools().await;
        let names = tools.iter().map(|tool| tool["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }

    /// Lists the tools, and again after each `notifications/tools/list_changed`, until the names are
    /// `names` in any order. A modern client must have subscribed to that notification.
    pub async fn wait_for_tools(&mut self, names: &[&str]) {
        let expected: BTreeSet<&str> = names.iter().copied().collect();
        loop {
            let listed = self.tool_names().await;
            if expected == listed.iter().map(String::as_str).collect() {
                return;
            }
            let what = format!("tools {expected:?} in place of {listed:?}");
            let changed = "notifications/tools/list_changed";
            self.take(&what, |line| Envelope::of(line).has_method(changed, false))
                .await;
        }
    }

    /// Opens a modern subscription. Returns the acknowledgement, which has the id of the request.
    pub async fn listen(&mut self, notifications: Value) -> Value {
        let params = self.with_meta(json!({"notifications": notifications}));
        self.send_request("subscriptions/listen", params).await;
        self.notification("notifications/subscriptions/acknowledged")
            .await
    }
}

/// Adds the metadata that MCP 2026-07-28 requires in every request.
pub fn with_meta(mut params: Value) -> Value {
    let meta = &mut params["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
    let capabilities = &mut meta["io.modelcontextprotocol/clientCapabilities"];
    if capabilities.is_null() {
        *capabilities = json!({});
    }
    params
}

/// Returns the line of a `tools/call`. `id` and `params` are JSON.
pub fn call_line(id: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#)
}
