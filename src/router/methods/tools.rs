//! `tools/call`: the right upstream for a tool, by the catalog.

use std::sync::Arc;

use tracing::debug;

use crate::catalog::Route;
use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::params::only_text;
use crate::protocol::task::AsTask;
use crate::router::Router;
use crate::router::call::outcome::Answer;
use crate::router::call::request::Relayed;
use crate::upstream::{TransportError, Upstream, UpstreamError};
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

impl Router {
    /// Begins a `tools/call`; its answer goes to the client by itself.
    pub(crate) async fn call_tool(self: &Arc<Self>, message: Message, client: Era) {
        if let Some(name) = self.only(&message, "name").await {
            self.relay(message, client, name, |router, call| async move {
                router.call(&call).await
            })
            .await;
        }
    }

    async fn call(self: &Arc<Self>, call: &Relayed) -> Line {
        match self.find(&call.subject).await {
            Some((route, upstream)) => {
                call.answered(&upstream, self.run(call, route, &upstream).await)
            }
            None => call.refused(code::INVALID_PARAMS, &self.unknown(&call.subject)),
        }
    }

    /// Finds the tool once every upstream was heard or given up for the moment: before, the name
    /// might lead to another than it will, and an early call is not refused for its haste.
    async fn find(&self, name: &str) -> Option<(Route, Upstream)> {
        self.heard().await;
        if let Some(found) = self.find_now(name) {
            return Some(found);
        }
        // Of those that are remembered one may have it since.
        self.heard_afresh().await;
        self.find_now(name)
    }

    fn find_now(&self, name: &str) -> Option<(Route, Upstream)> {
        let view = self.view.borrow();
        let route = view.catalog.route(name)?;
        let upstream = view.upstreams.get(route.upstream)?.clone();
        Some((route, upstream))
    }

    /// What to say of a tool that nobody has.
    fn unknown(&self, name: &str) -> String {
        let is_away = |upstream: &&Upstream| upstream.ready().is_none();
        let all = self.upstreams.all();
        let away = all.iter().filter(is_away);
        let named = |upstream: &Upstream| {
            let name = &upstream.config().name;
            match upstream.waits_for_a_person() {
                Some(why) => format!("`{name}` ({why})"),
                None => format!("`{name}`"),
            }
        };
        let away: Vec<_> = away.map(named).collect();
        match away.is_empty() {
            true => format!(
                "unknown tool `{name}`; it may be filtered out or gone: list the tools again"
            ),
            false => format!(
                "unknown tool `{name}`; these servers are not connected: {}",
                away.join(", ")
            ),
        }
    }

    /// Gets the response. When the upstream refuses an old schema, or a client without tasks, the
    /// call has not run, and is sent once more by the new one, or as a client with them.
    async fn run(
        self: &Arc<Self>,
        call: &Relayed,
        mut route: Route,
        upstream: &Upstream,
    ) -> Result<Message, UpstreamError> {
        let refused = || upstream.error("tools/call", TransportError::HeaderMismatch);
        let (mut is_reread, mut is_declared) = (false, false);
        loop {
            let tool = route.tool();
            let as_task = match is_declared {
                true => AsTask::Declared,
                false => call.as_task(tool.task_required),
            };
            let creating = (as_task != AsTask::Theirs).then(|| self.errands.create());
            let target = Target::tool(tool).for_task(as_task);
            match self.ask(call, &target, upstream).await? {
                Answer::Response(response)
                    if !is_declared && Self::lacks_tasks(call, &response) =>
                {
                    debug!("the upstream makes a task of it; declaring that for the client");
                    is_declared = true;
                }
                Answer::Response(response) => {
                    self.learn_task(call, upstream, &response);
                    return Ok(response);
                }
                Answer::Task(task, era) => {
                    drop(creating);
                    // Boxed: it is large, and hardly any call becomes a task.
                    return Box::pin(self.follow_task(call, upstream, *task, era)).await;
                }
                Answer::Stale if is_reread => return Err(refused()),
                Answer::Stale => {
                    debug!("the upstream refused our headers; reading its tools again");
                    is_reread = true;
                    let listing = Box::pin(upstream.refresh_tools()).await;
                    let listing = listing.ok_or_else(refused)?;
                    route = route.in_listing(listing).ok_or_else(refused)?;
                }
            }
        }
    }

    /// The one parameter of this name; without it the request is refused.
    pub(crate) async fn only(&self, request: &Message, key: &str) -> Option<String> {
        match only_text(request.params_named(key), key, "the parameters") {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(request, code::INVALID_PARAMS, &reason).await;
                None
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
        let size = size_of::<&Arc<Router>, &Relayed, _>(Router::call);
        assert!(size <= 5 << 10, "{size}");
    }
}
