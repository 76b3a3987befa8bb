//! `completion/complete`: suggestions for an argument of a prompt or of a resource template, from
//! the upstream whose it is (MCP § Completion, the same in 2025-11-25 and 2026-07-28).

use std::sync::Arc;

use serde_json::json;

use crate::catalog::UriRoute;
use crate::protocol::Era;
use crate::protocol::ItemKind;
use crate::protocol::bridge::target::Target;
use crate::protocol::params::only_text;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::upstream::Upstream;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message, members};

const METHOD: &str = "completion/complete";

/// What an argument is completed for, by `params.ref`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reference {
    /// A prompt, by its name.
    Prompt,
    /// A resource template by its text, or a URI.
    Resource,
}

impl Router {
    /// Begins a `completion/complete`; its answer goes to the client by itself.
    pub(crate) async fn complete(self: &Arc<Self>, message: Message, client: Era) {
        let (reference, subject) = match referred(&message) {
            Ok(found) => found,
            Err(reason) => return self.refuse(&message, code::INVALID_PARAMS, &reason).await,
        };
        self.relay(
            message,
            client,
            subject,
            move |router, request| async move {
                match reference {
                    Reference::Prompt => router.complete_prompt(&request).await,
                    Reference::Resource => router.complete_resource(&request).await,
                }
            },
        )
        .await;
    }

    async fn complete_prompt(self: &Arc<Self>, request: &Relayed) -> Line {
        let name = &request.subject;
        let Some((upstream, item)) = self.owner(ItemKind::Prompts, name).await else {
            return request.refused(
                code::INVALID_PARAMS,
                &crate::router::methods::prompts_resources::unknown_prompt(name),
            );
        };
        let target = Target::referred(METHOD, "name", &item.key, &item.quoted_key);
        self.read_from(request, &target, &upstream).await.0
    }

    async fn complete_resource(self: &Arc<Self>, request: &Relayed) -> Line {
        let uri = &request.subject;
        let Some(upstream) = self.who_completes(uri).await else {
            let text = format!(
                "unknown resource template `{uri}`; it may be filtered out or gone: list the \
                 templates again"
            );
            return request.refused(code::INVALID_PARAMS, &text);
        };
        let quoted = json!(uri).to_string();
        let target = Target::referred(METHOD, "uri", uri, quoted.as_bytes());
        self.read_from(request, &target, &upstream).await.0
    }

    /// Who lists this very template, or this resource, or has a template for it.
    async fn who_completes(&self, uri: &str) -> Option<Upstream> {
        for kind in [ItemKind::ResourceTemplates, ItemKind::Resources] {
            if let Some((upstream, _)) = self.owner(kind, uri).await {
                return Some(upstream);
            }
        }
        let (mut reaches, upstreams) = self.reach(&[uri]).await;
        match reaches.pop()? {
            UriRoute::Owner(upstream) => upstreams.get(upstream).cloned(),
            UriRoute::Candidates(_) => None,
        }
    }
}

/// What a request refers to: the kind, and the name or URI.
fn referred(message: &Message) -> Result<(Reference, String), String> {
    let mut references = message.params_named("ref");
    let (reference, second) = (references.next(), references.next());
    if second.is_some() {
        return Err("`ref` stands twice in the parameters".to_owned());
    }
    let written = reference.map(|reference| reference.value());
    let text = |key: &str| {
        let written = members(written.unwrap_or_default());
        only_text(written.filter(|member| member.key() == key), key, "`ref`")
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
