//! What a client asks about its tasks, at their owners.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::config::UpstreamName;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::params::only_text;
use crate::protocol::reply::unknown;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::upstream::code::UNAVAILABLE;
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

/// What an upstream said to a request about a task.
enum Told {
    Result,
    Error(Value),
    Nothing,
}

impl Router {
    /// Begins a request about one task; its answer goes to the client by itself.
    pub(crate) async fn ask_about_task(
        self: &Arc<Self>,
        message: Message,
        method: &'static str,
        client: Era,
    ) {
        let subject = method.to_owned();
        self.relay(
            message,
            client,
            subject,
            move |router, request| async move { router.about_task(&request, method).await },
        )
        .await;
    }

    async fn about_task(self: &Arc<Self>, request: &Relayed, method: &'static str) -> Line {
        let (client, message) = (request.speaker.era, &request.message);
        let id = match only_text(message.params_named("taskId"), "taskId", "the parameters") {
            Ok(id) => id,
            Err(_) if self.with_tasks(client).await.is_empty() => {
                return request.refused(code::METHOD_NOT_FOUND, &unknown(method));
            }
            Err(reason) => return request.refused(code::INVALID_PARAMS, &reason),
        };
        let quoted = message.param("taskId").map(|id| id.value());
        let target = Target::task(method, &id, quoted.unwrap_or_default());
        match self.owner_of_task(client, &id) {
            Some(Ok(upstream)) => self.about_task_at(request, &target, &upstream).await.0,
            Some(Err(upstream)) => request.failed(&UpstreamError {
                upstream,
                method: method.to_owned(),
                cause: TransportError::Removed,
            }),
            None => self.about_unknown_task(request, &target, &id).await,
        }
    }

    /// Asks everyone who has tasks, in the order of the configuration, until one knows this one. To the
    /// others the request does nothing.
    async fn about_unknown_task(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        id: &str,
    ) -> Line {
        let mut candidates = self.with_tasks(request.speaker.era).await;
        let all = self.upstreams.all();
        let away = all.iter().filter(|upstream| upstream.ready().is_none());
        let away: Vec<_> = away
            .map(|away| format!("`{}`", away.config().name))
            .collect();
        let has_tasks = !candidates.is_empty();
        let is_only = candidates.len() == 1 && away.is_empty();
        if target.method == "tasks/update" && !is_only {
            // It may answer the questions of a task of the same id elsewhere.
            candidates.clear();
        }
        let mut refused = Map::new();
        for upstream in &candidates {
            let (line, gone, error) = match self.about_task_at(request, target, upstream).await {
                (line, Told::Result) => {
                    self.owned.learn(request.speaker.era, id, upstream.id());
                    return line;
                }
                (line, Told::Error(error)) => (line, false, error),
                (line, Told::Nothing) => (line, true, Value::Null),
            };
            // Who was not heard may be the one. And where there is but one, it says best what is wrong.
            if gone || is_only {
                return line;
            }
            refused.insert(upstream.config().name.to_string(), error);
        }
        if !away.is_empty() {
            // A task outlives connections: it may be theirs.
            let away = away.join(", ");
            let text =
                format!("nobody knows the task `{id}`; these servers are not connected: {away}");
            return request.refused(UNAVAILABLE, &text);
        }
        if !has_tasks {
            return request.refused(code::METHOD_NOT_FOUND, &unknown(&target.method));
        }
        let text = format!("no server takes `{}` for the task `{id}`", target.method);
        let data = json!({"refused": refused});
        Line::error(&request.id, code::INVALID_PARAMS, &text, &data)
    }

    async fn about_task_at(
        self: &Arc<Self>,
        request: &Relayed,
        target: &Target<'_>,
        upstream: &Upstream,
    ) -> (Line, Told) {
        let answer = self.ask(request, target, upstream).await;
        let answer = answer.and_then(|answer| answer.response(target, upstream));
        let told = match &answer {
            Err(_) => Told::Nothing,
            Ok(response) => match response.error() {
                Some(error) => Told::Error(serde_json::from_slice(error).unwrap_or_default()),
                None => Told::Result,
            },
        };
        (request.answered(upstream, answer), told)
    }

    /// Whose task it is, if that one's era is still the client's; or the name of one that is no
    /// longer configured.
    fn owner_of_task(&self, client: Era, id: &str) -> Option<Result<Upstream, UpstreamName>> {
        let upstream = match self.upstreams.by_id_or_name(self.owned.get(client, id)?) {
            Ok(upstream) => upstream,
            Err(gone) => return gone.map(Err),
        };
        let live = upstream.ready();
        live.is_none_or(|live| live.profile.era == client)
            .then_some(Ok(upstream))
    }

    /// The upstreams that have tasks of the client's era.
    async fn with_tasks(&self, client: Era) -> Vec<Upstream> {
        self.heard().await;
        let has_tasks = |upstream: &&Upstream| {
            let live = upstream.ready();
            live.is_some_and(|live| live.profile.era == client && live.profile.has_tasks())
        };
        let all = self.upstreams.all();
        all.iter().filter(has_tasks).cloned().collect()
    }
}
