//! The prompts, resources and templates that the upstreams listed last. Requests are routed by them.

use std::sync::Arc;

use crate::catalog::Items;
use crate::protocol::ItemKind;
use crate::sync::Mutex;
use crate::upstream::UpstreamSet;

/// The last listing of each kind.
#[derive(Debug, Default)]
pub(crate) struct ItemCache {
    kinds: Mutex<[Slot; 3]>,
}

#[derive(Debug, Default)]
struct Slot {
    listing: Option<CachedItems>,
    /// Counts the changes that upstreams have announced.
    changes: u64,
}

/// The items of one kind.
#[derive(Debug, Clone)]
pub(crate) struct CachedItems {
    pub(crate) items: Arc<Items>,
    /// The upstreams that were asked: an owner is one of these.
    pub(crate) upstreams: UpstreamSet,
    /// Whether the items of every one of them are included.
    pub(crate) is_complete: bool,
}

impl ItemCache {
    /// The last listing of these upstreams.
    pub(crate) fn get(&self, kind: ItemKind, upstreams: &UpstreamSet) -> Option<CachedItems> {
        let listing = self.kinds.lock()[kind as usize].listing.clone();
        listing.filter(|listing| Arc::ptr_eq(&listing.upstreams, upstreams))
    }

    /// Forgets the listings of these kinds, so that the next request lists them again.
    pub(crate) fn invalidate(&self, kinds: &[ItemKind]) {
        let mut all = self.kinds.lock();
        for kind in kinds {
            let slot = &mut all[*kind as usize];
            slot.listing = None;
            slot.changes += 1;
        }
    }

    /// The number of changes so far, to be given to [`Self::set`].
    pub(crate) fn changes(&self, kind: ItemKind) -> u64 {
        self.kinds.lock()[kind as usize].changes
    }

    /// Keeps a listing, unless something has changed since it was begun, at `changes`.
    pub(crate) fn store(&self, kind: ItemKind, listing: CachedItems, changes: u64) {
        let slot = &mut self.kinds.lock()[kind as usize];
        if slot.changes == changes {
            slot.listing = Some(listing);
        }
    }
}
