//! The open `subscriptions/listen` requests of a modern client.
//!
//! A listen receives no notification before its acknowledgement or after its end. Acknowledgements, ends and
//! notifications are queued while this table is locked.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tracing::debug;

use super::covers::covers;
use super::filter::{AcceptedUris, SubscriptionFilter};
use crate::protocol::json_key::JsonKey;
use crate::protocol::subscription_id;
use crate::router::call::change::Change;
use crate::router::client::outbox::Permit;
use crate::sync::Mutex;
use crate::upstream::SubscriptionGuard;
use crate::wire::Message;

/// The maximum number of open listens of a client.
pub(crate) const MAX_LISTENS: usize = 64;

/// The maximum number of notifications that a listen buffers before its acknowledgement.
const MAX_EARLY: usize = 256;

/// The listens of one client.
#[derive(Debug, Default)]
pub(crate) struct Listens {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listens: HashMap<JsonKey, Listen>,
    /// The serial number of the latest listen.
    serial: u64,
}

/// One open listen.
#[derive(Debug)]
struct Listen {
    serial: u64,
    /// The client's id of the listen, as JSON.
    id: Bytes,
    filter: SubscriptionFilter,
    stage: Stage,
    /// Whether the listen's resource subscriptions are moving to other upstreams.
    is_moving: bool,
}

#[derive(Debug)]
enum Stage {
    /// The subscriptions are being made. The notifications so far are buffered.
    Opening(VecDeque<(Change, Message)>),
    /// The acknowledgement is queued, and the buffered notifications are being sent.
    Acknowledged(AcceptedUris, VecDeque<(Change, Message)>),
    /// Notifications are sent as they arrive.
    Open(AcceptedUris),
}

impl Listen {
    fn accepts(&self, change: &Change) -> bool {
        match change {
            Change::Tools => self.filter.tools,
            Change::Prompts => self.filter.prompts,
            Change::Resources => self.filter.resources,
            Change::ResourceUpdated { uri, .. } if self.is_moving => {
                covers(uri, |uri| self.filter.contains(uri))
            }
            Change::ResourceUpdated { upstream, uri } => match &self.stage {
                Stage::Opening(_) => covers(uri, |uri| self.filter.contains(uri)),
                Stage::Acknowledged(accepted, _) | Stage::Open(accepted) => {
                    let accepted = accepted.get(upstream);
                    accepted.is_some_and(|accepted| covers(uri, |uri| accepted.contains(uri)))
                }
            },
        }
    }
}

/// A listen in the table. Dropping this removes it.
pub(crate) struct ListenGuard<'a> {
    listens: &'a Listens,
    key: JsonKey,
    serial: u64,
}

impl Drop for ListenGuard<'_> {
    fn drop(&mut self) {
        let listens = &mut self.listens.state.lock().listens;
        // A new listen may have the same id.
        if listens
            .get(&self.key)
            .is_some_and(|l| l.serial == self.serial)
        {
            listens.remove(&self.key);
        }
    }
}

