//! The listings of one upstream, in memory.
//!
//! [`Offers`] holds the server's profile, its tools, and its prompts, resources and templates as they were
//! read last. It outlives each connection. The cache on disk fills it at the start; each connection replaces
//! its content. It depends neither on the supervisor nor on the cache, and notifies both of changes.

pub(crate) mod items;
pub(crate) mod pagination;
pub(crate) mod tools;

use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, watch};

use super::connection::Connection;
use super::error::TransportError;
use crate::protocol::{ItemKind, ItemList, ServerProfile};
use crate::sync::Mutex;
use tools::ToolList;

/// The profile and the listings of an upstream, whether it is connected or not.
#[derive(Debug)]
pub struct Offers {
    tools: watch::Sender<Option<Arc<ToolList>>>,
    /// Counts the times that this process has read the tools.
    times_listed: watch::Sender<u64>,
    state: Mutex<OffersState>,
    /// Notified of each change that the catalog depends on.
    changed: Arc<Notify>,
    /// Notified of each change that the cache has to save; unset if there is no cache.
    unsaved: OnceLock<Arc<Notify>>,
}

#[derive(Debug, Default)]
struct OffersState {
    profile: Option<Arc<ServerProfile>>,
    /// The profile of the server that listed the tools. An earlier connection may have read them.
    tools_listed_by: Option<Arc<ServerProfile>>,
    items: [LastItemList; 3],
    /// Whether the cache has something to save.
    is_dirty: bool,
}

/// The last list of one kind of items.
#[derive(Debug, Default)]
struct LastItemList {
    /// The list as it was read last; `None` once the server has announced a change.
    list: Option<ItemList>,
    /// Counts the list changes that the server announced.
    changes: u64,
}

/// A copy of an upstream's profile and listings.
#[derive(Debug)]
pub(crate) struct OffersSnapshot {
    pub(crate) profile: Arc<ServerProfile>,
    pub(crate) tools: Arc<ToolList>,
    /// Indexed by [`ItemKind`]; `None` if the list was never read.
    pub(crate) items: [Option<ItemList>; 3],
}

impl Offers {
    /// Creates empty offers. `changed` is notified of each change that the catalog depends on.
    pub(crate) fn new(changed: Arc<Notify>) -> Self {
        Self {
            tools: watch::Sender::new(None),
            times_listed: watch::Sender::new(0),
            state: Mutex::default(),
            changed,
            unsaved: OnceLock::new(),
        }
    }

    /// Returns the server's profile from its last connection, to this process or an earlier one.
    #[must_use]
    pub fn profile(&self) -> Option<Arc<ServerProfile>> {
        self.state.lock().profile.clone()
    }

    /// Returns the tools that the server listed last, for this process or an earlier one.
    #[must_use]
    pub fn tools(&self) -> Option<Arc<ToolList>> {
        self.tools.borrow().clone()
    }

    /// Returns the items of one kind that the server listed last; `None` if they have to be read.
    #[must_use]
    pub fn last_items(&self, kind: ItemKind) -> Option<ItemList> {
        let state = self.state.lock();
        let profile = state.profile.as_ref();
        match profile.map(|profile| profile.has_items(kind)) {
            Some(false) => Some(ItemList::default()),
            _ => state.items[kind as usize].list.clone(),
        }
    }

    /// Discards the items of these kinds. Call this when the server announces that their lists changed.
    pub fn invalidate(&self, kinds: &[ItemKind]) {
        let mut state = self.state.lock();
        for kind in kinds {
            let items = &mut state.items[*kind as usize];
            items.list = None;
            items.changes += 1;
        }
        if !kinds.is_empty() {
            self.mark_dirty(&mut state);
        }
    }

    /// Watches the tools.
    pub(crate) fn watch_tools(&self) -> watch::Receiver<Option<Arc<ToolList>>> {
        self.tools.subscribe()
    }

    /// Watches how often this process has read the tools.
    pub(crate) fn watch_times_listed(&self) -> watch::Receiver<u64> {
        self.times_listed.subscribe()
    }

    /// Returns how often this process has read the tools.
    pub(crate) fn times_listed(&self) -> u64 {
        *self.times_listed.borrow()
    }

