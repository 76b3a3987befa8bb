//! The server behind a middleware of a test.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Kind;
use super::state::State;
use super::{Reply, Request, http_sse, legacy, modern};

/// A middleware of a test around a server.
pub(super) type Around = dyn Fn(Request, Next) -> BoxFuture<'static, Reply> + Send + Sync;

/// The server with its script.
#[derive(Clone)]
pub struct Next(pub(super) Arc<State>);

impl Next {
    /// Lets the server answer.
    pub async fn reply(self, request: Request) -> Reply {
        let state = self.0;
        if let Some(intercept) = &state.script.intercept
            && let Some(reply) = intercept(&request)
        {
            return reply;
        }
        if let Some(guard) = &state.script.guard
            && let Some(reply) = guard(request.clone()).await
        {
            return reply;
        }
        match state.script.kind {
            Kind::Legacy => legacy::reply(&state, request).await,
            Kind::Modern => modern::reply(&state, request).await,
            Kind::HttpSse => http_sse::reply(&state, request).await,
        }
    }
}
