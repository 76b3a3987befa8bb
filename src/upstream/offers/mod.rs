//! What each upstream offered when it was last heard, kept beyond the connection and the process.
//!
//! A [`Memory`] is what an upstream is known by while it is away: what it said of itself, and its prompts,
//! resources and templates as they were read last; its tools are its `Listing`. [`Remembering`](super::cache::writer::Remembering) brings
//! that from disk before the first listing is answered, and back when it has changed.
//!
//! On disk it is one file an upstream, `<home>/listings/<name>-<hash>.json`, one JSON object (see
//! [`entry`](super::cache::entry)) with the definitions as the server wrote them, byte by byte. It is a copy that can be had
//! again: one that is damaged, too large, of another format or of another configuration counts as none,
//! and is replaced. Files are replaced whole, so nobody ever reads half of one, and the last one who
//! writes wins. A process writes what has changed since it last read or wrote it, and not what is missing: a
//! person may have deleted it. What no process uses for long is removed ([`eviction`](super::cache::eviction)).
//!
//! A file is good for one configuration of the upstream alone, by all of it that changes what a server
//! may offer ([`fingerprint`](super::cache::fingerprint)). It says so by an HMAC under a key that is in a file of its own, `listings/key`:
//! some of what is configured is secret, and a plain or salted digest of a short secret gives it away to
//! who has the file and tries. Filters, prefixes and timeouts are applied to what was remembered, so
//! they are not a part of it.

pub(crate) mod items;
pub(crate) mod pagination;
pub(crate) mod tools;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::connection::Live;
use super::handle::Upstream;
use crate::protocol::ServerProfile;
use crate::protocol::{Item, ItemKind};

use super::cache::entry::{Found, Gist, Record};

/// Prompts, resources or templates of one upstream.
pub(crate) type List = Arc<Vec<Item>>;

/// What is known of an upstream whether it is connected or not.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    // std's Mutex: held for an assignment or a comparison, never across an await.
    state: Mutex<State>,
    /// Rung when the disk has to follow, if it is to.
    pub(crate) changed: OnceLock<Arc<Notify>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) known: Option<Arc<ServerProfile>>,
    /// The same for the tools that are listed: they may be those of an earlier connection.
    listed: Option<Arc<ServerProfile>>,
    kinds: [Kept; 3],
    /// Whether the disk has to follow.
    is_ahead: bool,
    /// Of what this process has last read from the disk or written there.
    last: Option<Gist>,
}

/// What is known of one kind.
#[derive(Debug, Default)]
struct Kept {
    /// As it was read last, unless a change was announced since.
    last: Option<List>,
    /// What went into the last answer to the client; `None` before there was one, or when it was told
    /// of a change since.
    given: Option<List>,
    /// Counts the changes that were announced.
    changes: u64,
}

impl Memory {
    /// The upstream is connected.
    pub(crate) fn met(&self, live: &Live) {
        let known = live.profile.clone();
        let mut state = self.lock();
        for kind in ItemKind::ALL {
            if !known.offers(kind) {
                state.kinds[kind as usize].last = None;
            }
        }
        state.known = Some(known);
    }

    /// Its tools were read.
    pub(crate) fn listed(&self) {
        let mut state = self.lock();
        state.listed = state.known.clone();
        self.follow(&mut state);
    }

    /// The changes so far, for [`Self::read`].
    pub(crate) fn changes(&self, kind: ItemKind) -> u64 {
        self.lock().kinds[kind as usize].changes
    }

    /// A kind was read, which was begun at `changes`. What was given of it stays.
    pub(crate) fn read(&self, kind: ItemKind, list: &List, changes: u64) {
        let mut state = self.lock();
        let kept = &mut state.kinds[kind as usize];
        if kept.changes == changes {
            kept.last = Some(list.clone());
            self.follow(&mut state);
        }
    }

    /// The client is given this.
    pub(crate) fn give(&self, kind: ItemKind, list: List) {
        self.lock().kinds[kind as usize].given = Some(list);
    }

