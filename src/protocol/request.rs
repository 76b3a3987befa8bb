//! A request on its way to an upstream: the body as it will be sent, and what transports need of it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

/// One request, whose body already carries the upstream's id.
#[derive(Debug, Clone)]
pub struct Request {
    /// The id that the body carries. Unique within the process, so never used twice on any session.
    pub id: u64,
    /// The method.
    pub method: Cow<'static, str>,
    /// The whole JSON-RPC message.
    pub body: Bytes,
    /// `params.name` or `params.uri` where a modern upstream wants it as `Mcp-Name`.
    pub name: Option<Box<str>>,
    /// Arguments mirrored into `Mcp-Param-*` headers for a modern upstream.
    pub param_headers: Vec<(HeaderName, HeaderValue)>,
    /// How its client is asked what the upstream asks on other streams.
    pub server_requests: ServerRequests,
}

/// How a client can be asked something while its request is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerRequests {
    /// Not at all.
    Unsupported,
    /// By requests. The upstream may be silent meanwhile, before the head of its answer even.
    AsRequests,
    /// By the answer to this request, which takes up what the upstream asks.
    AsResult,
}

impl Request {
    /// A request of our own.
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
