//! A change of which clients are told that want to hear of it.

use crate::protocol::ItemKind;
use crate::router::Router;
use crate::upstream::{Upstream, UpstreamId};
use crate::wire::splice::decode;
use crate::wire::{Line, Message};

use crate::protocol::subscription_tag;

/// What has changed.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The lists of resources and templates.
    Resources,
    /// A resource.
    Updated {
        /// Whose it is.
        upstream: UpstreamId,
        /// Its URI.
        uri: String,
    },
}

impl News {
    /// What a notification of an upstream tells of; `None` where it is none of a change.
    pub(crate) fn read(upstream: UpstreamId, message: &Message) -> Option<Self> {
        Some(match &*message.method() {
            "notifications/tools/list_changed" => Self::Tools,
            "notifications/prompts/list_changed" => Self::Prompts,
            "notifications/resources/list_changed" => Self::Resources,
            "notifications/resources/updated" => {
                let uri = message.param("uri");
                let uri = uri.and_then(|uri| decode(uri.value()).map(Into::into));
                Self::Updated {
                    upstream,
                    // Nobody can have subscribed to one that is not named.
                    uri: uri.unwrap_or_default(),
                }
            }
            _ => return None,
        })
    }
}

impl Router {
    /// Takes a notification that is of no request, but came on the stream of one, which the server
    /// had at hand; `false` for any other.
    pub(crate) async fn hear_aside(&self, from: &Upstream, message: &Message) -> bool {
        match News::read(from.id(), message) {
            None => return false,
            Some(News::Tools) => from.request_tools(),
            Some(_) => {
                let kinds = ItemKind::changed_by(&message.method());
                let kinds = kinds.unwrap_or_default();
                from.offers().forget(kinds);
                self.announced_items.forget(from.id(), kinds);
                self.hear(from.id(), message.clone()).await;
            }
        }
        true
    }

    /// Tells everybody who wants to hear of it. `is_legacy`: whether the session is among them, as it
    /// is for all that it need not subscribe to.
    pub(crate) async fn tell(&self, news: &News, message: &Message, is_legacy: bool) {
        let kinds = ItemKind::changed_by(&message.method());
        self.listed.forget(kinds.unwrap_or_default());
        let line = match news {
            News::Updated { upstream, uri } => {
                let wanted = self.subscriptions.session_wants(*upstream, uri);
                wanted.then(|| Line::whole(subscription_tag::untagged(message)))
            }
            // A modern upstream's carries the id of our subscription.
            _ => is_legacy.then(|| Line::notification(&message.method())),
        };
        if let Some(line) = line {
            self.send(line).await;
        }
        for listen in self.subscriptions.who_wants(news) {
            let Some(permit) = self.outbox.reserve(message.bytes().len()).await else {
                return;
            };
            self.subscriptions.tell(&listen, news, message, permit);
        }
    }
}
