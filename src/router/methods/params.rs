//! The parameters by which requests are routed.

use crate::protocol::Era;
use crate::protocol::params::single_string;
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::begin_request;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// Begins a request whose subject is the parameter of this name. Rejects a request without it.
pub(crate) async fn begin_for_param<F>(
    ctx: &Context,
    message: Message,
    client: Era,
    key: &str,
    answer: impl FnOnce(Context, ClientRequest) -> F + Send + 'static,
) where
    F: Future<Output = Line> + Send,
{
    if let Some(subject) = required_text(ctx, &message, key).await {
        begin_request(ctx, message, client, subject, answer).await;
    }
}

/// Returns the string parameter of this name. Rejects a request without it, or with two of them.
pub(crate) async fn required_text(ctx: &Context, request: &Message, key: &str) -> Option<String> {
    match single_string(request.params_named(key), key, "the parameters") {
        Ok(value) => Some(value),
        Err(reason) => {
            ctx.refuse(request, code::INVALID_PARAMS, &reason).await;
            None
        }
    }
}

/// Rejects a request with a cursor, and returns `true` if it did. Merged listings have one page, so no cursor is
/// valid.
pub(crate) async fn refuse_cursor(ctx: &Context, request: &Message) -> bool {
    let cursor = request.param("cursor");
    if cursor.is_none_or(|cursor| cursor.value() == b"null") {
        return false;
    }
    let text = "unknown cursor; listings have one page";
    ctx.refuse(request, code::INVALID_PARAMS, text).await;
    true
}
