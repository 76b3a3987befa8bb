//! `completion/complete`: suggestions for an argument of a prompt or resource template, from its upstream.
//! MCP § Completion is the same in 2025-11-25 and 2026-07-28.

use serde_json::json;

use super::prompts_resources::{answer_from_upstream, unknown_prompt_text};
use super::routing::{owner_of, owner_of_completion};
use crate::protocol::bridge::target::Target;
use crate::protocol::params::single_string;
use crate::protocol::{Era, ItemKind};
use crate::router::call::request::ClientRequest;
use crate::router::context::Context;
use crate::router::forward::begin_request;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message, members};

const METHOD: &str = "completion/complete";

/// The type of `params.ref`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reference {
    /// A prompt, by name.
    Prompt,
    /// A resource template or resource, by URI.
    Resource,
}

/// Begins a `completion/complete`. The request's task sends the response.
pub(crate) async fn complete(ctx: &Context, message: Message, client: Era) {
    let (reference, subject) = match read_reference(&message) {
        Ok(found) => found,
        Err(reason) => return ctx.refuse(&message, code::INVALID_PARAMS, &reason).await,
    };
    let answer = move |ctx, request| async move {
        match reference {
            Reference::Prompt => complete_prompt(&ctx, &request).await,
            Reference::Resource => complete_resource(&ctx, &request).await,
        }
    };
    begin_request(ctx, message, client, subject, answer).await;
}

async fn complete_prompt(ctx: &Context, request: &ClientRequest) -> Line {
    let name = &request.subject;
    let Some((upstream, item)) = owner_of(ctx, ItemKind::Prompts, name).await else {
        return request.refusal_line(code::INVALID_PARAMS, &unknown_prompt_text(name));
    };
    let target = Target::reference(METHOD, "name", &item.key, &item.quoted_key);
    answer_from_upstream(ctx, request, &target, &upstream)
        .await
        .0
}

async fn complete_resource(ctx: &Context, request: &ClientRequest) -> Line {
    let uri = &request.subject;
    let Some(upstream) = owner_of_completion(ctx, uri).await else {
        let text = format!(
            "unknown resource template `{uri}`; it may be filtered out or gone: list the \
             templates again"
        );
        return request.refusal_line(code::INVALID_PARAMS, &text);
    };
    let quoted = json!(uri).to_string();
    let target = Target::reference(METHOD, "uri", uri, quoted.as_bytes());
    answer_from_upstream(ctx, request, &target, &upstream)
        .await
        .0
}

/// Reads the reference of a request: its type, and the name or URI.
fn read_reference(message: &Message) -> Result<(Reference, String), String> {
    let mut references = message.params_named("ref");
    let (reference, second) = (references.next(), references.next());
    if second.is_some() {
        return Err("`ref` stands twice in the parameters".to_owned());
    }
    let written = reference.map(|reference| reference.value());
    let text = |key: &str| {
        let written = members(written.unwrap_or_default());
        single_string(written.filter(|member| member.key() == key), key, "`ref`")
    };
    let lacking = || {
        "the parameters lack `ref`, an object with `type` `ref/prompt` or `ref/resource`".to_owned()
    };
    match &*written.map_or_else(|| Err(lacking()), |_| text("type"))? {
        "ref/prompt" => Ok((Reference::Prompt, text("name")?)),
        "ref/resource" => Ok((Reference::Resource, text("uri")?)),
        other => Err(format!(
            "`{other}` is not known as the `type` of `ref`; use `ref/prompt` or `ref/resource`"
        )),
    }
}