    /// Whether the client was ever given anything of this kind and not told of a change since.
    pub(crate) fn is_given(&self, kind: ItemKind) -> bool {
        self.lock().kinds[kind as usize].given.is_some()
    }

    /// Whether the client has something else than this, of which it is told now.
    pub(crate) fn differs(&self, kind: ItemKind, list: &List) -> bool {
        let given = &mut self.lock().kinds[kind as usize].given;
        let definitions = |list: &List| -> Vec<_> {
            let definitions = list.iter().map(|item| item.definition.clone());
            definitions.collect()
        };
        let differs = given
            .as_ref()
            .is_some_and(|given| definitions(given) != definitions(list));
        if differs {
            *given = None;
        }
        differs
    }

    /// The disk has to follow, in its time.
    fn follow(&self, state: &mut State) {
        state.is_ahead = true;
        if let Some(changed) = self.changed.get() {
            changed.notify_one();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream {
    /// What it said of itself when it was last connected, by this process or an earlier one.
    #[must_use]
    pub fn known(&self) -> Option<Arc<ServerProfile>> {
        self.shared.memory.lock().known.clone()
    }

    /// What it offered last of this kind, for a client that is given that; `None` when nobody knows.
    #[must_use]
    pub fn last_items(&self, kind: ItemKind) -> Option<Vec<Item>> {
        let mut state = self.shared.memory.lock();
        let offers = state.known.as_ref().map(|known| known.offers(kind));
        let kept = &mut state.kinds[kind as usize];
        let last = match offers {
            Some(false) => Some(List::default()),
            _ => kept.last.clone(),
        };
        // Without is something, too, that may turn out to be different.
        kept.given = Some(last.clone().unwrap_or_default());
        last.map(|last| last.to_vec())
    }

    /// It says that these have changed; the client is told so.
    pub fn forget(&self, kinds: &[ItemKind]) {
        let memory = &self.shared.memory;
        let mut state = memory.lock();
        for kind in kinds {
            let kept = &mut state.kinds[*kind as usize];
            (kept.last, kept.given) = (None, None);
            kept.changes += 1;
        }
        if !kinds.is_empty() {
            memory.follow(&mut state);
        }
    }

    /// Takes what an earlier process knew, where nothing newer is known.
    pub(crate) fn recall(&self, Found { record, gist, .. }: Found) {
        let shared = &self.shared;
        let mut state = shared.memory.lock();
        state.last = Some(gist);
        if state.known.is_none() {
            state.known = Some(record.known.clone());
        }
        if state.listed.is_some() {
            return;
        }
        for (kept, list) in state.kinds.iter_mut().zip(record.items) {
            if kept.changes == 0 && kept.last.is_none() {
                kept.last = list;
            }
        }
        state.listed = Some(record.known);
        drop(state);
        shared.listing.send_if_modified(|listing| {
            let is_first = listing.is_none();
            if is_first {
                *listing = Some(record.listing);
            }
            is_first
        });
        shared.changed.notify_one();
    }

    /// What there is to write, if the disk does not have it yet.
    pub(crate) fn take_record(&self) -> Option<Record> {
        let mut state = self.shared.memory.lock();
        if !std::mem::take(&mut state.is_ahead) {
            return None;
        }
        Some(Record {
            known: state.listed.clone()?,
            listing: self.listing()?,
            items: state.kinds.each_ref().map(|kept| kept.last.clone()),
        })
    }

    /// What this process has last read from the disk or written there.
    pub(crate) fn last_gist(&self) -> Option<Gist> {
        self.shared.memory.lock().last
    }

    /// What was taken is on disk.
    pub(crate) fn record_is_kept(&self, gist: Gist) {
        self.shared.memory.lock().last = Some(gist);
    }

    /// What was taken could not be written.
    pub(crate) fn put_record_back(&self) {
        self.shared.memory.lock().is_ahead = true;
    }
}