    /// Sets the profile of the server on a new connection.
    pub(crate) fn set_profile(&self, profile: &Arc<ServerProfile>) {
        let mut state = self.state.lock();
        for kind in ItemKind::ALL {
            if !profile.has_items(kind) {
                state.items[kind as usize].list = None;
            }
        }
        state.profile = Some(profile.clone());
    }

    /// Reads the tools on this connection. Returns their number.
    ///
    /// # Errors
    /// [`TransportError`], if they could not be read. The last listing stays.
    pub(crate) async fn refresh_tools(
        &self,
        connection: &Connection,
    ) -> Result<usize, TransportError> {
        let list = ToolList::fetch(connection).await?;
        let count = list.tools.len();
        self.set_tools(list);
        Ok(count)
    }

    fn set_tools(&self, list: ToolList) {
        self.tools.send_if_modified(|current| {
            let is_same = current.as_deref() == Some(&list);
            if !is_same {
                *current = Some(Arc::new(list));
            }
            !is_same
        });
        let mut state = self.state.lock();
        state.tools_listed_by = state.profile.clone();
        self.mark_dirty(&mut state);
        drop(state);
        self.increment_times_listed();
        self.changed.notify_one();
    }

    fn increment_times_listed(&self) {
        self.times_listed.send_modify(|times| *times += 1);
    }

    /// Reads the items of one kind on this connection.
    ///
    /// # Errors
    /// [`TransportError`], if they could not be read. The last list stays.
    pub(crate) async fn refresh_items(
        &self,
        connection: &Connection,
        kind: ItemKind,
    ) -> Result<ItemList, TransportError> {
        let changes = self.state.lock().items[kind as usize].changes;
        let list = Arc::new(items::fetch(connection, kind).await?);
        let mut state = self.state.lock();
        let items = &mut state.items[kind as usize];
        // A list that was requested before a change may lack that change.
        if items.changes == changes {
            items.list = Some(list.clone());
            self.mark_dirty(&mut state);
        }
        Ok(list)
    }

    /// Sets what is notified of each change to save. Returns `false` if it was set before.
    pub(crate) fn set_unsaved_notify(&self, unsaved: Arc<Notify>) -> bool {
        self.unsaved.set(unsaved).is_ok()
    }

    /// Restores what an earlier process has saved, except where this process has newer data.
    pub(crate) fn restore(&self, stored: OffersSnapshot) {
        let mut state = self.state.lock();
        if state.profile.is_none() {
            state.profile = Some(stored.profile.clone());
        }
        if state.tools_listed_by.is_some() {
            return;
        }
        for (items, list) in state.items.iter_mut().zip(stored.items) {
            if items.changes == 0 && items.list.is_none() {
                items.list = list;
            }
        }
        state.tools_listed_by = Some(stored.profile);
        drop(state);
        self.tools.send_if_modified(|tools| {
            let is_first = tools.is_none();
            if is_first {
                *tools = Some(stored.tools);
            }
            is_first
        });
        self.changed.notify_one();
    }

    /// Returns the offers to save, if they have changed since the last call.
    pub(crate) fn take_unsaved(&self) -> Option<OffersSnapshot> {
        let mut state = self.state.lock();
        if !std::mem::take(&mut state.is_dirty) {
            return None;
        }
        Some(OffersSnapshot {
            profile: state.tools_listed_by.clone()?,
            tools: self.tools()?,
            items: state.items.each_ref().map(|items| items.list.clone()),
        })
    }

    /// Makes the next [`Self::take_unsaved`] return the offers again, since they could not be saved.
    pub(crate) fn return_unsaved(&self) {
        self.state.lock().is_dirty = true;
    }

    fn mark_dirty(&self, state: &mut OffersState) {
        state.is_dirty = true;
        if let Some(unsaved) = self.unsaved.get() {
            unsaved.notify_one();
        }
    }

    /// Sets the tools as if a server with this profile had listed them.
    #[cfg(test)]
    pub(crate) fn set_profile_and_tools(&self, profile: ServerProfile, list: ToolList) {
        self.state.lock().profile = Some(Arc::new(profile));
        self.set_tools(list);
    }
}

#[cfg(test)]
mod tests;
