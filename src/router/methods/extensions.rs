//! Requests that no revision of MCP knows: those of extensions, and of servers with some of their own.
//! They pass as they are, to the one server there is, or to the one that declares them.

use std::sync::Arc;

use crate::protocol::Era;
use crate::protocol::bridge::target::Target;
use crate::protocol::reply::unknown;
use crate::router::Router;
use crate::router::call::request::Relayed;
use crate::upstream::Upstream;
use crate::wire::outgoing::code;
use crate::wire::{Line, Message};

impl Router {
    /// Begins a request that only an extension knows; its answer goes to the client by itself.
    pub(crate) async fn ask_extension(self: &Arc<Self>, message: Message, client: Era) {
        let method = message.method().into_owned();
        if method.is_empty() {
            let text = unknown(&method);
            return self.refuse(&message, code::METHOD_NOT_FOUND, &text).await;
        }
        self.relay(message, client, method, |router, request| async move {
            router.extended(&request).await
        })
        .await;
    }

    async fn extended(self: &Arc<Self>, request: &Relayed) -> Line {
        let method = &request.subject;
        let Some(upstream) = self.who_knows(method).await else {
            return request.refused(code::METHOD_NOT_FOUND, &unknown(method));
        };
        let target = Target::extension(method);
        let answer = self.ask(request, &target, &upstream).await;
        let answer = answer.and_then(|answer| answer.response(&target, &upstream));
        request.answered(&upstream, answer)
    }

    async fn who_knows(&self, method: &str) -> Option<Upstream> {
        if let [only] = &self.upstreams.all()[..] {
            return Some(only.clone());
        }
        self.heard().await;
        let (family, _) = method.split_once('/')?;
        let declares = |upstream: &&Upstream| {
            let known = upstream.offers().profile();
            known.is_some_and(|known| known.declares(family))
        };
        self.upstreams.all().iter().find(declares).cloned()
    }
}
