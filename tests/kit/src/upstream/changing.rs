//! Two servers on one port and URL, as behind a load balancer.
//!
//! The second server replaces the first without closing a connection.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Builder, Kind};
use crate::Endpoint;
use crate::raw::{self, Handler, Request};

/// A server that can be replaced by another.
pub struct Changing {
    /// The HTTP requests to either server.
    pub raw: raw::Server,
    has_changed: Arc<AtomicBool>,
}

/// Starts `first`, which `second` can replace. Both serve `/mcp`, whatever their kind.
pub fn changing(first: Builder, second: Builder) -> Changing {
    let (first, second) = (at_mcp(first), at_mcp(second));
    let has_changed = Arc::new(AtomicBool::new(false));
    let changed = has_changed.clone();
    let handler = raw::handler_of(move |request| match changed.load(Ordering::SeqCst) {
        true => second(request),
        false => first(request),
    });
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    Changing {
        raw: raw::start(address, None, handler),
        has_changed,
    }
}

fn at_mcp(builder: Builder) -> Handler {
    let is_http_sse = builder.kind == Kind::HttpSse;
    let (_, handler) = builder.build();
    Arc::new(move |mut request: Request| {
        if is_http_sse && request.path == "/mcp" {
            "/sse".clone_into(&mut request.path);
        }
        handler(request)
    })
}

impl Endpoint for Changing {
    fn url(&self) -> String {
        self.raw.url()
    }
}

impl Changing {
    /// Replaces the first server by the second.
    pub fn change(&self) {
        self.has_changed.store(true, Ordering::SeqCst);
    }
}
