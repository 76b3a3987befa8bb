//! `tools/call`: routes a call to the tool's upstream by the catalog.

use tracing::debug;

use super::params::begin_for_param;
use crate::catalog::Route;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::task::TaskMode;
use crate::router::call::outcome::Outcome;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::forward;
use crate::router::forward::proxied_task::follow_to_end;
use crate::router::forward::task_visibility::{record_created_task, requires_tasks};
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Begins a `tools/call`. The call's task sends the response.
pub(crate) async fn call(ctx: &Context, message: Message, client: Era) {
    let answer = |ctx, call| async move { answer(&ctx, &call).await };
    begin_for_param(ctx, message, client, "name", answer).await;
}

async fn answer(ctx: &Context, call: &ClientRequest) -> Line {
    match find_tool(ctx, &call.subject).await {
        Some((route, upstream)) => {
            call.response_line(&upstream, forward_call(ctx, call, route, &upstream).await)
        }
        None => reject_unknown_tool(ctx, call),
    }
}

/// Finds the tool, after every upstream has a listing or has failed. Before that, the name may route to another
/// tool, or to none.
async fn find_tool(ctx: &Context, name: &str) -> Option<(Route, Upstream)> {
    ctx.gateway.wait_for_initial_listing().await;
    if let Some(tool) = find_tool_now(ctx, name) {
        return Some(tool);
    }
    // A live listing may have a tool that the cached listing lacks.
    ctx.gateway.wait_for_live_listing().await;
    find_tool_now(ctx, name)
}

fn find_tool_now(ctx: &Context, name: &str) -> Option<(Route, Upstream)> {
    let view = ctx.gateway.view.borrow();
    let route = view.catalog.route(name)?;
    let upstream = view.upstreams.get(route.upstream)?.clone();
    Some((route, upstream))
}

/// Rejects a call of an unknown tool. Reconnects the upstreams that require user action, as the user may have acted.
fn reject_unknown_tool(ctx: &Context, call: &ClientRequest) -> Line {
    let name = &call.subject;
    let is_disconnected = |upstream: &&Upstream| upstream.connection().is_none();
    let all = ctx.gateway.upstreams.all();
    let disconnected = all.iter().filter(is_disconnected);
    let named = |upstream: &Upstream| {
        let name = &upstream.config().name;
        match upstream.pool().user_action_required() {
            Some(action) => {
                upstream.pool().connect_soon();
                format!("`{name}` ({action})")
            }
            None => format!("`{name}`"),
        }
    };
    let disconnected: Vec<_> = disconnected.map(named).collect();
    let text = match disconnected.is_empty() {
        true => {
            format!("unknown tool `{name}`; it may be filtered out or gone: list the tools again")
        }
        false => format!(
            "unknown tool `{name}`; these servers are not connected: {}",
            disconnected.join(", ")
        ),
    };
    call.refusal_line(code::INVALID_PARAMS, &text)
}

/// Forwards the call and returns the response. The call is sent once more if the upstream rejected it without
/// running it:
///
/// - because of an old schema: with the refreshed schema;
/// - because the client has not declared tasks: with tasks declared by the proxy.
async fn forward_call(
    ctx: &Context,
    call: &ClientRequest,
    mut route: Route,
    upstream: &Upstream,
) -> Result<Message, UpstreamError> {
    let header_mismatch = || upstream.error("tools/call", TransportError::HeaderMismatch);
    let (mut has_refreshed_tools, mut declares_tasks) = (false, false);
    loop {
        let tool = route.tool();
        let task_mode = match declares_tasks {
            true => TaskMode::ProxyModern,
            false => call.task_mode(tool.task_required),
        };
        let creation_guard =
            (task_mode != TaskMode::Client).then(|| ctx.session.proxied_tasks.begin_creation());
        let target = Target::tool_call(tool).with_task_mode(task_mode);
        match forward(ctx, call, &target, upstream).await? {
            Outcome::Response(response) if !declares_tasks && requires_tasks(call, &response) => {
                debug!("the tool requires a task; declaring tasks for the client");
                declares_tasks = true;
            }
            Outcome::Response(response) => {
                record_created_task(&ctx.session, call, upstream, &response);
                return Ok(response);
            }
            Outcome::TaskCreated(task, era) => {
                drop(creation_guard);
                // Boxed: large, and few calls create a task.
                return Box::pin(follow_to_end(ctx, call, upstream, *task, era)).await;
            }
            Outcome::StaleToolSchema if has_refreshed_tools => return Err(header_mismatch()),
            Outcome::StaleToolSchema => {
                debug!("the upstream rejected the parameter headers; refreshing its tools");
                has_refreshed_tools = true;
                let listing = Box::pin(upstream.refresh_tools()).await;
                let listing = listing.ok_or_else(header_mismatch)?;
                route = route.find_in_listing(listing).ok_or_else(header_mismatch)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    #[test]
    fn future_of_a_call_is_small() {
        // The future is allocated and copied once for every call.
        let size = size_of::<&Context, &ClientRequest, _>(answer);
        assert!(size <= 5 << 10, "{size}");
    }
}
