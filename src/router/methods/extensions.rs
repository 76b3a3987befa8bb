//! Requests that are not in MCP: methods of extensions, and of single servers. They are forwarded unchanged to the
//! only upstream, or to the one that declares the extension.

use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::reply::unknown_method_text;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::context::gateway::Gateway;
use crate::router::forward::{begin_request, forward};
use crate::upstream::Upstream;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Begins a request of an extension. The request's task sends the response.
pub(crate) async fn call(ctx: &Context, message: Message, client: Era) {
    let method = message.method().into_owned();
    if method.is_empty() {
        let text = unknown_method_text(&method);
        return ctx.refuse(&message, code::METHOD_NOT_FOUND, &text).await;
    }
    begin_request(ctx, message, client, method, |ctx, request| async move {
        answer(&ctx, &request).await
    })
    .await;
}

async fn answer(ctx: &Context, request: &ClientRequest) -> Line {
    let method = &request.subject;
    let Some(upstream) = owner_of_method(&ctx.gateway, method).await else {
        return request.refusal_line(code::METHOD_NOT_FOUND, &unknown_method_text(method));
    };
    let target = Target::extension(method);
    let outcome = forward(ctx, request, &target, &upstream).await;
    let answer = outcome.and_then(|outcome| outcome.into_response(&target, &upstream));
    request.response_line(&upstream, answer)
}

/// Returns the only upstream, or the first that declares the method's family: the part before `/`.
async fn owner_of_method(gateway: &Gateway, method: &str) -> Option<Upstream> {
    if let [only] = &gateway.upstreams.all()[..] {
        return Some(only.clone());
    }
    gateway.wait_for_initial_listing().await;
    let (family, _) = method.split_once('/')?;
    let declares = |upstream: &&Upstream| {
        let profile = upstream.offers().profile();
        profile.is_some_and(|profile| profile.declares(family))
    };
    gateway.upstreams.all().iter().find(declares).cloned()
}
