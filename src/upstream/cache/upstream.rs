//! One upstream as the cache knows it.

use std::sync::Arc;

use super::entry::{ContentHash, LoadedEntry};
use crate::config;
use crate::sync::Mutex;
use crate::upstream::offers::{Offers, OffersSnapshot};

/// An upstream's offers, with its configuration, which says where they are stored.
#[derive(Debug)]
pub struct CachedUpstream {
    config: Arc<config::Upstream>,
    pub(crate) offers: Arc<Offers>,
    /// What this process has last loaded or stored.
    saved_hash: Mutex<Option<ContentHash>>,
}

impl CachedUpstream {
    pub(crate) fn new(config: Arc<config::Upstream>, offers: Arc<Offers>) -> Self {
        let saved_hash = Mutex::default();
        Self {
            config,
            offers,
            saved_hash,
        }
    }

    /// Returns the configuration by which the upstream is connected.
    pub(crate) fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// Takes over what was loaded from disk.
    pub(crate) fn restore(&self, LoadedEntry { offers, hash, .. }: LoadedEntry) {
        self.set_saved_hash(hash);
        self.offers.restore(offers);
    }

    /// Returns what is to be stored, if it has changed since the last time.
    pub(crate) fn take_unsaved(&self) -> Option<OffersSnapshot> {
        self.offers.take_unsaved()
    }

    /// Has what was taken be taken again: it could not be stored.
    pub(crate) fn return_unsaved(&self) {
        self.offers.return_unsaved();
    }

    /// Returns the hash of what this process has last loaded or stored.
    pub(crate) fn saved_hash(&self) -> Option<ContentHash> {
        *self.saved_hash.lock()
    }

    /// Records what was stored.
    pub(crate) fn set_saved_hash(&self, hash: ContentHash) {
        *self.saved_hash.lock() = Some(hash);
    }
}
