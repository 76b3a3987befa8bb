//! `resources/subscribe` and `resources/unsubscribe` of a legacy client.
//!
//! If the main session of a legacy upstream serves the client, the request is forwarded. At any other upstream the
//! proxy subscribes itself, always in the main session, and renews the subscription after a reconnect.

use bytes::Bytes;
use serde_json::json;

use super::params::begin_for_param;
use super::prompts_resources::answer_from_upstream;
use super::routing::candidates_for;
use super::upstream_subscriptions::{SUBSCRIBE_TIMEOUT, subscribe_at_candidates};
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::router::call::request::ClientRequest;
use crate::router::client::subscriptions::filter::MAX_URIS;
use crate::router::client::subscriptions::resource::PendingSubscription;
use crate::router::context::Context;
use crate::upstream::{Connection, SubscriptionGuard, Upstream};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";

/// Begins a `resources/subscribe`. The request's task sends the response.
pub(crate) async fn subscribe(ctx: &Context, message: Message, client: Era) {
    let answer = |ctx, request| async move { answer_subscribe(&ctx, &request).await };
    begin_for_param(ctx, message, client, "uri", answer).await;
}

/// Begins a `resources/unsubscribe`. The request's task sends the response.
pub(crate) async fn unsubscribe(ctx: &Context, message: Message, client: Era) {
    let answer = |ctx, request| async move { answer_unsubscribe(&ctx, &request).await };
    begin_for_param(ctx, message, client, "uri", answer).await;
}

async fn answer_subscribe(ctx: &Context, request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let Some(pending) = ctx.session.subscriptions.resources.begin(uri) else {
        let text = format!(
            "the client is subscribed to {MAX_URIS} resources already; unsubscribe from one"
        );
        return request.refusal_line(code::INVALID_PARAMS, &text);
    };
    let mut refusal = None;
    for upstream in candidates_for(ctx, uri).await {
        match subscribe_at(ctx, request, &pending, &upstream).await {
            (line, Some(guard)) => {
                ctx.session.subscriptions.resources.set(&pending, guard);
                return line;
            }
            (line, None) => refusal = Some(line),
        }
    }
    refusal.unwrap_or_else(|| unknown_resource_line(request))
}

async fn subscribe_at(
    ctx: &Context,
    request: &ClientRequest,
    pending: &PendingSubscription<'_>,
    upstream: &Upstream,
) -> (Line, Option<SubscriptionGuard>) {
    let uri = pending.uri().clone();
    let forwards_request = match upstream.wait_for_connection(SUBSCRIBE).await {
        Ok(connection) => serves_main_session(&connection, request),
        Err(error) => return (request.response_line(upstream, Err(error)), None),
    };
    if forwards_request {
        let epoch = upstream.subscriptions().epoch();
        let (line, is_accepted) = forward_to_upstream(ctx, request, SUBSCRIBE, upstream).await;
        return (
            line,
            is_accepted.then(|| upstream.subscribed_by_client(uri, epoch)),
        );
    }
    let mut guard = upstream.subscribe(vec![uri]);
    guard.wait_until_acknowledged(SUBSCRIBE_TIMEOUT).await;
    if guard.uris().is_empty() {
        let (name, uri) = (&upstream.config().name, pending.uri());
        let text = format!("`{name}` sends no updates of `{uri}`; read the resource again instead");
        return (request.refusal_line(code::INVALID_PARAMS, &text), None);
    }
    (empty_result(request), Some(guard))
}

/// Moves the session's subscriptions at removed or reconfigured upstreams to the current ones.
pub(crate) async fn move_resource_subscriptions(ctx: &Context) {
    let is_configured = |upstream: &Upstream| ctx.gateway.upstreams.contains(upstream);
    for uri in ctx
        .session
        .subscriptions
        .resources
        .uris_at_removed_upstreams(is_configured)
    {
        // A pending entry keeps the updates of this URI accepted during the move.
        let Some(pending) = ctx.session.subscriptions.resources.begin(&uri) else {
            continue;
        };
        let old = ctx.session.subscriptions.resources.remove(&uri);
        if let Some(guard) = subscribe_at_candidates(ctx, vec![uri]).await.pop() {
            ctx.session.subscriptions.resources.set(&pending, guard);
        }
        drop(old);
    }
}

async fn answer_unsubscribe(ctx: &Context, request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let subscribed = ctx.session.subscriptions.resources.upstream_of(uri);
    let (candidates, own_count) = match subscribed {
        Some(upstream) => (vec![upstream], 1),
        None => (candidates_for(ctx, uri).await, 0),
    };
    let mut refusal = None;
    for upstream in candidates {
        let connection = upstream.connection();
        let forwards_request =
            connection.is_some_and(|connection| serves_main_session(&connection, request));
        // Several clients may share the proxy's one subscription at the server.
        if !forwards_request || upstream.subscriptions().count(uri) > own_count {
            drop(ctx.session.subscriptions.resources.remove(uri));
            return empty_result(request);
        }
        match forward_to_upstream(ctx, request, UNSUBSCRIBE, &upstream).await {
            (line, true) => {
                if let Some(guard) = ctx.session.subscriptions.resources.remove(uri) {
                    guard.unsubscribed_by_client();
                }
                return line;
            }
            (line, false) => refusal = Some(line),
        }
    }
    refusal.unwrap_or_else(|| unknown_resource_line(request))
}

/// Forwards the request. Returns the upstream's response, and whether it is a result.
async fn forward_to_upstream(
    ctx: &Context,
    request: &ClientRequest,
    method: &'static str,
    upstream: &Upstream,
) -> (Line, bool) {
    let uri = &request.subject;
    let quoted = json!(uri).to_string();
    let target = Target::read(method, "uri", uri, quoted.as_bytes());
    answer_from_upstream(ctx, request, &target, upstream).await
}

/// Returns `true` if the client's own request would subscribe the upstream's main session.
fn serves_main_session(connection: &Connection, request: &ClientRequest) -> bool {
    connection.server_profile.era == Era::Legacy && connection.serves(&request.caller.profile)
}

fn empty_result(request: &ClientRequest) -> Line {
    Line::result(&request.id, Bytes::from_static(b"{}"))
}

fn unknown_resource_line(request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let text = format!("no server has the resource `{uri}`; list the resources again");
    request.refusal_line(code::INVALID_PARAMS, &text)
}
