//! A request on its way to an upstream: the body as it will be sent, and what transports need of it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::flow::deadline::Pulse;

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
    pub mirrored: Vec<(HeaderName, HeaderValue)>,
    /// How its client is asked what the upstream asks on other streams.
    pub asking: Asking,
    /// Its signs of life.
    pub pulse: Pulse,
}

/// How a client can be asked something while its request is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Not at all.
    Never,
    /// By requests. The upstream may be silent meanwhile, before the head of its answer even.
    ByRequests,
    /// By the answer to this request, which takes up what the upstream asks.
    ByAnswer,
}

impl Request {
    /// A request of our own.
    #[must_use]
    pub fn ours(id: u64, method: &'static str, params: &Value) -> Self {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        Self {
            id,
            method: method.into(),
            body: body.to_string().into(),
            name: None,
            mirrored: Vec::new(),
            asking: Asking::Never,
            pulse: Pulse::default(),
        }
    }
}

/// `notifications/cancelled` when it is we who give up (MCP 2025-11-25 § Cancellation).
#[must_use]
pub fn cancelled(id: impl Into<Value>, reason: &str) -> Bytes {
    let params = json!({"requestId": id.into(), "reason": reason});
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        .to_string()
        .into()
}

/// An id for the next request. One sequence for all upstreams: an id is never used twice.
#[must_use]
pub fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
