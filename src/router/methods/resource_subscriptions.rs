//! `resources/subscribe` and `resources/unsubscribe` of a legacy client. A legacy upstream whose main
//! session serves the client gets them as they are; the proxy subscribes to all others itself, always in the
//! main session, which is kept subscribed.

use bytes::Bytes;
use serde_json::json;

use super::params::required_text;
use super::prompts_resources::read_from;
use super::routing::candidates_for;
use super::upstream_subscriptions::{SUBSCRIBE_TIMEOUT, subscribe_at_first};
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::router::call::request::ClientRequest;
use crate::router::client::subscriptions::filter::MAX_URIS;
use crate::router::client::subscriptions::resource::PendingSubscription;
use crate::router::context::Context;
use crate::router::forward::begin_request;
use crate::upstream::{Connection, SubscriptionGuard, Upstream};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";

/// Begins a `resources/subscribe`; its answer goes to the client by itself.
pub(crate) async fn subscribe(ctx: &Context, message: Message, client: Era) {
    if let Some(uri) = required_text(ctx, &message, "uri").await {
        begin_request(ctx, message, client, uri, |ctx, request| async move {
            join(&ctx, &request).await
        })
        .await;
    }
}

/// Begins a `resources/unsubscribe`; its answer goes to the client by itself.
pub(crate) async fn unsubscribe(ctx: &Context, message: Message, client: Era) {
    if let Some(uri) = required_text(ctx, &message, "uri").await {
        begin_request(ctx, message, client, uri, |ctx, request| async move {
            leave(&ctx, &request).await
        })
        .await;
    }
}

async fn join(ctx: &Context, request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let Some(pending) = ctx.session.subscriptions.resources.begin(uri) else {
        let text = format!("subscribed to {MAX_URIS} resources already; unsubscribe from one");
        return request.refused(code::INVALID_PARAMS, &text);
    };
    let mut refused = None;
    for upstream in candidates_for(ctx, uri).await {
        match join_at(ctx, request, &pending, &upstream).await {
            (line, Some(wishes)) => {
                ctx.session.subscriptions.resources.join(&pending, wishes);
                return line;
            }
            (line, None) => refused = Some(line),
        }
    }
    refused.unwrap_or_else(|| unknown_resource(request))
}

async fn join_at(
    ctx: &Context,
    request: &ClientRequest,
    pending: &PendingSubscription<'_>,
    upstream: &Upstream,
) -> (Line, Option<SubscriptionGuard>) {
    let uri = pending.uri().clone();
    let takes = match upstream.wait_for_connection(SUBSCRIBE).await {
        Ok(connection) => takes_as_asked(&connection, request),
        Err(error) => return (request.answered(upstream, Err(error)), None),
    };
    if takes {
        let mark = upstream.subscriptions().epoch();
        let (line, is_taken) = pass(ctx, request, SUBSCRIBE, upstream).await;
        return (
            line,
            is_taken.then(|| upstream.subscribed_by_client(uri, mark)),
        );
    }
    let mut wishes = upstream.subscribe(vec![uri]);
    wishes.wait_until_acknowledged(SUBSCRIBE_TIMEOUT).await;
    if wishes.uris().is_empty() {
        let (name, uri) = (&upstream.config().name, pending.uri());
        let text = format!("`{name}` does not tell of updates of `{uri}`; read it anew instead");
        return (request.refused(code::INVALID_PARAMS, &text), None);
    }
    (done(request), Some(wishes))
}

/// Subscribes the session elsewhere to what it was subscribed to at upstreams that are not there any
/// more, or not as they were.
pub(crate) async fn move_session(ctx: &Context) {
    let is_there = |upstream: &Upstream| ctx.gateway.upstreams.contains(upstream);
    for uri in ctx.session.subscriptions.resources.strays(is_there) {
        // No other request subscribes to the same URI meanwhile, or that subscription stays.
        let Some(pending) = ctx.session.subscriptions.resources.begin(&uri) else {
            continue;
        };
        let old = ctx.session.subscriptions.resources.leave(&uri);
        if let Some(wishes) = subscribe_at_first(ctx, vec![uri]).await.pop() {
            ctx.session.subscriptions.resources.join(&pending, wishes);
        }
        drop(old);
    }
}

async fn leave(ctx: &Context, request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let subscribed = ctx.session.subscriptions.resources.upstream_of(uri);
    let (candidates, own) = match subscribed {
        Some(upstream) => (vec![upstream], 1),
        None => (candidates_for(ctx, uri).await, 0),
    };
    let mut refused = None;
    for upstream in candidates {
        let connection = upstream.connection();
        let takes = connection.is_some_and(|connection| takes_as_asked(&connection, request));
        // A server knows one subscription of the proxy, which others may share.
        if !takes || upstream.subscriptions().count(uri) > own {
            drop(ctx.session.subscriptions.resources.leave(uri));
            return done(request);
        }
        match pass(ctx, request, UNSUBSCRIBE, &upstream).await {
            (line, true) => {
                if let Some(wishes) = ctx.session.subscriptions.resources.leave(uri) {
                    wishes.unsubscribed_by_client();
                }
                return line;
            }
            (line, false) => refused = Some(line),
        }
    }
    refused.unwrap_or_else(|| unknown_resource(request))
}

/// Passes the request on. Returns the upstream's own answer, and whether that is a result.
async fn pass(
    ctx: &Context,
    request: &ClientRequest,
    method: &'static str,
    upstream: &Upstream,
) -> (Line, bool) {
    let uri = &request.subject;
    let quoted = json!(uri).to_string();
    let target = Target::read(method, "uri", uri, quoted.as_bytes());
    read_from(ctx, request, &target, upstream).await
}

/// Whether the client's own request subscribes the main session, and no other.
fn takes_as_asked(connection: &Connection, request: &ClientRequest) -> bool {
    connection.profile.era == Era::Legacy && connection.serves(&request.caller.profile)
}

fn done(request: &ClientRequest) -> Line {
    Line::result(&request.id, Bytes::from_static(b"{}"))
}

fn unknown_resource(request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let text = format!("no server has the resource `{uri}`; list the resources again");
    request.refused(code::INVALID_PARAMS, &text)
}
