//! Server requests: waits for requests of the proxy, and answers them.

use serde_json::{Value, json};

use super::client::Client;
use super::messages::with_meta;
use super::output::{Envelope, value};
use crate::json::bytes_of;

impl Client {
    /// Declares `capabilities` in each modern request that the client builds.
    pub fn declare(&mut self, capabilities: Value) {
        self.capabilities = capabilities;
    }

    /// Adds the metadata of the modern era to `params`, with the declared capabilities unless `params` has
    /// its own.
    pub(super) fn with_meta(&self, mut params: Value) -> Value {
        let key = "io.modelcontextprotocol/clientCapabilities";
        if params["_meta"][key].is_null() {
            params["_meta"][key] = self.capabilities.clone();
        }
        with_meta(params)
    }

    /// Sends a request in the era of this client. Returns its id, for [`Client::response`].
    pub async fn send_request_in_era(&mut self, method: &str, params: Value) -> u64 {
        let params = match self.modern {
            true => self.with_meta(params),
            false => params,
        };
        self.send_request(method, params).await
    }

    /// Calls a tool, and returns the id of the request.
    pub async fn send_call(&mut self, name: &str, arguments: Value) -> u64 {
        let params = json!({"name": name, "arguments": arguments});
        self.send_request_in_era("tools/call", params).await
    }

    /// Waits for the next request of `method` from the proxy.
    pub async fn incoming_request(&mut self, method: &str) -> Value {
        value(&self.incoming_line(method).await)
    }

    /// Waits for the next request of `method` from the proxy, and returns its bytes.
    pub async fn incoming_line(&mut self, method: &str) -> Vec<u8> {
        self.take(method, |line| Envelope::of(line).has_method(method, true))
            .await
    }

    /// Waits for the next notification of `method`, and returns its bytes.
    pub async fn notification_line(&mut self, method: &str) -> Vec<u8> {
        self.take(method, |line| Envelope::of(line).has_method(method, false))
            .await
    }

    /// Answers a request from the proxy.
    pub async fn respond(&mut self, request: &Value, result: Value) {
        let response = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        self.send_line(response.to_string()).await;
    }

    /// Answers a request from the proxy, in bytes, with this member (`"result":…` or `"error":…`, JSON).
    /// Returns the line.
    pub async fn answer(&mut self, request: &[u8], member: &str) -> String {
        let id = bytes_of(request, &["id"]);
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#);
        self.send_line(&line).await;
        line
    }

    /// Answers a request from the proxy, in bytes, with this result, JSON.
    pub async fn answer_with(&mut self, request: &[u8], result: &str) -> String {
        self.answer(request, &format!(r#""result":{result}"#)).await
    }

    /// Answers the next request of `method` from the proxy with this result, JSON.
    pub async fn answer_next(&mut self, method: &str, result: &str) {
        let request = self.incoming_line(method).await;
        self.answer_with(&request, result).await;
    }

    /// Returns all lines of `method` so far, taken or not.
    pub fn received_with(&self, method: &str) -> Vec<Value> {
        let lines = self.received();
        let messages = lines.iter().map(|line| value(line));
        messages.filter(|said| said["method"] == method).collect()
    }

    /// Takes all lines of `method` so far that were not taken.
    pub fn rest(&mut self, method: &str) -> Vec<Value> {
        let lines = self.take_all(|line| value(line)["method"] == method);
        lines.iter().map(|line| value(line)).collect()
    }

    /// Returns the requests of the proxy so far.
    pub fn server_requests(&self) -> Vec<Value> {
        let lines = self.received();
        let messages = lines.iter().map(|line| value(line));
        let requests = messages.filter(|said| !said["method"].is_null() && !said["id"].is_null());
        requests.collect()
    }
}
