//! The latest listings of prompts, resources and templates, by which requests are routed.

use std::sync::Arc;

use crate::catalog::Items;
use crate::protocol::ItemKind;
use crate::sync::Mutex;
use crate::upstream::UpstreamSet;

/// The latest listing of each kind.
#[derive(Debug, Default)]
pub(crate) struct ItemCache {
    kinds: Mutex<[Slot; 3]>,
}

#[derive(Debug, Default)]
struct Slot {
    listing: Option<CachedItems>,
    /// The number of invalidations so far.
    changes: u64,
}

/// The items of one kind.
#[derive(Debug, Clone)]
pub(crate) struct CachedItems {
    pub(crate) items: Arc<Items>,
    /// The upstreams of the listing. Every owner is one of these.
    pub(crate) upstreams: UpstreamSet,
    /// Whether the listing has the items of every upstream.
    pub(crate) is_complete: bool,
}

impl ItemCache {
    /// The latest listing of these upstreams.
    pub(crate) fn get(&self, kind: ItemKind, upstreams: &UpstreamSet) -> Option<CachedItems> {
        let listing = self.kinds.lock()[kind as usize].listing.clone();
        listing.filter(|listing| Arc::ptr_eq(&listing.upstreams, upstreams))
    }

    /// Removes the listings of these kinds. The next request lists them again.
    pub(crate) fn invalidate(&self, kinds: &[ItemKind]) {
        let mut all = self.kinds.lock();
        for kind in kinds {
            let slot = &mut all[*kind as usize];
            slot.listing = None;
            slot.changes += 1;
        }
    }

    /// The number of invalidations so far, an argument of [`Self::store`].
    pub(crate) fn changes(&self, kind: ItemKind) -> u64 {
        self.kinds.lock()[kind as usize].changes
    }

    /// Stores a listing that was begun at `changes`. Drops a listing that was invalidated since.
    pub(crate) fn store(&self, kind: ItemKind, listing: CachedItems, changes: u64) {
        let slot = &mut self.kinds.lock()[kind as usize];
        if slot.changes == changes {
            slot.listing = Some(listing);
        }
    }
}