impl Listens {
    /// Registers a listen. `None` if the limit is reached.
    pub(crate) fn open(&self, id: &Bytes, filter: SubscriptionFilter) -> Option<ListenGuard<'_>> {
        let mut state = self.state.lock();
        if state.listens.len() >= MAX_LISTENS {
            return None;
        }
        state.serial += 1;
        let (key, serial) = (JsonKey::new(id), state.serial);
        let listen = Listen {
            serial,
            id: id.clone(),
            filter,
            stage: Stage::Opening(VecDeque::new()),
            is_moving: false,
        };
        state.listens.insert(key.clone(), listen);
        Some(ListenGuard {
            listens: self,
            key,
            serial,
        })
    }

    /// Removes from a listen's filter the list changes that no upstream announces.
    pub(crate) fn retain_announced(
        &self,
        listen: &ListenGuard<'_>,
        announced: impl Fn(&str) -> bool,
    ) {
        if let Some(listen) = self.state.lock().listens.get_mut(&listen.key) {
            listen.filter.retain_announced(announced);
        }
    }

    /// Queues the acknowledgement, or the next buffered notification. Returns `false` when the buffer is empty:
    /// from then on, notifications are sent as they arrive.
    pub(crate) fn acknowledge(
        &self,
        listen: &ListenGuard<'_>,
        subscriptions: &[SubscriptionGuard],
        permit: Permit<'_>,
    ) -> bool {
        let mut state = self.state.lock();
        let Some(listen) = state.listens.get_mut(&listen.key) else {
            return false;
        };
        match &mut listen.stage {
            Stage::Open(_) => false,
            Stage::Opening(early) => {
                let accepted = by_upstream(subscriptions);
                permit.send(listen.filter.acknowledgement(&listen.id, &accepted));
                listen.stage = Stage::Acknowledged(accepted, std::mem::take(early));
                true
            }
            Stage::Acknowledged(accepted, early) => {
                let Some((change, message)) = early.pop_front() else {
                    listen.stage = Stage::Open(std::mem::take(accepted));
                    return false;
                };
                if listen.accepts(&change) {
                    permit.send(subscription_id::with_subscription_id(&message, &listen.id));
                }
                true
            }
        }
    }

    /// Accepts updates of the listen's resources from every upstream, until [`Self::finish_move`].
    pub(crate) fn begin_move(&self, listen: &ListenGuard<'_>) {
        if let Some(listen) = self.state.lock().listens.get_mut(&listen.key) {
            listen.is_moving = true;
        }
    }

    /// Accepts updates of the listen's resources only from the upstreams of these subscriptions.
    pub(crate) fn finish_move(
        &self,
        listen: &ListenGuard<'_>,
        subscriptions: &[SubscriptionGuard],
    ) {
        let mut state = self.state.lock();
        if let Some(listen) = state.listens.get_mut(&listen.key)
            && let Stage::Open(accepted) = &mut listen.stage
        {
            *accepted = by_upstream(subscriptions);
            listen.is_moving = false;
        }
    }

    /// Removes a listen that the client has cancelled.
    pub(crate) fn close(&self, key: &JsonKey) {
        self.state.lock().listens.remove(key);
    }

    /// Removes all listens. Returns the ids of the acknowledged ones.
    pub(crate) fn close_all(&self) -> Vec<Bytes> {
        let listens = self.state.lock().listens.drain().collect::<Vec<_>>();
        let mut listens: Vec<_> = listens.into_iter().map(|(_, listen)| listen).collect();
        listens.retain(|listen| !matches!(listen.stage, Stage::Opening(_)));
        listens.sort_by_key(|listen| listen.serial);
        listens.into_iter().map(|listen| listen.id).collect()
    }

    /// The listens that accept this change, oldest first.
    pub(crate) fn accepting(&self, change: &Change) -> Vec<JsonKey> {
        let state = self.state.lock();
        let listens = state.listens.iter();
        let mut accepting: Vec<_> = listens
            .filter(|(_, listen)| listen.accepts(change))
            .collect();
        accepting.sort_by_key(|(_, listen)| listen.serial);
        accepting.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// Notifies a listen, if it is still open and accepts the change.
    pub(crate) fn notify(
        &self,
        key: &JsonKey,
        change: &Change,
        message: &Message,
        permit: Permit<'_>,
    ) {
        let mut state = self.state.lock();
        let listen = state.listens.get_mut(key);
        let Some(listen) = listen.filter(|listen| listen.accepts(change)) else {
            return;
        };
        match &mut listen.stage {
            Stage::Open(_) => {
                permit.send(subscription_id::with_subscription_id(message, &listen.id));
            }
            Stage::Opening(early) | Stage::Acknowledged(_, early) => {
                if early.len() >= MAX_EARLY {
                    return debug!("too many notifications before the acknowledgement; dropping");
                }
                early.push_back((change.clone(), message.clone()));
            }
        }
    }
}

fn by_upstream(subscriptions: &[SubscriptionGuard]) -> AcceptedUris {
    let mut accepted = AcceptedUris::new();
    for subscription in subscriptions {
        let uris = accepted.entry(subscription.upstream().id()).or_default();
        uris.extend(subscription.uris().iter().cloned());
    }
    accepted
}
