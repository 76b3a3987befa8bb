//! Who wants to hear of which changes: the `subscriptions/listen` requests of a modern client, and
//! the resources that a legacy client has subscribed to.
//!
//! A listen hears nothing before its acknowledgement and nothing after its end, since both are
//! lines that are queued, and notifications too, while this table is locked.

pub(crate) mod filter;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tracing::debug;

use super::outbox::Permit;
use crate::protocol::json_key::Key;
use crate::protocol::subscription_tag;
use crate::router::forward::notify::News;
use crate::upstream::{SubscriptionGuard, UpstreamId};
use crate::wire::Message;

use crate::router::methods::resource_subscriptions::Subscribed;
use filter::Filter;

/// How many listens a client may have open.
pub(crate) const MAX_LISTENS: usize = 64;

/// How many resources one listen, or a session, may be subscribed to.
pub(crate) const MAX_URIS: usize = 4096;

/// How many notifications a listen keeps that came before its acknowledgement.
const MAX_EARLY: usize = 256;

/// All subscriptions of the client.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    // std's Mutex: held for a few map operations, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    listens: HashMap<Key, Listen>,
    pub(crate) session: HashMap<Arc<str>, Subscribed>,
    /// How many listens there were.
    serial: u64,
}

/// One open listen.
#[derive(Debug)]
struct Listen {
    serial: u64,
    /// The client's id for it, as written.
    id: Bytes,
    filter: Filter,
    stage: Stage,
    /// Whether its resources are being asked for at other upstreams.
    moving: bool,
}

#[derive(Debug)]
enum Stage {
    /// What it will hear is not settled; what it has missed meanwhile.
    Opening(VecDeque<(News, Message)>),
    /// It is being acknowledged: the same, and what it hears of by upstream.
    Acknowledged(Taken, VecDeque<(News, Message)>),
    /// It hears everything as it comes.
    Open(Taken),
}

/// The resources that each upstream has taken.
type Taken = HashMap<UpstreamId, HashSet<Arc<str>>>;

impl Listen {
    fn wants(&self, news: &News) -> bool {
        match news {
            News::Tools => self.filter.tools,
            News::Prompts => self.filter.prompts,
            News::Resources => self.filter.resources,
            News::Updated { uri, .. } if self.moving => covers(uri, |uri| self.filter.has(uri)),
            News::Updated { upstream, uri } => match &self.stage {
                Stage::Opening(_) => covers(uri, |uri| self.filter.has(uri)),
                Stage::Acknowledged(taken, _) | Stage::Open(taken) => {
                    let taken = taken.get(upstream);
                    taken.is_some_and(|taken| covers(uri, |uri| taken.contains(uri)))
                }
            },
        }
    }
}

/// Whether the set has this URI, or one that it is a part of: an update may be of a sub-resource of
/// the one that was subscribed to (MCP 2026-07-28, schema § ResourceUpdatedNotificationParams).
pub(crate) fn covers(uri: &str, has: impl Fn(&str) -> bool) -> bool {
    has(uri)
        || uri
            .match_indices(['/', '?', '#'])
            .any(|(at, _)| has(&uri[..at]) || has(&uri[..=at]))
}

/// A listen in the table; it leaves when this is dropped.
pub(crate) struct Place<'a> {
    subscriptions: &'a Subscriptions,
    key: Key,
    serial: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let listens = &mut self.subscriptions.lock().listens;
        // Another may have begun under its id by now.
        if listens
            .get(&self.key)
            .is_some_and(|l| l.serial == self.serial)
        {
            listens.remove(&self.key);
        }
    }
}

