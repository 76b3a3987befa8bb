//! `prompts/get` and `resources/read`: the right upstream for a prompt or a resource.

use std::sync::Arc;

use serde_json::json;

use crate::catalog::UriRoute;
use crate::protocol::Era;
use crate::protocol::ItemKind;
use crate::protocol::bridge::target::Target;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::upstream::Upstream;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

impl Router {
    /// Begins a `prompts/get`; its answer goes to the client by itself.
    pub(crate) async fn get_prompt(self: &Arc<Self>, message: Message, client: Era) {
        if let Some(name) = self.only(&message, "name").await {
            self.relay(message, client, name, |router, request| async move {
                router.get(&request).await
            })
            .await;
        }
    }

    /// Begins a `resources/read`; its answer goes to the client by itself.
    pub(crate) async fn read_resource(self: &Arc<Self>, message: Message, client: Era) {
        if let Some(uri) = self.only(&message, "uri").await {
            self.relay(message, client, uri, |router, request| async move {
                router.read(&request).await
            })
            .await;
        }
    }

    async fn get(self: &Arc<Self>, request: &Relayed) -> Line {
        let name = &request.subject;
        let Some((upstream, item)) = self.owner(ItemKind::Prompts, name).await else {
            return request.refused(code::INVALID_PARAMS, &unknown_prompt(name));
        };
        let target = Target::read("prompts/get", "name", &item.key, &item.quoted_key);
        self.read_from(request, &target, &upstream).await.0
    }

    /// Asks who lists the resource, or has a template for it; nobody else knowing it, everyone
    /// who has resources, in the order of the configuration, until one has it. No upstream is
    /// asked for what its own filter keeps out.
    async fn read(self: &Arc<Self>, request: &Relayed) -> Line {
        let uri = &request.subject;
        let quoted = json!(uri).to_string();
        let target = Target::read("resources/read", "uri", uri, quoted.as_bytes());
        let mut refused = None;
        let held = request.parked_under();
        let held = held.and_then(|handle| self.parking.holds(&handle));
        let who = match held {
            // The client comes back to a call of this one.
            Some(upstream) => vec![upstream],
            None => self.who_has(uri).await,
        };
        for upstream in who {
            match self.read_from(request, &target, &upstream).await {
                (line, true) => return line,
                (line, false) => refused = Some(line),
            }
        }
        refused.unwrap_or_else(|| {
            let text = format!(
                "no server has the resource `{uri}`; it may be filtered out or gone: list the \
                 resources again"
            );
            request.refused(code::INVALID_PARAMS, &text)
        })
    }

    pub(crate) async fn who_has(&self, uri: &str) -> Vec<Upstream> {
        let who = self.who_have(&[uri]).await.pop();
        who.unwrap_or_default()
    }

    /// Who may have each of these resources, in the order in which to ask.
    pub(crate) async fn who_have(&self, uris: &[&str]) -> Vec<Vec<Upstream>> {
        let (reaches, upstreams) = self.reach(uris).await;
        let at = |upstream: usize| upstreams.get(upstream).cloned();
        let who = |reach| match reach {
            UriRoute::Owner(upstream) => at(upstream).into_iter().collect(),
            UriRoute::Candidates(upstreams) => {
                let offering = |upstream: &Upstream| upstream.serves(ItemKind::Resources);
                let all = upstreams.into_iter().filter_map(at);
                all.filter(offering).collect()
            }
        };
        reaches.into_iter().map(who).collect()
    }

    /// The line that answers the request, and whether it carries a result.
    pub(crate) async fn read_from(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> (Line, bool) {
        let answer = self.ask(request, target, upstream).await;
        let answer = answer.and_then(|answer| answer.response(target, upstream));
        let has_result = answer
            .as_ref()
            .is_ok_and(|response| response.error().is_none());
        (request.answered(upstream, answer), has_result)
    }
}

/// What to say of a prompt that nobody has.
pub(crate) fn unknown_prompt(name: &str) -> String {
    format!("unknown prompt `{name}`; it may be filtered out or gone: list the prompts again")
}
