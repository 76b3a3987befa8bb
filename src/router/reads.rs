//! `prompts/get` and `resources/read`: the right upstream for a prompt or a resource.

use std::sync::Arc;

use serde_json::json;

use super::Router;
use super::bridge::Target;
use super::relay::Relayed;
use crate::catalog::Owner;
use crate::upstream::{Kind, Upstream};
use crate::wire::outgoing::code;
use crate::wire::{Era, Line, Message};

impl Router {
    /// Begins a `prompts/get`; its answer goes to the client by itself.
    pub(super) async fn get_prompt(self: &Arc<Self>, message: Message, client: Era) {
        if let Some(name) = self.only(&message, "name").await {
            self.relay(message, client, name, |router, request| async move {
                router.get(&request).await
            })
            .await;
        }
    }

    /// Begins a `resources/read`; its answer goes to the client by itself.
    pub(super) async fn read_resource(self: &Arc<Self>, message: Message, client: Era) {
        if let Some(uri) = self.only(&message, "uri").await {
            self.relay(message, client, uri, |router, request| async move {
                router.read(&request).await
            })
            .await;
        }
    }

    async fn get(&self, request: &Relayed) -> Line {
        let name = &request.subject;
        let owner = self.owner(Kind::Prompts, name).await;
        let upstream = owner
            .as_ref()
            .and_then(|owner| self.upstreams.get(owner.upstream));
        let (Some(Owner { item, .. }), Some(upstream)) = (&owner, upstream) else {
            let text = format!("unknown prompt `{name}`; list the prompts again");
            return request.refused(code::INVALID_PARAMS, &text);
        };
        let target = Target::read("prompts/get", "name", &item.key, &item.quoted_key);
        self.read_from(request, &target, upstream).await.0
    }

    /// Asks who lists the resource, or has a template for it; nobody else knowing it, everyone
    /// who has resources, in the order of the configuration, until one has it.
    async fn read(&self, request: &Relayed) -> Line {
        let uri = &request.subject;
        let quoted = json!(uri).to_string();
        let target = Target::read("resources/read", "uri", uri, quoted.as_bytes());
        let mut refused = None;
        for upstream in self.who_has(uri).await {
            match self.read_from(request, &target, upstream).await {
                (line, true) => return line,
                (line, false) => refused = Some(line),
            }
        }
        refused.unwrap_or_else(|| {
            let text = format!("no server has the resource `{uri}`; list the resources again");
            request.refused(code::INVALID_PARAMS, &text)
        })
    }

    pub(super) async fn who_has(&self, uri: &str) -> Vec<&Upstream> {
        let who = self.who_have(&[uri]).await.pop();
        who.unwrap_or_default()
    }

    /// Who may have each of these resources, in the order in which to ask.
    pub(super) async fn who_have(&self, uris: &[&str]) -> Vec<Vec<&Upstream>> {
        let mut owners = self.owners(Kind::Resources, uris).await;
        if owners.iter().any(Option::is_none) {
            let by_template = self.owners(Kind::ResourceTemplates, uris).await;
            for (owner, by_template) in owners.iter_mut().zip(by_template) {
                *owner = owner.take().or(by_template);
            }
        }
        let offering = |upstream: &&Upstream| upstream.offers(Kind::Resources);
        let who = |owner: Option<Owner>| match owner
            .and_then(|owner| self.upstreams.get(owner.upstream))
        {
            Some(upstream) => vec![upstream],
            None => self.upstreams.iter().filter(offering).collect(),
        };
        owners.into_iter().map(who).collect()
    }

    /// The line that answers the request, and whether it carries a result.
    pub(super) async fn read_from(
        &self,
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
