//! A request to an upstream: its body, and the data that transports need for headers and timeouts.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

/// A request whose body already carries the id for the upstream.
#[derive(Debug, Clone)]
pub struct Request {
    /// The id in the body. It is unique in the process, so no session sees it twice.
    pub id: u64,
    /// The method.
    pub method: Cow<'static, str>,
    /// The whole JSON-RPC message.
    pub body: Bytes,
    /// The `Mcp-Name` header for a modern upstream: `params.name` or `params.uri`.
    pub name: Option<Box<str>>,
    /// The `Mcp-Param-*` headers for a modern upstream.
    pub param_headers: Vec<(HeaderName, HeaderValue)>,
    /// How the client of this request receives server requests.
    pub server_requests: ServerRequests,
}

/// How a client receives server requests while its own request is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerRequests {
    /// The client receives none.
    Unsupported,
    /// As requests. Meanwhile the upstream may stay silent, even before the head of its response.
    AsRequests,
    /// As the result of its own request, which contains input requests.
    AsResult,
}

impl Request {
    /// A request that the proxy itself sends.
    #[must_use]
    pub fn from_proxy(id: u64, method: &'static str, params: &Value) -> Self {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        Self {
            id,
            method: method.into(),
            body: body.to_string().into(),
            name: None,
            param_headers: Vec::new(),
            server_requests: ServerRequests::Unsupported,
        }
    }
}
