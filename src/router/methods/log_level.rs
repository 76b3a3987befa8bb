//! `logging/setLevel` of a legacy client.

use futures_util::future::join_all;

use super::params::required_text;
use crate::protocol::{Era, LogLevel};
use crate::router::client::log_filter::unknown_level;
use crate::router::context::Context;
use crate::router::forward::begin_request;
use crate::upstream::{SessionPool, Upstream};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Answers `logging/setLevel` once every connected upstream has applied the level or timed out.
pub(crate) async fn set_level(ctx: &Context, message: Message, client: Era) {
    let Some(named) = required_text(ctx, &message, "level").await else {
        return;
    };
    let Some(level) = LogLevel::parse(&named) else {
        let text = unknown_level(&named);
        return ctx.refuse(&message, code::INVALID_PARAMS, &text).await;
    };
    // Set before the request's task starts, so that all later requests have the level.
    ctx.session.profiles.set_level(level);
    for upstream in ctx.gateway.upstreams.all().iter() {
        upstream.set_level(ctx.session.id, Some(level));
    }
    begin_request(ctx, message, client, named, |ctx, request| async move {
        let upstreams = ctx.gateway.upstreams.all();
        let pools = upstreams.iter().map(Upstream::pool);
        join_all(pools.map(SessionPool::wait_until_level_applied)).await;
        Line::result(&request.id, &b"{}"[..])
    })
    .await;
}
