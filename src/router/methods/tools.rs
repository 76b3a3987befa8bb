//! `tools/call`: the right upstream for a tool, by the catalog.

use tracing::debug;

use super::params::required_text;
use crate::catalog::Route;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::task::TaskMode;
use crate::router::call::outcome::Outcome;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::proxied_task::follow_task;
use crate::router::forward::task_visibility::{lacks_tasks, learn_task};
use crate::router::forward::{begin_request, forward};
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Begins a `tools/call`; its answer goes to the client by itself.
pub(crate) async fn call(ctx: &Context, message: Message, client: Era) {
    if let Some(name) = required_text(ctx, &message, "name").await {
        begin_request(ctx, message, client, name, |ctx, call| async move {
            answer(&ctx, &call).await
        })
        .await;
    }
}

async fn answer(ctx: &Context, call: &ClientRequest) -> Line {
    match find(ctx, &call.subject).await {
        Some((route, upstream)) => call.answered(&upstream, run(ctx, call, route, &upstream).await),
        None => call.refused(code::INVALID_PARAMS, &unknown_tool(ctx, &call.subject)),
    }
}

/// Finds the tool once every upstream has a listing or has failed: before, the name might lead to another
/// tool than it will, and an early call is not refused for its haste.
async fn find(ctx: &Context, name: &str) -> Option<(Route, Upstream)> {
    ctx.gateway.wait_for_initial_listing().await;
    if let Some(found) = find_now(ctx, name) {
        return Some(found);
    }
    // One of those that are known from an earlier process may have it since.
    ctx.gateway.wait_for_live_listing().await;
    find_now(ctx, name)
}

fn find_now(ctx: &Context, name: &str) -> Option<(Route, Upstream)> {
    let view = ctx.gateway.view.borrow();
    let route = view.catalog.route(name)?;
    let upstream = view.upstreams.get(route.upstream)?.clone();
    Some((route, upstream))
}

/// The text of a refusal of an unknown tool.
fn unknown_tool(ctx: &Context, name: &str) -> String {
    let is_away = |upstream: &&Upstream| upstream.connection().is_none();
    let all = ctx.gateway.upstreams.all();
    let away = all.iter().filter(is_away);
    let named = |upstream: &Upstream| {
        let name = &upstream.config().name;
        match upstream.pool().user_action_required() {
            Some(why) => {
                upstream.pool().connect_soon();
                format!("`{name}` ({why})")
            }
            None => format!("`{name}`"),
        }
    };
    let away: Vec<_> = away.map(named).collect();
    match away.is_empty() {
        true => {
            format!("unknown tool `{name}`; it may be filtered out or gone: list the tools again")
        }
        false => format!(
            "unknown tool `{name}`; these servers are not connected: {}",
            away.join(", ")
        ),
    }
}

/// Returns the response. If the upstream refuses an old schema, or a client without tasks, the call has not
/// run, and is sent once more by the new schema, or as a client with tasks.
async fn run(
    ctx: &Context,
    call: &ClientRequest,
    mut route: Route,
    upstream: &Upstream,
) -> Result<Message, UpstreamError> {
    let refused = || upstream.error("tools/call", TransportError::HeaderMismatch);
    let (mut is_reread, mut is_declared) = (false, false);
    loop {
        let tool = route.tool();
        let task_mode = match is_declared {
            true => TaskMode::ProxyModern,
            false => call.task_mode(tool.task_required),
        };
        let creating = (task_mode != TaskMode::Client).then(|| ctx.session.proxied_tasks.create());
        let target = Target::tool_call(tool).with_task_mode(task_mode);
        match forward(ctx, call, &target, upstream).await? {
            Outcome::Response(response) if !is_declared && lacks_tasks(call, &response) => {
                debug!("the upstream makes a task of it; declaring that for the client");
                is_declared = true;
            }
            Outcome::Response(response) => {
                learn_task(&ctx.session, call, upstream, &response);
                return Ok(response);
            }
            Outcome::TaskCreated(task, era) => {
                drop(creating);
                // Boxed: it is large, and hardly any call becomes a task.
                return Box::pin(follow_task(ctx, call, upstream, *task, era)).await;
            }
            Outcome::StaleToolSchema if is_reread => return Err(refused()),
            Outcome::StaleToolSchema => {
                debug!("the upstream refused our headers; reading its tools again");
                is_reread = true;
                let listing = Box::pin(upstream.refresh_tools()).await;
                let listing = listing.ok_or_else(refused)?;
                route = route.in_listing(listing).ok_or_else(refused)?;
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
    fn what_each_call_holds_is_small() {
        // Every call's task is allocated, and copied once.
        let size = size_of::<&Context, &ClientRequest, _>(answer);
        assert!(size <= 5 << 10, "{size}");
    }
}
