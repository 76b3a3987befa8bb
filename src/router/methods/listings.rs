//! The list methods. Tools come from the catalog. Other items come from the upstreams, or from the cached listing
//! of a disconnected upstream.

use bytes::Bytes;
use tracing::debug;

use super::params::refuse_cursor;
use super::routing::list_at_upstreams;
use crate::protocol::{Era, ItemKind};
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::begin_request;
use crate::wire::{Line, Message};

/// Answers `tools/list`. Before the initial listing is done, waits for it up to a time limit.
pub(crate) async fn list_tools(ctx: &Context, request: Message, client: Era) {
    if refuse_cursor(ctx, &request).await {
        return;
    }
    if ctx.gateway.view.borrow().initial_listing_done
        && let Some(id) = request.id()
    {
        return ctx
            .send(Line::result(&id, list_catalog_tools(ctx, client)))
            .await;
    }
    let subject = "tools".to_owned();
    let answer = move |ctx: Context, request: ClientRequest| async move {
        ctx.gateway.wait_for_initial_listing().await;
        Line::result(&request.id, list_catalog_tools(&ctx, client))
    };
    begin_request(ctx, request, client, subject, answer).await;
}

/// Answers a list method of another kind. Requests the listing of every upstream that has the kind.
pub(crate) async fn list_items(ctx: &Context, request: Message, kind: ItemKind, client: Era) {
    if refuse_cursor(ctx, &request).await {
        return;
    }
    let subject = kind.result_member().to_owned();
    let answer = move |ctx: Context, request: ClientRequest| async move {
        let upstreams = ctx.gateway.upstreams.all();
        let items = list_at_upstreams(&ctx, kind, &upstreams).await;
        let result = list_result(kind.result_member(), &items.definitions(), client);
        Line::result(&request.id, result)
    };
    begin_request(ctx, request, client, subject, answer).await;
}

/// Returns the result of `tools/list`, and records the catalog as sent to the client.
fn list_catalog_tools(ctx: &Context, client: Era) -> Bytes {
    let catalog = ctx.gateway.view.borrow().catalog.clone();
    debug!(tools = catalog.len(), "listed");
    ctx.session.announced_tools.record_sent(&catalog);
    list_result("tools", &catalog.tools(client), client)
}

/// Returns the result of a list method. Modern clients must not cache it: it changes with every upstream's listing
/// (MCP 2026-07-28 § Caching).
fn list_result(member: &str, definitions: &[u8], client: Era) -> Bytes {
    let hints = match client {
        Era::Legacy => "",
        Era::Modern => r#""resultType":"complete","ttlMs":0,"cacheScope":"private","#,
    };
    let head = format!("{{{hints}\"{member}\":");
    [head.as_bytes(), definitions, b"}"].concat().into()
}
