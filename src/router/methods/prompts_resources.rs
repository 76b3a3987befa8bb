//! `prompts/get` and `resources/read`: route a request to the upstream of the prompt or resource.

use serde_json::json;

use super::params::begin_for_param;
use super::routing::{candidates_for, owner_of};
use crate::protocol::bridge::target::Target;
use crate::protocol::{Era, ItemKind};
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::forward;
use crate::upstream::Upstream;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Begins a `prompts/get`. The request's task sends the response.
pub(crate) async fn get_prompt(ctx: &Context, message: Message, client: Era) {
    let answer = |ctx, request| async move { answer_get(&ctx, &request).await };
    begin_for_param(ctx, message, client, "name", answer).await;
}

/// Begins a `resources/read`. The request's task sends the response.
pub(crate) async fn read_resource(ctx: &Context, message: Message, client: Era) {
    let answer = |ctx, request| async move { answer_read(&ctx, &request).await };
    begin_for_param(ctx, message, client, "uri", answer).await;
}

async fn answer_get(ctx: &Context, request: &ClientRequest) -> Line {
    let name = &request.subject;
    let Some((upstream, item)) = owner_of(ctx, ItemKind::Prompts, name).await else {
        return request.refusal_line(code::INVALID_PARAMS, &unknown_prompt_text(name));
    };
    let target = Target::read("prompts/get", "name", &item.key, &item.quoted_key);
    answer_from_upstream(ctx, request, &target, &upstream)
        .await
        .0
}

/// Reads a resource from the upstream that lists it or has a template for it. Without such an upstream, tries every
/// upstream with resources, in the order of the configuration. Upstreams whose filter excludes the URI are left out.
async fn answer_read(ctx: &Context, request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let quoted = json!(uri).to_string();
    let target = Target::read("resources/read", "uri", uri, quoted.as_bytes());
    let mut refusal = None;
    let suspended_at = request.suspension_handle();
    let suspended_at =
        suspended_at.and_then(|handle| ctx.session.suspended_calls.upstream_of(&handle));
    let candidates = match suspended_at {
        // The client resumes a suspended call at this upstream.
        Some(upstream) => vec![upstream],
        None => candidates_for(ctx, uri).await,
    };
    for upstream in candidates {
        match answer_from_upstream(ctx, request, &target, &upstream).await {
            (line, true) => return line,
            (line, false) => refusal = Some(line),
        }
    }
    refusal.unwrap_or_else(|| {
        let text = format!(
            "no server has the resource `{uri}`; it may be filtered out or gone: list the \
             resources again"
        );
        request.refusal_line(code::INVALID_PARAMS, &text)
    })
}

/// Forwards a request to one upstream. Returns the line that answers it, and whether the line has a result.
pub(crate) async fn answer_from_upstream(
    ctx: &Context,
    request: &ClientRequest,
    target: &Target<'_>,
    upstream: &Upstream,
) -> (Line, bool) {
    let answer = forward(ctx, request, target, upstream).await;
    let answer = answer.and_then(|answer| answer.into_response(target, upstream));
    let has_result = answer
        .as_ref()
        .is_ok_and(|response| response.error().is_none());
    (request.response_line(upstream, answer), has_result)
}

/// Returns the error text for an unknown prompt.
pub(crate) fn unknown_prompt_text(name: &str) -> String {
    format!("unknown prompt `{name}`; it may be filtered out or gone: list the prompts again")
}