impl Subscriptions {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a listen; `None` when there are too many.
    pub(crate) fn open(&self, id: &Bytes, filter: Filter) -> Option<Place<'_>> {
        let mut state = self.lock();
        if state.listens.len() >= MAX_LISTENS {
            return None;
        }
        state.serial += 1;
        let (key, serial) = (Key::new(id), state.serial);
        let listen = Listen {
            serial,
            id: id.clone(),
            filter,
            stage: Stage::Opening(VecDeque::new()),
            moving: false,
        };
        state.listens.insert(key.clone(), listen);
        Some(Place {
            subscriptions: self,
            key,
            serial,
        })
    }

    /// Takes out of a listen what no upstream announces.
    pub(crate) fn limit(&self, place: &Place<'_>, announced: impl Fn(&str) -> bool) {
        if let Some(listen) = self.lock().listens.get_mut(&place.key) {
            listen.filter.limit(announced);
        }
    }

    /// Queues the acknowledgement, or the next thing that came before it. `false` when there is
    /// no more: from then on it hears things as they come.
    pub(crate) fn acknowledge(
        &self,
        place: &Place<'_>,
        wishes: &[SubscriptionGuard],
        permit: Permit<'_>,
    ) -> bool {
        let mut state = self.lock();
        let Some(listen) = state.listens.get_mut(&place.key) else {
            return false;
        };
        match &mut listen.stage {
            Stage::Open(_) => false,
            Stage::Opening(early) => {
                let taken = by_upstream(wishes);
                permit.send(listen.filter.acknowledgement(&listen.id, &taken));
                listen.stage = Stage::Acknowledged(taken, std::mem::take(early));
                true
            }
            Stage::Acknowledged(taken, early) => {
                let Some((news, message)) = early.pop_front() else {
                    listen.stage = Stage::Open(std::mem::take(taken));
                    return false;
                };
                if listen.wants(&news) {
                    permit.send(subscription_tag::tagged(&message, &listen.id));
                }
                true
            }
        }
    }

    /// Others may tell it of its resources before it is known who does.
    pub(crate) fn moving(&self, place: &Place<'_>) {
        if let Some(listen) = self.lock().listens.get_mut(&place.key) {
            listen.moving = true;
        }
    }

    /// From now on it hears of resources by these.
    pub(crate) fn moved(&self, place: &Place<'_>, wishes: &[SubscriptionGuard]) {
        let mut state = self.lock();
        if let Some(listen) = state.listens.get_mut(&place.key)
            && let Stage::Open(taken) = &mut listen.stage
        {
            *taken = by_upstream(wishes);
            listen.moving = false;
        }
    }

    /// Ends a listen that the client has cancelled.
    pub(crate) fn close(&self, key: &Key) {
        self.lock().listens.remove(key);
    }

    /// Ends all listens; returns the ids of those that were acknowledged.
    pub(crate) fn close_all(&self) -> Vec<Bytes> {
        let listens = self.lock().listens.drain().collect::<Vec<_>>();
        let mut listens: Vec<_> = listens.into_iter().map(|(_, listen)| listen).collect();
        listens.retain(|listen| !matches!(listen.stage, Stage::Opening(_)));
        listens.sort_by_key(|listen| listen.serial);
        listens.into_iter().map(|listen| listen.id).collect()
    }

    /// The listens that want to hear this, in the order in which they came.
    pub(crate) fn who_wants(&self, news: &News) -> Vec<Key> {
        let state = self.lock();
        let listens = state.listens.iter();
        let mut wanting: Vec<_> = listens.filter(|(_, listen)| listen.wants(news)).collect();
        wanting.sort_by_key(|(_, listen)| listen.serial);
        wanting.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// Tells a listen, if it is still there and wants to hear it.
    pub(crate) fn tell(&self, key: &Key, news: &News, message: &Message, permit: Permit<'_>) {
        let mut state = self.lock();
        let listen = state.listens.get_mut(key);
        let Some(listen) = listen.filter(|listen| listen.wants(news)) else {
            return;
        };
        match &mut listen.stage {
            Stage::Open(_) => permit.send(subscription_tag::tagged(message, &listen.id)),
            Stage::Opening(early) | Stage::Acknowledged(_, early) => {
                if early.len() >= MAX_EARLY {
                    return debug!("too much before an acknowledgement; dropped");
                }
                early.push_back((news.clone(), message.clone()));
            }
        }
    }
}

fn by_upstream(wishes: &[SubscriptionGuard]) -> Taken {
    let mut taken = Taken::new();
    for wish in wishes {
        let uris = taken.entry(wish.upstream().id()).or_default();
        uris.extend(wish.uris().iter().cloned());
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_part_of_a_resource_is_known_by_where_its_uri_is_cut() {
        let subscribed = ["x://a/b", "x://d/", "y:c"];
        let has = |uri: &str| subscribed.contains(&uri);
        for uri in [
            "x://a/b",
            "x://a/b/c/d",
            "x://a/b?q",
            "x://a/b#f",
            "x://d/e",
            "y:c/1",
        ] {
            assert!(covers(uri, has), "{uri}");
        }
        for uri in ["x://a/bc", "x://a", "x://d", "y:cd", "", "/"] {
            assert!(!covers(uri, has), "{uri}");
        }
    }
}
